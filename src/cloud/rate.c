/* The window is an estimate that answers correct. Within a window `remaining` only decreases, since answers
 * may overtake each other. A window that ends well after the known one is a new one. When the known window
 * has ended, the full budget is assumed until the first answer says otherwise.
 */
#include "cloud/rate.h"

#include <inttypes.h>

enum {
    SAME_WINDOW_MS = 2000, /* the reset header counts whole seconds */
    RESERVE_MAX = 2,       /* left for other users of this budget, such as scripts */
};

void cloud__rate_open(struct lf_rate *rate)
{
    lf_mutex_init(&rate->lock);
    rate->limit = rate->remaining = -1;
    rate->window_end = 0;
}

void cloud__rate_close(struct lf_rate *rate)
{
    lf_mutex_destroy(&rate->lock);
}

static int64_t reserve_of(int64_t limit)
{
    return limit / 10 < RESERVE_MAX ? limit / 10 : RESERVE_MAX;
}

/* Called with the lock held. Takes one request, or sets *until to the time to wait for. */
static bool take_now(struct lf_rate *rate, int64_t *until)
{
    if (rate->limit < 0 || rate->remaining < 0)
        return true;
    if (rate->window_end <= lf_clock_mono_ms()) {
        rate->remaining = rate->limit;
        rate->window_end = 0;
    }
    /* While the next window is unknown the budget is only counted: it must not stop us forever. */
    if (rate->remaining > reserve_of(rate->limit) || rate->window_end == 0) {
        rate->remaining -= rate->remaining > 0;
        return true;
    }
    *until = rate->window_end;
    return false;
}

enum lf_status cloud__rate_take(struct lf_rate *rate, int64_t deadline, const struct lf_cancel *cancel,
                                struct lf_error *err)
{
    for (;;) {
        int64_t until = 0;
        lf_mutex_lock(&rate->lock);
        bool taken = take_now(rate, &until);
        lf_mutex_unlock(&rate->lock);
        if (taken)
            return LF_OK;
        if (until >= deadline) {
            int64_t left = lf_deadline_left(until);
            lf_fail(err, LF_BUSY, LF_TRANSIENT, "the rate limit is used up for another %" PRId64 " s",
                    (left + 999) / 1000);
            err->retry_after_ms = left;
            return LF_BUSY;
        }
        if (lf_sleep_until(until + (int64_t)lf_random_below(200), cancel) != LF_OK)
            return lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "stopped while waiting for the rate limit");
    }
}

void cloud__rate_learn(struct lf_rate *rate, int64_t limit, int64_t remaining, int64_t reset_s)
{
    if (limit <= 0 || remaining < 0 || reset_s < 0 || reset_s > CLOUD_WINDOW_MAX_S)
        return;
    int64_t end = lf_clock_mono_ms() + reset_s * 1000;
    lf_mutex_lock(&rate->lock);
    bool new_window = rate->remaining < 0 || rate->window_end == 0 || end > rate->window_end + SAME_WINDOW_MS;
    if (new_window) {
        rate->window_end = end;
        rate->remaining = remaining;
    } else if (remaining < rate->remaining) {
        rate->remaining = remaining;
        if (end < rate->window_end - SAME_WINDOW_MS) /* it ends earlier than announced */
            rate->window_end = end;
    }
    rate->limit = limit;
    lf_mutex_unlock(&rate->lock);
}

void cloud__rate_read(struct lf_rate *rate, int64_t *limit, int64_t *remaining, int64_t *reset_ms)
{
    lf_mutex_lock(&rate->lock);
    *limit = rate->limit;
    *remaining = rate->remaining;
    *reset_ms = rate->window_end ? lf_deadline_left(rate->window_end) : 0;
    lf_mutex_unlock(&rate->lock);
}
