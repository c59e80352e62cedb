#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lf_slice lf_slice(const char *data, size_t len)
{
    return (struct lf_slice){data, len};
}

struct lf_slice lf_slice_text(const char *text)
{
    return (struct lf_slice){text ? text : "", text ? strlen(text) : 0};
}

bool lf_slice_equal(struct lf_slice a, struct lf_slice b)
{
    return a.len == b.len && (a.len == 0 || !memcmp(a.data, b.data, a.len));
}

bool lf_slice_is(struct lf_slice slice, const char *text)
{
    return lf_slice_equal(slice, lf_slice_text(text));
}

const char *lf_slice_find(struct lf_slice in, struct lf_slice what)
{
    if (!what.len)
        return in.data;
    for (const char *at = in.data, *end = in.data + in.len; (size_t)(end - at) >= what.len; at++) {
        at = memchr(at, what.data[0], (size_t)(end - at) - what.len + 1);
        if (!at || !memcmp(at, what.data, what.len))
            return at;
    }
    return NULL;
}

void lf_wipe(void *data, size_t len)
{
    if (len)
        memset(data, 0, len);
    __asm__ volatile("" : : "r"(data) : "memory"); /* the compiler must not leave the writes out */
}

static enum lf_status grow(struct lf_buffer *buffer, size_t extra)
{
    size_t max = buffer->max ? buffer->max : LF_BUFFER_DEFAULT_MAX;
    if (extra > max || buffer->len > max - extra)
        return LF_TOO_LARGE;
    size_t need = buffer->len + extra + 1;
    if (need <= buffer->cap)
        return LF_OK;
    size_t cap = buffer->cap ? buffer->cap : 64;
    while (cap < need)
        cap *= 2;
    char *data = realloc(buffer->data, cap);
    if (!data)
        return LF_NO_MEMORY;
    if (!buffer->data)
        data[0] = '\0';
    buffer->data = data;
    buffer->cap = cap;
    return LF_OK;
}

enum lf_status lf_buffer_append(struct lf_buffer *buffer, const void *data, size_t len)
{
    enum lf_status status = grow(buffer, len);
    if (status != LF_OK)
        return status;
    if (len)
        memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
    buffer->data[buffer->len] = '\0';
    return LF_OK;
}

enum lf_status lf_buffer_text(struct lf_buffer *buffer, const char *text)
{
    return lf_buffer_append(buffer, text, strlen(text));
}

enum lf_status lf_buffer_format(struct lf_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return LF_INVALID;
    enum lf_status status = grow(buffer, (size_t)len);
    if (status != LF_OK)
        return status;
    va_start(args, format);
    vsnprintf(buffer->data + buffer->len, (size_t)len + 1, format, args);
    va_end(args);
    buffer->len += (size_t)len;
    return LF_OK;
}

char *lf_buffer_reserve(struct lf_buffer *buffer, size_t len)
{
    return grow(buffer, len) == LF_OK ? buffer->data + buffer->len : NULL;
}

void lf_buffer_consume(struct lf_buffer *buffer, size_t len)
{
    if (len > buffer->len)
        len = buffer->len;
    if (!len)
        return;
    memmove(buffer->data, buffer->data + len, buffer->len - len);
    buffer->len -= len;
    buffer->data[buffer->len] = '\0';
}

void lf_buffer_clear(struct lf_buffer *buffer)
{
    buffer->len = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

void lf_buffer_free(struct lf_buffer *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->len = buffer->cap = 0;
}

void lf_buffer_wipe(struct lf_buffer *buffer)
{
    if (buffer->data)
        lf_wipe(buffer->data, buffer->cap);
    lf_buffer_free(buffer);
}

char *lf_buffer_take(struct lf_buffer *buffer)
{
    if (grow(buffer, 0) != LF_OK)
        return NULL;
    char *data = buffer->data;
    buffer->data = NULL;
    buffer->len = buffer->cap = 0;
    return data;
}

struct lf_slice lf_buffer_slice(const struct lf_buffer *buffer)
{
    return (struct lf_slice){buffer->data ? buffer->data : "", buffer->len};
}

char *lf_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    return len < 0 ? NULL : text;
}

size_t lf_utf8_first(const char *text, uint32_t *code)
{
    const unsigned char *c = (const unsigned char *)text;
    size_t len = c[0] < 0xC0 ? 1 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;
    *code = len == 1 ? c[0] : c[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++)
        *code = *code << 6 | (c[i] & 0x3Fu);
    return len;
}

bool lf_character_misleads(uint32_t code)
{
    /* Unicode: control and format characters, line separators, and letters that are blank. */
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0, 0x1F},          {0x7F, 0x9F},      {0xAD, 0xAD},       {0x34F, 0x34F},
                  {0x600, 0x605},     {0x61C, 0x61C},    {0x6DD, 0x6DD},     {0x70F, 0x70F},
                  {0x115F, 0x1160},   {0x17B4, 0x17B5},  {0x180B, 0x180F},   {0x200B, 0x200F},
                  {0x2028, 0x202E},   {0x2060, 0x206F},  {0x3164, 0x3164},   {0xFEFF, 0xFEFF},
                  {0xFFA0, 0xFFA0},   {0xFFF9, 0xFFFB},  {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3},
                  {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

/* How many bytes from here on are shown as \xNN; 0: the character is shown as it is. */
static size_t hidden_bytes(const char *text, bool utf8)
{
    uint32_t code = (unsigned char)*text;
    size_t len = utf8 ? lf_utf8_first(text, &code) : 1;
    return lf_character_misleads(code) || (!utf8 && code >= 0x80) ? len : 0;
}

void lf_text_show(const char *text, char *shown, size_t room)
{
    bool utf8 = lf_utf8_valid(lf_slice_text(text));
    size_t used = 0, hidden = 0;
    for (; *text; text++) {
        if (!hidden && (!utf8 || ((unsigned char)*text & 0xC0) != 0x80))
            hidden = hidden_bytes(text, utf8);
        if (used + (hidden ? 4 : 1) >= room)
            break;
        if (hidden)
            used += (size_t)snprintf(shown + used, room - used, "\\x%02X", (unsigned char)*text);
        else
            shown[used++] = *text;
        hidden -= hidden > 0;
    }
    for (; utf8 && !hidden && ((unsigned char)*text & 0xC0) == 0x80; text--)
        used--;
    shown[used] = '\0';
}
