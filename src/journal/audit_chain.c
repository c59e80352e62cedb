/* The chain: digests, and finding where it is broken. */
#include "journal/audit_chain.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- digests ---- */

static void add_field(struct lf_digest *digest, const char *text)
{
    char len[24];
    size_t bytes = strlen(text);
    int digits = snprintf(len, sizeof len, "%zu:", bytes);
    lf_digest_add(digest, len, (size_t)digits);
    lf_digest_add(digest, text, bytes);
    lf_digest_add(digest, "\n", 1);
}

enum lf_status journal__audit_hash(const struct lf_audit_entry *entry, char hash[LF_SHA256_HEX],
                                   struct lf_error *err)
{
    static const char begin[] = "labferry-audit-1\n";
    char seq[24];
    struct lf_digest *digest = lf_digest_new(LF_SHA256);
    if (!digest)
        return lf_fail_memory(err, "computing a digest of the audit trail");
    snprintf(seq, sizeof seq, "%" PRId64, entry->seq);
    const char *const fields[] = {entry->prev, seq,          entry->at,  entry->who,
                                  entry->what, entry->about, entry->text};
    lf_digest_add(digest, begin, sizeof begin - 1);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        add_field(digest, fields[i]);
    lf_digest_finish(digest, hash);
    return LF_OK;
}

bool lf_audit_head_parse(const char *text, struct lf_audit_head *head)
{
    char *end;
    long long seq = strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != ':' || strlen(end + 1) != LF_SHA256_HEX - 1
        || strspn(end + 1, "0123456789abcdef") != LF_SHA256_HEX - 1)
        return false;
    head->seq = seq;
    memcpy(head->hash, end + 1, LF_SHA256_HEX);
    return true;
}

/* ---- checking ---- */

__attribute__((format(printf, 4, 5))) static enum lf_status
wrong(struct audit_check *check, int64_t seq, struct lf_error *err, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    check->verdict->wrong = seq;
    return lf_fail(err, LF_CORRUPT, LF_NEEDS_PERSON, "the audit trail is broken: %s", text);
}

/* "Entry 7 is" or "entries 7 to 9 are". */
static const char *range(int64_t first, int64_t last, char room[64])
{
    if (first == last)
        snprintf(room, 64, "entry %" PRId64 " is", first);
    else
        snprintf(room, 64, "entries %" PRId64 " to %" PRId64 " are", first, last);
    return room;
}

static enum lf_status check_place(struct audit_check *check, const struct lf_audit_entry *entry,
                                  struct lf_error *err)
{
    const struct lf_audit_head *last = &check->verdict->head;
    char missing[64];
    if (entry->seq < 1)
        return wrong(check, 1, err, "entry 1 is preceded by one with the impossible number %" PRId64,
                     entry->seq);
    if (entry->seq == INT64_MAX) /* no other could follow it */
        return wrong(check, entry->seq, err, "an entry has the impossible number %" PRId64, entry->seq);
    if (check->verdict->count == 0) {
        check->verdict->first = entry->seq;
        snprintf(check->start, sizeof check->start, "%s", entry->prev);
        check->first_ms = INT64_MAX; /* of a date that cannot be read: never old */
        lf_time_parse(entry->at, &check->first_ms);
        check->anchored = entry->seq == 1;
        if (entry->seq == 1 && strcmp(entry->prev, AUDIT_GENESIS) != 0)
            return wrong(check, 1, err, "entry 1 is not the first: it names a predecessor");
        return LF_OK;
    }
    if (entry->seq > last->seq + 1)
        return wrong(check, last->seq + 1, err, "%s missing (removed)",
                     range(last->seq + 1, entry->seq - 1, missing));
    if (entry->seq <= last->seq)
        return wrong(check, entry->seq, err,
                     "entry %" PRId64 " follows entry %" PRId64 ": it was moved or inserted", entry->seq,
                     last->seq);
    if (strcmp(entry->prev, last->hash) != 0)
        return wrong(check, last->seq, err,
                     "entry %" PRId64 " is not the one that entry %" PRId64
                     " was written after: it was changed or replaced together with its digest",
                     last->seq, entry->seq);
    return LF_OK;
}

enum lf_status journal__audit_more(struct audit_check *check, int64_t seq, struct lf_error *err)
{
    return wrong(check, seq, err,
                 "entry %" PRId64 " was changed: it has bytes that its digest does not cover", seq);
}

/* The entry about pruning holds the digest that the first remaining entry names. */
static bool names_start(const struct audit_check *check, const struct lf_audit_entry *entry)
{
    char before[24];
    snprintf(before, sizeof before, "%" PRId64, check->verdict->first - 1);
    return !strcmp(entry->what, "pruned") && !strcmp(entry->about, before)
           && strstr(entry->text, check->start) != NULL;
}

/* Anyone who can write the file can add such an entry. */
static bool is_believed(const struct audit_check *check, const struct lf_audit_entry *entry)
{
    int64_t at = 0, now = lf_clock_best_ms();
    if (check->noted && entry->seq <= check->noted->seq)
        return true;
    if (check->keep_ms == LF_AUDIT_KEEP_UNKNOWN)
        return !check->noted;
    if (check->keep_ms == 0 || lf_time_parse(entry->at, &at) != LF_OK)
        return false;
    return check->first_ms < (at < now ? at : now) - check->keep_ms;
}

static void look_for_anchor(struct audit_check *check, const struct lf_audit_entry *entry)
{
    if (!names_start(check, entry))
        return;
    if (is_believed(check, entry))
        check->anchored = true;
    else
        check->claimed = entry->seq;
}

static enum lf_status start_is_missing(struct audit_check *check, struct lf_error *err)
{
    char missing[64];
    range(1, check->verdict->first - 1, missing);
    if (!check->claimed)
        return wrong(check, 1, err, "%s missing, and no entry says that it was removed", missing);
    if (check->keep_ms == LF_AUDIT_KEEP_UNKNOWN)
        return wrong(
            check, 1, err,
            "%s missing: entry %" PRId64
            " says that it was removed, but is newer than the noted head, which does not vouch for it. "
            "The running agent can tell (`labferry audit-verify`)",
            missing, check->claimed);
    return wrong(check, 1, err,
                 "%s missing: entry %" PRId64 " says that it was removed, but agent.audit_keep %s", missing,
                 check->claimed, check->keep_ms ? "keeps what is that young" : "keeps everything");
}

enum lf_status journal__audit_check_entry(struct audit_check *check, const struct lf_audit_entry *entry,
                                          struct lf_error *err)
{
    char hash[LF_SHA256_HEX];
    enum lf_status status = journal__audit_hash(entry, hash, err);
    if (status != LF_OK)
        return status;
    bool whole = !strcmp(hash, entry->hash);
    /* A moved entry is intact but in the wrong place; the place of a changed one says nothing. */
    if (whole || entry->seq != check->verdict->head.seq + 1)
        status = check_place(check, entry, err);
    if (status == LF_OK && !whole)
        status = wrong(check, entry->seq, err,
                       "entry %" PRId64 " (%.60s) was changed: its content does not match its digest",
                       entry->seq, entry->at);
    if (status != LF_OK)
        return status;
    look_for_anchor(check, entry);
    if (check->noted && check->noted->seq == entry->seq) {
        check->noted_seen = true;
        if (strcmp(check->noted->hash, hash) != 0)
            return wrong(
                check, entry->seq, err,
                "entry %" PRId64
                " does not have the digest noted for it: the trail was rewritten from there or earlier",
                entry->seq);
    }
    check->verdict->head.seq = entry->seq;
    memcpy(check->verdict->head.hash, hash, sizeof hash);
    check->verdict->count++;
    return LF_OK;
}

enum lf_status journal__audit_check_end(struct audit_check *check, const struct lf_audit_head *kept,
                                        struct lf_error *err)
{
    const struct lf_audit_verdict *verdict = check->verdict;
    const struct lf_audit_head *last = &verdict->head;
    char missing[64];
    if (verdict->count && !check->anchored)
        return start_is_missing(check, err);
    if (kept && kept->seq > last->seq)
        return wrong(check, last->seq + 1, err, "%s missing (cut off at the end)",
                     range(last->seq + 1, kept->seq, missing));
    if (kept && kept->seq < last->seq)
        return wrong(check, kept->seq + 1, err, "%s at the end but not written by the agent",
                     range(kept->seq + 1, last->seq, missing));
    if (kept && kept->seq && strcmp(kept->hash, last->hash) != 0)
        return wrong(check, last->seq, err, "entry %" PRId64 " is not the last one that the agent wrote",
                     last->seq);
    if (check->noted && check->noted->seq > last->seq)
        return wrong(check, last->seq + 1, err, "%s missing: the noted head is not there",
                     range(last->seq + 1, check->noted->seq, missing));
    if (check->noted && check->noted->seq && !check->noted_seen)
        return wrong(check, check->noted->seq, err,
                     "entry %" PRId64 ", whose digest was noted, is no longer there", check->noted->seq);
    return LF_OK;
}
