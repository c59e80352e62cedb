/* Inside jobs: what a step is and what it can do. Not for other folders.
 *
 * A step gets the job as struct job_work, does one piece of work and returns. It never sleeps and never
 * retries: it returns an error, whose class decides what follows, or LF_OK after at most one of job__end,
 * job__wait and job__go; with none of these the next step follows. What it learns goes into fields of the
 * job, which are saved, with its note, after it returns. A step can be interrupted at any point and run
 * again; only an action whose class is `once` is never repeated (see runner.c).
 */
#ifndef LF_JOB_STEPS_H
#define LF_JOB_STEPS_H

#include "cloud/cloud.h"
#include "config/config.h"
#include "job/birth.h"
#include "os/thread.h"

#include <stdatomic.h>

enum { COURIERS_MAX = 32, INSTRUMENTS_MAX = 256, INPUTS_MAX = 64, NEEDS_MAX = 3 };

/* What the jobs of one instrument share; lost at a restart. */
struct job_bench {
    struct {           /* how often jobs failed alike, one after the other; guarded by breaker_mutex */
        char kind[64]; /* step, status and class of the failure */
        int64_t job;   /* the last that failed */
        int count;
    } breaker;
    struct {         /* looks for the sign of a sample; of the bench thread */
        int64_t job; /* the last that was looked for */
        int times;
    } asked;
    _Atomic int64_t runs;    /* counts procedures that have run, from a random number on */
    _Atomic int64_t started; /* the job whose sign a person has given while it looked for one */
};

struct lf_jobs {
    struct lf_jobs_options options;
    const struct lf_config *config;
    struct lf_journal *journal;
    struct lf_cloud *cloud;
    struct lf_cancel cancel; /* set when the agent stops: couriers stop waiting */
    struct lf_instrument *instruments[INSTRUMENTS_MAX];
    atomic_bool first[INSTRUMENTS_MAX]; /* the instrument had never been connected when the agent started */
    size_t instrument_count;
    struct lf_mutex breaker_mutex;
    struct job_bench benches[INSTRUMENTS_MAX]; /* of the instrument with the same index */
    atomic_bool unreported; /* a report about an instrument could not be queued; a courier queues it */
    struct lf_worker couriers[COURIERS_MAX];
    int courier_count;
    struct lf_mutex bulk_mutex; /* guards the rest */
    struct lf_cond bulk_free;
    int bulk;             /* bulk steps that run */
    int64_t bulk_changed; /* mono ms */
};

/* What follows a step that returns LF_OK. After an error, its class decides. */
enum follow { FOLLOW_NEXT, FOLLOW_GO, FOLLOW_WAIT, FOLLOW_END };

struct job_work {
    struct lf_jobs *jobs;
    struct lf_job *job;
    struct lf_instrument *instrument;    /* bench steps only */
    const struct lf_config_route *route; /* NULL for operators' jobs and results, or no longer configured */
    struct lf_call call;                 /* for cloud calls of courier steps */
    struct lf_parcel_row parcel_row;     /* see job__spool_name; freed after the step */
    struct lf_parcel parcel;
    char *parcel_path;
    struct lf_input inputs[INPUTS_MAX];

    enum follow follow;
    const char *go;           /* FOLLOW_GO: the step */
    enum lf_job_state end;    /* FOLLOW_END: how */
    int64_t wait_ms;          /* FOLLOW_WAIT */
    char *wake;               /* FOLLOW_WAIT: key of what wakes it earlier; may be NULL. Owned */
    char note[LF_ERROR_TEXT]; /* what was done, for history and people; may be empty */
};

struct job_step {
    const char *name;
    bool bench;
    bool bulk; /* it moves a file, which may take hours: one courier stays free of such steps */
    /* Before it makes a change it checks whether the cloud already has it, so it can be repeated after an
     * unknown outcome. */
    bool checks_first;
    /* A permanent error holds the job instead of failing it, because a result must not be lost. */
    bool hold_on_permanent;
    enum lf_turn turn; /* what the job is to its instrument while it is at this step */
    bool looks;        /* it asks the cloud whether the job is still wanted; the step that acts follows */
    /* What the step needs: the job's route, and texts that earlier steps have found. If one is missing the
     * job is held and the step does not run. */
    bool needs_route;
    enum lf_job_field needs[NEEDS_MAX];
    enum lf_status (*run)(struct job_work *work, struct lf_error *err);
    /* A physical action has these two instead of run: what to do, and what to do with its outcome. */
    enum lf_status (*action)(struct job_work *work, struct lf_action *action, struct lf_error *err);
    enum lf_status (*acted)(struct job_work *work, const struct lf_outcome *outcome, struct lf_error *err);
};

const struct job_step *job__step_find(const struct lf_job_kind *kind, const char *name);

/* If the job has no such text, the error needs a person. */
enum lf_status job__need(const struct job_work *work, enum lf_job_field field, struct lf_error *err);
/* birth.c: sets the fields that the kind takes from a resource; one that the resource lacks is cleared. */
enum lf_status job__take(struct lf_job *job, const struct lf_job_kind *kind, const cJSON *resource,
                         struct lf_error *err);
/* rematch.c: does the job's route match its event with the resource as it was read? If not, the job ends
 * (work->follow says so), and its events are read again: a genuine one makes its own job. */
enum lf_status job__rematch(struct job_work *work, const cJSON *resource, struct lf_error *err);
/* A string, number or boolean as text. Of an object (a field in Benchling): its "value" if that is a string,
 * else its "textValue", else its "value". *text is owned. LF_NOT_FOUND: it is none of these. */
enum lf_status job__json_text(const cJSON *value, char **text, struct lf_error *err);
/* *number: the text is a JSON number. Fails only when out of memory. */
enum lf_status job__is_number(const char *text, bool *number, struct lf_error *err);

/* What the step did. */
void job__note(struct job_work *work, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What follows, if not the next step: the job ends, waits, or goes to another step. Each sets the note and
 * returns LF_OK. */
enum lf_status job__end(struct job_work *work, enum lf_job_state end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum lf_status job__wait(struct job_work *work, int64_t ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum lf_status job__go(struct job_work *work, const char *step, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* runner.c: runs one step of a claimed job, and saves everything that follows from it. */
void job__run_step(struct lf_jobs *jobs, struct lf_job *job, struct lf_instrument *instrument);
/* Ends the job as failed, cancelled or expired, unless its kind has a step to run first. */
void job__end_badly(const struct lf_job_kind *kind, struct lf_job *job, enum lf_job_state state,
                    enum lf_class class, const char *why);
/* Sets the state with its class and note (NULL or "": none); the job no longer waits for anything. */
void job__set_state(struct lf_job *job, enum lf_job_state state, enum lf_class class, const char *note);
/* Makes the job ready for this step. */
void job__enter_step(struct lf_job *job, const struct job_step *step);

/* jobs.c: is a courier left for short calls? Then the step may run, and job__bulk_end follows. False: the
 * job waits for another transfer to end. */
bool job__bulk_begin(struct lf_jobs *jobs);
void job__bulk_end(struct lf_jobs *jobs);

/* report.c: the job has ended, and its workflow task was set to failed. */
bool job__cloud_knows_failure(const struct lf_job *job);
/* It waits for a person to put its sample on the instrument. */
bool job__awaits_sign(const struct lf_job *job);
/* Held as a result that is not attached yet, by itself or by a job with the same content: a person can assign
 * it to a run. */
bool job__can_assign(const struct lf_job *job);
/* Held at an action of its instrument: a person can say that it happened. */
bool job__can_confirm(const struct lf_job *job);
/* Call these inside a transaction, after lf_journal_job_save. */
enum lf_status job__report(struct lf_jobs *jobs, const struct lf_job *job, struct lf_error *err);
/* A job that has failed or expired is a concern until a person has seen it or it goes on. */
enum lf_status job__report_end(struct lf_jobs *jobs, const struct lf_job *job, struct lf_error *err);
enum lf_status job__report_instrument(struct lf_jobs *jobs, struct lf_instrument *instrument,
                                      struct lf_error *err);

/* save.c: saves the job with a history line (NULL: none) and queues its report, in one transaction. Sets
 * updated_ms. A job that is done or cancelled loses its parcel. */
enum lf_status job__save(struct lf_jobs *jobs, struct lf_job *job, const char *who, const char *history,
                         struct lf_error *err);
/* Saves only the row, without history and report. */
enum lf_status job__save_unreported(struct lf_jobs *jobs, struct lf_job *job, struct lf_error *err);
/* Once the transaction is on disk, wakes the thread that can run the job next, the instrument on which it had
 * a turn, and the outbox. */
void job__changed(struct lf_jobs *jobs, const struct lf_job *job, enum lf_turn had);
void job__set_step(struct lf_job *job, const struct job_step *step);
bool job__set_text(char **field, const char *text); /* frees and copies; NULL clears */
/* jobs.c: something was queued for the broker. */
void job__reported(struct lf_jobs *jobs);

/* turn.c: sets the job's turn and in_order from its kind, step and state. */
void job__place(struct lf_job *job);
/* The step "turn". */
enum lf_status job__take_turn(struct job_work *work, struct lf_error *err);
/* The job may act on its instrument only after a look at the cloud. */
bool job__must_look(const struct lf_job *job);
/* On the bench, right before the job acts: false if the cloud was not asked just now; the job then goes back
 * for its turn. */
bool job__looked(struct job_work *work);
/* Says what waits because of this error of a step that looks. Returns status. */
enum lf_status job__cannot_look(enum lf_status status, struct lf_error *err);
/* A person wants it to act, once, without a look: it asks for its turn. LF_REFUSED: it has not come that
 * far. */
enum lf_status job__unchecked(struct lf_job *job, struct lf_error *err);
/* results.c: an instrument was added; its state has changed (any thread). */
enum lf_status job__results_added(struct lf_jobs *jobs, size_t index, struct lf_error *err);
void job__results_changed(struct lf_jobs *jobs, struct lf_instrument *instrument);

/* waits.c: what a job that does not move waits for; "" if it moves or has ended. */
void job__waits_for(struct lf_jobs *jobs, const struct lf_job *job, char *text, size_t size);

/* breaker.c: notes how a step ended; may pause the instrument. Before the job is saved. */
void job__breaker(const struct job_work *work, const struct job_step *step, enum lf_status status,
                  const struct lf_error *err);

/* superseded.c: cancels jobs that would bring an older file of the same generator to the instrument. */
enum lf_status job__withdraw_older(struct job_work *work, struct lf_error *err);
/* Tells people if the instrument got an older file of the same generator before. */
enum lf_status job__name_superseded(struct job_work *work, struct lf_error *err);

/* jobs.c: NULL: there is no such instrument. */
struct job_bench *job__bench(struct lf_jobs *jobs, const char *instrument);

/* sign.c: waits until a person has changed the sample of a task. LF_OK, with what follows: it is there, or
 * the job waits for it. */
enum lf_status job__await_sign(struct job_work *work, struct lf_error *err);
/* False: something else has run on the instrument since the sample was put there. */
bool job__sample_is_there(const struct job_work *work);
/* A task is about to act: from now on a sample may lie on the instrument, whatever becomes of the job. */
enum lf_status job__note_sample(struct job_work *work, struct lf_error *err);
/* A procedure has run, or may have: the next task needs another sample. */
void job__has_run(struct job_work *work);

/* procedure.c: the step that runs a procedure and keeps the captured values. */
enum lf_status job__procedure_action(struct job_work *work, struct lf_action *action, struct lf_error *err);
enum lf_status job__procedure_ran(struct job_work *work, const struct lf_outcome *outcome,
                                  struct lf_error *err);

/* match.c: finds the run of a result, and sets the fields run and config. LF_NOT_FOUND (needs a person): no
 * rule finds it. */
enum lf_status job__match_result(struct job_work *work, const struct lf_config_collect *collect,
                                 struct lf_error *err);

/* later.c: LF_EXISTS (needs a person): Benchling has processed an earlier version of the result. Ends the
 * held jobs of versions in between that it begins with. */
enum lf_status job__no_earlier_version(struct job_work *work, struct lf_error *err);

/* content.c: appends the text of a result's beginning as UTF-8; what is neither UTF-16 nor UTF-8 is read as
 * Latin-1. */
enum lf_status job__content_text(const char *start, size_t len, struct lf_buffer *text, struct lf_error *err);

/* last_job.c: sets the field run by the rule last-job. LF_NOT_FOUND, with the reason in err: a person must
 * choose, from the field candidates if there are any. */
enum lf_status job__match_last_job(struct job_work *work, struct lf_error *err);

/* values.c: makes a collect job for the captured values and the run in the field run. Can be repeated. */
enum lf_status job__values_to_result(struct job_work *work, struct lf_error *err);

#endif
