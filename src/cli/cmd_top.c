/* SPDX-License-Identifier: BSD-3-Clause */
/* top: the loop between keys, signals, the instance and the screen. */
#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "src/cli/subtree.h"
#include "src/cli/target.h"
#include "src/cli/top.h"
#include "src/cli/top_terminal.h"
#include "src/cli/formats.h"
#include "src/cli/verbs.h"
#include "src/common/path.h"
#include "src/common/signals.h"

enum { ONCE, QUEUE, NAME, FORMAT, COLOR, ALL, TEST_EXIT, TEST_DUMP };

static const struct opt opts[] = {
    {ONCE, 0, "once", NULL, "Print one page, without a terminal, and leave"},
    {ALL, 'a', "all", NULL, "Show jobs that are over, too"},
    {QUEUE, 'q', "queue", "NAME", "Only jobs of this queue"},
    {NAME, 0, "name", "NAME", "Only jobs of this name"},
    {FORMAT, 'o', "format", "FORMAT", "The line of a job, in the format of hbatch jobs"},
    {COLOR, 0, "color", "[WHEN]", "Colours: always, never or auto (default)"},
    {TEST_EXIT, 0, "test-exit", NULL, NULL},
    {TEST_DUMP, 0, "test-exit-dump", "FILE", NULL},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

#define COLUMNS                                                                          \
    "{id.f58:>12} {username:<8.8} {name:<12.12+} {status_abbrev:>2.2} {ntasks:>6h} "     \
    "{nnodes:>6h} {contextual_time!F:>8h} {contextual_info}"
#define REDRAW_S 0.25 /* from one to the next that nobody's key asked for */
#define CLOCK_S 1.0   /* times are shown anew */

enum mode { LIST, HELP, FILTER, CANCEL };

struct screen {
    struct top *top;
    const struct top_terminal *terminal;
    int signal_fd, exit_code;
    double drawn_at;
    bool leave, test_exit, pressed; /* pressed: a key, since it was drawn */
    const char *dump;
    enum mode mode;
    char typed[sizeof(((struct top *)0)->filter)];
    uint64_t victim; /* job, of CANCEL */
};

/* --- the page -------------------------------------------------------------------------------- */

static char *prompt_of(const struct screen *s)
{
    char id[CLI_ID_SIZE];
    if (s->mode == FILTER)
        return xasprintf("jobs with: %s", s->typed);
    if (s->mode == CANCEL)
        return xasprintf("cancel job %s? (y or n) ", cli_id(s->top->cli, s->victim, id));
    return NULL;
}

static void draw(struct screen *s)
{
    struct canvas c;
    int rows, cols;
    cleanup_free char *prompt = prompt_of(s);
    s->terminal->size(&rows, &cols);
    canvas_init(&c, rows, cols);
    if (time_mono() - s->drawn_at >= CLOCK_S && s->top->complete)
        top_arrange(s->top);
    int end = top_draw(s->top, &c, prompt);
    if (s->mode == HELP)
        top_draw_help(&c);
    s->terminal->show(&c, prompt ? end : -1);
    canvas_fini(&c);
    s->top->stale = s->pressed = false;
    s->drawn_at = time_mono();
}

/* The page as text: all jobs, WIDTH columns. */
static void print_page(struct top *t, int width, FILE *to)
{
    struct canvas c;
    const int lines = top_lines(1000);
    canvas_init(&c, lines + MAX((int)t->nrows, 3), width);
    t->selected = t->scroll = 0;
    top_draw(t, &c, NULL);
    c.rows = lines - 1 + (int)t->nrows; /* without the last line */
    canvas_print(&c, to);
    canvas_fini(&c);
}

static int page_width(void)
{
    struct winsize ws;
    const char *columns = getenv("COLUMNS");
    long n = columns ? strtol(columns, NULL, 10) : 0;
    if (n >= 20 && n <= 10000)
        return (int)n;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 132;
}

/* --- instances inside of instances ------------------------------------------------------------ */

static void enter(struct screen *s)
{
    struct top *t = s->top;
    struct top_row *row = top_selected(t);
    char id[CLI_ID_SIZE];
    struct error err;
    if (!row)
        return;
    uint64_t job = row->id;
    cli_id(t->cli, job, id);
    if (!row->instance) {
        top_say(t, "job %s is not an instance", id);
        return;
    }
    struct hbatch *h = subtree_connect(client_uri(t->h), row->item.job, &err);
    if (h)
        top_enter(t, h, id, job);
    else
        top_say(t, "%s: %s", id, err.text);
}

/* To the one around; from the first one, out. */
static void leave(struct screen *s, bool quits)
{
    struct error err;
    if (s->top->nlevels < 2)
        s->leave = s->leave || quits;
    else if (top_leave(s->top, &err) < 0)
        top_say(s->top, "%s", err.text);
}

/* --- canceling -------------------------------------------------------------------------------- */

static void on_canceled(json_object *result, const struct error *err, void *arg)
{
    struct top *t = arg;
    json_object *errors = cli_get(result, "errors");
    if (err)
        top_say(t, "%s", err->text);
    else if (json_object_is_type(errors, json_type_array) &&
             json_object_array_length(errors) > 0)
        top_say(t, "%s",
                cli_get_string(json_object_array_get_idx(errors, 0), "message", "?"));
}

static void cancel(struct screen *s)
{
    json_object *params = json_object_new_object(), *ids = json_object_new_array();
    json_object_array_add(ids, json_object_new_uint64(s->victim));
    json_object_object_add(params, "ids", ids);
    json_object_object_add(params, "note",
                           json_object_new_string("canceled in hbatch top"));
    client_send(s->top->h, "job.cancel", params, on_canceled, NULL, s->top);
}

/* --- keys -------------------------------------------------------------------------------------- */

static int page_rows(const struct screen *s)
{
    int rows, cols;
    s->terminal->size(&rows, &cols);
    return MAX(rows - top_lines(rows), 1);
}

static void set_filter(struct screen *s, const char *text)
{
    snprintf(s->top->filter, sizeof(s->top->filter), "%s", text);
    top_arrange(s->top);
}

/* What is typed narrows the list as it comes. */
static void key_of_filter(struct screen *s, int key)
{
    size_t n = strlen(s->typed);
    if (key == TOP_KEY_ENTER) {
        s->mode = LIST;
        return;
    }
    if (key == TOP_KEY_ESCAPE) {
        s->typed[0] = '\0';
        s->mode = LIST;
    } else if (key == TOP_KEY_BACKSPACE) {
        while (n > 0 && ((unsigned char)s->typed[n - 1] & 0xc0) == 0x80)
            n--; /* the rest of a character */
        s->typed[n > 0 ? n - 1 : 0] = '\0';
    } else if (key >= ' ' && key < 256 && n + 1 < sizeof(s->typed)) {
        s->typed[n] = (char)key;
        s->typed[n + 1] = '\0';
    }
    set_filter(s, s->typed);
}

static void key_of_list(struct screen *s, int key)
{
    struct top *t = s->top;
    switch (key) {
    case TOP_KEY_UP:
    case 'k':
        top_move(t, -1);
        break;
    case TOP_KEY_DOWN:
    case 'j':
        top_move(t, 1);
        break;
    case TOP_KEY_PAGE_UP:
        top_move(t, -page_rows(s));
        break;
    case TOP_KEY_PAGE_DOWN:
    case ' ':
        top_move(t, page_rows(s));
        break;
    case TOP_KEY_HOME:
    case 'g':
        top_move(t, -(long)t->nrows);
        break;
    case TOP_KEY_END:
    case 'G':
        top_move(t, (long)t->nrows);
        break;
    case TOP_KEY_ENTER:
    case TOP_KEY_RIGHT:
    case 'l':
        enter(s);
        break;
    case 'q':
        leave(s, true);
        break;
    case TOP_KEY_LEFT:
    case TOP_KEY_BACKSPACE:
    case 'h':
        leave(s, false);
        break;
    case 'a':
        t->which = (t->which + 1) % TOP_WHICH;
        top_want(t);
        break;
    case 's':
        t->order = (t->order + 1) % top_norders;
        top_arrange(t);
        break;
    case 'f':
    case '/':
        s->mode = FILTER;
        snprintf(s->typed, sizeof(s->typed), "%s", t->filter);
        break;
    case 'c':
        if (top_selected(t)) {
            s->mode = CANCEL;
            s->victim = top_selected(t)->id;
        }
        break;
    case '?':
        s->mode = HELP;
        break;
    }
}

static void take_key(struct screen *s, int key)
{
    s->pressed = true;
    if (key == TOP_KEY_RESIZE)
        return;
    s->top->message[0] = '\0';
    if (key == ('l' & 0x1f)) { /* control-l */
        s->terminal->redraw();
    } else if (s->mode == FILTER) {
        key_of_filter(s, key);
    } else if (s->mode == CANCEL) {
        if (key == 'y' || key == 'Y')
            cancel(s);
        s->mode = LIST;
    } else if (s->mode == HELP) {
        s->mode = LIST;
    } else {
        key_of_list(s, key);
    }
}

/* --- the loop ------------------------------------------------------------------------------------ */

static void catch_signals(struct screen *s)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    s->signal_fd = signals_open(caught, ARRAY_SIZE(caught));
}

static void take_signals(struct screen *s)
{
    for (int sig; (sig = signals_next(s->signal_fd));) {
        s->exit_code = 128 + sig;
        s->leave = true;
    }
}

/* The instance that is shown is gone.  0: another one is shown; -1: there is none. */
static int go_up(struct screen *s)
{
    struct error ignored;
    cleanup_free char *title = xstrdup(s->top->levels[s->top->nlevels - 1].title);
    if (top_leave(s->top, &ignored) < 0)
        return -1;
    top_say(s->top, "the instance of job %s is gone", title);
    return 0;
}

static int earlier(int a, int b)
{
    return a < 0 ? b : b < 0 ? a : MIN(a, b);
}

/* Milliseconds until the page is due; -1: when something happens. */
static int until_draw(const struct screen *s)
{
    double since = time_mono() - s->drawn_at;
    if (s->pressed)
        return 0;
    double wait = s->top->stale       ? REDRAW_S - since
                  : top_moves(s->top) ? CLOCK_S - since
                                      : -1;
    if (!s->top->stale && !top_moves(s->top))
        return 60000; /* "up 3 min" */
    return wait > 0 ? (int)(wait * 1000) + 1 : 0;
}

static int loop(struct screen *s, struct error *err)
{
    struct top *t = s->top;
    while (!s->leave) {
        int ask = top_ask(t);
        if (client_flush(t->h, err) < 0 && go_up(s) < 0)
            return -1;
        int wait = until_draw(s);
        if (wait == 0 && (!s->test_exit || t->complete)) {
            draw(s);
            wait = until_draw(s);
            if (s->test_exit)
                return 0;
        }
        struct pollfd fds[] = {
            {.fd = client_fd(t->h),
             .events = (short)(POLLIN | (client_unsent(t->h) ? POLLOUT : 0))},
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = s->signal_fd, .events = POLLIN}};
        poll(fds, ARRAY_SIZE(fds), earlier(ask, MAX(wait, 1)));
        if (fds[2].revents)
            take_signals(s);
        /* A signal for the window's size has come without a byte. */
        for (int key; (key = s->terminal->key()) != TOP_NO_KEY && !s->leave;)
            take_key(s, key);
        if (fds[1].revents & (POLLHUP | POLLERR | POLLNVAL))
            s->leave = true;
        if (!s->leave && top_process(t, err) < 0 && go_up(s) < 0)
            return -1;
    }
    return 0;
}

/* --- the verb ------------------------------------------------------------------------------------- */

static const struct top_terminal *load_terminal(struct error *err)
{
    cleanup_free char *path = path_find_sibling("hbatch_top.so", err);
    void *handle = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!path)
        return NULL;
    if (!handle)
        return error_null(err, ENOENT, "cannot load %s: %s; --once does without", path,
                          dlerror());
    const struct top_terminal *t = dlsym(handle, TOP_TERMINAL_SYMBOL);
    if (!t || t->version != TOP_TERMINAL_VERSION)
        return error_null(err, EINVAL, "%s is not of this version of hbatch", path);
    return t;
}

static int show_once(struct top *t)
{
    struct error err;
    while (!t->complete || !t->stats) {
        top_ask(t);
        if (client_process(t->h, -1, &err) < 0)
            cli_die(t->cli, "%s", err.text);
    }
    print_page(t, page_width(), stdout);
    return 0;
}

static void write_dump(struct screen *s)
{
    FILE *f = fopen(s->dump, "we");
    if (!f)
        cli_die(s->top->cli, "%s: %s", s->dump, strerror(errno));
    print_page(s->top, page_width(), f);
    fclose(f);
}

static int show(struct screen *s, bool color)
{
    struct cli *cli = s->top->cli;
    struct error err;
    char why[256];
    s->terminal = load_terminal(&err);
    if (!s->terminal)
        cli_die(cli, "%s", err.text);
    if (s->terminal->open(color, why, sizeof(why)) < 0)
        cli_die(cli, "%s", why);
    catch_signals(s);
    int rc = loop(s, &err);
    s->terminal->close();
    close(s->signal_fd);
    if (rc < 0)
        cli_die(cli, "%s", err.text);
    if (s->dump)
        write_dump(s);
    return s->exit_code;
}

static bool parse_color(const struct cli *cli, const char *when)
{
    const char *none = getenv("NO_COLOR");
    if (!when || strcmp(when, "always") == 0)
        return true;
    if (strcmp(when, "auto") == 0)
        return !none || !*none;
    if (strcmp(when, "never") != 0)
        cli_die(cli, "--color=%s: must be always, never or auto", when);
    return false;
}

static const char *parse(struct screen *s, bool *once, bool *color, const struct cmd *cmd,
                         int argc, char **argv)
{
    struct top *t = s->top;
    struct optparse p;
    struct error err;
    const char *columns = COLUMNS;
    cleanup_free char *own = NULL;
    *color = parse_color(t->cli, "auto");
    optparse_init(&p, t->cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case ONCE:
            *once = true;
            break;
        case ALL:
            t->which = TOP_ALL;
            break;
        case QUEUE:
            t->queue = p.value;
            break;
        case NAME:
            t->name = p.value;
            break;
        case FORMAT:
            free(own);
            columns = own = formats_find(t->cli, &formats_of_jobs, p.value);
            break;
        case COLOR:
            *color = parse_color(t->cli, p.value);
            break;
        case TEST_DUMP:
            s->dump = p.value;
            s->test_exit = true;
            break;
        case TEST_EXIT:
            s->test_exit = true;
            break;
        }
    }
    t->format = format_create(columns, jobfields, jobfields_n, &err);
    if (!t->format)
        cli_die(t->cli, "--format: %s", err.text);
    return cli_operand(t->cli, &p, "TARGET", true);
}

/* The first level: TARGET, or the instance here. */
static void open_first(struct top *t, const char *target)
{
    struct target at = {.text = target};
    struct place place = {0};
    struct error err;
    if (target && target_find(t->cli, &at, &place, &err) < 0)
        cli_die(t->cli, "%s", err.text);
    struct hbatch *h = target ? target_open(&place, &err) : client_open(NULL, &err);
    if (!h)
        cli_die(t->cli, "%s", err.text);
    place_fini(&place);
    top_enter(t, h, target ? target : ".", 0);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct top t = {.cli = cli};
    struct screen s = {.top = &t, .signal_fd = -1};
    bool once = false, color;
    const char *target = parse(&s, &once, &color, cmd, argc, argv);
    if (!once && (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)))
        cli_die(cli, "standard %s is not a terminal; --once prints one page",
                isatty(STDOUT_FILENO) ? "input" : "output");
    if (!setlocale(LC_CTYPE, "") || (cli->utf8 && MB_CUR_MAX == 1))
        setlocale(LC_CTYPE, cli->utf8 ? "C.UTF-8" : "C");
    open_first(&t, target);
    int rc = once ? show_once(&t) : show(&s, color);
    top_fini(&t);
    return rc;
}

const struct cmd cmd_top = {
    .name = "top",
    .args = "[TARGET]",
    .help = "Show an instance and its jobs as they change",
    .more = "TARGET is that of 'hbatch uri'. In the list, Enter opens a job that is an "
            "instance; q goes back, and leaves; ? tells all keys.",
    .groups = groups,
    .run = run,
};
