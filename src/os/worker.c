#include "base/clock.h"
#include "os/thread.h"

enum lf_status lf_worker_open(struct lf_worker *worker, struct lf_error *err)
{
    *worker = (struct lf_worker){0};
    enum lf_status status = lf_cancel_open(&worker->cancel, err);
    if (status != LF_OK)
        return status;
    lf_mutex_init(&worker->mutex);
    lf_cond_init(&worker->kicked);
    worker->opened = true;
    return LF_OK;
}

/* Waits for a kick that came after `seen`, or for the deadline. False: stop. */
static bool wait_for_turn(struct lf_worker *worker, uint64_t *seen, int64_t deadline)
{
    lf_mutex_lock(&worker->mutex);
    while (!worker->stopping && worker->kicks == *seen
           && lf_cond_wait(&worker->kicked, &worker->mutex, deadline))
        ;
    *seen = worker->kicks;
    bool go_on = !worker->stopping;
    lf_mutex_unlock(&worker->mutex);
    return go_on;
}

static void *run(void *arg)
{
    struct lf_worker *worker = arg;
    uint64_t seen = 0;
    int64_t next = 0;
    while (wait_for_turn(worker, &seen, next))
        next = worker->work(worker->context);
    return NULL;
}

enum lf_status lf_worker_start(struct lf_worker *worker, const char *name, int64_t (*work)(void *context),
                               void *context, struct lf_error *err)
{
    worker->work = work;
    worker->context = context;
    enum lf_status status = lf_thread_start(&worker->thread, name, run, worker, err);
    worker->started = status == LF_OK;
    return status;
}

void lf_worker_kick(struct lf_worker *worker)
{
    lf_mutex_lock(&worker->mutex);
    worker->kicks++;
    lf_cond_signal(&worker->kicked);
    lf_mutex_unlock(&worker->mutex);
}

void lf_worker_stop(struct lf_worker *worker)
{
    lf_mutex_lock(&worker->mutex);
    worker->stopping = true;
    lf_cond_signal(&worker->kicked);
    lf_mutex_unlock(&worker->mutex);
    lf_cancel_set(&worker->cancel);
}

void lf_worker_join(struct lf_worker *worker)
{
    if (worker->started)
        lf_thread_join(&worker->thread);
    worker->started = false;
}

void lf_worker_close(struct lf_worker *worker)
{
    if (!worker->opened)
        return;
    lf_worker_stop(worker);
    lf_worker_join(worker);
    lf_cancel_close(&worker->cancel);
    lf_cond_destroy(&worker->kicked);
    lf_mutex_destroy(&worker->mutex);
    worker->opened = false;
}
