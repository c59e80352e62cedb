/* Waking and cancelling threads that wait in poll(). */
#ifndef LF_OS_WAIT_H
#define LF_OS_WAIT_H

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lf_cancel;

/* A wake-up that one thread waits for and any thread gives. Wakes add up to one. */
struct lf_wake {
    int fd; /* readable while a wake is pending */
};

enum lf_status lf_wake_open(struct lf_wake *wake, struct lf_error *err);
void lf_wake_close(struct lf_wake *wake);
void lf_wake_up(struct lf_wake *wake);    /* any thread, and signal handlers */
void lf_wake_clear(struct lf_wake *wake); /* forget pending wakes */

/* Waits for a wake, which stays pending. LF_OK, LF_TIMEOUT, LF_CANCELLED or LF_IO. */
enum lf_status lf_wake_wait(const struct lf_wake *wake, int64_t deadline, const struct lf_cancel *cancel);

/* Once set stays set: "stop what you wait for". */
struct lf_cancel {
    struct lf_wake wake;
    atomic_bool set;
};

enum lf_status lf_cancel_open(struct lf_cancel *cancel, struct lf_error *err);
void lf_cancel_close(struct lf_cancel *cancel);
void lf_cancel_set(struct lf_cancel *cancel); /* any thread, and signal handlers */
void lf_cancel_reset(struct lf_cancel *cancel);
bool lf_cancel_is_set(const struct lf_cancel *cancel);

/* Waits until fd has one of `events` (POLLIN, POLLOUT; POLLERR and POLLHUP always count), or the deadline, or
 * cancel (may be NULL). fd -1 waits for the deadline and cancel only. LF_OK with *revents set, LF_TIMEOUT,
 * LF_CANCELLED or LF_IO. Does not fill an error: the caller knows what it waited for. */
enum lf_status lf_wait_fd(int fd, short events, int64_t deadline, const struct lf_cancel *cancel,
                          short *revents);

/* Sleeps till the deadline; LF_CANCELLED if cancelled first. */
enum lf_status lf_sleep_until(int64_t deadline, const struct lf_cancel *cancel);

#endif
