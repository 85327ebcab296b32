# libwire: what needs no event loop; libcomm: the rest, on libuv.
noinst_LTLIBRARIES += src/comm/libwire.la src/comm/libcomm.la
src_comm_libwire_la_SOURCES = \
	src/comm/linebuf.c src/comm/linebuf.h \
	src/comm/unixsock.c
src_comm_libwire_la_LIBADD = src/common/libcommon.la
src_comm_libcomm_la_SOURCES = \
	src/comm/lines.c src/comm/lines.h
src_comm_libcomm_la_LIBADD = src/comm/libwire.la $(UV_LIBS)
EXTRA_DIST += src/comm/PROTOCOL
