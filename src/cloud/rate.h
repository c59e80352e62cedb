/* The rate limit: the current window according to the last answers, shared by all threads. Waits before the
 * limit is reached. Source: x-rate-limit-limit, -remaining and -reset (seconds left in the window) on every
 * answer.
 */
#ifndef LF_CLOUD_RATE_H
#define LF_CLOUD_RATE_H

#include "base/clock.h"
#include "os/thread.h"
#include "os/wait.h"

/* A window is a minute at Benchling. What claims to last longer than this is a broken header. */
enum { CLOUD_WINDOW_MAX_S = 3600 };

struct lf_rate {
    struct lf_mutex lock;
    int64_t limit, remaining; /* -1: not known yet. remaining counts down with what we send, too */
    int64_t window_end;       /* monotonic; 0: not known */
};

void cloud__rate_open(struct lf_rate *rate);
void cloud__rate_close(struct lf_rate *rate);

/* Takes one request from the window; waits for the next window when only the reserve is left. LF_BUSY
 * (transient, with retry_after_ms) if that begins after the deadline; LF_CANCELLED. */
enum lf_status cloud__rate_take(struct lf_rate *rate, int64_t deadline, const struct lf_cancel *cancel,
                                struct lf_error *err);

/* The headers of an answer; -1: missing. */
void cloud__rate_learn(struct lf_rate *rate, int64_t limit, int64_t remaining, int64_t reset_s);

/* For the operator. */
void cloud__rate_read(struct lf_rate *rate, int64_t *limit, int64_t *remaining, int64_t *reset_ms);

#endif
