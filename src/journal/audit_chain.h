/* Inside the journal: the chain of the audit trail, independent of where it is stored. */
#ifndef LF_JOURNAL_AUDIT_CHAIN_H
#define LF_JOURNAL_AUDIT_CHAIN_H

#include "journal/audit.h"

#define AUDIT_GENESIS "0000000000000000000000000000000000000000000000000000000000000000"

/* The digest that the entry should have (entry->hash is ignored). */
enum lf_status journal__audit_hash(const struct lf_audit_entry *entry, char hash[LF_SHA256_HEX],
                                   struct lf_error *err);

/* Checks a trail entry by entry, in order. Start with {.noted = ..., .verdict = ...}. */
struct audit_check {
    const struct lf_audit_head *noted; /* may be NULL */
    struct lf_audit_verdict *verdict;  /* zeroed before; filled step by step */
    bool noted_seen;
    int64_t keep_ms;           /* or LF_AUDIT_KEEP_UNKNOWN */
    bool anchored;             /* an entry "pruned" accounts for what is missing at the start */
    int64_t claimed;           /* an entry "pruned" says so and is not believed; 0: none */
    int64_t first_ms;          /* when the first entry was written */
    char start[LF_SHA256_HEX]; /* prev of the first entry */
};

/* LF_CORRUPT: does not fit. */
enum lf_status journal__audit_check_entry(struct audit_check *check, const struct lf_audit_entry *entry,
                                          struct lf_error *err);
/* An entry has more in it than its digest covers. Returns LF_CORRUPT. */
enum lf_status journal__audit_more(struct audit_check *check, int64_t seq, struct lf_error *err);
/* After the last entry: is it the right one? kept NULL: the end is unknown. */
enum lf_status journal__audit_check_end(struct audit_check *check, const struct lf_audit_head *kept,
                                        struct lf_error *err);

#endif
