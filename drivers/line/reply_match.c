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
#include <strings.h>

/* GROUP_SEPARATOR ends a field of variable length in GS1 barcodes: it belongs to their text. */
enum { NUMBER_MAX = 60, GROUP_SEPARATOR = 0x1D };

struct match {
    const struct lf_line_profile *profile;
    const struct lf_line_pattern *pattern;
    struct lf_slice line;
    bool keeps; /* values are wanted: what stands for one that there is not must be noticed */
    struct lf_slice found[LF_PROFILE_PARTS_MAX]; /* what each part matched */
    unsigned char *failed;                       /* one bit for each (part, place) */
};

/* How many characters of this kind there are from `at` on. */
static size_t run(struct lf_slice text, size_t at, int (*is)(int))
{
    size_t start = at;
    while (at < text.len && is((unsigned char)text.data[at]))
        at++;
    return at - start;
}

/* ---- numbers ---- */

static size_t sign_at(struct lf_slice text, size_t at)
{
    return at < text.len && (text.data[at] == '+' || text.data[at] == '-');
}

static size_t exponent_at(struct lf_slice text, size_t at)
{
    if (at >= text.len || (text.data[at] != 'e' && text.data[at] != 'E'))
        return 0;
    size_t before = 1 + sign_at(text, at + 1), digits = run(text, at + before, isdigit);
    return digits ? before + digits : 0;
}

/* Length of the number at the front of text, 0 if there is none. Some balances put blanks after the sign:
 * `gap`. */
static size_t number_length(struct lf_slice text, bool real, bool gap, char decimal)
{
    size_t at = sign_at(text, 0), fraction = 0;
    at += gap ? run(text, at, isblank) : 0;
    size_t whole = run(text, at, isdigit);
    at += whole;
    if (real && at < text.len && text.data[at] == decimal) {
        fraction = run(text, at + 1, isdigit);
        at += whole || fraction ? 1 + fraction : 0;
    }
    if (!whole && !fraction)
        return 0;
    return at + (real ? exponent_at(text, at) : 0);
}

/* Without plus sign, blanks and leading zeros, with '.' as decimal sign. */
static void canonical(struct lf_slice text, char decimal, char *room)
{
    size_t at = sign_at(text, 0), used = 0;
    if (text.data[0] == '-')
        room[used++] = '-';
    at += run(text, at, isblank);
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

/* ---- what is not a value ---- */

static bool begins_with(struct lf_slice text, const char *word)
{
    size_t len = strlen(word);
    return len <= text.len && !strncasecmp(text.data, word, len);
}

/* Length of the longest word at the front of text that stands for a number that there is not; 0: none. */
static size_t no_value_length(const struct match *match, struct lf_slice text)
{
    const struct lf_line_no_values *none = &match->profile->no_values;
    size_t longest = 0;
    for (size_t i = 0; match->keeps && i < none->count; i++)
        if (!none->items[i].is_number && begins_with(text, none->items[i].said)
            && strlen(none->items[i].said) > longest)
            longest = strlen(none->items[i].said);
    return longest;
}

/* Instruments with short mantissas print 9.9E37 as 9.89999994E+37. */
static bool same_number(double a, double b)
{
    return fabs(fabs(a) - fabs(b)) <= fabs(b) * 1e-6;
}

/* The rule that says that this is not a value; NULL: it is one. */
static const struct lf_line_no_value *no_value(const struct match *match, const struct lf_line_part *part,
                                               struct lf_slice text)
{
    const struct lf_line_no_values *none = &match->profile->no_values;
    char room[NUMBER_MAX + 4];
    bool word = no_value_length(match, text) == text.len;
    if (!word && !number_value(match, part, text, room))
        return NULL;
    for (size_t i = 0; i < none->count; i++)
        if (none->items[i].is_number
                ? !word && same_number(strtod(room, NULL), none->items[i].number)
                : strlen(none->items[i].said) == text.len && begins_with(text, none->items[i].said))
            return &none->items[i];
    return NULL;
}

/* ---- text ---- */

static bool text_char(const struct match *match, const struct lf_line_part *part, char c)
{
    unsigned char byte = (unsigned char)c;
    if (part->type == LF_VALUE_DATA)
        return true;
    if (byte == '\t')
        return part->type == LF_VALUE_TEXT;
    if (byte == GROUP_SEPARATOR)
        return true;
    if (byte < 0x20 || byte == 0x7f || (part->type == LF_VALUE_WORD && byte == ' '))
        return false;
    if (byte < 0x80)
        return true;
    return match->profile->encoding == LF_ENCODING_UTF8
           || (match->profile->encoding == LF_ENCODING_LATIN1 && byte >= 0xA0);
}

static bool is_encoded(const struct match *match, const struct lf_line_part *part, struct lf_slice text)
{
    return part->type == LF_VALUE_DATA || match->profile->encoding != LF_ENCODING_UTF8 || lf_utf8_valid(text);
}

static bool text_fits(const struct match *match, const struct lf_line_part *part, struct lf_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!text_char(match, part, text.data[i]))
            return false;
    return (text.len || part->type != LF_VALUE_WORD) && is_encoded(match, part, text);
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

/* Length of the number or word at the front of text, 0 if there is none. */
static size_t value_length(const struct match *match, const struct lf_line_part *part, struct lf_slice text,
                           bool gap)
{
    char room[NUMBER_MAX + 4], decimal = match->profile->decimal_comma ? ',' : '.';
    if (part->choice_count) {
        const struct lf_line_choice *choice = choice_at(part, text);
        return choice ? choice->said.len : 0;
    }
    size_t len = part->type == LF_VALUE_HEX ? run(text, 0, isxdigit)
                                            : number_length(text, part->type == LF_VALUE_REAL, gap, decimal);
    size_t none = no_value_length(match, text);
    if (none > len)
        return none;
    return len && number_value(match, part, lf_slice(text.data, len), room) ? len : 0;
}

/* A value in a column of fixed width. A line that lost its trailing blanks may be shorter, unless the value
 * ends its column. */
static bool fit_column(struct match *match, size_t index, size_t at, size_t *to)
{
    const struct lf_line_part *part = &match->pattern->parts[index];
    struct lf_slice text = lf_slice(match->line.data + at, match->line.len - at);
    if (text.len > part->width)
        text.len = part->width;
    *to = at + text.len;
    if (part->right && (text.len < part->width || isblank((unsigned char)text.data[text.len - 1])))
        return false;
    if (part->type != LF_VALUE_DATA) {
        size_t blanks = run(text, 0, isblank);
        text = lf_slice(text.data + blanks, text.len - blanks);
        while (text.len && isblank((unsigned char)text.data[text.len - 1]))
            text.len--;
    }
    match->found[index] = text;
    if (is_number(part) || part->choice_count)
        return text.len && value_length(match, part, text, true) == text.len;
    return text_fits(match, part, text);
}

/* Any part but free text. */
static bool fit(struct match *match, size_t index, size_t at, size_t *to)
{
    const struct lf_line_part *part = &match->pattern->parts[index];
    struct lf_slice rest = lf_slice(match->line.data + at, match->line.len - at);
    size_t len;
    if (part->kind == LF_PART_VALUE && part->width)
        return fit_column(match, index, at, to);
    if (part->kind == LF_PART_BYTES)
        len = part->bytes.len <= rest.len && !memcmp(part->bytes.data, rest.data, part->bytes.len)
                  ? part->bytes.len
                  : 0;
    else
        len = part->kind == LF_PART_BLANKS ? run(rest, 0, isblank) : value_length(match, part, rest, false);
    if (!len && (part->kind != LF_PART_BLANKS || rest.len))
        return false; /* blanks may be missing at the end of the line */
    match->found[index] = lf_slice(rest.data, len);
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
        struct lf_slice text = lf_slice(match->line.data + at, to - at);
        if (text.len || part->type != LF_VALUE_WORD) {
            if (bit(match, index, to, false))
                return false; /* tried before, without success */
            if (match_from(match, index + 1, to) && is_encoded(match, part, text)) {
                match->found[index] = text;
                return true;
            }
            bit(match, index, to, true);
        }
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

static enum lf_status append_text(const struct match *match, const struct lf_line_part *part,
                                  struct lf_slice text, struct lf_buffer *out)
{
    enum lf_status status = lf_buffer_text(out, ""); /* not NULL even without text */
    if (part->type == LF_VALUE_DATA)
        return lf_base64_append(out, text.data, text.len);
    for (size_t i = 0; i < text.len && status == LF_OK; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        char two[2] = {(char)(0xC0 | byte >> 6), (char)(0x80 | (byte & 0x3F))};
        bool latin = byte >= 0x80 && match->profile->encoding == LF_ENCODING_LATIN1;
        status = lf_buffer_append(out, latin ? two : (const char *)&byte, latin ? 2 : 1);
    }
    return status;
}

enum lf_capture_type line__capture_type(const struct lf_line_part *part)
{
    static const enum lf_capture_type types[LF_VALUE_ONE + 1] = {[LF_VALUE_INT] = LF_CAPTURE_INT,
                                                                 [LF_VALUE_HEX] = LF_CAPTURE_INT,
                                                                 [LF_VALUE_REAL] = LF_CAPTURE_REAL,
                                                                 [LF_VALUE_BOOL] = LF_CAPTURE_BOOL};
    return types[part->type];
}

static enum lf_status keep(const struct match *match, size_t index, struct lf_outcome *values,
                           struct lf_error *err)
{
    const struct lf_line_part *part = &match->pattern->parts[index];
    struct lf_slice text = match->found[index];
    struct lf_buffer out = {0};
    char room[NUMBER_MAX + 4];
    enum lf_status status = LF_OK;
    if (is_number(part))
        number_value(match, part, text, room);
    else if (!part->choice_count)
        status = append_text(match, part, text, &out);
    const char *value = part->choice_count ? choice_at(part, text)->means : is_number(part) ? room : out.data;
    if (status == LF_OK)
        status = lf_outcome_add(values, part->name, line__capture_type(part), value, err);
    else
        lf_fail_memory(err, "keeping a captured value");
    lf_buffer_free(&out);
    return status;
}

/* A captured 9.9E37 would be reported as a measurement. */
static enum lf_status refuse_no_values(const struct match *match, struct lf_error *err)
{
    for (size_t i = 0; i < match->pattern->count; i++) {
        const struct lf_line_part *part = &match->pattern->parts[i];
        const struct lf_line_no_value *none = is_number(part) ? no_value(match, part, match->found[i]) : NULL;
        if (none)
            return lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON, "'%s' is not a value%s%s", none->said,
                           none->message ? ": " : "", none->message ? none->message : "");
    }
    return LF_OK;
}

enum lf_status line__reply_pattern_match(const struct lf_line_profile *profile,
                                         const struct lf_line_pattern *pattern, struct lf_slice line,
                                         struct lf_outcome *values, struct lf_error *err)
{
    struct match match = {.profile = profile, .pattern = pattern, .line = line, .keeps = values != NULL};
    match.failed = calloc(1, pattern->count * (line.len + 1) / 8 + 1);
    if (!match.failed)
        return lf_fail_memory(err, "reading a reply");
    enum lf_status status = match_from(&match, 0, 0) ? LF_OK : LF_MISMATCH;
    if (values && status == LF_OK)
        status = refuse_no_values(&match, err);
    for (size_t i = 0; values && status == LF_OK && i < pattern->count; i++)
        if (pattern->parts[i].name)
            status = keep(&match, i, values, err);
    free(match.failed);
    return status;
}

enum lf_status line__reply_first_match(const struct lf_line_profile *profile,
                                       const struct lf_line_patterns *patterns, struct lf_slice line,
                                       struct lf_outcome *values, struct lf_error *err)
{
    enum lf_status status = LF_MISMATCH;
    for (size_t i = 0; i < patterns->count && status == LF_MISMATCH; i++)
        status = line__reply_pattern_match(profile, &patterns->items[i], line, values, err);
    return status;
}

void line__drop_values(struct lf_outcome *values, size_t keep)
{
    while (values->count > keep) {
        struct lf_capture *last = &values->captures[--values->count];
        free(last->name);
        free(last->value);
    }
}

const char *line__last_value(const struct lf_outcome *values, const char *name)
{
    for (size_t i = values->count; i-- > 0;)
        if (!strcmp(values->captures[i].name, name))
            return values->captures[i].value;
    return NULL;
}
