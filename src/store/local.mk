# parts of src/store
noinst_LTLIBRARIES += src/store/libstore.la
src_store_libstore_la_SOURCES = \
	src/store/store.c src/store/store.h src/store/store_private.h \
	src/store/store_schema.c src/store/store_write.c src/store/store_query.c \
	src/store/store_pending.c src/store/store_copy.c src/store/store_salvage.c src/store/store_purge.c
src_store_libstore_la_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
src_store_libstore_la_LIBADD = $(SQLITE_LIBS)
