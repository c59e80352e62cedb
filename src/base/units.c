#include "base/units.h"

#include "base/setting.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    int64_t worth;
};

static const struct unit time_units[] = {
    {"ms", 1},
    {"s", 1000},
    {"m", INT64_C(60) * 1000},
    {"h", INT64_C(3600) * 1000},
    {"d", INT64_C(24) * 3600 * 1000},
    {NULL, 0},
};

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"KB", 1000},
    {"MB", INT64_C(1000) * 1000},
    {"GB", INT64_C(1000) * 1000 * 1000},
    {"TB", INT64_C(1000) * 1000 * 1000 * 1000},
    {"KiB", 1024},
    {"MiB", INT64_C(1024) * 1024},
    {"GiB", INT64_C(1024) * 1024 * 1024},
    {"TiB", INT64_C(1024) * 1024 * 1024 * 1024},
    {NULL, 0},
};

/* A whole number, optional spaces, a unit. *out is set only when the text is valid. */
static enum lf_status parse_measure(const char *text, const struct unit *units, bool any_case, int64_t *out)
{
    int64_t number = 0;
    if (!isdigit((unsigned char)*text))
        return LF_INVALID;
    for (; isdigit((unsigned char)*text); text++)
        if (__builtin_mul_overflow(number, 10, &number)
            || __builtin_add_overflow(number, *text - '0', &number))
            return LF_INVALID;
    text += strspn(text, " ");
    while (units->name && (any_case ? strcasecmp(text, units->name) : strcmp(text, units->name)) != 0)
        units++;
    if (!units->name || __builtin_mul_overflow(number, units->worth, &number))
        return LF_INVALID;
    *out = number;
    return LF_OK;
}

enum lf_status lf_duration_parse(const char *text, int64_t *ms)
{
    if (!strcmp(text, "0")) {
        *ms = 0; /* zero needs no unit */
        return LF_OK;
    }
    return parse_measure(text, time_units, false, ms);
}

enum lf_status lf_size_parse(const char *text, int64_t *bytes)
{
    return parse_measure(text, size_units, true, bytes);
}

/* "12.3 MB", "2 h": in the first unit that the number fills, else in the last, whose worth is 1. At most one
 * decimal, cut and not rounded: nothing reads as more than it is. */
static void format_measure(int64_t number, const struct unit *unit, char *text, size_t room)
{
    while (number < unit->worth && unit->worth > 1)
        unit++;
    int64_t whole = number / unit->worth;
    int64_t tenth = unit->worth >= 10 ? number % unit->worth / (unit->worth / 10) : 0;
    if (tenth == 0 || tenth > 9)
        snprintf(text, room, "%" PRId64 " %s", whole, unit->name);
    else
        snprintf(text, room, "%" PRId64 ".%" PRId64 " %s", whole, tenth, unit->name);
}

void lf_duration_format(int64_t ms, char *text, size_t room)
{
    static const struct unit units[] = {
        {"d", INT64_C(24) * 3600 * 1000},
        {"h", INT64_C(3600) * 1000},
        {"min", INT64_C(60) * 1000},
        {"s", 1000},
        {"ms", 1},
    };
    format_measure(ms, units, text, room);
}

void lf_size_format(int64_t bytes, char *text, size_t room)
{
    static const struct unit units[] = {
        {"TB", INT64_C(1000) * 1000 * 1000 * 1000},
        {"GB", INT64_C(1000) * 1000 * 1000},
        {"MB", INT64_C(1000) * 1000},
        {"KB", 1000},
        {"bytes", 1},
    };
    format_measure(bytes, units, text, room);
}

void lf_list_add(char *list, size_t room, const char *name)
{
    size_t used = strlen(list);
    snprintf(list + used, room - used, "%s%s", used ? ", " : "", name);
}

/* ---- nearness of names ---- */

enum { NAME_MAX_COMPARED = 64 };

static size_t least(size_t a, size_t b, size_t c)
{
    size_t low = a < b ? a : b;
    return low < c ? low : c;
}

/* Insertions, deletions, replacements and swaps of neighbours cost one each; case is ignored. If a name is
 * longer than the bound, the distance is the length of the longer one. */
size_t lf_edit_distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > NAME_MAX_COMPARED || b_len > NAME_MAX_COMPARED)
        return a_len > b_len ? a_len : b_len;
    size_t rows[3][NAME_MAX_COMPARED + 1];
    size_t *older = rows[0], *old = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        old[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            now[j] = least(old[j] + 1, now[j - 1] + 1, old[j - 1] + !same);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && older[j - 2] + 1 < now[j])
                now[j] = older[j - 2] + 1;
        }
        size_t *spare = older;
        older = old;
        old = now;
        now = spare;
    }
    return old[b_len];
}

/* Near: a third of the longer name may differ, or one begins with the other ("broker_url", "broker"). */
static bool is_near(const char *a, const char *b, size_t distance)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    size_t longer = a_len > b_len ? a_len : b_len, shorter = a_len > b_len ? b_len : a_len;
    return distance * 3 <= longer || (shorter >= 4 && !strncasecmp(a, b, shorter));
}

void lf_nearest_try(struct lf_nearest *nearest, const char *name)
{
    size_t distance = name ? lf_edit_distance(name, nearest->word) : SIZE_MAX;
    if (!name || (nearest->name && distance >= nearest->distance) || !is_near(name, nearest->word, distance))
        return;
    nearest->name = name;
    nearest->distance = distance;
}

void lf_nearest_setting(struct lf_nearest *nearest, const struct lf_setting *table)
{
    for (; table->name; table++)
        if (table->type != LF_REMOVED)
            lf_nearest_try(nearest, table->name);
}

const char *lf_nearest_hint(const struct lf_nearest *nearest, const char *otherwise, char hint[LF_HINT])
{
    if (!nearest->name)
        return otherwise;
    snprintf(hint, LF_HINT, "; did you mean \"%.80s\"?", nearest->name);
    return hint;
}
