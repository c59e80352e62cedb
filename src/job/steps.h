/* Inside jobs: steps, the work at hand, and what follows from it. Not for other folders. */
#ifndef LF_JOB_STEPS_H
#define LF_JOB_STEPS_H

#include "cloud/cloud.h"
#include "config/config.h"
#include "job/birth.h"
#include "os/thread.h"

#include <stdatomic.h>

enum { COURIERS_MAX = 32, INSTRUMENTS_MAX = 256, INPUTS_MAX = 64 };

struct lf_jobs {
    struct lf_jobs_options options;
    const struct lf_config *config;
    struct lf_journal *journal;
    struct lf_cloud *cloud;
    struct lf_cancel cancel; /* the agent stops: couriers give up what they wait for */
    struct lf_instrument *instruments[INSTRUMENTS_MAX];
    size_t instrument_count;
    atomic_bool unreported; /* what changed on an instrument could not be queued; couriers do it */
    struct lf_thread couriers[COURIERS_MAX];
    int courier_count;
    struct lf_mutex mutex; /* guards kicks and stopping */
    struct lf_cond kicked;
    uint64_t kicks;
    bool stopping;
};

/* What a step says should follow when it returns LF_OK. An error's class says it otherwise. */
enum follow { FOLLOW_NEXT, FOLLOW_GO, FOLLOW_WAIT, FOLLOW_END };

struct job_work {
    struct lf_jobs *jobs;
    struct lf_job *job;
    struct lf_instrument *instrument;    /* bench steps only */
    const struct lf_config_route *route; /* NULL for operators' jobs and results */
    struct lf_call call;                 /* for cloud calls of courier steps */
    struct lf_parcel_row parcel_row;     /* what an action borrows; freed after the step */
    struct lf_parcel parcel;
    char *parcel_path;
    struct lf_input inputs[INPUTS_MAX];

    enum follow follow;
    const char *go;           /* FOLLOW_GO: the step */
    enum lf_job_state end;    /* FOLLOW_END: how */
    int64_t wait_ms;          /* FOLLOW_WAIT */
    char *wake;               /* FOLLOW_WAIT: what would wake it earlier, a key; may be NULL. Owned */
    char note[LF_ERROR_TEXT]; /* what was done, for history and people; may be empty */
};

struct job_step {
    const char *name;
    bool bench;
    /* A step that sends something to the cloud but looks first whether it is there already: repeating it
     * after an unknown outcome is safe. */
    bool checks_first;
    /* Never fails the job on its own: a permanent error is held for a person, because a result must not be
     * lost. */
    bool hold_on_permanent;
    enum lf_status (*run)(struct job_work *work, struct lf_error *err);
    /* A physical action has these two in place of run: what to do, and what came of it. */
    enum lf_status (*action)(struct job_work *work, struct lf_action *action, struct lf_error *err);
    enum lf_status (*acted)(struct job_work *work, const struct lf_outcome *outcome, struct lf_error *err);
};

const struct job_step *job__step_find(const struct lf_job_kind *kind, const char *name);

/* The text of a field; held for a person when it is missing. */
enum lf_status job__need(const struct job_work *work, enum lf_job_field field, const char **value,
                         struct lf_error *err);
/* A text, number or truth, or an object that has one as its "value", as text: *text is owned. LF_NOT_FOUND:
 * it is nothing of the kind. */
enum lf_status job__json_text(const cJSON *value, char **text, struct lf_error *err);

/* What a step says before it returns: what was done ... */
void job__note(struct job_work *work, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* ... and what follows, with a note. These return LF_OK: the job ends; it waits; it goes to another step. */
enum lf_status job__end(struct job_work *work, enum lf_job_state end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum lf_status job__wait(struct job_work *work, int64_t ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum lf_status job__go(struct job_work *work, const char *step, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* runner.c: one step of a claimed job, and everything that follows from it. */
void job__run_step(struct lf_jobs *jobs, struct lf_job *job, struct lf_instrument *instrument);
/* The job ends badly, unless its kind has something to say first. */
void job__end_badly(const struct lf_job_kind *kind, struct lf_job *job, enum lf_job_state state,
                    enum lf_class class, const char *why);
/* To this step, ready. */
void job__enter_step(struct lf_job *job, const struct job_step *step);

/* report.c: it has ended, and Benchling has been told that its workflow task failed. */
bool job__cloud_was_told(const struct lf_job *job);
/* To be called inside a transaction, after lf_journal_job_save. */
enum lf_status job__report(struct lf_jobs *jobs, const struct lf_job *job, struct lf_error *err);
enum lf_status job__report_instrument(struct lf_jobs *jobs, struct lf_instrument *instrument,
                                      struct lf_error *err);

/* save.c: saves job, history line (may be NULL) and report at once; kicks whoever may run it next. */
enum lf_status job__save(struct lf_jobs *jobs, struct lf_job *job, const char *who, const char *history,
                         struct lf_error *err);
/* Only the job: nothing of it is told anywhere. */
enum lf_status job__save_unreported(struct lf_jobs *jobs, struct lf_job *job, struct lf_error *err);
/* Once the transaction is on disk: kicks whoever can run the job next, and the outbox. */
void job__changed(struct lf_jobs *jobs, const struct lf_job *job);
void job__set_step(struct lf_job *job, const struct job_step *step);
/* jobs.c: something was queued for the broker. */
void job__reported(struct lf_jobs *jobs);
bool job__set_text(char **field, const char *text); /* frees and copies; NULL clears */

/* procedure.c: the step that runs a procedure, and keeps the values that it captured. */
enum lf_status job__procedure_action(struct job_work *work, struct lf_action *action, struct lf_error *err);
enum lf_status job__procedure_ran(struct job_work *work, const struct lf_outcome *outcome,
                                  struct lf_error *err);

/* match.c: finds the run of a result: sets the fields run and config. LF_NOT_FOUND (needs a person) says why
 * not.
 */
enum lf_status job__match_result(struct job_work *work, const struct lf_config_collect *collect,
                                 struct lf_error *err);

/* values.c: makes a collect job of the captured values; the field run names its run. Repeatable. */
enum lf_status job__values_to_result(struct job_work *work, struct lf_error *err);

/* reread.c: true if an event was worked on. */
bool job__reread_one(struct lf_jobs *jobs, int64_t *next_mono);

#endif
