/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/nearest.h"

#include <string.h>
#include "src/common/util.h"

#define WORD_MAX 40

static unsigned distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned row[WORD_MAX + 1];
    if (n > WORD_MAX || m > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= m; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[m];
}

const char *nearest_name(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    unsigned best_distance = (unsigned)MIN((strlen(word) + 2) / 3, 3u) + 1;
    for (size_t i = 0; i < n; i++) {
        unsigned d = distance(word, names[i]);
        size_t len = strlen(word);
        if (len >= 3 && strncmp(word, names[i], len) == 0)
            d = 1; /* an abbreviation */
        if (d < best_distance) {
            best_distance = d;
            best = names[i];
        }
    }
    return best;
}
