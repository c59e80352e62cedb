/* JSON text from outside: what lf_json_parse refuses, and NUL characters too. Private to src/event. */
#ifndef LF_EVENT_TEXT_H
#define LF_EVENT_TEXT_H

#include "base/json.h"

/* Like lf_json_parse, but LF_INVALID also for a NUL byte or a \u0000 escape: C texts end there, so "a\u0000b"
 * would be taken for "a". No name or id in a database can hold one. */
enum lf_status event__text_parse(struct lf_slice text, cJSON **json, struct lf_error *err);

/* "text", "a number", "true or false"...: what was found, in messages. */
const char *event__type_name(const cJSON *json);

#endif
