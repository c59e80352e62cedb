/* A journal as version 3 of the tables left it, opened by this program. */
#include "core.h"
#include "event/key.h"
#include "intake/parts.h"
#include "job/job.h"

#include <stdlib.h>

static const char tables[] =
    "CREATE TABLE small (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
    "CREATE TABLE event (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, key TEXT, type TEXT, resource_id "
    "TEXT, source TEXT, note TEXT, created_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL, fate TEXT NOT "
    "NULL, job INTEGER NOT NULL DEFAULT 0, times INTEGER NOT NULL DEFAULT 1, attempt INTEGER NOT NULL DEFAULT "
    "0, due_mono INTEGER NOT NULL DEFAULT 0, body BLOB);"
    "CREATE INDEX event_by_fate ON event (fate, due_mono);"
    "CREATE TABLE job (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, route TEXT, instrument TEXT "
    "NOT NULL, key TEXT NOT NULL UNIQUE, event_id TEXT, state TEXT NOT NULL, step TEXT NOT NULL, bench INTEGER "
    "NOT NULL, acting INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT "
    "NULL, updated_ms INTEGER NOT NULL, due_mono INTEGER NOT NULL DEFAULT 0, expires_ms INTEGER NOT NULL "
    "DEFAULT 0, expires_mono INTEGER NOT NULL DEFAULT 0, class TEXT, note TEXT, wake TEXT, facts TEXT NOT "
    "NULL);"
    "CREATE INDEX job_by_state ON job (state, bench, instrument, id);"
    "CREATE INDEX job_by_wake ON job (wake) WHERE wake IS NOT NULL;"
    "CREATE TABLE history (seq INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES job (id) ON DELETE "
    "CASCADE, at_ms INTEGER NOT NULL, who TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX history_by_job ON history (job, seq);"
    "CREATE TABLE parcel (id INTEGER PRIMARY KEY, job INTEGER NOT NULL UNIQUE REFERENCES job (id) ON DELETE "
    "CASCADE, name TEXT NOT NULL, file TEXT NOT NULL UNIQUE, mime TEXT, sha256 TEXT NOT NULL, size INTEGER NOT "
    "NULL);"
    "CREATE TABLE part (job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE, number INTEGER NOT NULL, "
    "etag TEXT NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID;"
    "CREATE TABLE finding (instrument TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL, job INTEGER NOT "
    "NULL, sha256 TEXT, seen_ms INTEGER NOT NULL, gone INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (instrument, "
    "id, version)) WITHOUT ROWID;"
    "CREATE INDEX finding_by_content ON finding (instrument, sha256) WHERE sha256 IS NOT NULL;"
    "CREATE INDEX finding_by_job ON finding (job);"
    "CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload TEXT NOT NULL, "
    "retain INTEGER NOT NULL, correlation BLOB, reply INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX outbox_by_topic ON outbox (topic) WHERE retain;"
    "CREATE INDEX outbox_to_drop ON outbox (reply, seq) WHERE NOT retain;"
    "CREATE TABLE command (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, verb TEXT, args "
    "TEXT, reply TEXT NOT NULL, correlation BLOB, expires_ms INTEGER NOT NULL, state TEXT NOT NULL, "
    "received_ms INTEGER NOT NULL, finished_ms INTEGER, answer TEXT);"
    "CREATE INDEX command_by_state ON command (state, seq);"
    "CREATE TABLE audit (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT "
    "NULL, about TEXT NOT NULL, text TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL);"
    "CREATE INDEX audit_by_about ON audit (about, seq) WHERE about <> '';"
    "CREATE INDEX audit_pruned ON audit (seq) WHERE what = 'pruned';"
    "PRAGMA user_version = 3";

#define JOB(id, kind, instrument, key, event, step, facts)                                                   \
    "INSERT INTO job (id, kind, route, instrument, key, event_id, state, step, bench, created_ms, "          \
    "updated_ms, facts) VALUES (" id ", '" kind "', 'r', '" instrument "', '" key "', " event                \
    ", 'held', '" step "', 0, 1, 1, '" facts "');"
#define EVENT(id, key, fate, job)                                                                            \
    "INSERT INTO event (id, key, type, created_ms, received_ms, fate, job, body) VALUES ('" id "', '" key    \
    "', 'v2.x', 1, 1, '" fate "', " job ", '{}');"

static const char rows[] = JOB(
    "1", "deliver", "robot", "automationInputGenerator.completed|aig_1|file_1", "'evt_1'", "resolve",
    "{\"generator\":\"aig_1\",\"file\":\"file_1\"}") JOB("2", "task", "balance",
                                                         "workflowTask.updated.status|wft_1|st_1@t166937623",
                                                         "'evt_2'", "check",
                                                         "{\"workflow_task\":\"wft_1\",\"procedure\":\"weigh, twice\"}")
    JOB("3", "collect", "", "automationOutputProcessor.uploaded|aop_1|blob_1", "'evt_3'", "adopt",
        "{\"processor\":\"aop_1\",\"blob\":\"blob_1\"}") JOB("4", "collect", "robot",
                                                             "result|robot|out/a,b.csv|12@7", "NULL", "spool",
                                                             "{\"finding\":\"out/a,b.csv\",\"version\":\"12@7\"}")
        JOB("5", "task", "robot", "operator|1767225605000|42", "NULL", "run",
            "{\"procedure\":\"weigh\"}") JOB("6", "collect", "robot", "values|2", "NULL", "match",
                                             "{}") JOB("7", "deliver", "robot",
                                                       "automationInputGenerator.completed|event|evt_7",
                                                       "'evt_7'", "fetch",
                                                       "{\"generator\":\"aig_7\",\"file\":\"file_7\"}")
            JOB("8", "deliver", "robot", "automationInputGenerator.completed|aig_8|file_8", "'evt_8'", "resolve", "{damaged") "INSERT INTO finding (instrument, id, version, job, seen_ms) VALUES ('robot', 'out/a,b.csv', '12@7', 4, 1);" EVENT(
                "evt_1", "automationInputGenerator.completed|aig_1|file_1", "job", "1")
                EVENT("evt_1b", "automationInputGenerator.completed|aig_1|file_1", "twin", "1")
                    EVENT("evt_7", "automationInputGenerator.completed|event|evt_7", "job", "7");

static struct lf_journal *old_journal(const char *more)
{
    core_sql(tables);
    core_sql(rows);
    core_sql(more);
    return core_journal();
}

static void check_key(struct lf_journal *journal, int64_t id, char *key)
{
    struct lf_job job = core_job(journal, id);
    CHECK_STR(job.key, key);
    lf_job_free(&job);
    free(key);
}

static char *of(char *happening, const char *instrument, const char *kind, const char *detail)
{
    char *key = lf_key_job(happening, instrument, kind, detail);
    free(happening);
    return key;
}

static void keys_are_rewritten(void)
{
    struct lf_journal *journal = old_journal("");
    check_key(journal, 1, of(lf_key_generator_file("aig_1", "file_1"), "robot", "deliver", "file_1"));
    check_key(journal, 2,
              lf_key_job("workflowTask.updated.status|wft_1|st_1@t166937623", "balance", "task",
                         "weigh, twice"));
    check_key(journal, 3,
              lf_key_job("automationOutputProcessor.uploaded|aop_1|blob_1", "", "collect", "blob_1"));
    check_key(journal, 4, lf_key_result("robot", "out/a,b.csv", "12@7"));
    check_key(journal, 5, lf_key_operator(1767225605000, 42));
    check_key(journal, 6, lf_key_values(2));
    check_key(journal, 7, lf_key_job("automationInputGenerator.completed||evt_7", "robot", "deliver", NULL));
    struct lf_event_row row = core_event(journal, "evt_1b");
    CHECK_STR(row.key, "automationInputGenerator.completed|aig_1|file_1");
    lf_event_row_free(&row);
    row = core_event(journal, "evt_7");
    CHECK_STR(row.key, "automationInputGenerator.completed||evt_7");
    CHECK_STR(row.jobs, "[7]");
    lf_event_row_free(&row);
    lf_journal_close(journal);
}

/* The relay resends after the upgrade: once as it was, once as a twin with another id. */
static void no_second_job(void)
{
    struct lf_journal *journal = old_journal("");
    struct lf_config *config = core_config(
        "instruments = ( { name = \"robot\"; driver = \"fake\"; }, { name = \"balance\"; driver = \"fake\"; } );"
        "routes = ( { name = \"r\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; instrument = "
        "\"robot\"; }, { name = \"t\"; on = \"workflowTask.updated.status\"; job = \"task\"; only_agent = true; instrument = "
        "\"balance\"; procedure = \"weigh, twice\"; } );");
    struct lf_intake *intake;
    struct lf_jobs *jobs;
    struct lf_error err;
    NEED(lf_jobs_open(&(struct lf_jobs_options){.config = config, .journal = journal}, &jobs, &err) == LF_OK);
    NEED(lf_intake_open(&(struct lf_intake_options){.config = config, .journal = journal, .jobs = jobs},
                        &intake, &err)
         == LF_OK);
    static const char *const again[] = {
        "{\"eventType\":\"v2.automationInputGenerator.completed\",\"id\":\"evt_1\",\"automationInputGenerator\":{"
        "\"id\":\"aig_1\",\"file\":{\"id\":\"file_1\"}}}",
        "{\"eventType\":\"v2-beta.automationInputGenerator.completed\",\"id\":\"evt_9\","
        "\"automationInputGenerator\":{\"id\":\"aig_1\",\"file\":{\"id\":\"file_1\"}}}",
        "{\"eventType\":\"v2.workflowTask.updated.status\",\"id\":\"evt_10\",\"createdAt\":\"2022-11-25T11:37:19Z\","
        "\"workflowTask\":{\"id\":\"wft_1\",\"status\":{\"id\":\"st_1\"}}}",
    };
    for (size_t i = 0; i < sizeof again / sizeof *again; i++)
        CHECK_INT(intake__add(intake, INTAKE_MQTT, NULL, lf_slice_text(again[i]), NULL, &err), LF_OK);
    CHECK_INT(core_count(lf_journal_job_counts(journal, NULL), "ready"),
              0); /* all that there were are held */
    lf_intake_close(intake);
    lf_jobs_close(jobs);
    lf_journal_close(journal);
    lf_config_free(config);
}

/* Runs of operators were jobs of kind task without a workflow task. */
static void operators_runs(void)
{
    static const char more[] = JOB("9", "task", "robot", "operator|1767225605000|43", "NULL", "settle", "{}")
        JOB("10", "task", "robot", "operators|1", "NULL", "settle", "{}");
    struct lf_journal *journal = old_journal(more);
    static const struct {
        int64_t id;
        const char *kind, *step;
    } now[] = {{2, "task", "check"},
               {5, "procedure", "run"},
               {9, "procedure", "report"},
               {10, "task", "settle"}};
    for (size_t i = 0; i < sizeof now / sizeof *now; i++) {
        struct lf_job job = core_job(journal, now[i].id);
        CHECK_STR(job.kind, now[i].kind);
        CHECK_STR(job.step, now[i].step);
        lf_job_free(&job);
    }
    lf_journal_close(journal);
}

/* Jobs were pruned, so an instrument that was ever connected may have a sample; a new one has none. */
static void samples_may_lie_there(void)
{
    static const struct {
        const char *instrument;
        bool sampled;
    } now[] = {{"balance", true}, {"old-balance", true}, {"robot", false}};
    struct lf_journal *journal = old_journal(
        "INSERT INTO small (name, value) VALUES ('met.old-balance', 'yes')");
    for (size_t i = 0; i < sizeof now / sizeof *now; i++) {
        char room[LF_PAUSED_NAME], *known = NULL;
        NEED(lf_journal_get(journal, lf_journal_sampled(now[i].instrument, room), &known, UNIT_ERROR)
             == LF_OK);
        CHECK_INT(known != NULL, now[i].sampled);
        free(known);
    }
    lf_journal_close(journal);
}

UNIT_TESTS("migration",
           {"the keys of a journal of version 3 are rewritten as this version spells them",
            keys_are_rewritten},
           {"an event that is sent again after the upgrade makes no second job", no_second_job},
           {"an operator's run from an older journal goes on as a procedure job", operators_runs},
           {"on instruments of an older journal a sample may lie", samples_may_lie_there}, )
