#include "base/buffer.h"

#include <stdint.h>
#include <string.h>

bool lf_utf8_valid(struct lf_slice text)
{
    const unsigned char *p = (const unsigned char *)text.data, *end = p + text.len;
    while (p < end) {
        unsigned char c = *p++;
        int more;
        uint32_t code, least;
        if (c < 0x80)
            continue;
        if ((c & 0xE0) == 0xC0) {
            more = 1;
            code = c & 0x1F;
            least = 0x80;
        } else if ((c & 0xF0) == 0xE0) {
            more = 2;
            code = c & 0x0F;
            least = 0x800;
        } else if ((c & 0xF8) == 0xF0) {
            more = 3;
            code = c & 0x07;
            least = 0x10000;
        } else
            return false;
        if (end - p < more)
            return false;
        for (int i = 0; i < more; i++, p++) {
            if ((*p & 0xC0) != 0x80)
                return false;
            code = code << 6 | (*p & 0x3F);
        }
        if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
            return false;
    }
    return true;
}

/* Length of the character at the start of text; 0 when it is none. */
static size_t character(const char *text, size_t left)
{
    for (size_t len = 1; len <= 4 && len <= left; len++)
        if (lf_utf8_valid(lf_slice(text, len)))
            return len;
    return 0;
}

void lf_utf8_mend(char *text)
{
    size_t len = strlen(text), step;
    if (lf_utf8_valid(lf_slice(text, len)))
        return;
    for (size_t at = 0; at < len; at += step) {
        step = character(text + at, len - at);
        if (!step) {
            text[at] = '?';
            step = 1;
        }
    }
}
