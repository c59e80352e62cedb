/* A compiled pattern. Private to src/event.
 *
 * As in AWS' ruler, a pattern becomes *rules*: every "$or" multiplies them, so that a rule is a list of
 * fields that must all hold. A field's path is its keys joined with '.', in patterns and events alike, so
 * {"a": {"b": ...}} and {"a.b": ...} are the same field. The pattern matches when one of its rules does.
 */
#ifndef LF_EVENT_RULES_H
#define LF_EVENT_RULES_H

#include "event/pattern.h"
#include "event/term.h"

enum {
    LF_RULE_MAX_FIELDS = 128, /* fields in one rule: bounds the stack that matching needs */
    LF_PATTERN_MAX_RULES = 4096,
    LF_PATTERN_MAX_BYTES = 256 * 1024,
};

struct event_field {
    char *path;
    size_t path_len;
    struct lf_term *terms; /* any one must hold */
    size_t term_count;
    struct event_field *next; /* in the pattern's list of all fields */
};

struct lf_rule {
    const struct event_field **fields; /* sorted by path, paths distinct */
    size_t count;
};

struct lf_rules {
    struct lf_rule *items;
    size_t count;
};

struct lf_pattern {
    struct event_field *fields; /* owned */
    struct lf_rules rules;
};

/* As lf_pattern_compile, from the text of a pattern. */
enum lf_status event__pattern_parse(struct lf_slice text, struct lf_pattern **pattern, struct lf_error *err);
/* For people: NULL if it matches, otherwise the path of the field that could not be satisfied (in the rule
 * that got furthest). Borrowed from the pattern. */
const char *event__pattern_mismatch(const struct lf_pattern *pattern, const cJSON *event);

#endif
