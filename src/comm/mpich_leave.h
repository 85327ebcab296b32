/* SPDX-License-Identifier: BSD-3-Clause */
/* mpich_leave: leave MPI without MPI_Finalize, where that may hang.
 *
 * MPI_Finalize of MPICH before 4.2 closes its connections and then waits for the other ranks in
 * a barrier of the process manager, without progress on messages.  A slower rank that still
 * needs an answer on such a connection never comes to the barrier: about one in fifteen runs on
 * three hosts hung.  Here the order is right: a barrier with progress, then the farewell to the
 * process manager; the connections end with the process. */
#ifndef HBATCH_COMM_MPICH_LEAVE_H
#define HBATCH_COMM_MPICH_LEAVE_H

#include <stdbool.h>

/* True: done, the process must not use MPI any more, nor call MPI_Finalize.  False: it is not
 * needed (another MPI, a newer one) or not possible (no hydra here): call MPI_Finalize. */
bool mpich_leave(void);

#endif
