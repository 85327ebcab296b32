/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/journal.h"

#include <stdio.h>
#include <string.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"
#include "tests/unit/unit.h"

static json_object *nodes[3];

static struct journal *begin(size_t max)
{
    for (unsigned i = 0; i < ARRAY_SIZE(nodes); i++) {
        char host[8];
        snprintf(host, sizeof(host), "n%u", i);
        nodes[i] = json_object_new_object();
        json_object_object_add(nodes[i], "host", json_object_new_string(host));
    }
    return journal_create(max);
}

static void end(struct journal *j)
{
    for (unsigned i = 0; i < ARRAY_SIZE(nodes); i++)
        json_object_put(nodes[i]);
    journal_destroy(j);
}

static void note(struct journal *j, double t, unsigned rank, bool up, const char *drained,
                 double since, const char *reason)
{
    char host[8];
    snprintf(host, sizeof(host), "n%u", rank);
    const struct journal_node node = {rank, host, up, drained, since, reason};
    journal_note(j, t, &node);
}

/* "T NAME CONTEXT|..." of the events after number SINCE. */
static char *told(struct journal *j, uint64_t since)
{
    cleanup_json json_object *o = journal_to_json(j, since);
    json_object *list = jsonutil_get(o, "events");
    struct strbuf b = {0};
    strbuf_add(&b, "");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        json_object *e = json_object_array_get_idx(list, i),
                    *context = jsonutil_get(e, "context");
        strbuf_addf(&b, "%s%g %s%s%s", i ? "|" : "",
                    json_object_get_double(jsonutil_get(e, "timestamp")),
                    jsonutil_string(jsonutil_get(e, "name")), context ? " " : "",
                    context
                        ? json_object_to_json_string_ext(context, JSON_C_TO_STRING_PLAIN)
                        : "");
    }
    return b.s ? b.s : xstrdup("");
}

static void check(struct journal *j, uint64_t since, const char *want)
{
    cleanup_free char *have = told(j, since);
    ck_assert_str_eq(have, want);
}

START_TEST(events)
{
    struct journal *j = begin(100);
    double since = 0;
    note(j, 7, 2, false, "of old", 3, NULL); /* before the begin: drains alone */
    journal_begin(j, 10, nodes, 3, "dynamic-discovery");
    journal_begin(j, 11, nodes, 3, "again");
    check(j, 0,
          "3 drain {\"idset\":\"2\",\"nodelist\":\"n2\",\"reason\":\"of old\","
          "\"overwrite\":0}|"
          "10 restart {\"ranks\":\"0-2\",\"online\":\"\",\"nodelist\":\"n[0-2]\"}|"
          "10 resource-define {\"method\":\"dynamic-discovery\"}|"
          "10 online {\"idset\":\"0-2\",\"nodelist\":\"n[0-2]\"}");
    ck_assert_str_eq(journal_drained(j, 2, &since), "of old");
    ck_assert(since == 3);
    ck_assert_ptr_null(journal_drained(j, 0, &since));
    ck_assert_ptr_null(journal_drained(j, 77, &since));
    note(j, 12, 0, true, NULL, 0, NULL); /* as it was */
    check(j, 4, "");
    note(j, 13, 0, false, NULL, 0, NULL);
    note(j, 14, 0, false, "fan", 14, NULL);
    note(j, 15, 1, true, "fan", 15, NULL);
    note(j, 15, 0, true, "fan", 14, NULL);
    check(j, 4,
          "13 offline {\"idset\":\"0\",\"nodelist\":\"n0\"}|"
          "14 drain {\"idset\":\"0\",\"nodelist\":\"n0\",\"reason\":\"fan\","
          "\"overwrite\":0}|"
          "15 drain {\"idset\":\"1\",\"nodelist\":\"n1\",\"reason\":\"fan\","
          "\"overwrite\":0}|"
          "15 online {\"idset\":\"0\",\"nodelist\":\"n0\"}");
    note(j, 16, 0, true, "disk", 14, NULL);
    note(j, 17, 0, true, "disk", 17, NULL);
    note(j, 18, 0, true, NULL, 0, "mended");
    journal_gone(j, 19, 1);
    journal_gone(j, 20, 1);
    check(j, 8,
          "16 drain {\"idset\":\"0\",\"nodelist\":\"n0\",\"reason\":\"disk\","
          "\"overwrite\":1}|"
          "17 drain {\"idset\":\"0\",\"nodelist\":\"n0\",\"reason\":\"disk\","
          "\"overwrite\":2}|"
          "18 undrain {\"idset\":\"0\",\"nodelist\":\"n0\",\"reason\":\"mended\","
          "\"overwrite\":0}|"
          "19 offline {\"idset\":\"1\"}");
    ck_assert_ptr_null(journal_drained(j, 1, &since));
    end(j);
}
END_TEST

START_TEST(nodes_together)
{
    struct journal *j = begin(100);
    journal_begin(j, 1, nodes, 3, "job-info");
    for (unsigned rank = 0; rank < 2; rank++)
        note(j, 2, rank, true, "same", 2, NULL);
    check(j, 3,
          "2 drain {\"idset\":\"0-1\",\"nodelist\":\"n[0-1]\",\"reason\":\"same\","
          "\"overwrite\":0}");
    note(j, 2, 2, true, "same", 2, NULL); /* the one before was told */
    check(j, 4,
          "2 drain {\"idset\":\"2\",\"nodelist\":\"n2\",\"reason\":\"same\","
          "\"overwrite\":0}");
    end(j);
}
END_TEST

START_TEST(the_oldest_go)
{
    struct journal *j = begin(4);
    journal_begin(j, 1, nodes, 3, "job-info");
    for (unsigned i = 0; i < 10; i++)
        note(j, 2 + i, 0, i % 2, NULL, 0, NULL);
    check(j, 0,
          "7 truncate|8 offline {\"idset\":\"0\",\"nodelist\":\"n0\"}|"
          "9 online {\"idset\":\"0\",\"nodelist\":\"n0\"}|"
          "10 offline {\"idset\":\"0\",\"nodelist\":\"n0\"}|"
          "11 online {\"idset\":\"0\",\"nodelist\":\"n0\"}");
    check(j, 12, "11 online {\"idset\":\"0\",\"nodelist\":\"n0\"}");
    check(j, 13, "");
    check(j, 1000, "");
    end(j);
}
END_TEST

START_TEST(none)
{
    double since;
    journal_begin(NULL, 1, NULL, 0, "x");
    note(NULL, 1, 0, true, NULL, 0, NULL);
    journal_gone(NULL, 1, 0);
    ck_assert_ptr_null(journal_drained(NULL, 0, &since));
    check(NULL, 0, "");
    journal_destroy(NULL);
}
END_TEST

UNIT_MAIN("journal", events, nodes_together, the_oldest_go, none)
