#include "base/buffer.h"

#include <stdint.h>
#include <string.h>

bool lf_utf8_valid(struct lf_slice text)
{
    static const struct {
        unsigned char mask, lead; /* of the first byte; one more byte follows in each row */
        uint32_t least;           /* what is less has a shorter form */
    } forms[] = {{0x80, 0x00, 0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};
    const unsigned char *p = (const unsigned char *)text.data, *end = p + text.len;
    while (p < end) {
        unsigned char c = *p++;
        int more = 0;
        while (more < 4 && (c & forms[more].mask) != forms[more].lead)
            more++;
        if (more == 4 || end - p < more)
            return false;
        uint32_t code = c & ~forms[more].mask, least = forms[more].least;
        for (; more; more--, p++) {
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

void lf_utf8_repair(char *text)
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
