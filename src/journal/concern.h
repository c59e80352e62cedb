/* Concerns: what a person must know and that is no job of its own. A result that is refused, a line that
 * nobody expected, a topic that the broker forbids, a job that has failed. They are rows of the journal and
 * are listed in `needs`.
 *
 * A *standing* concern is a state: its reporter ends it, and notes it again after a restart, which drops all
 * of them. Any other has happened: it stays, and is counted, until a person acknowledges it.
 *
 * Any thread may call, also in a transaction. Each source has at most LF_CONCERNS_MAX: what comes beyond that
 * is counted in one more, so it is never silent.
 */
#ifndef LF_JOURNAL_CONCERN_H
#define LF_JOURNAL_CONCERN_H

#include "journal/journal.h"

enum { LF_CONCERNS_MAX = 100, LF_CONCERN_ABOUT_MAX = 300 };

/* The source of what concerns an instrument: "instrument/NAME". Returns room. */
enum { LF_CONCERN_SOURCE = LF_PAUSED_NAME + 20 };
const char *lf_concern_instrument(const char *instrument, char room[LF_CONCERN_SOURCE]);

/* Borrowed. */
struct lf_concern {
    int64_t id;         /* given by the journal; only in lists */
    const char *source; /* who reports it: "instrument/balance-1", "link", "job" */
    const char *about;  /* what it is about, unique for its source: "result x.csv", "job 12" */
    bool stands;
    const char *text;          /* what is wrong, where, and why */
    const char *todo;          /* what a person can do */
    int64_t since_ms, last_ms; /* wall; only in lists */
    int64_t times;             /* how often it happened; only in lists */
};

/* Notes a concern. Of the same source and about: a standing one gets the new text (equal text and todo write
 * nothing), another one is counted once more with its newest text. */
enum lf_status lf_journal_concern(struct lf_journal *journal, const struct lf_concern *concern,
                                  struct lf_error *err);
/* It is over: removes it, standing or not. about NULL: all standing ones of the source. None is fine. */
enum lf_status lf_journal_concern_over(struct lf_journal *journal, const char *source, const char *about,
                                       struct lf_error *err);
/* A person has seen it: removes one that has happened, with an entry in the audit trail. LF_NOT_FOUND: there
 * is no such concern. LF_INVALID: it stands, and ends only when its cause does. */
enum lf_status lf_journal_concern_acknowledge(struct lf_journal *journal, int64_t id, const char *who,
                                              const char *why, struct lf_error *err);
/* Oldest first. */
enum lf_status lf_journal_concern_list(struct lf_journal *journal,
                                       void (*each)(void *context, const struct lf_concern *concern),
                                       void *context, struct lf_error *err);

#endif
