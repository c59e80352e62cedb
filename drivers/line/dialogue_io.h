/* Reading and writing units under the dialogue. Private to the dialogue. */
#ifndef LABFERRY_LINE_DIALOGUE_IO_H
#define LABFERRY_LINE_DIALOGUE_IO_H

#include "drivers/line/dialogue.h"

/* One unit that was read. Its body lies in dialogue->in: valid until line__dialogue_take. */
struct lf_line_dialogue_unit {
    struct lf_line_frame frame;
    bool bad; /* frame.why says why */
};

/* Reads until a whole unit is in front of the buffer. LF_TIMEOUT: it did not begin within first_byte, or
 * stopped for `gap`. LF_TOO_LARGE: no end within max_reply. The text of the error says what had arrived. */
enum lf_status line__dialogue_read(struct lf_line_dialogue *dialogue, const struct lf_line_ending *ending,
                                   const struct lf_line_times *times, int64_t deadline,
                                   struct lf_line_dialogue_unit *unit, struct lf_error *err);
/* Is a whole unit there already? Never waits. */
bool line__dialogue_look(struct lf_line_dialogue *dialogue, const struct lf_line_ending *ending, bool quiet,
                         struct lf_line_dialogue_unit *unit);
/* Takes a unit away from the buffer. */
void line__dialogue_take(struct lf_line_dialogue *dialogue, const struct lf_line_dialogue_unit *unit);

/* Reads what is there now. LF_TIMEOUT when the deadline passes first. */
enum lf_status line__dialogue_fill(struct lf_line_dialogue *dialogue, int64_t deadline, struct lf_error *err);
enum lf_status line__dialogue_send(struct lf_line_dialogue *dialogue, struct lf_slice bytes, size_t *written,
                                   struct lf_error *err);

/* Throws away what arrives until nothing has come for quiet_ms. LF_PROTOCOL: it does not stop talking. */
enum lf_status line__dialogue_settle(struct lf_line_dialogue *dialogue, int64_t quiet_ms,
                                     struct lf_error *err);
/* Throws away what is in the buffer, telling the trace. */
void line__dialogue_drop(struct lf_line_dialogue *dialogue);

#endif
