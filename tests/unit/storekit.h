/* SPDX-License-Identifier: BSD-3-Clause */
/* storekit: what tests of the store begin with: a directory of their own, a store in it, jobs to put there. */
#ifndef HBATCH_TESTS_STOREKIT_H
#define HBATCH_TESTS_STOREKIT_H

#include <stdio.h>
#include <unistd.h>
#include "src/common/util.h"
#include "src/store/store.h"
#include "tests/unit/unit.h"

#define SPEC "{\"version\":1,\"tasks\":[{\"command\":[\"true\"]}]}"

static char dir[40];
static char path[128]; /* of the store */

/* Before and after each test. */
static inline void setup(void)
{
    strcpy(dir, "/tmp/t_store.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/store.db", dir);
}

static inline void teardown(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal", ".new"};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        char file[160];
        snprintf(file, sizeof(file), "%s%s", path, ends[i]);
        unlink(file);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}

static inline struct store *must_open(const struct store_options *options)
{
    struct error err;
    struct store *s = store_open(path, options, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    return s;
}

static inline void must_flush(struct store *s)
{
    struct error err;
    ck_assert_msg(store_flush(s, &err) == 0, "%s", err.text);
}

static inline void submit(struct store *s, jobid_t id, uint64_t count, const char *name)
{
    struct store_job job = {
        .id = id,
        .count = count,
        .cc = count > 1 ? "1-3" : NULL,
        .userid = 1000,
        .t_submit = 100.5,
        .urgency = 16,
        .priority = 16,
        .ntasks = 2,
        .nnodes = 1,
        .ncores = 2,
        .duration = 60,
        .name = name,
        .cwd = "/home/u",
        .jobspec = SPEC,
    };
    store_job_submit(s, &job);
}

static inline void check_info(struct store *s, jobid_t id, const char *key,
                              const char *part)
{
    struct error err;
    cleanup_free char *text = store_job_info(s, id, key, &err);
    ck_assert_msg(text != NULL, "%s of %d: %s", key, (int)id, err.text);
    ck_assert_msg(strstr(text, part) != NULL, "%s of %d: '%s' lacks '%s'", key, (int)id,
                  text, part);
}

#define STORE_MAIN(name, ...) UNIT_MAIN_WITH(name, setup, teardown, __VA_ARGS__)

#endif
