/* A file goes through in chunks: drop the byte order mark -> line ends -> encoding -> write and digest.
 *
 * State between chunks: a CR at the end of one (is it half of a CR LF?) and up to 3 bytes of a cut-off
 * character. */
#include "convert.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64 * 1024, CHARACTER_MAX = 4 };

static const char BYTE_ORDER_MARK[] = "\xEF\xBB\xBF";

struct convert {
    const struct lf_file *to;
    enum lf_eol eol;
    enum folder_encoding encoding;
    struct lf_digest *digest;
    int64_t size, line;
    bool carriage; /* the last byte in was a CR that has not been written yet */
    char in[CHARACTER_MAX + CHUNK], out[2 * (CHARACTER_MAX + CHUNK) + 1];
    size_t in_len, out_len;
};

static enum lf_status write_out(struct convert *c, struct lf_error *err)
{
    enum lf_status status = lf_file_write_at(c->to, c->size, c->out, c->out_len, err);
    lf_digest_add(c->digest, c->out, c->out_len);
    c->size += (int64_t)c->out_len;
    c->out_len = 0;
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "cannot write");
}

static void put(struct convert *c, char byte)
{
    if (c->carriage && !(byte == '\n' && c->eol == LF_EOL_LF))
        c->out[c->out_len++] = '\r';
    if (byte == '\n' && c->eol == LF_EOL_CRLF && !c->carriage)
        c->out[c->out_len++] = '\r';
    c->carriage = byte == '\r' && c->eol != LF_EOL_KEEP;
    if (!c->carriage)
        c->out[c->out_len++] = byte;
}

static enum lf_status refuse(const struct convert *c, bool no_place, struct lf_error *err)
{
    const char *target = c->encoding == LF_ENCODING_UTF8_BOM ? "UTF-8" : "WINDOWS-1252";
    if (no_place)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                       "line %lld has a character that %s cannot hold: change the file or the instrument's "
                       "encoding setting",
                       (long long)c->line, target);
    return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                   "line %lld is not valid UTF-8, so it cannot be converted to %s: set encoding = \"keep\" "
                   "to deliver the bytes as they are",
                   (long long)c->line, target);
}

/* How many bytes a character has, by its first one. */
static size_t length_of(unsigned char first)
{
    return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : CHARACTER_MAX;
}

/* The byte of a valid character in Windows-1252; below 0: it has none. */
static int windows_1252(const char *at, size_t len)
{
    /* What the bytes from 0x80 to 0x9F stand for; 0: nothing. */
    static const uint16_t table[32] = {
        0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
        0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178,
    };
    uint32_t code = (unsigned char)at[0] & (len == 1 ? 0x7Fu : 0x7Fu >> len);
    for (size_t i = 1; i < len; i++)
        code = code << 6 | ((unsigned char)at[i] & 0x3Fu);
    if (code < 0x80 || (code >= 0xA0 && code <= 0xFF))
        return (int)code;
    for (int i = 0; code > 0xFF && i < 32; i++)
        if (table[i] == code)
            return 0x80 + i;
    return -1;
}

static enum lf_status convert_character(struct convert *c, const char *at, size_t len, struct lf_error *err)
{
    int byte = -1;
    if (!lf_utf8_valid(lf_slice(at, len)))
        return refuse(c, false, err);
    if (c->encoding == LF_ENCODING_WINDOWS_1252 && (byte = windows_1252(at, len)) < 0)
        return refuse(c, true, err);
    c->line += at[0] == '\n';
    if (byte >= 0)
        put(c, (char)byte);
    for (size_t i = 0; byte < 0 && i < len; i++)
        put(c, at[i]);
    return LF_OK;
}

/* Converts the input, except a character that is cut off at its end; `last`: nothing follows. */
static enum lf_status convert_chunk(struct convert *c, size_t at, bool last, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    for (size_t len; status == LF_OK && at < c->in_len; at += len) {
        len = c->encoding == LF_ENCODING_KEEP ? 1 : length_of((unsigned char)c->in[at]);
        if (len > c->in_len - at && !last)
            break;
        if (len > c->in_len - at)
            status = refuse(c, false, err);
        else if (c->encoding == LF_ENCODING_KEEP)
            put(c, c->in[at]);
        else
            status = convert_character(c, c->in + at, len, err);
    }
    if (status != LF_OK)
        return status;
    if (last && c->carriage)
        c->out[c->out_len++] = '\r';
    c->in_len -= at;
    memmove(c->in, c->in + at, c->in_len);
    return write_out(c, err);
}

static enum lf_status run(struct convert *c, const struct lf_file *from, const struct lf_cancel *cancel,
                          struct lf_error *err)
{
    enum lf_status status = LF_OK;
    size_t got = CHUNK;
    for (int64_t at = 0; status == LF_OK && got == CHUNK; at += (int64_t)got) {
        if (lf_cancel_is_set(cancel))
            return lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "asked to stop while converting a file");
        if (lf_file_read_at(from, at, c->in + c->in_len, CHUNK, &got, err) != LF_OK)
            return lf_error_prefix(err, "cannot read");
        bool marked = at == 0 && c->encoding != LF_ENCODING_KEEP && got >= 3
                      && !memcmp(c->in, BYTE_ORDER_MARK, 3);
        c->in_len += got;
        status = convert_chunk(c, marked ? 3 : 0, got < CHUNK, err);
    }
    return status;
}

enum lf_status folder__convert_copy(const struct lf_file *from, const struct lf_file *to, enum lf_eol eol,
                                    enum folder_encoding encoding, const struct lf_cancel *cancel,
                                    char *sha256, int64_t *size, struct lf_error *err)
{
    struct convert *c = calloc(1, sizeof *c);
    struct lf_digest *digest = lf_digest_new(LF_SHA256);
    if (!c || !digest) {
        free(c);
        lf_digest_free(digest);
        return lf_fail_memory(err, "converting a file");
    }
    *c = (struct convert){.to = to, .eol = eol, .encoding = encoding, .digest = digest, .line = 1};
    if (encoding == LF_ENCODING_UTF8_BOM)
        for (const char *at = BYTE_ORDER_MARK; *at; at++)
            put(c, *at);
    enum lf_status status = run(c, from, cancel, err);
    *size = c->size;
    free(c);
    if (status == LF_OK)
        lf_digest_finish(digest, sha256);
    else
        lf_digest_free(digest);
    return status;
}
