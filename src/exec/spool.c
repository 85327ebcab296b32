/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/util.h"

#define MAGIC 0x52534248u     /* "HBSR" */
#define DEAD 0x44534248u      /* "HBSD" */
#define HOLE_LEAST (8u << 10) /* of a dead record in the midst of others */
#define GATHER (256u << 10)
#define DIRECT (16u << 10) /* records from this length on are not gathered */
#define CHECK_ROOM (256u << 10)
#define RESERVE (2u << 20)

static const char file_header[8] = "HBSPOOL1";

struct spool {
    int fd;
    char *path;
    uint64_t end;  /* where the next record goes, gathered ones included */
    uint64_t base; /* position of the first gathered byte */
    uint64_t
        trimmed;   /* all before it is dead, as far as it was looked for; 0: it was not */
    uint64_t held; /* bytes of records that are not dead */
    uint64_t limit, shed; /* on held, 0: none; up to where it was enforced */
    uint64_t shed_at;     /* that many are held when it is the next time */
    bool (*in_use)(void *arg, uint64_t id);
    char *gathered;
    size_t len;
    char *scratch; /* of spool_read */
    size_t scratch_size;
    bool full;
    size_t unchecked; /* bytes since there was a look at the free space */
    void (*lost)(void *arg, uint64_t id, int error);
    void *arg;
};

/* The disk is not filled up: the store of the instance is mostly on the same one, and without it
 * nothing goes on.  Looked at after each so many bytes, and always while it is so. */
static int check_room(struct spool *s, size_t len)
{
    struct statvfs fs;
    s->unchecked += len;
    if (s->unchecked < CHECK_ROOM || fstatvfs(s->fd, &fs) < 0)
        return 0;
    if (fs.f_blocks > 0 && (uint64_t)fs.f_bavail * fs.f_frsize < RESERVE) {
        errno = ENOSPC;
        return -1;
    }
    s->unchecked = 0;
    return 0;
}

static int pwrite_all(int fd, struct iovec *iov, int count, uint64_t pos)
{
    while (count > 0) {
        ssize_t n = pwritev(fd, iov, count, (off_t)pos);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        pos += (uint64_t)n;
        while (count > 0 && (size_t)n >= iov->iov_len) {
            n -= (ssize_t)iov->iov_len;
            iov++;
            count--;
        }
        if (count > 0) {
            iov->iov_base = (char *)iov->iov_base + n;
            iov->iov_len -= (size_t)n;
        }
    }
    return 0;
}

static struct spool *open_file(const char *path, int flags, struct error *err)
{
    cleanup_close int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_null(err, errno, "output spool %s: %s", path, strerror(errno));
    if (st.st_size < (off_t)sizeof(file_header) && (flags & O_CREAT)) {
        if (pwrite(fd, file_header, sizeof(file_header), 0) != sizeof(file_header))
            return error_null(err, errno, "output spool %s: %s", path, strerror(errno));
        st.st_size = sizeof(file_header);
    } else {
        char found[sizeof(file_header)];
        if (pread(fd, found, sizeof(found), 0) != sizeof(found) ||
            memcmp(found, file_header, sizeof(found)) != 0)
            return error_null(err, EINVAL,
                              "output spool %s: this file is something else; remove it",
                              path);
    }
    struct spool *s = xcalloc(1, sizeof(*s));
    s->fd = fd;
    fd = -1;
    s->path = xstrdup(path);
    s->end = s->base = (uint64_t)st.st_size;
    s->held = MIN((uint64_t)st.st_blocks * 512, s->end);
    return s;
}

struct spool *spool_open(const char *path,
                         void (*lost)(void *arg, uint64_t id, int error), void *arg,
                         struct error *err)
{
    struct spool *s = open_file(path, O_RDWR | O_CREAT, err);
    if (!s)
        return NULL;
    s->gathered = xmalloc(GATHER);
    s->lost = lost;
    s->arg = arg;
    return s;
}

struct spool *spool_open_former(const char *path, struct error *err)
{
    return open_file(path, O_RDWR, err);
}

const char *spool_path(const struct spool *s)
{
    return s->path;
}

bool spool_is_empty(const struct spool *s)
{
    return s->end == sizeof(file_header);
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    s->limit = 0; /* whose jobs they are is not known any more */
    spool_flush(s);
    close(s->fd);
    free(s->path);
    free(s->gathered);
    free(s->scratch);
    free(s);
}

/* The gathered records did not fit: tell each job, and take them back. */
static void drop_gathered(struct spool *s, int error)
{
    if (!s->full) /* said once; each job is told */
        log_error("output spool %s: %s; %zu bytes of output were lost", s->path,
                  strerror(error), s->len);
    s->full = true;
    s->end = s->base;
    size_t len = s->len;
    s->len = 0;
    for (size_t at = 0; at < len;) {
        struct spool_record rec;
        memcpy(&rec, s->gathered + at, sizeof(rec));
        at += sizeof(rec) + rec.len;
        if (s->lost)
            s->lost(s->arg, rec.id, error);
    }
}

static void shed(struct spool *s);

void spool_flush(struct spool *s)
{
    if (s->len > 0) {
        struct iovec iov = {s->gathered, s->len};
        if (check_room(s, s->len) < 0 || pwrite_all(s->fd, &iov, 1, s->base) < 0) {
            drop_gathered(s, errno);
            return;
        }
        s->full = false;
        s->held += s->len;
        s->len = 0;
    }
    s->base = s->end;
    if (s->limit && s->held > s->shed_at)
        shed(s);
}

/* Make the job's last record point to POS. */
static void link_record(struct spool *s, const struct spool_job *job, uint64_t pos)
{
    uint64_t where = job->last + offsetof(struct spool_record, next);
    if (job->last >= s->base) {
        if (where - s->base + sizeof(pos) <= s->len)
            memcpy(s->gathered + (where - s->base), &pos, sizeof(pos));
    } else if (pwrite(s->fd, &pos, sizeof(pos), (off_t)where) != sizeof(pos)) {
        log_error("output spool %s: %s", s->path, strerror(errno));
    }
}

uint64_t spool_append(struct spool *s, struct spool_job *job, uint64_t id, unsigned task,
                      unsigned stream, const void *data, size_t len)
{
    struct spool_record rec = {MAGIC, (uint32_t)len, id, 0, task, stream};
    size_t total = sizeof(rec) + len;
    if (len >= DIRECT || s->len + total > GATHER)
        spool_flush(s);
    uint64_t pos = s->end;
    if (len >= DIRECT) {
        struct iovec iov[2] = {{&rec, sizeof(rec)}, {(void *)(uintptr_t)data, len}};
        if (check_room(s, total) < 0 || pwrite_all(s->fd, iov, 2, pos) < 0)
            return 0;
    } else {
        memcpy(s->gathered + s->len, &rec, sizeof(rec));
        if (len > 0)
            memcpy(s->gathered + s->len + sizeof(rec), data, len);
        s->len += total;
    }
    if (job->last)
        link_record(s, job, pos);
    else
        job->first = pos;
    job->last = pos;
    s->end += total;
    if (len >= DIRECT) {
        s->base = s->end;
        s->held += total;
    }
    return pos;
}

void spool_forget_lost(const struct spool *s, struct spool_job *job)
{
    if (job->first >= s->end)
        job->first = 0;
    if (job->last >= s->end)
        job->last = 0;
}

static ssize_t read_at(int fd, void *buf, size_t n, uint64_t pos)
{
    size_t got = 0;
    while (got < n) {
        ssize_t k = pread(fd, (char *)buf + got, n - got, (off_t)(pos + got));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        if (k == 0)
            break;
        got += (size_t)k;
    }
    return (ssize_t)got;
}

const char *spool_read(struct spool *s, uint64_t id, uint64_t pos,
                       struct spool_record *rec, struct error *err)
{
    bool gathered = pos >= s->base;
    ssize_t n = 0;
    if (pos < sizeof(file_header) || pos >= s->end || s->end - pos < sizeof(*rec))
        n = 0;
    else if (gathered)
        memcpy(rec, s->gathered + (pos - s->base), (size_t)(n = sizeof(*rec)));
    else
        n = read_at(s->fd, rec, sizeof(*rec), pos);
    if (n < 0)
        return error_null(err, errno, "output spool %s: %s", s->path, strerror(errno));
    if (n != sizeof(*rec) || rec->magic != MAGIC || rec->id != id ||
        rec->len > SPOOL_RECORD_MAX || rec->len > s->end - pos - sizeof(*rec))
        return error_null(err, ENODATA,
                          "output spool %s: no record of this job at position %llu",
                          s->path, (unsigned long long)pos);
    if (gathered)
        return s->gathered + (pos - s->base) + sizeof(*rec);
    if (rec->len > s->scratch_size || !s->scratch) {
        free(s->scratch);
        s->scratch_size = MAX(rec->len, 64u << 10);
        s->scratch = xmalloc(s->scratch_size);
    }
    if (read_at(s->fd, s->scratch, rec->len, pos + sizeof(*rec)) != (ssize_t)rec->len)
        return error_null(err, EIO, "output spool %s: cut off at position %llu", s->path,
                          (unsigned long long)pos);
    return s->scratch;
}

/* --- what is not needed any more ------------------------------------------------------------- */

/* The bytes from BEGIN to END; file systems that cannot make holes keep them. */
static void make_hole(struct spool *s, uint64_t begin, uint64_t end)
{
    if (end > begin &&
        fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)begin,
                  (off_t)(end - begin)) < 0 &&
        errno != EOPNOTSUPP)
        log_warning("output spool %s: cannot make a hole: %s", s->path, strerror(errno));
}

static bool read_header(struct spool *s, uint64_t pos, struct spool_record *rec)
{
    return pos >= sizeof(file_header) && pos < s->base && s->base - pos >= sizeof(*rec) &&
           read_at(s->fd, rec, sizeof(*rec), pos) == sizeof(*rec);
}

void spool_forget(struct spool *s, uint64_t id, uint64_t pos)
{
    struct spool_record rec;
    spool_flush(s);
    while (read_header(s, pos, &rec) && rec.magic == MAGIC && rec.id == id &&
           rec.len <= SPOOL_RECORD_MAX) {
        const uint32_t dead = DEAD;
        if (pwrite(s->fd, &dead, sizeof(dead), (off_t)pos) != sizeof(dead))
            return;
        s->held -= MIN(s->held, sizeof(rec) + rec.len);
        if (rec.len >= HOLE_LEAST)
            make_hole(s, pos + sizeof(rec), pos + sizeof(rec) + rec.len);
        if (rec.next <= pos) /* the chain goes forward */
            return;
        pos = rec.next;
    }
}

uint64_t spool_trim(struct spool *s)
{
    struct spool_record rec;
    uint64_t begin = sizeof(file_header), at = MAX(s->trimmed, begin), from = at;
    while (read_header(s, at, &rec) && rec.magic == DEAD) {
        uint64_t next = rec.stream == 0 ? rec.next : at + sizeof(rec) + rec.len;
        if (next <= at || next > s->base)
            break;
        at = next;
    }
    s->trimmed = at;
    if (at == from || at == begin)
        return at;
    rec = (struct spool_record){.magic = DEAD, .next = at};
    if (pwrite(s->fd, &rec, sizeof(rec), (off_t)begin) == sizeof(rec))
        make_hole(s, begin + sizeof(rec), at);
    return at;
}

/* --- the limit ---------------------------------------------------------------------------------- */

/* Nothing from BEGIN to END, where records are, is needed. */
static void drop_range(struct spool *s, uint64_t begin, uint64_t end)
{
    const struct spool_record rec = {.magic = DEAD, .next = end};
    if (end > begin && pwrite(s->fd, &rec, sizeof(rec), (off_t)begin) == sizeof(rec))
        make_hole(s, begin + sizeof(rec), end);
}

/* From the beginning on, until there is an eighth of the limit left: then it is not for each record. */
static void shed(struct spool *s)
{
    struct spool_record rec;
    uint64_t at = MAX(s->trimmed, sizeof(file_header)), begin = at;
    while (s->held > s->limit - s->limit / 8 && read_header(s, at, &rec)) {
        bool skips = rec.magic == DEAD && rec.stream == 0;
        uint64_t next = skips ? rec.next : at + sizeof(rec) + rec.len;
        if ((rec.magic != DEAD && rec.magic != MAGIC) || next <= at || next > s->base)
            break;
        if (rec.magic == MAGIC && s->in_use(s->arg, rec.id)) {
            drop_range(s, begin, at);
            begin = next;
        } else if (rec.magic == MAGIC) {
            s->held -= MIN(s->held, next - at);
        }
        at = next;
    }
    drop_range(s, begin, at);
    s->shed = MAX(s->shed, at);
    s->shed_at = MAX(s->limit, s->held + s->limit / 8);
    spool_trim(s);
}

void spool_set_limit(struct spool *s, uint64_t limit,
                     bool (*in_use)(void *arg, uint64_t id))
{
    s->limit = s->shed_at = limit;
    s->in_use = in_use;
}

bool spool_was_shed(const struct spool *s, uint64_t pos)
{
    return pos < s->shed;
}
