# libsim: simulation of the scheduler, for hbatch simulate and the tests.
noinst_LTLIBRARIES += src/sim/libsim.la
src_sim_libsim_la_SOURCES = \
	src/sim/load.c src/sim/load.h \
	src/sim/swf.c src/sim/speclist.c src/sim/lublin.c \
	src/sim/sim.c src/sim/sim.h \
	src/sim/plot.c src/sim/plot.h
src_sim_libsim_la_LIBADD = src/sched/libsched.la src/job/libjob.la src/common/libcommon.la -lm
EXTRA_DIST += src/sim/README
