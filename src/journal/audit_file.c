/* The audit trail outside of the agent: exports as JSON lines, and verifying files. */
#include "journal/audit_chain.h"
#include "journal/db.h"

#include "base/file.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 64 * 1024 }; /* an entry has less, however much of it is escaped */

cJSON *lf_audit_entry_json(const struct lf_audit_entry *entry)
{
    cJSON *json = cJSON_CreateObject();
    bool made = lf_json_set_int(json, "seq", entry->seq) && lf_json_set_text(json, "at", entry->at)
                && lf_json_set_text(json, "who", entry->who) && lf_json_set_text(json, "what", entry->what)
                && lf_json_set_text(json, "about", entry->about)
                && lf_json_set_text(json, "text", entry->text) && lf_json_set_text(json, "prev", entry->prev)
                && lf_json_set_text(json, "hash", entry->hash);
    return lf_json_made(json, made);
}

cJSON *lf_audit_end_json(const struct lf_audit_head *head)
{
    cJSON *json = cJSON_CreateObject(), *end = cJSON_CreateObject();
    bool made = lf_json_set_int(end, "seq", head->seq) && lf_json_set_text(end, "hash", head->hash);
    return lf_json_made(json, lf_json_set(json, "audit_end", lf_json_made(end, made)));
}

void lf_audit_head_text(const struct lf_audit_head *head, char text[LF_AUDIT_HEAD])
{
    snprintf(text, LF_AUDIT_HEAD, "%" PRId64 ":%s", head->seq, head->hash);
}

cJSON *lf_audit_verdict_json(const struct lf_audit_verdict *verdict)
{
    cJSON *json = cJSON_CreateObject();
    char head[LF_AUDIT_HEAD];
    lf_audit_head_text(&verdict->head, head);
    return lf_json_made(json, lf_json_set_int(json, "entries", verdict->count)
                                  && lf_json_set_int(json, "first", verdict->first)
                                  && lf_json_set_text(json, "head", head));
}

/* ---- exporting a journal file ---- */

struct writer {
    FILE *out;
    enum lf_status status;
    struct lf_error *err;
};

static void write_entry(void *context, const struct lf_audit_entry *entry)
{
    struct writer *writer = context;
    if (writer->status == LF_OK)
        writer->status = journal__write_line(writer->out, lf_audit_entry_json(entry), writer->err);
}

enum lf_status lf_audit_export_file(const char *path, FILE *out, struct lf_audit_head *head,
                                    struct lf_error *err)
{
    struct lf_journal *journal = NULL;
    struct writer writer = {.out = out, .err = err};
    struct lf_audit_filter all = {.from = 1, .limit = INT_MAX};
    enum lf_status status = journal__open_to_read(path, &journal, err);
    if (status == LF_OK)
        status = lf_journal_audit_list(journal, &all, write_entry, &writer, err);
    if (status == LF_OK)
        status = writer.status;
    if (status == LF_OK)
        status = lf_journal_audit_head(journal, head, err);
    if (status == LF_OK)
        status = journal__write_line(out, lf_audit_end_json(head), err);
    if (status == LF_OK && fflush(out) != 0)
        status = lf_fail_errno(err, "cannot write the export");
    lf_journal_close(journal);
    return status;
}

/* ---- verifying ---- */

static enum lf_status verify_journal(const char *path, const struct lf_audit_head *noted,
                                     struct lf_audit_verdict *verdict, struct lf_error *err)
{
    struct lf_journal *journal = NULL;
    enum lf_status status = journal__open_to_read(path, &journal, err);
    if (status == LF_OK)
        status = lf_journal_audit_verify(journal, noted, LF_AUDIT_KEEP_UNKNOWN, verdict, err);
    lf_journal_close(journal);
    return status;
}

/* Every member must be there, be a text (seq: a number), and be the only ones: what is not in the digest
 * proves nothing. */
static bool read_line(const cJSON *json, struct lf_audit_entry *entry)
{
    static const char *const names[] = {"at", "who", "what", "about", "text", "prev", "hash"};
    const char *values[sizeof names / sizeof *names];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!(values[i] = lf_json_text(json, names[i])))
            return false;
    *entry = (struct lf_audit_entry){.seq = lf_json_int(json, "seq", -1),
                                     .at = values[0],
                                     .who = values[1],
                                     .what = values[2],
                                     .about = values[3],
                                     .text = values[4],
                                     .prev = values[5],
                                     .hash = values[6]};
    return entry->seq >= 0 && cJSON_GetArraySize(json) == 8;
}

static bool read_end(const cJSON *json, struct lf_audit_head *head)
{
    const char *hash = lf_json_text(json, "audit_end.hash");
    head->seq = lf_json_int(json, "audit_end.seq", -1);
    if (!hash || strlen(hash) != LF_SHA256_HEX - 1 || head->seq < 0)
        return false;
    memcpy(head->hash, hash, LF_SHA256_HEX);
    return true;
}

/* A zero byte, as it is or escaped: what follows it would not be read. */
static bool has_zero(struct lf_slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        bool escape = line.data[i] == '\\';
        if (line.data[i] == '\0' || (escape && line.len - i >= 6 && !memcmp(line.data + i, "\\u0000", 6)))
            return true;
        i += escape;
    }
    return false;
}

static enum lf_status verify_line(struct audit_check *check, struct lf_slice line, int64_t number,
                                  bool *ended, struct lf_audit_head *end, struct lf_error *err)
{
    cJSON *json = NULL;
    struct lf_audit_entry entry;
    enum lf_status status = line.len > LINE_MAX_BYTES || has_zero(line) ? LF_INVALID
                                                                        : lf_json_parse(line, &json, err);
    if (status == LF_OK && *ended)
        status = lf_fail(err, LF_CORRUPT, LF_NEEDS_PERSON, "there is more after the end of the export");
    else if (status == LF_OK && read_line(json, &entry))
        status = journal__audit_check_entry(check, &entry, err);
    else if (status == LF_OK && read_end(json, end))
        *ended = true;
    else if (status == LF_OK || status == LF_INVALID)
        status = lf_fail(err, LF_CORRUPT, LF_NEEDS_PERSON, "not an entry of an audit trail");
    if (status != LF_OK)
        lf_error_prefix(err, "line %lld", (long long)number);
    if (status == LF_CORRUPT && !check->verdict->wrong)
        check->verdict->wrong = check->verdict->head.seq + 1;
    cJSON_Delete(json);
    return status;
}

static enum lf_status verify_export(FILE *file, const struct lf_audit_head *noted,
                                    struct lf_audit_verdict *verdict, struct lf_error *err)
{
    struct audit_check check = {.noted = noted, .verdict = verdict, .keep_ms = LF_AUDIT_KEEP_UNKNOWN};
    struct lf_audit_head end;
    enum lf_status status = LF_OK;
    bool ended = false;
    struct lf_buffer line = {0};
    for (int64_t number = 1; status == LF_OK && lf_stream_line(file, &line); number++)
        status = verify_line(&check, lf_buffer_slice(&line), number, &ended, &end, err);
    if (status == LF_OK && !feof(file))
        status = lf_fail_errno(err, "cannot read the export");
    lf_buffer_free(&line);
    if (status == LF_OK)
        status = journal__audit_check_end(&check, ended ? &end : NULL, err);
    if (status == LF_OK && !ended) {
        verdict->wrong = verdict->head.seq + 1;
        status = lf_fail(
            err, LF_CORRUPT, LF_NEEDS_PERSON,
            "the export has no end (a last line \"audit_end\"): it was cut off after entry %lld or never "
            "finished",
            (long long)verdict->head.seq);
    }
    return status;
}

enum lf_status lf_audit_verify_file(const char *path, const struct lf_audit_head *noted,
                                    struct lf_audit_verdict *verdict, struct lf_error *err)
{
    static const char magic[] = "SQLite format 3";
    char begin[sizeof magic] = "";
    memset(verdict, 0, sizeof *verdict);
    FILE *file = fopen(path, "re");
    if (!file)
        return lf_fail_errno(err, "cannot open %s", path);
    size_t got = fread(begin, 1, sizeof magic, file);
    enum lf_status status;
    if (got == sizeof magic && !memcmp(begin, magic, sizeof magic)) {
        status = verify_journal(path, noted, verdict, err);
    } else {
        rewind(file);
        status = verify_export(file, noted, verdict, err);
    }
    fclose(file);
    if (status != LF_OK)
        lf_error_prefix(err, "%s", path);
    return status;
}
