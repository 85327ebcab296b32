# parts of src/job
noinst_LTLIBRARIES += src/job/libjob.la
src_job_libjob_la_SOURCES = \
	src/job/bulk.c src/job/bulk.h \
	src/job/conf.c src/job/conf.h \
	src/job/count.c src/job/count.h src/job/default_memory.c src/job/default_memory.h \
	src/job/domains.c src/job/domains.h \
	src/job/shape.c src/job/shape_encode.c src/job/shape.h src/job/shape_impl.h \
	src/job/constraint.c src/job/constraint.h src/job/constraint_query.c \
	src/job/jobspec.c src/job/jobspec.h src/job/jobspec_impl.h \
	src/job/jobspec_attributes.c src/job/jobspec_resources.c src/job/jobspec_programs.c \
	src/job/property.c src/job/property.h \
	src/job/directives.c src/job/directives.h \
	src/job/eventlog.c src/job/eventlog.h \
	src/job/jsonutil.c src/job/jsonutil.h \
	src/job/launch_options.c src/job/launch_options.h \
	src/job/rlimit.c src/job/rlimit.h \
	src/job/template.c src/job/template.h \
	src/job/rset.c src/job/rset.h src/job/rset_json.c \
	src/job/rset_groups.c src/job/rset_groups.h src/job/rset_parts.c src/job/rset_parts.h \
	src/job/share.c src/job/share.h \
	src/job/state.c src/job/state.h \
	src/job/subend.h \
	src/job/taskmap.c src/job/taskmap.h src/job/taskmap_decode.c \
	src/job/taskmap_impl.h
src_job_libjob_la_LIBADD = src/common/libcommon.la
