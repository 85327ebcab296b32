/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/template.h"

#include "src/common/jobid.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

static const struct template_vars vars = {
    .id = 6731191091,
    .name = "lmp",
    .nodelist = "n[0-3]",
    .cc = "17",
    .tmpdir = "/run/x/jobtmp",
    .host = "n2",
    .cores = "0-3",
    .gpus = "",
    .size = 8,
    .nnodes = 4,
    .node = 2,
    .node_rank = 5,
    .ncores = 4,
    .has_task = true,
    .task = 6,
    .local = 1,
};

static const struct {
    const char *text, *wanted;
    enum template_scope scope;
} table[] = {
    {"", "", TEMPLATE_NONE},
    {"plain", "plain", TEMPLATE_NONE},
    {"{{id}}", NULL, TEMPLATE_JOB}, /* F58, as the encoder says */
    {"{{jobid.dec}}-{{id.dec}}", "6731191091-6731191091", TEMPLATE_JOB},
    {"{{id.hex}}", "0x19135d333", TEMPLATE_JOB},
    {"job_{{id.dec}}.out", "job_6731191091.out", TEMPLATE_JOB},
    {"{{name}}/{{size}}/{{ntasks}}/{{nnodes}}", "lmp/8/8/4", TEMPLATE_JOB},
    {"{{nodelist}}", "n[0-3]", TEMPLATE_JOB},
    {"{{cc}} {cc} {{{cc}}}", "17 17 {17}", TEMPLATE_JOB},
    {"{{tmpdir}}/f", "/run/x/jobtmp/f", TEMPLATE_NODE},
    {"{{node.id}}{{node.name}}{{node.broker_rank}}{{node.rank}}", "2n255", TEMPLATE_NODE},
    {"{{node.cores}};{{node.gpus}};{{node.ncores}}", "0-3;;4", TEMPLATE_NODE},
    {"{{taskid}} {{task.id}} {{task.rank}}", "6 6 6", TEMPLATE_TASK},
    {"{{task.index}} {{task.localid}}", "1 1", TEMPLATE_TASK},
    {"{{id.dec}}.{{node.id}}.{{taskid}}", "6731191091.2.6", TEMPLATE_TASK},
    /* what is no tag stays as it is */
    {"{{unknown}}", "{{unknown}}", TEMPLATE_NONE},
    {"{{id.nope}} {{idx}} {{job}} {{jobid.}}", "{{id.nope}} {{idx}} {{job}} {{jobid.}}",
     TEMPLATE_NONE},
    {"{{", "{{", TEMPLATE_NONE},
    {"{{id", "{{id", TEMPLATE_NONE},
    {"{{id}", "{{id}", TEMPLATE_NONE},
    {"}} {name} {}", "}} {name} {}", TEMPLATE_NONE},
    {"{{ {{size}}", "{{ 8", TEMPLATE_JOB},
    {"{{x}}{{size}}{{y}}", "{{x}}8{{y}}", TEMPLATE_JOB},
    {"{{size}}}}", "8}}", TEMPLATE_JOB},
    {"{{ size }}", "{{ size }}", TEMPLATE_NONE},
    {"{{}}{{size}}", "{{}}8", TEMPLATE_JOB},
};

START_TEST(renders)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        char f58[64];
        const char *wanted = table[i].wanted;
        if (!wanted)
            wanted = jobid_encode(vars.id, JOBID_F58, f58, sizeof(f58));
        cleanup_free char *got = template_render(table[i].text, &vars);
        ck_assert_str_eq(got, wanted);
        ck_assert_msg(template_scope(table[i].text) == table[i].scope,
                      "scope of '%s': %d", table[i].text,
                      (int)template_scope(table[i].text));
    }
}
END_TEST

START_TEST(ascii_ids)
{
    struct template_vars ascii = vars;
    char f58[64];
    ascii.ascii_ids = true;
    cleanup_free char *got = template_render("{{id}}", &ascii);
    ck_assert_str_eq(got, jobid_encode(vars.id, JOBID_F58_PLAIN, f58, sizeof(f58)));
    ck_assert_int_eq(got[0], 'f');
}
END_TEST

START_TEST(keeps_tags_without_value)
{
    struct template_vars few = {.id = 1, .size = 2};
    cleanup_free char *got = template_render(
        "{{cc}} {cc} {{taskid}} {{task.index}} {{tmpdir}} {{name}} {{size}}", &few);
    ck_assert_str_eq(got, "{{cc}} {cc} {{taskid}} {{task.index}} {{tmpdir}} {{name}} 2");
}
END_TEST

/* Random texts of the characters that matter: no crash, and the plain parts survive. */
START_TEST(survives_noise)
{
    static const char set[] = "{}{}idcsze.x ";
    unsigned seed = 7;
    for (int n = 0; n < 20000; n++) {
        char text[24];
        for (size_t i = 0; i < sizeof(text) - 1; i++) {
            seed = seed * 1103515245u + 12345u;
            text[i] = set[(seed >> 16) % (sizeof(set) - 1)];
        }
        text[sizeof(text) - 1] = '\0';
        cleanup_free char *got = template_render(text, &vars);
        if (template_scope(text) == TEMPLATE_NONE)
            ck_assert_str_eq(got, text);
    }
}
END_TEST

UNIT_MAIN("template", renders, ascii_ids, keeps_tags_without_value, survives_noise)
