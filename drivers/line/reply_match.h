/* Matching a line against a pattern, and the values that it carries. */
#ifndef LABFERRY_LINE_REPLY_MATCH_H
#define LABFERRY_LINE_REPLY_MATCH_H

#include "drivers/line/profile.h"

/* LF_OK: the entire line matches; the captured values were added to `values` (may be NULL). LF_MISMATCH: it
 * does not; err is untouched. LF_REFUSED (needs a person): it matches, but a number in it is not a value,
 * as the profile says (not_a_value); only when values are wanted. LF_NO_MEMORY, LF_TOO_LARGE (too many
 * values) fill err. The time is bounded by parts x length. */
enum lf_status line__reply_pattern_match(const struct lf_line_profile *profile,
                                         const struct lf_line_pattern *pattern, struct lf_slice line,
                                         struct lf_outcome *values, struct lf_error *err);

/* The type under which the value of a part is reported. */
enum lf_capture_type line__capture_type(const struct lf_line_part *part);

/* The same for the first of the patterns that matches. */
enum lf_status line__reply_first_match(const struct lf_line_profile *profile,
                                       const struct lf_line_patterns *patterns, struct lf_slice line,
                                       struct lf_outcome *values, struct lf_error *err);

/* The last value captured under that name, borrowed; NULL: none. */
const char *line__last_value(const struct lf_outcome *values, const char *name);
/* Frees the values after the first `keep`. */
void line__drop_values(struct lf_outcome *values, size_t keep);

#endif
