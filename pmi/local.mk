# parts of pmi
noinst_LTLIBRARIES += pmi/libpmi.la
pmi_libpmi_la_SOURCES = \
	pmi/exchange.c pmi/exchange.h \
	pmi/kvs.c pmi/kvs.h
pmi_libpmi_la_CFLAGS = $(AM_CFLAGS) $(PMIX_CFLAGS)
pmi_libpmi_la_LIBADD = src/common/libcommon.la $(PMIX_LIBS) $(UV_LIBS) $(JSON_LIBS)
