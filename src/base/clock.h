/* Time. Timers and deadlines use the monotonic clock; wall time is for stamps that people and other systems
 * read.
 *
 * The wall clock of this machine may be wrong, and may be set at any moment. Others tell us theirs
 * (lf_clock_learn): what depends on the date, and not only on how long something takes, asks
 * lf_clock_best_ms. Any thread. */
#ifndef LF_BASE_CLOCK_H
#define LF_BASE_CLOCK_H

#include "base/error.h"
#include "os/host.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Somebody trusted says that it is this late just now; below 0: he did not say. Kept beside the monotonic
 * clock, so that a later step of ours does not touch it. */
void lf_clock_learn(int64_t outside_ms);
/* Has anybody told? Until then nobody knows whether our clock is right. */
bool lf_clock_learned(void);
/* How far our clock is ahead of his (below 0: behind). 0 within LF_CLOCK_TOLERANCE_MS, and while nobody has
 * told. */
int64_t lf_clock_ahead_ms(void);
enum { LF_CLOCK_TOLERANCE_MS = 2 * 60 * 1000 };
/* The wall clock, unless we know better: for dates that decide something or are kept. */
int64_t lf_clock_best_ms(void);
enum { LF_CLOCK_TEXT = 140 };
/* What our clock says, for messages: "the clock of this machine says 2036-11-22T06:09:34Z (3652 d ahead of
 * the tenant's)". */
void lf_clock_words(char text[LF_CLOCK_TEXT]);

/* A deadline is a monotonic instant in ms; LF_NEVER waits for ever. */
#define LF_NEVER INT64_MAX
int64_t lf_deadline_in(int64_t ms);         /* now + ms; negative ms gives "now" */
int64_t lf_deadline_left(int64_t deadline); /* ms left, never below 0; LF_NEVER for LF_NEVER */
bool lf_deadline_passed(int64_t deadline);
int64_t lf_deadline_sooner(int64_t a, int64_t b);
/* For poll(): -1 for LF_NEVER, else the ms left, capped at INT_MAX. */
int lf_deadline_poll_ms(int64_t deadline);

enum { LF_TIME_TEXT = 40 };
/* RFC 3339 in UTC with milliseconds: "2026-11-22T06:09:34.120Z". */
void lf_time_format(int64_t wall_ms, char text[LF_TIME_TEXT]);
/* Local time for people: "2026-11-22 07:09:34". */
void lf_time_format_local(int64_t wall_ms, char text[LF_TIME_TEXT]);
/* Parses RFC 3339 with any offset and up to 9 digits of fraction. LF_INVALID when it is none. */
enum lf_status lf_time_parse(const char *text, int64_t *wall_ms);

/* Full jitter: a random wait in [0, min(cap, base * 2^attempt)] ms; attempt counts from 0. */
int64_t lf_backoff_ms(int attempt, int64_t base_ms, int64_t cap_ms);
/* Uniform in [0, bound). bound > 0. */
uint64_t lf_random_below(uint64_t bound);

#endif
