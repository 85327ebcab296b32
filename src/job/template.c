/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/template.h"

#include <string.h>
#include "src/common/jobid.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"

typedef bool (*tag_f)(struct strbuf *out, const struct template_vars *v);

static bool add_text(struct strbuf *out, const char *s)
{
    if (s)
        strbuf_add(out, s);
    return s != NULL;
}

static bool add_number(struct strbuf *out, unsigned n)
{
    strbuf_addf(out, "%u", n);
    return true;
}

#define TEXT_TAG(name)                                                                   \
    static bool tag_##name(struct strbuf *out, const struct template_vars *v)            \
    {                                                                                    \
        return add_text(out, v->name);                                                   \
    }
#define NUMBER_TAG(name)                                                                 \
    static bool tag_##name(struct strbuf *out, const struct template_vars *v)            \
    {                                                                                    \
        return add_number(out, v->name);                                                 \
    }
TEXT_TAG(name)
TEXT_TAG(nodelist)
TEXT_TAG(cc)
TEXT_TAG(tmpdir)
TEXT_TAG(host)
TEXT_TAG(cores)
TEXT_TAG(gpus)
NUMBER_TAG(size)
NUMBER_TAG(nnodes)
NUMBER_TAG(node)
NUMBER_TAG(node_rank)
NUMBER_TAG(ncores)

static bool tag_task(struct strbuf *out, const struct template_vars *v)
{
    return v->has_task && add_number(out, v->task);
}

static bool tag_local(struct strbuf *out, const struct template_vars *v)
{
    return v->has_task && add_number(out, v->local);
}

static const struct tag {
    const char *name;
    enum template_scope scope;
    tag_f f;
} tags[] = {
    {"cc", TEMPLATE_JOB, tag_cc},
    {"name", TEMPLATE_JOB, tag_name},
    {"size", TEMPLATE_JOB, tag_size},
    {"ntasks", TEMPLATE_JOB, tag_size},
    {"nnodes", TEMPLATE_JOB, tag_nnodes},
    {"nodelist", TEMPLATE_JOB, tag_nodelist},
    {"tmpdir", TEMPLATE_NODE, tag_tmpdir},
    {"node.id", TEMPLATE_NODE, tag_node},
    {"node.name", TEMPLATE_NODE, tag_host},
    {"node.broker_rank", TEMPLATE_NODE, tag_node_rank},
    {"node.rank", TEMPLATE_NODE, tag_node_rank},
    {"node.cores", TEMPLATE_NODE, tag_cores},
    {"node.gpus", TEMPLATE_NODE, tag_gpus},
    {"node.ncores", TEMPLATE_NODE, tag_ncores},
    {"taskid", TEMPLATE_TASK, tag_task},
    {"task.id", TEMPLATE_TASK, tag_task},
    {"task.rank", TEMPLATE_TASK, tag_task},
    {"task.index", TEMPLATE_TASK, tag_local},
    {"task.localid", TEMPLATE_TASK, tag_local},
};

static const struct tag *find_tag(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
        if (strlen(tags[i].name) == len && memcmp(tags[i].name, name, len) == 0)
            return &tags[i];
    return NULL;
}

/* "id", "jobid", "id.FORM", "jobid.FORM": the form, or -1. */
static int id_form(const char *name, size_t len)
{
    if (len >= 3 && memcmp(name, "job", 3) == 0) {
        name += 3;
        len -= 3;
    }
    if (len < 2 || memcmp(name, "id", 2) != 0)
        return -1;
    if (len == 2)
        return JOBID_F58;
    if (name[2] != '.' || len - 3 > 15)
        return -1;
    char form[16] = {0};
    memcpy(form, name + 3, len - 3);
    return jobid_form_decode(form);
}

/* The next tag from S on: its start, its name, and where the text goes on; NULL: none. */
static const char *next_tag(const char *s, const char **name, size_t *len,
                            const char **rest)
{
    while ((s = strchr(s, '{'))) {
        if (strncmp(s, "{cc}", 4) == 0) {
            *name = s + 1;
            *len = 2;
            *rest = s + 4;
            return s;
        }
        const char *end;
        if (s[1] == '{' && s[2] != '{' && (end = strstr(s + 2, "}}"))) {
            *name = s + 2;
            *len = (size_t)(end - *name);
            *rest = end + 2;
            return s;
        }
        s++;
    }
    return NULL;
}

enum template_scope template_scope(const char *text)
{
    enum template_scope scope = TEMPLATE_NONE;
    const char *start, *name, *rest;
    size_t len;
    for (; (start = next_tag(text, &name, &len, &rest)); text = rest) {
        const struct tag *tag = find_tag(name, len);
        if (tag)
            scope = MAX(scope, tag->scope);
        else if (id_form(name, len) >= 0)
            scope = MAX(scope, TEMPLATE_JOB);
        else
            rest = start + 1;
    }
    return scope;
}

static bool render_tag(struct strbuf *out, const char *name, size_t len,
                       const struct template_vars *vars)
{
    const struct tag *tag = find_tag(name, len);
    if (tag)
        return tag->f(out, vars);
    int form = id_form(name, len);
    char buf[JOBID_BUFSIZE];
    if (form == JOBID_F58 && vars->ascii_ids)
        form = JOBID_F58_PLAIN;
    return form >= 0 &&
           add_text(out, jobid_encode(vars->id, (enum jobid_form)form, buf, sizeof(buf)));
}

char *template_render(const char *text, const struct template_vars *vars)
{
    cleanup_strbuf struct strbuf out = {0};
    const char *start, *name, *rest;
    size_t len;
    while ((start = next_tag(text, &name, &len, &rest))) {
        strbuf_addn(&out, text, (size_t)(start - text));
        if (render_tag(&out, name, len, vars)) {
            text = rest;
        } else { /* an unknown tag may hold a known one: {{ {{id}} */
            strbuf_addc(&out, *start);
            text = start + 1;
        }
    }
    strbuf_add(&out, text);
    return strbuf_take(&out);
}
