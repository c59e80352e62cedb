/* Inside control: names and values in a request against what the instrument's procedures take and give, so
 * that a mistyped word is refused before a job is made or goes on. */
#ifndef LF_CONTROL_TERMS_H
#define LF_CONTROL_TERMS_H

#include "control/control.h"

/* An operator's run: the instrument exists, knows the procedure, and would accept these inputs (an object of
 * texts; NULL: none). */
enum lf_status control__accept_run(struct lf_context *context, const char *instrument, const char *procedure,
                                   const cJSON *inputs, struct lf_error *err);

/* Values that a person gives in place of the instrument's: the procedure of the job can report each, each is
 * of its type, and none that the job's route needs is missing. A job that runs no procedure has no values.
 * LF_OK also for a job that cannot be confirmed now: lf_jobs_confirm says why. */
enum lf_status control__accept_values(struct lf_context *context, int64_t job, const cJSON *values,
                                      struct lf_error *err);

#endif
