/* Inside control: answers as JSON. */
#ifndef LF_CONTROL_ANSWER_H
#define LF_CONTROL_ANSWER_H

#include "base/json.h"

/* {"status", "class", "text"}; returns owned, NULL when out of memory. */
cJSON *control__answer_error(const struct lf_error *err);
/* {"ok": true, "result": ...} or {"ok": false, "error": ...}; takes result. Returns owned. */
cJSON *control__answer_of(enum lf_status status, cJSON *result, const struct lf_error *err);
/* Prints on one line. The text is always valid UTF-8: bytes that are not become '?'. Returns owned, NULL when
 * out of memory. */
char *control__answer_print(const cJSON *value);

#endif
