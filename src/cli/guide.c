/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/guide.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/installed.h"

/* In the build tree guides and pages are in one directory. */
#define BUILT "help"
#define INDEX "README"

static char *find_guide(const char *name)
{
    cleanup_free char *dir = installed_dir(BUILT, INDEX, DOCDIR);
    char *path = dir ? xasprintf("%s/%s", dir, name) : NULL;
    if (path && access(path, R_OK) == 0)
        return path;
    free(path);
    return NULL;
}

/* hbatch-TOPIC(5), say, or TOPIC itself. */
static char *find_page(const char *topic)
{
    static const char sections[] = "75138";
    for (const char *s = sections; *s; s++)
        for (int whole = 0; whole < 2; whole++) {
            cleanup_free char *file =
                xasprintf("%s%s.%c", whole ? "" : "hbatch-", topic, *s);
            cleanup_free char *where = xasprintf("%s/man%c", MANDIR, *s);
            cleanup_free char *dir = installed_dir(BUILT, file, where);
            if (dir)
                return xasprintf("%s/%s", dir, file);
        }
    return NULL;
}

static bool is_name(const char *text)
{
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
            return false;
    return *text;
}

void guide_show(struct cli *cli, const char *topic)
{
    if (!is_name(topic))
        return;
    char man[] = "man", sh[] = "sh", c[] = "-c", cat[] = "cat";
    char pager[] = "exec ${PAGER:-$(command -v less || echo cat)} \"$0\"";
    cleanup_free char *path = find_guide(topic);
    bool guide = path;
    if (!guide)
        path = find_page(topic);
    if (!path)
        return;
    char *by_pager[] = {sh, c, pager, path, NULL}, *by_cat[] = {cat, path, NULL},
         *by_man[] = {man, path, NULL};
    char **argv = !guide ? by_man : isatty(STDOUT_FILENO) ? by_pager : by_cat;
    cleanup_free char *remedy = xasprintf("; the page is %s", path);
    exit(installed_exec(cli, argv, remedy));
}

void guide_list(void)
{
    cleanup_free char *path = find_guide(INDEX);
    FILE *f = path ? fopen(path, "re") : NULL;
    if (!f)
        return;
    char line[256];
    printf("\nGuides, shown by hbatch help NAME:\n");
    while (fgets(line, sizeof(line), f)) {
        size_t n = strcspn(line, " ");
        if (islower((unsigned char)*line) && line[n] == ' ' && line[n + 1] == ' ')
            printf("  %s", line);
    }
    fclose(f);
}
