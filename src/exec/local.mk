# hbatch-exec: libexec is all but its main, for unit tests.
noinst_LTLIBRARIES += src/exec/libexec.la
src_exec_libexec_la_SOURCES = \
	src/exec/bind.c src/exec/bind.h \
	src/exec/conn.c src/exec/conn.h \
	src/exec/detect.c src/exec/detect.h \
	src/exec/elf.c src/exec/elf.h \
	src/exec/env.c src/exec/env.h \
	src/exec/exec.c src/exec/exec.h \
	src/exec/input.c src/exec/input.h \
	src/exec/io.c src/exec/io.h \
	src/exec/job.c src/exec/job.h \
	src/exec/job_doom.c src/exec/job_doom.h src/exec/job_end.c \
	src/exec/job_impl.h src/exec/job_next.c src/exec/job_start.c \
	src/exec/job_pmi.c \
	src/exec/lane.c src/exec/lane.h \
	src/exec/launch.c src/exec/launch.h \
	src/exec/memcg.c src/exec/memcg.h \
	src/exec/lease.c src/exec/lease.h \
	src/exec/message.c src/exec/message.h \
	src/exec/node.c src/exec/node.h \
	src/exec/output.c src/exec/output.h \
	src/exec/reader.c src/exec/reader.h \
	src/exec/remember.c src/exec/remember.h \
	src/exec/rundir.c src/exec/rundir.h \
	src/exec/spec.c src/exec/spec.h \
	src/exec/spool.c src/exec/spool.h \
	src/exec/spools.c src/exec/spools.h \
	src/exec/shares.c src/exec/shares.h src/exec/sweep.c src/exec/sweep.h \
	src/exec/task.c src/exec/task.h \
	src/exec/timer.c src/exec/timer.h \
	src/exec/files.c src/exec/files.h \
	src/exec/sub.c src/exec/sub.h \
	src/exec/tmpdir.c src/exec/tmpdir.h
src_exec_libexec_la_LIBADD = pmi/libpmi.la src/comm/libcomm.la src/job/libjob.la

pkglibexec_PROGRAMS += bin/hbatch-exec
bin_hbatch_exec_SOURCES = src/exec/main.c
bin_hbatch_exec_LDADD = src/exec/libexec.la
