/* The text of a result's beginning, whatever its encoding: instruments export UTF-16 and Windows-1252 too. */
#include "job/steps.h"

#include <string.h>

enum { PROBE = 512 };

static enum lf_status put_code(struct lf_buffer *text, uint32_t code)
{
    char bytes[4];
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3F));
    bytes[0] = (char)(len == 1 ? code : ((0xF00u >> len) & 0xF0u) | code);
    return lf_buffer_append(text, bytes, len);
}

static unsigned unit(const unsigned char *at, bool big)
{
    return big ? (unsigned)at[0] << 8 | at[1] : (unsigned)at[1] << 8 | at[0];
}

static enum lf_status from_utf16(const unsigned char *bytes, size_t len, bool big, struct lf_buffer *text)
{
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i + 1 < len; i += 2) {
        uint32_t code = unit(bytes + i, big);
        uint32_t low = code >> 10 == 0x36 && i + 3 < len ? unit(bytes + i + 2, big) : 0;
        if (low >> 10 == 0x37) {
            code = 0x10000 + ((code & 0x3FF) << 10 | (low & 0x3FF));
            i += 2;
        }
        status = put_code(text, code);
    }
    return status;
}

static enum lf_status from_latin_1(const unsigned char *bytes, size_t len, struct lf_buffer *text)
{
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < len; i++)
        status = put_code(text, bytes[i]);
    return status;
}

/* Without a byte order mark: UTF-16 of western text has a zero in every other byte. */
static bool looks_utf16(const unsigned char *bytes, size_t len, bool big)
{
    size_t zeros = 0, others = 0, probe = (len < PROBE ? len : PROBE) & ~(size_t)1;
    for (size_t i = 0; i < probe; i += 2) {
        zeros += bytes[big ? i : i + 1] == 0;
        others += bytes[big ? i + 1 : i] != 0;
    }
    return probe >= 8 && zeros * 20 >= probe * 9 && others * 20 >= probe * 9;
}

enum lf_status job__content_text(const char *start, size_t len, struct lf_buffer *text, struct lf_error *err)
{
    const unsigned char *bytes = (const unsigned char *)start;
    bool marked = len >= 2, little = marked && !memcmp(bytes, "\xFF\xFE", 2),
         big = marked && !memcmp(bytes, "\xFE\xFF", 2);
    enum lf_status status;
    if (little || big)
        status = from_utf16(bytes + 2, len - 2, big, text);
    else if (looks_utf16(bytes, len, false) || looks_utf16(bytes, len, true))
        status = from_utf16(bytes, len, looks_utf16(bytes, len, true), text);
    else
        status = from_latin_1(bytes, len, text);
    return status == LF_OK ? LF_OK : lf_fail_memory(err, "reading a result as text");
}
