/* What a line instrument reports as concerns, beside its results: lines that nothing matches, an instrument
 * that cannot be reached, a procedure that could not be ended. One thread, that of the device. */
#ifndef LABFERRY_LINE_NOTICES_H
#define LABFERRY_LINE_NOTICES_H

#include "drivers/driver.h"
#include "drivers/line/show.h"

struct lf_line_notices {
    const struct lf_host *host;
    uint64_t unmatched, told; /* lines that nothing matches, and how many of them were reported */
    int64_t told_at;          /* monotonic */
    char last[LF_SHOW_ROOM + 120];
    int failures;   /* to connect, in a row */
    int unanswered; /* commands, in a row */
};

/* A line was dropped. The first ones are reported at once, later ones every few seconds: an instrument that
 * chatters must not fill the journal. */
void line__notice_unmatched(struct lf_line_notices *notices, struct lf_slice line, const char *why);
/* Reports what is still unreported, once its time has come. */
void line__notice_pending(struct lf_line_notices *notices);
/* Every result of connect. */
void line__notice_connect(struct lf_line_notices *notices, enum lf_status status, const struct lf_error *err);
/* After every action: did its last command get any answer? Profiles without a handshake connect to an
 * instrument that is switched off. */
void line__notice_answer(struct lf_line_notices *notices, bool mute, const struct lf_error *err);
/* A row of `finally` could not be done, for this reason. */
void line__notice_unfinished(struct lf_line_notices *notices, const char *procedure, const char *why);
/* Now it was, or it was never in doubt. */
void line__notice_finished(struct lf_line_notices *notices, const char *procedure);

#endif
