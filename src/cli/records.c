/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/records.h"
#include "src/cli/sources.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"

#define READ_SIZE (64 << 10)
#define RECORD_MAX (1 << 20) /* bytes: a longer one is a wrong separator */

struct separator {
    enum { BYTES, BLANKS, REGEX } kind;
    char *bytes;
    size_t len;
    regex_t regex;
};

struct records {
    const struct separator *sep;
    char *path;
    int fd;
    bool eof;
    char *buf; /* terminated */
    size_t at, len, size;
};

/* --- what divides them ------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* The byte that the escape at TEXT, behind its backslash, stands for, and in *TEXT what follows; -1: none. */
static int unescape(const char **text)
{
    static const char names[] = "ntr0afv\\e", values[] = "\n\t\r\0\a\f\v\\\033";
    const char *s = *text;
    if (*s == 'x' && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2])) {
        *text = s + 3;
        return hex_digit(s[1]) * 16 + hex_digit(s[2]);
    }
    const char *name = *s ? strchr(names, *s) : NULL;
    *text = s + 1;
    return name ? (unsigned char)values[name - names] : -1;
}

static int compile_regex(struct separator *sep, const char *text, struct error *err)
{
    char why[128];
    sep->kind = REGEX;
    int rc = regcomp(&sep->regex, text, REG_EXTENDED);
    if (rc == 0 && regexec(&sep->regex, "", 0, NULL, 0) != 0)
        return 0;
    if (rc == 0)
        regfree(&sep->regex);
    else
        regerror(rc, &sep->regex, why, sizeof(why));
    sep->kind = BYTES; /* nothing to free */
    if (rc == 0)
        return error_set(err, EINVAL, "/%s/ matches nothing at all, and cannot divide",
                         text);
    return error_set(err, EINVAL, "/%s/ is no regular expression: %s", text, why);
}

static int parse_separator(struct separator *sep, const char *text, struct error *err)
{
    size_t len = strlen(text);
    struct strbuf b = {0};
    if (strcasecmp(text, "none") == 0) {
        sep->kind = BLANKS;
        return 0;
    }
    if (len >= 3 && text[0] == '/' && text[len - 1] == '/') {
        cleanup_free char *regex = xstrndup(text + 1, len - 2);
        return compile_regex(sep, regex, err);
    }
    for (const char *at = text; *at;) {
        int c = (unsigned char)*at++;
        if (c == '\\' && *at && (c = unescape(&at)) < 0) {
            free(b.s);
            return error_set(err, EINVAL,
                             "'%s' has an unknown escape '\\%c'; there are \\n, \\t, "
                             "\\r, \\0, \\\\ and \\xHH",
                             text, at[-1]);
        }
        strbuf_addc(&b, (char)c);
    }
    sep->len = b.len;
    sep->bytes = strbuf_take(&b);
    return sep->len ? 0
                    : error_set(err, EINVAL,
                                "an empty text divides nothing; 'none' is white space");
}

struct separator *separator_create(const char *text, struct error *err)
{
    struct separator *sep = xcalloc(1, sizeof(*sep));
    if (parse_separator(sep, text, err) == 0)
        return sep;
    separator_destroy(sep);
    return NULL;
}

void separator_destroy(struct separator *sep)
{
    if (!sep)
        return;
    if (sep->kind == REGEX)
        regfree(&sep->regex);
    free(sep->bytes);
    free(sep);
}

/* Find the first separator in the LEN bytes at TEXT (terminated): its place and length. */
static bool find(const struct separator *sep, const char *text, size_t len, size_t *at,
                 size_t *n)
{
    regmatch_t m = {.rm_so = 0, .rm_eo = (regoff_t)len};
    if (sep->kind == BYTES) {
        const char *found = sep->len == 1 ? memchr(text, sep->bytes[0], len)
                                          : memmem(text, len, sep->bytes, sep->len);
        *at = found ? (size_t)(found - text) : 0;
        *n = sep->len;
        return found;
    }
    if (sep->kind == BLANKS) {
        size_t i = 0;
        while (i < len && !isspace((unsigned char)text[i]))
            i++;
        *at = i;
        *n = 1;
        return i < len;
    }
    if (regexec(&sep->regex, text, 1, &m, REG_STARTEND) != 0 || m.rm_eo == m.rm_so)
        return false;
    *at = (size_t)m.rm_so;
    *n = (size_t)(m.rm_eo - m.rm_so);
    return true;
}

/* --- reading ----------------------------------------------------------------------------- */

struct records *records_open(const char *path, const struct separator *sep,
                             struct error *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_null(err, errno, "cannot read '%s': %s", path, strerror(errno));
    struct records *r = xcalloc(1, sizeof(*r));
    r->sep = sep;
    r->path = xstrdup(is_stdin ? "standard input" : path);
    r->fd = fd;
    return r;
}

void records_close(struct records *r)
{
    if (!r)
        return;
    if (r->fd != STDIN_FILENO)
        close(r->fd);
    free(r->path);
    free(r->buf);
    free(r);
}

int records_fd(const struct records *r)
{
    return r->fd;
}

/* 1: something came, or the end; 2: nothing is there; -1 with err set. */
static int fill(struct records *r, bool wait, struct error *err)
{
    struct pollfd pfd = {.fd = r->fd, .events = POLLIN};
    if (!wait && poll(&pfd, 1, 0) == 0)
        return 2;
    if (r->at)
        memmove(r->buf, r->buf + r->at, r->len - r->at);
    r->len -= r->at;
    r->at = 0;
    if (r->len > RECORD_MAX)
        return error_set(err, EMSGSIZE,
                         "%s has an input of more than %d bytes: is --sep right?",
                         r->path, RECORD_MAX);
    if (r->size < r->len + READ_SIZE + 1) {
        r->size = r->len + 2 * READ_SIZE + 1;
        r->buf = xrealloc(r->buf, r->size);
    }
    ssize_t n = read(r->fd, r->buf + r->len, READ_SIZE);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return wait ? 1 : 2;
    if (n < 0)
        return error_set(err, errno, "cannot read %s: %s", r->path, strerror(errno));
    r->eof = n == 0;
    r->len += (size_t)n;
    r->buf[r->len] = '\0';
    return 1;
}

/* A record is there: to the next separator, or up to the end of all. */
static bool cut(struct records *r, char **text, size_t *len)
{
    size_t left = r->len - r->at, at = 0, n = 0;
    *text = r->buf + r->at;
    if (left == 0)
        return false;
    bool found = find(r->sep, *text, left, &at, &n);
    /* what matches at the end of what was read may match more of what is to come */
    if (found && !r->eof && r->sep->kind == REGEX && at + n == left)
        return false;
    if (!found && !r->eof)
        return false;
    *len = found ? at : left;
    r->at += found ? at + n : left;
    (*text)[*len] = '\0';
    return true;
}

int records_next(struct records *r, const char **text, bool wait, struct error *err)
{
    char *record;
    size_t len;
    for (;;) {
        if (r->buf && cut(r, &record, &len)) {
            if (len == 0)
                continue;
            if (strlen(record) != len)
                return error_set(err, EINVAL,
                                 "%s has an input with a zero byte, '%s...': --sep='\\0' "
                                 "divides there",
                                 r->path, record);
            *text = record;
            return 1;
        }
        if (r->eof)
            return 0;
        int rc = fill(r, wait, err);
        if (rc != 1)
            return rc;
    }
}
