/* The birth of a job: the only way to make one. Row, first line of history, audit entry and report are one
 * transaction (the caller's, if one is open).
 */
#ifndef LF_JOB_BIRTH_H
#define LF_JOB_BIRTH_H

#include "job/job.h"
#include "job/kinds.h"

enum { LF_BIRTH_TEXTS_MAX = 7 };

/* All pointers are borrowed for the call. */
struct lf_birth {
    const struct lf_job_kind *kind;
    const char *step;      /* where it begins; NULL: at the kind's first step */
    const char *key;       /* from event/key.h: the same work has the same key. NULL with ... */
    const char *happening; /* ... a key of what happened: with instrument, kind and detail it makes the key */
    const char *instrument; /* NULL: none */
    const char *who;        /* NULL: the agent */
    const char *history;    /* why the job exists */

    const struct lf_config_route *route; /* NULL: not made by a route */
    const char *event_id;                /* NULL: no event */
    const cJSON *resource;               /* of the event; the kind's fields are taken from it */
    const struct lf_job *older; /* it takes over from this job: route, event, instrument, expiry, fields */
    const cJSON *inputs;        /* of the procedure; copied; NULL: none */
    /* Further fields. A text of NULL is left out; a flag is set by any text. */
    struct {
        enum lf_job_field field;
        const char *text;
    } texts[LF_BIRTH_TEXTS_MAX];

    const char *held;     /* it waits for a person from the start: why. NULL: it does not */
    int64_t not_after_ms; /* how long after happened_ms it may start; 0: it never expires */
    int64_t happened_ms;  /* wall time by the cloud's clock; 0: now */
};

/* *id: the job, or with LF_EXISTS the one that already has the key. LF_INVALID (permanent): the resource is
 * not what the kind works on. Neither key nor happening: LF_NO_MEMORY. Wakes the thread that runs the first
 * step. */
enum lf_status lf_jobs_birth(struct lf_jobs *jobs, const struct lf_birth *birth, int64_t *id,
                             struct lf_error *err);

#endif
