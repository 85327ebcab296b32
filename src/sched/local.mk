# libsched: the pool, the queue and the policies; pure.
noinst_LTLIBRARIES += src/sched/libsched.la
src_sched_libsched_la_SOURCES = \
	src/sched/pool.c src/sched/pool.h src/sched/pool_impl.h \
	src/sched/pool_find.c src/sched/pool_why.c src/sched/pool_contiguous.c src/sched/pool_parts.c src/sched/pool_pack.c src/sched/pool_pick.c \
	src/sched/pool_order.c src/sched/pool_order.h \
	src/sched/place.c src/sched/place.h \
	src/sched/place_best.c src/sched/place_first.c src/sched/place_spread.c \
	src/sched/pool_index.c src/sched/pool_index.h \
	src/sched/queue.c src/sched/queue.h \
	src/sched/tree.c src/sched/tree.h \
	src/sched/kinds.c src/sched/kinds.h \
	src/sched/book.c src/sched/book.h \
	src/sched/sched.c src/sched/sched.h \
	src/sched/setup.c src/sched/setup.h src/sched/config.c src/sched/config.h \
	src/sched/priority.c src/sched/priority.h src/sched/fairshare.c src/sched/fairshare.h \
	src/sched/policy.h src/sched/policy_fcfs.c src/sched/policy_easy.c \
	src/sched/timeline.c src/sched/timeline.h src/sched/policy_conservative.c
src_sched_libsched_la_LIBADD = src/job/libjob.la src/common/libcommon.la -lm
