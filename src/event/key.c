/* The key of a happening: event.h says why it is made the way it is. */
#include "event/kind.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* These append to the key. *told becomes false if the event does not tell; they return false when out of
 * memory: taken for not told, it would make a second happening of the same. */
static bool add_moment(const struct lf_event *event, struct lf_buffer *key, bool *told)
{
    const char *modified = lf_json_text(event->payload, "modifiedAt");
    if (!modified && event->created_ms != 0)
        return lf_buffer_format(key, "t%" PRId64, event->created_ms / LF_EVENT_MOMENT_MS) == LF_OK;
    if (!modified)
        modified = event->created_at;
    *told = modified != NULL;
    return !modified || lf_buffer_text(key, modified) == LF_OK;
}

static bool add_file(const struct lf_event *event, struct lf_buffer *key, bool *told)
{
    const char *file = lf_json_text(event->payload, "file.id");
    const char *status = lf_json_text(event->payload, "status");
    bool processor = !strcmp(event->name, "automationOutputProcessor.completed");
    *told = file != NULL;
    return !file
           || lf_buffer_format(key, "%s%s%s", file, processor && status ? "," : "",
                               processor && status ? status : "")
                  == LF_OK;
}

static bool add_status(const struct lf_event *event, struct lf_buffer *key, bool *told)
{
    const char *status = lf_json_text(event->payload, "status.id");
    if (status == LF_OK)
        status = lf_json_text(event->payload, "status");
    *told = status != NULL;
    return !status || (lf_buffer_format(key, "%s@", status) == LF_OK && add_moment(event, key, told));
}

static bool add_state(const struct lf_event *event, enum lf_event_state state, struct lf_buffer *key,
                      bool *told)
{
    switch (state) {
    case LF_STATE_FILE: return add_file(event, key, told);
    case LF_STATE_STATUS: return add_status(event, key, told);
    case LF_STATE_MOMENT: return add_moment(event, key, told);
    case LF_STATE_ONCE: break;
    }
    return lf_buffer_text(key, "once") == LF_OK;
}

char *lf_event_key(const struct lf_event *event)
{
    const struct lf_event_kind *kind = event__kind_find(event->name);
    struct lf_buffer key = {0};
    bool told = kind && event->resource_id;
    bool good = !told
                || (lf_buffer_format(&key, "%s|%s|", event->name, event->resource_id) == LF_OK
                    && add_state(event, kind->state, &key, &told));
    if (!told) {
        lf_buffer_clear(&key);
        good = lf_buffer_format(&key, "%s|event|%s", event->name, event->id) == LF_OK;
    }
    char *text = good ? lf_buffer_take(&key) : NULL;
    lf_buffer_free(&key);
    return text;
}
