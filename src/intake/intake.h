/* Intake: all ways in which events come in. Messages of the link and events from the API's own list
 * (GET /events) become rows; every route that matches a row makes its job. Events that lack properties are
 * completed from the API first.
 *
 * Thread-safe. The intake thread asks the API; nothing else here waits for the network.
 */
#ifndef LF_INTAKE_INTAKE_H
#define LF_INTAKE_INTAKE_H

#include "base/json.h"

struct lf_cloud;
struct lf_config;
struct lf_intake;
struct lf_jobs;
struct lf_journal;
struct lf_message;

struct lf_intake_options { /* everything is borrowed until lf_intake_close */
    const struct lf_config *config;
    struct lf_journal *journal;
    struct lf_jobs *jobs;
    struct lf_cloud *cloud;
    /* Sees each message of a batch first: *taken if it is not an event but something else, a command. Runs
     * in the transaction of the batch; on an error nothing of the batch is acknowledged. May be NULL. */
    enum lf_status (*other)(void *context, const struct lf_message *message, bool *taken,
                            struct lf_error *err);
    void *context;
};

/* Compiles the routes. */
enum lf_status lf_intake_open(const struct lf_intake_options *options, struct lf_intake **intake,
                              struct lf_error *err);
/* Starts the intake thread. With cloud.events = "mqtt" it asks for events only to fill a gap; otherwise also
 * every cloud.poll_interval. */
enum lf_status lf_intake_start(struct lf_intake *intake, struct lf_error *err);
void lf_intake_close(struct lf_intake *intake);

/* Takes in a batch in one transaction. Not LF_OK: nothing is stored and nothing may be acknowledged. */
enum lf_status lf_intake_batch(struct lf_intake *intake, const struct lf_message *messages, size_t count,
                               struct lf_error *err);
/* Takes in one message that should be an event, in the caller's transaction if there is one. `source` is
 * "mqtt" or "poll"; `topic` (may be NULL) is for messages. Bad events are kept, counted and LF_OK: only a
 * journal that cannot store gives an error. */
enum lf_status lf_intake_add(struct lf_intake *intake, const char *source, const char *topic,
                             struct lf_slice message, struct lf_error *err);

/* From now on, until lf_intake_fill says otherwise, events may be missed: notes the time to ask from,
 * durably. Any thread. */
enum lf_status lf_intake_gap(struct lf_intake *intake, struct lf_error *err);
/* Asks for the events of the gap, if there is one. closed: no more are missed, so the gap is forgotten once
 * it is filled; otherwise it stays. Any thread. */
void lf_intake_fill(struct lf_intake *intake, bool closed);

/* Counts by fate, deprecated types with counts, kinds of bad events. Returns owned. */
cJSON *lf_intake_health(struct lf_intake *intake);
/* Asking the API: time of the last complete round, last event, last error. Returns owned. */
cJSON *lf_intake_poll_health(struct lf_intake *intake);

#endif
