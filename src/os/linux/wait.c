#include "os/wait.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum lf_status lf_wake_open(struct lf_wake *wake, struct lf_error *err)
{
    wake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return wake->fd < 0 ? lf_fail_errno(err, "cannot create an event descriptor") : LF_OK;
}

void lf_wake_close(struct lf_wake *wake)
{
    if (wake->fd >= 0)
        close(wake->fd);
    wake->fd = -1;
}

void lf_wake_up(struct lf_wake *wake)
{
    uint64_t one = 1;
    ssize_t ignored = write(wake->fd, &one, sizeof one); /* fails only when already pending to the brim */
    (void)ignored;
}

void lf_wake_clear(struct lf_wake *wake)
{
    uint64_t count;
    ssize_t ignored = read(wake->fd, &count, sizeof count);
    (void)ignored;
}

enum lf_status lf_cancel_open(struct lf_cancel *cancel, struct lf_error *err)
{
    cancel->set = false;
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
    return cancel && cancel->set;
}

enum lf_status lf_wait_fd(int fd, short events, int64_t deadline, const struct lf_cancel *cancel,
                          short *revents)
{
    struct pollfd fds[2] = {{.fd = fd, .events = events},
                            {.fd = cancel ? cancel->wake.fd : -1, .events = POLLIN}};
    if (revents)
        *revents = 0;
    for (;;) {
        if (lf_cancel_is_set(cancel))
            return LF_CANCELLED;
        int ready = poll(fds, 2, lf_deadline_poll_ms(deadline));
        if (ready < 0 && errno != EINTR)
            return LF_IO;
        if (ready > 0 && fds[0].revents) {
            if (revents)
                *revents = fds[0].revents;
            return LF_OK;
        }
        if (ready == 0 && lf_deadline_passed(deadline))
            return LF_TIMEOUT;
        /* A cancel that came in the middle of a reset leaves a wake without its flag: not to be waited on for
         * ever. */
        if (ready > 0 && fds[1].revents && !lf_cancel_is_set(cancel))
            lf_wake_clear(&(struct lf_wake){fds[1].fd});
    }
}

enum lf_status lf_sleep_until(int64_t deadline, const struct lf_cancel *cancel)
{
    enum lf_status status = lf_wait_fd(-1, 0, deadline, cancel, NULL);
    return status == LF_TIMEOUT ? LF_OK : status;
}

enum lf_status lf_wake_wait(const struct lf_wake *wake, int64_t deadline, const struct lf_cancel *cancel)
{
    return lf_wait_fd(wake->fd, POLLIN, deadline, cancel, NULL);
}
