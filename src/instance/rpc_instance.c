/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_instance: requests about the instance itself. */
#include "src/instance/leader_impl.h"

static int rpc_info(struct leader *ld, const struct request *rq, json_object *params,
                    struct error *err)
{
    (void)params, (void)err;
    reply_result(ld, rq, json_object_get(ld->config.info));
    return 0;
}

static int rpc_shutdown(struct leader *ld, const struct request *rq, json_object *params,
                        struct error *err)
{
    (void)params, (void)err;
    reply_result(ld, rq, json_object_new_object());
    leader_shutdown(ld, "instance shutdown");
    return 0;
}

const struct rpc rpc_instance_table[] = {
    {"instance.info", rpc_info},
    {"instance.shutdown", rpc_shutdown},
    {NULL, NULL},
};
