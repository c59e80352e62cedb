/* Time. Timers and deadlines use the monotonic clock; wall time is for timestamps that people and other
 * systems read.
 *
 * This machine's wall clock may be wrong, and may be set at any moment. Trusted servers send theirs
 * (lf_clock_learn). Whatever depends on the date, and not only on a duration, uses lf_clock_best_ms. Any
 * thread. */
#ifndef LF_BASE_CLOCK_H
#define LF_BASE_CLOCK_H

#include "base/error.h"
#include "os/host.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Records a trusted external wall-clock time; negative: unknown, ignored. It is kept relative to the
 * monotonic clock, so that later steps of our wall clock do not affect it. */
void lf_clock_learn(int64_t outside_ms);
/* Has an external time been recorded? Until then our clock is unverified. */
bool lf_clock_learned(void);
/* Have both clocks been compared, and agree? Nothing that cannot be undone may follow from the date
 * otherwise. */
bool lf_clock_agree(void);
/* Records a time that is not in the future of the truth: what was known in an earlier run, and the time that
 * has passed since. It decides which of two clocks that differ is believed. 0: none. */
void lf_clock_know(int64_t known_ms);
/* That time now; 0: none is recorded. */
int64_t lf_clock_known_ms(void);
/* How far our clock is ahead of the external time (negative: behind). 0 within LF_CLOCK_TOLERANCE_MS, and
 * while no external time is recorded. */
int64_t lf_clock_ahead_ms(void);
enum { LF_CLOCK_TOLERANCE_MS = 2 * 60 * 1000 };
/* For dates that are stored, or decide something that can be undone: our own clock, unless it is earlier than
 * what is known, or differs from the external time and does not agree with what is known either; then the
 * other one. */
int64_t lf_clock_best_ms(void);
enum { LF_CLOCK_TEXT = 140 };
/* Our clock, for messages: "the clock of this machine says 2036-11-22T06:09:34Z (3652 d ahead of the
 * tenant's)". */
void lf_clock_words(char text[LF_CLOCK_TEXT]);

/* A deadline is a monotonic instant in ms; LF_NEVER waits forever. */
#define LF_NEVER INT64_MAX
int64_t lf_deadline_in(int64_t ms);         /* now + ms; negative ms gives "now" */
int64_t lf_deadline_left(int64_t deadline); /* ms left, never below 0; LF_NEVER for LF_NEVER */
bool lf_deadline_passed(int64_t deadline);
int64_t lf_deadline_sooner(int64_t a, int64_t b);

enum { LF_TIME_TEXT = 40 };
/* RFC 3339 in UTC with milliseconds: "2026-11-22T06:09:34.120Z". */
void lf_time_format(int64_t wall_ms, char text[LF_TIME_TEXT]);
/* Local time for people: "2026-11-22 07:09:34". */
void lf_time_format_local(int64_t wall_ms, char text[LF_TIME_TEXT]);
/* Parses RFC 3339 with any offset and up to 9 digits of fraction. LF_INVALID for anything else. */
enum lf_status lf_time_parse(const char *text, int64_t *wall_ms);

/* How quickly to retry, by what is being tried. The first wait is up to the base; later ones double, up to
 * the cap. */
enum lf_pace {
    LF_PACE_DEVICE, /* an instrument or the journal on this machine: 250 ms to 30 s */
    LF_PACE_BROKER, /* 500 ms to 1 min */
    LF_PACE_CLOUD,  /* 1 s to 5 min */
};
/* Full jitter: a random wait in [0, min(cap, base * 2^attempt)] ms; attempt counts from 0. */
int64_t lf_backoff_ms(int attempt, enum lf_pace pace);
/* Uniform in [0, bound). bound > 0. */
uint64_t lf_random_below(uint64_t bound);

#endif
