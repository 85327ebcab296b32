/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/comm/traffic.h"

#include <string.h>
#include "src/common/util.h"

void traffic_add(struct traffic_count *c, const char *data, size_t len)
{
    c->messages++;
    c->bytes += len;
    if (len == 0) /* the last epoch has none */
        return;
    const char *end = data + len;
    for (const char *p = data; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        c->lines++;
}

json_object *traffic_to_json(const struct traffic *t)
{
    const struct {
        const char *name, *what;
        const struct traffic_count *count;
    } parts[] = {{"sent", "messages", &t->sent},
                 {"received", "messages", &t->received},
                 {"beats", "messages", &t->beats},
                 {"epochs", "epochs", &t->epochs}};
    json_object *o = json_object_new_object();
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        const struct traffic_count *c = parts[i].count;
        json_object *part = json_object_new_object();
        json_object_object_add(part, parts[i].what, json_object_new_uint64(c->messages));
        json_object_object_add(part, "lines", json_object_new_uint64(c->lines));
        json_object_object_add(part, "bytes", json_object_new_uint64(c->bytes));
        json_object_object_add(o, parts[i].name, part);
    }
    return o;
}
