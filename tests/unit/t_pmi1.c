/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/wirenet.h"

#define INIT "cmd=init pmi_version=1 pmi_subversion=1\n"
#define INITED "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0\n"

static void talk(struct net *net, const struct line *lines)
{
    for (const struct line *l = lines; l->say || l->want; l++) {
        if (l->say) {
            net_write(net, l->task, l->say, strlen(l->say));
            net_run(net);
        }
        if (l->want) {
            const char *got = net_read(net, l->task);
            ck_assert_msg(strcmp(got, l->want) == 0,
                          "line %d: task %u said '%s', wanted '%s', got '%s'",
                          (int)(l - lines), l->task, l->say ? l->say : "", l->want, got);
        }
    }
}

START_TEST(one_node)
{
    static const struct line lines[] = {
        {0, INIT, INITED},
        {1, "cmd=init pmi_ver", ""}, /* in pieces */
        {1, "sion=1 pmi_subversion=1 more=x\n", INITED},
        {0, "cmd=get_maxes\n",
         "cmd=maxes rc=0 kvsname_max=64 keylen_max=64 vallen_max=1024\n"},
        {0, "cmd=get_appnum\n", "cmd=appnum rc=0 appnum=0\n"},
        {1, "cmd=get_appnum\n", "cmd=appnum rc=0 appnum=1\n"},
        {0, "cmd=get_my_kvsname\n", "cmd=my_kvsname rc=0 kvsname=hbatch.t.7\n"},
        {0, "cmd=get_universe_size\n", "cmd=universe_size rc=0 size=16\n"},
        {0, "cmd=get kvsname=hbatch.t.7 key=PMI_process_mapping\n",
         "cmd=get_result rc=0 msg=success value=(vector,(0,2,1))\n"},
        {0, "cmd=get kvsname=hbatch.t.7 key=PARENT\n",
         "cmd=get_result rc=-1 msg=key_PARENT_not_found\n"},
        {0, "cmd=get kvsname=other key=k\n",
         "cmd=get_result rc=-1 msg=kvs_other_not_found\n"},
        {0, "cmd=put kvsname=other key=k value=v\n",
         "cmd=put_result rc=-1 msg=kvs_other_not_found\n"},
        {0, "cmd=put kvsname=hbatch.t.7 key=k0 value=a b=c  d\n",
         "cmd=put_result rc=0 msg=success\n"},
        {1, "cmd=put  value=word key=k1   kvsname=hbatch.t.7 extra=x\n",
         "cmd=put_result rc=0 msg=success\n"},
        {1, "cmd=put kvsname=hbatch.t.7 key=k2 value=a\\ b\n",
         "cmd=put_result rc=0 msg=success\n"},
        {0, "cmd=barrier_in\n", ""},
        {1, "cmd=barrier_in\n", "cmd=barrier_out rc=0\n"},
        {0, NULL, "cmd=barrier_out rc=0\n"},
        {1, "cmd=get kvsname=hbatch.t.7 key=k0\n",
         "cmd=get_result rc=0 msg=success value=a b=c  d\n"},
        {0, "cmd=get kvsname=hbatch.t.7 key=k1\n",
         "cmd=get_result rc=0 msg=success value=word\n"},
        {0, "cmd=get key=k2\n", "cmd=get_result rc=0 msg=success value=a\\ b\n"},
        {0, "cmd=getbyidx kvsname=hbatch.t.7 idx=1\n",
         "cmd=getbyidx_results rc=0 nextidx=2 key=k0 val=a b=c  d\n"},
        {0, "cmd=getbyidx kvsname=hbatch.t.7 idx=4\n",
         "cmd=getbyidx_results rc=-2 reason=no_more_keyvals\n"},
        {0, "cmd=finalize\n", "cmd=finalize_ack rc=0\n"},
        {1, "cmd=finalize\n", "cmd=finalize_ack rc=0\n"},
        LAST,
    };
    struct net *net = net_create(1, 2, false);
    ck_assert_ptr_nonnull(strstr(net->env[1].s, "PMI_RANK=1\n"));
    ck_assert_ptr_nonnull(strstr(net->env[1].s, "PMI_SIZE=2\n"));
    ck_assert_ptr_nonnull(strstr(net->env[1].s, "PMI_FD="));
    ck_assert_ptr_null(strstr(net->env[1].s, "PMI_SPAWNED"));
    talk(net, lines);
    bool unclean = true;
    wire_task_exited(net->nodes[0].job, 0, &unclean);
    ck_assert(!unclean);
    net_close(net, 1);
    net_run(net);
    wire_task_exited(net->nodes[0].job, 1, &unclean);
    ck_assert(!unclean);
    ck_assert_uint_eq(net->aborts, 0);
    ck_assert_uint_eq(net->log.len, 0);
    net_destroy(net);
}
END_TEST

START_TEST(several_nodes_exchange_at_the_barrier)
{
    static const struct line lines[] = {
        {0, INIT, INITED},
        {1, INIT, INITED},
        {2, INIT, INITED},
        {3, INIT, INITED},
        {3, "cmd=put kvsname=hbatch.t.7 key=k3 value=three\n", NULL},
        {1, "cmd=put kvsname=hbatch.t.7 key=k1 value=one\n", NULL},
        {1, "cmd=barrier_in\n", "cmd=put_result rc=0 msg=success\n"},
        {0, "cmd=get kvsname=hbatch.t.7 key=k1\n",
         "cmd=get_result rc=-1 msg=key_k1_not_found\n"},
        {0, "cmd=barrier_in\n", ""},
        {3, "cmd=barrier_in\n", "cmd=put_result rc=0 msg=success\n"},
        {1, NULL, ""},
        {2, "cmd=barrier_in\n", "cmd=barrier_out rc=0\n"},
        {0, NULL, "cmd=barrier_out rc=0\n"},
        {1, NULL, "cmd=barrier_out rc=0\n"},
        {3, NULL, "cmd=barrier_out rc=0\n"},
        {0, "cmd=get kvsname=hbatch.t.7 key=k1\n",
         "cmd=get_result rc=0 msg=success value=one\n"},
        {2, "cmd=get kvsname=hbatch.t.7 key=k3\n",
         "cmd=get_result rc=0 msg=success value=three\n"},
        {1, "cmd=get kvsname=hbatch.t.7 key=k3\n",
         "cmd=get_result rc=0 msg=success value=three\n"},
        LAST,
    };
    struct net *net = net_create(3, 4, false);
    talk(net, lines);
    for (int round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 4; i++)
            net_write(net, (i + (unsigned)round) % 4, "cmd=barrier_in\n", 15);
        net_run(net);
        for (unsigned i = 0; i < 4; i++)
            ck_assert_str_eq(net_read(net, i), "cmd=barrier_out rc=0\n");
    }
    net_destroy(net);
}
END_TEST

START_TEST(names)
{
    static const struct line lines[] = {
        {0, INIT, INITED},
        {1, INIT, INITED},
        {1, "cmd=lookup_name service=ocean\n",
         "cmd=lookup_result rc=-1 msg=the_name_is_not_published\n"},
        {0, "cmd=publish_name service=ocean port=tag#0$host a$\n",
         "cmd=publish_result rc=0 msg=success\n"},
        {1, "cmd=publish_name service=ocean port=x\n",
         "cmd=publish_result rc=-1 msg=the_name_is_published_already\n"},
        {1, "cmd=lookup_name service=ocean\n",
         "cmd=lookup_result rc=0 msg=success port=tag#0$host a$\n"},
        {0, "cmd=unpublish_name service=ocean\n",
         "cmd=unpublish_result rc=0 msg=success\n"},
        {1, "cmd=lookup_name service=ocean\n",
         "cmd=lookup_result rc=-1 msg=the_name_is_not_published\n"},
        LAST,
    };
    for (unsigned nodes = 1; nodes <= 2; nodes++) {
        struct net *net = net_create(nodes, 2, false);
        talk(net, lines);
        net_destroy(net);
    }
}
END_TEST

#define SPAWN                                                                            \
    "mcmd=spawn\nnprocs=2\nexecname=./child\ntotspawns=2\nspawnssofar=1\narg1=a = b\n"   \
    "arg2=\narg3=c\nargcnt=3\npreput_num=1\npreput_key_0=PARENT\npreput_val_0=tag x\n"   \
    "info_num=2\ninfo_key_0=wdir\ninfo_val_0=/tmp\ninfo_key_1=host\ninfo_val_1=n1\n"     \
    "endcmd\n"

START_TEST(spawn)
{
    static const struct line lines[] = {
        {0, INIT, INITED},
        {0, SPAWN, ""}, /* the second command is to come */
        {0,
         "mcmd=spawn\nnprocs=1\nexecname=other\ntotspawns=2\nspawnssofar=2\nargcnt=0\n",
         ""},
        {0, "preput_num=0\ninfo_num=0\nendcmd\n",
         "cmd=spawn_result rc=0 jobid=hbatch.t.8\n"},
        {0, "cmd=get_appnum\n", "cmd=appnum rc=0 appnum=0\n"},
        LAST,
    };
    struct net *net = net_create(1, 2, false);
    talk(net, lines);
    json_object *apps = json_object_object_get(net->spawn, "apps");
    ck_assert_str_eq(
        json_object_to_json_string_ext(apps, JSON_C_TO_STRING_PLAIN |
                                                 JSON_C_TO_STRING_NOSLASHESCAPE),
        "[{\"argv\":[\"./child\",\"a = b\",\"\",\"c\"],\"preput\":{\"PARENT\":\"tag "
        "x\"},\"cwd\":\"/tmp\",\"maxprocs\":2},{\"argv\":[\"other\"],\"preput\":{},"
        "\"maxprocs\":1}]");
    ck_assert_str_eq(
        json_object_to_json_string_ext(json_object_object_get(net->spawn, "info"),
                                       JSON_C_TO_STRING_PLAIN),
        "{\"host\":\"n1\"}");
    ck_assert_int_eq(json_object_get_int(json_object_object_get(net->spawn, "parent")),
                     7);
    static const struct line bad[] = {
        {0,
         "mcmd=spawn\nnprocs=1\nexecname=./missing\ntotspawns=1\nspawnssofar=1\nendcmd\n",
         "cmd=spawn_result rc=-1 msg=./missing:_no_such_program\n"},
        LAST,
    };
    talk(net, bad);
    ck_assert_ptr_nonnull(strstr(net->log.s, "task 0 could not spawn: ./missing"));
    net_destroy(net);
}
END_TEST

START_TEST(spawned)
{
    static const struct line lines[] = {
        {0, INIT, INITED},
        {0, "cmd=get kvsname=hbatch.t.7 key=PARENT\n",
         "cmd=get_result rc=0 msg=success value=port 1\n"},
        LAST,
    };
    struct net *net = net_create(1, 1, true);
    ck_assert_ptr_nonnull(strstr(net->env[0].s, "PMI_SPAWNED=1\n"));
    talk(net, lines);
    net_destroy(net);
}
END_TEST

/* A pending spawn and lookup, and the job ends. */
START_TEST(ends_with_requests_pending)
{
    static const struct line lines[] = {
        {0, INIT, INITED},
        {1, INIT, INITED},
        {2, INIT, INITED},
        {1, "cmd=barrier_in\n", ""},
        {2, "mcmd=spawn\nnprocs=1\nexecname=x\ntotspawns=1\nspawnssofar=1\nendcmd\n", ""},
        LAST,
    };
    struct net *net = net_create(1, 3, false);
    net->no_spawn = true;
    talk(net, lines);
    net_write(net, 0, "cmd=lookup_name service=x\n", 26);
    uv_run(&net->loop, UV_RUN_NOWAIT);
    bool unclean;
    wire_task_exited(net->nodes[0].job, 0, &unclean);
    ck_assert(unclean);
    wire_task_exited(net->nodes[0].job, 2, &unclean);
    net_destroy(net);
}
END_TEST

/* Task 3 goes while the others wait in a barrier, or before they come. */
static void check_gone(unsigned nodes, unsigned how, bool before)
{
    static const char *const say[] = {NULL, NULL, "cmd=finalize\n", "garbage\n"};
    static const char *const why[] = {"has_ended", "left_without_a_PMI_finalize",
                                      "has_finalized", "broke_the_PMI_protocol"};
    struct net *net = net_create(nodes, 4, false);
    bool unclean = false;
    for (unsigned i = 0; i < 4; i++)
        net_write(net, i, INIT, strlen(INIT));
    net_run(net);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_str_eq(net_read(net, i), INITED);
    for (unsigned step = 0; step < 2; step++) {
        if ((step == 0) == before) {
            if (how == 0)
                wire_task_exited(net->nodes[3 % nodes].job, 3, &unclean);
            else if (how == 1)
                net_close(net, 3);
            else
                net_write(net, 3, say[how], strlen(say[how]));
            net_run(net);
        } else {
            for (unsigned i = 0; i < 3; i++)
                net_write(net, i, "cmd=barrier_in\n", 15);
            net_run(net);
        }
    }
    if (how == 0)
        ck_assert(unclean);
    for (int again = 0; again < 2; again++) { /* and so do all later ones */
        for (unsigned i = 0; i < 3; i++) {
            const char *got = net_read(net, i);
            ck_assert_msg(strncmp(got, "cmd=barrier_out rc=-1 msg=", 26) == 0,
                          "nodes %u how %u before %d: task %u got '%s'", nodes, how,
                          before, i, got);
            if (i % nodes == 3 % nodes)
                ck_assert_ptr_nonnull(strstr(got, why[how]));
        }
        for (unsigned i = 0; i < 3; i++)
            net_write(net, i, "cmd=barrier_in\n", 15);
        net_run(net);
    }
    if (how == 3) {
        ck_assert_uint_eq(net->aborts, 1);
        ck_assert_uint_eq(net->abort_task, 3);
        ck_assert_ptr_nonnull(strstr(net->abort_text, "task 3 sent 'garbage'"));
    }
    net_destroy(net);
}

START_TEST(barrier_with_one_gone_fails)
{
    for (unsigned nodes = 1; nodes <= 3; nodes++)
        for (unsigned how = 0; how < 4; how++)
            for (int before = 0; before < 2; before++)
                check_gone(nodes, how, before);
}
END_TEST

START_TEST(closed_halfway_is_told)
{
    struct net *net = net_create(1, 2, false);
    net_write(net, 0, INIT, strlen(INIT));
    net_write(net, 1, INIT, strlen(INIT));
    net_run(net);
    net_close(net, 0);
    net_close(net, 1);
    net_run(net);
    ck_assert_uint_eq(net->log.len, 0);
    bool unclean = false;
    wire_task_exited(net->nodes[0].job, 1, &unclean); /* this one ends, as expected */
    ck_assert(unclean);
    while (net->log.len == 0)
        uv_run(&net->loop, UV_RUN_ONCE);
    ck_assert_ptr_nonnull(strstr(net->log.s, "task 0 closed its PMI socket"));
    ck_assert_ptr_null(strstr(net->log.s, "task 1"));
    ck_assert_uint_eq(net->aborts, 0);
    net_destroy(net);
}
END_TEST

START_TEST(abort_ends_the_job)
{
    struct net *net = net_create(2, 2, false);
    static const struct line lines[] = {
        {1, INIT, INITED},
        {1, "cmd=abort exitcode=17 message=no more food\n", ""},
        LAST,
    };
    talk(net, lines);
    ck_assert_uint_eq(net->aborts, 1);
    ck_assert_int_eq(net->abort_status, 17);
    ck_assert_uint_eq(net->abort_task, 1);
    ck_assert_str_eq(net->abort_text, "no more food");
    net_destroy(net);
    /* last words of a task that is gone already */
    net = net_create(1, 1, false);
    net_write(net, 0, INIT, strlen(INIT));
    net_run(net);
    const char text[] = "cmd=abort exitcode=3\n";
    ck_assert_int_eq(send(net->fd[0], text, strlen(text), 0), (int)strlen(text));
    bool unclean;
    wire_task_exited(net->nodes[0].job, 0, &unclean);
    ck_assert_uint_eq(net->aborts, 1);
    ck_assert_int_eq(net->abort_status, 3);
    net_destroy(net);
}
END_TEST

START_TEST(long_values)
{
    struct net *net = net_create(1, 1, false);
    char value[1200], text[1400];
    net_write(net, 0, INIT, strlen(INIT));
    net_run(net);
    net_read(net, 0);
    memset(value, 'x', sizeof(value));
    value[1023] = '\0';
    snprintf(text, sizeof(text), "cmd=put kvsname=hbatch.t.7 key=k value=%s\n", value);
    net_write(net, 0, text, strlen(text));
    net_run(net);
    ck_assert_str_eq(net_read(net, 0), "cmd=put_result rc=0 msg=success\n");
    value[1023] = 'x';
    value[1024] = '\0';
    snprintf(text, sizeof(text), "cmd=put kvsname=hbatch.t.7 key=k value=%s\n", value);
    net_write(net, 0, text, strlen(text));
    net_run(net);
    ck_assert_str_eq(net_read(net, 0), "cmd=put_result rc=-1 msg=value_is_too_long\n");
    net_destroy(net);
}
END_TEST

START_TEST(unread_answers_hold_the_task_back)
{
    struct net *net = net_create(1, 1, false);
    char text[1200];
    net_write(net, 0, INIT, strlen(INIT));
    memset(text, 'v', sizeof(text));
    memcpy(text, "cmd=put kvsname=hbatch.t.7 key=k value=", 39);
    strcpy(text + 1000, "\n");
    net_write(net, 0, text, strlen(text));
    net_run(net);
    net_read(net, 0);
    int sent = 0, got = 0;
    for (; sent < 5000; sent++) { /* more than any socket takes */
        if (send(net->fd[0], "cmd=get key=k\n", 14, MSG_DONTWAIT) != 14)
            break;
        uv_run(&net->loop, UV_RUN_NOWAIT);
    }
    ck_assert_uint_eq(net->aborts, 0);
    for (int idle = 0; idle < 10; idle++) {
        const char *s = net_read(net, 0);
        for (const char *p = s; (p = strchr(p, '\n')) != NULL; p++, idle = 0)
            got++;
        net_run(net);
    }
    ck_assert_int_eq(got, sent);
    net_destroy(net);
}
END_TEST

static const struct {
    const char *say;
    const char *names;
} rejects[] = {
    {"hello\n", "'hello'"},
    {"cmd=init\n", "cmd=init"},
    {"cmd=init pmi_version=1 pmi_subversion=1x\n", "subversion=1x"},
    {"cmd=init pmi_version=3 pmi_subversion=0\n", "version 3.0"},
    {"cmd=get_maxes\n", "cmd=get_maxes"},
    {INIT "get_maxes\n", "'get_maxes'"},
    {INIT "cmd=frobnicate\n", "'frobnicate'"},
    {INIT "\1\2x\xff\n", "'?"
                         "?x?'"},
    {INIT "\xc3\xbc\n", "'\xc3\xbc'"},
    {INIT "cmd=put kvsname=hbatch.t.7 value=v\n", "without 'key'"},
    {INIT "cmd=put kvsname=hbatch.t.7 key=v\n", "without 'value'"},
    {INIT "cmd=get key\n", "without '='"},
    {INIT "cmd=publish_name port=x\n", "without 'service'"},
    {INIT "cmd=finalize\ncmd=barrier_in\n", "'barrier_in' after 'finalize'"},
    {INIT "cmd=barrier_in\ncmd=get key=x\n", "'get' before the answer"},
    {INIT "cmd=barrier_in\nmcmd=spawn\n", "'spawn' before the answer"},
    {INIT "mcmd=spawn\nnprocs=1\nendcmd\n", "no 'execname'"},
    {INIT "mcmd=spawn\nnprocs=0\nexecname=x\nendcmd\n", "'nprocs'"},
    {INIT "mcmd=spawn\nexecname=x\nendcmd\n", "'nprocs'"},
    {INIT "mcmd=spawn\nnprocs=1\narg1=x\nendcmd\n", "before 'execname'"},
    {INIT "mcmd=spawn\nnprocs=1\nmcmd=spawn\nendcmd\n", "before 'endcmd'"},
    {INIT "mcmd=spawn\nnprocs=1\npreput_val_0=x\nendcmd\n", "preput_key_"},
    {INIT "mcmd=spawn\nnprocs=1\ninfo_val_0=x\nendcmd\n", "info_key_"},
    {INIT "mcmd=spawn\nblank\nendcmd\n", "without '='"},
    {INIT "mcmd=spawn\nnprocs=1\nexecname=x\ntotspawns=2\nspawnssofar=1\nendcmd\n"
          "cmd=put key=x\nendcmd\n",
     "outside of"},
};

START_TEST(rejects_end_the_job)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct net *net = net_create(1, 2, false);
        net_write(net, 1, rejects[i].say, strlen(rejects[i].say));
        net_run(net);
        ck_assert_msg(net->aborts == 1, "'%s': no abort", rejects[i].say);
        ck_assert_uint_eq(net->abort_task, 1);
        ck_assert_msg(strstr(net->abort_text, rejects[i].names) != NULL,
                      "'%s': '%s' does not name '%s'", rejects[i].say, net->abort_text,
                      rejects[i].names);
        /* the server goes on with the others */
        net_write(net, 0, INIT "cmd=get_appnum\n", strlen(INIT) + 15);
        net_run(net);
        ck_assert_str_eq(net_read(net, 0), INITED "cmd=appnum rc=0 appnum=0\n");
        net_destroy(net);
    }
}
END_TEST

START_TEST(bytes_that_are_no_text)
{
    static const size_t lengths[] = {1, 100, 1023, 1024, 1025, 70000, 300000};
    for (int kind = 0; kind < 4; kind++)
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
            struct net *net = net_create(1, 1, false);
            if (kind >= 2)
                net_write(net, 0, INIT, strlen(INIT));
            cleanup_free char *junk = xmalloc(lengths[i] + 1);
            for (size_t k = 0; k < lengths[i]; k++)
                junk[k] = kind % 2 ? (char)(k * 7) : 'x';
            junk[lengths[i]] = '\n';
            net_write(net, 0, junk, lengths[i] + 1);
            net_run(net);
            ck_assert_uint_eq(net->aborts, 1);
            for (const char *p = net->abort_text; *p; p++)
                ck_assert_msg((*p >= ' ' && *p <= '~') || (*p == '\n' && !p[1]),
                              "message with byte 0x%02x", (unsigned char)*p);
            net_destroy(net);
        }
}
END_TEST

UNIT_MAIN("pmi1", one_node, several_nodes_exchange_at_the_barrier, names, spawn, spawned,
          ends_with_requests_pending, barrier_with_one_gone_fails, closed_halfway_is_told,
          abort_ends_the_job, long_values, unread_answers_hold_the_task_back,
          rejects_end_the_job, bytes_that_are_no_text)
