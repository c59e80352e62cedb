/* A file goes through in chunks: drop the byte order mark -> line ends -> encoding -> write and digest.
 *
 * State between chunks: a CR at the end of one (is it half of a CR LF?) and up to 3 bytes of a cut-off
 * character. */
#include "convert.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, CHARACTER_MAX = 4 };

static const iconv_t NO_ICONV = (iconv_t)-1;
static const char BYTE_ORDER_MARK[] = "\xEF\xBB\xBF";

struct convert {
    int to;
    enum lf_eol eol;
    iconv_t iconv;
    const char *target;
    struct lf_digest *digest;
    int64_t size, line;
    bool carriage;                              /* the last byte in was a CR that has not been written yet */
    char middle[2 * CHUNK + CHARACTER_MAX + 2]; /* after line ends; begins with a cut-off character */
    size_t middle_len;
    char out[2 * CHUNK];
};

static const char *target_of(enum folder_encoding encoding)
{
    switch (encoding) {
    case LF_ENCODING_UTF8_BOM: return "UTF-8"; /* to itself: refuses what is not UTF-8 */
    case LF_ENCODING_WINDOWS_1252: return "WINDOWS-1252";
    default: return NULL;
    }
}

enum lf_status folder__convert_check(enum folder_encoding encoding, struct lf_error *err)
{
    const char *target = target_of(encoding);
    if (!target)
        return LF_OK;
    iconv_t iconv = iconv_open(target, "UTF-8");
    if (iconv == NO_ICONV)
        return lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT,
                       "this system cannot convert UTF-8 to %s: its C library lacks the "
                       "conversion tables (gconv)",
                       target);
    iconv_close(iconv);
    return LF_OK;
}

static enum lf_status put(struct convert *c, const char *data, size_t len, struct lf_error *err)
{
    lf_digest_add(c->digest, data, len);
    c->size += (int64_t)len;
    return lf_file_write_all(c->to, data, len, err);
}

static void line_ends(struct convert *c, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char byte = data[i];
        if (c->carriage && !(byte == '\n' && c->eol == LF_EOL_LF))
            c->middle[c->middle_len++] = '\r';
        if (byte == '\n' && c->eol == LF_EOL_CRLF && !c->carriage)
            c->middle[c->middle_len++] = '\r';
        c->carriage = byte == '\r' && c->eol != LF_EOL_KEEP;
        if (!c->carriage)
            c->middle[c->middle_len++] = byte;
    }
}

/* Counts lines, up to the first that is not UTF-8: false then. glibc's iconv takes code points beyond
 * Unicode. */
static bool count_lines(struct convert *c, const char *from, const char *to)
{
    while (from < to) {
        const char *end = memchr(from, '\n', (size_t)(to - from));
        if (!lf_utf8_valid(lf_slice(from, (size_t)((end ? end : to) - from))))
            return false;
        c->line += end != NULL;
        from = end ? end + 1 : to;
    }
    return true;
}

static enum lf_status refuse(const struct convert *c, bool no_place, struct lf_error *err)
{
    if (no_place)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                       "line %lld has a character that %s cannot hold: change the file "
                       "or the instrument's encoding setting",
                       (long long)c->line, c->target);
    return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                   "line %lld is not valid UTF-8, so it cannot be converted to %s: set "
                   "encoding = \"keep\" to deliver the bytes as they are",
                   (long long)c->line, c->target);
}

/* Writes out what is in the middle; `last` says that nothing follows. */
static enum lf_status flush(struct convert *c, bool last, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    if (c->iconv == NO_ICONV) {
        status = put(c, c->middle, c->middle_len, err);
        c->middle_len = 0;
        return status;
    }
    char *in = c->middle;
    size_t left = c->middle_len;
    while (left) {
        char *out = c->out, *before = in;
        size_t room = sizeof c->out;
        size_t lossy = iconv(c->iconv, &in, &left, &out, &room);
        int reason = lossy == (size_t)-1 ? errno : 0;
        if (!count_lines(c, before, in))
            return refuse(c, false, err);
        status = put(c, c->out, (size_t)(out - c->out), err);
        if (status != LF_OK)
            return status;
        if (reason == EILSEQ) {
            /* The C library says the same for broken UTF-8 and for a character without a place: tell by
             * trying. */
            char none[CHARACTER_MAX + 1];
            size_t len = left < CHARACTER_MAX ? left : CHARACTER_MAX;
            memcpy(none, in, len);
            none[len] = '\0';
            bool whole = false;
            for (size_t i = 1; i <= len && !whole; i++)
                whole = lf_utf8_valid(lf_slice(none, i));
            return refuse(c, whole, err);
        }
        if (lossy != (size_t)-1 && lossy > 0)
            return refuse(c, true, err);
        if (reason == EINVAL && (last || left >= CHARACTER_MAX))
            return refuse(c, false, err);
        if (reason == EINVAL)
            break;
    }
    memmove(c->middle, in, left);
    c->middle_len = left;
    return LF_OK;
}

static enum lf_status run(struct convert *c, int from, const struct lf_cancel *cancel, char *chunk,
                          struct lf_error *err)
{
    enum lf_status status = LF_OK;
    for (int64_t at = 0; status == LF_OK;) {
        if (lf_cancel_is_set(cancel))
            return lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "asked to stop while converting a file");
        ssize_t got = pread(from, chunk, CHUNK, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lf_fail_errno(err, "cannot read");
        if (got == 0)
            break;
        size_t skip = 0;
        if (at == 0 && c->iconv != NO_ICONV && got >= 3 && !memcmp(chunk, BYTE_ORDER_MARK, 3))
            skip = 3;
        at += got;
        line_ends(c, chunk + skip, (size_t)got - skip);
        status = flush(c, false, err);
    }
    if (status == LF_OK && c->carriage) {
        c->middle[c->middle_len++] = '\r';
        c->carriage = false;
    }
    return status == LF_OK ? flush(c, true, err) : status;
}

enum lf_status folder__convert_copy(int from, int to, enum lf_eol eol, enum folder_encoding encoding,
                                    const struct lf_cancel *cancel, char *sha256, int64_t *size,
                                    struct lf_error *err)
{
    enum lf_status status = LF_OK;
    struct convert *c = calloc(1, sizeof *c);
    char *chunk = malloc(CHUNK);
    if (c) {
        c->to = to;
        c->eol = eol;
        c->iconv = NO_ICONV;
        c->target = target_of(encoding);
        c->line = 1;
        c->digest = lf_digest_new(LF_SHA256);
    }
    if (!c || !chunk || !c->digest) {
        status = lf_fail_memory(err, "converting a file");
        goto done;
    }
    if (c->target && (c->iconv = iconv_open(c->target, "UTF-8")) == NO_ICONV) {
        status = folder__convert_check(encoding, err);
        goto done;
    }
    if (encoding == LF_ENCODING_UTF8_BOM && (status = put(c, BYTE_ORDER_MARK, 3, err)) != LF_OK)
        goto done;
    status = run(c, from, cancel, chunk, err);
    if (status != LF_OK)
        goto done;
    lf_digest_finish(c->digest, sha256);
    c->digest = NULL;
    *size = c->size;
done:
    if (c) {
        lf_digest_free(c->digest);
        if (c->iconv != NO_ICONV)
            iconv_close(c->iconv);
    }
    free(c);
    free(chunk);
    return status;
}
