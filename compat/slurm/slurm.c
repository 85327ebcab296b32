/* SPDX-License-Identifier: BSD-3-Clause */
#include "compat/slurm/slurm.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/common/compatenv.h"

static void verror(const struct slurm *s, const char *fmt, va_list ap)
{
    fflush(stdout);
    fprintf(stderr, "%s: error: ", s->me);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

void slurm_error(const struct slurm *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    verror(s, fmt, ap);
    va_end(ap);
}

void slurm_die(const struct slurm *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    verror(s, fmt, ap);
    va_end(ap);
    exit(1);
}

bool slurm_in_job(void)
{
    const char *ours = getenv(SLURM_LEVEL_NAME), *level = getenv("HBATCH_INSTANCE_LEVEL");
    return ours && level && strcmp(ours, level) == 0 && getenv("SLURM_JOB_ID");
}

struct hbatch *slurm_connect(struct slurm *s)
{
    struct error err;
    const char *parent = getenv("HBATCH_PARENT_URI");
    if (!s->h)
        s->h = client_open(parent && slurm_in_job() ? parent : NULL, &err);
    if (!s->h)
        slurm_die(s, "%s", err.text);
    return s->h;
}

json_object *slurm_ask(struct slurm *s, const char *method, json_object *params,
                       struct error *err)
{
    return client_call(slurm_connect(s), method, params, err);
}

json_object *slurm_call(struct slurm *s, const char *method, json_object *params)
{
    struct error err;
    json_object *o = slurm_ask(s, method, params, &err);
    if (!o)
        slurm_die(s, "%s", err.text);
    return o;
}

const char *slurm_text(json_object *o, const char *key, const char *absent)
{
    json_object *v;
    return json_object_object_get_ex(o, key, &v) &&
                   json_object_is_type(v, json_type_string)
               ? json_object_get_string(v)
               : absent;
}

double slurm_number(json_object *o, const char *key, double absent)
{
    json_object *v;
    return json_object_object_get_ex(o, key, &v) ? json_object_get_double(v) : absent;
}

json_object *slurm_params(const char *key, uint64_t n)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, key, json_object_new_uint64(n));
    return o;
}

long slurm_parse(const struct slurm *s, const char *option, const char *text, long least)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || end == text || *end || n < least)
        slurm_die(s, "%s: '%s' must be a whole number, %ld or more", option, text, least);
    return n;
}

bool slurm_listed(const char *list, const char *text)
{
    return compatenv_has(list, text);
}

int slurm_finish(const struct slurm *s, int exit_code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return exit_code;
    slurm_error(s, "cannot write standard output: %s", strerror(errno));
    return 1;
}
