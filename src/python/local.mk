# The Python package.  It has no build step: what is copied into python/ of the build tree finds the library there,
# what is installed finds the installed one.
HBATCH_PY = \
	src/python/hbatch/__init__.py \
	src/python/hbatch/_channel.py \
	src/python/hbatch/_lib.py \
	src/python/hbatch/aio.py \
	src/python/hbatch/errors.py \
	src/python/hbatch/executor.py \
	src/python/hbatch/instance.py \
	src/python/hbatch/jobid.py \
	src/python/hbatch/jobs.py \
	src/python/hbatch/jobspec.py \
	src/python/hbatch/mpi.py \
	src/python/hbatch/results.py \
	src/python/hbatch/py.typed
hbatchpydir = $(pythondir)/hbatch
dist_hbatchpy_DATA = $(HBATCH_PY)
nodist_hbatchpy_DATA = src/python/_config.py
noinst_DATA = python/.stamp
CLEANFILES += src/python/_config.py

src/python/_config.py: Makefile
	$(AM_V_GEN)$(MKDIR_P) src/python && echo "LIBDIR = '$(libdir)'" >$@
python/.stamp: $(HBATCH_PY) Makefile
	$(AM_V_GEN)$(MKDIR_P) python/hbatch && for f in $(HBATCH_PY); do cp -f $(srcdir)/$$f python/hbatch/ || exit 1; done && \
	echo "LIBDIR = '$(abs_top_builddir)/src/lib/.libs'" >python/hbatch/_config.py && touch $@
clean-local:
	rm -rf python help
EXTRA_DIST += src/python/README examples/futures.py examples/loop.py
