/* Comparing text without regard to case, the same on every platform and in every locale: ASCII, Latin, Greek,
 * Cyrillic, Armenian and full-width letters whose two cases are one code point each. Private to src/event.
 */
#ifndef LF_EVENT_FOLD_H
#define LF_EVENT_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A text as code points in lower case. */
struct lf_fold {
    uint32_t *points;
    size_t count;
};

/* Folds text (valid UTF-8; other bytes are taken one by one). False when out of memory. */
bool event__fold_make(const char *text, struct lf_fold *fold);
void event__fold_clear(struct lf_fold *fold);

bool event__fold_equals(const struct lf_fold *fold, const char *text);
bool event__fold_starts(const struct lf_fold *fold, const char *text);
bool event__fold_ends(const struct lf_fold *fold, const char *text);

#endif
