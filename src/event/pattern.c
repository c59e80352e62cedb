/* Compiling patterns into rules. While an object is read, `rules` holds the rules so far at its place: a
 * field is added to all of them (a later field with the same path replaces an earlier one, as in AWS), and
 * "$or" replaces them by one copy per alternative.
 */
#include "event/rules.h"
#include "event/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSE(...) lf_fail(err, LF_INVALID, LF_PERMANENT, __VA_ARGS__)

enum { PATH_ROOM = 1024 };

struct compile {
    struct lf_pattern *pattern;
    bool or_is_field; /* second try: "$or" is a field like any other */
    char path[PATH_ROOM];
    size_t path_len;
};

/* As field names in an alternative of "$or" these would be misplaced comparisons. */
/* clang-format off */
static const char *const reserved[] = {
    "exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric", "cidr",
    "html", "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case", "date-after",
    "date-on-or-after", "date-before", "date-on-or-before", "in-date-range", "ip-address-in-range",
    "ip-address-not-in-range",
};
/* clang-format on */

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (!strcmp(reserved[i], name))
            return true;
    return false;
}

static void rules_clear(struct lf_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        free(rules->items[i].fields);
    free(rules->items);
    *rules = (struct lf_rules){0};
}

static bool rule_copy(const struct lf_rule *from, struct lf_rule *to)
{
    to->count = from->count;
    to->fields = malloc((from->count + 1) * sizeof *to->fields);
    if (!to->fields)
        return false;
    if (from->count > 0)
        memcpy(to->fields, from->fields, from->count * sizeof *to->fields);
    return true;
}

/* Appends copies of all of `from`. */
static enum lf_status rules_append(struct lf_rules *to, const struct lf_rules *from, struct lf_error *err)
{
    if (to->count + from->count > LF_PATTERN_MAX_RULES)
        return REFUSE("the pattern has more than %d combinations of its $or alternatives",
                      LF_PATTERN_MAX_RULES);
    struct lf_rule *items = realloc(to->items, (to->count + from->count) * sizeof *items);
    if (!items)
        return lf_fail_memory(err, "compiling a pattern");
    to->items = items;
    for (size_t i = 0; i < from->count; i++) {
        if (!rule_copy(&from->items[i], &to->items[to->count]))
            return lf_fail_memory(err, "compiling a pattern");
        to->count++;
    }
    return LF_OK;
}

static enum lf_status rule_put(struct lf_rule *rule, const struct event_field *field, struct lf_error *err)
{
    size_t at = 0;
    while (at < rule->count && strcmp(rule->fields[at]->path, field->path) < 0)
        at++;
    if (at < rule->count && !strcmp(rule->fields[at]->path, field->path)) {
        rule->fields[at] = field;
        return LF_OK;
    }
    if (rule->count == LF_RULE_MAX_FIELDS)
        return REFUSE("%s: the pattern has more than %d fields", field->path, LF_RULE_MAX_FIELDS);
    const struct event_field **fields = realloc(rule->fields, (rule->count + 1) * sizeof *fields);
    if (!fields)
        return lf_fail_memory(err, "compiling a pattern");
    rule->fields = fields;
    memmove(fields + at + 1, fields + at, (rule->count - at) * sizeof *fields);
    fields[at] = field;
    rule->count++;
    return LF_OK;
}

static enum lf_status read_terms(struct compile *c, const cJSON *list, struct event_field *field,
                                 struct lf_error *err)
{
    size_t count = (size_t)cJSON_GetArraySize(list);
    if (count == 0)
        return REFUSE("%s: an empty list matches nothing; give at least one value", c->path);
    field->terms = calloc(count, sizeof *field->terms);
    if (!field->terms)
        return lf_fail_memory(err, "compiling a pattern");
    for (const cJSON *item = list->child; item; item = item->next) {
        char at[260];
        snprintf(at, sizeof at, "%.200s[%zu]", c->path, field->term_count);
        enum lf_status status = event__term_parse(item, at, &field->terms[field->term_count++], err);
        if (status != LF_OK)
            return status;
    }
    return LF_OK;
}

static enum lf_status read_field(struct compile *c, const cJSON *list, struct lf_rules *rules,
                                 struct lf_error *err)
{
    struct event_field *field = calloc(1, sizeof *field);
    if (!field || !(field->path = strdup(c->path))) {
        free(field);
        return lf_fail_memory(err, "compiling a pattern");
    }
    field->path_len = c->path_len;
    field->next = c->pattern->fields;
    c->pattern->fields = field;
    enum lf_status status = read_terms(c, list, field, err);
    for (size_t i = 0; status == LF_OK && i < rules->count; i++)
        status = rule_put(&rules->items[i], field, err);
    return status;
}

static enum lf_status path_push(struct compile *c, const char *key, struct lf_error *err)
{
    size_t room = PATH_ROOM - c->path_len;
    int len = snprintf(c->path + c->path_len, room, "%s%s", c->path_len > 0 ? "." : "", key);
    if (len < 0 || (size_t)len >= room)
        return REFUSE("%.200s...: the path is longer than %d bytes", c->path, PATH_ROOM - 1);
    c->path_len += (size_t)len;
    return LF_OK;
}

static void path_pop(struct compile *c, size_t len)
{
    c->path_len = len;
    c->path[len] = '\0';
}

static enum lf_status read_object(struct compile *c, const cJSON *object, bool in_or, struct lf_rules *rules,
                                  struct lf_error *err);

static enum lf_status read_or(struct compile *c, const cJSON *list, struct lf_rules *rules,
                              struct lf_error *err)
{
    const char *dot = c->path_len > 0 ? "." : "";
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) < 2)
        return REFUSE("%s%s$or: must be a list of at least two objects", c->path, dot);
    struct lf_rules all = {0}, one = {0};
    enum lf_status status = LF_OK;
    for (const cJSON *item = list->child; item && status == LF_OK; item = item->next) {
        if (!cJSON_IsObject(item))
            status = REFUSE("%s%s$or: every alternative must be an object", c->path, dot);
        if (status == LF_OK)
            status = rules_append(&one, rules, err);
        if (status == LF_OK)
            status = read_object(c, item, true, &one, err);
        if (status == LF_OK)
            status = rules_append(&all, &one, err);
        rules_clear(&one);
    }
    if (status != LF_OK) {
        rules_clear(&all);
        return status;
    }
    rules_clear(rules);
    *rules = all;
    return LF_OK;
}

static enum lf_status read_member(struct compile *c, const cJSON *item, bool in_or, struct lf_rules *rules,
                                  struct lf_error *err)
{
    if (!strcmp(item->string, "$or") && !c->or_is_field)
        return read_or(c, item, rules, err);
    size_t len = c->path_len;
    if (!*item->string)
        return REFUSE("%s: a field has no name", len > 0 ? c->path : "the pattern");
    enum lf_status status = path_push(c, item->string, err);
    if (status != LF_OK)
        return status;
    if (in_or && is_reserved(item->string))
        status = REFUSE("%s: \"%s\" is a comparison and cannot name a field in an alternative of $or",
                        c->path, item->string);
    else if (cJSON_IsObject(item))
        status = read_object(c, item, in_or, rules, err);
    else if (cJSON_IsArray(item))
        status = read_field(c, item, rules, err);
    else
        status = REFUSE("%s: must be a list of values or an object; write [%s]", c->path,
                        cJSON_IsString(item) ? "\"...\"" : "...");
    path_pop(c, len);
    return status;
}

static enum lf_status read_object(struct compile *c, const cJSON *object, bool in_or, struct lf_rules *rules,
                                  struct lf_error *err)
{
    if (!object->child)
        return REFUSE("%s: an empty object is not allowed", c->path_len > 0 ? c->path : "the pattern");
    for (const cJSON *item = object->child; item; item = item->next) {
        enum lf_status status = read_member(c, item, in_or, rules, err);
        if (status != LF_OK)
            return status;
    }
    return LF_OK;
}

static enum lf_status compile(const cJSON *json, bool or_is_field, struct lf_pattern **pattern,
                              struct lf_error *err)
{
    struct compile c = {.or_is_field = or_is_field};
    c.pattern = calloc(1, sizeof *c.pattern);
    if (!c.pattern || !(c.pattern->rules.items = calloc(1, sizeof *c.pattern->rules.items))) {
        free(c.pattern);
        return lf_fail_memory(err, "compiling a pattern");
    }
    c.pattern->rules.count = 1;
    enum lf_status status = read_object(&c, json, false, &c.pattern->rules, err);
    if (status != LF_OK)
        lf_pattern_free(c.pattern);
    else
        *pattern = c.pattern;
    return status;
}

enum lf_status lf_pattern_compile(const cJSON *json, struct lf_pattern **pattern, struct lf_error *err)
{
    *pattern = NULL;
    if (!cJSON_IsObject(json))
        return REFUSE("the pattern must be a JSON object such as {\"source\": [\"x\"]}");
    struct lf_error second;
    enum lf_status status = compile(json, false, pattern, err);
    /* Where "$or" cannot be an "or", AWS reads it as a field of that name. */
    if (status == LF_INVALID && compile(json, true, pattern, &second) == LF_OK) {
        lf_error_clear(err);
        return LF_OK;
    }
    return status;
}

enum lf_status event__pattern_parse(struct lf_slice text, struct lf_pattern **pattern, struct lf_error *err)
{
    *pattern = NULL;
    if (text.len > LF_PATTERN_MAX_BYTES)
        return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "the pattern has more than %d bytes",
                       LF_PATTERN_MAX_BYTES);
    cJSON *json = NULL;
    enum lf_status status = event__text_parse(text, &json, err);
    if (status == LF_OK)
        status = lf_pattern_compile(json, pattern, err);
    cJSON_Delete(json);
    return status;
}

void lf_pattern_free(struct lf_pattern *pattern)
{
    if (!pattern)
        return;
    while (pattern->fields) {
        struct event_field *field = pattern->fields;
        pattern->fields = field->next;
        for (size_t i = 0; i < field->term_count; i++)
            event__term_clear(&field->terms[i]);
        free(field->terms);
        free(field->path);
        free(field);
    }
    rules_clear(&pattern->rules);
    free(pattern);
}
