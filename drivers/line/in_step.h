/* Getting in step with an instrument whose state is unknown. Private to the dialogue. */
#ifndef LABFERRY_LINE_IN_STEP_H
#define LABFERRY_LINE_IN_STEP_H

#include "drivers/line/dialogue.h"

/* Proves with the profile's handshake and by silence that no reply is on its way, and ends the doubt. Any
 * failure but LF_CANCELLED is LF_DISCONNECTED: nothing was sent but the handshake. */
enum lf_status line__get_in_step(struct lf_line_dialogue *dialogue, struct lf_error *err);

#endif
