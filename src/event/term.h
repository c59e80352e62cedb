/* Terms: what one value of an event is compared with. One entry in a pattern's array, such as "x", 3,
 * {"prefix": "a"} or
 * {"anything-but": ["a", "b"]}, is one term. Private to src/event.
 */
#ifndef LF_EVENT_TERM_H
#define LF_EVENT_TERM_H

#include "base/json.h"
#include "event/fold.h"

enum lf_term_kind {
    LF_TERM_TEXT,
    LF_TERM_NUMBER,
    LF_TERM_TRUE,
    LF_TERM_FALSE,
    LF_TERM_NULL,
    LF_TERM_PREFIX,
    LF_TERM_SUFFIX,
    LF_TERM_IGNORE_CASE,
    LF_TERM_PREFIX_IGNORE_CASE,
    LF_TERM_SUFFIX_IGNORE_CASE,
    LF_TERM_WILDCARD,
    LF_TERM_RANGE, /* numeric */
    LF_TERM_CIDR,  /* also a plain text that is an IP address: another spelling of the address matches */
    LF_TERM_EXISTS,
    LF_TERM_ABSENT,  /* {"exists": false}: decided where the field is looked for, never by a value */
    LF_TERM_NONE_OF, /* anything-but */
};

/* Addresses as bytes to compare with memcmp; 4 or 16 bytes. */
struct lf_term_cidr {
    unsigned char low[16], high[16];
    size_t len;
};

struct lf_term_range {
    double low, high;
    bool low_open, high_open; /* open: the bound itself is outside */
};

struct lf_term {
    enum lf_term_kind kind;
    char *text; /* TEXT, PREFIX, SUFFIX; WILDCARD: its literal pieces, unescaped, one after another */
    size_t len;
    struct lf_fold fold; /* the IGNORE_CASE kinds */
    size_t *pieces;      /* WILDCARD: lengths of the pieces between the '*', at least one */
    size_t piece_count;
    double number;
    struct lf_term_range range;
    struct lf_term_cidr cidr;
    struct lf_term *none_of; /* NONE_OF: matches a value that none of these matches */
    size_t none_of_count;
};

/* AWS' ruler compares numbers only within these bounds; others can be equal but are in no range. */
#define LF_TERM_NUMBER_MAX 5e11

/* Does the value (text, number, true, false or null) satisfy the term? */
bool event__term_matches(const struct lf_term *term, const cJSON *value);

/* Reads one entry of a pattern's array into *term (all zero before; end with event__term_clear also on
 * failure). `at` is the path of the entry for messages. LF_INVALID or LF_NO_MEMORY. */
enum lf_status event__term_parse(const cJSON *json, const char *at, struct lf_term *term,
                                 struct lf_error *err);
void event__term_clear(struct lf_term *term);

/* The bytes of an IP address written as text (IPv4 or IPv6): 4 or 16, 0: not an address. */
size_t event__term_address(const char *text, unsigned char bytes[16]);

#endif
