/* SPDX-License-Identifier: BSD-3-Clause */
/* sbatch: a job that is an instance, whose program is this one with --inside (inside.c), which becomes the script. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "compat/common/hbatch.h"
#include "compat/slurm/request.h"
#include "src/common/idset.h"
#include "src/job/jsonutil.h"
#include "src/lib/build.h"
#include "src/lib/submit.h"

struct sbatch {
    struct slurm *s;
    struct request r;
    char *script;
    const char *source;
    int argc; /* the script's own words */
    char **argv;
    char *cc;                             /* of an array, or NULL */
    long limit;                           /* of its elements at once, 0: none */
    long elements, least, greatest, step; /* of the array */
};

/* --- the script ---------------------------------------------------------------------------- */

static void read_script(struct sbatch *b)
{
    bool file = b->argc > 0;
    b->source = file ? b->argv[0] : "stdin";
    cleanup_close int fd = file ? open(b->argv[0], O_RDONLY | O_CLOEXEC) : -1;
    if (file && fd < 0)
        slurm_die(b->s, "Unable to open file %s: %s", b->argv[0], strerror(errno));
    b->script = xcalloc(1, BUILD_SCRIPT_MAX + 2);
    ssize_t n = read_all(file ? fd : STDIN_FILENO, b->script, BUILD_SCRIPT_MAX + 1);
    if (n < 0)
        slurm_die(b->s, "cannot read the script %s: %s", b->source, strerror(errno));
    if (n == 0)
        slurm_die(b->s, "Batch script is empty!");
    if ((size_t)n > strlen(b->script))
        slurm_die(b->s, "The Slurm controller does not allow scripts that contain a NULL "
                        "character '\\0'.");
    if (strncmp(b->script, "#!", 2) != 0)
        slurm_die(b->s, "This does not look like a batch script.  The first\n"
                        "sbatch: error: line must start with #! followed by the path to "
                        "an interpreter.\n"
                        "sbatch: error: For instance: #!/bin/sh");
    struct error err;
    if (build_check_script(b->script, (size_t)n, &err) < 0)
        slurm_die(b->s, "%s: %s", b->source, err.text);
}

/* #SBATCH lines before the first command, in their order. */
static void take_directives(struct sbatch *b)
{
    unsigned number = 0;
    for (const char *line = b->script, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        next = next ? next + 1 : NULL;
        number++;
        const char *word = line + strspn(line, " \t\r");
        if (*word && *word != '#' && *word != '\n')
            return;
        if (strncmp(line, "#SBATCH", 7) != 0 || !strchr(" \t", line[7]))
            continue;
        struct error err;
        struct sparse p;
        int argc;
        cleanup_free char *text = xstrndup(line + 7, strcspn(line + 7, "\n"));
        cleanup_free char *where = xasprintf("%s: line %u", b->source, number);
        char **argv = slurm_split(text, "sbatch", &argc, &err);
        if (!argv)
            slurm_die(b->s, "%s: %s", where, err.text);
        sparse_init(&p, b->s, request_sbatch, request_nsbatch, argc, argv, false);
        p.where = where;
        for (const struct sopt *o; (o = sparse_next(&p));)
            request_take(&b->r, &p, o);
        if (p.first < argc)
            slurm_die(b->s, "%s: '%s' is no option", where, argv[p.first]);
        slurm_split_free(argv);
    }
}

static void wrap_script(struct sbatch *b)
{
    if (b->argc > 0)
        slurm_die(b->s, "Script arguments not permitted with --wrap option");
    b->script = xasprintf(
        "#!/bin/sh\n# This script was created by sbatch --wrap.\n\n%s\n", b->r.wrap);
    b->source = "wrap";
}

/* --- the job ------------------------------------------------------------------------------- */

/* 0-9,20-28:4%2 */
static void decode_array(struct sbatch *b)
{
    struct error err;
    cleanup_free char *text = xstrdup(b->r.array);
    char *percent = strchr(text, '%');
    if (percent) {
        *percent = '\0';
        b->limit = slurm_parse(b->s, "--array, behind %", percent + 1, 1);
    }
    cleanup_bitmap hwloc_bitmap_t all = hwloc_bitmap_alloc();
    b->step = 1;
    for (char *save, *word = strtok_r(text, ",", &save); word;
         word = strtok_r(NULL, ",", &save)) {
        char *colon = strchr(word, ':');
        long step = colon ? slurm_parse(b->s, "--array, behind ':'", colon + 1, 1) : 1;
        if (colon)
            *colon = '\0';
        b->step = MAX(b->step, step);
        cleanup_bitmap hwloc_bitmap_t some = idset_decode(word, &err);
        if (!some)
            slurm_die(b->s, "Invalid job array specification: %s", b->r.array);
        int first = hwloc_bitmap_first(some);
        for (int i = first; i >= 0; i = hwloc_bitmap_next(some, i))
            if ((i - first) % step == 0)
                hwloc_bitmap_set(all, (unsigned)i);
    }
    if (hwloc_bitmap_iszero(all))
        slurm_die(b->s, "Invalid job array specification: %s", b->r.array);
    b->cc = idset_encode(all, 0);
    b->least = hwloc_bitmap_first(all);
    b->greatest = hwloc_bitmap_last(all);
    b->elements = hwloc_bitmap_weight(all);
}

/* What the script is to find besides what inside.c knows; nothing of an outer job. */
static void set_environment(struct sbatch *b)
{
    char host[256] = "", text[32], cwd[4096];
    static const char *const kept[] = {
        "SLURM_CONF=", "SLURM_TIME_FORMAT=", "SLURM_EXPORT_ENV="};
    for (size_t i = 0; environ[i];) {
        size_t k = 0;
        while (k < ARRAY_SIZE(kept) && strncmp(environ[i], kept[k], strlen(kept[k])) != 0)
            k++;
        if (strncmp(environ[i], "SLURM_", 6) == 0 && k == ARRAY_SIZE(kept)) {
            cleanup_free char *name = xstrndup(environ[i], strcspn(environ[i], "="));
            unsetenv(name);
        } else {
            i++;
        }
    }
    gethostname(host, sizeof(host) - 1);
    setenv("SLURM_SUBMIT_HOST", host, 1);
    setenv("SLURM_SUBMIT_DIR", getcwd(cwd, sizeof(cwd)) ? cwd : "/", 1);
    const struct {
        const char *name;
        long value;
    } numbers[] = {
        {"SLURM_NTASKS", b->r.ntasks},
        {"SLURM_NPROCS", b->r.ntasks},
        {"SLURM_CPUS_PER_TASK", b->r.cpus},
        {"SLURM_NTASKS_PER_NODE", b->r.tasks_per_node},
        {"SLURM_GPUS_PER_TASK", b->r.gpus_per_task},
        {"SLURM_GPUS", b->r.gpus},
        {"SLURM_ARRAY_TASK_COUNT", b->elements},
        {"SLURM_ARRAY_TASK_STEP", b->step},
    };
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        snprintf(text, sizeof(text), "%ld", numbers[i].value);
        if (numbers[i].value)
            setenv(numbers[i].name, text, 1);
    }
    for (int i = 0; b->cc && i < 2; i++) {
        snprintf(text, sizeof(text), "%ld", i ? b->greatest : b->least);
        setenv(i ? "SLURM_ARRAY_TASK_MAX" : "SLURM_ARRAY_TASK_MIN", text, 1);
    }
    setenv("SLURM_JOB_PARTITION", b->r.partition ? b->r.partition : SLURM_PARTITION, 1);
}

static const char *or_none(const char *text)
{
    return text ? text : "-";
}

/* This program, the files, and the script with its words. */
static void make_command(struct sbatch *b, struct words *w)
{
    cleanup_free char *self = compat_self();
    words_add(w, self);
    words_add(w, "--inside");
    words_add(w, b->r.output ? b->r.output : b->cc ? "slurm-%A_%a.out" : "slurm-%j.out");
    words_add(w, or_none(b->r.error));
    words_add(w, b->r.input ? b->r.input : "/dev/null");
    words_add(w, b->r.append ? "a" : "w");
    words_add(w, "{{tmpdir}}/slurm_script");
    for (int i = 1; i < b->argc; i++)
        words_add(w, b->argv[i]);
}

static char *encode(struct sbatch *b)
{
    struct error err;
    struct words w = {0};
    make_command(b, &w);
    if (!b->r.name) {
        const char *slash = strrchr(b->source, '/');
        b->r.name = xstrdup(b->argc == 0 && !b->r.wrap ? "sbatch"
                            : slash                    ? slash + 1
                                                       : b->source);
    }
    request_sizes(&b->r, true);
    request_memory(&b->r);
    set_environment(b);
    request_environment(&b->r);
    request_set(&b->r, "env", "SLURM_JOB_ID={{id.dec}}");
    if (b->cc)
        request_set(&b->r, "env", "SLURM_ARRAY_TASK_ID={{cc}}");
    request_setf(&b->r, "add-file", "slurm_script:700=%s", b->script);
    struct hbatch_jobspec *js = hbatch_jobspec_create(w.n, (const char *const *)w.v);
    for (size_t i = 0; i < b->r.nsets; i++)
        if (build_set(js, b->r.sets[i].name, b->r.sets[i].value, &err) < 0)
            slurm_die(b->s, "Batch job submission failed: --%s", err.text);
    if (build_set_instance(js, 0, NULL, NULL, &err) < 0)
        slurm_die(b->s, "Batch job submission failed: %s", err.text);
    json_object *spec = build_encode(js, &err);
    if (!spec)
        slurm_die(b->s, "Batch job submission failed: %s", err.text);
    char *text = xstrdup(json_object_to_json_string_ext(
        spec, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(spec);
    hbatch_jobspec_destroy(js);
    words_fini(&w);
    return text;
}

static int wait_for(struct sbatch *b, uint64_t id, uint64_t count)
{
    struct error err;
    int code = 0;
    for (uint64_t i = 0; i < count; i++) {
        cleanup_json json_object *end = slurm_ask(
            b->s, "job.wait", slurm_params("id", hbatch_jobid_nth(id, i)), &err);
        if (!end)
            slurm_die(b->s, "%s", err.text);
        int exit_code = (int)slurm_number(end, "exit", 1);
        if (exit_code == 0 && strcmp(slurm_text(end, "result", ""), "COMPLETED") != 0)
            exit_code = 1;
        code = MAX(code, exit_code);
    }
    return code;
}

static uint64_t submit(struct sbatch *b, json_object *spec, const char *cc,
                       uint64_t *count)
{
    struct error err;
    uint64_t id;
    const struct hbatch_submit how = {
        .urgency = b->r.hold ? 0 : -1, .cc = cc, .count = count};
    if (submit_job(slurm_connect(b->s), spec, &how, &id, NULL, NULL, &err) < 0)
        slurm_die(b->s, "Batch job submission failed: %s", err.text);
    return id;
}

/* PATH.KEY of SPEC is VALUE, which is taken over. */
static void note(json_object *spec, const char *path, json_object *value)
{
    struct error ignored;
    build_path_set(spec, path, value, &ignored);
}

/* The next LIMIT elements of REST, which loses them. */
static char *take_elements(hwloc_bitmap_t rest, long limit)
{
    cleanup_bitmap hwloc_bitmap_t some = hwloc_bitmap_alloc();
    for (long i = 0; i < limit && !hwloc_bitmap_iszero(rest); i++) {
        unsigned first = (unsigned)hwloc_bitmap_first(rest);
        hwloc_bitmap_set(some, first);
        hwloc_bitmap_clr(rest, first);
    }
    return idset_encode(some, 0);
}

/* An array with a limit, as jobs.h has it.  Return the first job; *LAST: the first one of the last array, of *COUNT. */
static uint64_t submit_row(struct sbatch *b, const char *text, uint64_t *last,
                           uint64_t *count)
{
    struct error err;
    uint64_t array = 0;
    cleanup_bitmap hwloc_bitmap_t rest = idset_decode(b->cc, &err);
    while (!hwloc_bitmap_iszero(rest)) {
        json_object *spec = submit_parse(text, "the job specification", &err);
        cleanup_free char *cc = take_elements(rest, b->limit);
        if (!array) {
            note(spec, "attributes.user.slurm.limit", json_object_new_int64(b->limit));
        } else {
            cleanup_free char *id = xasprintf("%llu", (unsigned long long)array);
            json_object *system = submit_system(spec), *list = NULL,
                        *o = json_object_new_object();
            note(spec, "attributes.user.slurm.array", json_object_new_uint64(array));
            note(spec, "attributes.system.environment.SLURM_ARRAY_JOB_ID",
                 json_object_new_string(id));
            if (!json_object_object_get_ex(system, "dependencies", &list)) {
                list = json_object_new_array();
                json_object_object_add(system, "dependencies", list);
            }
            cleanup_free char *value =
                *count > 1
                    ? xasprintf("%llu-%llu", (unsigned long long)*last,
                                (unsigned long long)hbatch_jobid_nth(*last, *count - 1))
                    : xasprintf("%llu", (unsigned long long)*last);
            json_object_object_add(o, "scheme", json_object_new_string("afterany"));
            json_object_object_add(o, "value", json_object_new_string(value));
            json_object_array_add(list, o);
        }
        *last = submit(b, spec, cc, count);
        array = array ? array : *last;
    }
    return array;
}

int cmd_sbatch(struct slurm *s, int argc, char **argv)
{
    struct sbatch b = {.s = s, .r = {.s = s}};
    struct request line = {.s = s}; /* of the command line alone: is there --wrap? */
    struct sparse p;
    struct error err;
    uint64_t count = 1;
    sparse_init(&p, s, request_sbatch, request_nsbatch, argc, argv, true);
    for (const struct sopt *o; (o = sparse_next(&p));)
        if (o->id == R_WRAP)
            request_take(&line, &p, o);
    b.argc = argc - p.first;
    b.argv = argv + p.first;
    b.r.wrap = take(line.wrap);
    request_fini(&line);
    if (b.r.wrap) {
        wrap_script(&b);
    } else {
        read_script(&b);
        take_directives(&b);
    }
    /* the command line goes over the directives */
    sparse_init(&p, s, request_sbatch, request_nsbatch, argc, argv, true);
    for (const struct sopt *o; (o = sparse_next(&p));)
        request_take(&b.r, &p, o);
    if (b.r.array)
        decode_array(&b);
    cleanup_free char *text = encode(&b);
    if (b.r.test_only) {
        slurm_connect(s);
        fprintf(stderr, "sbatch: the job is well formed, and is not submitted\n");
        return 0;
    }
    uint64_t last = 0, id;
    if (b.limit)
        id = submit_row(&b, text, &last, &count);
    else
        id = last =
            submit(&b, submit_parse(text, "the job specification", &err), b.cc, &count);
    if (b.r.parsable)
        printf("%llu\n", (unsigned long long)id);
    else if (!b.r.quiet)
        printf("Submitted batch job %llu\n", (unsigned long long)id);
    fflush(stdout);
    int rc = b.r.wait ? wait_for(&b, last, count) : 0;
    request_fini(&b.r);
    free(b.script);
    free(b.cc);
    return rc;
}
