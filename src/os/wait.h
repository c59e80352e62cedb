/* Waiting with a deadline and a cancel, and waking or cancelling a thread that waits. */
#ifndef LF_OS_WAIT_H
#define LF_OS_WAIT_H

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Something to wait for: an event, a socket, a watch. A borrowed reference, copied freely and valid while
 * what it refers to is open. Zeroed: nothing, which never becomes ready. */
struct lf_waitable {
    intptr_t os; /* belongs to the system's side */
};

/* A socket that belongs to a library; -1: nothing. */
struct lf_waitable lf_waitable_socket(intptr_t native);

enum {
    LF_READABLE = 1, /* a read or accept would not block; an event is pending */
    LF_WRITABLE = 2,
    LF_HUNG_UP = 4, /* the other end has gone, or an error is pending; reported without being asked for */
};

struct lf_wait_item {
    struct lf_waitable what;
    unsigned events; /* LF_READABLE, LF_WRITABLE, or 0 to wait for the hang-up only */
    unsigned ready;  /* filled */
};

enum { LF_WAIT_MAX = 8 };

/* A wake-up that one thread waits for and any thread can give. Several pending wakes are one. Zeroed: closed.
 */
struct lf_wake {
    struct lf_waitable event; /* readable while a wake is pending */
};

/* Once set stays set: "stop waiting". Zeroed: closed and not set. */
struct lf_cancel {
    struct lf_wake wake;
    atomic_bool set;
    /* More to ask between pieces of work: has the caller gone? It does not end a wait. NULL: nothing. */
    bool (*asked)(void *context);
    void *context;
};

/* Waits until one of `count` (at most LF_WAIT_MAX) things is ready, the deadline, or cancel (may be NULL).
 * LF_OK with every `ready` filled, LF_TIMEOUT, LF_CANCELLED or LF_IO; `ready` is 0 everywhere unless LF_OK.
 * A cancel wins over what is ready. Does not fill an error: the caller knows what it waited for. */
enum lf_status lf_wait_any(struct lf_wait_item *list, size_t count, int64_t deadline,
                           const struct lf_cancel *cancel);
/* The same for one thing. *ready (may be NULL) is filled. */
enum lf_status lf_wait(struct lf_waitable what, unsigned events, int64_t deadline,
                       const struct lf_cancel *cancel, unsigned *ready);
/* Sleeps till the deadline; LF_CANCELLED if cancelled first. */
enum lf_status lf_sleep_until(int64_t deadline, const struct lf_cancel *cancel);

enum lf_status lf_wake_open(struct lf_wake *wake, struct lf_error *err);
void lf_wake_close(struct lf_wake *wake); /* closed already is fine */
void lf_wake_up(struct lf_wake *wake);    /* any thread, and signal handlers */
void lf_wake_clear(struct lf_wake *wake); /* forgets a pending wake */
/* Waits for a wake, which stays pending. LF_OK, LF_TIMEOUT, LF_CANCELLED or LF_IO. */
enum lf_status lf_wake_wait(const struct lf_wake *wake, int64_t deadline, const struct lf_cancel *cancel);

enum lf_status lf_cancel_open(struct lf_cancel *cancel, struct lf_error *err);
void lf_cancel_close(struct lf_cancel *cancel); /* closed already is fine */
void lf_cancel_set(struct lf_cancel *cancel);   /* any thread, and signal handlers */
void lf_cancel_reset(struct lf_cancel *cancel);
bool lf_cancel_is_set(const struct lf_cancel *cancel); /* NULL: false */

#endif
