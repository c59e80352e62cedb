/* Trying a pattern on recorded events: the engine of `labferry match`. */
#ifndef LF_EVENT_PATTERN_TRY_H
#define LF_EVENT_PATTERN_TRY_H

#include "base/error.h"

#include <stdint.h>
#include <stdio.h>

enum { LF_TRY_MAX_LINE = 16 * 1024 * 1024 };

enum lf_try_style {
    LF_TRY_PLAIN,   /* "1" or "0" */
    LF_TRY_EXPLAIN, /* "1", or "0 detail.status": the field that could not be satisfied */
    LF_TRY_JSON,    /* {"line":3,"match":false,"unsatisfied":"detail.status"} */
};

struct lf_try_count {
    int64_t events, matched;
};

/* Reads the pattern (the complete stream), then events, one JSON value per line, and writes a line for each
 * to out. A value that is not an object never matches. Empty lines are skipped. Memory use does not grow with
 * the number of events. LF_INVALID or LF_TOO_LARGE names the line of a bad pattern or event; the lines before
 * it have been answered. */
enum lf_status lf_pattern_try(FILE *pattern, FILE *events, FILE *out, enum lf_try_style style,
                              struct lf_try_count *count, struct lf_error *err);

#endif
