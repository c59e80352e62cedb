#include "drivers/line/show.h"

#include <ctype.h>
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

static bool is_plain(unsigned char byte)
{
    return isprint(byte) || isspace(byte);
}

/* Parity read as an eighth bit leaves bytes that are plain text without it; a wrong baud rate leaves
 * anything. */
const char *line__advice(struct lf_slice bytes, enum lf_line_encoding encoding)
{
    size_t high = 0, plain = 0, control = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        high += byte >= 0x80;
        plain += is_plain(byte & 0x7f);
        control += byte < 0x80 && !is_plain(byte) && byte != 0x1b && (byte < 0x02 || byte > 0x06);
    }
    if (high && plain == bytes.len && encoding == LF_ENCODING_ASCII)
        return "The bytes are text with an eighth bit: look at bits and parity (7 bits with parity, read as 8 "
               "bits without?)";
    if ((high && encoding == LF_ENCODING_ASCII) || control)
        return "The bytes look damaged: look at baud rate, bits and parity, and at the cable";
    return "Look at the protocol that is set in the instrument, and at the profile";
}
