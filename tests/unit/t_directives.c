/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/directives.h"
#include "tests/unit/mutate.h"

/* "LINE: [WORD][WORD]; LINE: ..." */
static char *show(const struct directives *d)
{
    struct strbuf all = {0};
    strbuf_add(&all, "");
    for (size_t i = 0; i < d->n; i++) {
        strbuf_addf(&all, "%s%u: ", i ? "; " : "", d->list[i].line);
        ck_assert_int_gt(d->list[i].argc, 0);
        for (int k = 0; k < d->list[i].argc; k++)
            strbuf_addf(&all, "[%s]", d->list[i].argv[k]);
        ck_assert(d->list[i].argv[d->list[i].argc] == NULL);
    }
    return strbuf_take(&all);
}

static const struct {
    const char *script, *result;
} accepted[] = {
    /* RFC 36, Description */
    {"# flux: -N 4 -c 2\n# Set job name:\n# flux: --job-name\n",
     "1: [-N][4][-c][2]; 3: [--job-name]"},
    {"# flux: -N4 # -c2 : comment out for now\n", "1: [-N4]"},
    {"# flux: --setattr=user.foo=\"\"\"{\"key\": 42}\"\"\"\n"
     "# flux: --setattr=user.bar='''It's a \"job\"'''\n",
     "1: [--setattr=user.foo={\"key\": 42}]; 2: [--setattr=user.bar=It's a \"job\"]"},
    {"# flux: --setattr=user.conf=\"\"\"\n# flux: [config]\n# flux:   item = \"foo\"\n"
     "# flux: \"\"\"\n",
     "1: [--setattr=user.conf=[config]\n  item = \"foo\"\n]"},
    /* RFC 36, Examples */
    {"#!/bin/sh\n#FLUX: -N4                  # Request four nodes\n"
     "#FLUX: --queue=batch        # Submit to the batch queue\n"
     "#FLUX: --job-name=app001    # Set an explicit job name\nflux run -N4 app\n",
     "2: [-N4]; 3: [--queue=batch]; 4: [--job-name=app001]"},
    {"#!/usr/bin/env python3\ndef main():\n    \"\"\"\n    flux: -N4\n"
     "    flux: --queue=batch\n    flux: --job-name=\"my python job\"\n\n"
     "    # Set some arbitrary user data:\n    flux: --setattr=user.data='''\n"
     "    flux: x, y, z\n    flux: a, b, c\n    flux: '''\n    \"\"\"\n    run()\n",
     "4: [-N4]; 5: [--queue=batch]; 6: [--job-name=my python job]; "
     "9: [--setattr=user.data=x, y, z\na, b, c\n]"},
    {"#!/usr/bin/lua\n--\n-- flux: -N1 --exclusive\n-- flux: --output=job.out\n"
     "local app = require 'app'\napp.run()\n",
     "3: [-N1][--exclusive]; 4: [--output=job.out]"},
    {"#!/bin/sh\n# Set flux directives\n#FLUX: -N1\n# Set job name:\n"
     "#FLUX: --job-name=test\nhostname; date\n",
     "3: [-N1]; 5: [--job-name=test]"},
    {"#!/usr/bin/env python3\n\"\"\"\nflux: --nodes=4\n\nSet an arbitrary value in "
     "jobspec:\nflux: --setattr=user.foo=\"hello, earth\"\n\"\"\"\n",
     "3: [--nodes=4]; 6: [--setattr=user.foo=hello, earth]"},
    {"# flux: --setattr=user.data='{\"option\": \"arg\"}'\n",
     "1: [--setattr=user.data={\"option\": \"arg\"}]"},
    {"# flux: --job-name='''It's a \"job\"'''\n", "1: [--job-name=It's a \"job\"]"},
    /* the project's own tag, and nothing at all */
    {"#!/bin/sh\n#hbatch: -N2 -n4\n#HBATCH is no tag\n", "2: [-N2][-n4]"},
    {"# HBATCH: -N2", "1: [-N2]"},
    {"", ""},
    {"\n\n\n", ""},
    {"#!/bin/sh\necho flux: -N4\nmyflux: x\n_flux: x\n#Flux: x\n#flux : x\n", ""},
    /* comments, also in texts; directives without words */
    {"# flux: -n 32\n# flux: # clear the environment\n# flux:\n# flux: --env=-* "
     "--env=PATH\n",
     "1: [-n][32]; 4: [--env=-*][--env=PATH]"},
    {"# flux: --job-name=foo --setattr=user.conf=\"\"\"\n# flux: [config]\n"
     "# flux:   item = \"foo\"  # inline\n# flux: # another\n# flux:   b = 'bar'\n"
     "# flux: \"\"\"\n",
     "1: [--job-name=foo][--setattr=user.conf=[config]\n  item = \"foo\"  # inline\n"
     "# another\n  b = 'bar'\n]"},
    {"#flux: --a=x#y '#z' \\#w #v\n", "1: [--a=x#y][#z][#w]"},
    /* where directives end */
    {"# flux: -N1\n\n#\n#x\n  \n# flux: -n1\necho\n# flu: x\n", "1: [-N1]; 6: [-n1]"},
    /* quotes */
    {"#flux: --a='b c'd\"e f\"g\\ h ''\n", "1: [--a=b cde fg h][]"},
    {"#flux: -\"\\$ \\` \\\" \\\\ \\a\" '\\'\n", "1: [-$ ` \" \\ \\a][\\]"},
    {"#flux: --out={{id}}.$X;(a)|b&c<d>[e]*\n", "1: [--out={{id}}.$X;(a)|b&c<d>[e]*]"},
    {"#flux: --a='''x''' --b='''y'''\n", "1: [--a=x][--b=y]"},
    {"#flux: --a=\"\"\"'''\"\"\"\n", "1: [--a=''']"},
    {"#flux: --a=''''''b\n", "1: [--a=b]"},
    /* texts of several lines */
    {"#flux:--a='''\n#flux:'''\n", "1: [--a=]"},
    {"#flux: --a='''\n#flux: '''\n#flux: -b\n", "1: [--a=]; 3: [-b]"},
    {"#flux: --a='''\n#flux:\n#flux: \n#flux:x\n#flux: y'''  \n", "1: [--a=\n\nx\ny]"},
    {"#flux: --a='''\n#flux: \"\"\"\n#flux: ''' \n", "1: [--a=\"\"\"\n]"},
    /* white space: tabs, DOS line ends, none at the end */
    {"#flux:\t-N1\t-n2\r\n#flux: -x\r\n\r\n#flux: -c1",
     "1: [-N1][-n2]; 2: [-x]; 4: [-c1]"},
    {"#flux: --a='''\r\n#flux: b\r\n#flux: '''\r\n", "1: [--a=b\n]"},
    {"\xc2\xbb flux: -N1\n", "1: [-N1]"},
};

START_TEST(accepts)
{
    for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
        struct directives d;
        struct error err = {0};
        const char *script = accepted[i].script;
        ck_assert_msg(directives_parse(script, strlen(script), &d, &err) == 0, "%zu: %s",
                      i, err.text);
        cleanup_free char *got = show(&d);
        ck_assert_msg(strcmp(got, accepted[i].result) == 0, "%zu:\n%s\nwanted:\n%s", i,
                      got, accepted[i].result);
        directives_clear(&d);
    }
}
END_TEST

START_TEST(rejects)
{
    static const struct {
        const char *script, *names, *also;
    } table[] = {
        /* RFC 36: after the end */
        {"# flux: -N4\n# flux: -c2\necho hello, world\n# flux: --queue=batch\n", "line 4",
         "line 2"},
        {"#!/bin/sh\n#FLUX: -N1\nhostname; date\n#FLUX: --job-name=test\n", "line 4",
         "'FLUX:'"},
        {"#flux: -N4\ncat <<END\n  flux: x\nEND\n", "line 3", "line 1"},
        /* one sentinel */
        {"#FLUX: -N4 -n4\n#flux: --dump\n", "line 2", "'#flux:'"},
        {"# flux: -N4\n#\n#flux: -n4\n", "line 3", "'# flux:' (line 1)"},
        {"#flux: -N4\n#hbatch: -n4\n", "line 2", "'#hbatch:'"},
        /* quotes */
        {"#!/bin/sh\n# flux: --job-name=\"foo\n", "line 2", "--job-name=\"foo"},
        {"# flux: --job-name='foo''\n", "line 1", "--job-name='foo''"},
        {"# flux: --job-name='''It's a \"job\"\ndate\n", "line 1", "It's a"},
        {"# flux: -a \\\n", "line 1", "backslash"},
        {"# flux: -a '''b\n# flux: '''\n", "line 1", "end of a line"},
        /* texts */
        {"#!/bin/sh\n#FLUX: --a=\"\"\"\n#FLUX: [t]\n#FLUX: \"\"\ndate\n", "line 5",
         "line 2"},
        {"#FLUX: --a=\"\"\"\n#FLUX: [t]\n", "line 2", "line 1"},
        {"#FLUX: --a=\"\"\"\n\n#FLUX: \"\"\"\n", "line 2", "line 1"},
        {"#FLUX: --a=\"\"\"\n#FLUX: \"\"\" -b\n", "line 2", "end of the line"},
        {"#FLUX: --a=\"\"\"\n#FLUX: x\"\"\"y\"\"\"\n", "line 2", "end of the line"},
        {"#FLUX: --a=\"\"\"\n#flux: x\n", "line 2", "'#flux:'"},
        /* no options */
        {"#flux: setattr x\n", "line 1", "'setattr'"},
        {"#flux: '' -N1\n", "line 1", "''"},
        {"#flux: x'''\n#flux: '''\n", "line 1", "'x'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct directives d;
        struct error err = {0};
        const char *script = table[i].script;
        ck_assert_msg(directives_parse(script, strlen(script), &d, &err) == -1,
                      "%zu: accepted", i);
        ck_error_names(err, table[i].names);
        ck_error_names(err, table[i].also);
        directives_clear(&d);
    }
}
END_TEST

/* A NUL byte is no end. */
START_TEST(binary)
{
    struct directives d;
    ck_assert_int_eq(directives_parse("\0\n#flux: -N1\n", 13, &d, NULL), 0);
    ck_assert_uint_eq(d.n, 1);
    directives_clear(&d);
}
END_TEST

/* All scripts above, spoiled: never a crash, and an error has a text. */
START_TEST(mutants)
{
    uint32_t state = 36;
    for (size_t i = 0; i < 200 * ARRAY_SIZE(accepted); i++) {
        struct directives d;
        struct error err = {0};
        cleanup_free char *text = mutate_text(accepted[i % ARRAY_SIZE(accepted)].script,
                                              "# \n'\"\\flux:-", &state);
        if (directives_parse(text, strlen(text), &d, &err) < 0)
            ck_assert_msg(strncmp(err.text, "line ", 5) == 0, "%s", err.text);
        directives_clear(&d);
    }
}
END_TEST

UNIT_MAIN("directives", accepts, rejects, binary, mutants)
