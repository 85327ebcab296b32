/* SPDX-License-Identifier: BSD-3-Clause */
/* asker: MPI does not tell that a process is dead.  The instance that this program is a job of knows what became of the
 * one that it spawned, which is a job there, too. */
#ifndef HBATCH_MPI_ASKER_H
#define HBATCH_MPI_ASKER_H

#include <stdbool.h>
#include <stddef.h>

struct asker;

/* INFO: the instance's description (hbatch_instance).  NULL: it cannot be asked. */
struct asker *asker_create(const char *info);
void asker_destroy(struct asker *a); /* NULL is allowed */
/* Whether it has ended; WHY, of SIZE bytes, is then a sentence. */
bool asker_is_over(struct asker *a, char *why, size_t size);
/* Wait until it has ended, at most SECONDS; TURN is called every few milliseconds.  False: it has not. */
bool asker_await(struct asker *a, double seconds, void (*turn)(void));

#endif
