bin_PROGRAMS += bin/hbatch
bin_hbatch_SOURCES = \
	src/cli/main.c src/cli/verbs.h \
	src/cli/attach.c src/cli/attach.h \
	src/cli/cli.c src/cli/cli.h \
	src/cli/cmd_alloc.c \
	src/cli/cmd_archive.c \
	src/cli/cmd_attach.c \
	src/cli/cmd_batch.c \
	src/cli/cmd_bulksubmit.c \
	src/cli/cmd_cancel.c \
	src/cli/cmd_config.c \
	src/cli/cmd_complete.c \
	src/cli/cmd_dmesg.c \
	src/cli/cmd_env.c \
	src/cli/cmd_exec.c \
	src/cli/cmd_export.c \
	src/cli/cmd_getattr.c \
	src/cli/cmd_help.c \
	src/cli/cmd_hostlist.c src/cli/hostset.c src/cli/hostset.h \
	src/cli/cmd_info.c \
	src/cli/cmd_job.c src/cli/job_cancelall.c src/cli/job_control.c src/cli/job_hostpids.c src/cli/job_purge.c src/cli/job_info.c src/cli/guest.c src/cli/guest.h src/cli/listing.c src/cli/listing.h src/cli/resource_drain.c src/cli/resource_rows.c src/cli/resource_rows.h src/cli/resource_status.c src/cli/resource_eventlog.c src/cli/resource.h src/cli/tail.c src/cli/tail.h src/cli/pending.c src/cli/pending.h src/cli/job_query.c src/cli/job_resubmit.c src/cli/job_wait.c \
	src/cli/cmd_jobs.c \
	src/cli/cmd_multiprog.c src/cli/shwords.c src/cli/shwords.h \
	src/cli/cmd_output.c \
	src/cli/cmd_pgrep.c \
	src/cli/cmd_proxy.c \
	src/cli/cmd_pstree.c \
	src/cli/cmd_python.c \
	src/cli/cmd_account.c src/cli/cmd_queue.c \
	src/cli/cmd_update.c \
	src/cli/cmd_relay.c \
	src/cli/precheck.c src/cli/precheck.h \
	src/cli/cmd_report.c src/cli/report.c src/cli/report.h src/cli/report_html.c src/cli/report_text.c src/cli/report_json.c \
	src/cli/cmd_resource.c src/cli/resize.c src/cli/resize.h \
	src/cli/cmd_run.c \
	src/cli/cmd_shutdown.c \
	src/cli/cmd_simulate.c \
	src/cli/cmd_start.c \
	src/cli/cmd_submit.c \
	src/cli/cmd_top.c src/cli/top.c src/cli/top.h src/cli/top_page.c src/cli/top_terminal.h \
	src/cli/canvas.c src/cli/canvas.h \
	src/cli/cmd_uptime.c \
	src/cli/cmd_uri.c \
	src/cli/cmd_version.c \
	src/cli/cmd_watch.c \
	src/cli/events.c src/cli/events.h \
	src/cli/feed.c src/cli/feed.h \
	src/cli/format.c src/cli/format.h src/cli/format_impl.h \
	src/cli/format_parse.c src/cli/format_value.c \
	src/cli/gauge.c src/cli/gauge.h \
	src/cli/history.c src/cli/history.h \
	src/cli/ids.c src/cli/ids.h \
	src/cli/inside.c src/cli/inside.h \
	src/cli/installed.c src/cli/installed.h \
	src/cli/instconf.c src/cli/instconf.h \
	src/cli/jobfields.c src/cli/jobfields.h \
	src/cli/jobquery.c src/cli/jobquery.h \
	src/cli/jobset.c src/cli/jobset.h \
	src/cli/launch_mpirun.c src/cli/launch_srun.c src/cli/launch_standalone.c \
	src/cli/launcher.h \
	src/cli/meter.c src/cli/meter.h \
	src/cli/nearest.c src/cli/nearest.h \
	src/cli/noise.c src/cli/noise.h \
	src/cli/optparse.c src/cli/optparse.h \
	src/cli/output.c src/cli/output.h \
	src/cli/color.c src/cli/color.h \
	src/cli/since.c src/cli/since.h \
	src/cli/formats.c src/cli/formats.h \
	src/cli/diagnose.c src/cli/diagnose.h \
	src/cli/guide.c src/cli/guide.h \
	src/cli/absent.c src/cli/absent.h \
	src/cli/place.c src/cli/place.h \
	src/cli/procfind.c src/cli/procfind.h \
	src/cli/ranks.c src/cli/ranks.h \
	src/cli/reach.c src/cli/reach.h \
	src/cli/records.c src/cli/records.h \
	src/cli/request.c src/cli/request.h \
	src/cli/sources.c src/cli/sources.h \
	src/cli/submitting.c src/cli/submitting.h \
	src/cli/subst.c src/cli/subst.h \
	src/cli/sshrun.c src/cli/sshrun.h \
	src/cli/supervise.c src/cli/supervise.h src/cli/supervise_impl.h src/cli/starts.c \
	src/cli/subtree.c src/cli/subtree.h \
	src/cli/target.c src/cli/target.h \
	src/cli/tree.c src/cli/tree.h \
	src/cli/specopts.c src/cli/specopts.h
bin_hbatch_CPPFLAGS = $(AM_CPPFLAGS) -DBINDIR='"$(bindir)"' -DPYTHONDIR='"$(pythondir)"' -DCOMPATDIR='"$(compatdir)"' -DDOCDIR='"$(docdir)"' -DMANDIR='"$(mandir)"'
bin_hbatch_LDADD = src/sim/libsim.la src/foreign/libforeign.la $(CLIENT_LIBS) -ldl

# The plugin is the only part that links ncurses.
plugins_LTLIBRARIES += bin/hbatch_top.la
bin_hbatch_top_la_SOURCES = src/cli/top_curses.c src/cli/top_terminal.h src/cli/canvas.h
bin_hbatch_top_la_CFLAGS = $(AM_CFLAGS) $(NCURSES_CFLAGS)
bin_hbatch_top_la_LDFLAGS = -module -avoid-version -shared
bin_hbatch_top_la_LIBADD = $(NCURSES_LIBS)
EXTRA_DIST += src/cli/README src/cli/hbatch.bash

# Style and script of the page of hbatch report, as lines of C.
nodist_bin_hbatch_SOURCES = src/cli/report_assets.c
EXTRA_DIST += src/cli/report.css src/cli/report.js
CLEANFILES += src/cli/report_assets.c
src/cli/report_assets.c: src/cli/report.css src/cli/report.js src/cli/local.mk
	$(AM_V_GEN)$(MKDIR_P) src/cli && { \
	  echo '#include "src/cli/report.h"'; \
	  for part in style:css script:js; do \
	    echo "const char *const report_$${part%:*}[] = {"; \
	    sed -e 's/^ *//' -e '/^\/[/*]/d' -e '/^$$/d' -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n",/' \
	      "$(srcdir)/src/cli/report.$${part#*:}"; \
	    echo '0};'; \
	  done; } >$@.tmp && mv -f $@.tmp $@

# bash looks for the completion of a command in a file of its name.
install-data-hook: install-completion
install-completion:
	$(MKDIR_P) "$(DESTDIR)$(datadir)/bash-completion/completions"
	$(INSTALL_DATA) $(srcdir)/src/cli/hbatch.bash "$(DESTDIR)$(datadir)/bash-completion/completions/hbatch"
uninstall-hook: uninstall-completion
uninstall-completion:
	rm -f "$(DESTDIR)$(datadir)/bash-completion/completions/hbatch"
.PHONY: install-completion uninstall-completion
