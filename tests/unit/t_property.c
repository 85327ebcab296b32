/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/property.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static const struct {
    const char *text, *host, *name; /* NULL: HOST has none */
} given[] = {
    {"fast", "n1", "fast"},
    {"fast", "anything", "fast"},
    {"a-b_c.9+", "n1", "a-b_c.9+"},
    {"fast:n1", "n1", "fast"},
    {"fast:n1", "n11", NULL},
    {"fast:n11", "n1", NULL},
    {"fast:n[0-3],login", "n3", "fast"},
    {"fast:n[0-3],login", "n4", NULL},
    {"fast:n[0-3],login", "login", "fast"},
    {"fast:n1.cluster.org", "n1", "fast"},
    {"fast:n1", "n1.cluster.org", "fast"},
    {"fast:n1.cluster.org", "n1.other.org", NULL},
};

START_TEST(gives_names_to_hosts)
{
    for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
        struct error err;
        ck_assert_msg(property_check(given[i].text, &err) == 0, "%s: %s", given[i].text,
                      err.text);
        cleanup_free char *name = property_of(given[i].text, given[i].host);
        ck_assert_msg(!name == !given[i].name, "%s of %s", given[i].text, given[i].host);
        if (name)
            ck_assert_str_eq(name, given[i].name);
    }
}
END_TEST

static const struct {
    const char *text, *says;
} rejects[] = {
    {"", "''"},          {":n1", "':n1'"},      {"a b", "' '"},      {"a,b", "','"},
    {"^a", "'^'"},       {"-a", "'-' first"},   {"a|b:n1", "'|'"},   {"and", "'and'"},
    {"not:n1", "'not'"}, {"fast:", "no hosts"}, {"fast:n[1", "n[1"}, {"caf\xe9", "UTF-8"},
};

START_TEST(rejects_bad_ones)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        ck_assert_msg(property_check(rejects[i].text, &err) < 0, "%s", rejects[i].text);
        ck_error_names(err, rejects[i].says);
        ck_assert_int_eq(property_check(rejects[i].text, NULL), -1);
    }
}
END_TEST

UNIT_MAIN("property", gives_names_to_hosts, rejects_bad_ones)
