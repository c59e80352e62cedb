/* Poll: events fetched from the API's own list (GET /events). Fills the gap after the broker has lost our
 * session, and is the only source of events where there is no broker. What was fetched last is kept in the
 * journal.
 */
#ifndef LF_POLL_POLL_H
#define LF_POLL_POLL_H

#include "base/json.h"

struct lf_cloud;
struct lf_config;
struct lf_intake;
struct lf_journal;
struct lf_poll;

struct lf_poll_options { /* borrowed until lf_poll_close */
    const struct lf_config *config;
    struct lf_journal *journal;
    struct lf_intake *intake;
    struct lf_cloud *cloud;
    void (*jobs)(void *context); /* events made jobs ready; on the poll thread */
    void *context;
};

/* Starts the thread. With cloud.events = "mqtt" it asks only when lf_poll_fill says so; else also every
 * poll_interval. */
enum lf_status lf_poll_open(const struct lf_poll_options *options, struct lf_poll **poll,
                            struct lf_error *err);
void lf_poll_close(struct lf_poll *poll);

/* From now on events may be missed: notes the place to ask from, durably. Any thread. */
enum lf_status lf_poll_gap(struct lf_poll *poll, struct lf_error *err);
/* Ask for what is in the gap, if there is one. Whole: the gap has ended, and is forgotten once all was asked
 * for; else events are still being missed, and it stays. Any thread. */
void lf_poll_fill(struct lf_poll *poll, bool whole);

/* For the operator: last time, last event, last error. Returns owned. */
cJSON *lf_poll_health(struct lf_poll *poll);

#endif
