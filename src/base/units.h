/* Times, sizes and lists of names as people write them, and the known name nearest to a misspelt one. */
#ifndef LF_BASE_UNITS_H
#define LF_BASE_UNITS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Text to ms and bytes. LF_INVALID for anything else. */
enum lf_status lf_duration_parse(const char *text, int64_t *ms);
enum lf_status lf_size_parse(const char *text, int64_t *bytes);
/* "1.5 s", "3 min", "2 h"; "12.3 MB": for people. */
void lf_duration_format(int64_t ms, char *text, size_t room);
void lf_size_format(int64_t bytes, char *text, size_t room);
/* Adds a name to a list: "weigh, tare". What has no room is cut. */
void lf_list_add(char *list, size_t room, const char *name);
/* "Did you mean": finds the known name nearest to a word. Start with {.word = word}, then try each name; NULL
 * is fine. Names must outlive the search. */
struct lf_nearest {
    const char *word;
    const char *name; /* the nearest; NULL: none is near */
    size_t distance;
};
void lf_nearest_try(struct lf_nearest *nearest, const char *name);
enum { LF_HINT = 128 };
/* `; did you mean "NAME"?`, or `otherwise` when none is near. */
const char *lf_nearest_hint(const struct lf_nearest *nearest, const char *otherwise, char hint[LF_HINT]);

/* Edit distance (a swap of neighbours counts one, case is ignored), bounded. */
size_t lf_edit_distance(const char *a, const char *b);

#endif
