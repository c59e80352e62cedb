/* The event types that Labferry knows. Private to src/event. */
#ifndef LF_EVENT_KIND_H
#define LF_EVENT_KIND_H

#include "event/event.h"

/* What distinguishes two happenings with the same name and resource (see key.h). */
enum lf_event_state {
    LF_STATE_ONCE,   /* nothing: it happens once to a resource */
    LF_STATE_FILE,   /* the file, and how its processing ended */
    LF_STATE_STATUS, /* the new status; it can be reached again */
    LF_STATE_MOMENT, /* nothing: it happens again and again */
};

/* An event type that Labferry knows. */
struct lf_event_kind {
    const char *name;     /* without the version: "automationInputGenerator.completed" */
    const char *resource; /* payload key: "automationInputGenerator" */
    enum lf_event_state state;
};

extern const struct lf_event_kind event__kinds[]; /* ends with name NULL */

/* The name in "v2-beta.entry.created", or the type itself when it does not begin with a version. Borrowed
 * from type.
 */
const char *event__name_of(const char *type);
/* NULL if the name is not a known one. */
const struct lf_event_kind *event__kind_find(const char *name);
/* Does a name in `on` cover this type, in whatever version? */
bool event__covers(const char *on, const struct lf_event_kind *kind);

#endif
