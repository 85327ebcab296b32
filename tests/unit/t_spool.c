/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

static char path[64];
static unsigned lost_count;
static uint64_t lost_id;
static int lost_error;

static void on_lost(void *arg, uint64_t id, int error)
{
    ck_assert_ptr_eq(arg, path);
    lost_count++;
    lost_id = id;
    lost_error = error;
}

static struct spool *open_new(void)
{
    snprintf(path, sizeof(path), "/tmp/t_spool-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    struct error err;
    struct spool *s = spool_open(path, on_lost, path, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    lost_count = 0;
    return s;
}

static void close_and_remove(struct spool *s)
{
    spool_close(s);
    unlink(path);
}

/* All data of a job from FIRST on as one string. */
static char *collect(struct spool *s, uint64_t id, uint64_t first)
{
    cleanup_strbuf struct strbuf b = {0};
    struct spool_record rec;
    struct error err;
    for (uint64_t pos = first; pos; pos = rec.next) {
        const char *data = spool_read(s, id, pos, &rec, &err);
        ck_assert_msg(data != NULL, "%s", err.text);
        strbuf_addf(&b, "%u.%u:", rec.task, rec.stream);
        strbuf_addn(&b, data, rec.len);
    }
    return strbuf_take(&b);
}

static void check(struct spool *s, uint64_t id, uint64_t first, const char *wanted)
{
    cleanup_free char *got = collect(s, id, first);
    ck_assert_str_eq(got, wanted);
}

START_TEST(chains_records_of_jobs)
{
    struct spool *s = open_new();
    struct spool_job a = {0}, b = {0};
    spool_append(s, &a, 1, 0, 1, "one ", 4);
    spool_append(s, &b, 2, 7, 2, "x", 1);
    spool_append(s, &a, 1, 3, 2, "two ", 4);
    check(s, 1, a.first, "0.1:one 3.2:two "); /* still in memory */
    spool_flush(s);
    check(s, 1, a.first, "0.1:one 3.2:two ");
    spool_append(s, &a, 1, 0, 1, "three", 5); /* the link is patched in the file */
    spool_append(s, &b, 2, 7, 2, "", 0);
    check(s, 1, a.first, "0.1:one 3.2:two 0.1:three");
    check(s, 2, b.first, "7.2:x7.2:");
    spool_flush(s);
    spool_flush(s);
    check(s, 1, a.first, "0.1:one 3.2:two 0.1:three");
    close_and_remove(s);
}
END_TEST

START_TEST(mixes_small_and_large)
{
    struct spool *s = open_new();
    struct spool_job jobs[3] = {{0}};
    size_t total[3] = {0};
    char *data = xmalloc(SPOOL_RECORD_MAX);
    memset(data, 'a', SPOOL_RECORD_MAX);
    static const size_t sizes[] = {
        1, 100, 16383, 16384, 16385, 65536, 5, SPOOL_RECORD_MAX, 3};
    for (unsigned i = 0; i < 300; i++) {
        unsigned j = i % 3;
        size_t len = sizes[(i * 7) % ARRAY_SIZE(sizes)];
        data[0] = (char)('A' + j);
        ck_assert_uint_ne(spool_append(s, &jobs[j], 10 + j, i, 1, data, len), 0);
        total[j] += len;
        if (i % 40 == 0)
            spool_flush(s);
    }
    for (int again = 0; again < 2; again++) { /* before and after it was opened anew */
        for (unsigned j = 0; j < 3; j++) {
            struct spool_record rec;
            size_t got = 0;
            unsigned next_task = j;
            for (uint64_t pos = jobs[j].first; pos; pos = rec.next) {
                struct error err;
                const char *p = spool_read(s, 10 + j, pos, &rec, &err);
                ck_assert_msg(p != NULL, "%s", err.text);
                ck_assert_int_eq(p[0], (int)('A' + j));
                ck_assert_uint_eq(rec.task, next_task);
                next_task += 3;
                got += rec.len;
            }
            ck_assert_uint_eq(got, total[j]);
        }
        spool_close(s);
        struct error err;
        s = spool_open(path, on_lost, path, &err);
        ck_assert_msg(s != NULL, "%s", err.text);
    }
    struct spool_job more = {0};
    ck_assert_uint_ne(spool_append(s, &more, 99, 0, 1, "after", 5), 0);
    check(s, 99, more.first, "0.1:after");
    ck_assert_uint_eq(lost_count, 0);
    free(data);
    close_and_remove(s);
}
END_TEST

START_TEST(tells_of_a_full_disk)
{
    struct spool *s = open_new();
    struct spool_job a = {0}, b = {0};
    struct rlimit limit;
    char block[2000];
    memset(block, 'x', sizeof(block));
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_uint_ne(spool_append(s, &a, 1, 0, 1, "kept", 4), 0);
    spool_flush(s);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = {1000, limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    spool_append(s, &b, 2, 0, 1, block, sizeof(block));
    spool_flush(s);
    ck_assert_uint_eq(lost_count, 1);
    ck_assert_uint_eq(lost_id, 2);
    ck_assert_int_eq(lost_error, EFBIG);
    spool_forget_lost(s, &b);
    ck_assert_uint_eq(b.first, 0);
    /* A large record is told at once. */
    static char large[65536];
    struct spool_job c = {0};
    errno = 0;
    ck_assert_uint_eq(spool_append(s, &c, 3, 0, 1, large, sizeof(large)), 0);
    ck_assert_int_eq(errno, EFBIG);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    /* Space again: the file is as it was, and goes on. */
    ck_assert_uint_ne(spool_append(s, &a, 1, 0, 1, " more", 5), 0);
    spool_flush(s);
    check(s, 1, a.first, "0.1:kept0.1: more");
    ck_assert_uint_eq(lost_count, 1);
    close_and_remove(s);
}
END_TEST

START_TEST(rejects)
{
    struct spool *s = open_new();
    struct spool_job a = {0};
    struct spool_record rec;
    struct error err;
    spool_append(s, &a, 1, 0, 1, "data of a job", 13);
    for (int flushed = 0; flushed < 2; flushed++) {
        static const uint64_t positions[] = {0,  1,  7,  9,    20,
                                             40, 53, 54, 1000, UINT64_MAX};
        for (size_t i = 0; i < ARRAY_SIZE(positions); i++) {
            ck_assert_ptr_null(spool_read(s, 1, positions[i], &rec, &err));
            ck_error_names(err, path);
        }
        ck_assert_ptr_null(spool_read(s, 2, a.first, &rec, &err)); /* another job's */
        ck_assert_ptr_nonnull(spool_read(s, 1, a.first, &rec, &err));
        spool_flush(s);
    }
    spool_close(s);
    int fd = open(path, O_WRONLY | O_TRUNC);
    ck_assert_int_eq(write_all(fd, "something else", 14), 0);
    close(fd);
    ck_assert_ptr_null(spool_open(path, NULL, NULL, &err));
    ck_error_names(err, path);
    unlink(path);
    ck_assert_ptr_null(spool_open("/nonexistent/dir/file", NULL, NULL, &err));
    ck_error_names(err, "/nonexistent/dir/file");
}
END_TEST

/* Bytes that the file takes on the disk. */
static int64_t room_of_file(void)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    return (int64_t)st.st_blocks * 512;
}

START_TEST(gives_room_back)
{
    enum { JOBS = 40, EACH = 20000 };
    static char data[EACH];
    struct spool *s = open_new();
    struct spool_job jobs[JOBS] = {{0}};
    struct spool_record rec;
    struct error err;
    memset(data, 'x', sizeof(data));
    for (uint64_t round = 0; round < 2; round++)
        for (uint64_t i = 0; i < JOBS; i++) {
            spool_append(s, &jobs[i], i + 1, 0, 1, data, i % 2 ? 100 : EACH);
            spool_append(s, &jobs[i], i + 1, 0, 2, "end", 3);
        }
    ck_assert_uint_eq(spool_trim(s), 8); /* nothing is dead */
    spool_flush(s);
    int64_t before = room_of_file();
    spool_forget(s, 4, jobs[4].first); /* another job's: nothing happens */
    spool_forget(s, 5, jobs[4].first + 1);
    ck_assert_ptr_nonnull(spool_read(s, 5, jobs[4].first, &rec, &err));
    spool_forget(s, 5, jobs[4].first); /* in the midst of the others */
    ck_assert_ptr_null(spool_read(s, 5, jobs[4].first, &rec, &err));
    ck_error_names(err, path);
    ck_assert_uint_eq(spool_trim(s), 8);
    for (uint64_t i = 0; i < JOBS - 1; i++)
        spool_forget(s, i + 1, jobs[i].first);
    ck_assert_uint_eq(spool_trim(s), jobs[JOBS - 1].first);
    if (room_of_file() >= before / 2) /* else the file system makes no holes */
        printf("# %s: no holes\n", path);
    cleanup_free char *left = collect(s, JOBS, jobs[JOBS - 1].first);
    ck_assert_uint_eq(strlen(left), 2 * (4 + 100 + 4 + 3));
    spool_close(s);
    s = spool_open(path, on_lost, path, &err); /* another executor goes on */
    ck_assert_msg(s != NULL, "%s", err.text);
    ck_assert_uint_eq(spool_trim(s), jobs[JOBS - 1].first);
    spool_forget(s, JOBS, jobs[JOBS - 1].first);
    uint64_t end = spool_trim(s);
    struct spool_job one = {0};
    ck_assert_uint_eq(spool_append(s, &one, 99, 0, 1, "new", 3), end);
    check(s, 99, one.first, "0.1:new");
    close_and_remove(s);
}
END_TEST

static bool is_seventh(void *arg, uint64_t id)
{
    ck_assert_ptr_eq(arg, path);
    return id % 7 == 0 || id == 1000;
}

START_TEST(keeps_to_a_limit)
{
    enum { JOBS = 999, LIMIT = 200000 };
    struct spool *s = open_new();
    struct spool_job jobs[JOBS + 1] = {{0}}, now = {0};
    struct spool_record rec;
    struct error err;
    static char data[20000];
    memset(data, 'x', sizeof(data));
    spool_set_limit(s, LIMIT, is_seventh);
    for (uint64_t i = 1; i <= JOBS; i++) {
        spool_append(s, &jobs[i], i, 0, 1, data, i % 10 ? 600 : sizeof(data));
        spool_append(s, &jobs[i], i, 0, 1, "end", 3);
        spool_append(s, &now, 1000, 3, 2, "+", 1); /* it runs all the time */
        if (i % 3 == 0)
            spool_flush(s);
    }
    spool_flush(s);
    unsigned there = 0, kept = 0;
    for (uint64_t i = 1; i <= JOBS; i++) {
        bool is = spool_read(s, i, jobs[i].first, &rec, &err) != NULL;
        ck_assert(is || spool_was_shed(s, jobs[i].first));
        if (i % 7 == 0) {
            ck_assert_msg(is, "%s", err.text);
            kept++;
        } else {
            there += is;
            ck_assert_msg(there == 0 || is, "not the oldest first");
        }
    }
    ck_assert_uint_eq(kept, JOBS / 7);
    ck_assert_uint_lt(there, JOBS / 2);
    cleanup_free char *own = collect(s, 1000, now.first);
    ck_assert_uint_eq(strlen(own), JOBS * 5);
    printf("# %u of %u, and %lld KB on the disk\n", there, JOBS,
           (long long)room_of_file() / 1000);
    spool_set_limit(s, 1, is_seventh); /* less than there is of those that run */
    spool_append(s, &now, 1000, 3, 2, "+", 1);
    spool_flush(s);
    spool_append(s, &now, 1000, 3, 2, "+", 1);
    spool_flush(s);
    ck_assert_ptr_nonnull(spool_read(s, 700, jobs[700].first, &rec, &err));
    ck_assert_ptr_null(spool_read(s, 998, jobs[998].first, &rec, &err));
    spool_close(s);
    s = spool_open(path, on_lost, path, &err); /* another executor goes on */
    ck_assert_msg(s != NULL, "%s", err.text);
    ck_assert_ptr_nonnull(spool_read(s, 700, jobs[700].first, &rec, &err));
    spool_forget(s, 7, jobs[7].first);
    spool_trim(s);
    ck_assert_ptr_null(spool_read(s, 7, jobs[7].first, &rec, &err));
    cleanup_free char *again = collect(s, 1000, now.first);
    ck_assert_uint_eq(strlen(again), (JOBS + 2) * 5);
    close_and_remove(s);
}
END_TEST

UNIT_MAIN("spool", keeps_to_a_limit, chains_records_of_jobs, mixes_small_and_large,
          tells_of_a_full_disk, gives_room_back, rejects)
