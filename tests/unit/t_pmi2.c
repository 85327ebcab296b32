/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/wirenet.h"

#define INIT "cmd=init pmi_version=2 pmi_subversion=0\n"
#define INITED "cmd=response_to_init pmi_version=2 pmi_subversion=0 rc=0\n"

/* Say and want commands without their lengths; those of the answers are checked. */
static void talk(struct net *net, const struct line *lines)
{
    for (const struct line *l = lines; l->say || l->want; l++) {
        if (l->say && strncmp(l->say, "cmd=init ", 9) == 0) {
            net_write(net, l->task, l->say, strlen(l->say));
            net_run(net);
        } else if (l->say) {
            cleanup_free char *text = xasprintf("%-6zu%s", strlen(l->say), l->say);
            net_write(net, l->task, text, strlen(text));
            net_run(net);
        }
        if (l->want) {
            const char *got = net_read(net, l->task);
            size_t len = strlen(got);
            if (l->want[0] && strncmp(got, "cmd=", 4) != 0) {
                ck_assert_msg(len > 6 && (size_t)atoi(got) == len - 6, "length in '%s'",
                              got);
                got += 6;
            }
            ck_assert_msg(strcmp(got, l->want) == 0,
                          "line %d: task %u said '%s', wanted '%s', got '%s'",
                          (int)(l - lines), l->task, l->say ? l->say : "", l->want, got);
        }
    }
}

#define FULL(task, size, app)                                                            \
    {task, INIT, INITED},                                                                \
    {                                                                                    \
        task, "cmd=fullinit;pmijobid=hbatch.t.7;pmirank=" #task ";threaded=FALSE;",      \
            "cmd=fullinit-response;pmi-version=2;pmi-subversion=0;rank=" #task           \
            ";size=" #size ";appnum=" #app ";debugged=FALSE;pmiverbose=FALSE;rc=0;"      \
    }

START_TEST(one_node)
{
    static const struct line lines[] = {
        FULL(0, 2, 0),
        FULL(1, 2, 1),
        {0, "cmd=job-getid;thrid=0x12;",
         "cmd=job-getid-response;thrid=0x12;jobid=hbatch.t.7;rc=0;"},
        {0, "cmd=info-getjobattr;key=PMI_process_mapping;",
         "cmd=info-getjobattr-response;found=TRUE;value=(vector,(0,2,1));rc=0;"},
        {0, "cmd=info-getjobattr;key=universeSize;",
         "cmd=info-getjobattr-response;found=TRUE;value=16;rc=0;"},
        {0, "cmd=info-getjobattr;key=hasNameServ;",
         "cmd=info-getjobattr-response;found=TRUE;value=TRUE;rc=0;"},
        {0, "cmd=info-getjobattr;key=nothing;",
         "cmd=info-getjobattr-response;found=FALSE;rc=0;"},
        {0, "cmd=kvs-put;key=a;value=x;;y=z\n;;;", "cmd=kvs-put-response;rc=0;"},
        {1, "cmd=kvs-put;key=empty;value=;", "cmd=kvs-put-response;rc=0;"},
        {0, "cmd=kvs-fence;thrid=5;", ""},
        {1, "cmd=kvs-fence;", "cmd=kvs-fence-response;rc=0;"},
        {0, NULL, "cmd=kvs-fence-response;thrid=5;rc=0;"},
        {1, "cmd=kvs-get;jobid=hbatch.t.7;srcid=0;key=a;",
         "cmd=kvs-get-response;found=TRUE;value=x;;y=z\n;;;rc=0;"},
        {0, "cmd=kvs-get;srcid=-1;key=empty;",
         "cmd=kvs-get-response;found=TRUE;value=;rc=0;"},
        {0, "cmd=kvs-get;key=none;", "cmd=kvs-get-response;found=FALSE;rc=0;"},
        {0, "cmd=kvs-get;jobid=other;key=a;",
         "cmd=kvs-get-response;rc=1;errmsg=job other has no tasks on this node;"},
        {0, "cmd=job-connect;jobid=hbatch.t.7;",
         "cmd=job-connect-response;kvscopy=FALSE;rc=0;"},
        {0, "cmd=job-connect;jobid=other;",
         "cmd=job-connect-response;rc=1;errmsg=job other has no tasks on this node;"},
        {0, "cmd=job-disconnect;jobid=hbatch.t.7;", "cmd=job-disconnect-response;rc=0;"},
        {0, "cmd=made-up;thrid=1;x=y;",
         "cmd=made-up-response;thrid=1;rc=1;errmsg=PMI-2 command made-up is not known;"},
        {0, "cmd=finalize;", "cmd=finalize-response;rc=0;"},
        {1, "cmd=finalize;thrid=a;;b;", "cmd=finalize-response;thrid=a;;b;rc=0;"},
        LAST,
    };
    struct net *net = net_create(1, 2, false);
    talk(net, lines);
    bool unclean = true;
    wire_task_exited(net->nodes[0].job, 0, &unclean);
    ck_assert(!unclean);
    ck_assert_uint_eq(net->aborts, 0);
    ck_assert_uint_eq(net->log.len, 0);
    net_destroy(net);
}
END_TEST

START_TEST(several_nodes)
{
    static const struct line lines[] = {
        FULL(0, 3, 0),
        FULL(1, 3, 1),
        FULL(2, 3, 1),
        {2, "cmd=kvs-put;key=a;value=1;", "cmd=kvs-put-response;rc=0;"},
        {0, "cmd=kvs-fence;", ""},
        {1, "cmd=kvs-fence;", ""},
        {2, "cmd=kvs-fence;", "cmd=kvs-fence-response;rc=0;"},
        {0, NULL, "cmd=kvs-fence-response;rc=0;"},
        {1, NULL, "cmd=kvs-fence-response;rc=0;"},
        {0, "cmd=kvs-get;key=a;", "cmd=kvs-get-response;found=TRUE;value=1;rc=0;"},
        {1, "cmd=kvs-fence;", ""},
        {2, "cmd=finalize;", "cmd=finalize-response;rc=0;"},
        {1, NULL,
         "cmd=kvs-fence-response;rc=1;errmsg=a task on another node cannot join it "
         "(Software caused connection abort);"},
        LAST,
    };
    struct net *net = net_create(3, 3, false);
    talk(net, lines);
    net_destroy(net);
}
END_TEST

START_TEST(node_attributes)
{
    static const struct line lines[] = {
        FULL(0, 4, 0),
        FULL(1, 4, 1),
        FULL(2, 4, 1),
        FULL(3, 4, 1),
        {0, "cmd=info-getnodeattr;key=a;wait=FALSE;",
         "cmd=info-getnodeattr-response;found=FALSE;rc=0;"},
        {0, "cmd=info-getnodeattr;thrid=1;key=a;wait=TRUE;", ""},
        {2, "cmd=info-putnodeattr;key=b;value=other;",
         "cmd=info-putnodeattr-response;rc=0;"},
        {0, NULL, ""},
        {1, "cmd=info-putnodeattr;key=a;value=node 1;",
         "cmd=info-putnodeattr-response;rc=0;"},
        {0, NULL, ""}, /* that is another node */
        {2, "cmd=info-putnodeattr;key=a;value=node;;0;",
         "cmd=info-putnodeattr-response;rc=0;"},
        {0, NULL, "cmd=info-getnodeattr-response;thrid=1;found=TRUE;value=node;;0;rc=0;"},
        {0, "cmd=info-getnodeattr;key=b;",
         "cmd=info-getnodeattr-response;found=TRUE;value=other;rc=0;"},
        {1, "cmd=info-getnodeattr;key=a;wait=TRUE;",
         "cmd=info-getnodeattr-response;found=TRUE;value=node 1;rc=0;"},
        {1, "cmd=info-getnodeattr;key=c;wait=TRUE;", ""},
        {3, "cmd=finalize;", "cmd=finalize-response;rc=0;"},
        {1, NULL, "cmd=info-getnodeattr-response;rc=1;errmsg=task 3 has finalized;"},
        LAST,
    };
    struct net *net = net_create(2, 4, false);
    talk(net, lines);
    net_destroy(net);
}
END_TEST

START_TEST(names)
{
    static const struct line lines[] = {
        FULL(0, 2, 0),
        FULL(1, 2, 1),
        {0, "cmd=name-lookup;name=n;infokeycount=0;",
         "cmd=name-lookup-response;rc=1;errmsg=the name is not published;"},
        {1, "cmd=name-publish;name=n;port=a;;b;infokeycount=0;",
         "cmd=name-publish-response;rc=0;"},
        {0, "cmd=name-lookup;thrid=7;name=n;infokeycount=0;",
         "cmd=name-lookup-response;thrid=7;port=a;;b;value=a;;b;rc=0;"},
        {1, "cmd=name-unpublish;name=n;infokeycount=0;",
         "cmd=name-unpublish-response;rc=0;"},
        {0, "cmd=name-lookup;name=n;infokeycount=0;",
         "cmd=name-lookup-response;rc=1;errmsg=the name is not published;"},
        LAST,
    };
    for (unsigned nodes = 1; nodes <= 2; nodes++) {
        struct net *net = net_create(nodes, 2, false);
        talk(net, lines);
        net_destroy(net);
    }
}
END_TEST

START_TEST(spawn)
{
    static const struct line lines[] = {
        FULL(0, 2, 0),
        {0,
         "cmd=spawn;thrid=3;ncmds=2;preputcount=1;ppkey0=PARENT;ppval0=tag;;1;"
         "subcmd=./child;maxprocs=2;argc=2;argv0=a b;argv1=;infokeycount=2;infokey0=wdir;"
         "infoval0=/tmp;infokey1=host;infoval1=n1;"
         "subcmd=other;maxprocs=1;argc=0;infokeycount=0;",
         "cmd=spawn-response;thrid=3;jobid=hbatch.t.8;nerrs=0;rc=0;"},
        LAST,
    };
    struct net *net = net_create(1, 2, false);
    talk(net, lines);
    ck_assert_str_eq(
        json_object_to_json_string_ext(json_object_object_get(net->spawn, "apps"),
                                       JSON_C_TO_STRING_PLAIN |
                                           JSON_C_TO_STRING_NOSLASHESCAPE),
        "[{\"argv\":[\"./child\",\"a b\",\"\"],\"preput\":{\"PARENT\":\"tag;1\"},"
        "\"maxprocs\":2,\"cwd\":\"/tmp\"},{\"argv\":[\"other\"],\"preput\":{\"PARENT\":"
        "\"tag;1\"},\"maxprocs\":1}]");
    static const struct line bad[] = {
        {0, "cmd=spawn;ncmds=1;subcmd=./missing;maxprocs=1;argc=0;",
         "cmd=spawn-response;rc=1;errmsg=./missing: no such program;"},
        LAST,
    };
    talk(net, bad);
    net_destroy(net);
}
END_TEST

START_TEST(spawned)
{
    static const struct line lines[] = {
        {0, INIT, INITED},
        {0, "cmd=fullinit;",
         "cmd=fullinit-response;pmi-version=2;pmi-subversion=0;rank=0;size=1;appnum=0;"
         "spawner-jobid=hbatch.t.1;debugged=FALSE;pmiverbose=FALSE;rc=0;"},
        {0, "cmd=kvs-get;key=PARENT;",
         "cmd=kvs-get-response;found=TRUE;value=port 1;rc=0;"},
        {0, "cmd=info-getjobattr;key=PARENT;",
         "cmd=info-getjobattr-response;found=TRUE;value=port 1;rc=0;"},
        LAST,
    };
    struct net *net = net_create(1, 1, true);
    talk(net, lines);
    net_destroy(net);
}
END_TEST

START_TEST(aborts)
{
    static const struct line lines[] = {
        FULL(0, 2, 0),
        FULL(1, 2, 1),
        {0, "cmd=abort;isworld=FALSE;msg=me only;", ""},
        LAST,
    };
    static const struct line all[] = {{1, "cmd=abort;isworld=TRUE;msg=all;", ""}, LAST};
    struct net *net = net_create(1, 2, false);
    talk(net, lines);
    ck_assert_uint_eq(net->aborts, 0);
    ck_assert_ptr_nonnull(strstr(net->log.s, "task 0 aborts, its job goes on: me only"));
    talk(net, all);
    ck_assert_uint_eq(net->aborts, 1);
    ck_assert_int_eq(net->abort_status, 1);
    ck_assert_str_eq(net->abort_text, "all");
    net_destroy(net);
}
END_TEST

START_TEST(values_with_zero_bytes)
{
    struct net *net = net_create(1, 1, false);
    static const struct line lines[] = {FULL(0, 1, 0), LAST};
    talk(net, lines);
    static const char put[] =
        "28    cmd=kvs-put;key=k;value=a\0b;29    cmd=kvs-get;key=k;extra=xxxx;";
    net_write(net, 0, put, sizeof(put) - 1);
    net_run(net);
    static const char want[] = "    26cmd=kvs-put-response;rc=0;"
                               "    47cmd=kvs-get-response;found=TRUE;value=a\0b;rc=0;";
    char got[256];
    ssize_t n = recv(net->fd[0], got, sizeof(got), MSG_DONTWAIT);
    ck_assert_int_eq(n, sizeof(want) - 1);
    ck_assert_mem_eq(got, want, sizeof(want) - 1);
    net_destroy(net);
}
END_TEST

#define FULLINIT "13    cmd=fullinit;"

static const struct {
    const char *say;
    const char *names;
} rejects[] = {
    {"abcdef", "'abcdef'"},
    {"-12345cmd=x;", "'-12345'"},
    {"0     cmd=x;", "'0     '"},
    {"12 34 cmd=x;", "'12 34 '"},
    {"\1\2\3\4\5x", "?x'"},
    {"3     cmd", "without '='"},
    {"4     cmd=", "no ';'"},
    {"7     cmd=x;;", "no ';'"}, /* a doubled one does not end it */
    {"4     x=y;", "no 'cmd'"},
    {"5     cmd=;", "no 'cmd'"},
    {"13    cmd=kvs-fence;", "no ';'"}, /* the length is of less */
    {"14    cmd=kvs-fence;", "'kvs-fence' before 'fullinit'"},
    {"23    cmd=fullinit;pmirank=5;", "task 5"},
    {FULLINIT FULLINIT, "'fullinit' twice"},
    {FULLINIT "20    cmd=kvs-put;value=v;", "without 'key'"},
    {FULLINIT "18    cmd=kvs-put;key=v;", "without 'value'"},
    {FULLINIT "12    cmd=kvs-get;", "without 'key'"},
    {FULLINIT "24    cmd=name-publish;name=n;", "without 'port'"},
    {FULLINIT "16    cmd=job-connect;", "without 'jobid'"},
    {FULLINIT "14    cmd=kvs-fence;14    cmd=kvs-fence;", "in already"},
    {FULLINIT "13    cmd=finalize;14    cmd=kvs-fence;", "after 'finalize'"},
    {FULLINIT "10    cmd=spawn;", "no 'subcmd'"},
    {FULLINIT "19    cmd=spawn;subcmd=x;", "no 'maxprocs'"},
    {FULLINIT "30    cmd=spawn;subcmd=x;maxprocs=0;", "'maxprocs'"},
    {FULLINIT "19    cmd=spawn;ppval0=x;", "'ppkey'"},
    {FULLINIT "30    cmd=spawn;subcmd=x;infoval0=x;", "'infokey'"},
};

START_TEST(rejects_end_the_job)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct net *net = net_create(1, 2, false);
        net_write(net, 1, INIT, strlen(INIT));
        net_write(net, 1, rejects[i].say, strlen(rejects[i].say));
        net_run(net);
        ck_assert_msg(net->aborts == 1, "'%s': no abort", rejects[i].say);
        ck_assert_uint_eq(net->abort_task, 1);
        ck_assert_msg(strstr(net->abort_text, rejects[i].names) != NULL,
                      "'%s': '%s' does not name '%s'", rejects[i].say, net->abort_text,
                      rejects[i].names);
        static const struct line other[] = {FULL(0, 2, 0), LAST};
        talk(net, other);
        net_destroy(net);
    }
}
END_TEST

START_TEST(limits)
{
    struct net *net = net_create(1, 1, false);
    static const struct line lines[] = {FULL(0, 1, 0), LAST};
    talk(net, lines);
    cleanup_free char *value = xmalloc(1026), *text;
    memset(value, 'v', 1025);
    value[1024] = '\0';
    text = xasprintf("%6ucmd=kvs-put;key=k;value=%s;", 25 + 1024, value);
    net_write(net, 0, text, strlen(text));
    net_run(net);
    ck_assert_str_eq(net_read(net, 0), "    26cmd=kvs-put-response;rc=0;");
    free(text);
    value[1024] = 'v';
    value[1025] = '\0';
    text = xasprintf("%6ucmd=kvs-put;key=k;value=%s;", 25 + 1025, value);
    net_write(net, 0, text, strlen(text));
    net_run(net);
    ck_assert_str_eq(net_read(net, 0) + 6,
                     "cmd=kvs-put-response;rc=1;errmsg=the value is too long;");
    net_destroy(net);
}
END_TEST

UNIT_MAIN("pmi2", one_node, several_nodes, node_attributes, names, spawn, spawned, aborts,
          values_with_zero_bytes, rejects_end_the_job, limits)
