/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/usage.h"

#include <stdio.h>
#include <string.h>
#include "src/common/util.h"

enum { LOAD, MEMORY, AVAILABLE, NODES, LOAD_MAX, MEMORY_MAX };

/* Bytes behind "KEY: N kB" in /proc/meminfo's TEXT. */
static double meminfo(const char *text, const char *key)
{
    const char *line = text ? strstr(text, key) : NULL;
    return line ? strtod(line + strlen(key), NULL) * 1024 : 0;
}

void usage_measure(double numbers[USAGE_NUMBERS])
{
    double load = 0;
    cleanup_free char *text = read_file("/proc/meminfo", NULL);
    memset(numbers, 0, USAGE_NUMBERS * sizeof(*numbers));
    if (getloadavg(&load, 1) != 1)
        load = 0;
    numbers[LOAD] = numbers[LOAD_MAX] = load;
    numbers[MEMORY] = meminfo(text, "MemTotal:");
    numbers[AVAILABLE] = meminfo(text, "MemAvailable:");
    numbers[NODES] = 1;
    if (numbers[MEMORY] > 0)
        numbers[MEMORY_MAX] = 1 - numbers[AVAILABLE] / numbers[MEMORY];
}

struct usage usage_decode(const double numbers[USAGE_NUMBERS])
{
    return (struct usage){
        .load = numbers[LOAD],
        .memory = numbers[MEMORY],
        .available = numbers[AVAILABLE],
        .nodes = numbers[NODES],
        .load_max = numbers[LOAD_MAX],
        .memory_max = numbers[MEMORY_MAX],
    };
}

json_object *usage_to_json(const struct usage *u)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "nodes", json_object_new_int64((int64_t)u->nodes));
    json_object_object_add(o, "load", json_object_new_double(u->load));
    json_object_object_add(o, "load_max", json_object_new_double(u->load_max));
    json_object_object_add(o, "memory", json_object_new_int64((int64_t)u->memory));
    json_object_object_add(o, "memory_available",
                           json_object_new_int64((int64_t)u->available));
    json_object_object_add(o, "memory_max", json_object_new_double(u->memory_max));
    return o;
}
