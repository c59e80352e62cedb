/* JSON text from outside. Private to src/event. */
#ifndef LF_EVENT_TEXT_H
#define LF_EVENT_TEXT_H

#include "base/json.h"

/* Like lf_json_parse, but LF_INVALID also for a NUL byte or a \u0000 escape: a C string ends there, so
 * "a\u0000b" would be read as "a". No name or id in a database contains one. */
enum lf_status event__text_parse(struct lf_slice text, cJSON **json, struct lf_error *err);

/* What a message says was found: "text", "a number", "true or false"... */
const char *event__type_name(const cJSON *json);

#endif
