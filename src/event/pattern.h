/* EventBridge event patterns: the complete language as AWS documents it.
 *
 * exact, prefix, suffix, equals-ignore-case (alone, and inside prefix and suffix), wildcard with escapes,
 * anything-but (value, list, numbers, prefix, suffix, equals-ignore-case, wildcard), numeric ranges, cidr,
 * exists, null and empty string, $or at any level, arrays (any element), arrays of objects (all conditions
 * hold for the same element).
 */
#ifndef LF_EVENT_PATTERN_H
#define LF_EVENT_PATTERN_H

#include "base/json.h"

struct lf_pattern; /* compiled; read-only after that: any thread */

/* Compiles a pattern into *pattern, owned. LF_INVALID (permanent) says where in the pattern (a path such as
 * detail.status[0].prefix) and why. */
enum lf_status lf_pattern_compile(const cJSON *json, struct lf_pattern **pattern, struct lf_error *err);
void lf_pattern_free(struct lf_pattern *pattern);

/* Does the event (any JSON object) match? Never fails; bounded work. */
bool lf_pattern_match(const struct lf_pattern *pattern, const cJSON *event);

#endif
