/* Reading terms. What AWS refuses is refused here, with where and what would be right. */
#include "event/term.h"
#include "event/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSE(...) lf_fail(err, LF_INVALID, LF_PERMANENT, __VA_ARGS__)

static enum lf_status set_text(struct lf_term *term, enum lf_term_kind kind, const char *text,
                               struct lf_error *err)
{
    term->kind = kind;
    term->text = strdup(text);
    term->len = strlen(text);
    return term->text ? LF_OK : lf_fail_memory(err, "compiling a pattern");
}

static enum lf_status set_fold(struct lf_term *term, enum lf_term_kind kind, const char *text,
                               struct lf_error *err)
{
    term->kind = kind;
    return event__fold_make(text, &term->fold) ? LF_OK : lf_fail_memory(err, "compiling a pattern");
}

static enum lf_status set_wildcard(struct lf_term *term, const char *text, const char *at,
                                   struct lf_error *err)
{
    size_t stars = 0;
    for (const char *p = text; *p; p++)
        stars += *p == '*';
    term->kind = LF_TERM_WILDCARD;
    term->text = malloc(strlen(text) + 1);
    term->pieces = calloc(stars + 1, sizeof *term->pieces);
    if (!term->text || !term->pieces)
        return lf_fail_memory(err, "compiling a pattern");
    for (const char *p = text; *p; p++) {
        if (p[0] == '*') {
            if (p[1] == '*')
                return REFUSE("%s: two '*' in a row at position %td: one '*' already matches any text", at,
                              p - text);
            term->piece_count++;
            continue;
        }
        if (p[0] == '\\') {
            p++;
            if (*p != '*' && *p != '\\')
                return REFUSE(
                    "%s: the '\\' at position %td must be followed by '*' or '\\' (in JSON: \"\\\\*\" for a "
                    "literal star)",
                    at, p - 1 - text);
        }
        term->text[term->len++] = *p;
        term->pieces[term->piece_count]++;
    }
    term->piece_count++;
    return LF_OK;
}

static void address_range(const unsigned char *address, size_t len, size_t prefix, struct lf_term_cidr *cidr)
{
    cidr->len = len;
    for (size_t i = 0; i < len; i++) {
        size_t fixed = prefix > i * 8 ? prefix - i * 8 : 0;
        unsigned open = fixed >= 8 ? 0 : 0xFFu >> fixed;
        cidr->low[i] = (unsigned char)(address[i] & ~open);
        cidr->high[i] = (unsigned char)(address[i] | open);
    }
}

static enum lf_status set_cidr(struct lf_term *term, const char *text, const char *at, struct lf_error *err)
{
    char address[64];
    unsigned char bytes[16];
    const char *slash = strchr(text, '/');
    if (!slash || (size_t)(slash - text) >= sizeof address)
        return REFUSE(
            "%s: \"%.80s\" is not an address range: write it like \"10.0.0.0/24\" or \"2001:db8::/32\"", at,
            text);
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    size_t len = event__term_address(address, bytes);
    if (len == 0)
        return REFUSE("%s: \"%.63s\" is not an IPv4 or IPv6 address", at, address);
    size_t digits = strspn(slash + 1, "0123456789");
    long bits = strtol(slash + 1, NULL, 10);
    if (digits == 0 || digits > 3 || slash[1 + digits] || (size_t)bits > len * 8)
        return REFUSE("%s: \"%.80s\": the prefix length after '/' must be a number from 0 to %zu", at, text,
                      len * 8);
    term->kind = LF_TERM_CIDR;
    address_range(bytes, len, (size_t)bits, &term->cidr);
    return LF_OK;
}

static enum lf_status parse_number(const cJSON *json, const char *what, const char *at, double *number,
                                   struct lf_error *err)
{
    if (!cJSON_IsNumber(json))
        return REFUSE("%s: %s must be followed by a number, not %s", at, what,
                      json ? event__type_name(json) : "nothing");
    if (!(fabs(json->valuedouble) <= LF_TERM_NUMBER_MAX))
        return REFUSE("%s: %g is out of bounds: numbers compare from -5e11 to 5e11", at, json->valuedouble);
    *number = json->valuedouble;
    return LF_OK;
}

/* One comparison of a range. `more`: another one follows; *low: there is a lower bound. */
static enum lf_status add_bound(struct lf_term_range *range, const char *op, double number, bool more,
                                bool *low, const char *at, struct lf_error *err)
{
    if (op[0] == '>' && (!op[1] || !strcmp(op, ">=")) && !*low) {
        range->low = number;
        range->low_open = !op[1];
        *low = true;
    } else if (op[0] == '<' && (!op[1] || !strcmp(op, "<="))) {
        range->high = number;
        range->high_open = !op[1];
        if (more)
            return REFUSE(
                "%s: nothing may follow the upper bound; a lower bound (\">\" or \">=\") comes before it",
                at);
        if (*low && !(range->low < range->high))
            return REFUSE("%s: the lower bound %g must be less than the upper bound %g", at, range->low,
                          number);
    } else if (!strcmp(op, "=") && !*low) {
        range->low = range->high = number;
        if (more)
            return REFUSE("%s: nothing may follow \"=\" and its number", at);
    } else {
        return REFUSE("%s: comparison \"%.20s\" is not allowed %s", at, op,
                      *low ? "after a lower bound: only \"<\" or \"<=\" can" : "here: use =, <, <=, > or >=");
    }
    return LF_OK;
}

/* ["=", 5], [">", 0], ["<=", 5], [">=", 0, "<", 5]: a lower bound comes before an upper one. */
static enum lf_status parse_numeric(const cJSON *json, const char *at, struct lf_term *term,
                                    struct lf_error *err)
{
    term->range = (struct lf_term_range){.low = -LF_TERM_NUMBER_MAX, .high = LF_TERM_NUMBER_MAX};
    term->kind = LF_TERM_RANGE;
    if (!cJSON_IsArray(json) || !json->child)
        return REFUSE("%s: must be a list such as [\">\", 0, \"<=\", 5]", at);
    bool low = false;
    enum lf_status status = LF_OK;
    for (const cJSON *item = json->child; item && status == LF_OK; item = item->next->next) {
        const char *op = cJSON_IsString(item) ? item->valuestring : NULL;
        double number;
        if (!op)
            return REFUSE("%s: a comparison must be one of \"=\", \"<\", \"<=\", \">\", \">=\", not %s", at,
                          event__type_name(item));
        status = parse_number(item->next, op, at, &number, err);
        if (status != LF_OK)
            return status; /* there may be no number */
        status = add_bound(&term->range, op, number, item->next->next, &low, at, err);
    }
    return status;
}

/* A text test inside prefix, suffix or anything-but, by the operator's name. */
static enum lf_status set_text_test(struct lf_term *term, const char *op, const char *text, const char *at,
                                    struct lf_error *err)
{
    if (!strcmp(op, "prefix"))
        return set_text(term, LF_TERM_PREFIX, text, err);
    if (!strcmp(op, "suffix"))
        return set_text(term, LF_TERM_SUFFIX, text, err);
    if (!strcmp(op, "equals-ignore-case"))
        return set_fold(term, LF_TERM_IGNORE_CASE, text, err);
    return set_wildcard(term, text, at, err);
}

/* {"prefix": "a"} and {"prefix": {"equals-ignore-case": "a"}}; the same for suffix. */
static enum lf_status parse_affix(const cJSON *json, bool prefix, const char *at, struct lf_term *term,
                                  struct lf_error *err)
{
    if (cJSON_IsString(json))
        return set_text(term, prefix ? LF_TERM_PREFIX : LF_TERM_SUFFIX, json->valuestring, err);
    if (!cJSON_IsObject(json))
        return REFUSE("%s: must be text or {\"equals-ignore-case\": text}, not %s", at,
                      event__type_name(json));
    const cJSON *inner = json->child;
    if (!inner || inner->next || strcmp(inner->string, "equals-ignore-case") != 0 || !cJSON_IsString(inner))
        return REFUSE("%s: the object may hold exactly one \"equals-ignore-case\" with text", at);
    return set_fold(term, prefix ? LF_TERM_PREFIX_IGNORE_CASE : LF_TERM_SUFFIX_IGNORE_CASE,
                    inner->valuestring, err);
}

/* One value of anything-but. op NULL: the value itself is what must not be. */
static enum lf_status parse_not(const cJSON *json, const char *op, const char *at, struct lf_term *term,
                                struct lf_error *err)
{
    if (!op && cJSON_IsNumber(json)) {
        term->kind = LF_TERM_NUMBER;
        return parse_number(json, "anything-but", at, &term->number, err);
    }
    if (!cJSON_IsString(json))
        return REFUSE("%s: %s not allowed here; use text%s", at, event__type_name(json),
                      op ? "" : " or a number");
    if (!op)
        return set_text(term, LF_TERM_TEXT, json->valuestring, err);
    if (!*json->valuestring && (!strcmp(op, "prefix") || !strcmp(op, "suffix")))
        return REFUSE("%s: an empty %s would exclude every text", at, op);
    return set_text_test(term, op, json->valuestring, at, err);
}

static enum lf_status parse_anything_but(const cJSON *json, const char *at, struct lf_term *term,
                                         struct lf_error *err)
{
    static const char *const ops[] = {"prefix", "suffix", "equals-ignore-case", "wildcard"};
    const char *op = NULL;
    if (cJSON_IsObject(json)) {
        const cJSON *inner = json->child;
        if (!inner || inner->next)
            return REFUSE(
                "%s: the object must hold exactly one of prefix, suffix, equals-ignore-case, wildcard", at);
        for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
            if (!strcmp(ops[i], inner->string))
                op = ops[i];
        if (!op)
            return REFUSE("%s: \"%.40s\" cannot be used in anything-but; prefix, suffix, equals-ignore-case "
                          "and wildcard "
                          "can",
                          at, inner->string);
        json = inner;
    }
    bool list = cJSON_IsArray(json);
    const cJSON *first = list ? json->child : json;
    size_t count = list ? (size_t)cJSON_GetArraySize(json) : 1;
    if (!first)
        return REFUSE("%s: the list is empty; give at least one value", at);
    term->kind = LF_TERM_NONE_OF;
    term->none_of = calloc(count, sizeof *term->none_of);
    if (!term->none_of)
        return lf_fail_memory(err, "compiling a pattern");
    const cJSON *item = first;
    for (; term->none_of_count < count; item = item->next) {
        if (cJSON_IsString(item) != cJSON_IsString(first))
            return REFUSE("%s: text and numbers cannot be mixed in one list", at);
        enum lf_status status = parse_not(item, op, at, &term->none_of[term->none_of_count++], err);
        if (status != LF_OK)
            return status;
    }
    return LF_OK;
}

static enum lf_status parse_operator(const cJSON *json, const char *at, struct lf_term *term,
                                     struct lf_error *err)
{
    const char *op = json->string;
    if (!strcmp(op, "numeric"))
        return parse_numeric(json, at, term, err);
    if (!strcmp(op, "anything-but"))
        return parse_anything_but(json, at, term, err);
    if (!strcmp(op, "prefix") || !strcmp(op, "suffix"))
        return parse_affix(json, op[0] == 'p', at, term, err);
    if (!strcmp(op, "exists")) {
        if (!cJSON_IsBool(json))
            return REFUSE("%s: must be true or false, not %s", at, event__type_name(json));
        term->kind = cJSON_IsTrue(json) ? LF_TERM_EXISTS : LF_TERM_ABSENT;
        return LF_OK;
    }
    bool cidr = !strcmp(op, "cidr"), exactly = !strcmp(op, "exactly");
    if (!cidr && !exactly && strcmp(op, "equals-ignore-case") != 0 && strcmp(op, "wildcard") != 0)
        return REFUSE(
            "%s: unknown comparison \"%.40s\"; there are prefix, suffix, equals-ignore-case, wildcard, "
            "anything-but, numeric, cidr, exists",
            at, op);
    if (!cJSON_IsString(json))
        return REFUSE("%s: must be text, not %s", at, event__type_name(json));
    return cidr      ? set_cidr(term, json->valuestring, at, err)
           : exactly ? set_text(term, LF_TERM_TEXT, json->valuestring, err)
                     : set_text_test(term, op, json->valuestring, at, err);
}

static enum lf_status parse_value(const cJSON *json, struct lf_term *term, struct lf_error *err)
{
    unsigned char bytes[16];
    size_t len = cJSON_IsString(json) ? event__term_address(json->valuestring, bytes) : 0;
    if (len != 0) {
        term->kind = LF_TERM_CIDR;
        address_range(bytes, len, len * 8, &term->cidr);
        return LF_OK;
    }
    if (cJSON_IsString(json))
        return set_text(term, LF_TERM_TEXT, json->valuestring, err);
    term->number = json->valuedouble;
    term->kind = cJSON_IsNumber(json)  ? LF_TERM_NUMBER
                 : cJSON_IsTrue(json)  ? LF_TERM_TRUE
                 : cJSON_IsFalse(json) ? LF_TERM_FALSE
                                       : LF_TERM_NULL;
    return LF_OK;
}

enum lf_status event__term_parse(const cJSON *json, const char *at, struct lf_term *term,
                                 struct lf_error *err)
{
    if (cJSON_IsArray(json))
        return REFUSE(
            "%s: a list inside a list: a value must be text, a number, true, false, null or a comparison",
            at);
    if (!cJSON_IsObject(json))
        return parse_value(json, term, err);
    if (!json->child)
        return REFUSE("%s: an empty comparison; write one such as {\"prefix\": \"a\"}", at);
    if (json->child->next)
        return REFUSE("%s: only one comparison per object: write \"%.40s\" and \"%.40s\" as two entries", at,
                      json->child->string, json->child->next->string);
    char inside[300];
    snprintf(inside, sizeof inside, "%s.%.40s", at, json->child->string);
    return parse_operator(json->child, inside, term, err);
}
