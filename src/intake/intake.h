/* Intake: events become rows, rows become jobs. Thread-safe; everything happens in the journal transaction of
 * the caller.
 */
#ifndef LF_INTAKE_INTAKE_H
#define LF_INTAKE_INTAKE_H

#include "base/json.h"

struct lf_config;
struct lf_intake;
struct lf_journal;
struct lf_event_row;

/* Compiles the routes. Borrows config and journal until close. */
enum lf_status lf_intake_open(const struct lf_config *config, struct lf_journal *journal,
                              struct lf_intake **intake, struct lf_error *err);
void lf_intake_close(struct lf_intake *intake);

/* Takes in one message that should be an event. `source` is "mqtt" or "poll"; `topic` (may be NULL) is for
 * messages. Bad events are kept, counted and LF_OK: only a journal that cannot store gives an error, and then
 * the message must not be acknowledged. *jobs (may be NULL) goes up by the jobs that became ready. */
enum lf_status lf_intake_add(struct lf_intake *intake, const char *source, const char *topic,
                             struct lf_slice message, int *jobs, struct lf_error *err);
/* A message of which only the size is known, because it was too large. */
enum lf_status lf_intake_too_large(struct lf_intake *intake, const char *source, const char *topic,
                                   int64_t size, struct lf_error *err);

/* An event that waited for properties which it lacked: routes it with the resource as read from the API
 * (borrowed). */
enum lf_status lf_intake_reread(struct lf_intake *intake, const struct lf_event_row *row,
                                const cJSON *resource, int *jobs, struct lf_error *err);

/* Counts by fate, deprecated types with counts, kinds of bad events. Returns owned. */
cJSON *lf_intake_health(struct lf_intake *intake);

#endif
