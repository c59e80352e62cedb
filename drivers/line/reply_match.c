/* A pattern is a row of parts. Fixed bytes, runs of blanks, numbers, words out of a list and values of a
 * given width can match at a place in one way only. Free text takes as little as it can, so the matcher tries
 * its lengths one after the other; `failed` remembers the (part, place) pairs that cannot match, so that none
 * is tried twice. */
#include "drivers/line/reply_match.h"

#include "base/digest.h"
#include "base/json.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 60 };

struct span {
    size_t from, to;
};

struct match {
    const struct lf_line_profile *profile;
    const struct lf_line_pattern *pattern;
    struct lf_slice line;
    struct span spans[LF_PROFILE_PARTS_MAX]; /* where each part matched */
    unsigned char *failed;                   /* one bit for each (part, place) */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- numbers ---- */

static size_t digits_at(struct lf_slice text, size_t at)
{
    size_t start = at;
    while (at < text.len && isdigit((unsigned char)text.data[at]))
        at++;
    return at - start;
}

static size_t exponent_at(struct lf_slice text, size_t at)
{
    size_t start = at;
    if (at >= text.len || (text.data[at] != 'e' && text.data[at] != 'E'))
        return 0;
    at++;
    if (at < text.len && (text.data[at] == '+' || text.data[at] == '-'))
        at++;
    size_t digits = digits_at(text, at);
    return digits ? at + digits - start : 0;
}

/* Length of the number at the front of text, 0 if there is none. Some balances put blanks after the sign:
 * `gap`. */
static size_t number_length(struct lf_slice text, bool real, bool gap, char decimal)
{
    size_t at = 0, whole, fraction = 0;
    if (at < text.len && (text.data[at] == '+' || text.data[at] == '-'))
        at++;
    while (gap && at < text.len && is_blank(text.data[at]))
        at++;
    whole = digits_at(text, at);
    at += whole;
    if (real && at < text.len && text.data[at] == decimal) {
        fraction = digits_at(text, at + 1);
        at += whole || fraction ? 1 + fraction : 0;
    }
    if (!whole && !fraction)
        return 0;
    return at + (real ? exponent_at(text, at) : 0);
}

/* Without plus sign, blanks and leading zeros, with '.' as decimal sign. */
static void canonical(struct lf_slice text, char decimal, char *room)
{
    size_t at = 0, used = 0;
    if (text.data[at] == '-')
        room[used++] = '-';
    while (at < text.len && (text.data[at] == '+' || text.data[at] == '-' || is_blank(text.data[at])))
        at++;
    while (at + 1 < text.len && text.data[at] == '0' && isdigit((unsigned char)text.data[at + 1]))
        at++;
    if (at < text.len && text.data[at] == decimal)
        room[used++] = '0';
    for (; at < text.len; at++) {
        bool point = text.data[at] == decimal;
        if (point && !(at + 1 < text.len && isdigit((unsigned char)text.data[at + 1])))
            continue; /* "100." */
        room[used++] = point ? '.' : text.data[at];
    }
    room[used] = '\0';
}

/* The value of a number as text; false if it does not fit a machine number. Room NUMBER_MAX + 4. */
static bool number_value(const struct match *match, const struct lf_line_part *part, struct lf_slice text,
                         char *room)
{
    if (text.len > NUMBER_MAX)
        return false;
    errno = 0;
    if (part->type == LF_VALUE_HEX) {
        char copy[NUMBER_MAX + 1];
        snprintf(copy, sizeof copy, "%.*s", (int)text.len, text.data);
        unsigned long long number = strtoull(copy, NULL, 16);
        snprintf(room, NUMBER_MAX, "%llu", number);
        return !errno && number <= INT64_MAX;
    }
    canonical(text, match->profile->decimal_comma ? ',' : '.', room);
    if (part->type == LF_VALUE_INT)
        return strtoll(room, NULL, 10), !errno;
    return isfinite(strtod(room, NULL));
}

static size_t hex_length(struct lf_slice text)
{
    size_t at = 0;
    while (at < text.len && isxdigit((unsigned char)text.data[at]))
        at++;
    return at;
}

static bool number_fits(const struct match *match, const struct lf_line_part *part, struct lf_slice text,
                        bool gap, size_t *len)
{
    char room[NUMBER_MAX + 4], decimal = match->profile->decimal_comma ? ',' : '.';
    *len = part->type == LF_VALUE_HEX ? hex_length(text)
                                      : number_length(text, part->type == LF_VALUE_REAL, gap, decimal);
    return *len && number_value(match, part, lf_slice(text.data, *len), room);
}

/* ---- text ---- */

static bool text_char(const struct match *match, const struct lf_line_part *part, char c)
{
    unsigned char byte = (unsigned char)c;
    if (part->type == LF_VALUE_DATA)
        return true;
    if (byte == '\t')
        return part->type == LF_VALUE_TEXT;
    if (byte < 0x20 || byte == 0x7f || (part->type == LF_VALUE_WORD && byte == ' '))
        return false;
    if (byte < 0x80)
        return true;
    return match->profile->encoding == LF_ENCODING_UTF8
           || (match->profile->encoding == LF_ENCODING_LATIN1 && byte >= 0xA0);
}

static bool text_fits(const struct match *match, const struct lf_line_part *part, struct lf_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!text_char(match, part, text.data[i]))
            return false;
    if (part->type == LF_VALUE_TEXT || part->type == LF_VALUE_WORD)
        return (text.len || part->type == LF_VALUE_TEXT)
               && (match->profile->encoding != LF_ENCODING_UTF8 || lf_utf8_valid(text));
    return true;
}

/* The longest of the words at the front of text; NULL when none is there. */
static const struct lf_line_choice *choice_at(const struct lf_line_part *part, struct lf_slice text)
{
    const struct lf_line_choice *best = NULL;
    for (size_t i = 0; i < part->choice_count; i++) {
        const struct lf_line_choice *choice = &part->choices[i];
        if (choice->said.len <= text.len && !memcmp(choice->said.data, text.data, choice->said.len)
            && (!best || choice->said.len > best->said.len))
            best = choice;
    }
    return best;
}

static bool is_number(const struct lf_line_part *part)
{
    return part->type == LF_VALUE_INT || part->type == LF_VALUE_REAL || part->type == LF_VALUE_HEX;
}

static bool is_free(const struct lf_line_part *part)
{
    return part->kind == LF_PART_VALUE && !part->width
           && (part->type == LF_VALUE_TEXT || part->type == LF_VALUE_WORD || part->type == LF_VALUE_DATA);
}

/* ---- one part ---- */

/* A value in a column of fixed width; a line that lost its trailing blanks may be shorter. */
static bool fit_column(struct match *match, size_t index, size_t at, size_t *to)
{
    const struct lf_line_part *part = &match->pattern->parts[index];
    size_t from = at, end = match->line.len - at < part->width ? match->line.len : at + part->width, len;
    const char *data = match->line.data;
    *to = end;
    if (part->type != LF_VALUE_DATA) {
        while (from < end && is_blank(data[from]))
            from++;
        while (end > from && is_blank(data[end - 1]))
            end--;
    }
    struct lf_slice text = lf_slice(data + from, end - from);
    match->spans[index] = (struct span){from, end};
    if (is_number(part))
        return number_fits(match, part, text, true, &len) && len == text.len;
    if (part->choice_count) {
        const struct lf_line_choice *choice = choice_at(part, text);
        return choice && choice->said.len == text.len;
    }
    return text_fits(match, part, text);
}

/* Any part but free text. */
static bool fit(struct match *match, size_t index, size_t at, size_t *to)
{
    const struct lf_line_part *part = &match->pattern->parts[index];
    struct lf_slice rest = lf_slice(match->line.data + at, match->line.len - at);
    size_t len = 0;
    if (part->kind == LF_PART_BYTES) {
        len = part->bytes.len;
        if (len > rest.len || memcmp(part->bytes.data, rest.data, len) != 0)
            return false;
    } else if (part->kind == LF_PART_BLANKS) {
        while (len < rest.len && is_blank(rest.data[len]))
            len++;
        if (!len && rest.len)
            return false;
    } else if (part->width) {
        return fit_column(match, index, at, to);
    } else if (is_number(part)) {
        if (!number_fits(match, part, rest, false, &len))
            return false;
    } else {
        const struct lf_line_choice *choice = choice_at(part, rest);
        if (!choice)
            return false;
        len = choice->said.len;
    }
    match->spans[index] = (struct span){at, at + len};
    *to = at + len;
    return true;
}

/* ---- the line ---- */

static bool bit(struct match *match, size_t index, size_t at, bool set)
{
    size_t which = index * (match->line.len + 1) + at;
    unsigned char mask = (unsigned char)(1u << which % 8);
    bool was = match->failed[which / 8] & mask;
    if (set)
        match->failed[which / 8] |= mask;
    return was;
}

static bool match_from(struct match *match, size_t index, size_t at);

/* Depth is bounded by the number of parts. */
static bool match_free(struct match *match, size_t index, size_t at)
{
    const struct lf_line_part *part = &match->pattern->parts[index];
    for (size_t to = at;; to++) {
        bool long_enough = to > at || part->type != LF_VALUE_WORD;
        if (long_enough && bit(match, index, to, false))
            return false; /* tried before, without success */
        if (long_enough && match_from(match, index + 1, to)) {
            match->spans[index] = (struct span){at, to};
            if (part->type == LF_VALUE_DATA || match->profile->encoding != LF_ENCODING_UTF8
                || lf_utf8_valid(lf_slice(match->line.data + at, to - at)))
                return true;
        }
        if (long_enough)
            bit(match, index, to, true);
        if (to == match->line.len || !text_char(match, part, match->line.data[to]))
            return false;
    }
}

static bool match_from(struct match *match, size_t index, size_t at)
{
    for (; index < match->pattern->count; index++) {
        if (is_free(&match->pattern->parts[index]))
            return match_free(match, index, at);
        if (!fit(match, index, at, &at))
            return false;
    }
    return at == match->line.len;
}

/* ---- values ---- */

static enum lf_status keep_text(const struct match *match, const struct lf_line_part *part,
                                struct lf_slice text, struct lf_outcome *values, struct lf_error *err)
{
    struct lf_buffer out = {0};
    enum lf_status status = lf_buffer_append(&out, "", 0);
    if (part->type == LF_VALUE_DATA)
        status = lf_base64_append(&out, text.data, text.len);
    for (size_t i = 0; part->type != LF_VALUE_DATA && i < text.len && status == LF_OK; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        char two[2] = {(char)(0xC0 | byte >> 6), (char)(0x80 | (byte & 0x3F))};
        bool latin = byte >= 0x80 && match->profile->encoding == LF_ENCODING_LATIN1;
        status = lf_buffer_append(&out, latin ? two : (const char *)&byte, latin ? 2 : 1);
    }
    if (status == LF_OK)
        status = lf_outcome_add(values, part->name, LF_CAPTURE_TEXT, out.data, err);
    else
        lf_fail_memory(err, "keeping a captured value");
    lf_buffer_free(&out);
    return status;
}

static enum lf_status keep(const struct match *match, size_t index, struct lf_outcome *values,
                           struct lf_error *err)
{
    const struct lf_line_part *part = &match->pattern->parts[index];
    struct span span = match->spans[index];
    struct lf_slice text = lf_slice(match->line.data + span.from, span.to - span.from);
    if (is_number(part)) {
        char room[NUMBER_MAX + 4];
        number_value(match, part, text, room);
        return lf_outcome_add(values, part->name,
                              part->type == LF_VALUE_REAL ? LF_CAPTURE_REAL : LF_CAPTURE_INT, room, err);
    }
    if (part->choice_count)
        return lf_outcome_add(values, part->name,
                              part->type == LF_VALUE_BOOL ? LF_CAPTURE_BOOL : LF_CAPTURE_TEXT,
                              choice_at(part, text)->means, err);
    return keep_text(match, part, text, values, err);
}

enum lf_status line__reply_pattern_match(const struct lf_line_profile *profile,
                                         const struct lf_line_pattern *pattern, struct lf_slice line,
                                         struct lf_outcome *values, struct lf_error *err)
{
    struct match match = {.profile = profile, .pattern = pattern, .line = line};
    match.failed = calloc(1, pattern->count * (line.len + 1) / 8 + 1);
    if (!match.failed)
        return lf_fail_memory(err, "reading a reply");
    enum lf_status status = match_from(&match, 0, 0) ? LF_OK : LF_MISMATCH;
    for (size_t i = 0; values && status == LF_OK && i < pattern->count; i++)
        if (pattern->parts[i].name)
            status = keep(&match, i, values, err);
    free(match.failed);
    return status;
}

const char *line__last_value(const struct lf_outcome *values, const char *name)
{
    for (size_t i = values->count; i-- > 0;)
        if (!strcmp(values->captures[i].name, name))
            return values->captures[i].value;
    return NULL;
}
