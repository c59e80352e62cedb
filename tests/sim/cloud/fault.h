/* Faults on demand: which requests are hit, and how. */
#ifndef LF_SIM_FAULT_H
#define LF_SIM_FAULT_H

#include "reply.h"

enum sim_fault_kind {
    SIM_FAULT_NONE,
    SIM_FAULT_STATUS,        /* an error status in the vendor's shape */
    SIM_FAULT_HTML,          /* an HTML page, as a gateway or a wrong host sends it */
    SIM_FAULT_RESET_BEFORE,  /* TCP reset, nothing done */
    SIM_FAULT_RESET_REQUEST, /* TCP reset after `bytes` of the request's body, nothing done */
    SIM_FAULT_RESET_MID,     /* done, then reset in the middle of the answer's body */
    SIM_FAULT_RESET_AFTER,   /* done, then reset without an answer */
    SIM_FAULT_LATENCY,       /* waits `ms`, then as usual */
    SIM_FAULT_SLOW,          /* the answer's body at `bytesPerSecond` */
    SIM_FAULT_TRUNCATED,     /* the connection ends before Content-Length is reached */
    SIM_FAULT_ENDLESS,       /* the body never ends */
    SIM_FAULT_WRONG_DIGEST,  /* one byte of the body is another one */
    SIM_FAULT_WRONG_LENGTH,  /* the body lacks its last byte; Content-Length agrees with it */
    SIM_FAULT_NOT_JSON,      /* text that is no JSON, called JSON */
    SIM_FAULT_WRONG_SCHEMA,  /* JSON of another shape */
};

/* What hits one request; a copy of the rule, without its counters. */
struct sim_hit {
    enum sim_fault_kind kind;
    bool act;     /* the operation takes effect before the answer is spoilt */
    bool headers; /* show the rate-limit headers (status 429: as exhausted) */
    unsigned status;
    int64_t bytes, bytes_per_second, ms, retry_after, reset;
    int64_t rule; /* the rule's number, for the list of requests */
};

struct sim_faults *sim_faults_new(void);
void sim_faults_free(struct sim_faults *faults);

/* The first rule that hits this request now; counts it. kind SIM_FAULT_NONE when none does. With the lock
 * held. */
struct sim_hit sim_faults_pick(struct sim *sim, const char *method, const char *path);

/* Waits ms, but not past sim_faults_hurry (called when rules are cleared or the program ends). Without the
 * lock. */
void sim_faults_wait(struct sim *sim, int64_t ms);
void sim_faults_hurry(struct sim *sim);

const char *sim_fault_name(enum sim_fault_kind kind);
/* The answer a fault puts in place of the true one; false for kinds that leave it alone. */
bool sim_fault_replaces(const struct sim_hit *hit, struct sim_reply *reply);

#endif
