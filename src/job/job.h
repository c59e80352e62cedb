/* Jobs: their kinds, their steps, and the runner that walks them.
 *
 * Couriers (threads of this room) run cloud steps; the bench thread of an instrument runs bench steps by
 * calling lf_jobs_work. Every change to a job is committed together with its history and its report before
 * anything follows from it.
 */
#ifndef LF_JOB_JOB_H
#define LF_JOB_JOB_H

#include "base/json.h"
#include "instrument/instrument.h"
#include "journal/journal.h"

struct lf_cloud;
struct lf_config;
struct lf_jobs;

struct lf_jobs_options { /* everything is borrowed until lf_jobs_close */
    const struct lf_config *config;
    struct lf_journal *journal;
    struct lf_cloud *cloud;
    void (*reported)(void *context); /* the outbox has something new; any thread; may be NULL */
    void (*reread)(void *context);   /* events wait to be read again; any thread; may be NULL */
    void *context;
};

enum lf_status lf_jobs_open(const struct lf_jobs_options *options, struct lf_jobs **jobs,
                            struct lf_error *err);
/* Instruments are added before lf_jobs_start; borrowed until lf_jobs_close. */
enum lf_status lf_jobs_add_instrument(struct lf_jobs *jobs, struct lf_instrument *instrument,
                                      struct lf_error *err);
/* NULL: there is none of that name. */
struct lf_instrument *lf_jobs_instrument(struct lf_jobs *jobs, const char *name);
size_t lf_jobs_instrument_count(const struct lf_jobs *jobs);
struct lf_instrument *lf_jobs_instrument_at(const struct lf_jobs *jobs, size_t index);
/* Starts the couriers. */
enum lf_status lf_jobs_start(struct lf_jobs *jobs, struct lf_error *err);
/* Cancels what is running and ends couriers and benches; jobs stay where they are. The stop is set before
 * benches are interrupted, or they would take it for an operator's cancel. False: a bench is stuck in
 * the system; nothing of it may be freed. */
bool lf_jobs_stop(struct lf_jobs *jobs);
void lf_jobs_close(struct lf_jobs *jobs);

/* There may be new cloud work: wakes the couriers, after the commit if a transaction is open. Any thread. */
void lf_jobs_kick(struct lf_jobs *jobs);

/* Hooks for struct lf_instrument_hooks; context is the struct lf_jobs. */
bool lf_jobs_work(void *jobs, struct lf_instrument *instrument, int64_t *next_mono);
enum lf_status lf_jobs_found(void *jobs, struct lf_instrument *instrument, const struct lf_finding *finding,
                             struct lf_error *err);
void lf_jobs_instrument_changed(void *jobs, struct lf_instrument *instrument);

/* ---- what an operator can do. `who` is noted in the history. All commit before they return. ---- */

/* Sends a local file (from its start on) to an instrument, unless `cancel` (may be NULL) is set while its
 * bytes are read. */
enum lf_status lf_jobs_send(struct lf_jobs *jobs, const char *instrument, const char *name,
                            const struct lf_file *from, const struct lf_cancel *cancel, const char *who,
                            int64_t *id, struct lf_error *err);
/* Runs a procedure; inputs is an object of texts or NULL. The job's fields get the captured values. */
enum lf_status lf_jobs_run(struct lf_jobs *jobs, const char *instrument, const char *procedure,
                           const cJSON *inputs, const char *who, int64_t *id, struct lf_error *err);
/* Held, failed or expired: runs the step again ("it did not happen"). Waiting: runs it now. */
enum lf_status lf_jobs_retry(struct lf_jobs *jobs, int64_t id, const char *who, struct lf_error *err);
/* The same, and it may act once without asking Benchling whether it is still wanted. Also for a job that
 * waits for its turn. */
enum lf_status lf_jobs_retry_unchecked(struct lf_jobs *jobs, int64_t id, const char *who,
                                       struct lf_error *err);
/* Held at an action of its instrument: a person can say that it happened. */
bool lf_job_can_confirm(const struct lf_job *job);
/* Such a job continues as if the instrument had acted. values (an object of texts, may be NULL)
 * replaces what the instrument would have captured. */
enum lf_status lf_jobs_confirm(struct lf_jobs *jobs, int64_t id, const cJSON *values, const char *who,
                               struct lf_error *err);
enum lf_status lf_jobs_cancel(struct lf_jobs *jobs, int64_t id, const char *why, const char *who,
                              struct lf_error *err);
/* A task that waits for its sample: a person has put it on the instrument. */
enum lf_status lf_jobs_begin(struct lf_jobs *jobs, int64_t id, const char *who, struct lf_error *err);
/* A held result belongs to this run and output file configuration (NULL: as configured). */
enum lf_status lf_jobs_assign(struct lf_jobs *jobs, int64_t id, const char *run, const char *config,
                              const char *who, struct lf_error *err);

/* A job for reports and lists. verbose adds fields, history and file. Returns owned; NULL: out of memory. */
cJSON *lf_job_to_json(struct lf_jobs *jobs, const struct lf_job *job, bool verbose);
/* What a person can do about it now; "" if nothing. Borrowed. */
const char *lf_job_help(const struct lf_job *job);

/* Checks a rule of collect.match. *names_config: it may also find the output file configuration. */
enum lf_status lf_match_check(const char *rule, bool *names_config, struct lf_error *err);

/* Removes files of jobs that are no longer in the journal: spool files and lists of failed rows. Call it now
 * and then; any thread. */
void lf_jobs_tidy(struct lf_jobs *jobs);

#endif
