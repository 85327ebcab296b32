/* SPDX-License-Identifier: BSD-3-Clause */
/* What a job that runs takes of the leader's memory: under 1 KB, as there may be tens of thousands. */
#include "src/instance/job.h"

#include <malloc.h>
#include <stdio.h>
#include "src/common/util.h"
#include "tests/unit/unit.h"

enum { JOBS = 4096, NODES = 64, CORES = 64 };

static struct pool *make_pool(void)
{
    cleanup_bitmap hwloc_bitmap_t cores = hwloc_bitmap_alloc();
    hwloc_bitmap_set_range(cores, 0, CORES - 1);
    struct rset *r = rset_create();
    for (unsigned i = 0; i < NODES; i++)
        rset_add(r, i, "node01.cluster", cores, NULL);
    struct pool *pool = pool_create(r);
    rset_destroy(r);
    return pool;
}

static struct submission *make_submission(void)
{
    static const char text[] =
        "{\"version\":1,\"resources\":[{\"type\":\"slot\",\"count\":1,\"label\":\"task\","
        "\"with\":[{\"type\":\"core\",\"count\":1}]}],\"tasks\":[{\"command\":[\"true\"],"
        "\"slot\":\"task\",\"count\":{\"per_slot\":1}}],\"attributes\":{}}";
    struct error err;
    struct submission *sub = xcalloc(1, sizeof(*sub));
    sub->refs = 1;
    sub->spec = jobspec_decode(text, strlen(text), &err);
    ck_assert_msg(sub->spec != NULL, "%s", err.text);
    sub->first = 1;
    sub->count = sub->left = JOBS;
    return sub;
}

static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

START_TEST(running_job)
{
    struct pool *pool = make_pool();
    struct submission *sub = make_submission();
    struct jobtable *table = jobtable_create();
    struct job **jobs = xcalloc(JOBS, sizeof(*jobs));
    size_t before = in_use();
    for (uint64_t i = 0; i < JOBS; i++) {
        struct job *job = jobs[i] = job_create(sub, i, (int64_t)i, 16, 1e9);
        const unsigned one = 1;
        jobtable_add(table, job);
        job->pl = pool_alloc(pool, &job->sj.req);
        ck_assert_ptr_nonnull(job->pl);
        job->map = taskmap_block(&one, 1);
        job->state = JOB_RUN;
        job_await_nodes(job);
    }
    size_t each = (in_use() - before) / JOBS;
    printf("a job that runs: %zu bytes\n", each);
    ck_assert_uint_lt(each, 1024);
    jobtable_destroy(table);
    submission_drop(sub);
    pool_destroy(pool);
    free(jobs);
}
END_TEST

UNIT_MAIN("jobsize", running_job)
