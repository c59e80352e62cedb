#include "drivers/line/show.h"

#include <stdio.h>

/* As manuals name them; the index is the code. */
static const char *const names[] = {"NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL",
                                    "BS",  "TAB", "LF",  "VT",  "FF",  "CR",  "SO",  "SI",
                                    "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB",
                                    "CAN", "EM",  "SUB", "ESC", "FS",  "GS",  "RS",  "US"};

const char *line__control_name(unsigned char code)
{
    return code < sizeof names / sizeof *names ? names[code] : NULL;
}

const char *line__show(struct lf_slice bytes, char room[LF_SHOW_ROOM])
{
    size_t used = 0;
    room[0] = '\0';
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        const char *name = line__control_name(byte);
        if (used + sizeof "<NUL>" + sizeof "..." > LF_SHOW_ROOM) {
            snprintf(room + used, LF_SHOW_ROOM - used, "...");
            break;
        }
        int len = name          ? snprintf(room + used, LF_SHOW_ROOM - used, "<%s>", name)
                  : byte < 0x7f ? snprintf(room + used, LF_SHOW_ROOM - used, "%c", byte)
                                : snprintf(room + used, LF_SHOW_ROOM - used, "\\x%02x", byte);
        used += (size_t)len;
    }
    return room;
}
