/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/property.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "src/common/hostlist.h"
#include "src/common/utf8.h"
#include "src/common/util.h"

/* What RFC 20 keeps out of names, and a constraint as users write it could not hold. */
static const char reserved[] = "!&'\"^`|(),:\\";

static const char *find_bad(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (strchr(reserved, c) || isspace(c) || iscntrl(c) || (i == 0 && c == '-'))
            return name + i;
    }
    return NULL;
}

int property_check(const char *text, struct error *err)
{
    static const char *const words[] = {"and", "or", "not"};
    struct error why;
    size_t len = strcspn(text, ":");
    if (!utf8_valid(text, strlen(text)))
        return error_set(err, EINVAL, "property: its text is not valid UTF-8");
    const char *bad = find_bad(text, len);
    if (bad)
        return error_set(err, EINVAL, "property '%s': its name must not have '%c'%s",
                         text, *bad, *bad == '-' ? " first" : "");
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0)
            return error_set(err, EINVAL,
                             "property '%s': '%s' is a word of constraints, and no name",
                             text, words[i]);
    if (len == 0)
        return error_set(err, EINVAL, "property '%s': it must be NAME or NAME:HOSTS",
                         text);
    if (!text[len])
        return 0;
    struct hostlist *hosts = hostlist_decode(text + len + 1, &why);
    size_t n = hosts ? hostlist_count(hosts) : 0;
    hostlist_destroy(hosts);
    if (!hosts)
        return error_set(err, EINVAL, "property '%s': %s", text, why.text);
    if (n == 0)
        return error_set(err, EINVAL, "property '%s': there are no hosts after the colon",
                         text);
    return 0;
}

static bool same_host(const char *a, const char *b)
{
    size_t short_a = strcspn(a, "."), short_b = strcspn(b, ".");
    if (a[short_a] && b[short_b])
        return strcmp(a, b) == 0;
    return short_a == short_b && memcmp(a, b, short_a) == 0;
}

char *property_of(const char *text, const char *host)
{
    size_t len = strcspn(text, ":");
    bool has = !text[len];
    struct hostlist *hosts = has ? NULL : hostlist_decode(text + len + 1, NULL);
    for (size_t i = 0; hosts && !has && i < hostlist_count(hosts); i++)
        has = same_host(hostlist_nth(hosts, i), host);
    hostlist_destroy(hosts);
    return has ? xstrndup(text, len) : NULL;
}
