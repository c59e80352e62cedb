/* The tables. Each entry of `migrations` brings the database from its index to the next version (PRAGMA
 * user_version). */
#include "journal/db.h"

#include <stdio.h>

static const char *const version_1[] = {
    "CREATE TABLE small (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",

    "CREATE TABLE event ( seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, key TEXT, type TEXT, resource_id "
    "TEXT, source TEXT, note TEXT, created_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL, fate TEXT NOT "
    "NULL, job INTEGER NOT NULL DEFAULT 0, times INTEGER NOT NULL DEFAULT 1, attempt INTEGER NOT NULL "
    "DEFAULT 0, due_mono INTEGER NOT NULL DEFAULT 0, body BLOB)",
    "CREATE INDEX event_by_fate ON event (fate, due_mono)",

    "CREATE TABLE job ( id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, route TEXT, instrument "
    "TEXT NOT NULL, key TEXT NOT NULL UNIQUE, event_id TEXT, state TEXT NOT NULL, step TEXT NOT NULL, bench "
    "INTEGER NOT NULL, acting INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0, created_ms "
    "INTEGER NOT NULL, updated_ms INTEGER NOT NULL, due_mono INTEGER NOT NULL DEFAULT 0, expires_ms INTEGER "
    "NOT NULL DEFAULT 0, expires_mono INTEGER NOT NULL DEFAULT 0, class TEXT, note TEXT, wake TEXT, facts "
    "TEXT NOT NULL)",
    "CREATE INDEX job_by_state ON job (state, bench, instrument, id)",
    "CREATE INDEX job_by_wake ON job (wake) WHERE wake IS NOT NULL",

    "CREATE TABLE history ( seq INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES job (id) ON DELETE "
    "CASCADE, at_ms INTEGER NOT NULL, who TEXT NOT NULL, text TEXT NOT NULL)",
    "CREATE INDEX history_by_job ON history (job, seq)",

    "CREATE TABLE parcel ( id INTEGER PRIMARY KEY, job INTEGER NOT NULL UNIQUE REFERENCES job (id) ON DELETE "
    "CASCADE, name TEXT NOT NULL, file TEXT NOT NULL UNIQUE, mime TEXT, sha256 TEXT NOT NULL, size INTEGER "
    "NOT NULL)",

    "CREATE TABLE part ( job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE, number INTEGER NOT "
    "NULL, etag TEXT NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID",

    "CREATE TABLE finding ( instrument TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL, job INTEGER "
    "NOT NULL, sha256 TEXT, seen_ms INTEGER NOT NULL, PRIMARY KEY (instrument, id, version)) WITHOUT ROWID",
    "CREATE INDEX finding_by_content ON finding (instrument, sha256) WHERE sha256 IS NOT NULL",
    "CREATE INDEX finding_by_job ON finding (job)",

    "CREATE TABLE outbox ( seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload TEXT NOT "
    "NULL, retain INTEGER NOT NULL, correlation BLOB)",
    "CREATE INDEX outbox_by_topic ON outbox (topic) WHERE retain",

    "CREATE TABLE command ( seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, verb TEXT, args "
    "TEXT, reply TEXT NOT NULL, correlation BLOB, expires_ms INTEGER NOT NULL, state TEXT NOT NULL, "
    "received_ms INTEGER NOT NULL, finished_ms INTEGER, answer TEXT)",
    "CREATE INDEX command_by_state ON command (state, seq)",
    NULL,
};

/* Once written, an entry of the audit trail stays as it is; only what an entry "pruned" names may go. */
static const char *const version_2[] = {
    "CREATE TABLE audit ( seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT "
    "NULL, about TEXT NOT NULL, text TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL)",
    "CREATE INDEX audit_by_about ON audit (about, seq) WHERE about <> ''",
    "CREATE INDEX audit_pruned ON audit (seq) WHERE what = 'pruned'",
    "CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit BEGIN"
    " SELECT RAISE (ABORT, 'the audit trail is append-only'); END",
    "CREATE TRIGGER audit_not_removed BEFORE DELETE ON audit WHEN OLD.seq > coalesce("
    " (SELECT CAST(about AS INTEGER) FROM audit WHERE what = 'pruned' ORDER BY seq DESC LIMIT 1), 0) BEGIN"
    " SELECT RAISE (ABORT, 'the audit trail is append-only'); END",
    "CREATE TRIGGER audit_not_replaced BEFORE INSERT ON audit WHEN NEW.seq <= (SELECT max(seq) FROM audit) "
    "BEGIN SELECT RAISE (ABORT, 'the audit trail is append-only'); END",
    NULL,
};

/* When the outbox is full, job reports are dropped before replies. A result that has left its instrument can
 * be forgotten one day. */
static const char *const version_3[] = {
    "ALTER TABLE outbox ADD COLUMN reply INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX outbox_to_drop ON outbox (reply, seq) WHERE NOT retain",
    "ALTER TABLE finding ADD COLUMN gone INTEGER NOT NULL DEFAULT 0", /* from the instrument */
    NULL,
};

/* Keys as event/key.h spells them since version 4. Until then they were spelled without instrument, kind and
 * detail, without escapes, and as "name|event|event id" where the state was unknown. */
#define ESCAPED(part)                                                                                        \
    "replace(replace(replace(replace(" part ", '%', '%25'), '|', '%7C'), ',', '%2C'), '@', '%40')"
#define HAPPENING "replace(replace(key, '%', '%25'), '|event|', '||')"
#define FACT(name) ESCAPED("coalesce(iif(json_valid(facts), json_extract(facts, '$." name "'), NULL), '')")

/* An event can make several jobs. */
static const char *const version_4[] = {
    "CREATE TABLE event_job ( event INTEGER NOT NULL REFERENCES event (seq) ON DELETE CASCADE, job INTEGER "
    "NOT NULL, PRIMARY KEY (event, job)) WITHOUT ROWID",
    "INSERT INTO event_job SELECT seq, job FROM event WHERE job <> 0",
    "ALTER TABLE event DROP COLUMN job",
    "UPDATE event SET key = " HAPPENING,
    "UPDATE job SET key = " HAPPENING " || '|' || " ESCAPED(
        "instrument") " || '|' || kind || '|' || CASE"
                      " WHEN kind = 'task' THEN " FACT(
                          "procedure") " WHEN instr(key, '|event|') THEN ''"
                                       " WHEN kind = 'deliver' THEN " FACT("file") " ELSE " FACT(
                                           "blob") " END WHERE event_id IS NOT NULL",
    "UPDATE job SET key = 'result|' || " ESCAPED("f.instrument") " || '|' || " ESCAPED("f.id") " || '|' || " ESCAPED(
        "f.version") " FROM finding AS f"
                     " WHERE f.job = job.id AND job.key = 'result|' || f.instrument || '|' || f.id || '|' || "
                     "f.version",
    /* Operators' own runs were jobs of kind task, with nothing to settle. */
    "UPDATE job SET kind = 'procedure', step = iif(step = 'settle', 'report', step)"
    " WHERE kind = 'task' AND key LIKE 'operator|%'",
    NULL,
};

/* A job that was asked to stop must not run again after a crash. */
static const char *const version_5[] = {
    "ALTER TABLE job ADD COLUMN stop TEXT",
    NULL,
};

/* See concern.h. */
static const char *const version_6[] = {
    "CREATE TABLE concern ( id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, about TEXT NOT NULL, "
    "stands INTEGER NOT NULL, text TEXT NOT NULL, todo TEXT NOT NULL, since_ms INTEGER NOT NULL, last_ms "
    "INTEGER NOT NULL, times INTEGER NOT NULL DEFAULT 1, UNIQUE (source, about))",
    NULL,
};

/* The name that the sender of a command gave in its message. */
static const char *const version_7[] = {
    "ALTER TABLE command ADD COLUMN who TEXT",
    NULL,
};

/* Asking for events has one place. In a journal that was filled from MQTT it begins ten minutes before the
 * newest event, or where a gap was still open. */
static const char *const version_8[] = {
    "UPDATE small SET value = coalesce((SELECT value FROM small WHERE name = 'poll.gap'), (SELECT "
    "strftime('%Y-%m-%dT%H:%M:%fZ', max(min(created_ms, received_ms)) / 1000.0 - 600, 'unixepoch') FROM event "
    "WHERE fate <> 'bad'), value) WHERE name = 'poll.since' AND NOT EXISTS (SELECT 1 FROM small WHERE name = "
    "'poll.after' AND value IS NOT NULL)",
    "DELETE FROM small WHERE name = 'poll.gap'",
    NULL,
};

/* An instrument works in order. job/turn.c fills these in at the next start. */
static const char *const version_9[] = {
    "ALTER TABLE job ADD COLUMN turn INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE job ADD COLUMN in_order INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE job ADD COLUMN looked_mono INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX job_by_turn ON job (instrument, turn) WHERE turn > 0",
    NULL,
};

/* What an event says, and finding those that report the same happening. */
static const char *const version_10[] = {
    "ALTER TABLE event ADD COLUMN digest TEXT",
    "CREATE INDEX event_by_key ON event (key)",
    NULL,
};

/* On which instruments a sample may lie (lf_journal_sampled). Jobs were pruned: all that were ever connected.
 */
static const char *const version_11[] = {
    "INSERT OR IGNORE INTO small (name, value) SELECT 'sampled.' || substr(name, 5), 'yes' FROM small WHERE name "
    "GLOB 'met.*' AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'job' AND seq > 0)",
    "INSERT OR IGNORE INTO small (name, value) SELECT DISTINCT 'sampled.' || instrument, 'yes' FROM job WHERE kind "
    "= 'task' AND instrument <> ''",
    NULL,
};

static const char *const *const migrations[] = {version_1, version_2,  version_3, version_4,
                                                version_5, version_6,  version_7, version_8,
                                                version_9, version_10, version_11};
enum { VERSION = sizeof migrations / sizeof *migrations };
_Static_assert((int)VERSION == (int)SCHEMA_VERSION, "a migration was added: SCHEMA_VERSION too");

static enum lf_status migrate(struct lf_journal *journal, int64_t from, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && migrations[from][i]; i++)
        status = journal__query_do(journal, err, migrations[from][i], "");
    char pragma[48];
    snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", (int)from + 1);
    if (status == LF_OK && sqlite3_exec(journal->db, pragma, NULL, NULL, NULL) != SQLITE_OK)
        status = journal__sqlite_fail(journal, sqlite3_errcode(journal->db), "cannot set the version", err);
    return status;
}

enum lf_status journal__schema_apply(struct lf_journal *journal, struct lf_error *err)
{
    int64_t version = 0;
    enum lf_status status = journal__query_int(journal, &version, err, "PRAGMA user_version", "");
    if (status == LF_OK && version > VERSION)
        return lf_fail(
            err, LF_UNSUPPORTED, LF_NEEDS_PERSON,
            "the journal was written by a newer labferryd (version %d; this one knows up to %d). Install "
            "that version or a later one",
            (int)version, VERSION);
    if (status != LF_OK || version == VERSION)
        return status;
    status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    for (; status == LF_OK && version < VERSION; version++)
        status = migrate(journal, version, err);
    return lf_journal_end(journal, status, err);
}
