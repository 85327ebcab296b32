/* SPDX-License-Identifier: BSD-3-Clause */
/* turns: who is there, and changes of it: by losses, and in order.
 *
 * In order: the leader closes the stream with an epoch that all take.  So all are at the same point
 * of it, nothing is on its way on the old collectives, and all change their members there. */
#include "src/comm/transport_impl.h"

#include <errno.h>
#include <string.h>
#include "src/common/util.h"

static void forget(struct transport *t, unsigned rank, bool planned)
{
    struct batch *b = &t->batches[rank];
    t->lost[rank] = true;
    for (unsigned i = 0; i < t->ndirty; i++)
        if (t->dirty[i] == rank) {
            t->dirty[i] = t->dirty[--t->ndirty];
            break;
        }
    free(b->data);
    memset(b, 0, sizeof(*b));
    t->mpi->forget(t->mpi_of[rank], planned);
    t->leader = t->lost[0] ? transport_next_living(t, 0) : 0;
}

void transport_lost(struct transport *t, unsigned rank)
{
    if (t->lost[rank])
        return;
    t->broken = true;
    forget(t, rank, false);
}

bool transport_is_lost(const struct transport *t, unsigned rank)
{
    return t->lost[rank];
}

static void reform(struct transport *t, int generation, bool planned)
{
    int *ranks = xcalloc(t->size, sizeof(*ranks)), n = 0;
    for (unsigned i = 0; i < t->size; i++)
        if (!t->lost[i])
            ranks[n++] = t->mpi_of[i];
    t->mpi->reform(ranks, n, generation, planned);
    free(ranks);
}

void transport_reform(struct transport *t, int generation)
{
    reform(t, generation, false);
    t->held = false;
    t->resend = t->rank == t->leader ? t->kept : NULL;
    turn_fail(t);
    t->last = time_mono();
    if (t->started)
        transport_set_pace(t, 0);
}

static void make_room(struct transport *t, unsigned size)
{
    t->mpi_of = xrealloc(t->mpi_of, size * sizeof(*t->mpi_of));
    t->lost = xrealloc(t->lost, size * sizeof(*t->lost));
    t->batches = xrealloc(t->batches, size * sizeof(*t->batches));
    t->dirty = xrealloc(t->dirty, size * sizeof(*t->dirty));
    t->confirmed = xrealloc(t->confirmed, size * sizeof(*t->confirmed));
    for (unsigned i = t->size; i < size; i++) {
        t->mpi_of[i] = -1;
        t->lost[i] = true;
        t->batches[i] = (struct batch){.data = NULL};
        t->confirmed[i] = t->applied;
    }
    t->size = size;
}

/* MPI's rank I is rank ID. */
static void number(struct transport *t, unsigned i, unsigned id)
{
    t->ids[i] = id;
    t->mpi_of[id] = (int)i;
    t->lost[id] = false;
}

void transport_number(struct transport *t, const unsigned *ids, unsigned size)
{
    unsigned mine = ids[t->rank];
    t->nids = t->size;
    t->size = 0;
    t->ids = xcalloc(t->nids, sizeof(*t->ids));
    make_room(t, size);
    cleanup_bitmap hwloc_bitmap_t all = hwloc_bitmap_alloc();
    for (unsigned i = 0; i < t->nids; i++)
        hwloc_bitmap_set(all, ids[i]);
    int id = -1;         /* in their order */
    bool ordered = true; /* the same on all: a collective is not needed */
    for (unsigned i = 0; i < t->nids; i++) {
        number(t, i, (unsigned)(id = hwloc_bitmap_next(all, id)));
        ordered = ordered && ids[i] == (unsigned)id;
    }
    if (!ordered)
        t->mpi->reorder((int)mine);
    t->rank = mine;
    t->leader = t->ids[0];
}

/* --- in order --------------------------------------------------------------------------------- */

void transport_turn(struct transport *t, char *(*line)(void *arg),
                    void (*through)(bool ok, void *arg), void *arg)
{
    t->turn.line = line;
    t->turn.through = through;
    t->turn.arg = arg;
    transport_wake_others(t);
    transport_flush_soon(t);
    if (t->started)
        transport_set_pace(t, 0);
}

void transport_turn_here(struct transport *t, void (*through)(bool ok, void *arg),
                         void *arg)
{
    t->turn.line = NULL;
    t->turn.through = through;
    t->turn.arg = arg;
    t->turn.due = true;
}

char *turn_line(struct transport *t)
{
    char *(*ask)(void *) = t->turn.line;
    if (!ask)
        return NULL;
    t->turn.line = NULL;
    char *line = ask(t->turn.arg);
    t->turn.due = line != NULL;
    return line;
}

static void end_turn(struct transport *t, bool ok)
{
    t->turn.due = false;
    t->last = time_mono();
    t->turn.through(ok, t->turn.arg);
}

void turn_look(struct transport *t)
{
    if (!t->turn.due || (t->rank == t->leader && t->mpi->stream_busy()))
        return;
    /* others: what was told again after a loss closes nothing */
    end_turn(t, t->rank == t->leader || t->mpi->stream_over());
}

void turn_fail(struct transport *t)
{
    if (t->turn.due)
        end_turn(t, false);
}

int transport_open_port(struct transport *t, char *name, size_t size, struct error *err)
{
    char text[256];
    if (t->mpi->open_port(name, size, text, sizeof(text)) < 0)
        return error_set(err, ENOTSUP, "%s", text);
    return 0;
}

void transport_close_port(struct transport *t, const char *name)
{
    t->mpi->close_port(name);
}

int transport_grow(struct transport *t, const char *port, unsigned n, struct error *err)
{
    char text[512];
    unsigned size = t->size;
    int rc = t->mpi->grow(port, (int)n, text, sizeof(text));
    t->last = time_mono();
    if (rc < 0)
        return error_set(err, EIO, "%s", text);
    make_room(t, size + n);
    t->ids = xrealloc(t->ids, (t->nids + n) * sizeof(*t->ids));
    for (unsigned i = 0; i < n; i++)
        number(t, t->nids++, size + i);
    t->broken =
        false; /* the new communicator has nobody who is dead, and who joins it waits at the end */
    return 0;
}

int transport_join(struct transport *t, const char *port, const unsigned *ids, unsigned n,
                   unsigned size, struct error *err)
{
    char text[512];
    if (t->mpi->join(port, text, sizeof(text)) < 0)
        return error_set(err, EIO, "%s", text);
    if ((unsigned)t->mpi->size() != n)
        return error_set(err, EIO, "%d ranks are there, not %u", t->mpi->size(), n);
    t->nids = n;
    t->size = 0;
    t->ids = xcalloc(n, sizeof(*t->ids));
    make_room(t, size);
    for (unsigned i = 0; i < n; i++)
        number(t, i, ids[i]);
    t->rank = ids[t->mpi->rank()];
    t->leader = ids[0];
    return 0;
}

void transport_shrink(struct transport *t, hwloc_const_bitmap_t ranks, int generation)
{
    int rank;
    if (hwloc_bitmap_isset(ranks, t->rank)) {
        transport_flush(t);
        /* Those who leave too are not waited for: they may be gone before they hear the farewell. */
        hwloc_bitmap_foreach_begin(rank, ranks)
        {
            if ((unsigned)rank != t->rank)
                t->mpi->forget(t->mpi_of[rank], 1);
        }
        hwloc_bitmap_foreach_end();
        t->mpi->settle();
        t->broken = true; /* it takes no part in the end of the others */
        return;
    }
    hwloc_bitmap_foreach_begin(rank, ranks)
    {
        forget(t, (unsigned)rank, true);
    }
    hwloc_bitmap_foreach_end();
    reform(t, generation, true);
    t->last = time_mono();
}

void transport_give(struct transport *t, unsigned dst, void *data, size_t len)
{
    t->mpi->give(t->mpi_of[dst], data, len);
}

void *transport_take(struct transport *t, unsigned src, size_t *len)
{
    return t->mpi->receive(t->mpi_of[src], len);
}
