/* SPDX-License-Identifier: BSD-3-Clause */
/* Control groups that the kernel would make are files of this test: what is found, written and read. */
#include "src/exec/memcg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/util.h"
#include "tests/unit/unit.h"

static char dir[] = "/tmp/hbatch-t_memcg.XXXXXX";

/* A file PATH of TEXT below our directory; NULL: a directory. */
static void make(const char *path, const char *text)
{
    cleanup_free char *full = xasprintf("%s/%s", dir, path);
    if (!text) {
        ck_assert(mkdir(full, 0777) == 0 || errno == EEXIST);
        return;
    }
    FILE *f = fopen(full, "we");
    ck_assert_ptr_ne(f, NULL);
    fputs(text, f);
    fclose(f);
}

static char *text_of(const char *path)
{
    cleanup_free char *full = xasprintf("%s/%s", dir, path);
    return read_file(full, NULL);
}

/* As the kernel makes it, with a memory controller. */
static void make_group(const char *path)
{
    static const char *const files[] = {"memory.max", "memory.swap.max", "cgroup.procs",
                                        "cgroup.subtree_control"};
    make(path, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        cleanup_free char *file = xasprintf("%s/%s", path, files[i]);
        make(file, i == 0 ? "max\n" : "");
    }
}

static struct memcg *create(const char *membership, struct error *err)
{
    make("membership", membership);
    cleanup_free char *file = xasprintf("%s/membership", dir);
    cleanup_free char *mount = xasprintf("%s/mount", dir);
    return memcg_create(file, mount, "ours", err);
}

static void setup(void)
{
    memcpy(strrchr(dir, '.') + 1, "XXXXXX", 6);
    ck_assert_ptr_ne(mkdtemp(dir), NULL);
    make("mount", NULL);
}

static void teardown(void)
{
    cleanup_free char *command = xasprintf("rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(v2)
{
    struct error err;
    make_group("mount/user");
    make_group("mount/user/shell"); /* which we are in, and which gives nothing */
    make_group("mount/user/ours");
    make_group("mount/user/ours/7");
    make_group("mount/user/ours/7/tasks");
    make("mount/user/ours/7/memory.events",
         "low 0\noom 3\noom_kill 2\noom_group_kill 0\n");
    struct memcg *m = create("0::/user/shell\n", &err);
    ck_assert_msg(m != NULL, "%s", err.text);
    cleanup_free char *enabled = text_of("mount/user/ours/cgroup.subtree_control");
    ck_assert_str_eq(enabled, "+memory");

    struct memcg_group *g = memcg_add(m, 7, 123456, true, &err);
    ck_assert_msg(g != NULL, "%s", err.text);
    cleanup_free char *max = text_of("mount/user/ours/7/memory.max");
    ck_assert_str_eq(max, "123456"); /* which is longer than what was there */
    ck_assert_int_eq(write(memcg_procs(g), "0", 1), 1);
    cleanup_free char *procs = text_of("mount/user/ours/7/tasks/cgroup.procs");
    ck_assert_str_eq(procs, "0");
    ck_assert_uint_eq(memcg_killed(g), 2);
    ck_assert_uint_eq(memcg_killed(g), 0);
    make("mount/user/ours/7/memory.events", "oom_kill 3\n");
    ck_assert_uint_eq(memcg_killed(g), 1);
    memcg_remove(g);

    ck_assert_ptr_eq(memcg_add(m, 8, 1, false, &err), NULL); /* no such files there */
    ck_assert_ptr_ne(strstr(err.text, "ours/8: a limit of 1 bytes"), NULL);
    cleanup_free char *gone = xasprintf("%s/mount/user/ours/8", dir);
    ck_assert_int_eq(access(gone, F_OK), -1);
    memcg_destroy(m);
    memcg_remove(NULL);
    memcg_destroy(NULL);
}
END_TEST

/* One level up there is a group for us, but what we are in is limited. */
START_TEST(never_beyond_a_limit)
{
    struct error err;
    make_group("mount/user");
    make_group("mount/user/job");
    make_group("mount/user/ours");
    make("mount/user/job/memory.max", "1000000\n");
    ck_assert_ptr_eq(create("0::/user/job\n", &err), NULL);
    ck_assert_ptr_ne(strstr(err.text, "no group with a memory controller"), NULL);
}
END_TEST

START_TEST(v1)
{
    struct error err;
    make("mount/memory", NULL);
    make("mount/memory/a", NULL);
    make("mount/memory/a/ours", NULL);
    make("mount/memory/a/ours/9", NULL);
    make("mount/memory/a/ours/9/memory.limit_in_bytes", "");
    make("mount/memory/a/ours/9/cgroup.procs", "");
    make("mount/memory/a/ours/9/memory.oom_control", "oom_kill_disable 0\noom_kill 1\n");
    struct memcg *m = create("9:name=systemd:/x\n4:cpu,memory:/a\n0::/\n", &err);
    ck_assert_msg(m != NULL, "%s", err.text);
    struct memcg_group *g = memcg_add(m, 9, 5000, false, &err);
    ck_assert_msg(g != NULL, "%s", err.text);
    cleanup_free char *limit = text_of("mount/memory/a/ours/9/memory.limit_in_bytes");
    ck_assert_str_eq(limit, "5000");
    ck_assert_uint_eq(memcg_killed(g), 1);
    memcg_remove(g);
    memcg_destroy(m);
}
END_TEST

START_TEST(none)
{
    static const char *const texts[] = {"", "nonsense", "4:memory:/not/there\n",
                                        "0::/not/there\n", "9:memoryless:/\n"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct error err = {0};
        ck_assert_ptr_eq(create(texts[i], &err), NULL);
        ck_assert_str_ne(err.text, "");
    }
}
END_TEST

UNIT_MAIN_WITH("memcg", setup, teardown, v2, never_beyond_a_limit, v1, none)
