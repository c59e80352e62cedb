/* Waiting by poll(), waking by eventfd. */
#include "os/wait.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "os/linux/native.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct lf_waitable lf_waitable_socket(intptr_t native)
{
    return os__waitable((int)native);
}

int os__poll_ms(int64_t deadline)
{
    int64_t left = LF_WAIT_SLICE(lf_deadline_left(deadline));
    if (deadline == LF_NEVER)
        return -1;
    return left > INT_MAX ? INT_MAX : (int)left;
}

/* ---- waking and cancelling ---- */

enum lf_status lf_wake_open(struct lf_wake *wake, struct lf_error *err)
{
    wake->event = os__waitable(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return wake->event.os ? LF_OK : lf_fail_errno(err, "cannot create an event descriptor");
}

void lf_wake_close(struct lf_wake *wake)
{
    if (wake->event.os)
        close(os__fd(wake->event));
    wake->event = (struct lf_waitable){0};
}

void lf_wake_up(struct lf_wake *wake)
{
    uint64_t one = 1;
    ssize_t ignored = write(os__fd(wake->event), &one, sizeof one); /* fails only when it is full of wakes */
    (void)ignored;
}

void lf_wake_clear(struct lf_wake *wake)
{
    uint64_t count;
    ssize_t ignored = read(os__fd(wake->event), &count, sizeof count);
    (void)ignored;
}

enum lf_status lf_wake_wait(const struct lf_wake *wake, int64_t deadline, const struct lf_cancel *cancel)
{
    return lf_wait(wake->event, LF_READABLE, deadline, cancel, NULL);
}

enum lf_status lf_cancel_open(struct lf_cancel *cancel, struct lf_error *err)
{
    cancel->set = false;
    cancel->asked = NULL;
    cancel->context = NULL;
    return lf_wake_open(&cancel->wake, err);
}

void lf_cancel_close(struct lf_cancel *cancel)
{
    lf_wake_close(&cancel->wake);
}

void lf_cancel_set(struct lf_cancel *cancel)
{
    cancel->set = true;
    lf_wake_up(&cancel->wake);
}

void lf_cancel_reset(struct lf_cancel *cancel)
{
    cancel->set = false;
    lf_wake_clear(&cancel->wake);
}

bool lf_cancel_is_set(const struct lf_cancel *cancel)
{
    return cancel && (cancel->set || (cancel->asked && cancel->asked(cancel->context)));
}

/* ---- waiting ---- */

static unsigned ready_of(short revents)
{
    return (revents & POLLIN ? LF_READABLE : 0u) | (revents & POLLOUT ? LF_WRITABLE : 0u)
           | (revents & (POLLHUP | POLLERR | POLLNVAL) ? LF_HUNG_UP : 0u);
}

/* True when something of the list is ready. */
static bool fill_ready(struct lf_wait_item *list, size_t count, const struct pollfd *fds)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        list[i].ready = ready_of(fds[i].revents);
        any = any || list[i].ready;
    }
    return any;
}

enum lf_status lf_wait_any(struct lf_wait_item *list, size_t count, int64_t deadline,
                           const struct lf_cancel *cancel)
{
    struct pollfd fds[LF_WAIT_MAX + 1] = {{.fd = cancel ? os__fd(cancel->wake.event) : -1, .events = POLLIN}};
    if (count > LF_WAIT_MAX)
        return LF_IO;
    for (size_t i = 0; i < count; i++) {
        list[i].ready = 0;
        fds[i + 1].fd = os__fd(list[i].what);
        fds[i + 1].events = (short)((list[i].events & LF_READABLE ? POLLIN : 0)
                                    | (list[i].events & LF_WRITABLE ? POLLOUT : 0));
    }
    os__pulse_rest();
    for (;;) {
        if (lf_cancel_is_set(cancel))
            return LF_CANCELLED;
        int ms = os__poll_ms(deadline), ready = poll(fds, (nfds_t)count + 1, ms);
        if (ready < 0 && errno != EINTR)
            return LF_IO;
        if (ready > 0 && fill_ready(list, count, fds + 1))
            return LF_OK;
        if (ready == 0 && ms == 0) /* a last look: what is ready wins over the deadline */
            return LF_TIMEOUT;
        /* A cancel that is set while it is being reset can leave its wake behind without the flag. Cleared,
         * or this would spin. */
        if (ready > 0 && fds[0].revents && !lf_cancel_is_set(cancel))
            lf_wake_clear(&(struct lf_wake){cancel->wake.event});
    }
}

enum lf_status lf_wait(struct lf_waitable what, unsigned events, int64_t deadline,
                       const struct lf_cancel *cancel, unsigned *ready)
{
    struct lf_wait_item one = {.what = what, .events = events};
    enum lf_status status = lf_wait_any(&one, 1, deadline, cancel);
    if (ready)
        *ready = one.ready;
    return status;
}

enum lf_status lf_sleep_until(int64_t deadline, const struct lf_cancel *cancel)
{
    enum lf_status status = lf_wait_any(NULL, 0, deadline, cancel);
    return status == LF_TIMEOUT ? LF_OK : status;
}
