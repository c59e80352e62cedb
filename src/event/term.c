#include "event/term.h"

#include "os/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void event__term_clear(struct lf_term *term)
{
    for (size_t i = 0; i < term->none_of_count; i++)
        event__term_clear(&term->none_of[i]);
    free(term->none_of);
    free(term->text);
    free(term->pieces);
    event__fold_clear(&term->fold);
    *term = (struct lf_term){0};
}

/* Four decimal numbers up to 255, leading zeros allowed: what event patterns take for an IPv4 address. */
static bool address_v4(const char *text, unsigned char bytes[16])
{
    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        size_t digits = strspn(text, "0123456789");
        if (digits == 0)
            return false;
        for (; digits > 0; digits--, text++) {
            value = value * 10 + (unsigned)(*text - '0');
            if (value > 255)
                return false;
        }
        bytes[i] = (unsigned char)value;
        if (*text++ != (i < 3 ? '.' : '\0'))
            return false;
    }
    return true;
}

size_t event__term_address(const char *text, unsigned char bytes[16])
{
    if (address_v4(text, bytes))
        return 4;
    if (!strchr(text, ':') || text[strspn(text, "0123456789abcdefABCDEF:")])
        return 0;
    return lf_net_parse(text, bytes);
}

static bool in_cidr(const struct lf_term_cidr *cidr, const char *text)
{
    unsigned char bytes[16];
    size_t len = event__term_address(text, bytes);
    return len != 0 && len == cidr->len && memcmp(bytes, cidr->low, len) >= 0
           && memcmp(bytes, cidr->high, len) <= 0;
}

static bool in_range(const struct lf_term_range *range, double value)
{
    if (!(fabs(value) <= LF_TERM_NUMBER_MAX))
        return false;
    bool above = range->low_open ? value > range->low : value >= range->low;
    bool below = range->high_open ? value < range->high : value <= range->high;
    return above && below;
}

/* Each piece is searched for from where the one before ended; taking the first place is always right, since
 * what comes after it is only a '*'. So the time grows with the text, not with the number of '*'. */
static bool matches_wildcard(const struct lf_term *term, const char *text)
{
    size_t left = strlen(text);
    const char *piece = term->text;
    size_t first = term->pieces[0], last = term->pieces[term->piece_count - 1];
    if (term->piece_count == 1)
        return left == first && !memcmp(text, piece, first);
    if (left < first + last || memcmp(text, piece, first) != 0
        || memcmp(text + left - last, term->text + term->len - last, last) != 0)
        return false;
    text += first;
    piece += first;
    left -= first + last;
    for (size_t i = 1; i + 1 < term->piece_count; i++) {
        const char *found = lf_slice_find(lf_slice(text, left), lf_slice(piece, term->pieces[i]));
        if (!found)
            return false;
        found += term->pieces[i];
        left -= (size_t)(found - text);
        text = found;
        piece += term->pieces[i];
    }
    return true;
}

static bool matches_text(const struct lf_term *term, const char *text)
{
    size_t len;
    switch (term->kind) {
    case LF_TERM_TEXT: return !strcmp(text, term->text);
    case LF_TERM_PREFIX: return !strncmp(text, term->text, term->len);
    case LF_TERM_SUFFIX:
        len = strlen(text);
        return len >= term->len && !memcmp(text + len - term->len, term->text, term->len);
    case LF_TERM_IGNORE_CASE: return event__fold_equals(&term->fold, text);
    case LF_TERM_PREFIX_IGNORE_CASE: return event__fold_starts(&term->fold, text);
    case LF_TERM_SUFFIX_IGNORE_CASE: return event__fold_ends(&term->fold, text);
    case LF_TERM_WILDCARD: return matches_wildcard(term, text);
    case LF_TERM_CIDR: return in_cidr(&term->cidr, text);
    default: return false;
    }
}

bool event__term_matches(const struct lf_term *term, const cJSON *value)
{
    switch (term->kind) {
    case LF_TERM_EXISTS: return true;
    case LF_TERM_ABSENT: return false;
    case LF_TERM_NONE_OF:
        for (size_t i = 0; i < term->none_of_count; i++)
            if (event__term_matches(&term->none_of[i], value))
                return false;
        return true;
    case LF_TERM_TRUE: return cJSON_IsTrue(value);
    case LF_TERM_FALSE: return cJSON_IsFalse(value);
    case LF_TERM_NULL: return cJSON_IsNull(value);
    case LF_TERM_NUMBER:
        return cJSON_IsNumber(value) && value->valuedouble >= term->number
               && value->valuedouble <= term->number;
    case LF_TERM_RANGE: return cJSON_IsNumber(value) && in_range(&term->range, value->valuedouble);
    default: return cJSON_IsString(value) && matches_text(term, value->valuestring);
    }
}
