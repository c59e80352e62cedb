/* Matching: does an assignment of event leaves to a rule's fields exist?
 *
 * A rule's fields are tried in the order of their paths. Each looks for leaves at its path; going through an
 * array element that is an object or an array *binds* that array to the element for the fields that follow
 * (all conditions hold for the same element); texts and numbers standing directly in an array bind nothing.
 * `{"exists": false}` holds when no leaf at its path agrees with what is bound so far.
 *
 * Bounded work: when the fields after this one fail, another element is tried only if this binding had a part
 * in the failure (it was *blamed*: a later field went through that array). So sibling arrays do not multiply.
 * No memory is allocated; the stack is bounded by LF_RULE_MAX_FIELDS and LF_JSON_MAX_DEPTH.
 */
#include "event/rules.h"

#include <string.h>

enum outcome {
    NOTHING,  /* no leaf here satisfied the field */
    DEAD_END, /* some did, but then the fields after it failed */
    MATCHED,
};

struct binding {
    const cJSON *array, *element;
    bool blamed;
    struct binding *outer;
};

struct search {
    const struct lf_rule *rule;
    struct binding *bound;            /* innermost first */
    bool try_all[LF_RULE_MAX_FIELDS]; /* an array these fields might have bound, but did not, had a part in a
                                         failure */
    bool probing;                     /* looking whether a leaf exists at all */
    size_t deepest;                   /* for explanations: fields that could be satisfied one after another */
};

static enum outcome match_fields(struct search *s, size_t index, const cJSON *event);
static enum outcome visit(struct search *s, size_t index, const cJSON *node, const char *path,
                          const cJSON *event);

static enum outcome best_of(enum outcome a, enum outcome b)
{
    return a > b ? a : b;
}

static bool any_term(const struct event_field *field, const cJSON *leaf)
{
    for (size_t i = 0; i < field->term_count; i++)
        if (event__term_matches(&field->terms[i], leaf))
            return true;
    return false;
}

static enum outcome visit_leaf(struct search *s, size_t index, const cJSON *leaf, const cJSON *event)
{
    if (s->probing)
        return MATCHED;
    if (!any_term(s->rule->fields[index], leaf))
        return NOTHING;
    return match_fields(s, index + 1, event) == MATCHED ? MATCHED : DEAD_END;
}

/* The part of path after key: "" when key is all of it, NULL when key is not its beginning. */
static const char *path_after(const char *path, const char *key)
{
    size_t len = strlen(key);
    if (strncmp(path, key, len) != 0)
        return NULL;
    return path[len] == '\0' ? path + len : path[len] == '.' ? path + len + 1 : NULL;
}

static enum outcome visit_object(struct search *s, size_t index, const cJSON *object, const char *path,
                                 const cJSON *event)
{
    enum outcome best = NOTHING;
    if (!*path)
        return NOTHING; /* an object is not a leaf */
    for (const cJSON *item = object->child; item; item = item->next) {
        const char *rest = path_after(path, item->string);
        enum outcome outcome = rest ? visit(s, index, item, rest, event) : NOTHING;
        if (outcome == MATCHED)
            return MATCHED;
        best = best_of(best, outcome);
    }
    return best;
}

static struct binding *binding_of(const struct search *s, const cJSON *array)
{
    struct binding *b = s->bound;
    while (b && b->array != array)
        b = b->outer;
    return b;
}

/* An array that is not bound had a part in a failure. Fields before this one whose paths begin with the same
 * keys might bind it if they chose another leaf: for them nothing may be left out. Normally there are none,
 * or they would have bound this very array; it takes plain values beside objects in one array, or a duplicate
 * key. */
static void blame_unbound(struct search *s, size_t index, const char *rest)
{
    const char *path = s->rule->fields[index]->path;
    size_t len = *rest ? (size_t)(rest - path) - 1 : s->rule->fields[index]->path_len;
    for (size_t i = 0; i < index; i++)
        if (!strncmp(s->rule->fields[i]->path, path, len))
            s->try_all[i] = true;
}

static enum outcome visit_element(struct search *s, size_t index, const cJSON *array, const cJSON *element,
                                  const char *path, const cJSON *event, bool *futile)
{
    struct binding binding = {.array = array, .element = element, .outer = s->bound};
    s->bound = &binding;
    enum outcome outcome = visit(s, index, element, path, event);
    s->bound = binding.outer;
    *futile = outcome == DEAD_END && !binding.blamed && !s->try_all[index];
    return outcome;
}

/* The texts, numbers, true, false and null directly in the array. */
static enum outcome visit_plain(struct search *s, size_t index, const cJSON *array, const cJSON *event)
{
    enum outcome best = NOTHING;
    for (const cJSON *item = array->child; item; item = item->next) {
        if (cJSON_IsObject(item) || cJSON_IsArray(item))
            continue;
        best = best_of(best, visit_leaf(s, index, item, event));
        if (best != NOTHING)
            return best; /* another plain value would change nothing for the fields that follow */
    }
    return best;
}

static enum outcome visit_array(struct search *s, size_t index, const cJSON *array, const char *path,
                                const cJSON *event)
{
    struct binding *bound = binding_of(s, array);
    if (bound)
        bound->blamed = true;
    else if (s->probing)
        blame_unbound(s, index, path);
    enum outcome best = *path ? NOTHING : visit_plain(s, index, array, event);
    if (best == MATCHED || (best == DEAD_END && !s->try_all[index]))
        return best;
    if (bound)
        return best_of(best, visit(s, index, bound->element, path, event));
    for (const cJSON *item = array->child; item; item = item->next) {
        bool futile;
        if (!cJSON_IsObject(item) && !cJSON_IsArray(item))
            continue;
        enum outcome outcome = visit_element(s, index, array, item, path, event, &futile);
        if (outcome == MATCHED || futile)
            return outcome;
        best = best_of(best, outcome);
    }
    return best;
}

static enum outcome visit(struct search *s, size_t index, const cJSON *node, const char *path,
                          const cJSON *event)
{
    if (cJSON_IsObject(node))
        return visit_object(s, index, node, path, event);
    if (cJSON_IsArray(node))
        return visit_array(s, index, node, path, event);
    return *path ? NOTHING : visit_leaf(s, index, node, event);
}

static bool wants_absence(const struct event_field *field)
{
    for (size_t i = 0; i < field->term_count; i++)
        if (field->terms[i].kind == LF_TERM_ABSENT)
            return true;
    return false;
}

static bool is_absent(struct search *s, size_t index, const cJSON *event)
{
    s->probing = true;
    bool found = visit_object(s, index, event, s->rule->fields[index]->path, event) == MATCHED;
    s->probing = false;
    return !found;
}

static enum outcome match_fields(struct search *s, size_t index, const cJSON *event)
{
    if (index > s->deepest)
        s->deepest = index;
    if (index == s->rule->count)
        return MATCHED;
    const struct event_field *field = s->rule->fields[index];
    if (wants_absence(field) && is_absent(s, index, event))
        return match_fields(s, index + 1, event);
    return visit_object(s, index, event, field->path, event);
}

bool lf_pattern_match(const struct lf_pattern *pattern, const cJSON *event)
{
    return !event__pattern_mismatch(pattern, event);
}

const char *event__pattern_mismatch(const struct lf_pattern *pattern, const cJSON *event)
{
    const char *where = "the event is not an object";
    size_t deepest = 0;
    for (size_t i = 0; cJSON_IsObject(event) && i < pattern->rules.count; i++) {
        struct search s = {.rule = &pattern->rules.items[i]};
        if (match_fields(&s, 0, event) == MATCHED)
            return NULL;
        if (i == 0 || s.deepest > deepest) {
            deepest = s.deepest;
            where = s.rule->fields[deepest]->path;
        }
    }
    return where;
}
