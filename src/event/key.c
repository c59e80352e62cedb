/* The key of a happening: event.h says why it is made the way it is. */
#include "event/kind.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Returns owned; NULL if not told or out of memory. */
static char *moment(const struct lf_event *event)
{
    const char *modified = lf_json_text(event->payload, "modifiedAt");
    if (modified)
        return lf_format("%s", modified);
    if (event->created_ms == 0)
        return event->created_at ? lf_format("%s", event->created_at) : NULL;
    return lf_format("t%" PRId64, event->created_ms / LF_EVENT_MOMENT_MS);
}

static char *file_state(const struct lf_event *event)
{
    const char *file = lf_json_text(event->payload, "file.id");
    const char *status = lf_json_text(event->payload, "status");
    bool processor = !strcmp(event->name, "automationOutputProcessor.completed");
    return !file ? NULL : processor && status ? lf_format("%s,%s", file, status) : lf_format("%s", file);
}

static char *status_state(const struct lf_event *event)
{
    const char *status = lf_json_text(event->payload, "status.id");
    if (!status)
        status = lf_json_text(event->payload, "status");
    char *when = status ? moment(event) : NULL;
    char *state = when ? lf_format("%s@%s", status, when) : NULL;
    free(when);
    return state;
}

/* Returns owned; NULL if not told. */
static char *state_of(const struct lf_event *event, enum lf_event_state state)
{
    switch (state) {
    case LF_STATE_FILE:
        return file_state(event);
    case LF_STATE_STATUS:
        return status_state(event);
    case LF_STATE_MOMENT:
        return moment(event);
    case LF_STATE_ONCE:
        break;
    }
    return lf_format("once");
}

char *lf_event_key(const struct lf_event *event)
{
    const struct lf_event_kind *kind = lf_event_kind_find(event->name);
    char *state = kind && event->resource_id ? state_of(event, kind->state) : NULL;
    char *key = state ? lf_format("%s|%s|%s", event->name, event->resource_id, state)
                      : lf_format("%s|event|%s", event->name, event->id);
    free(state);
    return key;
}
