/* Bytes in readable form: "S S     100.00 g<CR><LF>". */
#ifndef LABFERRY_LINE_SHOW_H
#define LABFERRY_LINE_SHOW_H

#include "drivers/line/profile.h"

enum { LF_SHOW_ROOM = 160 };

/* Control characters by name, other unprintable bytes as \xHH; cut with "..." if too long. Returns
 * room. */
const char *line__show(struct lf_slice bytes, char room[LF_SHOW_ROOM]);
/* What to look at when these bytes came in place of a reply: a sentence. */
const char *line__advice(struct lf_slice bytes, enum lf_line_encoding encoding);
/* "CR" for 13 and so on; NULL for anything else. */
const char *line__control_name(unsigned char code);

#endif
