/* Threads, mutexes, condition variables, and workers: threads that wait to be kicked.
 *
 * The types are storage without system types; what is in it belongs to the system's side. A mutex or
 * condition variable never moves while it is in use.
 */
#ifndef LF_OS_THREAD_H
#define LF_OS_THREAD_H

#include "base/error.h"
#include "os/wait.h"

#include <stdbool.h>
#include <stdint.h>

struct lf_mutex {
    _Alignas(8) unsigned char os[48];
};

struct lf_cond {
    _Alignas(8) unsigned char os[48];
};

struct lf_thread {
    _Alignas(8) unsigned char os[8];
};

/* A static mutex. */
#define LF_MUTEX_INIT                                                                                        \
    {                                                                                                        \
        {                                                                                                    \
            0                                                                                                \
        }                                                                                                    \
    }

void lf_mutex_init(struct lf_mutex *mutex);
/* The same thread may lock it again; it is free after as many unlocks. */
void lf_mutex_init_recursive(struct lf_mutex *mutex);
void lf_mutex_destroy(struct lf_mutex *mutex);
void lf_mutex_lock(struct lf_mutex *mutex);
void lf_mutex_unlock(struct lf_mutex *mutex);

/* Waits by the monotonic clock. */
void lf_cond_init(struct lf_cond *cond);
void lf_cond_destroy(struct lf_cond *cond);
void lf_cond_signal(struct lf_cond *cond);
void lf_cond_broadcast(struct lf_cond *cond);
/* With the mutex locked. True: signalled (or spurious); false: the deadline has passed. */
bool lf_cond_wait(struct lf_cond *cond, struct lf_mutex *mutex, int64_t deadline);

/* Starts a thread with a name of at most 15 characters (seen in ps and gdb) and all signals blocked. It is
 * either joined or detached, once. */
enum lf_status lf_thread_start(struct lf_thread *thread, const char *name, void *(*run)(void *), void *arg,
                               struct lf_error *err);
void lf_thread_join(struct lf_thread *thread);
void lf_thread_detach(struct lf_thread *thread);

/* A pulse shows whether the thread that it is bound to is stuck in the system: on a share whose server is
 * gone, a call may return after hours or never, and nothing can end it. The pulse is the time (monotonic ms)
 * at which the newest call of file.h, dir.h or path.h began, and 0 while the thread waits for something that
 * can be cancelled. */
struct lf_pulse {
    _Atomic int64_t began;
};

/* Binds the calling thread to it; NULL: to none. */
void lf_pulse_bind(struct lf_pulse *pulse);
/* For how long the newest call has not returned, in ms; 0: it has, or there was none. Calls that the thread
 * makes besides count from the last of those of file.h. Any thread. */
int64_t lf_pulse_stuck_ms(const struct lf_pulse *pulse);
/* The bound thread is back from what it was called for. */
void lf_pulse_rest(struct lf_pulse *pulse);

/* A thread that works when it is kicked and when its deadline passes.
 *
 * Zeroed or opened, it may be closed. `work` runs on the worker's thread without any lock, does what there is
 * to do, and returns when to call it next without a kick: a deadline, 0 for at once, or LF_NEVER. A kick that
 * comes while it works is not lost. Work that waits must observe worker->cancel, which lf_worker_stop sets.
 */
struct lf_worker {
    struct lf_cancel cancel;
    struct lf_mutex mutex; /* guards the rest */
    struct lf_cond kicked;
    struct lf_thread thread;
    int64_t (*work)(void *context);
    void *context;
    uint64_t kicks;
    bool opened, started, stopping;
};

/* What a worker needs before it runs; kicks count from here on. */
enum lf_status lf_worker_open(struct lf_worker *worker, struct lf_error *err);
/* Calls `work` at once for the first time. */
enum lf_status lf_worker_start(struct lf_worker *worker, const char *name, int64_t (*work)(void *context),
                               void *context, struct lf_error *err);
void lf_worker_kick(struct lf_worker *worker); /* any thread */
/* Starts no more work and ends waits on the cancel. Does not wait. Any thread. */
void lf_worker_stop(struct lf_worker *worker);
/* Waits until the thread has ended. After lf_worker_stop. */
void lf_worker_join(struct lf_worker *worker);
/* Stops, joins and frees. */
void lf_worker_close(struct lf_worker *worker);

#endif
