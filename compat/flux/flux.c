/* SPDX-License-Identifier: BSD-3-Clause */
/* flux: the commands of Flux, as those of hbatch.  The two have most verbs, options and formats in common; what is
 * said otherwise is translated here, and what hbatch has not is refused. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config.h"
#include "compat/common/hbatch.h"
#include "src/common/compatenv.h"
#include "src/common/util.h"

#define FLUX_VERSION "0.88.0" /* whose commands these are */

/* --- what is not there --------------------------------------------------------------------- */

static const char broker[] = "it is about Flux's message broker, and hbatch has none";

static const struct {
    const char *verb, *why;
} refused[] = {
    {"admin", broker},
    {"broker",
     "an instance of hbatch is made by 'flux start', 'flux batch' or 'flux alloc'"},
    {"content", broker},
    {"cron", broker},
    {"dump", "'hbatch export' writes what is known of all jobs to a file"},
    {"event", broker},
    {"fsck", "a store that is damaged is mended by hbatch start --statedir=DIR"},
    {"gc", broker},
    {"heaptrace", broker},
    {"housekeeping", "hbatch has no housekeeping after jobs"},
    {"jobtap", broker},
    {"keygen", "an instance of hbatch is of one user, and has no key"},
    {"kvs", "hbatch has no key-value store: 'flux job info' and 'flux job eventlog' tell "
            "of jobs"},
    {"lptest", "it tests Flux's broker"},
    {"logger", broker},
    {"modprobe", broker},
    {"module", broker},
    {"overlay", "'flux resource list' tells which nodes are there"},
    {"ping", "'flux uptime' asks whether the instance is there"},
    {"pmi", "PMI of hbatch's jobs is for the tasks alone"},
    {"restore", "'hbatch start --statedir=DIR' goes on from a former instance"},
    {"shell", "jobs of hbatch have no shell: options go by -o"},
    {"sproc", broker},
    {"startlog", broker},
};

/* --- what is said otherwise ---------------------------------------------------------------- */

/* A word of flux and what it is in hbatch; NULL: nothing, with a note if NOTE says why. */
struct rewrite {
    const char *verb, *name;
    char key;
    bool value; /* it has one */
    const char *to, *note;
};

#define ITS_BROKER "it is for Flux's broker"
static const struct rewrite rewrites[] = {
    {"start", "broker-opts", 'o', true, NULL, ITS_BROKER},
    {"start", "setattr", 'S', true, NULL, ITS_BROKER},
    {"start", "verbose", 'v', false, NULL, NULL},
    {"start", "noexec", 'X', false, "--dry-run", NULL},
    {"start", "test-exit-timeout", 0, true, NULL, NULL},
    {"start", "test-exit-mode", 0, true, NULL, NULL},
    {"start", "test-start-mode", 0, true, NULL, NULL},
    {"start", "test-rundir", 0, true, NULL, NULL},
    {"start", "test-rundir-cleanup", 0, false, NULL, NULL},
    {"start", "test-pmi-clique", 0, true, NULL, NULL},
    {"start", "sysconfig", 0, false, NULL, NULL},
    {"start", "test-size", 's', true, "--test-nodes",
     NULL}, /* a value follows: it is no command */
};

static const struct {
    const char *flux, *ours;
} attributes[] = {
    {"broker.starttime", "starttime"}, {"instance-level", "level"}, {"local-uri", "uri"},
    {"parent-uri", "parent_uri"},      {"statedir", "statedir"},
};

static void note(const char *verb, const char *option, const char *why)
{
    fprintf(stderr, "flux %s: %s is ignored: %s\n", verb, option, why);
}

/* The rule for WORD, an option of VERB, and where its value begins: NULL: it has none, or is the next word. */
static const struct rewrite *find_rewrite(const char *verb, const char *word,
                                          const char **value)
{
    for (size_t i = 0; i < ARRAY_SIZE(rewrites); i++) {
        const struct rewrite *r = &rewrites[i];
        size_t n = strlen(r->name);
        *value = NULL;
        if (strcmp(verb, r->verb) != 0)
            continue;
        if (strncmp(word, "--", 2) == 0 && strncmp(word + 2, r->name, n) == 0 &&
            (!word[n + 2] || word[n + 2] == '=')) {
            *value = word[n + 2] ? word + n + 3 : NULL;
            return r;
        }
        if (r->key && word[0] == '-' && word[1] == r->key && (r->value || !word[2])) {
            *value = word[2] ? word + 2 : NULL;
            return r;
        }
    }
    return NULL;
}

/* The options in ARGV[0..], before the first word that is none, and all that follows. */
static void rewrite(struct words *w, const char *verb, char **argv)
{
    int i = 0;
    for (; argv[i] && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i++) {
        const char *value, *word = argv[i];
        const struct rewrite *r = find_rewrite(verb, word, &value);
        if (!r) {
            words_add(w, word);
            continue;
        }
        if (r->value && !value && argv[i + 1])
            value = argv[++i];
        if (r->note)
            note(verb, word, r->note);
        if (r->to && r->value)
            words_addf(w, "%s=%s", r->to, value ? value : "");
        else if (r->to)
            words_add(w, r->to);
    }
    for (; argv[i]; i++)
        words_add(w, argv[i]);
}

/* --- verbs --------------------------------------------------------------------------------- */

static int version(void)
{
    const char *uri = getenv("FLUX_URI");
    printf("commands:    \t\t%s\nlibflux-core:\t\t%s\n", FLUX_VERSION, FLUX_VERSION);
    if (uri)
        printf("broker:  \t\t%s\nFLUX_URI:\t\t%s\n", FLUX_VERSION, uri);
    else
        printf("broker:  \t\tnot running\n");
    printf("build-options:\t\thbatch==%s\n", PACKAGE_VERSION);
    return 0;
}

static void translate(struct words *w, char **argv)
{
    const char *verb = argv[0];
    words_add(w, verb);
    if (strcmp(verb, "env") == 0)
        words_add(w, "--compat=flux");
    if (strcmp(verb, "getattr") == 0 && argv[1]) {
        const char *name = argv[1];
        for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
            if (strcmp(attributes[i].flux, name) == 0)
                name = attributes[i].ours;
        words_add(w, name);
        rewrite(w, verb, argv + 2);
        return;
    }
    rewrite(w, verb, argv + 1);
}

static int refuse(const char *verb)
{
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        if (strcmp(refused[i].verb, verb) == 0) {
            fprintf(stderr, "flux: there is no '%s' with hbatch: %s\n", verb,
                    refused[i].why);
            return 1;
        }
    }
    return 0;
}

/* Jobs, and instances, find their way by Flux's variables, too; FLUX_URI goes over ours. */
/* Of verbs that print with formats (hbatch's file formats.h). */
static void take_format_defaults(void)
{
    static const char *const names[] = {"JOBS",           "PGREP",
                                        "QUEUE_LIST",     "RESOURCE_LIST",
                                        "RESOURCE_DRAIN", "RESOURCE_STATUS"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        cleanup_free char *from = xasprintf("FLUX_%s_FORMAT_DEFAULT", names[i]),
                          *to = xasprintf("HBATCH_%s_FORMAT_DEFAULT", names[i]);
        const char *value = getenv(from);
        if (value)
            setenv(to, value, 1);
    }
}

static void prepare_environment(void)
{
    take_format_defaults();
    const char *uri = getenv("FLUX_URI"), *compat = getenv(COMPATENV_NAME),
               *plain = getenv("FLUX_F58_FORCE_ASCII");
    if (uri && *uri)
        setenv("HBATCH_URI", uri, 1);
    if (getenv("FLUX_ATTACH_NONINTERACTIVE"))
        setenv("HBATCH_ATTACH_NONINTERACTIVE", "1", 1);
    if (plain)
        setenv("HBATCH_F58_FORCE_ASCII", plain, 1);
    if (!compatenv_has(compat, "flux")) {
        cleanup_free char *all =
            compat && *compat ? xasprintf("%s,flux", compat) : xstrdup("flux");
        setenv(COMPATENV_NAME, all, 1);
    }
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
    struct words w = {0};
    int i = 1;
    (void)argc;
    prepare_environment();
    for (; argv[i] && argv[i][0] == '-'; i++) {
        if (is_one_of(argv[i], "-V", "--version"))
            return version();
        if (!is_one_of(argv[i], "-v", "--verbose"))
            words_add(&w, argv[i]);
    }
    if (argv[i] && strcmp(argv[i], "mini") == 0) /* as it was before 0.44 */
        i++;
    if (!argv[i] && w.n == 0)
        words_add(&w, "--help");
    if (argv[i]) {
        if (strcmp(argv[i], "version") == 0 && !argv[i + 1])
            return version();
        if (refuse(argv[i]))
            return 1;
        translate(&w, argv + i);
    }
    int rc = compat_become_hbatch("flux", &w);
    words_fini(&w);
    return rc;
}
