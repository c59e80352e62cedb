/* Events: what the cloud says happened. Three envelopes (EventBridge, the bare object of GET /events,
 * webhook) become one struct. Facts: Benchling events reference; OpenAPI `Event` discriminator.
 */
#ifndef LF_EVENT_EVENT_H
#define LF_EVENT_EVENT_H

#include "base/buffer.h"
#include "base/json.h"

enum { LF_EVENT_MAX_BYTES = 256 * 1024 + 16 * 1024 }; /* EventBridge's 256 KB and room for wrapping */

enum lf_envelope { LF_ENVELOPE_EVENTBRIDGE, LF_ENVELOPE_BARE, LF_ENVELOPE_WEBHOOK };

/* What tells one happening from the next one of the same name and resource (see key.h). */
enum lf_event_state {
    LF_STATE_ONCE,   /* happens once to a resource: nothing more is needed */
    LF_STATE_FILE,   /* the file it is about, and how processing it ended */
    LF_STATE_STATUS, /* the status it came to, and when */
    LF_STATE_MOMENT, /* only when */
};

/* The types Labferry knows. The name is without the version. */
struct lf_event_kind {
    const char *name;     /* "automationInputGenerator.completed" */
    const char *resource; /* payload key: "automationInputGenerator" */
    enum lf_event_state state;
};

/* One event. All texts are owned by the event; NULL when the envelope does not have them. */
struct lf_event {
    enum lf_envelope envelope;
    char *id;       /* Benchling's "evt_..."; never NULL. A webhook without one: "sha256:..." of its bytes */
    char *type;     /* "v2.automationInputGenerator.completed"; never NULL */
    char *version;  /* "v2", "v2-beta", "v2-alpha", "v3"... */
    char *name;     /* type without version */
    char *resource; /* payload key; for unknown types the part of the name before the first '.' */
    char *resource_id;  /* id of the resource, if told */
    char *created_at;   /* RFC 3339 as given */
    int64_t created_ms; /* the same as wall time; 0 if unknown */
    char *schema_id, *schema_name;
    bool known; /* one of event__kinds */
    bool deprecated;
    bool thin;       /* has the resource's id but not the resource (webhook): read it from the API */
    char **excluded; /* excludedProperties: read these from the API */
    size_t excluded_count;
    cJSON *whole;         /* what patterns look at: an EventBridge envelope, made up for the other two */
    const cJSON *detail;  /* whole.detail, borrowed from whole */
    const cJSON *payload; /* the resource object in detail, borrowed; NULL when thin or dropped */
};

/* Decodes one message. On success returns owned in *event (lf_event_free). Errors (permanent): LF_INVALID
 * with what is wrong and where in the message, LF_TOO_LARGE. Never crashes on any bytes. */
enum lf_status lf_event_decode(struct lf_slice message, struct lf_event **event, struct lf_error *err);
/* The same without the bound: for an event whose dropped properties were read from the API and put back. It
 * had been too large for its envelope, so it is larger than any that arrives; the API's answer was bounded.
 */
enum lf_status lf_event_decode_completed(struct lf_slice message, struct lf_event **event,
                                         struct lf_error *err);
void lf_event_free(struct lf_event *event);

/* Does a route's `on` name this event? "automationInputGenerator.completed" matches v2, v2-beta and
 * v2-alpha; "v2.automation..." only that version. A trailing ".*" or "*" matches a family
 * ("workflowTask.updated.*"). */
bool lf_event_is_on(const struct lf_event *event, const char *on);
/* Is it a name that can be in `on`? Otherwise LF_INVALID with the nearest known name (unknown names are
 * refused here so that a typo is found by `labferry check`, although unknown events themselves are kept). */
enum lf_status lf_event_on_check(const char *on, struct lf_error *err);
/* The detail-types that `on` stands for, to subscribe to: calls each for every one. */
void lf_event_on_types(const char *on, void (*each)(void *context, const char *type), void *context);

extern const struct lf_event_kind event__kinds[]; /* ends with name NULL */

#endif
