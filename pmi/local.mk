# parts of pmi
noinst_LTLIBRARIES += pmi/libpmi.la
pmi_libpmi_la_SOURCES = \
	pmi/exchange.c pmi/exchange.h \
	pmi/kvs.c pmi/kvs.h \
	pmi/pmi1.c pmi/pmi2.c \
	pmi/wire.c pmi/wire.h pmi/wire_impl.h pmi/wire_ops.c
pmi_libpmi_la_SOURCES += \
	pmi/nameserv.c pmi/nameserv.h pmi/spawn.c pmi/spawn.h pmi/pending.c pmi/pending.h \
	pmi/pmi.c pmi/pmi.h pmi/pmixd.h pmi/pmixd_impl.h \
	pmi/pmixd_server.c pmi/pmixd_value.c pmi/pmixd_nspace.c pmi/pmixd_env.c pmi/pmixd_ack.c pmi/pmixd_leave.c pmi/pmixd_topo.c \
	pmi/pmixd_map.c pmi/pmixd_fence.c pmi/pmixd_modex.c pmi/pmixd_names.c \
	pmi/pmixd_spawn.c pmi/pmixd_events.c pmi/pmixd_query.c pmi/pmixd_control.c
pmi_libpmi_la_CFLAGS = $(AM_CFLAGS) $(PMIX_CFLAGS)
pmi_libpmi_la_LIBADD = src/common/libcommon.la $(PMIX_LIBS) $(HWLOC_LIBS) $(UV_LIBS) $(JSON_LIBS)
