/* What an instrument sends without being asked: lines and reports of the profile's [listen]. Private to the
 * dialogue. */
#ifndef LABFERRY_LINE_UNSOLICITED_H
#define LABFERRY_LINE_UNSOLICITED_H

#include "drivers/line/dialogue.h"

/* Takes a line that no command waits for: reports it if it matches a [listen], or adds it to the report that
 * is open. *taken false: nothing matches. An error of the host leaves the line to be offered again. */
enum lf_status line__unsolicited_take(struct lf_line_dialogue *dialogue, struct lf_slice line, bool *taken,
                                      struct lf_error *err);
/* Does the same with all complete lines in the buffer, and drops those that match nothing. `quiet`: nothing
 * has arrived for a while. A line that could not be reported stays in the buffer. */
enum lf_status line__unsolicited_report(struct lf_line_dialogue *dialogue, bool quiet, struct lf_error *err);
/* Drops an incomplete line that has stopped arriving. */
void line__unsolicited_drop_rest(struct lf_line_dialogue *dialogue);
/* Reports the lines in these bytes that look like results and are dropped, since a late reply may look the
 * same. */
void line__unsolicited_dropped(struct lf_line_dialogue *dialogue, struct lf_slice bytes);
/* When the silence after a line of the open report is long enough to end it; LF_NEVER: none is open. */
int64_t line__unsolicited_due(const struct lf_line_dialogue *dialogue);
/* Ends the open report if that time has come. */
enum lf_status line__unsolicited_end(struct lf_line_dialogue *dialogue, struct lf_error *err);
/* Forgets a report that was open when the connection ended; tells that it is lost. */
void line__unsolicited_forget(struct lf_line_dialogue *dialogue);

#endif
