/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/devices.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/util.h"

enum { GPUS_MAX = 256 };

static const struct vendor {
    const char *name, *env;
    unsigned id;              /* PCI */
    const char *file;         /* there is none without it */
    const char *dir, *prefix; /* one file a device, or NULL */
} vendors[] = {
    {"nvidia", "CUDA_VISIBLE_DEVICES", 0x10de, "/dev/nvidiactl", "/dev", "nvidia"},
    {"amd", "ROCR_VISIBLE_DEVICES", 0x1002, "/dev/kfd", NULL, NULL},
    {"intel", "ZE_AFFINITY_MASK", 0x8086, "/dev/dri", NULL, NULL},
};

bool devices_may_be(void)
{
    for (size_t v = 0; v < ARRAY_SIZE(vendors); v++)
        if (access(vendors[v].file, F_OK) == 0)
            return true;
    return false;
}

/* The number in /dev of devices whose driver makes a file for each. */
static unsigned count_files(const char *dir, const char *prefix)
{
    DIR *d = opendir(dir);
    if (!d)
        return 0;
    unsigned n = 0;
    for (struct dirent *e; (e = readdir(d));) {
        const char *rest = e->d_name + strlen(prefix);
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 &&
            isdigit((unsigned char)*rest) && strspn(rest, "0123456789") == strlen(rest))
            n++;
    }
    closedir(d);
    return n;
}

static bool is_gpu(hwloc_obj_t o, const struct vendor *v)
{
    const struct hwloc_pcidev_attr_s *pci = &o->attr->pcidev;
    unsigned class = pci->class_id >> 8;
    bool display = class == 0x03, accelerator = class == 0x12;
    /* what is in the processor of a desktop */
    bool integrated = v->id == 0x8086 && pci->domain == 0 && pci->bus == 0;
    return pci->vendor_id == v->id && (display || accelerator) && !integrated;
}

static int by_address(const void *a, const void *b)
{
    const struct hwloc_pcidev_attr_s *p = &(*(const hwloc_obj_t *)a)->attr->pcidev,
                                     *q = &(*(const hwloc_obj_t *)b)->attr->pcidev;
    return p->domain != q->domain ? (p->domain > q->domain) - (p->domain < q->domain)
           : p->bus != q->bus     ? (p->bus > q->bus) - (p->bus < q->bus)
           : p->dev != q->dev     ? (p->dev > q->dev) - (p->dev < q->dev)
                                  : (p->func > q->func) - (p->func < q->func);
}

/* In the order of their PCI addresses, which is that of their numbers. */
static unsigned find_pci(hwloc_topology_t t, const struct vendor *v, hwloc_obj_t *found)
{
    unsigned n = 0;
    for (hwloc_obj_t o = NULL; (o = hwloc_get_next_pcidev(t, o)) && n < GPUS_MAX;)
        if (is_gpu(o, v))
            found[n++] = o;
    qsort(found, n, sizeof(hwloc_obj_t), by_address);
    return n;
}

/* NEAR may be NULL. */
static void add(json_object *list, const char *vendor, const char *env, const char *value,
                hwloc_const_cpuset_t near)
{
    json_object *g = json_object_new_object();
    json_object_object_add(g, "id",
                           json_object_new_int((int)json_object_array_length(list)));
    json_object_object_add(g, "vendor", json_object_new_string(vendor));
    json_object_object_add(g, "env", json_object_new_string(env));
    json_object_object_add(g, "value", json_object_new_string(value));
    if (near && !hwloc_bitmap_iszero(near)) {
        char *text;
        hwloc_bitmap_list_asprintf(&text, near);
        json_object_object_add(g, "cpus", json_object_new_string(text));
        free(text);
    }
    json_object_array_add(list, g);
}

/* One whose VALUE is a number has its place. */
static void add_real(json_object *list, hwloc_topology_t t, const struct vendor *v,
                     const char *value, hwloc_obj_t *pci, unsigned npci)
{
    char *end;
    unsigned long i = strtoul(value, &end, 10);
    bool known = *value && !*end && i < npci;
    hwloc_obj_t home = known ? hwloc_get_non_io_ancestor_obj(t, pci[i]) : NULL;
    add(list, v->name, v->env, value, home ? home->cpuset : NULL);
}

static void add_vendor(json_object *list, hwloc_topology_t t, const struct vendor *v,
                       bool real)
{
    hwloc_obj_t pci[GPUS_MAX];
    unsigned npci = find_pci(t, v, pci), n = npci;
    const char *share = real ? getenv(v->env) : NULL;
    if (share) {
        cleanup_free char *copy = xstrdup(share);
        char *save = NULL;
        for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save))
            if (strcmp(p, "-1") != 0 && strcmp(p, "NoDevFiles") != 0)
                add_real(list, t, v, p, pci, npci);
        return;
    }
    if (real && v->dir)
        n = count_files(v->dir, v->prefix);
    else if (real && access(v->file, F_OK) < 0)
        n = 0;
    for (unsigned i = 0; i < n; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%u", i);
        add_real(list, t, v, number, pci,
                 n == npci ? npci : 0); /* else: which is which? */
    }
}

json_object *devices_list(hwloc_topology_t t, bool real, unsigned count)
{
    json_object *list = json_object_new_array();
    int nnuma = MAX(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE), 1);
    for (unsigned i = 0; i < count; i++) {
        char number[16];
        hwloc_obj_t numa =
            hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, i * (unsigned)nnuma / count);
        snprintf(number, sizeof(number), "%u", i);
        add(list, "virtual", "CUDA_VISIBLE_DEVICES", number, numa ? numa->cpuset : NULL);
    }
    for (size_t v = 0; count == 0 && v < ARRAY_SIZE(vendors); v++)
        add_vendor(list, t, &vendors[v], real);
    return list;
}

json_object *devices_numa(hwloc_topology_t t)
{
    json_object *list = json_object_new_array();
    hwloc_const_cpuset_t last = NULL;
    for (hwloc_obj_t o = NULL;
         (o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, o));) {
        /* several kinds of memory may be near the same processors */
        if (hwloc_bitmap_iszero(o->cpuset) ||
            (last && hwloc_bitmap_isequal(o->cpuset, last)))
            continue;
        char *text;
        last = o->cpuset;
        hwloc_bitmap_list_asprintf(&text, last);
        json_object_array_add(list, json_object_new_string(text));
        free(text);
    }
    if (json_object_array_length(list) > 1)
        return list;
    json_object_put(list);
    return NULL;
}
