noinst_LTLIBRARIES += src/common/libcommon.la
src_common_libcommon_la_SOURCES = \
	src/common/base64.c src/common/base64.h \
	src/common/bytes.c src/common/bytes.h \
	src/common/utf8.c src/common/utf8.h \
	src/common/error.c src/common/error.h \
	src/common/util.c src/common/util.h \
	src/common/log.c src/common/log.h \
	src/common/netlock.c src/common/netlock.h \
	src/common/path.c src/common/path.h src/common/room.c src/common/room.h \
	src/common/signals.c src/common/signals.h \
	src/common/procid.c src/common/procid.h \
	src/common/program.c src/common/program.h \
	src/common/shebang.c src/common/shebang.h \
	src/common/orphans.c src/common/orphans.h \
	src/common/compatenv.c src/common/compatenv.h \
	src/common/launchenv.c src/common/launchenv.h \
	src/common/hwenv.c src/common/hwenv.h \
	src/common/strbuf.c src/common/strbuf.h \
	src/common/idset.c src/common/idset.h \
	src/common/idmap.c src/common/idmap.h \
	src/common/idranges.c src/common/idranges.h \
	src/common/hostlist.c src/common/hostlist.h \
	src/common/duration.c src/common/duration.h \
	src/common/jobid.c src/common/jobid.h \
	src/common/jobid_words.c src/common/jobid_emoji.c src/common/jobid_tables.h
src_common_libcommon_la_LIBADD = $(HWLOC_LIBS) $(JSON_LIBS) -lm
