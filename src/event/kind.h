/* The parts of an event's type. Private to src/event. */
#ifndef LF_EVENT_KIND_H
#define LF_EVENT_KIND_H

#include "event/event.h"

/* The name in "v2-beta.entry.created", or the type itself when it does not begin with a version. Borrowed
 * from type.
 */
const char *event__name_of(const char *type);
/* NULL if the name is not a known one. */
const struct lf_event_kind *event__kind_find(const char *name);

#endif
