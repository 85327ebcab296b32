/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/archives.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/base64.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

struct archives {
    char *dir;
    char *prefix; /* of the names of files */
};

struct archives *archives_create(const char *dir, unsigned rank)
{
    struct archives *a = xcalloc(1, sizeof(*a));
    a->dir = xstrdup(dir);
    a->prefix = xasprintf("archive-%u-", rank);
    return a;
}

void archives_destroy(struct archives *a)
{
    if (!a)
        return;
    free(a->dir);
    free(a->prefix);
    free(a);
}

void archives_clear(struct archives *a)
{
    DIR *dir = a ? opendir(a->dir) : NULL;
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (strncmp(d->d_name, a->prefix, strlen(a->prefix)) == 0)
            unlinkat(dirfd(dir), d->d_name, 0);
    if (dir)
        closedir(dir);
}

int archives_check_name(const char *name, struct error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";
    size_t len = strlen(name);
    if (len == 0 || len > 64 || *name == '.' || name[strspn(name, allowed)])
        return error_set(err, EINVAL,
                         "'%.80s' is not an archive's name: it has 1 to 64 letters, "
                         "digits, '.', '_' and '-', and does not begin with '.'",
                         name);
    return 0;
}

static char *path_of(const struct archives *a, const char *name)
{
    return xasprintf("%s/%s%s", a->dir, a->prefix, name);
}

/* No archive's name begins so. */
static char *part_of(const struct archives *a, const char *key)
{
    return xasprintf("%s/%s.part-%s", a->dir, a->prefix, key);
}

static int check_key(const char *key, struct error *err)
{
    size_t len = strlen(key);
    if (len == 0 || len > 32 || key[strspn(key, "0123456789abcdef")])
        return error_set(err, EINVAL,
                         "'%.40s' is not the key of a transfer: it has 1 to 32 "
                         "hexadecimal digits",
                         key);
    return 0;
}

static int fail(const char *what, const char *path, struct error *err)
{
    return error_set(err, errno, "cannot %s %s: %s", what, path, strerror(errno));
}

int archives_put(struct archives *a, const char *key, uint64_t at, const void *data,
                 size_t len, struct error *err)
{
    struct stat st;
    if (check_key(key, err) < 0)
        return -1;
    cleanup_free char *path = part_of(a, key);
    cleanup_close int fd =
        open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (at ? 0 : O_TRUNC), 0600);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail("write", path, err);
    if ((uint64_t)st.st_size < at)
        return error_set(err, ERANGE,
                         "the archive's bytes from %jd on are missing: begin anew",
                         (intmax_t)st.st_size);
    if ((uint64_t)st.st_size >= at + len) /* said twice */
        return 0;
    if (ftruncate(fd, (off_t)at) < 0 || lseek(fd, (off_t)at, SEEK_SET) < 0 ||
        write_all(fd, data, len) < 0)
        return fail("write", path, err);
    return 0;
}

static int append_file(const char *from, const char *to, struct error *err)
{
    static char buf[1 << 18];
    cleanup_close int in = open(from, O_RDONLY | O_CLOEXEC);
    cleanup_close int out = open(to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        return fail("append to", to, err);
    for (ssize_t n; (n = read_all(in, buf, sizeof(buf))) != 0;)
        if (n < 0 || write_all(out, buf, (size_t)n) < 0)
            return fail("append to", to, err);
    unlink(from);
    return 0;
}

int archives_end(struct archives *a, const char *key, const char *name, bool append,
                 struct error *err)
{
    if (check_key(key, err) < 0 || (name && archives_check_name(name, err) < 0))
        return -1;
    cleanup_free char *part = part_of(a, key);
    if (!name) {
        unlink(part);
        return 0;
    }
    cleanup_free char *path = path_of(a, name);
    if (append)
        return append_file(part, path, err);
    return rename(part, path) < 0 ? fail("make", path, err) : 0;
}

static int missing(const char *name, struct error *err)
{
    if (errno != ENOENT)
        return fail("read archive", name, err);
    return error_set(err, ENOENT, "there is no archive '%s' here", name);
}

int archives_remove(struct archives *a, const char *name, struct error *err)
{
    if (archives_check_name(name, err) < 0)
        return -1;
    cleanup_free char *path = path_of(a, name);
    return unlink(path) < 0 ? missing(name, err) : 0;
}

int64_t archives_size(const struct archives *a, const char *name, struct error *err)
{
    struct stat st;
    if (archives_check_name(name, err) < 0)
        return -1;
    cleanup_free char *path = path_of(a, name);
    return stat(path, &st) < 0 ? missing(name, err) : st.st_size;
}

int64_t archives_read(const struct archives *a, const char *name, uint64_t at, void *data,
                      size_t len, struct error *err)
{
    if (archives_check_name(name, err) < 0)
        return -1;
    cleanup_free char *path = path_of(a, name);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n =
        fd < 0 || lseek(fd, (off_t)at, SEEK_SET) < 0 ? -1 : read_all(fd, data, len);
    return n < 0 ? missing(name, err) : n;
}

json_object *archives_list(const struct archives *a)
{
    json_object *list = json_object_new_array();
    DIR *dir = opendir(a->dir);
    struct stat st;
    size_t len = strlen(a->prefix);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (strncmp(d->d_name, a->prefix, len) != 0 || d->d_name[len] == '.' ||
            fstatat(dirfd(dir), d->d_name, &st, 0) < 0)
            continue;
        json_object *o = json_object_new_object();
        json_object_object_add(o, "name", json_object_new_string(d->d_name + len));
        json_object_object_add(o, "bytes", json_object_new_int64(st.st_size));
        json_object_object_add(o, "t", json_object_new_double((double)st.st_mtime));
        json_object_array_add(list, o);
    }
    if (dir)
        closedir(dir);
    return list;
}

static int apply_put(struct archives *a, json_object *o, struct error *err)
{
    int64_t at;
    size_t len;
    json_object *data = jsonutil_get(o, "data");
    const char *key = jsonutil_string(jsonutil_get(o, "key"));
    if (!key || !jsonutil_string(data) ||
        !jsonutil_int(jsonutil_get(o, "at"), 0, INT64_MAX, &at))
        return error_set(err, EINVAL, "must have key, at and data");
    cleanup_free void *bytes =
        base64_decode(json_object_get_string(data),
                      (size_t)json_object_get_string_len(data), &len, err);
    return bytes ? archives_put(a, key, (uint64_t)at, bytes, len, err) : -1;
}

#define PUT "{\"c\":\"archive\",\"op\":\"put\",\"key\":\""
#define AT "\",\"at\":"
#define DATA ",\"data\":\""

/* Key and data need no quoting: they were checked when they were put here. */
void archives_write_put(struct strbuf *line, json_object *o)
{
    json_object *data = jsonutil_get(o, "data");
    strbuf_add(line, PUT);
    strbuf_add(line, json_object_get_string(jsonutil_get(o, "key")));
    strbuf_add(line, AT);
    strbuf_addu(line, json_object_get_uint64(jsonutil_get(o, "at")));
    strbuf_add(line, DATA);
    strbuf_addn(line, json_object_get_string(data),
                (size_t)json_object_get_string_len(data));
    strbuf_add(line, "\"");
}

int archives_apply_put(struct archives *a, const char *line, size_t len,
                       struct error *err)
{
    char key[40], *end;
    size_t n;
    if (strncmp(line, PUT, strlen(PUT)) != 0)
        return 0;
    const char *p = line + strlen(PUT);
    size_t keylen = strcspn(p, "\"");
    if (keylen >= sizeof(key) || strncmp(p + keylen, AT, strlen(AT)) != 0)
        return 0;
    memcpy(key, p, keylen);
    key[keylen] = '\0';
    uint64_t at = strtoull(p + keylen + strlen(AT), &end, 10);
    if (strncmp(end, DATA, strlen(DATA)) != 0 || strcmp(line + len - 2, "\"}") != 0)
        return 0;
    p = end + strlen(DATA);
    cleanup_free void *bytes = base64_decode(p, (size_t)(line + len - 2 - p), &n, err);
    return bytes && archives_put(a, key, at, bytes, n, err) == 0 ? 1 : -1;
}

int archives_apply(struct archives *a, json_object *o, struct error *err)
{
    const char *op = jsonutil_string(jsonutil_get(o, "op"));
    const char *name = jsonutil_string(jsonutil_get(o, "name"));
    const char *key = jsonutil_string(jsonutil_get(o, "key"));
    op = op ? op : "";
    if (strcmp(op, "put") == 0)
        return apply_put(a, o, err);
    if (strcmp(op, "end") == 0 && key)
        return archives_end(a, key, name,
                            json_object_get_boolean(jsonutil_get(o, "append")), err);
    if (strcmp(op, "remove") == 0 && name)
        return archives_remove(a, name, err);
    return error_set(err, EINVAL, "'%.20s' is nothing to do to an archive", op);
}
