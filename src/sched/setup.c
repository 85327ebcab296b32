/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/setup.h"

#include <errno.h>
#include <string.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"

static int no_policy(const char *name, struct error *err)
{
    struct strbuf known = {0};
    for (size_t i = 0; sched_policies[i]; i++)
        strbuf_addf(&known, "%s%s", i ? ", " : "", sched_policies[i]->name);
    error_set(err, EINVAL, "there is no scheduling policy '%s'; there are %s", name,
              known.s);
    strbuf_cleanup(&known);
    return -1;
}

const struct place_strategy *sched_setup_place(const char *name, struct error *err)
{
    const struct place_strategy *found = place_strategy_find(name);
    if (found)
        return found;
    cleanup_strbuf struct strbuf known = {0};
    for (size_t i = 0; place_strategies[i]; i++)
        strbuf_addf(&known, "%s%s", i ? ", " : "", place_strategies[i]->name);
    return error_null(err, EINVAL, "there is no placement '%s'; there are %s", name,
                      known.s);
}

static int parse_depth(struct sched_setup *setup, const char *value, struct error *err)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno)
        return error_set(err, EINVAL,
                         "depth=%s: must be the number of waiting jobs that the policy "
                         "looks at, 0: all",
                         value);
    setup->depth = n;
    return 0;
}

int sched_setup_parse(struct sched_setup *setup, const char *text, struct error *err)
{
    cleanup_free char *copy = xstrdup(text);
    char *rest = copy, *name = strsep(&rest, ",");
    *setup = (struct sched_setup){.policy = sched_policy_find(name),
                                  .place = place_strategies[0]};
    if (!setup->policy)
        return no_policy(name, err);
    for (char *word; (word = strsep(&rest, ","));) {
        char *value = strchr(word, '=');
        if (value)
            *value++ = '\0';
        if (value && strcmp(word, "depth") == 0) {
            if (parse_depth(setup, value, err) < 0)
                return -1;
        } else if (value && strcmp(word, "placement") == 0) {
            if (!(setup->place = sched_setup_place(value, err)))
                return -1;
        } else {
            return error_set(err, EINVAL,
                             "scheduling policy '%s': '%s' is no setting of it; there "
                             "are depth=N and placement=NAME",
                             text, word);
        }
    }
    return 0;
}
