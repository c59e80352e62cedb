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
/* Starts the intake thread, which asks for events: see poll.c. */
enum lf_status lf_intake_start(struct lf_intake *intake, struct lf_error *err);
void lf_intake_close(struct lf_intake *intake);

/* Takes in a batch in one transaction. Not LF_OK: nothing is stored and nothing may be acknowledged. */
enum lf_status lf_intake_batch(struct lf_intake *intake, const struct lf_message *messages, size_t count,
                               struct lf_error *err);
/* MQTT is connected. The broker may have dropped events before, so the list of events is asked soon. Any
 * thread. */
void lf_intake_connected(struct lf_intake *intake);
/* Another agent has the same name and does the work meanwhile: the list is not asked until MQTT is connected
 * again. Any thread. */
void lf_intake_yield(struct lf_intake *intake);
/* Since lf_intake_yield, and MQTT has not been connected again. Any thread. */
bool lf_intake_yields(struct lf_intake *intake);
/* Events wait in the journal to be read again. Any thread. */
void lf_intake_kick(struct lf_intake *intake);

/* Counts by fate, deprecated types with counts, kinds of bad events. Returns owned. */
cJSON *lf_intake_health(struct lf_intake *intake);
/* Asking the API: time of the last complete round, the event that the next one begins after, counts, last
 * error. Returns owned. */
cJSON *lf_intake_poll_health(struct lf_intake *intake);

#endif
