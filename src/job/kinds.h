/* The kinds of job: one row per kind, all listed in kind_list.c. Configuration (through its hooks), intake,
 * runner and control ask these rows; nothing else in the agent lists kinds. To add one, write its steps and
 * its row in a file of this room, and name the row in kind_list.c.
 */
#ifndef LF_JOB_KINDS_H
#define LF_JOB_KINDS_H

#include "config/config.h"
#include "journal/job_fields.h"
#include "journal/journal.h"

struct job_step;

/* A field of the job that is copied from the resource of its event, if the resource has it. */
struct lf_job_taken {
    enum lf_job_field field;
    const char *path; /* in the resource: "file.id" */
};

enum { LF_JOB_TAKES_MAX = 8 };

struct lf_job_kind {
    struct lf_config_kind config;                /* name, events, ability, settings */
    struct lf_job_taken takes[LF_JOB_TAKES_MAX]; /* ends with path NULL */
    enum lf_job_field detail;                    /* tells jobs of one happening on one instrument apart */
    bool in_order;     /* its jobs act in the order in which they arrived, after each other */
    bool event_inputs; /* the route's inputs are paths in the event's resource */
    /* Ends with name NULL. A job of an event begins at the first. */
    const struct job_step *steps;
    /* The job is about to end as failed, cancelled or expired. May set *step to a step that must run first (a
     * workflow task is set to failed). LF_NO_MEMORY: that step could not be prepared. NULL: there is never
     * such a step. */
    enum lf_status (*on_bad_end)(struct lf_job *job, enum lf_job_state end, const char *why,
                                 const char **step, struct lf_error *err);
    const char *assign_step; /* a result held here can be assigned to a run; NULL: never */
};

/* NULL-terminated. */
extern const struct lf_job_kind *const lf_job_kinds[];

/* Those that other files of the room name. */
extern const struct lf_job_kind job__kind_deliver, job__kind_collect, job__kind_procedure;

/* NULL: this version does not know the kind. */
const struct lf_job_kind *lf_job_kind_find(const char *name);
/* What the configuration needs of each kind, for its kind_at hook. NULL past the last. */
const struct lf_config_kind *lf_job_kind_at(size_t index);

#endif
