# What programs for other systems look for; hbatch env --compat=NAME puts it into their environment.
COMPAT_FLUX_PY = \
	compat/flux/python/flux/__init__.py \
	compat/flux/python/flux/constants.py \
	compat/flux/python/flux/future.py \
	compat/flux/python/flux/resource.py \
	compat/flux/python/flux/uri.py
COMPAT_FLUX_JOB_PY = \
	compat/flux/python/flux/job/__init__.py \
	compat/flux/python/flux/job/_act.py \
	compat/flux/python/flux/job/_events.py \
	compat/flux/python/flux/job/_executor.py \
	compat/flux/python/flux/job/_list.py \
	compat/flux/python/flux/job/_spec.py
compatdir = $(pkgdatadir)/compat
compatfluxdir = $(compatdir)/flux/python/flux
compatfluxjobdir = $(compatfluxdir)/job
dist_compatflux_DATA = $(COMPAT_FLUX_PY)
dist_compatfluxjob_DATA = $(COMPAT_FLUX_JOB_PY)
noinst_DATA += compat/.stamp
compat/.stamp: $(COMPAT_FLUX_PY) $(COMPAT_FLUX_JOB_PY)
	$(AM_V_GEN)if test "$(srcdir)" != .; then \
		$(MKDIR_P) compat/flux/python/flux/job && \
		for f in $(COMPAT_FLUX_PY) $(COMPAT_FLUX_JOB_PY); do cp -f $(srcdir)/$$f $$f || exit 1; done; \
	fi && touch $@
CLEANFILES += compat/.stamp
EXTRA_DIST += compat/README
