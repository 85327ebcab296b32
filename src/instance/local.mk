# All but the program's beginning, for tests.
noinst_LTLIBRARIES += src/instance/libinstance.la
src_instance_libinstance_la_SOURCES = \
	src/instance/instance.h \
	src/instance/gather.c \
	src/instance/gather_impl.h \
	src/instance/prepare.c \
	src/instance/statedir.c src/instance/statedir.h \
	src/instance/former.c src/instance/former.h \
	src/instance/front.c src/instance/front.h \
	src/instance/lead.c src/instance/lead.h \
	src/instance/sub.c src/instance/sub.h \
	src/instance/options.c src/instance/options.h \
	src/instance/node.c src/instance/node.h \
	src/instance/checks.c src/instance/checks.h \
	src/instance/early.c src/instance/early.h \
	src/instance/execlink.c src/instance/execlink.h \
	src/instance/server.c src/instance/server.h \
	src/instance/router.c src/instance/router.h \
	src/instance/relay.c src/instance/relay.h \
	src/instance/leader.c src/instance/leader.h src/instance/leader_impl.h \
	src/instance/news.c src/instance/news.h \
	src/instance/bypass.c src/instance/bypass.h \
	src/instance/archives.c src/instance/archives.h src/instance/rpc_archive.c \
	src/instance/logring.c src/instance/logring.h \
	src/instance/journal.c src/instance/journal.h \
	src/instance/keys.c src/instance/keys.h \
	src/instance/queues.c src/instance/queues.h src/instance/queues_impl.h src/instance/queues_admit.c src/instance/queues_describe.c src/instance/leader_queues.c src/instance/standing.c src/instance/standing.h src/instance/account.c src/instance/rpc_account.c src/instance/rpc_purge.c src/instance/waitable.c \
	src/instance/array.c src/instance/array.h \
	src/instance/element.c src/instance/element.h \
	src/instance/fold.c src/instance/fold.h \
	src/instance/elements.c \
	src/instance/change.c src/instance/change.h \
	src/instance/submission.c \
	src/instance/replica.c src/instance/replica.h src/instance/replica_impl.h \
	src/instance/replica_jobs.c src/instance/replica_instance.c src/instance/replica_answer.c \
	src/instance/members.c src/instance/members.h src/instance/members_impl.h \
	src/instance/succession.c \
	src/instance/turn.c src/instance/turn.h \
	src/instance/grow.c src/instance/grow.h \
	src/instance/shrink.c src/instance/shrink.h \
	src/instance/join.c src/instance/join.h \
	src/instance/enclosed.c src/instance/enclosed.h \
	src/instance/surroundings.c src/instance/surroundings.h \
	src/instance/usage.c src/instance/usage.h \
	src/instance/forms.c src/instance/forms.h \
	src/instance/job.c src/instance/job.h \
	src/instance/joblog.c src/instance/joblog.h \
	src/instance/site.c src/instance/site.h \
	src/instance/mapping.c src/instance/mapping.h \
	src/instance/record.c src/instance/record.h \
	src/instance/restore.c \
	src/instance/adopt.c \
	src/instance/gate.c \
	src/instance/specs.c src/instance/specs.h \
	src/instance/manager.c src/instance/manager_impl.h src/instance/manager_run.c \
	src/instance/manager_end.c src/instance/manager_requeue.c src/instance/submission.c \
	src/instance/devices.c src/instance/devices.h src/instance/depend.c src/instance/depend.h src/instance/depend_impl.h src/instance/depend_lookup.c \
	src/instance/singles.c src/instance/singles.h \
	src/instance/launch.c \
	src/instance/lease.c src/instance/lease.h \
	src/instance/report.c \
	src/instance/leader_nodes.c \
	src/instance/obey.c src/instance/obey.h \
	src/instance/stream.c src/instance/stream_output.c src/instance/stream_end.c src/instance/stream_impl.h \
	src/instance/spawner.c src/instance/spawner.h \
	src/instance/spawn_info.c src/instance/spawn_info.h \
	src/instance/spawn.c src/instance/grant.c src/instance/rpc_grant.c src/instance/rpc_share.c src/instance/orders.c \
	src/instance/tie.c src/instance/watch.c \
	src/instance/outputs.c \
	src/instance/params.c src/instance/params.h \
	src/instance/joblist.c src/instance/joblist.h \
	src/instance/jobview.c src/instance/jobview.h \
	src/instance/storedview.c src/instance/storedview.h \
	src/instance/rpc.c \
	src/instance/rpc_job.c \
	src/instance/rpc_list.c \
	src/instance/rpc_resource.c \
	src/instance/rpc_instance.c \
	src/instance/rpc_queue.c src/instance/update.c src/instance/preempt.c
INSTANCE_LIBS = src/instance/libinstance.la src/foreign/libforeign.la src/comm/libcomm.la src/store/libstore.la \
	src/sched/libsched.la src/job/libjob.la src/common/libcommon.la \
	$(SQLITE_LIBS) $(UV_LIBS) $(HWLOC_LIBS) $(JSON_LIBS) -ldl

# hbatch-instance lies beside hbatch: both are programs that users name.
bin_PROGRAMS += bin/hbatch-instance
bin_hbatch_instance_SOURCES = src/instance/main.c
bin_hbatch_instance_LDADD = $(INSTANCE_LIBS)
