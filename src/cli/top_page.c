/* SPDX-License-Identifier: BSD-3-Clause */
/* The page of 'hbatch top': five lines about the instance (one, where there are few), a heading, jobs, and a line for
 * what is said and typed. */
#include "src/cli/top.h"

#include <string.h>
#include "src/common/strbuf.h"

enum { SUMMARY = 5, HEADING = 1, STATUS = 1, JOBS_MIN = 3, BAR_MAX = 46, STATS = 35 };

static int summary_lines(int rows)
{
    return rows >= SUMMARY + HEADING + JOBS_MIN + STATUS ? SUMMARY : 1;
}

int top_lines(int rows)
{
    return summary_lines(rows) + HEADING + STATUS;
}

/* --- the instance ------------------------------------------------------------------------- */

struct tally {
    long all, used, down;
};

static void tally_nodes(json_object *list, struct tally *nodes, struct tally *cores,
                        struct tally *gpus)
{
    size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(list, i);
        long c = cli_get_count(o, "cores"), g = cli_get_count(o, "gpus");
        long c_used = c - (long)cli_get_count(o, "free_cores"),
             g_used = g - (long)cli_get_count(o, "free_gpus");
        bool up = strcmp(cli_get_string(o, "state", "up"), "up") == 0;
        nodes->all++;
        nodes->used += c_used > 0;
        nodes->down += !up && c_used == 0;
        cores->all += c;
        cores->used += c_used;
        cores->down += up ? 0 : c - c_used;
        gpus->all += g;
        gpus->used += g_used;
        gpus->down += up ? 0 : g - g_used;
    }
}

/* How many of CELLS for PART of ALL; something is never nothing. */
static int share(long part, long all, int cells)
{
    return all > 0 ? (int)((part * cells + all - 1) / all) : 0;
}

/* " cores [|||||||        ||6/8]  1 free": what is used from the left, what is down from the right. */
static void draw_bar(struct canvas *c, int y, int width, const char *name,
                     const struct tally *t)
{
    char text[64], rest[64];
    snprintf(text, sizeof(text), "%ld/%ld]", t->used, t->all);
    snprintf(rest, sizeof(rest), " %ld free", t->all - t->used - t->down);
    int x = canvas_printf(c, y, 1, 0, "%-5s [", name);
    int end = width - (int)strlen(rest), right = end - (int)strlen(text);
    int cells = MAX(right - x, 0);
    int used = MIN(share(t->used, t->all, cells), cells),
        down = MIN(share(t->down, t->all, cells), cells - used);
    for (int i = 0; i < used; i++)
        canvas_put(c, y, x + i, CANVAS_YELLOW, "|");
    for (int i = 0; i < down; i++)
        canvas_put(c, y, right - 1 - i, CANVAS_RED, "|");
    canvas_put(c, y, right, 0, text);
    canvas_put(c, y, end, CANVAS_DIM, rest);
}

static void draw_title(const struct top *t, struct canvas *c)
{
    char left[64], end_text[96];
    json_object *info = t->answers[TOP_INFO];
    double end = cli_get_number(info, "expiration", 0), now = time_now();
    if (end > 0)
        snprintf(end_text, sizeof(end_text), "ends in %s",
                 format_duration(end > now ? end - now : 0, left, sizeof(left)));
    else
        snprintf(end_text, sizeof(end_text), "%s", info ? "no time limit" : "");
    if (summary_lines(c->rows) == 1 && t->stats)
        snprintf(end_text, sizeof(end_text), "PD:%ld R:%ld",
                 (long)cli_get_number(t->stats, "pending", 0),
                 (long)cli_get_number(t->stats, "running", 0));
    if (c->cols < (int)strlen(end_text) + 8)
        *end_text = '\0';
    cleanup_strbuf struct strbuf path = {0};
    for (size_t i = 0; i < t->nlevels; i++)
        strbuf_addf(&path, "%s%s", i ? "/" : "", t->levels[i].title);
    int room = c->cols - (int)strlen(end_text) - 4;
    const char *text = path.s ? path.s : "";
    bool cut = (int)strlen(text) > room;
    if (cut && room > 4) /* the end tells where one is */
        text += (int)strlen(text) - room + 3;
    while (cut && ((unsigned char)*text & 0xc0) == 0x80)
        text++;
    canvas_printf(c, 0, 1, CANVAS_BLUE | CANVAS_BOLD, "%s%s", cut ? "..." : "", text);
    canvas_put(c, 0, c->cols - (int)strlen(end_text) - 1, 0, end_text);
}

static void draw_jobs(const struct top *t, struct canvas *c, int x)
{
    long failed = (long)(cli_get_number(t->stats, "failed", 0) +
                         cli_get_number(t->stats, "canceled", 0) +
                         cli_get_number(t->stats, "timeout", 0));
    long complete = (long)cli_get_number(t->stats, "completed", 0);
    double submitted, ended;
    top_rates_now(t, &submitted, &ended);
    canvas_printf(c, 1, x, 0, "%6ld pending %8.1f/s submitted",
                  (long)cli_get_number(t->stats, "pending", 0), submitted);
    canvas_printf(c, 2, x, 0, "%6ld running %8.1f/s ended",
                  (long)cli_get_number(t->stats, "running", 0), ended);
    int at = canvas_printf(c, 3, x, complete ? CANVAS_GREEN | CANVAS_BOLD : 0, "%6ld",
                           complete);
    at = canvas_put(c, 3, at, 0, " complete, ");
    at = canvas_printf(c, 3, at, failed ? CANVAS_RED | CANVAS_BOLD : 0, "%ld", failed);
    canvas_put(c, 3, at, 0, " failed");
}

static void draw_info(const struct top *t, struct canvas *c)
{
    json_object *info = t->answers[TOP_INFO], *usage = cli_get(info, "usage");
    char up[64];
    const char *version = cli_get_string(info, "version", "");
    double memory = cli_get_number(usage, "memory", 0), now = time_now();
    if (!info)
        return;
    format_duration(now - cli_get_number(info, "starttime", now), up, sizeof(up));
    int x = canvas_printf(c, 4, 1, CANVAS_DIM, "size %d   level %d   up %s",
                          (int)cli_get_number(info, "size", 1),
                          (int)cli_get_number(info, "level", 0), up);
    if (usage)
        x = canvas_printf(c, 4, x + 3, CANVAS_DIM, "load %.2f",
                          cli_get_number(usage, "load", 0));
    if (memory > 0)
        x = canvas_printf(
            c, 4, x + 3, CANVAS_DIM, "memory %.0f%%",
            100 * (1 - cli_get_number(usage, "memory_available", memory) / memory));
    if (x + 3 < c->cols - (int)strlen(version) - 1)
        canvas_put(c, 4, c->cols - (int)strlen(version) - 1, CANVAS_DIM, version);
}

static void draw_summary(const struct top *t, struct canvas *c)
{
    struct tally nodes = {0}, cores = {0}, gpus = {0};
    int width = MIN(MAX(c->cols - STATS - 3, 20), BAR_MAX);
    draw_title(t, c);
    if (summary_lines(c->rows) == 1)
        return;
    tally_nodes(cli_get(t->answers[TOP_NODES], "nodes"), &nodes, &cores, &gpus);
    if (t->answers[TOP_NODES]) {
        draw_bar(c, 1, width, "nodes", &nodes);
        draw_bar(c, 2, width, "cores", &cores);
        draw_bar(c, 3, width, "gpus", &gpus);
    }
    if (t->stats)
        draw_jobs(t, c, width + 2);
    draw_info(t, c);
}

/* --- the list ------------------------------------------------------------------------------ */

static unsigned row_style(const struct top_row *row)
{
    const char *state = cli_get_string(row->item.job, "state", ""),
               *result = cli_get_string(row->item.job, "result", "");
    if (row->instance)
        return CANVAS_BLUE | CANVAS_BOLD;
    if (strcmp(state, "INACTIVE") == 0)
        return strcmp(result, "COMPLETED") == 0 ? CANVAS_GREEN : CANVAS_RED;
    return strcmp(state, "RUN") == 0 || strcmp(state, "CLEANUP") == 0 ? CANVAS_PLAIN
                                                                      : CANVAS_DIM;
}

static void draw_list(struct top *t, struct canvas *c)
{
    int summary = summary_lines(c->rows), room = c->rows - top_lines(c->rows),
        y = summary;
    canvas_style_line(c, y, CANVAS_REVERSE);
    canvas_put(c, y++, 0, CANVAS_REVERSE, t->header ? t->header : "");
    if (room <= 0)
        return;
    if (t->selected < t->scroll)
        t->scroll = t->selected;
    if (t->selected >= t->scroll + (size_t)room)
        t->scroll = t->selected - (size_t)room + 1;
    if (t->scroll + (size_t)room >
        t->nrows) /* the list got shorter, or the window larger */
        t->scroll = t->nrows > (size_t)room ? t->nrows - (size_t)room : 0;
    for (size_t i = t->scroll; i < t->nrows && y < summary + HEADING + room; i++, y++) {
        unsigned style = row_style(&t->rows[i]);
        if (i == t->selected) {
            style |= CANVAS_REVERSE;
            canvas_style_line(c, y, style);
        }
        canvas_put(c, y, 0, style, t->rows[i].line);
    }
    if (t->nrows == 0 && t->complete)
        canvas_put(c, y + 1, 4, CANVAS_DIM,
                   *t->filter ? "No job's line has what the filter asks for" : "No jobs");
}

/* --- the last line --------------------------------------------------------------------------- */

static int draw_status(const struct top *t, struct canvas *c, const char *prompt)
{
    int y = c->rows - 1;
    if (prompt)
        return canvas_put(c, y, 0, CANVAS_BOLD, prompt);
    if (*t->message)
        return canvas_put(c, y, 0, CANVAS_BOLD | CANVAS_RED, t->message);
    cleanup_strbuf struct strbuf text = {0};
    strbuf_addf(&text, "?: help   %s, by %s", top_which_names[t->which],
                top_orders[t->order].name);
    if (*t->filter)
        strbuf_addf(&text, ", with '%s'", t->filter);
    if (t->more)
        strbuf_addf(&text, " (%d of each at most)", TOP_LIST_MAX);
    if (client_is_away(t->h))
        strbuf_add(&text, "   THE CONNECTION IS LOST, and tried again");
    return canvas_put(c, y, 0, CANVAS_DIM, text.s);
}

int top_draw(struct top *t, struct canvas *c, const char *prompt)
{
    draw_summary(t, c);
    draw_list(t, c);
    return draw_status(t, c, prompt);
}

void top_draw_help(struct canvas *c)
{
    static const char *const lines[] = {
        "up, down, page up, page down, home, end, j, k    move the cursor",
        "enter, right, l         open the instance under the cursor",
        "q, left, h, backspace   back to the instance around; q there: leave",
        "f, /                    show jobs whose line has a text (empty: all)",
        "a                       jobs: running and pending, running, all",
        "s                       another order",
        "c                       cancel the job under the cursor",
        "control-l               draw the page anew",
        "control-c               leave",
    };
    int y = top_lines(c->rows) - STATUS;
    for (size_t i = 0; i < ARRAY_SIZE(lines) && y < c->rows - 1; i++, y++) {
        for (int x = 0; x < c->cols; x++)
            *canvas_at(c, y, x) = (struct canvas_cell){0};
        canvas_put(c, y, 2, 0, lines[i]);
    }
}
