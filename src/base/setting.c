/* The values of a table's settings.
 *
 * States: filling (lf_values_set) -> finished (lf_values_finish, once) -> read-only. One thread fills; after
 * that any thread may read. A value that was refused stays unset, so that a caller can continue and find
 * further mistakes.
 */
#include "base/setting.h"
#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char LF_REQUIRED[] = "(required)";

enum { LIST_MAX = 1000, TEXT_MAX = 64 * 1024 };

struct value {
    char **items; /* the texts as written: at most one, except of a list */
    size_t count;
    int64_t number;
    char *at;
    bool given;
};

struct lf_values {
    const struct lf_setting *table;
    char *where;
    size_t rows;
    struct value value[]; /* one for each row */
};

/* ---- tables ---- */

const struct lf_setting *lf_setting_find(const struct lf_setting *table, const char *name)
{
    for (; table->name; table++)
        if (!strcmp(table->name, name))
            return table;
    return NULL;
}

bool lf_texts_have(const struct lf_texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->count; i++)
        if (!strcmp(texts->items[i], text))
            return true;
    return false;
}

const char *lf_choice_name(const struct lf_choice *choices, int value)
{
    while (choices->name && choices->value != value)
        choices++;
    return choices->name ? choices->name : "?";
}

/* ---- making and freeing ---- */

struct lf_values *lf_values_new(const struct lf_setting *table, const char *where)
{
    size_t rows = 0;
    while (table[rows].name)
        rows++;
    struct lf_values *values = calloc(1, sizeof *values + rows * sizeof values->value[0]);
    if (!values)
        return NULL;
    values->table = table;
    values->rows = rows;
    values->where = strdup(where);
    if (!values->where) {
        free(values);
        return NULL;
    }
    return values;
}

void lf_values_free(struct lf_values *values)
{
    if (!values)
        return;
    for (size_t row = 0; row < values->rows; row++) {
        struct value *value = &values->value[row];
        for (size_t i = 0; i < value->count; i++)
            free(value->items[i]);
        free(value->items);
        free(value->at);
    }
    free(values->where);
    free(values);
}

/* ---- checking ---- */

static enum lf_status parse_int(const char *text, int64_t *number)
{
    const char *digits = *text == '-' ? text + 1 : text;
    if (!isdigit((unsigned char)*digits))
        return LF_INVALID;
    char *end;
    errno = 0;
    intmax_t parsed = strtoimax(text, &end, 10);
    if (*end != '\0' || errno != 0)
        return LF_INVALID;
    *number = parsed;
    return LF_OK;
}

static void list_choices(const struct lf_choice *choices, char *text, size_t room)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; choices[i].name && used < room; i++) {
        int wrote = snprintf(text + used, room - used, "%s\"%s\"", i == 0 ? "" : ", ", choices[i].name);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

static enum lf_status parse_choice(const struct lf_choice *choices, const char *text, int64_t *number)
{
    for (; choices->name; choices++)
        if (!strcmp(choices->name, text)) {
            *number = choices->value;
            return LF_OK;
        }
    return LF_INVALID;
}

void lf_setting_format(enum lf_setting_type type, int64_t number, char *text, size_t room)
{
    if (type == LF_DURATION)
        lf_duration_format(number, text, room);
    else if (type == LF_SIZE)
        lf_size_format(number, text, room);
    else
        snprintf(text, room, "%" PRId64, number);
}

static enum lf_status check_bounds(const struct lf_setting *row, int64_t number, char *why, size_t room)
{
    bool bounded = row->min || row->max;
    int64_t least = bounded ? row->min : row->type == LF_INT ? INT_MIN : INT64_MIN;
    int64_t most = bounded ? row->max : row->type == LF_INT ? INT_MAX : INT64_MAX;
    if (number >= least && number <= most)
        return LF_OK;
    char min[32], max[32];
    lf_setting_format(row->type, least, min, sizeof min);
    lf_setting_format(row->type, most, max, sizeof max);
    snprintf(why, room, "must be between %s and %s", min, max);
    return LF_INVALID;
}

/* Checks text against its row and makes a number of it; `why` becomes what the text must be. */
static enum lf_status check_text(const struct lf_setting *row, const char *text, int64_t *number, char *why,
                                 size_t room)
{
    *number = 0;
    switch (row->type) {
    case LF_LIST: return LF_OK;
    case LF_PATH:
    case LF_FILE:
    case LF_SECRET_FILE:
        snprintf(why, room, "must be the path of a file or folder");
        return *text ? LF_OK : LF_INVALID;
    case LF_INT:
        snprintf(why, room, "must be a whole number");
        return parse_int(text, number) == LF_OK ? check_bounds(row, *number, why, room) : LF_INVALID;
    case LF_BOOL:
        *number = !strcmp(text, "true");
        snprintf(why, room, "must be true or false");
        return *number || !strcmp(text, "false") ? LF_OK : LF_INVALID;
    case LF_DURATION:
        snprintf(why, room,
                 "must be a time with its unit, such as \"250ms\", \"30s\", \"5m\", \"2h\" or \"7d\"");
        return lf_duration_parse(text, number) == LF_OK ? check_bounds(row, *number, why, room) : LF_INVALID;
    case LF_SIZE:
        snprintf(why, room, "must be a size, such as \"512\", \"64KB\", \"10MB\" or \"64KiB\"");
        return lf_size_parse(text, number) == LF_OK ? check_bounds(row, *number, why, room) : LF_INVALID;
    case LF_TEXT:
        if (!row->choices)
            return LF_OK;
        /* fall through */
    case LF_CHOICE: {
        char choices[256];
        list_choices(row->choices, choices, sizeof choices);
        snprintf(why, room, "must be one of %s", choices);
        return parse_choice(row->choices, text, number);
    }
    case LF_NESTED:
    case LF_REMOVED: snprintf(why, room, "must be a group or list in brackets"); return LF_INVALID;
    }
    return LF_INVALID;
}

/* ---- setting ---- */

static enum lf_status refuse(const struct lf_values *values, const char *at, struct lf_error *err,
                             const char *what, const char *name, const char *rest)
{
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s%s%s: %s\"%.80s\"%s", at ? at : "", at ? ": " : "",
                   values->where, what, name, rest);
}

static enum lf_status refuse_unknown(const struct lf_values *values, const char *name, const char *at,
                                     struct lf_error *err)
{
    struct lf_nearest nearest = {.word = name};
    char hint[LF_HINT];
    lf_nearest_setting(&nearest, values->table);
    return refuse(values, at, err, "unknown setting ", name, lf_nearest_hint(&nearest, "; remove it", hint));
}

static enum lf_status refuse_text(const struct lf_values *values, const struct lf_setting *row,
                                  const char *text, const char *at, const char *why, struct lf_error *err)
{
    char rest[LF_ERROR_TEXT];
    snprintf(rest, sizeof rest, " %s, not \"%.60s\"%s", why, text, strlen(text) > 60 ? "..." : "");
    return refuse(values, at, err, "", row->name, rest);
}

static enum lf_status append_item(struct value *value, const char *text, size_t len, struct lf_error *err)
{
    char **items = realloc(value->items, (value->count + 1) * sizeof *items);
    if (!items)
        return lf_fail_memory(err, "reading a setting");
    value->items = items;
    items[value->count] = lf_format("%.*s", (int)len, text);
    if (!items[value->count])
        return lf_fail_memory(err, "reading a setting");
    value->count++;
    return LF_OK;
}

enum lf_status lf_values_set(struct lf_values *values, const char *name, const char *text, const char *at,
                             struct lf_error *err)
{
    const struct lf_setting *row = lf_setting_find(values->table, name);
    if (!row)
        return refuse_unknown(values, name, at, err);
    char why[LF_ERROR_TEXT / 2];
    if (row->type == LF_REMOVED) {
        snprintf(why, sizeof why, " is no longer needed: %s; remove it", row->help);
        return refuse(values, at, err, "", name, why);
    }
    struct value *value = &values->value[row - values->table];
    if (row->type != LF_LIST && value->given)
        return refuse(values, at, err, "", name, " is given twice; keep one");
    if (value->count >= LIST_MAX)
        return refuse(values, at, err, "", name, " has more than 1000 entries");
    if (strlen(text) > TEXT_MAX)
        return refuse(values, at, err, "", name, " is longer than 65536 bytes");
    int64_t number;
    if (check_text(row, text, &number, why, sizeof why) != LF_OK)
        return refuse_text(values, row, text, at, why, err);
    if (at && !value->at && !(value->at = strdup(at)))
        return lf_fail_memory(err, "reading a setting");
    if (append_item(value, text, strlen(text), err) != LF_OK)
        return err->status;
    value->number = number;
    value->given = true;
    return LF_OK;
}

/* The default of a list is one text with the items between commas. */
static enum lf_status fill_fallback(const struct lf_values *values, const struct lf_setting *row,
                                    struct value *value, struct lf_error *err)
{
    char why[LF_ERROR_TEXT / 2];
    const char *text = row->fallback, *between = row->type == LF_LIST ? "," : "";
    if (check_text(row, text, &value->number, why, sizeof why) != LF_OK)
        return refuse_text(values, row, text, "its default", why, err);
    for (;; text++) {
        size_t len = strcspn(text, between);
        if (append_item(value, text, len, err) != LF_OK)
            return err->status;
        text += len;
        if (!*text)
            return LF_OK;
    }
}

static size_t list_missing(const struct lf_setting *row, char *text, size_t room, size_t used)
{
    if (used >= room)
        return used;
    int wrote = snprintf(text + used, room - used, "%s\"%s\" (%s)", used ? ", " : "", row->name, row->help);
    return wrote > 0 ? used + (size_t)wrote : used;
}

enum lf_status lf_values_finish(struct lf_values *values, struct lf_error *err)
{
    char missing[LF_ERROR_TEXT / 2] = "";
    size_t used = 0;
    for (size_t i = 0; i < values->rows; i++) {
        const struct lf_setting *row = &values->table[i];
        struct value *value = &values->value[i];
        if (value->given || !row->fallback)
            continue;
        if (row->fallback == LF_REQUIRED) {
            used = list_missing(row, missing, sizeof missing, used);
            continue;
        }
        enum lf_status status = fill_fallback(values, row, value, err);
        if (status != LF_OK)
            return status;
    }
    if (used)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: missing %s; add it", values->where, missing);
    return LF_OK;
}

/* ---- reading ---- */

static const struct value *value_of(const struct lf_values *values, const char *name)
{
    const struct lf_setting *row = lf_setting_find(values->table, name);
    if (!row) {
        fprintf(stderr, "labferry: program error: %s has no setting \"%s\"\n", values->where, name);
        abort();
    }
    return &values->value[row - values->table];
}

bool lf_values_given(const struct lf_values *values, const char *name)
{
    return value_of(values, name)->given;
}

const char *lf_values_at(const struct lf_values *values, const char *name)
{
    return value_of(values, name)->at;
}

static void fill_member(const struct lf_setting *row, const struct value *value, char *member)
{
    switch (row->type) {
    case LF_TEXT:
    case LF_PATH:
    case LF_FILE:
    case LF_SECRET_FILE: *(const char **)member = value->count ? value->items[0] : NULL; break;
    case LF_INT:
    case LF_CHOICE: *(int *)member = (int)value->number; break;
    case LF_BOOL: *(bool *)member = value->number != 0; break;
    case LF_DURATION:
    case LF_SIZE: *(int64_t *)member = value->number; break;
    case LF_LIST:
        *(struct lf_texts *)member = (struct lf_texts){(const char *const *)value->items, value->count};
        break;
    case LF_NESTED:
    case LF_REMOVED: break;
    }
}

void lf_values_fill(const struct lf_values *values, void *into)
{
    for (size_t i = 0; i < values->rows; i++)
        if (values->table[i].place)
            fill_member(&values->table[i], &values->value[i], (char *)into + values->table[i].place - 1);
}
