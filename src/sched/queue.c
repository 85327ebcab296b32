/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/queue.h"

static struct sched_job *job_of(struct tree_node *n)
{
    return tree_entry(n, struct sched_job, in_queue);
}

bool queue_before(const struct sched_job *a, const struct sched_job *b)
{
    return a->priority != b->priority ? a->priority > b->priority : a->id < b->id;
}

static bool before(struct tree_node *a, struct tree_node *b)
{
    return queue_before(job_of(a), job_of(b));
}

static size_t size(struct tree_node *n)
{
    return n ? job_of(n)->size : 0;
}

static void count(struct tree_node *n)
{
    job_of(n)->size = size(n->left) + size(n->right) + 1;
}

void queue_init(struct queue *q)
{
    q->tree = (struct tree){.before = before, .update = count};
}

void queue_insert(struct queue *q, struct sched_job *job)
{
    tree_insert(&q->tree, &job->in_queue);
}

void queue_remove(struct queue *q, struct sched_job *job)
{
    tree_remove(&q->tree, &job->in_queue);
}

struct sched_job *queue_first(const struct queue *q)
{
    return job_of(q->tree.first);
}

struct sched_job *queue_next(struct sched_job *job)
{
    return job_of(tree_next(&job->in_queue));
}

size_t queue_position(struct sched_job *job)
{
    struct tree_node *n = &job->in_queue;
    size_t k = size(n->left);
    for (; n->parent; n = n->parent)
        if (n->parent->right == n)
            k += 1 + size(n->parent->left);
    return k;
}
