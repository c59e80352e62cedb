/* A clock that moves only on request, for code that waits. A target that uses it names FUZZ_CLOCK in
 * its WRAPS. */
#ifndef LF_FUZZ_CLOCK_H
#define LF_FUZZ_CLOCK_H

#include "base/clock.h"

/* Sets it to the start; every input starts like this. */
void fuzz_clock_start(void);
/* Moves it forward to the instant, never back. LF_NEVER leaves it where it is. */
void fuzz_clock_to(int64_t mono_ms);
int64_t fuzz_clock_now(void);

#endif
