/* Finding where a reply ends in the bytes that have arrived, and framing what is sent. Pure functions, any
 * thread. */
#ifndef LABFERRY_LINE_FRAME_H
#define LABFERRY_LINE_FRAME_H

#include "drivers/line/profile.h"

enum lf_line_frame_state {
    LF_FRAME_MORE, /* not complete yet */
    LF_FRAME_DONE,
    LF_FRAME_BAD, /* malformed, or its checksum is wrong */
};

struct lf_line_frame {
    size_t used;          /* bytes to remove from the front: done or bad */
    struct lf_slice body; /* what the instrument sent, without framing; points into the bytes */
    const char *why;      /* bad: the reason, for people; else NULL */
};

/* Looks for one unit (line, frame, block ...) at the front of the bytes. `quiet`: nothing has arrived
 * for the idle time, which completes a reply that ends in silence. */
enum lf_line_frame_state line__frame_find(const struct lf_line_ending *ending, struct lf_slice bytes,
                                          bool quiet, struct lf_line_frame *frame);

/* Appends the payload framed as `ending` (LF_UNIT_FRAME) describes. LF_TOO_LARGE if it does not
 * fit the length byte. */
enum lf_status line__frame_wrap(const struct lf_line_ending *ending, struct lf_slice payload,
                                struct lf_buffer *out, struct lf_error *err);

#endif
