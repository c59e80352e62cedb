#include "event/fold.h"

#include <stdlib.h>
#include <string.h>

/* Upper-case letters: a run from `first` to `last`, every `step`-th code point; the lower-case letter is
 * `away` code points further. */
struct fold_run {
    uint32_t first, last, step;
    int32_t away;
};

/* clang-format off */
static const struct fold_run runs[] = {
    {'A', 'Z', 1, 32},
    /* Latin-1 */
    {0xC0, 0xD6, 1, 32}, {0xD8, 0xDE, 1, 32},
    /* Latin Extended-A and -B */
    {0x100, 0x12E, 2, 1}, {0x132, 0x136, 2, 1}, {0x139, 0x147, 2, 1}, {0x14A, 0x176, 2, 1},
    {0x178, 0x178, 1, -121}, {0x179, 0x17D, 2, 1},
    {0x1CD, 0x1DB, 2, 1}, {0x1DE, 0x1EE, 2, 1}, {0x1F8, 0x21E, 2, 1}, {0x222, 0x232, 2, 1},
    /* Greek */
    {0x386, 0x386, 1, 38}, {0x388, 0x38A, 1, 37}, {0x38C, 0x38C, 1, 64}, {0x38E, 0x38F, 1, 63},
    {0x391, 0x3A1, 1, 32}, {0x3A3, 0x3AB, 1, 32},
    /* Cyrillic */
    {0x400, 0x40F, 1, 80}, {0x410, 0x42F, 1, 32}, {0x460, 0x480, 2, 1}, {0x48A, 0x4BE, 2, 1},
    {0x4C1, 0x4CD, 2, 1}, {0x4D0, 0x52E, 2, 1},
    /* Armenian, Latin Extended Additional, full width */
    {0x531, 0x556, 1, 48}, {0x1E00, 0x1E94, 2, 1}, {0x1EA0, 0x1EFE, 2, 1}, {0xFF21, 0xFF3A, 1, 32},
};
/* clang-format on */

static uint32_t lower(uint32_t point)
{
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        const struct fold_run *run = &runs[i];
        if (point >= run->first && point <= run->last && (point - run->first) % run->step == 0)
            return (uint32_t)((int32_t)point + run->away);
    }
    return point;
}

/* Reads one code point and moves *text past it. */
static uint32_t next_point(const char **text)
{
    const unsigned char *p = (const unsigned char *)*text;
    int more = p[0] >= 0xF0 ? 3 : p[0] >= 0xE0 ? 2 : p[0] >= 0xC0 ? 1 : 0;
    uint32_t point = more == 3 ? p[0] & 0x07u : more == 2 ? p[0] & 0x0Fu : more == 1 ? p[0] & 0x1Fu : p[0];
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            (*text)++;
            return p[0];
        }
        point = point << 6 | (p[i] & 0x3Fu);
    }
    *text += more + 1;
    return point;
}

bool event__fold_make(const char *text, struct lf_fold *fold)
{
    fold->points = malloc((strlen(text) + 1) * sizeof *fold->points);
    fold->count = 0;
    if (!fold->points)
        return false;
    while (*text)
        fold->points[fold->count++] = lower(next_point(&text));
    return true;
}

void event__fold_clear(struct lf_fold *fold)
{
    free(fold->points);
    *fold = (struct lf_fold){0};
}

/* The rest of text after the folded prefix; NULL if it has another. */
static const char *after(const struct lf_fold *fold, const char *text)
{
    for (size_t i = 0; i < fold->count; i++)
        if (!*text || lower(next_point(&text)) != fold->points[i])
            return NULL;
    return text;
}

bool event__fold_starts(const struct lf_fold *fold, const char *text)
{
    return after(fold, text) != NULL;
}

bool event__fold_equals(const struct lf_fold *fold, const char *text)
{
    const char *rest = after(fold, text);
    return rest && !*rest;
}

bool event__fold_ends(const struct lf_fold *fold, const char *text)
{
    size_t points = 0;
    for (const char *p = text; *p; points++)
        next_point(&p);
    if (points < fold->count)
        return false;
    for (size_t skip = points - fold->count; skip > 0; skip--)
        next_point(&text);
    return event__fold_equals(fold, text);
}
