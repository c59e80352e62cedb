/* Reading and writing units under the dialogue. Private to the dialogue. */
#ifndef LABFERRY_LINE_DIALOGUE_IO_H
#define LABFERRY_LINE_DIALOGUE_IO_H

#include "drivers/line/dialogue.h"

/* Reads until a complete unit is at the front of dialogue->in, where it stays until the caller consumes
 * unit->used bytes. LF_TIMEOUT: it did not begin within first_byte, or stopped for `gap`. LF_TOO_LARGE: no
 * end within max_reply. The error's text shows what had arrived. */
enum lf_status line__dialogue_read(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                   int64_t deadline, struct lf_line_frame *unit, struct lf_error *err);
/* Is a complete unit there already? Never waits. */
bool line__dialogue_look(struct lf_line_dialogue *dialogue, const struct lf_line_ending *ending, bool quiet,
                         struct lf_line_frame *unit);

/* Reads what is there now. LF_TIMEOUT when the deadline passes first. */
enum lf_status line__dialogue_fill(struct lf_line_dialogue *dialogue, int64_t deadline, struct lf_error *err);
enum lf_status line__dialogue_send(struct lf_line_dialogue *dialogue, struct lf_slice bytes, size_t *written,
                                   struct lf_error *err);

/* The bytes of a command on the wire. */
enum lf_status line__dialogue_wire(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                   const struct lf_line_input_set *inputs, struct lf_buffer *wire,
                                   struct lf_error *err);

/* Discards input until nothing has arrived for quiet_ms. LF_PROTOCOL: the instrument keeps sending. */
enum lf_status line__dialogue_settle(struct lf_line_dialogue *dialogue, int64_t quiet_ms,
                                     struct lf_error *err);
/* Discards the buffer and shows it to the trace. */
void line__dialogue_drop(struct lf_line_dialogue *dialogue);

#endif
