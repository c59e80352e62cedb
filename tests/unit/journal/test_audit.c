/* The audit trail: whatever is changed in it, removed from it or put into it is found and named. */
#include "base/clock.h"
#include "journal/audit.h"
#include "journal/inspect.h"
#include "os/wait.h"
#include "unit.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST = 10, MANY = 20000, PACE = 60 * 1000 };

static char path[512];
static struct lf_error err;

static struct lf_journal *open_journal(void)
{
    struct lf_journal *journal = NULL;
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    err = (struct lf_error){0};
    NEED(lf_journal_open(path, &journal, &err) == LF_OK);
    return journal;
}

static void add(struct lf_journal *journal, int count)
{
    char text[40];
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, "number %d", i);
        NEED(lf_journal_audit_add(journal, "cli:maria", "command", i % 2 ? "job 7" : NULL, text, UNIT_ERROR)
             == LF_OK);
    }
    NEED(lf_journal_end(journal, LF_OK, UNIT_ERROR) == LF_OK);
}

/* An agent starts on the journal, adds entries, and ends. */
static void run_agent(int count)
{
    struct lf_journal *journal = open_journal();
    add(journal, count);
    lf_journal_close(journal);
}

/* The verdict on a trail that must be whole. */
static struct lf_audit_verdict verify(struct lf_journal *journal)
{
    struct lf_audit_verdict verdict;
    CHECK_INT(lf_journal_audit_verify(journal, NULL, LF_AUDIT_KEEP_UNKNOWN, &verdict, &err), LF_OK);
    return verdict;
}

/* As somebody who may write the file, past the triggers. */
static void tamper(const char *sql)
{
    sqlite3 *db;
    NEED(sqlite3_open(path, &db) == SQLITE_OK);
    NEED(sqlite3_exec(db,
                      "DROP TRIGGER IF EXISTS audit_not_changed; DROP TRIGGER IF EXISTS audit_not_removed; "
                      "DROP TRIGGER IF EXISTS audit_not_replaced;",
                      NULL, NULL, NULL)
         == SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    CHECK(sqlite3_total_changes(db) > 0);
    sqlite3_close(db);
}

/* The number of the entry that verifying names; 0: all fits. */
static int64_t wrong_entry(const struct lf_audit_head *noted)
{
    struct lf_audit_verdict verdict;
    err = (struct lf_error){0};
    enum lf_status status = lf_audit_verify_file(path, noted, &verdict, &err);
    CHECK(status == LF_OK || status == LF_CORRUPT);
    CHECK_INT(verdict.wrong != 0, status == LF_CORRUPT);
    return verdict.wrong;
}

/* With what says that there was one. */
static void remove_journal(void)
{
    char lock[600];
    snprintf(lock, sizeof lock, "%s.lock", path);
    unlink(path);
    unlink(lock);
}

struct tampering {
    const char *sql;
    int64_t named;     /* the entry that verifying names */
    const char *words; /* of the error; NULL: "entry" and its number */
};

/* On a new journal. */
static void check_tampering(const struct tampering *one)
{
    char entry[40];
    remove_journal();
    run_agent(FIRST);
    CHECK_INT(wrong_entry(NULL), 0);
    tamper(one->sql);
    CHECK_INT(wrong_entry(NULL), one->named);
    snprintf(entry, sizeof entry, "entry %lld", (long long)one->named);
    CHECK_HAS(err.text, one->words ? one->words : entry);
}

/* A copy of the journal, `other` for SQL, goes on with an entry 11 of its own, whose digest is right. The
 * agent adds `more` to the journal itself. */
static void tamper_with_copy(int more, const char *sql)
{
    char other[600], text[1500];
    struct lf_journal *journal = NULL;
    run_agent(FIRST);
    snprintf(other, sizeof other, "%s.other", path);
    snprintf(text, sizeof text, "cp %s %s", path, other);
    NEED(system(text) == 0);
    NEED(lf_journal_open(other, &journal, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_audit_add(journal, "cli:mallory", "command", NULL, "released", UNIT_ERROR), LF_OK);
    lf_journal_close(journal);
    run_agent(more);
    snprintf(text, sizeof text, "ATTACH '%s' AS other; %s", other, sql);
    tamper(text);
    unlink(other);
}

/* ---- the chain ---- */

struct seen {
    int count;
    int64_t first, last;
    char prev[65], hash[65];
};

static void see(void *context, const struct lf_audit_entry *entry)
{
    struct seen *seen = context;
    if (!seen->count++)
        seen->first = entry->seq;
    seen->last = entry->seq;
    snprintf(seen->prev, sizeof seen->prev, "%s", entry->prev);
    snprintf(seen->hash, sizeof seen->hash, "%s", entry->hash);
    CHECK_STR(entry->who, "cli:maria");
}

static void whole_trail(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_audit_head head;
    struct seen seen = {0};
    CHECK_INT(verify(journal).count, 0);
    add(journal, 1);
    struct lf_audit_filter all = {.limit = 100};
    CHECK_INT(lf_journal_audit_list(journal, &all, see, &seen, UNIT_ERROR), LF_OK);
    CHECK_STR(seen.prev, "0000000000000000000000000000000000000000000000000000000000000000");
    add(journal, 1200);
    struct lf_audit_verdict verdict = verify(journal);
    CHECK_INT(verdict.count, 1201);
    CHECK_INT(verdict.head.seq, 1201);
    CHECK_INT(lf_journal_audit_head(journal, &head, UNIT_ERROR), LF_OK);
    CHECK_STR(head.hash, verdict.head.hash);
    lf_journal_close(journal);
}

/* sha256 over "labferry-audit-1\n" and the fields with their lengths, by sha256sum. */
static void known_digest(void)
{
    char line[200] = "", command[600];
    snprintf(path, sizeof path, "%s/export.jsonl", unit_folder());
    snprintf(command, sizeof command,
             "printf "
             "'labferry-audit-1\\n64:%064d\\n1:1\\n24:2026-11-22T06:09:34.120Z\\n9:cli:maria\\n7:command\\n5:"
             "job 7\\n"
             "10:retry \\303\\251\\t!\\n' | sha256sum",
             0);
    FILE *pipe = popen(command, "r");
    NEED(pipe != NULL && fgets(line, sizeof line, pipe) != NULL);
    pclose(pipe);
    line[64] = '\0';
    FILE *out = fopen(path, "w");
    NEED(out != NULL);
    fprintf(out,
            "{\"seq\":1,\"at\":\"2026-11-22T06:09:34.120Z\",\"who\":\"cli:maria\",\"what\":\"command\","
            "\"about\":\"job 7\","
            "\"text\":\"retry \303\251\\t!\",\"prev\":\"%064d\",\"hash\":\"%s\"}\n"
            "{\"audit_end\":{\"seq\":1,\"hash\":\"%s\"}}\n",
            0, line, line);
    fclose(out);
    CHECK_INT(wrong_entry(NULL), 0);
    CHECK_STR(err.text, "");
}

static void filters(void)
{
    struct lf_journal *journal = open_journal();
    add(journal, 20);
    struct lf_audit_filter of_job = {.about = "job 7", .limit = 3}, from = {.from = 5, .limit = 4},
                           last = {.limit = 2}, late = {.since_ms = lf_clock_wall_ms() + PACE, .limit = 9},
                           none = {.what = "held", .limit = 9};
    const struct {
        const struct lf_audit_filter *filter;
        int count;
        int64_t first, last;
    } cases[] = {{&of_job, 3, 16, 20},
                 {&from, 4, 5, 8},
                 {&last, 2, 19, 20},
                 {&late, 0, 0, 0},
                 {&none, 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seen seen = {0};
        CHECK_INT(lf_journal_audit_list(journal, cases[i].filter, see, &seen, UNIT_ERROR), LF_OK);
        CHECK_INT(seen.count, cases[i].count);
        CHECK_INT(seen.first, cases[i].first);
        CHECK_INT(seen.last, cases[i].last);
    }
    lf_journal_close(journal);
}

static void broken_texts(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_audit_verdict verdict;
    struct lf_audit_head head;
    char large[3 * LF_AUDIT_TEXT_MAX];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    memcpy(large + LF_AUDIT_TEXT_MAX - 1, "\303\251", 2); /* the limit cuts this character */
    CHECK_INT(lf_journal_audit_add(journal, "mqtt:\377\376", "command", "a\nb", large, UNIT_ERROR), LF_OK);
    CHECK_INT(lf_journal_audit_add(journal, large, "command", NULL, NULL, UNIT_ERROR), LF_OK);
    CHECK_INT(lf_journal_audit_verify(journal, NULL, LF_AUDIT_KEEP_UNKNOWN, &verdict, UNIT_ERROR), LF_OK);
    lf_journal_close(journal);
    char *to = strdup(path);
    FILE *out = fopen(strcat(strcpy(large, path), ".jsonl"), "w");
    NEED(out != NULL && to != NULL);
    CHECK_INT(lf_audit_export_file(to, out, &head, UNIT_ERROR), LF_OK);
    fclose(out);
    free(to);
    CHECK_INT(lf_audit_verify_file(large, NULL, &verdict, &err), LF_OK);
    CHECK_INT(verdict.count, 2);
}

struct kinds {
    char text[400];
};

static void note_kind(void *context, const struct lf_audit_entry *entry)
{
    struct kinds *kinds = context;
    size_t used = strlen(kinds->text);
    snprintf(kinds->text + used, sizeof kinds->text - used, "%s%s by %s", used ? "; " : "", entry->what,
             entry->who);
}

/* ---- tampering ---- */

#define COPY_OF(seq, from)                                                                                   \
    "INSERT INTO audit SELECT " seq ", at_ms, who, what, about, text, prev, hash FROM audit WHERE seq = " from

/* The last possible number is taken. */
#define LAST_ENTRY                                                                                           \
    "DELETE FROM audit; DELETE FROM small; "                                                                 \
    "INSERT INTO audit VALUES (9223372036854775807, 0, 'a', 'b', 'c', 'd', 'e', 'f')"

static const struct {
    struct unit_row row;
    struct tampering cases[10];
} tamperings[] = {
    {{"an entry that was changed in any field is named", UNIT_SLOW},
     {
         {"UPDATE audit SET who = 'x' WHERE seq = 4", 4},
         {"UPDATE audit SET what = 'x' WHERE seq = 4", 4},
         {"UPDATE audit SET about = 'x' WHERE seq = 4", 4},
         {"UPDATE audit SET text = 'x' WHERE seq = 4", 4},
         {"UPDATE audit SET prev = 'x' WHERE seq = 4", 4},
         {"UPDATE audit SET hash = 'x' WHERE seq = 4", 4},
         {"UPDATE audit SET at_ms = at_ms - 1 WHERE seq = 4", 4},
         {"UPDATE audit SET text = CAST(x'00ff' AS TEXT) WHERE seq = 10", 10},
         /* The boundary between two fields moved. */
         {"UPDATE audit SET who = who || substr(what, 1, 1), what = substr(what, 2) WHERE seq = 6", 6},
     }},
    {{"what no digest covers is refused: bytes behind a zero byte, and values of another type", UNIT_SLOW},
     {
         {"UPDATE audit SET text = text || char(0) || 'and released' WHERE seq = 4", 4, "does not cover"},
         {"UPDATE audit SET about = char(0) || 'job 9' WHERE seq = 3", 3, "does not cover"},
         {"UPDATE audit SET text = CAST(text AS BLOB) WHERE seq = 5", 5, "does not cover"},
         {"UPDATE audit SET at_ms = at_ms + 0.25 WHERE seq = 6", 6, "does not cover"},
     }},
    {{"entries that were removed are named, at the start, in the middle and at the end", UNIT_SLOW},
     {
         {"DELETE FROM audit WHERE seq = 4", 4, "entry 4 is missing (removed)"},
         {"DELETE FROM audit WHERE seq BETWEEN 4 AND 6", 4, "entries 4 to 6 are missing (removed)"},
         {"DELETE FROM audit WHERE seq <= 3", 1, "entries 1 to 3 are missing"},
         {"DELETE FROM audit WHERE seq = 1", 1, "entry 1 is missing"},
         {"DELETE FROM audit WHERE seq = 10", 10, "entry 10 is missing (cut off at the end)"},
         {"DELETE FROM audit WHERE seq > 2", 3, "entries 3 to 10 are missing (cut off at the end)"},
         {"DELETE FROM audit", 1, "entries 1 to 10 are missing"},
     }},
    {{"entries that were moved are named"},
     {
         {"UPDATE audit SET seq = -4 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5; "
          "UPDATE audit SET seq = 5 WHERE seq = -4",
          4, "entry 4"},
         {"UPDATE audit SET seq = -seq", 1, "impossible"},
         {"UPDATE audit SET seq = 40 WHERE seq = 4", 4, "entry 4 is missing"},
     }},
    {{"entries that were inserted are named", UNIT_SLOW},
     {
         {"UPDATE audit SET seq = seq + 100 WHERE seq > 4; UPDATE audit SET seq = seq - 99 WHERE seq > 100; "
          "INSERT INTO audit SELECT 5, at_ms, who, what, about, 'forged', hash, hash FROM audit WHERE seq = 4",
          5, "entry 5"},
         {COPY_OF("11", "10"), 11},
         {COPY_OF("0", "1"), 1, "impossible number 0"},
         {COPY_OF("-9223372036854775807 - 1", "1"), 1, "impossible number -9223372036854775808"},
         {COPY_OF("9223372036854775807", "1"), INT64_MAX, "impossible number 9223372036854775807"},
         {LAST_ENTRY, INT64_MAX, ""},
     }},
};

static void tampered(void)
{
    const typeof(*tamperings) *row = unit_row();
    for (const struct tampering *one = row->cases; one->sql; one++)
        check_tampering(one);
}

static void no_entry_can_follow(void)
{
    struct lf_journal *journal = NULL;
    run_agent(FIRST);
    tamper(LAST_ENTRY);
    CHECK_INT(lf_journal_open(path, &journal, &err), LF_CORRUPT);
    CHECK_HAS(err.text, "which must be the last possible one");
}

/* By somebody who has the program: with a right digest, and in the right place. */
static void added_with_digest(void)
{
    tamper_with_copy(0, "INSERT INTO main.audit SELECT * FROM other.audit WHERE seq = 11");
    CHECK_INT(wrong_entry(NULL), 11);
    CHECK_HAS(err.text, "entry 11 is at the end but not written by the agent");
}

static void exchanged_with_digest(void)
{
    tamper_with_copy(1, "DELETE FROM main.audit WHERE seq = 11; "
                        "INSERT INTO main.audit SELECT * FROM other.audit WHERE seq = 11");
    CHECK_INT(wrong_entry(NULL), 11);
    CHECK_HAS(err.text, "entry 11 is not the last one that the agent wrote");
    run_agent(3); /* it starts on it and goes on */
    CHECK_INT(wrong_entry(NULL), 11);
    CHECK_HAS(err.text, "entry 11 is not the one that entry 12 was written after");
    tamper("DELETE FROM audit WHERE seq > 11");
    tamper("UPDATE small SET value = '11' || substr(value, 3) WHERE name = 'audit.head'");
    CHECK_INT(wrong_entry(NULL), 11);
}

static void forged_whole(void)
{
    struct lf_audit_verdict verdict;
    run_agent(FIRST);
    NEED(lf_audit_verify_file(path, NULL, &verdict, UNIT_ERROR) == LF_OK);
    struct lf_audit_head noted = verdict.head;
    CHECK_INT(wrong_entry(&noted), 0);
    run_agent(1);
    CHECK_INT(wrong_entry(&noted), 0); /* later entries are not wrong */
    remove_journal();
    lf_sleep_until(lf_deadline_in(5), NULL); /* another time */
    run_agent(FIRST + 1);
    CHECK_INT(wrong_entry(NULL), 0); /* whole in itself */
    CHECK_INT(wrong_entry(&noted), FIRST);
    CHECK_HAS(err.text, "was rewritten");
    noted.seq = 50;
    CHECK_INT(wrong_entry(&noted), FIRST + 2);
}

/* The agent has said once that another program changed the journal. */
static void check_noted(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_audit_filter noted = {.what = "audit", .limit = 9};
    struct kinds kinds = {0};
    CHECK_INT(lf_journal_audit_list(journal, &noted, note_kind, &kinds, UNIT_ERROR), LF_OK);
    CHECK_STR(kinds.text, "audit by agent");
    lf_journal_close(journal);
}

static void stays_visible(void)
{
    static const struct tampering no_head = {"DELETE FROM small WHERE name = 'audit.head'", 10,
                                             "copy of its head is missing"};
    run_agent(FIRST);
    tamper("DELETE FROM audit WHERE seq >= 9");
    run_agent(3); /* it starts on it and goes on */
    CHECK_INT(wrong_entry(NULL), 9);
    CHECK_HAS(err.text, "entries 9 to 10 are missing (removed)");
    check_noted();
    check_tampering(&no_head);
    check_noted();
}

static void refuses_own_mistakes(void)
{
    static const char *const mistakes[] = {
        "UPDATE audit SET text = 'x' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "REPLACE INTO audit SELECT seq, 1, who, what, about, text, prev, hash FROM audit WHERE seq = 2",
    };
    sqlite3 *db;
    run_agent(FIRST);
    NEED(sqlite3_open(path, &db) == SQLITE_OK);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        CHECK_INT(sqlite3_exec(db, mistakes[i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
    sqlite3_close(db);
    CHECK_INT(wrong_entry(NULL), 0);
}

/* ---- together with what it records ---- */

static void killed_in_between(void)
{
    run_agent(FIRST);
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        if (child == 0) {
            struct lf_journal *mine = NULL;
            if (lf_journal_open(path, &mine, UNIT_ERROR) != LF_OK
                || lf_journal_audit_add(mine, "cli:maria", "command", NULL, "kept", UNIT_ERROR) != LF_OK
                || lf_journal_begin(mine, UNIT_ERROR) != LF_OK)
                _exit(1);
            for (int j = 0; j < 50 * i; j++)
                lf_journal_audit_add(mine, "cli:maria", "command", NULL, "not committed", UNIT_ERROR);
            kill(getpid(), SIGKILL);
        }
        int how = 0;
        waitpid(child, &how, 0);
        NEED(WIFSIGNALED(how));
    }
    struct lf_journal *journal = open_journal();
    CHECK_INT(verify(journal).count, FIRST + 5);
    lf_journal_close(journal);
}

static void rolled_back(void)
{
    struct lf_journal *journal = open_journal();
    add(journal, 3);
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_audit_add(journal, "cli:maria", "command", NULL, "gone", UNIT_ERROR), LF_OK);
    lf_journal_rollback(journal);
    add(journal, 1);
    CHECK_INT(verify(journal).head.seq, 4);
    lf_journal_close(journal);
}

static void life_of_a_job(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_job job = {.kind = (char *)"deliver",
                         .instrument = (char *)"robot",
                         .key = (char *)"k",
                         .step = "deliver",
                         .bench = true,
                         .fields = cJSON_CreateObject()};
    struct lf_parcel_row row = {.name = (char *)"w.csv", .file = (char *)"1", .sha256 = "ab", .size = 3};
    struct kinds kinds = {0};
    struct lf_event_row event = {.id = (char *)"evt_1",
                                 .type = (char *)"v2.x",
                                 .source = (char *)"mqtt",
                                 .received_ms = 1};
    CHECK_INT(lf_journal_event_add(journal, &event, UNIT_ERROR), LF_OK);
    CHECK_INT(lf_journal_event_add(journal, &event, UNIT_ERROR), LF_EXISTS); /* no entry: nothing new */
    NEED(lf_journal_job_add(journal, &job, NULL, UNIT_ERROR) == LF_OK);
    row.job = job.id;
    CHECK_INT(lf_journal_event_job(journal, "evt_1", LF_FATE_JOB, job.id, UNIT_ERROR), LF_OK);
    CHECK_INT(lf_journal_parcel_add(journal, &row, UNIT_ERROR), LF_OK);
    job.acting = true;
    CHECK_INT(lf_journal_job_save(journal, &job, UNIT_ERROR), LF_OK);
    CHECK_INT(lf_journal_job_save(journal, &job, UNIT_ERROR), LF_OK); /* no entry: nothing new */
    job.state = LF_JOB_HELD;
    CHECK_INT(lf_journal_job_save(journal, &job, UNIT_ERROR), LF_OK);
    CHECK_INT(lf_journal_job_save(journal, &job, UNIT_ERROR), LF_OK); /* no entry: nothing new */
    CHECK_INT(lf_journal_history_add(journal, job.id, "cli:maria", "confirmed", UNIT_ERROR), LF_OK);
    job.state = LF_JOB_CANCELLED;
    job.by = "cli:maria";
    CHECK_INT(lf_journal_job_save(journal, &job, UNIT_ERROR), LF_OK);
    struct lf_audit_filter all = {.limit = 100};
    CHECK_INT(lf_journal_audit_list(journal, &all, note_kind, &kinds, UNIT_ERROR), LF_OK);
    CHECK_STR(
        kinds.text,
        "event by agent; event by agent; file by agent; acting by agent; held by agent; job by cli:maria; "
        "cancelled by cli:maria");
    cJSON_Delete(job.fields);
    lf_journal_close(journal);
}

/* ---- pruning, and figures ---- */

/* Both clocks are known to be right, as after a call to the tenant. */
static void clocks_agree(struct lf_journal *journal)
{
    lf_clock_learn(lf_clock_wall_ms());
    NEED(lf_journal_clock_look(journal, UNIT_ERROR) == LF_OK);
}

static void pruned(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_audit_verdict verdict;
    int64_t dropped = 0;
    clocks_agree(journal);
    add(journal, 20);
    CHECK_INT(lf_journal_audit_prune(journal, 0, &dropped, UNIT_ERROR), LF_OK);
    CHECK_INT(dropped, 0);
    CHECK_INT(lf_journal_audit_prune(journal, PACE, &dropped, UNIT_ERROR), LF_OK);
    CHECK_INT(dropped, 0);
    CHECK_INT(lf_journal_audit_prune(journal, -PACE, &dropped, &err),
              LF_OK);       /* all are older than a minute from now */
    CHECK_INT(dropped, 19); /* one of them stays, to show how old the others were */
    add(journal, 5);
    verify(journal);
    CHECK_STR(err.text, "");
    struct lf_audit_head noted = {.seq = 5};
    CHECK_INT(lf_journal_audit_verify(journal, &noted, LF_AUDIT_KEEP_UNKNOWN, &verdict, &err),
              LF_CORRUPT); /* it cannot be vouched for any more */
    CHECK_HAS(err.text, "newer than the noted head, which does not vouch for it");
    verdict = verify(journal);
    CHECK_INT(verdict.first, 20);
    CHECK_INT(verdict.count, 7);
    CHECK_INT(lf_journal_audit_prune(journal, -PACE, &dropped, &err), LF_OK);
    CHECK_INT(verify(journal).first, 26);
    add(journal, 2);
    lf_journal_close(journal);
    tamper("DELETE FROM audit WHERE seq <= 27"); /* with the anchor */
    CHECK_INT(wrong_entry(NULL), 1);
    CHECK_HAS(err.text, "entries 1 to 27 are missing");
}

/* Whoever may write the file can add an entry that fits, and remove what it names. */
static void forged_pruning(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_audit_verdict verdict;
    struct lf_audit_head noted, later;
    struct seen cut = {0};
    char text[300];
    add(journal, FIRST);
    NEED(lf_journal_audit_head(journal, &noted, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_audit_list(journal, &(struct lf_audit_filter){.from = 5, .limit = 1}, see, &cut,
                               UNIT_ERROR)
         == LF_OK);
    snprintf(text, sizeof text, "entries 1 to 5 were let go; the last had the digest %s", cut.hash);
    NEED(lf_journal_audit_add(journal, "agent", "pruned", "5", text, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_audit_head(journal, &later, UNIT_ERROR) == LF_OK);
    lf_journal_close(journal);
    tamper("DELETE FROM audit WHERE seq <= 5");
    CHECK_INT(wrong_entry(&noted), 1);
    CHECK_HAS(err.text, "newer than the noted head");
    journal = open_journal();
    CHECK_INT(lf_journal_audit_verify(journal, &noted, 0, &verdict, &err), LF_CORRUPT);
    CHECK_HAS(err.text, "agent.audit_keep keeps everything");
    CHECK_INT(lf_journal_audit_verify(journal, NULL, 0, &verdict, &err), LF_CORRUPT);
    CHECK_INT(lf_journal_audit_verify(journal, &noted, PACE, &verdict, &err), LF_CORRUPT);
    CHECK_HAS(err.text, "agent.audit_keep keeps what is that young");
    CHECK_INT(verdict.wrong, 1);
    /* A head that was noted after it vouches for it: somebody has seen it then. */
    CHECK_INT(lf_journal_audit_verify(journal, &later, 0, &verdict, &err), LF_OK);
    CHECK_INT(lf_journal_audit_verify(journal, &noted, -PACE, &verdict, &err), LF_OK); /* they were old */
    lf_journal_close(journal);
}

static void zero_in_an_export(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_audit_head head;
    char command[800], from[600];
    NEED(lf_journal_audit_add(journal, "agent", "agent", NULL, "says \\u0000", UNIT_ERROR) == LF_OK);
    lf_journal_close(journal);
    snprintf(from, sizeof from, "%s", path);
    snprintf(path, sizeof path, "%s/zero.jsonl", unit_folder());
    FILE *out = fopen(path, "w");
    NEED(out && lf_audit_export_file(from, out, &head, UNIT_ERROR) == LF_OK);
    fclose(out);
    CHECK_INT(wrong_entry(NULL), 0); /* these are six characters */
    snprintf(command, sizeof command, "sed -i '1s/u0000\"/u0000\\\\u0000 and released\"/' '%s'", path);
    NEED(system(command) == 0);
    CHECK_INT(wrong_entry(NULL), 1);
}

static void fast_enough(void)
{
    struct lf_journal *journal = open_journal();
    int64_t start = lf_clock_mono_ms();
    for (int i = 0; i < MANY / 1000; i++)
        add(journal, 1000);
    int64_t written = lf_clock_mono_ms();
    CHECK_INT(verify(journal).count, MANY);
    int64_t done = lf_clock_mono_ms();
    CHECK(done - written < written - start);
    lf_journal_close(journal);
    FILE *file = fopen(path, "r");
    NEED(file != NULL);
    fseek(file, 0, SEEK_END);
    printf("      %d entries: written in %lld ms, verified in %lld ms, %ld bytes each\n", MANY,
           (long long)(written - start), (long long)(done - written), ftell(file) / MANY);
    fclose(file);
}

static void older_journal(void)
{
    run_agent(FIRST);
    tamper(
        "DROP TABLE audit; DELETE FROM small WHERE name = 'audit.head'; DROP INDEX outbox_to_drop; "
        "ALTER TABLE outbox DROP COLUMN reply; ALTER TABLE finding DROP COLUMN gone; "
        "DROP TABLE event_job; ALTER TABLE event ADD COLUMN job INTEGER NOT NULL DEFAULT 0; "
        "ALTER TABLE job DROP COLUMN stop; DROP TABLE concern; ALTER TABLE command DROP COLUMN who; DROP INDEX job_by_turn; "
        "ALTER TABLE job DROP COLUMN turn; ALTER TABLE job DROP COLUMN in_order; "
        "ALTER TABLE job DROP COLUMN looked_mono; DROP INDEX event_by_key; ALTER TABLE event DROP COLUMN digest; "
        "PRAGMA user_version = 1");
    struct lf_journal *journal = open_journal();
    add(journal, 2);
    CHECK_INT(verify(journal).count, 2);
    lf_journal_close(journal);
}

static void check_of_a_whole_journal(void)
{
    cJSON *report = NULL;
    run_agent(FIRST);
    CHECK_INT(lf_journal_check_file(path, &report, &err), LF_OK);
    CHECK_INT(cJSON_GetArraySize(lf_json_at(report, "problems")), 0);
    CHECK_INT(lf_json_int(report, "rows.audit", -1), FIRST);
    CHECK_INT(lf_json_int(report, "audit.entries", -1), FIRST);
    cJSON_Delete(report);
    tamper("UPDATE audit SET text = 'x' WHERE seq = 4");
    CHECK_INT(lf_journal_check_file(path, &report, &err), LF_CORRUPT);
    CHECK_INT(lf_json_int(report, "audit.wrong", -1), 4);
    cJSON_Delete(report);
}

UNIT_TESTS("audit",
           {"each entry holds the digest of the one before, and the head is that of the last", whole_trail,
            UNIT_SLOW},
           {"the digest is SHA-256 over the fields with their lengths, as audit.h says", known_digest},
           {"entries are found by what they are about, by kind, time and number", filters},
           {"invalid UTF-8 is replaced and long texts are cut, so that an export verifies", broken_texts},
           UNIT_ROWS(tamperings, tampered),
           {"a trail that no entry can follow is refused at the start", no_entry_can_follow},
           {"an entry that was added with a right digest is named", added_with_digest},
           {"an entry that was replaced together with its digest is named", exchanged_with_digest},
           {"a trail that was forged as a whole does not have the head that was noted", forged_whole},
           {"a cut stays visible after the agent went on, and a lost head is found", stays_visible},
           {"the database refuses to change, remove or replace an entry", refuses_own_mistakes},
           {"a kill in the middle of a transaction leaves a whole trail of what was committed",
            killed_in_between, UNIT_SLOW},
           {"what is rolled back leaves no entry and no gap", rolled_back},
           {"events, files, actions, held work and ends of jobs are recorded, with who", life_of_a_job},
           {"pruning leaves an entry that anchors the rest, and without that one the cut is found", pruned},
           {"an entry about pruning that anyone could have added does not excuse a cut", forged_pruning},
           {"a zero byte in an export is refused, as it is or escaped", zero_in_an_export},
           {"20000 entries are verified in less time than they took to write", fast_enough, UNIT_SLOW},
           {"a journal of the version before gets a trail of its own", older_journal},
           {"a check of a journal says what is in it, and names what is wrong", check_of_a_whole_journal}, )
