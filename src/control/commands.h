/* Inside control: MQTT commands, from the message to the row in the journal. */
#ifndef LF_CONTROL_COMMANDS_H
#define LF_CONTROL_COMMANDS_H

#include "control/control.h"
#include "journal/journal.h"
#include "link/link.h"

/* Reads a message into *row (id, verb, args, reply, correlation, expires_ms; owned; zeroed before). On
 * failure (LF_INVALID, LF_TOO_LARGE, LF_TIMEOUT for expired ones: the sender gets an answer; LF_NO_MEMORY)
 * what could be read is filled; without row->reply there is nowhere to answer. `base` is the agent's topic
 * base. */
enum lf_status control__command_read(const struct lf_message *message, const char *base,
                                     struct lf_command_row *row, struct lf_error *err);

/* Is it past its time now? */
bool control__command_expired(const struct lf_command_row *row);
/* Fills *err: why, and by which clock. */
void control__command_fail_expired(struct lf_error *err, const char *why);

#endif
