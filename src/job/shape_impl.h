/* SPDX-License-Identifier: BSD-3-Clause */
/* shape_impl: what the two directions of shape.h agree on. */
#ifndef HBATCH_JOB_SHAPE_IMPL_H
#define HBATCH_JOB_SHAPE_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json.h>

#define SHAPE_DEFAULT_LABEL "default"

/* What ends an unquoted word. Blanks around a key or a value are not part of it. */
#define SHAPE_TYPE_STOPS "={}[]/;\"' \t\r\n\f\v"
#define SHAPE_KEY_STOPS ":,{}[]\"'"
#define SHAPE_VALUE_STOPS ",{}[]\"'"
#define SHAPE_BLANKS " \t\r\n\f\v"

/* The JSON value that an unquoted word of LEN bytes is: null, true, false (in any case of
 * letters) or a number, into *O, and true; false: it is a string. */
bool shape_word_value(const char *word, size_t len, json_object **o);

#endif
