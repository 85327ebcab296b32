# What programs for other systems look for; hbatch env --compat=NAME puts it into their environment.
COMPAT_FLUX_PY = \
	compat/flux/python/flux/__init__.py \
	compat/flux/python/flux/_rpc.py \
	compat/flux/python/flux/constants.py \
	compat/flux/python/flux/future.py \
	compat/flux/python/flux/hostlist.py \
	compat/flux/python/flux/idset.py \
	compat/flux/python/flux/kvs.py \
	compat/flux/python/flux/resource.py \
	compat/flux/python/flux/uri.py \
	compat/flux/python/flux/util.py
COMPAT_FLUX_CORE_PY = \
	compat/flux/python/flux/core/__init__.py \
	compat/flux/python/flux/core/handle.py \
	compat/flux/python/flux/core/watchers.py
COMPAT_FLUX_JOB_PY = \
	compat/flux/python/flux/job/__init__.py \
	compat/flux/python/flux/job/_act.py \
	compat/flux/python/flux/job/_events.py \
	compat/flux/python/flux/job/_executor.py \
	compat/flux/python/flux/job/_list.py \
	compat/flux/python/flux/job/_output.py \
	compat/flux/python/flux/job/_spec.py
compatdir = $(pkglibexecdir)/compat
compatfluxdir = $(compatdir)/flux/python/flux
compatfluxjobdir = $(compatfluxdir)/job
compatfluxcoredir = $(compatfluxdir)/core
dist_compatflux_DATA = $(COMPAT_FLUX_PY)
dist_compatfluxjob_DATA = $(COMPAT_FLUX_JOB_PY)
dist_compatfluxcore_DATA = $(COMPAT_FLUX_CORE_PY)
noinst_DATA += compat/.stamp
# $(srcdir): a copy from before in the build tree would be found, and is never older than itself.
compat/.stamp: $(COMPAT_FLUX_PY:%=$(srcdir)/%) $(COMPAT_FLUX_JOB_PY:%=$(srcdir)/%) $(COMPAT_FLUX_CORE_PY:%=$(srcdir)/%)
	$(AM_V_GEN)if test "$(srcdir)" != .; then \
		$(MKDIR_P) compat/flux/python/flux/job compat/flux/python/flux/core && \
		for f in $(COMPAT_FLUX_PY) $(COMPAT_FLUX_JOB_PY) $(COMPAT_FLUX_CORE_PY); do cp -f $(srcdir)/$$f $$f || exit 1; done; \
	fi && touch $@
CLEANFILES += compat/.stamp
EXTRA_DIST += compat/README

COMPAT_COMMON = compat/common/hbatch.c compat/common/hbatch.h
COMPAT_CPPFLAGS = $(AM_CPPFLAGS) -DBINDIR='"$(bindir)"'
compatfluxbindir = $(compatdir)/flux/bin
compatfluxbin_PROGRAMS = compat/flux/bin/flux
compat_flux_bin_flux_SOURCES = compat/flux/flux.c $(COMPAT_COMMON)
compat_flux_bin_flux_CPPFLAGS = $(COMPAT_CPPFLAGS)
compat_flux_bin_flux_LDADD = src/common/libcommon.la

# Slurm's commands are one program, which goes by the name it was called by.
SLURM_COMMANDS = sbatch srun salloc squeue scancel sacct scontrol sinfo sacctmgr sstat
compatslurmbindir = $(compatdir)/slurm/bin
compatslurmbin_PROGRAMS = compat/slurm/bin/hbatch-slurm
compat_slurm_bin_hbatch_slurm_SOURCES = \
	compat/slurm/main.c compat/slurm/slurm.c compat/slurm/slurm.h \
	compat/slurm/columns.c compat/slurm/columns.h \
	compat/slurm/fields.c compat/slurm/fields.h \
	compat/slurm/forms.c compat/slurm/forms.h \
	compat/slurm/inside.c \
	compat/slurm/jobs.c compat/slurm/jobs.h \
	compat/slurm/nodes.c compat/slurm/nodes.h \
	compat/slurm/options.c compat/slurm/options.h \
	compat/slurm/request.c compat/slurm/request.h \
	compat/slurm/sacct.c \
	compat/slurm/sacctmgr.c \
	compat/slurm/sbatch.c \
	compat/slurm/scancel.c \
	compat/slurm/scontrol.c compat/slurm/scontrol.h compat/slurm/scontrol_show.c \
	compat/slurm/sinfo.c \
	compat/slurm/squeue.c \
	compat/slurm/srun.c \
	$(COMPAT_COMMON)
compat_slurm_bin_hbatch_slurm_CPPFLAGS = $(COMPAT_CPPFLAGS)
compat_slurm_bin_hbatch_slurm_LDADD = $(CLIENT_LIBS)
noinst_DATA += compat/slurm/bin/.stamp
compat/slurm/bin/.stamp: compat/slurm/bin/hbatch-slurm
	$(AM_V_GEN)for c in $(SLURM_COMMANDS); do \
		ln -sf hbatch-slurm compat/slurm/bin/$$c || exit 1; \
	done && touch $@
CLEANFILES += compat/slurm/bin/.stamp $(SLURM_COMMANDS:%=compat/slurm/bin/%)
install-data-hook:
	for c in $(SLURM_COMMANDS); do ln -sf hbatch-slurm $(DESTDIR)$(compatslurmbindir)/$$c || exit 1; done
uninstall-hook:
	for c in $(SLURM_COMMANDS); do rm -f $(DESTDIR)$(compatslurmbindir)/$$c; done
