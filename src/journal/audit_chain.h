/* Inside the journal: the chain of the audit trail, whatever it is stored in. */
#ifndef LF_JOURNAL_AUDIT_CHAIN_H
#define LF_JOURNAL_AUDIT_CHAIN_H

#include "journal/audit.h"

#define AUDIT_GENESIS "0000000000000000000000000000000000000000000000000000000000000000"

/* The digest that the entry should have (entry->hash is not looked at). */
enum lf_status journal__audit_hash(const struct lf_audit_entry *entry, char hash[LF_SHA256_HEX],
                                   struct lf_error *err);

/* Goes along a trail, entry by entry in its order. Start with {.noted = ..., .verdict = ...}. */
struct audit_check {
    const struct lf_audit_head *noted; /* may be NULL */
    struct lf_audit_verdict *verdict;  /* zeroed; filled on the way */
    bool noted_seen;
    bool anchored;             /* "pruned" told of what is missing at the start */
    char start[LF_SHA256_HEX]; /* prev of the first entry */
};

/* LF_CORRUPT: does not fit. */
enum lf_status journal__audit_check_entry(struct audit_check *check, const struct lf_audit_entry *entry,
                                          struct lf_error *err);
/* After the last: is it the end that it should be? kept NULL: no end is known. */
enum lf_status journal__audit_check_end(struct audit_check *check, const struct lf_audit_head *kept,
                                        struct lf_error *err);

#endif
