/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/base64.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

enum { DEFAULT_MODE = 0100600 };

/* What is written: of DATA by its ENCODING; new. */
static char *decode(json_object *o, size_t *len, struct error *err)
{
    json_object *data = jsonutil_get(o, "data");
    const char *encoding = jsonutil_string(jsonutil_get(o, "encoding"));
    const char *text = jsonutil_string(data);
    if (!data)
        return error_null(err, EINVAL, "it has no data");
    if (!encoding) {
        text = json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN);
        *len = strlen(text);
        return xstrdup(text);
    }
    if (!text)
        return error_null(err, EINVAL, "its data is not a string");
    if (strcmp(encoding, "base64") == 0) {
        return base64_decode(text, strlen(text), len, err);
    }
    if (strcmp(encoding, "utf-8") != 0)
        return error_null(err, EINVAL, "its encoding '%s' is not utf-8 or base64",
                          encoding);
    *len = (size_t)json_object_get_string_len(data);
    char *copy = xmalloc(*len + 1);
    memcpy(copy, text, *len + 1);
    return copy;
}

static int write_one(const char *path, json_object *o, struct error *err)
{
    size_t len;
    int64_t mode = DEFAULT_MODE;
    jsonutil_int(jsonutil_get(o, "mode"), 0, 0177777, &mode);
    cleanup_free char *data = decode(o, &len, err);
    if (!data)
        return -1;
    if (S_ISLNK((mode_t)mode))
        return symlink(data, path) < 0 ? error_set(err, errno, "%s", strerror(errno)) : 0;
    if ((mode & S_IFMT) && !S_ISREG((mode_t)mode))
        return error_set(err, EINVAL, "it is neither a file nor a link");
    cleanup_close int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode & 07777);
    if (fd < 0 || write_all(fd, data, len) < 0 || fchmod(fd, (mode_t)mode & 0777) < 0)
        return error_set(err, errno, "%s", strerror(errno));
    return 0;
}

int files_write(json_object *files, const char *dir, struct error *err)
{
    if (!json_object_is_type(files, json_type_object))
        return 0;
    json_object_object_foreach(files, name, o)
    {
        if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 ||
            strcmp(name, "..") == 0)
            return error_set(err, EINVAL,
                             "file '%s' of the job: its name must be without /", name);
        cleanup_free char *path = xasprintf("%s/%s", dir, name);
        if (write_one(path, o, err) < 0)
            return error_prefix(err, "file '%s' of the job", name);
    }
    return 0;
}
