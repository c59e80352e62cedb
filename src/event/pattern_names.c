#include "event/pattern_names.h"

#include "base/units.h"
#include "event/kind.h"
#include "event/members.h"
#include "event/rules.h"

#include <stdio.h>
#include <string.h>

enum { NAME_ROOM = 80, TEXT_ROOM = 400, RESOURCES_MAX = 16 };

static const char detail[] = "detail";

/* What is wrong with one field. */
struct finding {
    char text[TEXT_ROOM];
    bool certain, elsewhere; /* elsewhere: it is about another resource */
};

/* One entry of a list of members, as members.h writes it. */
struct entry {
    const char *name;
    size_t len;
    const char *inside; /* what follows the '{'; NULL: it is a plain value */
    const char *values; /* what follows the '='; NULL: any */
};

/* Takes the next entry off the list. False: there is none, or the list ends with a '}' here. */
static bool next_entry(const char **list, struct entry *entry)
{
    const char *p = *list + strspn(*list, " ");
    int depth = 0;
    *entry = (struct entry){.name = p, .len = strcspn(p, " {}=")};
    if (!entry->len)
        return false;
    p += entry->len;
    if (*p == '=')
        entry->values = ++p;
    if (*p == '{')
        entry->inside = p + 1;
    for (; *p && (depth || (*p != ' ' && *p != '}')); p++)
        depth += (*p == '{') - (*p == '}');
    *list = p;
    return true;
}

/* The entry that a path begins with: names may have dots, as field names do. */
static bool find_entry(const char *list, const char *path, struct entry *entry)
{
    while (next_entry(&list, entry))
        if (!strncmp(entry->name, path, entry->len) && (path[entry->len] == '.' || path[entry->len] == '\0'))
            return true;
    return false;
}

/* ---- what cannot be ---- */

static void find(struct finding *finding, bool certain, const char *text)
{
    finding->certain = certain;
    snprintf(finding->text, sizeof finding->text, "%s", text);
}

/* The member is not among those known. One that looks like a known one is misspelt. */
static void not_a_member(const char *list, const char *path, struct finding *finding)
{
    char word[NAME_ROOM], names[32][NAME_ROOM], hint[LF_HINT], text[TEXT_ROOM];
    struct lf_nearest nearest = {.word = word};
    struct entry entry;
    snprintf(word, sizeof word, "%.*s", (int)strcspn(path, "."), path);
    for (size_t i = 0; i < sizeof names / sizeof *names && next_entry(&list, &entry); i++) {
        snprintf(names[i], sizeof names[i], "%.*s", (int)entry.len, entry.name);
        lf_nearest_try(&nearest, names[i]);
    }
    snprintf(text, sizeof text, "events have no \"%s\" here%s", word,
             lf_nearest_hint(&nearest, ", as far as Labferry knows; look at one with: labferry event ID",
                             hint));
    find(finding, nearest.name != NULL, text);
}

/* Only texts and numbers: what an object never is. */
static bool wants_plain(const struct event_field *field)
{
    for (size_t i = 0; i < field->term_count; i++)
        if (field->terms[i].kind != LF_TERM_TEXT && field->terms[i].kind != LF_TERM_NUMBER)
            return false;
    return true;
}

static bool is_one_of(const char *values, const char *text, size_t len)
{
    for (;; values++) {
        size_t size = strcspn(values, "| }");
        if (size == len && !strncmp(values, text, len))
            return true;
        values += size;
        if (*values != '|')
            return false;
    }
}

static void check_values(const struct entry *entry, const struct event_field *field, struct finding *finding)
{
    char text[TEXT_ROOM];
    for (size_t i = 0; i < field->term_count; i++)
        if (field->terms[i].kind != LF_TERM_TEXT
            || is_one_of(entry->values, field->terms[i].text, field->terms[i].len))
            return;
    snprintf(text, sizeof text, "\"%.60s\" is never its value; it is one of %.*s", field->terms[0].text,
             (int)strcspn(entry->values, " }"), entry->values);
    find(finding, true, text);
}

/* A name of the tenant's own comes first, which may have dots: what follows the last one is the member. */
static const char *member_of_any(const char *path, const struct event_field *field, struct finding *finding)
{
    const char *dot = strrchr(path, '.');
    if (!dot && wants_plain(field))
        find(finding, true, "it has members; name the one to compare, as in { textValue = [ \"...\" ]; }");
    return dot ? dot + 1 : NULL;
}

/* Follows the rest of a field's path through the members that there are. */
static void follow(const char *list, const char *path, const struct event_field *field,
                   struct finding *finding)
{
    struct entry entry;
    while (*list != '*') {
        if (*list == '?' && !(path = member_of_any(path, field, finding)))
            return;
        list += strspn(list, "?{");
        if (!find_entry(list, path, &entry)) {
            not_a_member(list, path, finding);
            return;
        }
        path += entry.len;
        if (*path && !entry.inside) {
            find(finding, true,
                 "it is a plain value without members; a list in ( ) holds comparisons such as "
                 "{ prefix = \"a\"; }");
            return;
        }
        if (!*path) {
            if (entry.inside && wants_plain(field))
                find(finding, true, "it has members; name the one to compare, as in { name = [ \"...\" ]; }");
            else if (entry.values)
                check_values(&entry, field, finding);
            return;
        }
        path++;
        list = entry.inside;
    }
}

/* ---- the events of a route ---- */

struct types {
    const struct event_field *field;
    bool covered;
};

static void cover(void *context, const char *type)
{
    struct types *types = context;
    for (size_t i = 0; i < types->field->term_count; i++)
        types->covered = types->covered || types->field->terms[i].kind != LF_TERM_TEXT
                         || !strcmp(types->field->terms[i].text, type);
}

/* The type of the event, asked for beside `on`. */
static void check_type(const struct event_field *field, const struct lf_texts *on, struct finding *finding)
{
    struct types types = {.field = field};
    for (size_t i = 0; i < on->count; i++)
        lf_event_on_types(on->items[i], cover, &types);
    if (!types.covered)
        find(finding, true, "no event of \"on\" has this type; correct one of the two");
}

static const char *members_of(const char *resource)
{
    const struct lf_event_members *entry = event__members;
    while (entry->resource && strcmp(entry->resource, resource) != 0)
        entry++;
    return entry->members;
}

static void other_resource(const char *path, const char *resource, struct finding *finding)
{
    char text[TEXT_ROOM];
    for (const struct lf_event_members *other = event__members; other->resource; other++)
        if (!strncmp(other->resource, path, strlen(other->resource))
            && strchr(".", path[strlen(other->resource)])) {
            snprintf(text, sizeof text, "the events of \"on\" are about %s, not %s", resource,
                     other->resource);
            find(finding, true, text);
            finding->elsewhere = true;
        }
}

static void check_field(const struct event_field *field, const struct lf_texts *on, const char *resource,
                        struct finding *finding)
{
    char list[NAME_ROOM + sizeof " {*}" + 120], text[TEXT_ROOM];
    const char *path = field->path, *members = members_of(resource);
    size_t len = strlen(resource);
    *finding = (struct finding){.certain = false};
    if (!strcmp(path, "detail-type") || !strcmp(path, "detail.eventType"))
        check_type(field, on, finding);
    else if (strncmp(path, detail, strlen(detail)) != 0 || path[strlen(detail)] != '.')
        follow(event__envelope_members, path, field, finding);
    else if (path += strlen(detail) + 1, strncmp(path, resource, len) || !strchr(".", path[len])) {
        snprintf(list, sizeof list, "%s %.70s{*}", event__detail_members, resource);
        other_resource(path, resource, finding);
        if (!*finding->text)
            follow(list, path, field, finding);
        if (*finding->text && !finding->certain) {
            snprintf(text, sizeof text, "events have no \"%.*s\" here; what they are about is in \"%s\"",
                     (int)strcspn(path, "."), path, resource);
            find(finding, true, text);
        }
    } else if (members && path[len]) {
        follow(members, path + len + 1, field, finding);
    } else if (!path[len] && wants_plain(field)) {
        find(finding, true, "it has members; name the one to compare, as in { name = [ \"...\" ]; }");
    }
}

/* ---- the best of several resources ---- */

/* How little the pattern fits. */
static size_t misfit(const struct lf_pattern *pattern, const struct lf_texts *on, const char *resource)
{
    struct finding finding;
    size_t count = 0;
    for (const struct event_field *field = pattern->fields; field; field = field->next) {
        check_field(field, on, resource, &finding);
        count += (size_t)finding.certain + finding.elsewhere;
    }
    return count;
}

/* Offers each resource that `on` covers. */
static void offer(const struct lf_pattern *pattern, const struct lf_texts *on, const char *resource,
                  const char **best, size_t *least)
{
    size_t count = misfit(pattern, on, resource);
    if (*best && count >= *least)
        return;
    *best = resource;
    *least = count;
}

static bool covers(const struct lf_texts *on, const struct lf_event_kind *kind)
{
    for (size_t i = 0; i < on->count; i++)
        if (event__covers(on->items[i], kind))
            return true;
    return false;
}

void lf_pattern_check_names(const struct lf_pattern *pattern, const struct lf_texts *on,
                            const struct lf_pattern_names *report)
{
    const char *best = NULL, *last = "";
    size_t least = 0;
    struct finding finding;
    for (const struct lf_event_kind *kind = event__kinds; kind->name; kind++) {
        if (strcmp(last, kind->resource) != 0 && covers(on, kind))
            offer(pattern, on, last = kind->resource, &best, &least);
    }
    for (const struct event_field *field = pattern->fields; best && field; field = field->next) {
        check_field(field, on, best, &finding);
        if (*finding.text)
            report->problem(report->context, field->path, finding.text, finding.certain);
    }
}

/* ---- what a pattern asks for ---- */

static bool is_below(const char *path, const char *const *paths)
{
    for (; *paths; paths++) {
        size_t len = strlen(*paths);
        if (!strncmp(path, *paths, len) && (path[len] == '.' || path[len] == '\0'))
            return true;
    }
    return false;
}

static bool asks_value(const struct event_field *field)
{
    for (size_t i = 0; i < field->term_count; i++)
        if (field->terms[i].kind == LF_TERM_EXISTS || field->terms[i].kind == LF_TERM_ABSENT
            || field->terms[i].kind == LF_TERM_NULL)
            return false;
    return true;
}

bool lf_pattern_asks(const struct lf_pattern *pattern, const char *const *paths)
{
    for (size_t i = 0; i < pattern->rules.count; i++) {
        const struct lf_rule *rule = &pattern->rules.items[i];
        bool asks = false;
        for (size_t k = 0; k < rule->count; k++)
            asks = asks || (is_below(rule->fields[k]->path, paths) && asks_value(rule->fields[k]));
        if (!asks)
            return false;
    }
    return pattern->rules.count > 0;
}
