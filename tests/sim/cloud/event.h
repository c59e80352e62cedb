/* Events: the log that GET /events reads and the relay publishes. */
#ifndef LF_SIM_EVENT_H
#define LF_SIM_EVENT_H

#include "http.h"

struct sim_event {
    char id[SIM_ID];     /* evt_... */
    char aws_id[SIM_ID]; /* the EventBridge envelope's id */
    char *type;
    char *detail; /* JSON text, as GET /events shows it */
    int64_t wall_ms;
};

/* What happens. resource is borrowed; so are schema ({id,name} or anything with both; NULL), updates (array
 * of text; NULL when the event is not an update) and exclude (array of the resource's members to drop; NULL).
 */
struct sim_news {
    const char *type; /* "v2.workflowTask.created" */
    const char *key;  /* "workflowTask" */
    const cJSON *resource, *schema, *updates, *exclude;
};

struct sim_events *sim_events_new(void);
void sim_events_free(struct sim_events *events);

/* Logs the event and hands it to the relay; with --twins, automation events of v2 get a v2-beta twin with its
 * own id. Members of the resource are dropped, and named in excludedProperties, until the detail has at most
 * 256 KB. Returns the (first) event, borrowed until the next emission. */
const struct sim_event *sim_event_emit(struct sim *sim, const struct sim_news *news);

size_t sim_events_count(const struct sim *sim); /* how many are kept */
/* The i-th of those kept. */
const struct sim_event *sim_events_at(const struct sim *sim, size_t i);
int64_t sim_events_total(const struct sim *sim); /* ever emitted */

/* GET /events */
struct sim_reply sim_event_list(struct sim_request *request);

#endif
