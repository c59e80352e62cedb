#include "os/thread.h"

#include "base/clock.h"
#include "os/wait.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HOUR_MS = 3600 * 1000 };

static void *pass_an_hour(void *unused)
{
    UNIT_TIME_PASSES(HOUR_MS);
    return unused;
}

// A deadline that passes while the caller waits for it.
static int64_t in_an_hour(struct lf_thread *thread)
{
    UNIT_TIME_PASSES(0);
    int64_t deadline = lf_deadline_in(HOUR_MS);
    NEED(lf_thread_start(thread, "time", pass_an_hour, NULL, UNIT_ERROR) == LF_OK);
    return deadline;
}

static bool pending(const struct lf_wake *wake)
{
    return lf_wake_wait(wake, 0, NULL) == LF_OK;
}

static void wakes_add_up_to_one(void)
{
    struct lf_wake wake;
    NEED(lf_wake_open(&wake, UNIT_ERROR) == LF_OK);
    CHECK(!pending(&wake));
    lf_wake_up(&wake);
    lf_wake_up(&wake);
    CHECK(pending(&wake));
    lf_wake_clear(&wake);
    CHECK(!pending(&wake));
    lf_wake_clear(&wake);
    lf_wake_close(&wake);
    CHECK(!wake.event.os);
    lf_wake_close(&wake);
}

static void waits_for_one(void)
{
    int pipes[2];
    unsigned ready = 9;
    struct lf_thread thread;
    NEED(pipe(pipes) == 0);
    struct lf_waitable in = lf_waitable_socket(pipes[0]), out = lf_waitable_socket(pipes[1]);
    CHECK_INT(lf_wait(in, LF_READABLE, in_an_hour(&thread), NULL, &ready), LF_TIMEOUT);
    lf_thread_join(&thread);
    CHECK_INT(ready, 0);
    NEED(write(pipes[1], "x", 1) == 1);
    CHECK_INT(lf_wait(in, LF_READABLE, LF_NEVER, NULL, &ready), LF_OK);
    CHECK_INT(ready, LF_READABLE);
    CHECK_INT(lf_wait(out, LF_WRITABLE, 0, NULL, NULL), LF_OK);
    close(pipes[1]);
    NEED(read(pipes[0], &(char){0}, 1) == 1);
    CHECK_INT(lf_wait(in, 0, LF_NEVER, NULL, &ready), LF_OK);
    CHECK_INT(ready, LF_HUNG_UP);
    close(pipes[0]);
}

static void waits_for_several(void)
{
    struct lf_wake wakes[2] = {0};
    struct lf_cancel cancel;
    NEED(lf_wake_open(&wakes[0], UNIT_ERROR) == LF_OK && lf_wake_open(&wakes[1], UNIT_ERROR) == LF_OK);
    NEED(lf_cancel_open(&cancel, UNIT_ERROR) == LF_OK);
    struct lf_wait_item items[] = {{.what = wakes[0].event, .events = LF_READABLE},
                                   {.events = LF_READABLE}, // nothing
                                   {.what = wakes[1].event, .events = LF_READABLE}};
    CHECK_INT(lf_wait_any(items, 3, lf_deadline_in(0), &cancel), LF_TIMEOUT);
    lf_wake_up(&wakes[1]);
    CHECK_INT(lf_wait_any(items, 3, LF_NEVER, &cancel), LF_OK);
    CHECK(!items[0].ready && !items[1].ready);
    CHECK_INT(items[2].ready, LF_READABLE);
    lf_cancel_set(&cancel);
    CHECK_INT(lf_wait_any(items, 3, LF_NEVER, &cancel), LF_CANCELLED);
    CHECK_INT(items[2].ready, 0);
    CHECK_INT(lf_wait_any(items, LF_WAIT_MAX + 1, LF_NEVER, NULL), LF_IO);
    lf_wake_close(&wakes[0]);
    lf_wake_close(&wakes[1]);
    lf_cancel_close(&cancel);
}

static int64_t waits_before;

// Sets the cancel once the test waits.
static void *set_soon(void *cancel)
{
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
    while (lf_test_waits() == waits_before && !lf_deadline_passed(deadline))
        sched_yield();
    lf_cancel_set(cancel);
    return NULL;
}

static void cancel_ends_waiting(void)
{
    struct lf_cancel cancel;
    struct lf_thread thread;
    NEED(lf_cancel_open(&cancel, UNIT_ERROR) == LF_OK);
    CHECK(!lf_cancel_is_set(&cancel));
    CHECK_INT(lf_sleep_until(lf_deadline_in(1), &cancel), LF_OK);
    waits_before = lf_test_waits();
    NEED(lf_thread_start(&thread, "setter", set_soon, &cancel, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_sleep_until(LF_NEVER, &cancel), LF_CANCELLED);
    lf_thread_join(&thread);
    CHECK(lf_cancel_is_set(&cancel));
    CHECK_INT(lf_wait((struct lf_waitable){0}, 0, LF_NEVER, &cancel, NULL), LF_CANCELLED);
    lf_cancel_reset(&cancel);
    CHECK(!lf_cancel_is_set(&cancel));
    CHECK_INT(lf_sleep_until(lf_deadline_in(1), &cancel), LF_OK);
    lf_cancel_close(&cancel);
    CHECK(!lf_cancel_is_set(NULL));
}

// What a cancel in the middle of a reset can leave behind.
static void stale_wake_costs_nothing(void)
{
    struct lf_cancel cancel;
    struct lf_thread thread;
    NEED(lf_cancel_open(&cancel, UNIT_ERROR) == LF_OK);
    lf_wake_up(&cancel.wake);
    CHECK_INT(lf_sleep_until(in_an_hour(&thread), &cancel), LF_OK);
    CHECK(!pending(&cancel.wake));
    lf_thread_join(&thread);
    lf_cancel_close(&cancel);
}

static struct lf_mutex mutex = LF_MUTEX_INIT;
static struct lf_cond cond;
static bool flag;

static void *signal_soon(void *unused)
{
    (void)unused;
    lf_mutex_lock(&mutex); // which the test holds until it waits
    flag = true;
    lf_cond_signal(&cond);
    lf_mutex_unlock(&mutex);
    return NULL;
}

static void condition_has_a_deadline(void)
{
    struct lf_thread thread;
    lf_cond_init(&cond);
    lf_mutex_lock(&mutex);
    int64_t deadline = in_an_hour(&thread);
    while (lf_cond_wait(&cond, &mutex, deadline)) {
    }
    CHECK(lf_deadline_passed(deadline));
    lf_thread_join(&thread);
    CHECK(!lf_cond_wait(&cond, &mutex, 0));
    flag = false;
    NEED(lf_thread_start(&thread, "signaller", signal_soon, NULL, UNIT_ERROR) == LF_OK);
    while (!flag)
        CHECK(lf_cond_wait(&cond, &mutex, LF_NEVER));
    lf_mutex_unlock(&mutex);
    lf_thread_join(&thread);
    lf_cond_destroy(&cond);
}

static char name[32];
static bool blocked;

static void *look_at_self(void *unused)
{
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    blocked = sigismember(&set, SIGTERM) == 1;
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS); // the starter sets the name, a moment later
    while (strcmp(name, "bench balance") != 0 && !lf_deadline_passed(deadline))
        pthread_getname_np(pthread_self(), name, sizeof name);
    return unused;
}

static void threads_have_names(void)
{
    struct lf_thread thread;
    NEED(lf_thread_start(&thread, "bench balance", look_at_self, NULL, UNIT_ERROR) == LF_OK);
    lf_thread_join(&thread);
    CHECK_STR(name, "bench balance");
    CHECK(blocked);
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    CHECK(sigismember(&set, SIGTERM) == 0);
}

UNIT_TESTS("wake", {"several wakes are one, and clearing forgets them", wakes_add_up_to_one},
           {"waiting ends when the thing is ready, hangs up, or at the deadline", waits_for_one},
           {"of several things the ready ones are marked, and a cancel wins", waits_for_several},
           {"a cancel ends any wait at once and stays until reset", cancel_ends_waiting},
           {"a wake without its cancel does not cause a busy loop", stale_wake_costs_nothing},
           {"waiting for a condition ends at the deadline", condition_has_a_deadline},
           {"a thread has a name and receives no signals", threads_have_names}, )
