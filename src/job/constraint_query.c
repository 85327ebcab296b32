/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 35: a recursive descent over
 *     or    : and (OR and)*
 *     and   : unary (AND? unary)*
 *     unary : NOT unary | '-' WORD | WORD | '(' or ')' */
#include "src/job/constraint.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

/* Keeps what is made from a query within the depth that JSON decoders accept. */
#define NESTING_MAX 16

enum token { T_END, T_WORD, T_AND, T_OR, T_NOT, T_MINUS, T_OPEN, T_CLOSE, T_BAD };

struct query {
    const char *text;
    const char *start; /* of the current token */
    const char *next;  /* behind it */
    enum token token;
    char *op; /* of a T_WORD: what stands before the first colon, or NULL */
    char *operand;
    int nesting;
    struct error *err;
};

static json_object *parse_or(struct query *q);

static json_object *syntax_error(struct query *q, const char *what)
{
    if (q->token != T_BAD) /* which has said already what is wrong */
        error_set(q->err, EINVAL, "constraint '%s': %s at character %zu", q->text, what,
                  (size_t)(q->start - q->text) + 1);
    q->token = T_BAD;
    return NULL;
}

static void forget_word(struct query *q)
{
    free(take(q->op));
    free(take(q->operand));
}

/* A quoted string; Q->next stands on the quote. */
static char *quoted(struct query *q)
{
    const char *from = q->next + 1;
    const char *end = strchr(from, *q->next);
    if (!end) {
        q->start = q->next;
        syntax_error(q, "the quote is not closed");
        return NULL;
    }
    q->next = end + 1;
    return xstrndup(from, (size_t)(end - from));
}

static enum token scan_word(struct query *q)
{
    if (*q->next == '\'' || *q->next == '"') {
        q->operand = quoted(q);
        return q->operand ? T_WORD : T_BAD;
    }
    size_t len = strcspn(q->next, "()|&'\" \t\r\n\f\v");
    const char *word = q->next, *colon = memchr(word, ':', len);
    q->next += len;
    if (!colon) {
        q->operand = xstrndup(word, len);
        static const struct {
            const char *name;
            enum token token;
        } keywords[] = {{"and", T_AND}, {"or", T_OR}, {"not", T_NOT}};
        for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
            if (strcmp(q->operand, keywords[i].name) == 0)
                return keywords[i].token;
        return T_WORD;
    }
    q->op = xstrndup(word, (size_t)(colon - word));
    if (colon + 1 < q->next) {
        q->operand = xstrndup(colon + 1, (size_t)(q->next - colon - 1));
    } else if (*q->next == '\'' || *q->next == '"') {
        q->operand = quoted(q);
    } else {
        syntax_error(q, "nothing follows the colon of the term");
    }
    return q->operand ? T_WORD : T_BAD;
}

static void advance(struct query *q)
{
    if (q->token == T_BAD)
        return;
    forget_word(q);
    while (isspace((unsigned char)*q->next))
        q->next++;
    q->start = q->next;
    switch (*q->next) {
    case '\0':
        q->token = T_END;
        return;
    case '(':
        q->next++;
        q->token = T_OPEN;
        return;
    case ')':
        q->next++;
        q->token = T_CLOSE;
        return;
    case '-':
        q->next++;
        q->token = T_MINUS;
        return;
    case '&':
    case '|':
        q->token = *q->next == '&' ? T_AND : T_OR;
        q->next += 1 + (q->next[1] == q->next[0]);
        return;
    default:
        q->token = scan_word(q);
    }
}

/* {OP:[VALUE]}; VALUE is taken over. */
static json_object *wrap(const char *op, json_object *value)
{
    json_object *values = json_object_new_array();
    json_object_array_add(values, value);
    json_object *o = json_object_new_object();
    json_object_object_add(o, op, values);
    return o;
}

static json_object *properties_of(const char *list)
{
    json_object *values = json_object_new_array();
    for (;;) {
        size_t len = strcspn(list, ",");
        json_object_array_add(values, json_object_new_string_len(list, (int)len));
        if (list[len] == '\0')
            break;
        list += len + 1;
    }
    json_object *o = json_object_new_object();
    json_object_object_add(o, "properties", values);
    return o;
}

static json_object *parse_term(struct query *q)
{
    static const struct {
        const char *name, *op;
    } operators[] = {
        {"host", "hostlist"},         {"hosts", "hostlist"},
        {"hostlist", "hostlist"},     {"rank", "ranks"},
        {"ranks", "ranks"},           {"property", "properties"},
        {"properties", "properties"},
    };
    json_object *o = NULL;
    if (q->token != T_WORD)
        return syntax_error(q, q->token == T_END ? "a term is missing"
                                                 : "a term is expected");
    if (!q->op)
        o = properties_of(q->operand);
    for (size_t i = 0; !o && i < ARRAY_SIZE(operators); i++) {
        if (strcmp(q->op, operators[i].name) != 0)
            continue;
        if (strcmp(operators[i].op, "properties") == 0)
            o = properties_of(q->operand);
        else
            o = wrap(operators[i].op, json_object_new_string(q->operand));
    }
    if (!o) {
        error_set(
            q->err, EINVAL,
            "constraint '%s': unknown operator \"%s\" (known: host, rank, property)",
            q->text, q->op);
        q->token = T_BAD;
        return NULL;
    }
    /* Checks the names, hosts and ranks. */
    struct constraint *c = constraint_from_json(o, q->err);
    if (!c) {
        error_prefix(q->err, "'%s'", q->text);
        q->token = T_BAD;
        json_object_put(o);
        return NULL;
    }
    constraint_destroy(c);
    advance(q);
    return o;
}

static json_object *parse_unary(struct query *q)
{
    json_object *o;
    if (q->token == T_MINUS) {
        advance(q);
        if (q->token == T_OPEN)
            return syntax_error(q, "'-' cannot stand before '(', use 'not'");
        o = parse_term(q);
        return o ? wrap("not", o) : NULL;
    }
    if (q->token != T_NOT && q->token != T_OPEN)
        return parse_term(q);
    if (q->nesting >= NESTING_MAX)
        return syntax_error(q, "the nesting is too deep");
    q->nesting++;
    if (q->token == T_NOT) {
        advance(q);
        o = parse_unary(q);
        if (o)
            o = wrap("not", o);
    } else {
        advance(q);
        o = parse_or(q);
        if (o && q->token != T_CLOSE) {
            json_object_put(o);
            o = syntax_error(q, "a ')' is missing");
        }
        advance(q);
    }
    q->nesting--;
    return o;
}

/* Add the next operand of a chain of OP to what there is: A alone, or {OP:[A,B,...]}. Both are
 * taken over; NULL for either gives NULL. */
static json_object *chain(const char *op, bool chained, json_object *o, json_object *more)
{
    if (!more) {
        json_object_put(o);
        return NULL;
    }
    if (!chained)
        o = wrap(op, o);
    json_object_array_add(jsonutil_get(o, op), more);
    return o;
}

static json_object *parse_and(struct query *q)
{
    json_object *o = parse_unary(q);
    for (bool chained = false; o; chained = true) {
        if (q->token == T_AND)
            advance(q);
        else if (q->token == T_END || q->token == T_OR || q->token == T_CLOSE)
            break;
        o = chain("and", chained, o, parse_unary(q));
    }
    return o;
}

static json_object *parse_or(struct query *q)
{
    json_object *o = parse_and(q);
    for (bool chained = false; o && q->token == T_OR; chained = true) {
        advance(q);
        o = chain("or", chained, o, parse_and(q));
    }
    return o;
}

json_object *constraint_parse(const char *query, struct error *err)
{
    /* JSON cannot carry anything else, nor can the reply that would quote it. */
    if (!utf8_valid(query, strlen(query)))
        return error_null(err, EINVAL, "constraint: the query is not valid UTF-8");
    struct query q = {.text = query, .next = query, .err = err};
    advance(&q);
    json_object *o = parse_or(&q);
    if (o && q.token != T_END) {
        json_object_put(o);
        o = syntax_error(&q, q.token == T_CLOSE ? "there is no '(' for the ')'"
                                                : "something is left over");
    }
    forget_word(&q);
    return o;
}
