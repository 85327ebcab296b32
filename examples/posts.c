/* SPDX-License-Identifier: BSD-3-Clause */
/* Submit N jobs over one connection without waiting for each, and count how they ended:
 *     posts N COMMAND [ARG...]
 */
#include <hbatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int die(const struct hbatch_error *err)
{
    fprintf(stderr, "posts: %s\n", err->text);
    return EXIT_FAILURE;
}

/* How often WORD is in TEXT: a program with a JSON library would parse it. */
static unsigned long count(const char *text, const char *word)
{
    unsigned long n = 0;
    for (const char *at = text; (at = strstr(at, word)); at++)
        n++;
    return n;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: posts N COMMAND [ARG...]\n");
        return EXIT_FAILURE;
    }
    unsigned long n = strtoul(argv[1], NULL, 10), over = 0, completed = 0;
    struct hbatch_error err;
    struct hbatch *h = hbatch_open(NULL, &err);
    if (!h)
        return die(&err);
    struct hbatch_jobspec *js =
        hbatch_jobspec_create(argc - 2, (const char *const *)argv + 2);
    char *text = hbatch_jobspec_encode(js, &err);
    if (!text)
        return die(&err);

    for (unsigned long i = 0; i < n; i++)
        if (hbatch_post_submit(h, i, text, NULL, HBATCH_TELL_END, &err) < 0)
            return die(&err);
    while (over < n) {
        const char *told;
        if (hbatch_dispatch(h, -1, &err) < 0)
            return die(&err);
        while ((told = hbatch_take(h, NULL))) {
            over += count(told, ",\"end\",") + count(told, ",\"error\",");
            completed += count(told, ",\"COMPLETED\",");
        }
    }
    printf("%lu of %lu jobs have completed\n", completed, n);
    free(text);
    hbatch_jobspec_destroy(js);
    hbatch_close(h);
    return completed < n;
}
