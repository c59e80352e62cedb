/* Replaces base/clock.c and the sleeping of the os for the code under test. */
#include "fuzz_clock.h"

#include "os/wait.h"

enum { START_MS = 1000000 };

int64_t __wrap_lf_clock_mono_ms(void);
int64_t __wrap_lf_deadline_in(int64_t ms);
int64_t __wrap_lf_deadline_left(int64_t deadline);
bool __wrap_lf_deadline_passed(int64_t deadline);
enum lf_status __wrap_lf_sleep_until(int64_t deadline, const struct lf_cancel *cancel);

static int64_t now_ms;

void fuzz_clock_start(void)
{
    now_ms = START_MS;
}

void fuzz_clock_to(int64_t mono_ms)
{
    if (mono_ms > now_ms && mono_ms != LF_NEVER)
        now_ms = mono_ms;
}

int64_t fuzz_clock_now(void)
{
    return now_ms;
}

int64_t __wrap_lf_clock_mono_ms(void)
{
    return now_ms;
}

int64_t __wrap_lf_deadline_in(int64_t ms)
{
    return ms <= 0 ? now_ms : ms > LF_NEVER - now_ms ? LF_NEVER : now_ms + ms;
}

int64_t __wrap_lf_deadline_left(int64_t deadline)
{
    return deadline == LF_NEVER ? LF_NEVER : deadline > now_ms ? deadline - now_ms : 0;
}

bool __wrap_lf_deadline_passed(int64_t deadline)
{
    return deadline != LF_NEVER && deadline <= now_ms;
}

/* A wait without a deadline is woken: nothing else could end it here. */
enum lf_status __wrap_lf_sleep_until(int64_t deadline, const struct lf_cancel *cancel)
{
    (void)cancel;
    fuzz_clock_to(deadline);
    return deadline == LF_NEVER ? LF_CANCELLED : LF_OK;
}
