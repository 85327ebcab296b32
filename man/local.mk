# Man pages. Those of verbs that submit share a part, which is put in when they are made: all of it in place of
# a line @job-options@, or some sections of it in place of @job-options NAME;NAME@.
dist_man_MANS += \
	man/hbatch.1 man/hbatch-archive.1 man/hbatch-attach.1 man/hbatch-cancel.1 man/hbatch-dmesg.1 man/hbatch-env.1 man/hbatch-exec.1 man/hbatch-export.1 man/hbatch-getattr.1 man/hbatch-setattr.1 man/hbatch-lsattr.1 \
	man/hbatch-hostlist.1 man/hbatch-info.1 man/hbatch-instance.1 man/hbatch-job.1 man/hbatch-jobs.1 man/hbatch-multi-prog.1 man/hbatch-output.1 man/hbatch-pgrep.1 man/hbatch-pkill.1 man/hbatch-proxy.1 man/hbatch-pstree.1 man/hbatch-python.1 \
	man/hbatch-report.1 man/hbatch-resource.1 man/hbatch-shutdown.1 man/hbatch-simulate.1 man/hbatch-start.1 man/hbatch-top.1 man/hbatch-uptime.1 \
	man/hbatch-uri.1 man/hbatch-wait-event.1 man/hbatch-watch.1 \
	man/libhbatch.3 man/hbatch-python.3 man/hbatch_mpi.3 \
	man/hbatch-compat.7 man/hbatch-environment.7 man/hbatch-flux.7 man/hbatch-formats.7 man/hbatch-output.7 man/hbatch-protocol.7 man/hbatch-spawn.7 \
	man/hbatch-exec.8
dist_man_MANS += man/hbatch-account.1 man/hbatch-config.1 man/hbatch-config.5 man/hbatch-queue.1 man/hbatch-update.1
nodist_man_MANS = man/hbatch-alloc.1 man/hbatch-batch.1 man/hbatch-bulksubmit.1 man/hbatch-run.1 man/hbatch-submit.1
EXTRA_DIST += man/hbatch-alloc.1.in man/hbatch-batch.1.in man/hbatch-bulksubmit.1.in man/hbatch-run.1.in man/hbatch-submit.1.in man/job-options.in
CLEANFILES += man/hbatch-alloc.1 man/hbatch-batch.1 man/hbatch-bulksubmit.1 man/hbatch-run.1 man/hbatch-submit.1

JOB_OPTIONS = $(srcdir)/man/job-options.in
WITH_JOB_OPTIONS = $(AM_V_GEN)$(MKDIR_P) man && \
	$(AWK) -v part=$(JOB_OPTIONS) '/^@job-options.*@$$/ { \
		want = substr($$0, 14, length($$0) - 14); \
		while ((getline line <part) > 0) { \
			if (line ~ /^\.Ss /) on = want == "" || index(want ";", substr(line, 5) ";"); \
			if (on) print line; } \
		close(part); next } \
	{ print }'
man/hbatch-alloc.1: $(srcdir)/man/hbatch-alloc.1.in $(JOB_OPTIONS)
	$(WITH_JOB_OPTIONS) $(srcdir)/man/hbatch-alloc.1.in >$@
man/hbatch-batch.1: $(srcdir)/man/hbatch-batch.1.in $(JOB_OPTIONS)
	$(WITH_JOB_OPTIONS) $(srcdir)/man/hbatch-batch.1.in >$@
man/hbatch-bulksubmit.1: $(srcdir)/man/hbatch-bulksubmit.1.in $(JOB_OPTIONS)
	$(WITH_JOB_OPTIONS) $(srcdir)/man/hbatch-bulksubmit.1.in >$@
man/hbatch-run.1: $(srcdir)/man/hbatch-run.1.in $(JOB_OPTIONS)
	$(WITH_JOB_OPTIONS) $(srcdir)/man/hbatch-run.1.in >$@
man/hbatch-submit.1: $(srcdir)/man/hbatch-submit.1.in $(JOB_OPTIONS)
	$(WITH_JOB_OPTIONS) $(srcdir)/man/hbatch-submit.1.in >$@
