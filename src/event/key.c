#include "event/key.h"

#include "event/kind.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends a part after its border. What separates parts, or parts of a part, is escaped inside them. */
static bool add(struct lf_buffer *key, const char *border, const char *part)
{
    bool ok = lf_buffer_text(key, border) == LF_OK;
    for (; ok && *part; part++)
        ok = (strchr("%|,@", *part) ? lf_buffer_format(key, "%%%02X", (unsigned)*part)
                                    : lf_buffer_append(key, part, 1))
             == LF_OK;
    return ok;
}

static char *finish(struct lf_buffer *key, bool ok)
{
    char *text = ok ? lf_buffer_take(key) : NULL;
    lf_buffer_free(key);
    return text;
}

/* ---- happenings ---- */

struct happening {
    const char *name, *resource, *state;
    const char *outcome; /* more of the state; NULL: not part of it */
};

static char *spell(const struct happening *it)
{
    struct lf_buffer key = {0};
    return finish(&key, add(&key, "", it->name) && add(&key, "|", it->resource) && add(&key, "|", it->state)
                            && (!it->outcome || add(&key, ",", it->outcome)));
}

/* Fills in the state. False: the event lacks what that needs. */
static bool has_state(const struct lf_event *event, enum lf_event_state state, struct happening *it)
{
    switch (state) {
    case LF_STATE_FILE:
        it->state = lf_json_text(event->payload, "file.id");
        if (!strcmp(event->name, "automationOutputProcessor.completed"))
            it->outcome = lf_json_text(event->payload, "status");
        return it->state;
    case LF_STATE_STATUS:
        it->state = lf_json_text(event->payload, "status.id");
        if (!it->state)
            it->state = lf_json_text(event->payload, "status");
        return it->state;
    case LF_STATE_MOMENT: it->state = ""; return true;
    case LF_STATE_ONCE: break;
    }
    it->state = "once";
    return true;
}

/* False: the event is known only by its id. */
static bool happening_of(const struct lf_event *event, struct happening *it)
{
    const struct lf_event_kind *kind = event__kind_find(event->name);
    *it = (struct happening){.name = event->name, .resource = event->resource_id};
    return kind && it->resource && *it->resource && event->payload && has_state(event, kind->state, it);
}

char *lf_key_event(const struct lf_event *event)
{
    struct happening it;
    if (!happening_of(event, &it))
        it = (struct happening){.name = event->name, .resource = "", .state = event->id};
    return spell(&it);
}

bool lf_key_recurs(const struct lf_event *event)
{
    const struct lf_event_kind *kind = event__kind_find(event->name);
    struct happening it;
    return happening_of(event, &it) && (kind->state == LF_STATE_STATUS || kind->state == LF_STATE_MOMENT);
}

char *lf_key_occurrence(const char *happening, const char *event_id)
{
    struct lf_buffer key = {0};
    return finish(&key, lf_buffer_text(&key, happening) == LF_OK && add(&key, "@", event_id));
}

char *lf_key_generator_file(const char *generator, const char *file)
{
    return spell(&(struct happening){"automationInputGenerator.completed", generator, file, NULL});
}

char *lf_key_generator(const char *generator)
{
    return lf_key_generator_file(generator, "");
}

/* ---- jobs ---- */

char *lf_key_job(const char *happening, const char *instrument, const char *kind, const char *detail)
{
    struct lf_buffer key = {0};
    return finish(&key, lf_buffer_text(&key, happening) == LF_OK && add(&key, "|", instrument)
                            && add(&key, "|", kind) && add(&key, "|", detail ? detail : ""));
}

char *lf_key_result(const char *instrument, const char *id, const char *version)
{
    return lf_key_job("result", instrument, id, version);
}

char *lf_key_values(int64_t job)
{
    return lf_format("values|%" PRId64, job);
}

char *lf_key_operator(int64_t at_ms, uint64_t random)
{
    return lf_format("operator|%" PRId64 "|%" PRIu64, at_ms, random);
}

char *lf_key_wake_processor(const char *processor)
{
    return lf_format("processor:%s", processor);
}
