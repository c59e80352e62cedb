/* Work that happens later: one thread, one list in the order of time. */
#ifndef LF_SIM_TIMER_H
#define LF_SIM_TIMER_H

#include "sim.h"

typedef void sim_timer_call(struct sim *sim, const char *id);

struct sim_timers *sim_timers_start(struct sim *sim);
void sim_timers_stop(struct sim *sim);
/* After ms, calls `call` with the id, on the timer's thread, with the lock held. Needs the lock. */
void sim_timer_after(struct sim *sim, int64_t ms, sim_timer_call *call, const char *id);

#endif
