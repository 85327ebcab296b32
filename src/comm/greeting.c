/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/comm/greeting.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "src/common/util.h"

#define MAGIC "hbatch-lifeline "

char *greeting_write(const char *secret, unsigned rank, unsigned leader)
{
    return xasprintf(MAGIC "%s %u %u\n", secret, rank, leader);
}

/* A word of LINE, which ends at a blank or at the end; *LINE goes behind it. */
static const char *next_word(char **line)
{
    const char *word = strsep(line, " ");
    return word ? word : "";
}

/* Nothing but digits, and not more than a rank's number can have. */
static bool parse_rank(const char *s, unsigned *rank)
{
    size_t len = strspn(s, "0123456789");
    if (len == 0 || len > 10 || s[len] != '\0')
        return false;
    unsigned long number = strtoul(s, NULL, 10);
    *rank = (unsigned)number;
    return number <= UINT32_MAX;
}

static bool same_secret(const char *a, const char *b)
{
    size_t len = strlen(a);
    unsigned char diff = 0;
    if (strlen(b) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        diff |= (unsigned char)(a[i] ^ b[i]);
    return diff == 0;
}

const char *greeting_read(char *line, size_t len, const char *secret, unsigned *rank,
                          unsigned *leader)
{
    if (strlen(line) != len || strncmp(line, MAGIC, strlen(MAGIC)) != 0)
        return "not a greeting";
    line += strlen(MAGIC);
    if (!same_secret(next_word(&line), secret))
        return "wrong secret";
    if (!parse_rank(next_word(&line), rank) || !parse_rank(next_word(&line), leader) ||
        line)
        return "malformed greeting";
    return NULL;
}
