#include "drivers/driver.h"

#include <stdlib.h>
#include <string.h>

enum lf_status lf_outcome_add(struct lf_outcome *outcome, const char *name, enum lf_capture_type type,
                              const char *value, struct lf_error *err)
{
    if (outcome->count >= LF_CAPTURES_MAX)
        return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "more than %d captured values", LF_CAPTURES_MAX);
    struct lf_capture *grown = realloc(outcome->captures, (outcome->count + 1) * sizeof *grown);
    if (!grown)
        return lf_fail_memory(err, "keeping a captured value");
    outcome->captures = grown;
    struct lf_capture *capture = &grown[outcome->count];
    *capture = (struct lf_capture){strdup(name), strdup(value), type};
    if (!capture->name || !capture->value) {
        free(capture->name);
        free(capture->value);
        return lf_fail_memory(err, "keeping a captured value");
    }
    outcome->count++;
    return LF_OK;
}

void lf_outcome_free(struct lf_outcome *outcome)
{
    for (size_t i = 0; i < outcome->count; i++) {
        free(outcome->captures[i].name);
        free(outcome->captures[i].value);
    }
    free(outcome->captures);
    free(outcome->place);
    memset(outcome, 0, sizeof *outcome);
}
