/* SPDX-License-Identifier: BSD-3-Clause */
/* hbatch_mpi.h: an instance that an MPI program has spawned, over their intercommunicator.
 * mpicc prog.c $(pkg-config --cflags --libs hbatch-mpi)
 *
 *     MPI_Comm_spawn("hbatch-instance", MPI_ARGV_NULL, 2, info, 0, MPI_COMM_SELF, &instance, MPI_ERRCODES_IGNORE);
 *     struct hbatch *h = hbatch_mpi_open(instance, &err);
 *     hbatch_submit(h, js, NULL, &id, &err);             all of hbatch.h
 *     hbatch_close(h);
 *     hbatch_mpi_close(&instance, "no more work", &err);
 *
 * What travels are the protocol's lines, as over the socket of a local client, in MPI messages: over the network that
 * MPI has, between nodes that share no file system and no route.  The job that the instance is ends with that of the
 * program that spawned it, if the two were not parted by hbatch_mpi_leave.
 *
 * Threads.  MPI is called in the thread that calls these functions, or those of hbatch.h with such a connection, and in
 * no other one.  No call waits inside of MPI: while nothing comes, MPI is tested at intervals from some microseconds to
 * 5 ms.  What came is taken out of MPI by these calls only: a program that has a stream open dispatches it.
 *
 * The library has MPI_Comm_spawn and MPI_Comm_spawn_multiple, too, which hand on the keys of hbatch-spawn(7) that an
 * MPI drops, and then call those of MPI. */
#ifndef HBATCH_MPI_H
#define HBATCH_MPI_H

#include <hbatch.h>
#include <mpi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The tag of all messages: no other message with it may be on the way over the intercommunicator. */
#define HBATCH_MPI_TAG 8421

/* A connection to the instance that is the remote group of INTERCOMM, which MPI_Comm_spawn gave.  Not collective: any
 * process of the local group may have one, and each at most one at a time.  NULL with ERR set: ECONNRESET (the instance
 * has ended, or does not answer), EINVAL, EBUSY. */
struct hbatch *hbatch_mpi_open(MPI_Comm intercomm, struct hbatch_error *err);

/* End the instance, for REASON (NULL: none is told), wait until it has ended in order, and free *INTERCOMM, which becomes
 * MPI_COMM_NULL.  A process that has had a connection waits until the instance's job has ended, too: then its nodes are
 * free, and who waits for that job has been told.  To be called by all processes of the local group, after hbatch_close of their connections, as the last
 * thing that is done with INTERCOMM; the first to come ends the instance.  Where a process has not called it (nor
 * hbatch_mpi_leave) for an intercommunicator that hbatch_mpi_open was called with, MPI_Finalize does.  MPI_Comm_disconnect
 * must not be called: it would wait for an instance that is no more.
 * 0, or -1 with ERR set: the instance had not ended in order, or its job has not within 30 s (ETIMEDOUT); *INTERCOMM is free all the same. */
int hbatch_mpi_close(MPI_Comm *intercomm, const char *reason, struct hbatch_error *err);

/* As hbatch_mpi_close, but the instance goes on, as a job of its own: until its program ends, it is shut down, or its job
 * is canceled. */
int hbatch_mpi_leave(MPI_Comm *intercomm, struct hbatch_error *err);

#ifdef __cplusplus
}
#endif

#endif
