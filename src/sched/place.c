/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/place.h"

#include <stddef.h>
#include <string.h>

const struct place_strategy *const place_strategies[] = {&place_first, &place_best,
                                                         &place_spread, NULL};

const struct place_strategy *place_strategy_find(const char *name)
{
    for (size_t i = 0; name && place_strategies[i]; i++)
        if (strcmp(place_strategies[i]->name, name) == 0)
            return place_strategies[i];
    return NULL;
}
