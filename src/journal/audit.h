/* The audit trail: what was received, asked for, done and decided, with who and when.
 *
 * An entry is written in the same transaction as what it records: neither exists without the other. Each
 * entry holds the SHA-256 of the one before and its own, over
 *
 *     labferry-audit-1 LF
 *     for prev, seq, at, who, what, about, text, in this order: its length in bytes ':' its bytes LF
 *
 * (seq in decimal, at in RFC 3339 with milliseconds, both digests in lower-case hex; prev of entry 1 is 64
 * zeros). So any entry that is changed, replaced, removed, inserted or moved breaks the chain, and
 * lf_journal_audit_verify names it. The newest digest, the *head*, is also kept beside the table, which
 * reveals a cut at the end; new entries follow that kept head and not the table, so that a cut stays visible.
 * Anyone who may write the database could compute a new chain: only a head noted elsewhere (the retained MQTT
 * message on .../audit, an export, a note on paper) proves that nobody did; verifying takes one.
 *
 * Entries are removed only if agent.audit_keep is set: an entry "pruned" with the digest of the last one then
 * anchors the rest. The newest of the old entries stays, as the first of the rest, so that its date shows
 * that all before it were old enough. Such an entry is worth no more than that: it must be old enough by
 * agent.audit_keep where that is known, or not be newer than a noted head, which then vouches for it. SQLite
 * triggers catch changes and removals by our own mistakes. Any thread may call.
 */
#ifndef LF_JOURNAL_AUDIT_H
#define LF_JOURNAL_AUDIT_H

#include "base/digest.h"
#include "journal/journal.h"

#include <stdio.h>

struct lf_audit_entry {
    int64_t seq;       /* 1, 2, 3 ... without gaps */
    const char *at;    /* wall clock */
    const char *who;   /* "agent", "cli:maria", "mqtt:ID of the command", "mqtt:maria (ID)" */
    const char *what;  /* one of lf_audit_kind_at */
    const char *about; /* "job 12", the id of an event, the name of an instrument; may be empty */
    const char *text;
    const char *prev, *hash;
};

/* The kinds of entries; NULL after the last. */
const char *lf_audit_kind_at(int index);

enum { LF_AUDIT_TEXT_MAX = 2000, LF_AUDIT_NAME_MAX = 200 }; /* bytes; longer ones are cut */

struct lf_audit_head {
    int64_t seq; /* 0: no entry yet */
    char hash[LF_SHA256_HEX];
};

/* about and text may be NULL. Bytes that are not UTF-8 become '?'. */
enum lf_status lf_journal_audit_add(struct lf_journal *journal, const char *who, const char *what,
                                    const char *about, const char *text, struct lf_error *err);

struct lf_audit_filter {
    const char *about, *what; /* NULL: any */
    int64_t since_ms;         /* wall; 0: any */
    int64_t from;             /* without about: the first ones from this seq on; 0: the last ones */
    int limit;
};
/* Oldest first; each gets a borrowed entry. */
enum lf_status lf_journal_audit_list(struct lf_journal *journal, const struct lf_audit_filter *filter,
                                     void (*each)(void *context, const struct lf_audit_entry *entry),
                                     void *context, struct lf_error *err);
enum lf_status lf_journal_audit_head(struct lf_journal *journal, struct lf_audit_head *head,
                                     struct lf_error *err);
/* Is that the digest of our entry? Also true for an entry that was pruned. */
enum lf_status lf_journal_audit_has(struct lf_journal *journal, const struct lf_audit_head *head, bool *has,
                                    struct lf_error *err);
/* The number of the newest entry when the journal was opened, and of the last action begun since (0: none).
 */
int64_t lf_journal_audit_opened(const struct lf_journal *journal);
int64_t lf_journal_audit_acted(struct lf_journal *journal);
/* Removes entries older than keep_ms (0: none), at most LF_AUDIT_PRUNE_MAX at a time. *dropped counts them.
 */
enum { LF_AUDIT_PRUNE_MAX = 1000 };
enum lf_status lf_journal_audit_prune(struct lf_journal *journal, int64_t keep_ms, int64_t *dropped,
                                      struct lf_error *err);

/* ---- verifying ---- */

struct lf_audit_verdict {
    int64_t first, count; /* entries that were read */
    int64_t wrong;        /* the first entry that does not fit; 0: all fit */
    struct lf_audit_head head;
};

/* LF_OK: complete and unchanged. LF_CORRUPT: err names the first entry that does not fit. noted (NULL: none):
 * a head noted earlier that must still be there. keep_ms: agent.audit_keep. Other threads may write
 * meanwhile. */
enum { LF_AUDIT_KEEP_UNKNOWN = -1 };
enum lf_status lf_journal_audit_verify(struct lf_journal *journal, const struct lf_audit_head *noted,
                                       int64_t keep_ms, struct lf_audit_verdict *verdict,
                                       struct lf_error *err);
/* The same for a file, without an agent: a journal (read only; an agent may be running on it) or
 * an export. */
enum lf_status lf_audit_verify_file(const char *path, const struct lf_audit_head *noted,
                                    struct lf_audit_verdict *verdict, struct lf_error *err);
/* {"entries", "first", "head"}; returns owned, NULL when out of memory. */
cJSON *lf_audit_verdict_json(const struct lf_audit_verdict *verdict);

/* A head as text: "SEQ:HASH". */
enum { LF_AUDIT_HEAD = LF_SHA256_HEX + 24 };
void lf_audit_head_text(const struct lf_audit_head *head, char text[LF_AUDIT_HEAD]);
bool lf_audit_head_parse(const char *text, struct lf_audit_head *head);

/* ---- exports: JSON lines, an entry each, and the head as the last line ---- */

/* Returns owned; NULL when out of memory. */
cJSON *lf_audit_entry_json(const struct lf_audit_entry *entry);
cJSON *lf_audit_end_json(const struct lf_audit_head *head);
/* Writes the trail of a journal file (read only; an agent may be running on it). */
enum lf_status lf_audit_export_file(const char *path, FILE *out, struct lf_audit_head *head,
                                    struct lf_error *err);

#endif
