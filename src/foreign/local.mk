# libforeign: allocations of other batch systems.
noinst_LTLIBRARIES += src/foreign/libforeign.la
src_foreign_libforeign_la_SOURCES = \
	src/foreign/foreign.c src/foreign/foreign.h src/foreign/kinds.h \
	src/foreign/hosts.c \
	src/foreign/lsf.c \
	src/foreign/pbs.c \
	src/foreign/query.c src/foreign/query.h \
	src/foreign/sge.c \
	src/foreign/slurm.c \
	src/foreign/standalone.c
src_foreign_libforeign_la_LIBADD = src/common/libcommon.la
EXTRA_DIST += src/foreign/README src/foreign/hbatch-pbsdsh

# An agent for mpirun: it is named by its path.
pkglibexec_SCRIPTS += bin/hbatch-pbsdsh
bin/hbatch-pbsdsh: $(srcdir)/src/foreign/hbatch-pbsdsh
	$(AM_V_GEN)$(MKDIR_P) bin && cp $(srcdir)/src/foreign/hbatch-pbsdsh $@ && chmod 755 $@
CLEANFILES += bin/hbatch-pbsdsh
