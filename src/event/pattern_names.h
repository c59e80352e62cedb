/* Names in a pattern: does it ask for members that events have, and for which? A pattern compiles and never
 * matches when a name in it is misspelt.
 */
#ifndef LF_EVENT_PATTERN_NAMES_H
#define LF_EVENT_PATTERN_NAMES_H

#include "base/setting.h"
#include "event/pattern.h"

/* Called for each field of the pattern that asks in vain. `path` is its place in the complete envelope
 * ("detail.workflowTask.shema.name"); borrowed for the call, like the text. `certain`: no event can match;
 * otherwise Labferry does not know the member, but Benchling may have it. */
struct lf_pattern_names {
    void *context;
    void (*problem)(void *context, const char *path, const char *text, bool certain);
};

/* Judges the names for events that the names in `on` cover; when they cover several resources, for the one
 * that the pattern fits best. */
void lf_pattern_check_names(const struct lf_pattern *pattern, const struct lf_texts *on,
                            const struct lf_pattern_names *report);

/* Does every event that matches fulfil a condition at or below one of these paths (NULL-terminated)? That a
 * member exists, or does not, is no condition here. */
bool lf_pattern_asks(const struct lf_pattern *pattern, const char *const *paths);

#endif
