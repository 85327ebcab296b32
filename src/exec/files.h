/* SPDX-License-Identifier: BSD-3-Clause */
/* files: the files that a jobspec carries (RFC 37, attributes.system.files): each node's executor
 * writes them to the job's temporary directory before its tasks start. */
#ifndef HBATCH_EXEC_FILES_H
#define HBATCH_EXEC_FILES_H

#include <json-c/json.h>
#include "src/common/error.h"

/* FILES: {"NAME":{"mode":N?,"data":...,"encoding":"utf-8"|"base64"|absent (then DATA is JSON)}}, or
 * NULL.  A symbolic link has its target in DATA.  -1 with err set, which names the file. */
int files_write(json_object *files, const char *dir, struct error *err);

#endif
