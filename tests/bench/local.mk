# The bench: make bench, with BENCH_ARGS="--rounds=100 run burst" to choose; see README.
noinst_PROGRAMS += tests/bench/timeit tests/bench/spawnloop
tests_bench_timeit_SOURCES = tests/bench/timeit.c
tests_bench_timeit_LDADD = src/common/libcommon.la
tests_bench_spawnloop_SOURCES = tests/bench/spawnloop.c
tests_bench_spawnloop_LDADD = src/common/libcommon.la
EXTRA_DIST += tests/bench/README tests/bench/bench.py tests/bench/figures.py tests/bench/bursts.py tests/bench/plot.py \
	tests/bench/hosts.py tests/bench/ranks.py tests/bench/sub.py tests/bench/measure.py tests/bench/clifigures.py tests/bench/pyfigures.py tests/bench/pyload.py tests/bench/depend.py tests/bench/syscalls.py tests/bench/bench.t
CLEANFILES += bench.json

PYTHON3 = /usr/bin/python3
bench: all
	@$(PYTHON3) -B $(top_srcdir)/tests/bench/bench.py --builddir=$(abs_top_builddir) $(BENCH_ARGS)
