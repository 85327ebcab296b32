/* SPDX-License-Identifier: BSD-3-Clause */
/* Jobs that are instances: batch and alloc. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/lib/build.h"

#define PROGRAM "hbatch-instance"

/* ENOEXEC: --wrap would help. */
static int no_shebang(const char *text, struct error *err)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    if (strncmp(text, byte_order_mark, 3) == 0)
        return error_set(
            err, EINVAL,
            "the script begins with a byte order mark, before which no #! is "
            "seen: save it without");
    if (strncmp(text + strspn(text, " \t\r\n"), "#!", 2) == 0)
        return error_set(
            err, ENOEXEC,
            "#! must be the first two characters of the script, but there are "
            "blanks or empty lines before it (of a here-document, <<- removes "
            "tabs, and no blanks)");
    return error_set(
        err, ENOEXEC,
        "the script must begin with #! and its interpreter, as in #!/bin/sh; "
        "--wrap adds that line");
}

int build_check_script(const char *text, size_t len, struct error *err)
{
    if (len == 0)
        return error_set(err, EINVAL, "the script is empty");
    if (len > BUILD_SCRIPT_MAX)
        return error_set(err, EFBIG,
                         "the script is larger than %u KiB: let it read its data from a "
                         "file",
                         BUILD_SCRIPT_MAX >> 10);
    const char *nul = memchr(text, '\0', len);
    if (nul)
        return error_set(err, EINVAL,
                         "this is no script but binary data: byte %zu is 0; --wrap runs "
                         "a program",
                         (size_t)(nul - text) + 1);
    if (!utf8_valid(text, len))
        return error_set(err, EILSEQ,
                         "the script is not UTF-8, which job specifications are "
                         "written in");
    if (len < 2 || strncmp(text, "#!", 2) != 0)
        return no_shebang(text, err);
    size_t name = 2 + strspn(text + 2, " \t"), first = strcspn(text, "\n");
    if (text[name + strcspn(text + name, "\r\n")] == '\r' && first > 0 &&
        text[first - 1] == '\r')
        return error_set(err, EINVAL,
                         "the script's first line ends in a carriage return, which would "
                         "be taken for a part of the interpreter's name: convert it "
                         "from DOS to Unix line ends");
    if (name >= first)
        return error_set(err, EINVAL,
                         "the script's first line names no interpreter "
                         "after #!");
    return 0;
}

static json_object *make_file(const char *text)
{
    json_object *file = json_object_new_object();
    json_object_object_add(file, "mode", json_object_new_int(S_IFREG | S_IRWXU));
    json_object_object_add(file, "data", json_object_new_string(text));
    json_object_object_add(file, "encoding", json_object_new_string("utf-8"));
    return file;
}

int build_set_instance(struct hbatch_jobspec *b, int noptions, const char *const *options,
                       const char *script, struct error *err)
{
    if (script && build_check_script(script, strlen(script), err) < 0)
        return -1;
    json_object *words = json_object_new_array();
    json_object_array_add(words, json_object_new_string(PROGRAM));
    for (int i = 0; i < noptions; i++) {
        /* A word without a dash, or after "--", would be the instance's program. */
        if (options[i][0] != '-' || strcmp(options[i], "-") == 0 ||
            strcmp(options[i], "--") == 0) {
            json_object_put(words);
            return error_set(err, EINVAL,
                             "'%s' is not an option of " PROGRAM
                             ": give it as one word, as in --policy=fcfs",
                             options[i]);
        }
        json_object_array_add(words, json_object_new_string(options[i]));
    }
    json_object_put(b->instance);
    b->instance = words;
    json_object_put(b->script);
    b->script = script ? make_file(script) : NULL;
    return 0;
}

json_object *build_instance_command(const struct hbatch_jobspec *b)
{
    json_object *words = NULL;
    json_object_deep_copy(b->instance, &words, NULL);
    size_t n = json_object_array_length(b->command);
    if (b->script)
        json_object_array_add(words, json_object_new_string("{{tmpdir}}/script"));
    else if (n == 0)
        json_object_array_add(words, json_object_new_string("--no-program"));
    for (size_t i = b->script ? 1 : 0; i < n; i++)
        json_object_array_add(words,
                              json_object_get(json_object_array_get_idx(b->command, i)));
    return words;
}

void build_instance_attributes(const struct hbatch_jobspec *b, json_object *system,
                               json_object *shell)
{
    build_path_set(shell, "per-resource.type", json_object_new_string("node"), NULL);
    json_object_object_add(shell, "instance", json_object_new_boolean(true));
    if (b->script)
        build_path_set(system, "files.script", json_object_get(b->script), NULL);
    if (b->name || json_object_array_length(b->command) == 0)
        return;
    const char *path = json_object_get_string(json_object_array_get_idx(b->command, 0));
    const char *slash = strrchr(path, '/');
    build_path_set(system, "job.name",
                   json_object_new_string(slash && slash[1] ? slash + 1 : path), NULL);
}
