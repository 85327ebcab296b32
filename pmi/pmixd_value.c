/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/pmixd_impl.h"
#include "src/common/base64.h"
#include "src/common/utf8.h"
#include "src/common/util.h"

#include <errno.h>
#include <inttypes.h>
#include <pmix.h>
#include <string.h>

static pmix_info_t *infos_next(struct infos *l)
{
    if (l->n == l->size) {
        l->size = l->size ? 2 * l->size : 16;
        l->v = xrealloc(l->v, l->size * sizeof(*l->v));
    }
    pmix_info_t *info = &l->v[l->n++];
    memset(info, 0, sizeof(*info));
    return info;
}

void infos_add(struct infos *l, const char *key, const void *value, pmix_data_type_t type)
{
    PMIx_Info_load(infos_next(l), key, value, type);
}

void infos_u32(struct infos *l, const char *key, uint32_t value)
{
    infos_add(l, key, &value, PMIX_UINT32);
}

void infos_array(struct infos *l, const char *key, struct infos *sub)
{
    /* the library copies arrays, and frees what it was given with free() */
    pmix_info_t *info = infos_next(l);
    PMIX_LOAD_KEY(info->key, key);
    info->value.type = PMIX_DATA_ARRAY;
    info->value.data.darray = xcalloc(1, sizeof(pmix_data_array_t));
    info->value.data.darray->type = PMIX_INFO;
    info->value.data.darray->size = sub->n;
    info->value.data.darray->array = sub->v;
    *sub = (struct infos){0};
}

void infos_free(struct infos *l)
{
    if (l->v)
        PMIX_INFO_FREE(l->v, l->n);
    *l = (struct infos){0};
}

void pmixd_infos_release(void *arg)
{
    struct infos *l = arg;
    infos_free(l);
    free(l);
}

const pmix_info_t *info_find(const pmix_info_t *v, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(v[i].key, key, PMIX_MAX_KEYLEN) == 0)
            return &v[i];
    return NULL;
}

static bool value_number(const pmix_value_t *v, double *number)
{
    switch (v->type) {
    case PMIX_INT8:
        *number = v->data.int8;
        return true;
    case PMIX_INT16:
        *number = v->data.int16;
        return true;
    case PMIX_INT32:
        *number = v->data.int32;
        return true;
    case PMIX_INT64:
        *number = (double)v->data.int64;
        return true;
    case PMIX_INT:
        *number = v->data.integer;
        return true;
    case PMIX_UINT8:
    case PMIX_BYTE:
    case PMIX_DATA_RANGE:
    case PMIX_PERSIST:
        *number = v->data.uint8;
        return true;
    case PMIX_UINT16:
        *number = v->data.uint16;
        return true;
    case PMIX_UINT32:
    case PMIX_PROC_RANK:
        *number = v->data.uint32;
        return true;
    case PMIX_UINT64:
        *number = (double)v->data.uint64;
        return true;
    case PMIX_UINT:
        *number = v->data.uint;
        return true;
    case PMIX_SIZE:
        *number = (double)v->data.size;
        return true;
    case PMIX_FLOAT:
        *number = (double)v->data.fval;
        return true;
    case PMIX_DOUBLE:
        *number = v->data.dval;
        return true;
    case PMIX_STATUS:
        *number = v->data.status;
        return true;
    default:
        return false;
    }
}

double info_number(const pmix_info_t *v, size_t n, const char *key, double deflt)
{
    const pmix_info_t *info = info_find(v, n, key);
    double number;
    return info && value_number(&info->value, &number) ? number : deflt;
}

bool info_true(const pmix_info_t *v, size_t n, const char *key)
{
    const pmix_info_t *info = info_find(v, n, key);
    if (!info)
        return false;
    if (info->value.type == PMIX_UNDEF) /* being there is enough */
        return true;
    return info->value.type == PMIX_BOOL && info->value.data.flag;
}

char *value_text(const pmix_value_t *v)
{
    double number;
    if (v->type == PMIX_STRING)
        return v->data.string ? xstrdup(v->data.string) : NULL;
    if (v->type == PMIX_BOOL)
        return xstrdup(v->data.flag ? "true" : "false");
    if (value_number(v, &number))
        return xasprintf("%.17g", number);
    return NULL;
}

/* {"pmix":BASE64}: N things of TYPE as the library packs them. */
static json_object *pack(void *things, int32_t n, pmix_data_type_t type)
{
    pmix_data_buffer_t buffer;
    PMIX_DATA_BUFFER_CONSTRUCT(&buffer);
    if (PMIx_Data_pack(NULL, &buffer, things, n, type) != PMIX_SUCCESS) {
        PMIX_DATA_BUFFER_DESTRUCT(&buffer);
        return NULL;
    }
    cleanup_free char *text = base64_encode(buffer.base_ptr, buffer.bytes_used);
    PMIX_DATA_BUFFER_DESTRUCT(&buffer);
    json_object *o = json_object_new_object();
    json_object_object_add(o, "pmix", json_object_new_string(text));
    return o;
}

static int unpack(json_object *o, void *things, int32_t n, pmix_data_type_t type)
{
    json_object *text = json_object_object_get(o, "pmix");
    if (!json_object_is_type(text, json_type_string))
        return -1;
    size_t len;
    cleanup_free char *data =
        base64_decode(json_object_get_string(text),
                      (size_t)json_object_get_string_len(text), &len, NULL);
    if (!data || len == 0)
        return -1;
    pmix_data_buffer_t buffer;
    PMIX_DATA_BUFFER_CONSTRUCT(&buffer);
    buffer.base_ptr = buffer.unpack_ptr = data;
    buffer.pack_ptr = data + len;
    buffer.bytes_allocated = buffer.bytes_used = len;
    int32_t got = n;
    pmix_status_t rc = PMIx_Data_unpack(NULL, &buffer, things, &got, type);
    buffer.base_ptr = NULL; /* ours */
    PMIX_DATA_BUFFER_DESTRUCT(&buffer);
    return rc == PMIX_SUCCESS && got == n ? 0 : -1;
}

json_object *value_to_json(const pmix_value_t *v)
{
    if (v->type == PMIX_STRING && v->data.string &&
        utf8_valid(v->data.string, strlen(v->data.string)))
        return json_object_new_string(v->data.string);
    pmix_value_t copy = *v;
    return pack(&copy, 1, PMIX_VALUE);
}

int value_from_json(json_object *o, pmix_value_t *v)
{
    if (json_object_is_type(o, json_type_string)) {
        PMIx_Value_load(v, json_object_get_string(o), PMIX_STRING);
        return 0;
    }
    return unpack(o, v, 1, PMIX_VALUE);
}

json_object *infos_to_json(pmix_info_t *v, size_t n)
{
    json_object *o = n > 0 ? pack(v, (int32_t)n, PMIX_INFO) : json_object_new_object();
    if (o)
        json_object_object_add(o, "n", json_object_new_int64((int64_t)n));
    return o;
}

int infos_from_json(json_object *o, pmix_info_t **v, size_t *n)
{
    *v = NULL;
    *n = 0;
    int64_t count = json_object_get_int64(json_object_object_get(o, "n"));
    if (count == 0)
        return 0;
    if (count < 0 || count > 4096)
        return -1;
    PMIX_INFO_CREATE(*v, (size_t)count);
    *n = (size_t)count;
    if (unpack(o, *v, (int32_t)count, PMIX_INFO) == 0)
        return 0;
    PMIX_INFO_FREE(*v, *n);
    *n = 0;
    return -1;
}

pmix_status_t status_from_errno(int e)
{
    static const struct {
        int e;
        pmix_status_t status;
    } table[] = {
        {0, PMIX_SUCCESS},
        {EEXIST, PMIX_ERR_DUPLICATE_KEY},
        {ENOENT, PMIX_ERR_NOT_FOUND},
        {ETIMEDOUT, PMIX_ERR_TIMEOUT},
        {EINVAL, PMIX_ERR_BAD_PARAM},
        {ENOSPC, PMIX_ERR_OUT_OF_RESOURCE},
        {EOVERFLOW, PMIX_ERR_OUT_OF_RESOURCE},
        {EPERM, PMIX_ERR_NO_PERMISSIONS},
        {EACCES, PMIX_ERR_NO_PERMISSIONS},
        {ECONNABORTED, PMIX_ERR_PROC_ABORTED},
        {EPIPE, PMIX_ERR_UNREACH},
        {ENOSYS, PMIX_ERR_NOT_SUPPORTED},
        {ENOTSUP, PMIX_ERR_NOT_SUPPORTED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].e == e)
            return table[i].status;
    return PMIX_ERROR;
}
