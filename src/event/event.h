/* Events: what the cloud says happened. Three envelopes (EventBridge, the bare object of GET /events,
 * webhook) become one struct. Facts: Benchling events reference; OpenAPI `Event` discriminator.
 */
#ifndef LF_EVENT_EVENT_H
#define LF_EVENT_EVENT_H

#include "base/digest.h"
#include "base/json.h"

enum { LF_EVENT_MAX_BYTES = 256 * 1024 + 16 * 1024 }; /* EventBridge's 256 KB plus the wrapping */

/* One event. Its texts are borrowed from root, and NULL when the envelope lacks them. */
struct lf_event {
    char *id;           /* Benchling's "evt_..."; never NULL. A webhook without one has made_id */
    char *type;         /* "v2.automationInputGenerator.completed"; never NULL */
    const char *name;   /* type without version */
    char *resource;     /* payload key; for unknown types the part of the name before the first '.'. Owned */
    char *resource_id;  /* NULL: not given */
    char *created_at;   /* RFC 3339 as given */
    int64_t created_ms; /* the same in wall ms; 0: unknown */
    bool known;         /* Labferry knows the type */
    bool deprecated;
    bool thin;                       /* has only the id of the resource (webhook): read it from the API */
    size_t excluded_count;           /* of excludedProperties: read them from the API */
    char made_id[LF_SHA256_HEX + 8]; /* "sha256:..." of its bytes */
    cJSON *root; /* owned: what patterns look at: the EventBridge envelope, built for the other two */
    const cJSON *payload; /* the resource object in root.detail, borrowed; NULL when thin or dropped */
};

/* Decodes one message into *event, owned (lf_event_free). Any bytes are safe. Errors (permanent): LF_INVALID,
 * saying what is wrong and where in the message; LF_TOO_LARGE. */
enum lf_status lf_event_decode(struct lf_slice message, struct lf_event **event, struct lf_error *err);
/* The same without the size limit, for an event from the API's list, or whose missing properties were read
 * from the API: there it may be larger than an envelope. The API's answer was limited already. */
enum lf_status lf_event_decode_completed(struct lf_slice message, struct lf_event **event,
                                         struct lf_error *err);
void lf_event_free(struct lf_event *event);

/* The digest of what the event says, in whatever envelope and order. */
enum lf_status lf_event_digest(const struct lf_event *event, char digest[LF_SHA256_HEX],
                               struct lf_error *err);
/* Does it have its resource with nothing left out? */
bool lf_event_is_whole(const struct lf_event *event);
/* The event with its resource as the API has it, and nothing left out. *whole is owned. */
enum lf_status lf_event_with(const struct lf_event *event, const cJSON *resource, struct lf_event **whole,
                             struct lf_error *err);

/* Does a route's `on` name this event? "automationInputGenerator.completed" matches v2, v2-beta and
 * v2-alpha; "v2.automation..." only that version. A trailing ".*" or "*" matches a family
 * ("workflowTask.updated.*"). */
bool lf_event_is_on(const struct lf_event *event, const char *on);
/* May `on` name this? If not, LF_INVALID with the nearest known name, so that `labferry check` finds typos.
 * (Events of unknown types are still stored when they arrive.) */
enum lf_status lf_event_on_check(const char *on, struct lf_error *err);
/* Calls each for every detail-type that `on` covers, for subscribing. */
void lf_event_on_types(const char *on, void (*each)(void *context, const char *type), void *context);

#endif
