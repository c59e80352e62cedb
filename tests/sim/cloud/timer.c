/* The list is guarded by the simulator's lock; the condition variable is used with that same lock. */
#include "timer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct entry {
    int64_t due;
    sim_timer_call *call;
    char id[SIM_ID];
    struct entry *next;
};

struct sim_timers {
    struct entry *first;
    pthread_cond_t changed;
    pthread_t thread;
    bool stop;
};

static void wait_until(struct sim *sim, int64_t due)
{
    struct timespec until;
    int64_t ms = lf_deadline_left(due);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000 * 1000000);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&sim->timers->changed, &sim->mutex, &until);
}

static void *run(void *arg)
{
    struct sim *sim = arg;
    struct sim_timers *timers = sim->timers;
    sim_lock(sim);
    while (!timers->stop) {
        struct entry *entry = timers->first;
        if (!entry) {
            pthread_cond_wait(&timers->changed, &sim->mutex);
        } else if (!lf_deadline_passed(entry->due)) {
            wait_until(sim, entry->due);
        } else {
            timers->first = entry->next;
            entry->call(sim, entry->id);
            free(entry);
        }
    }
    sim_unlock(sim);
    return NULL;
}

struct sim_timers *sim_timers_start(struct sim *sim)
{
    struct sim_timers *timers = sim_alloc(sizeof *timers);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&timers->changed, &attr);
    pthread_condattr_destroy(&attr);
    sim->timers = timers;
    if (pthread_create(&timers->thread, NULL, run, sim) != 0)
        sim_die("cannot start a thread");
    return timers;
}

void sim_timers_stop(struct sim *sim)
{
    struct sim_timers *timers = sim->timers;
    sim_lock(sim);
    timers->stop = true;
    pthread_cond_signal(&timers->changed);
    sim_unlock(sim);
    pthread_join(timers->thread, NULL);
    for (struct entry *entry = timers->first, *next; entry; entry = next) {
        next = entry->next;
        free(entry);
    }
    pthread_cond_destroy(&timers->changed);
    free(timers);
    sim->timers = NULL;
}

void sim_timer_after(struct sim *sim, int64_t ms, sim_timer_call *call, const char *id)
{
    struct entry *entry = sim_alloc(sizeof *entry);
    entry->due = lf_deadline_in(ms);
    entry->call = call;
    snprintf(entry->id, sizeof entry->id, "%s", id);
    struct entry **at = &sim->timers->first;
    while (*at && (*at)->due <= entry->due)
        at = &(*at)->next;
    entry->next = *at;
    *at = entry;
    pthread_cond_signal(&sim->timers->changed);
}
