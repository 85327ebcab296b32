# Unit tests: one program per concept, Check; each paragraph adds one.
UNIT_LIBS = src/job/libjob.la src/common/libcommon.la $(CHECK_LIBS)
UNIT_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
UNIT =
noinst_HEADERS = tests/unit/unit.h tests/unit/mutate.h tests/unit/mutate_json.h

if HAVE_CHECK
UNIT += tests/unit/t_error
endif
tests_unit_t_error_SOURCES = tests/unit/t_error.c
tests_unit_t_error_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_error_LDADD = src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_base64
endif
tests_unit_t_base64_SOURCES = tests/unit/t_base64.c
tests_unit_t_base64_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_base64_LDADD = src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_utf8
endif
tests_unit_t_utf8_SOURCES = tests/unit/t_utf8.c
tests_unit_t_utf8_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_utf8_LDADD = src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_idset
endif
tests_unit_t_idset_SOURCES = tests/unit/t_idset.c
tests_unit_t_idset_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_idset_LDADD = src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_hostlist
endif
tests_unit_t_hostlist_SOURCES = tests/unit/t_hostlist.c
tests_unit_t_hostlist_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_hostlist_LDADD = src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_exchange
endif
tests_unit_t_exchange_SOURCES = tests/unit/t_exchange.c
tests_unit_t_exchange_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_exchange_LDADD = pmi/libpmi.la src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_jobid
endif
tests_unit_t_jobid_SOURCES = tests/unit/t_jobid.c
tests_unit_t_jobid_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_jobid_LDADD = src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_duration
endif
tests_unit_t_duration_SOURCES = tests/unit/t_duration.c
tests_unit_t_duration_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_duration_LDADD = src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_store
endif
tests_unit_t_store_SOURCES = tests/unit/t_store.c tests/unit/storekit.h tests/unit/replay.c tests/unit/replay.h
tests_unit_t_store_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_store_LDADD = src/store/libstore.la $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_salvage
tests_unit_t_salvage_SOURCES = tests/unit/t_salvage.c
tests_unit_t_salvage_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_salvage_LDADD = src/store/libstore.la $(UNIT_LIBS)
UNIT += tests/unit/t_store_rebuild
endif
tests_unit_t_store_rebuild_SOURCES = tests/unit/t_store_rebuild.c tests/unit/storekit.h tests/unit/storejobs.h
tests_unit_t_store_rebuild_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_store_rebuild_LDADD = src/store/libstore.la $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_store_copy
endif
tests_unit_t_store_copy_SOURCES = tests/unit/t_store_copy.c tests/unit/storekit.h tests/unit/storejobs.h
tests_unit_t_store_copy_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_store_copy_LDADD = src/store/libstore.la $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_store_file
endif
tests_unit_t_store_file_SOURCES = tests/unit/t_store_file.c tests/unit/storekit.h
tests_unit_t_store_file_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_store_file_LDADD = src/store/libstore.la $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_store_purge
endif
tests_unit_t_store_purge_SOURCES = tests/unit/t_store_purge.c
tests_unit_t_store_purge_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_store_purge_LDADD = src/store/libstore.la $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_count
endif
tests_unit_t_count_SOURCES = tests/unit/t_count.c
tests_unit_t_count_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_count_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_jobspec
endif
tests_unit_t_jobspec_SOURCES = tests/unit/t_jobspec.c
tests_unit_t_jobspec_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_jobspec_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_kvs
endif
tests_unit_t_kvs_SOURCES = tests/unit/t_kvs.c
tests_unit_t_kvs_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_kvs_LDADD = pmi/libpmi.la src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_shape
endif
tests_unit_t_shape_SOURCES = tests/unit/t_shape.c
tests_unit_t_shape_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_shape_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_rset
endif
tests_unit_t_rset_SOURCES = tests/unit/t_rset.c
tests_unit_t_rset_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_rset_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_taskmap
endif
tests_unit_t_taskmap_SOURCES = tests/unit/t_taskmap.c
tests_unit_t_taskmap_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_taskmap_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_procid
endif
tests_unit_t_procid_SOURCES = tests/unit/t_procid.c
tests_unit_t_procid_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_procid_LDADD = src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_strbuf tests/unit/t_sshdest
endif
tests_unit_t_strbuf_SOURCES = tests/unit/t_strbuf.c
tests_unit_t_strbuf_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_strbuf_LDADD = src/common/libcommon.la $(CHECK_LIBS)
tests_unit_t_sshdest_SOURCES = tests/unit/t_sshdest.c
tests_unit_t_sshdest_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_sshdest_LDADD = src/lib/libclient.la src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_pool
endif
tests_unit_t_pool_SOURCES = tests/unit/t_pool.c
tests_unit_t_pool_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_pool_LDADD = src/sched/libsched.la $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_bytes
endif
tests_unit_t_bytes_SOURCES = tests/unit/t_bytes.c
tests_unit_t_bytes_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_bytes_LDADD = $(UNIT_LIBS)
EXTRA_DIST += tests/system/programs.t tests/mpi/programs.t tests/mpi/programs.c
EXTRA_DIST += tests/system/listall.t
EXTRA_DIST += tests/system/placement.t tests/system/memory.t tests/system/gpus.t

if HAVE_CHECK
UNIT += tests/unit/t_mixed
endif
tests_unit_t_mixed_SOURCES = tests/unit/t_mixed.c
tests_unit_t_mixed_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_mixed_LDADD = src/sched/libsched.la $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_poolmodel
endif
tests_unit_t_poolmodel_SOURCES = tests/unit/t_poolmodel.c tests/unit/poolmodel.c tests/unit/poolmodel.h
tests_unit_t_poolmodel_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_poolmodel_LDADD = src/sched/libsched.la $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_default_memory
endif
tests_unit_t_default_memory_SOURCES = tests/unit/t_default_memory.c
tests_unit_t_default_memory_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_default_memory_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_poolparts
endif
tests_unit_t_poolparts_SOURCES = tests/unit/t_poolparts.c
tests_unit_t_poolparts_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_poolparts_LDADD = src/sched/libsched.la $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_sim
endif
tests_unit_t_sim_SOURCES = tests/unit/t_sim.c
tests_unit_t_sim_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_sim_LDADD = src/sim/libsim.la $(UNIT_LIBS) -lm

if HAVE_CHECK
UNIT += tests/unit/t_conservative
endif
tests_unit_t_conservative_SOURCES = tests/unit/t_conservative.c tests/unit/amounts.h
tests_unit_t_conservative_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_conservative_LDADD = src/sched/libsched.la $(UNIT_LIBS) -lm

if HAVE_CHECK
UNIT += tests/unit/t_priority
endif
tests_unit_t_priority_SOURCES = tests/unit/t_priority.c
tests_unit_t_priority_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_priority_LDADD = src/sched/libsched.la $(UNIT_LIBS) -lm

if HAVE_CHECK
UNIT += tests/unit/t_conf tests/unit/t_config tests/unit/t_fairshare
endif
tests_unit_t_fairshare_SOURCES = tests/unit/t_fairshare.c
tests_unit_t_fairshare_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_fairshare_LDADD = src/sched/libsched.la $(UNIT_LIBS) -lm
tests_unit_t_conf_SOURCES = tests/unit/t_conf.c
tests_unit_t_conf_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_conf_LDADD = src/job/libjob.la $(UNIT_LIBS)
tests_unit_t_config_SOURCES = tests/unit/t_config.c
tests_unit_t_config_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_config_LDADD = src/sched/libsched.la $(UNIT_LIBS) -lm

if HAVE_CHECK
UNIT += tests/unit/t_easy
endif
tests_unit_t_easy_SOURCES = tests/unit/t_easy.c tests/unit/amounts.h
tests_unit_t_easy_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_easy_LDADD = src/sched/libsched.la $(UNIT_LIBS) -lm

if HAVE_CHECK
UNIT += tests/unit/t_sched
endif
tests_unit_t_sched_SOURCES = tests/unit/t_sched.c
tests_unit_t_sched_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_sched_LDADD = src/sched/libsched.la $(UNIT_LIBS)

noinst_HEADERS += tests/unit/poolkit.h
noinst_PROGRAMS += tests/bench/bench_sched
tests_bench_bench_sched_SOURCES = tests/bench/bench_sched.c
tests_bench_bench_sched_LDADD = src/sched/libsched.la src/job/libjob.la src/common/libcommon.la

if HAVE_CHECK
UNIT += tests/unit/t_pmi1
endif
tests_unit_t_pmi1_SOURCES = tests/unit/t_pmi1.c tests/unit/wirenet.h
tests_unit_t_pmi1_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_pmi1_LDADD = pmi/libpmi.la src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_linebuf
endif
tests_unit_t_linebuf_SOURCES = tests/unit/t_linebuf.c
tests_unit_t_linebuf_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_linebuf_LDADD = src/comm/libwire.la src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_spawner
endif
tests_unit_t_spawner_SOURCES = tests/unit/t_spawner.c
tests_unit_t_spawner_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_spawner_LDADD = pmi/libpmi.la src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_nameserv
endif
tests_unit_t_nameserv_SOURCES = tests/unit/t_nameserv.c
tests_unit_t_nameserv_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_nameserv_LDADD = pmi/libpmi.la src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_lifeline tests/unit/t_greeting tests/unit/t_tcpaddr
endif
noinst_HEADERS += tests/unit/lifelinekit.h
LIFELINE_TEST_LIBS = src/comm/libcomm.la src/common/libcommon.la $(UV_LIBS) $(CHECK_LIBS)
tests_unit_t_lifeline_SOURCES = tests/unit/t_lifeline.c
tests_unit_t_lifeline_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_lifeline_LDADD = $(LIFELINE_TEST_LIBS)
tests_unit_t_greeting_SOURCES = tests/unit/t_greeting.c
tests_unit_t_greeting_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_greeting_LDADD = $(LIFELINE_TEST_LIBS)
tests_unit_t_tcpaddr_SOURCES = tests/unit/t_tcpaddr.c
tests_unit_t_tcpaddr_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_tcpaddr_LDADD = $(LIFELINE_TEST_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_traffic
endif
tests_unit_t_traffic_SOURCES = tests/unit/t_traffic.c src/comm/traffic.c
tests_unit_t_traffic_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_traffic_LDADD = src/common/libcommon.la $(JSON_LIBS) $(CHECK_LIBS)

# A launcher over pmi.h alone, for tests/mpi/pmix.t and for measuring.
noinst_PROGRAMS += tests/mpi/pmiharness
tests_mpi_pmiharness_SOURCES = tests/mpi/pmiharness.c tests/mpi/pmiharness.h tests/mpi/pmiharness_node.c
tests_mpi_pmiharness_CFLAGS = $(AM_CFLAGS) $(PMIX_CFLAGS)
tests_mpi_pmiharness_LDADD = pmi/libpmi.la src/comm/libcomm.la src/common/libcommon.la $(UV_LIBS)
EXTRA_DIST += tests/mpi/pmix.t tests/mpi/modex.c tests/mpi/spawn.c tests/mpi/spawn_multiple.c \
	tests/mpi/publish.c

if HAVE_CHECK
UNIT += tests/unit/t_pmi2
endif
tests_unit_t_pmi2_SOURCES = tests/unit/t_pmi2.c tests/unit/wirenet.h
tests_unit_t_pmi2_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_pmi2_LDADD = pmi/libpmi.la src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_specs
endif
tests_unit_t_specs_SOURCES = tests/unit/t_specs.c src/instance/specs.c
tests_unit_t_specs_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_specs_LDADD = src/common/libcommon.la $(JSON_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_bulk tests/unit/t_spectext
endif
tests_unit_t_bulk_SOURCES = tests/unit/t_bulk.c
tests_unit_t_bulk_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_bulk_LDADD = $(UNIT_LIBS)
tests_unit_t_spectext_SOURCES = tests/unit/t_spectext.c
tests_unit_t_spectext_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_spectext_LDADD = src/lib/libclient.la $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_progress
endif
tests_unit_t_progress_SOURCES = tests/unit/t_progress.c
tests_unit_t_progress_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_progress_LDADD = src/lib/libclient.la $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_leader tests/unit/t_lease tests/unit/t_jobsize tests/unit/t_waitsize tests/unit/t_forms
endif
tests_unit_t_forms_SOURCES = tests/unit/t_forms.c
tests_unit_t_forms_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_forms_LDADD = $(INSTANCE_LIBS) $(CHECK_LIBS)
tests_unit_t_leader_SOURCES = tests/unit/t_leader.c tests/unit/leaderkit.h
tests_unit_t_leader_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_leader_LDADD = $(INSTANCE_LIBS) $(CHECK_LIBS)
tests_unit_t_waitsize_SOURCES = tests/unit/t_waitsize.c tests/unit/leaderkit.h
tests_unit_t_waitsize_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_waitsize_LDADD = $(INSTANCE_LIBS) $(CHECK_LIBS)
tests_unit_t_jobsize_SOURCES = tests/unit/t_jobsize.c
tests_unit_t_jobsize_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_jobsize_LDADD = $(INSTANCE_LIBS) $(CHECK_LIBS)
tests_unit_t_lease_SOURCES = tests/unit/t_lease.c tests/unit/leaderkit.h
tests_unit_t_lease_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_lease_LDADD = $(INSTANCE_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_array
endif
tests_unit_t_array_SOURCES = tests/unit/t_array.c src/instance/array.c
tests_unit_t_array_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_array_LDADD = src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_netlock
endif
tests_unit_t_netlock_SOURCES = tests/unit/t_netlock.c
tests_unit_t_netlock_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_netlock_LDADD = src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_keys
endif
tests_unit_t_keys_SOURCES = tests/unit/t_keys.c src/instance/keys.c
tests_unit_t_keys_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_keys_LDADD = src/common/libcommon.la $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_journal
endif
tests_unit_t_journal_SOURCES = tests/unit/t_journal.c src/instance/journal.c
tests_unit_t_journal_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_journal_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_state
endif
tests_unit_t_state_SOURCES = tests/unit/t_state.c tests/unit/replay.c tests/unit/replay.h
tests_unit_t_state_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_state_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_eventlog
endif
tests_unit_t_eventlog_SOURCES = tests/unit/t_eventlog.c
tests_unit_t_eventlog_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_eventlog_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_constraint
endif
tests_unit_t_constraint_SOURCES = tests/unit/t_constraint.c
tests_unit_t_constraint_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_constraint_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_property
endif
tests_unit_t_property_SOURCES = tests/unit/t_property.c
tests_unit_t_property_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_property_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_format tests/unit/t_envrules
endif
tests_unit_t_format_SOURCES = tests/unit/t_format.c src/cli/format.c src/cli/format_parse.c src/cli/format_value.c src/cli/nearest.c
tests_unit_t_format_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_format_LDADD = $(UNIT_LIBS)
UNIT += tests/unit/t_report
tests_unit_t_report_SOURCES = tests/unit/t_report.c src/cli/report.c src/cli/report_html.c src/cli/report_text.c \
	src/cli/jobfields.c src/cli/format.c src/cli/format_parse.c src/cli/format_value.c src/cli/nearest.c src/cli/cli.c src/cli/ids.c src/cli/optparse.c tests/unit/noverbs.c
nodist_tests_unit_t_report_SOURCES = src/cli/report_assets.c
tests_unit_t_report_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_report_LDADD = $(CLIENT_LIBS) $(UNIT_LIBS)
UNIT += tests/unit/t_since
tests_unit_t_since_SOURCES = tests/unit/t_since.c src/cli/since.c
tests_unit_t_since_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_since_LDADD = $(UNIT_LIBS)
tests_unit_t_envrules_SOURCES = tests/unit/t_envrules.c
tests_unit_t_envrules_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_envrules_LDADD = src/lib/libclient.la $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_template tests/unit/t_spool tests/unit/t_detect tests/unit/t_execenv tests/unit/t_memcg
endif
EXEC_TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
EXEC_TEST_LIBS = src/exec/libexec.la $(CHECK_LIBS)
tests_unit_t_template_SOURCES = tests/unit/t_template.c
tests_unit_t_template_CFLAGS = $(EXEC_TEST_CFLAGS)
tests_unit_t_template_LDADD = $(EXEC_TEST_LIBS)
tests_unit_t_spool_SOURCES = tests/unit/t_spool.c
tests_unit_t_spool_CFLAGS = $(EXEC_TEST_CFLAGS)
tests_unit_t_spool_LDADD = $(EXEC_TEST_LIBS)
tests_unit_t_detect_SOURCES = tests/unit/t_detect.c
tests_unit_t_detect_CFLAGS = $(EXEC_TEST_CFLAGS)
tests_unit_t_detect_LDADD = $(EXEC_TEST_LIBS)
tests_unit_t_memcg_SOURCES = tests/unit/t_memcg.c
tests_unit_t_memcg_CFLAGS = $(EXEC_TEST_CFLAGS)
tests_unit_t_memcg_LDADD = $(EXEC_TEST_LIBS)
tests_unit_t_execenv_SOURCES = tests/unit/t_execenv.c
tests_unit_t_execenv_CFLAGS = $(EXEC_TEST_CFLAGS)
tests_unit_t_execenv_LDADD = $(EXEC_TEST_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_noise tests/unit/t_subst tests/unit/t_sources
endif
tests_unit_t_subst_SOURCES = tests/unit/t_subst.c src/cli/subst.c
tests_unit_t_subst_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_subst_LDADD = $(UNIT_LIBS)
tests_unit_t_sources_SOURCES = tests/unit/t_sources.c src/cli/sources.c src/cli/records.c
tests_unit_t_sources_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_sources_LDADD = $(UNIT_LIBS)
tests_unit_t_noise_SOURCES = tests/unit/t_noise.c src/cli/noise.c
tests_unit_t_noise_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_noise_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_checks
endif
tests_unit_t_checks_SOURCES = tests/unit/t_checks.c src/instance/checks.c
tests_unit_t_checks_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_checks_LDADD = $(UNIT_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_jobspec_instance
endif
tests_unit_t_jobspec_instance_SOURCES = tests/unit/t_jobspec_instance.c
tests_unit_t_jobspec_instance_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_jobspec_instance_LDADD = $(CLIENT_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_directives
endif
tests_unit_t_directives_SOURCES = tests/unit/t_directives.c
tests_unit_t_directives_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_directives_LDADD = $(UNIT_LIBS)

check_PROGRAMS += $(UNIT)
TESTS += $(UNIT)

# System and MPI tests: run by prove (see bootstrap), against the tree that HBATCH_BUILDDIR names.
EXTRA_DIST += tests/system/lib.sh tests/system/loss.t tests/mpi/lib.sh tests/mpi/hpccinf.txt tests/mpi/pool.py \
	tests/mpi/abort.c tests/mpi/allreduce.c tests/mpi/early.c tests/mpi/hello.c \
	tests/mpi/nap.c tests/mpi/ring.c tests/mpi/wait.c tests/mpi/apps.t tests/mpi/mpi4py.t tests/mpi/mpich.t \
	tests/mpi/nodes.t tests/mpi/openmpi.t tests/mpi/spawn.t tests/mpi/two_jobs.t \
	tests/mpi/spawn.c tests/mpi/spawn_multiple.c tests/mpi/publish.c examples/demo.sh
EXTRA_DIST += tests/cluster/README tests/cluster/cluster tests/cluster/node.py tests/cluster/rsh \
	tests/cluster/env.sh tests/cluster/lib.sh tests/cluster/slurm tests/cluster/cluster.t tests/cluster/slurm.t \
	tests/cluster/gridengine tests/cluster/gridengine-hbatch.t
EXTRA_DIST += tests/mpi/wire.t tests/mpi/pmi1client.py tests/mpi/pmi2client.c
EXTRA_DIST += tests/system/exec.t tests/system/execlive.t tests/system/execlease.t tests/system/execlane.t tests/system/lease.t tests/system/executor.py
EXTRA_DIST += tests/system/clients.t tests/system/clients.py tests/system/cylc.t tests/system/nipype.t
EXTRA_DIST += tests/system/raw.py tests/system/badinput.t tests/system/crash.t tests/system/policy.t tests/system/queue.t tests/system/simulate.t \
	tests/system/output.t tests/system/multinode.t tests/system/pmi-bad.t tests/system/valgrind.t tests/system/report.t tests/system/archive.t tests/system/badverbs.t tests/system/completion.t tests/system/rankexec.t tests/system/verbs.t
EXTRA_DIST += tests/system/batch.t tests/system/depend.t tests/system/reconnect.t tests/system/cutter.py
EXTRA_DIST += tests/system/start.t tests/system/terminal.py
EXTRA_DIST += tests/system/cli.t tests/system/fakeleader.py tests/system/libclient.t \
	tests/system/nonsense.t
check_PROGRAMS += tests/system/libclient
tests_system_libclient_SOURCES = tests/system/libclient.c
tests_system_libclient_CPPFLAGS = -I$(top_srcdir)/src/lib
tests_system_libclient_LDADD = src/lib/libhbatch.la
EXTRA_DIST += tests/system/libthreads.t tests/system/pytables.t tests/system/pytables.py
check_PROGRAMS += tests/system/libthreads
tests_system_libthreads_SOURCES = tests/system/libthreads.c
tests_system_libthreads_CPPFLAGS = -I$(top_srcdir)/src/lib
tests_system_libthreads_LDADD = src/lib/libhbatch.la -lpthread
EXTRA_DIST += tests/system/execlink.t
check_PROGRAMS += tests/system/execlink
tests_system_execlink_SOURCES = tests/system/execlink.c
tests_system_execlink_LDADD = $(INSTANCE_LIBS)
EXTRA_DIST += tests/system/ends.t tests/system/man.t tests/system/layers.t tests/system/examples.t examples/README examples/array.sh \
	examples/manager.c examples/pi.c examples/watch.py

# Several hosts from namespaces: as root.
EXTRA_DIST += tests/system/sub.t tests/system/domains.t tests/system/grow.t tests/system/growloss.t tests/system/grant.t tests/system/fakechild.py tests/cluster/chaos.t tests/cluster/chaos.py
EXTRA_DIST += tests/cluster/tree.t tests/cluster/tree-slurm.t tests/system/many.t
EXTRA_DIST += tests/system/statedir.t tests/system/durable.t tests/system/stream.t tests/system/recover.t tests/system/rankloss.t tests/cluster/hbatch.t tests/cluster/slurm-hbatch.t tests/system/foreign.t
.PHONY: check-cluster
check-cluster: all
	HBATCH_BUILDDIR=$(abs_top_builddir) prove -e '' $(top_srcdir)/tests/cluster/*.t

# A clock that is wrong, for one rank of an instance.
check_LTLIBRARIES = tests/system/skew.la
tests_system_skew_la_SOURCES = tests/system/skew.c
tests_system_skew_la_CFLAGS = -fno-sanitize=all
tests_system_skew_la_LDFLAGS = -fno-sanitize=all -module -avoid-version -shared -rpath /nowhere
EXTRA_DIST += tests/system/badstart.t tests/cluster/unreachable.t
EXTRA_DIST += tests/system/supervise.t tests/system/fakempirun tests/system/restart.t tests/cluster/return.t
EXTRA_DIST += tests/system/tutorial.t tests/system/badbatch.t examples/tutorial/README examples/tutorial/mpi_hellosleep.c \
	examples/tutorial/simple.sh examples/tutorial/directives.sh examples/tutorial/flux.sh \
	examples/tutorial/script1.sh examples/tutorial/script2.sh examples/tutorial/nested.sh \
	examples/tutorial/levels.sh examples/tutorial/chain.sh examples/tutorial/dependent.sh \
	examples/tutorial/resources.sh examples/tutorial/service.sh examples/tutorial/driver.py \
	examples/tutorial/submit.py examples/tutorial/executor.py examples/tutorial/flux_executor.py
EXTRA_DIST += tests/system/array.t tests/system/fold.t tests/system/spool.t tests/system/flood.t tests/system/rows.t tests/system/bulk.t tests/system/bulkloss.t tests/system/history.t
EXTRA_DIST += tests/system/relay.t tests/system/ssh.t tests/system/enclosed.t tests/system/alloc.t tests/system/top.t tests/system/screen.py

if HAVE_CHECK
UNIT += tests/unit/t_spawn_info
endif
tests_unit_t_spawn_info_SOURCES = tests/unit/t_spawn_info.c src/instance/spawn_info.c
tests_unit_t_spawn_info_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_spawn_info_LDADD = $(UNIT_LIBS)

# The spawn API, on its users' side.
EXTRA_DIST += tests/mpi/spawnapi.t tests/mpi/spawnkeys.t examples/spawn_instance.py
check_PROGRAMS += tests/mpi/spawnapi
tests_mpi_spawnapi_SOURCES = tests/mpi/spawnapi.c
tests_mpi_spawnapi_CPPFLAGS = -I$(top_srcdir)/src/lib -I$(top_srcdir)/src/mpi
tests_mpi_spawnapi_CFLAGS = $(AM_CFLAGS) $(MPI_CFLAGS) -Wno-cast-qual
tests_mpi_spawnapi_LDFLAGS = $(AM_LDFLAGS) -no-install
tests_mpi_spawnapi_LDADD = src/mpi/libhbatch-mpi.la src/lib/libhbatch.la $(MPI_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_launch_options
endif
tests_unit_t_launch_options_SOURCES = tests/unit/t_launch_options.c
tests_unit_t_launch_options_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_launch_options_LDADD = src/job/libjob.la $(UNIT_LIBS)

EXTRA_DIST += tests/system/python.t tests/system/python.py tests/system/fluxpy.t tests/system/fluxpy.py tests/system/snakemake.t
EXTRA_DIST += tests/system/flux.t tests/system/slurm.t tests/system/snakeslurm.t tests/system/toil.t

EXTRA_DIST += tests/system/queues.t tests/system/update.t tests/system/account.t tests/system/preempt.t tests/system/purge.t tests/system/waiters.t tests/system/fluxverbs.t

if HAVE_CHECK
UNIT += tests/unit/t_singles tests/unit/t_depend
endif
tests_unit_t_singles_SOURCES = tests/unit/t_singles.c
tests_unit_t_singles_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_singles_LDADD = $(INSTANCE_LIBS) $(CHECK_LIBS)
tests_unit_t_depend_SOURCES = tests/unit/t_depend.c
tests_unit_t_depend_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_depend_LDADD = $(INSTANCE_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
UNIT += tests/unit/t_slurmforms
endif
tests_unit_t_slurmforms_SOURCES = tests/unit/t_slurmforms.c compat/slurm/forms.c
tests_unit_t_slurmforms_CFLAGS = $(UNIT_CFLAGS)
tests_unit_t_slurmforms_LDADD = src/common/libcommon.la $(UNIT_LIBS)
