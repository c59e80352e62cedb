/* Threads by pthread. */
#include "os/thread.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "os/linux/native.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct lf_mutex), "a mutex has room");
_Static_assert(sizeof(pthread_cond_t) <= sizeof(struct lf_cond), "a condition variable has room");
_Static_assert(sizeof(pthread_t) <= sizeof(struct lf_thread), "a thread has room");

static pthread_mutex_t *native_mutex(struct lf_mutex *mutex)
{
    return (pthread_mutex_t *)(void *)mutex->os;
}

static pthread_cond_t *native_cond(struct lf_cond *cond)
{
    return (pthread_cond_t *)(void *)cond->os;
}

static pthread_t *native_thread(struct lf_thread *thread)
{
    return (pthread_t *)(void *)thread->os;
}

static void init_mutex(struct lf_mutex *mutex, int type)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutex_init(native_mutex(mutex), &attributes);
    pthread_mutexattr_destroy(&attributes);
}

void lf_mutex_init(struct lf_mutex *mutex)
{
    init_mutex(mutex, PTHREAD_MUTEX_DEFAULT);
}

void lf_mutex_init_recursive(struct lf_mutex *mutex)
{
    init_mutex(mutex, PTHREAD_MUTEX_RECURSIVE);
}

void lf_mutex_destroy(struct lf_mutex *mutex)
{
    pthread_mutex_destroy(native_mutex(mutex));
}

void lf_mutex_lock(struct lf_mutex *mutex)
{
    pthread_mutex_lock(native_mutex(mutex));
}

void lf_mutex_unlock(struct lf_mutex *mutex)
{
    pthread_mutex_unlock(native_mutex(mutex));
}

void lf_cond_init(struct lf_cond *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(native_cond(cond), &attributes);
    pthread_condattr_destroy(&attributes);
}

void lf_cond_destroy(struct lf_cond *cond)
{
    pthread_cond_destroy(native_cond(cond));
}

void lf_cond_signal(struct lf_cond *cond)
{
    pthread_cond_signal(native_cond(cond));
}

void lf_cond_broadcast(struct lf_cond *cond)
{
    pthread_cond_broadcast(native_cond(cond));
}

bool lf_cond_wait(struct lf_cond *cond, struct lf_mutex *mutex, int64_t deadline)
{
    if (deadline == LF_NEVER) {
        pthread_cond_wait(native_cond(cond), native_mutex(mutex));
        return true;
    }
    int64_t left = LF_WAIT_SLICE(lf_deadline_left(deadline));
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
    return pthread_cond_timedwait(native_cond(cond), native_mutex(mutex), &until) != ETIMEDOUT
           || !lf_deadline_passed(deadline);
}

/* ---- pulse ---- */

static _Thread_local struct lf_pulse *bound;

void lf_pulse_bind(struct lf_pulse *pulse)
{
    bound = pulse;
}

int64_t lf_pulse_stuck_ms(const struct lf_pulse *pulse)
{
    int64_t began = pulse->began;
    return began ? lf_clock_mono_ms() - began : 0;
}

void lf_pulse_rest(struct lf_pulse *pulse)
{
    pulse->began = 0;
}

void os__pulse_begin(void)
{
    if (bound)
        bound->began = lf_clock_mono_ms();
}

void os__pulse_rest(void)
{
    if (bound)
        bound->began = 0;
}

/* ---- threads ---- */

enum lf_status lf_thread_start(struct lf_thread *thread, const char *name, void *(*run)(void *), void *arg,
                               struct lf_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(native_thread(thread), NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        errno = failed;
        return lf_fail_errno(err, "cannot start the thread '%s'", name);
    }
    pthread_setname_np(*native_thread(thread), name);
    return LF_OK;
}

void lf_thread_join(struct lf_thread *thread)
{
    pthread_join(*native_thread(thread), NULL);
}

void lf_thread_detach(struct lf_thread *thread)
{
    pthread_detach(*native_thread(thread));
}
