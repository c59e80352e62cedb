/* Names of small values (lf_journal_set) that more than one room uses. */
#ifndef LF_JOURNAL_SMALL_NAMES_H
#define LF_JOURNAL_SMALL_NAMES_H

/* Where the next round of asking for events begins: a date. src/intake sets it at its first start. */
#define LF_SMALL_POLL_SINCE "poll.since"
/* When the agent was started for the first time. A journal that has events and lacks it is older than it. */
#define LF_SMALL_FIRST_START "first_start"

/* One for each instrument: these write the name into room and return it. */
enum { LF_PAUSED_NAME = 80 }; /* an instrument's name has at most 64 characters */
/* Why a person has paused it. */
const char *lf_journal_paused(const char *instrument, char room[LF_PAUSED_NAME]);
/* It has been connected once. */
const char *lf_journal_met(const char *instrument, char room[LF_PAUSED_NAME]);
/* A task has acted on it, or may have: a sample may lie there. */
const char *lf_journal_sampled(const char *instrument, char room[LF_PAUSED_NAME]);

#endif
