#include "base/os_wake.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
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

void lf_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool lf_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline)
{
    if (deadline == LF_NEVER) {
        pthread_cond_wait(cond, mutex);
        return true;
    }
    int64_t left = lf_deadline_left(deadline);
    if (left == 0)
        return false;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(left / 1000);
    until.tv_nsec += (long)(left % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return pthread_cond_timedwait(cond, mutex, &until) != ETIMEDOUT;
}

enum lf_status lf_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg,
                               struct lf_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        errno = failed;
        return lf_fail_errno(err, "cannot start the thread '%s'", name);
    }
    pthread_setname_np(*thread, name);
    return LF_OK;
}
