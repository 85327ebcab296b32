bin_PROGRAMS += bin/hbatch
bin_hbatch_SOURCES = \
	src/cli/main.c src/cli/verbs.h \
	src/cli/attach.c src/cli/attach.h \
	src/cli/cli.c src/cli/cli.h \
	src/cli/cmd_attach.c \
	src/cli/cmd_help.c \
	src/cli/cmd_run.c \
	src/cli/cmd_start.c \
	src/cli/cmd_submit.c \
	src/cli/cmd_version.c \
	src/cli/jobset.c src/cli/jobset.h \
	src/cli/launch_mpirun.c src/cli/launch_standalone.c src/cli/launcher.h \
	src/cli/optparse.c src/cli/optparse.h \
	src/cli/output.c src/cli/output.h \
	src/cli/specopts.c src/cli/specopts.h
bin_hbatch_CPPFLAGS = $(AM_CPPFLAGS) -DBINDIR='"$(bindir)"'
bin_hbatch_LDADD = $(CLIENT_LIBS)
EXTRA_DIST += src/cli/README
