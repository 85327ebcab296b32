# libhbatch-mpi: libhbatch over an intercommunicator, for MPI programs of the MPI that hbatch is built with.
lib_LTLIBRARIES += src/mpi/libhbatch-mpi.la
include_HEADERS += src/mpi/hbatch_mpi.h
src_mpi_libhbatch_mpi_la_SOURCES = src/mpi/hbatch_mpi.c src/mpi/hbatch_mpi.h \
	src/mpi/asker.c src/mpi/asker.h \
	src/mpi/spawn_keys.c
src_mpi_libhbatch_mpi_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/lib
src_mpi_libhbatch_mpi_la_CFLAGS = $(AM_CFLAGS) $(MPI_CFLAGS) -Wno-cast-qual
src_mpi_libhbatch_mpi_la_LIBADD = src/lib/libhbatch.la $(MPI_LIBS) $(JSON_LIBS)
src_mpi_libhbatch_mpi_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined \
	-Wl,--version-script=$(top_srcdir)/src/mpi/libhbatch-mpi.map
EXTRA_src_mpi_libhbatch_mpi_la_DEPENDENCIES = src/mpi/libhbatch-mpi.map
EXTRA_DIST += src/mpi/libhbatch-mpi.map src/mpi/README

noinst_PROGRAMS += examples/spawn_instance
examples_spawn_instance_SOURCES = examples/spawn_instance.c
examples_spawn_instance_CPPFLAGS = -I$(top_srcdir)/src/lib -I$(top_srcdir)/src/mpi
examples_spawn_instance_CFLAGS = $(AM_CFLAGS) $(MPI_CFLAGS)
examples_spawn_instance_LDFLAGS = $(AM_LDFLAGS) -no-install
examples_spawn_instance_LDADD = src/mpi/libhbatch-mpi.la src/lib/libhbatch.la $(MPI_LIBS)
noinst_PROGRAMS += examples/tutorial/spawn_levels
examples_tutorial_spawn_levels_SOURCES = examples/tutorial/spawn_levels.c
examples_tutorial_spawn_levels_CPPFLAGS = -I$(top_srcdir)/src/lib -I$(top_srcdir)/src/mpi
examples_tutorial_spawn_levels_CFLAGS = $(AM_CFLAGS) $(MPI_CFLAGS)
examples_tutorial_spawn_levels_LDFLAGS = $(AM_LDFLAGS) -no-install
examples_tutorial_spawn_levels_LDADD = src/mpi/libhbatch-mpi.la src/lib/libhbatch.la $(MPI_LIBS)
