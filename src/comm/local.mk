# libwire: what needs no event loop; libcomm: the rest, on libuv.
noinst_LTLIBRARIES += src/comm/libwire.la src/comm/libcomm.la
src_comm_libwire_la_SOURCES = \
	src/comm/linebuf.c src/comm/linebuf.h \
	src/comm/unixsock.c
src_comm_libwire_la_LIBADD = src/common/libcommon.la
src_comm_libcomm_la_SOURCES = \
	src/comm/lines.c src/comm/lines.h \
	src/comm/lifeline.c src/comm/lifeline.h \
	src/comm/greeting.c src/comm/greeting.h \
	src/comm/tcpaddr.c src/comm/tcpaddr.h \
	src/comm/traffic.c src/comm/traffic.h \
	src/comm/transport.c src/comm/transport.h src/comm/transport_impl.h \
	src/comm/epochs.c src/comm/turns.c src/comm/spawners.c src/comm/mpi_plugin.h
src_comm_libcomm_la_LIBADD = src/comm/libwire.la $(UV_LIBS)

# The plugin is the only part that links MPI.
plugins_LTLIBRARIES += bin/hbatch_mpi.la
bin_hbatch_mpi_la_SOURCES = src/comm/mpi_plugin.c src/comm/mpi_plugin.h src/comm/mpi_impl.h \
	src/comm/mpi_peers.c src/comm/mpi_epochs.c src/comm/mpi_spawner.c \
	src/comm/mpich_leave.c src/comm/mpich_leave.h
bin_hbatch_mpi_la_CFLAGS = $(AM_CFLAGS) $(MPI_CFLAGS) -Wno-cast-qual -Wno-stringop-overflow
bin_hbatch_mpi_la_LDFLAGS = -module -avoid-version -shared -export-symbols-regex '^hbatch_mpi_plugin$$'
bin_hbatch_mpi_la_LIBADD = $(MPI_LIBS)

EXTRA_DIST += src/comm/PROTOCOL
