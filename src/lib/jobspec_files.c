/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that go along with a job (RFC 37): --add-file. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "src/common/base64.h"
#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/lib/build.h"

static json_object *make_file(int mode, const char *data, size_t len)
{
    bool text = utf8_valid(data, len);
    cleanup_free char *encoded = text ? NULL : base64_encode(data, len);
    json_object *file = json_object_new_object();
    json_object_object_add(file, "mode", json_object_new_int(S_IFREG | mode));
    json_object_object_add(file, "data",
                           text ? json_object_new_string_len(data, (int)len)
                                : json_object_new_string(encoded));
    json_object_object_add(file, "encoding",
                           json_object_new_string(text ? "utf-8" : "base64"));
    return file;
}

static json_object *from_path(const char *path, int mode, struct error *err)
{
    struct stat st;
    size_t len;
    if (stat(path, &st) < 0)
        return error_null(err, errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_null(err, EINVAL, "%s: is no regular file", path);
    if (st.st_size > BUILD_SCRIPT_MAX)
        return error_null(err, EFBIG,
                          "%s: is larger than %u KiB, which is too much to go "
                          "along in a job's specification",
                          path, BUILD_SCRIPT_MAX >> 10);
    cleanup_free char *data = read_file(path, &len);
    if (!data)
        return error_null(err, errno, "%s: %s", path, strerror(errno));
    return make_file(mode < 0 ? (int)(st.st_mode & 0777) : mode, data, len);
}

/* NAME or NAME:PERMS, LEN bytes; the name, new. */
static char *take_name(const char *text, size_t len, int *mode, struct error *err)
{
    cleanup_free char *name = xstrndup(text, len);
    char *colon = strrchr(name, ':'), *end;
    *mode = -1;
    if (colon) {
        unsigned long perms = strtoul(colon + 1, &end, 8);
        if (colon[1] < '0' || colon[1] > '7' || *end || perms > 0777)
            return error_null(err, EINVAL,
                              "'%s': the permissions must be an octal number up to 777",
                              colon + 1);
        *mode = (int)perms;
        *colon = '\0';
    }
    return take(name);
}

int build_add_file(struct hbatch_jobspec *b, const char *text, struct error *err)
{
    int mode = -1;
    const char *eq = strchr(text, '='), *slash = strrchr(text, '/');
    const char *content = eq ? eq + 1 : text;
    cleanup_free char *name = eq ? take_name(text, (size_t)(eq - text), &mode, err)
                                 : xstrdup(slash ? slash + 1 : text);
    if (!name)
        return -1;
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0 || strcmp(name, "script") == 0)
        return error_set(err, EINVAL,
                         "'%s' cannot be the name of a file that goes along: say "
                         "NAME=FILE",
                         name);
    if (!utf8_valid(name, strlen(name)))
        return error_set(err, EILSEQ, "the file's name is not UTF-8: say NAME=FILE");
    json_object *file = eq && strchr(content, '\n')
                            ? make_file(mode < 0 ? 0600 : mode, content, strlen(content))
                            : from_path(content, mode, err);
    if (!file)
        return -1;
    if (!b->files)
        b->files = json_object_new_object();
    json_object_object_add(b->files, name, file);
    return 0;
}

void build_files(const struct hbatch_jobspec *b, json_object *system)
{
    json_object *files;
    if (!b->files)
        return;
    if (!json_object_object_get_ex(system, "files", &files))
        json_object_object_add(system, "files", files = json_object_new_object());
    json_object_object_foreach(b->files, name, file)
        json_object_object_add(files, name, json_object_get(file));
}
