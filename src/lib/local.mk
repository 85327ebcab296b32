# libclient: for programs of this tree, linked statically; libhbatch: the same code, shared,
# with the public names only, and with those files of the folders below that it needs.
noinst_LTLIBRARIES += src/lib/libclient.la
lib_LTLIBRARIES += src/lib/libhbatch.la
include_HEADERS += src/lib/hbatch.h
CLIENT_SOURCES = \
	src/lib/api.c src/lib/hbatch.h \
	src/lib/build.h src/lib/build_parse.c src/lib/jobspec_build.c src/lib/jobspec_encode.c \
	src/lib/jobspec_instance.c src/lib/jobspec_files.c src/lib/jobspec_programs.c \
	src/lib/client.c src/lib/client.h \
	src/lib/envrules.c src/lib/envrules.h \
	src/lib/input.c src/lib/input.h \
	src/lib/link.c src/lib/link.h \
	src/lib/nested.c \
	src/lib/post.c src/lib/post.h src/lib/post_impl.h src/lib/post_submit.c \
	src/lib/progress.c src/lib/progress.h \
	src/lib/rlimits.c src/lib/rlimits.h \
	src/lib/spectext.c src/lib/spectext.h \
	src/lib/sshdest.c src/lib/sshdest.h \
	src/lib/stream.c src/lib/stream.h \
	src/lib/submit.c src/lib/submit.h \
	src/lib/tunnel.c src/lib/tunnel.h
src_lib_libclient_la_SOURCES = $(CLIENT_SOURCES)
CLIENT_LIBS = src/lib/libclient.la src/job/libjob.la src/comm/libwire.la \
	src/common/libcommon.la $(JSON_LIBS)
src_lib_libhbatch_la_SOURCES = $(CLIENT_SOURCES) \
	src/comm/linebuf.c src/comm/unixsock.c \
	src/common/base64.c src/common/bytes.c src/common/duration.c src/common/error.c src/common/hostlist.c \
	src/common/idset.c src/common/jobid.c src/common/jobid_emoji.c \
	src/common/jobid_words.c src/common/strbuf.c src/common/utf8.c src/common/util.c \
	src/job/constraint.c src/job/constraint_query.c src/job/count.c \
	src/job/jsonutil.c src/job/shape.c
src_lib_libhbatch_la_LIBADD = $(HWLOC_LIBS) $(JSON_LIBS) -lm
src_lib_libhbatch_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined -Wl,-z,defs \
	-Wl,--version-script=$(top_srcdir)/src/lib/libhbatch.map
EXTRA_src_lib_libhbatch_la_DEPENDENCIES = src/lib/libhbatch.map
EXTRA_DIST += src/lib/libhbatch.map

noinst_PROGRAMS += examples/submit
examples_submit_SOURCES = examples/submit.c
examples_submit_CPPFLAGS = -I$(top_srcdir)/src/lib
examples_submit_LDADD = src/lib/libhbatch.la
noinst_PROGRAMS += examples/posts
examples_posts_SOURCES = examples/posts.c
examples_posts_CPPFLAGS = -I$(top_srcdir)/src/lib
examples_posts_LDADD = src/lib/libhbatch.la
