/* The table of jobs, and their history.
 *
 * Due times are on the boot-time clock, so that steps of the wall clock do not matter; they are valid only
 * within one boot. After a reboot (the boot id differs) journal__jobs_recover makes waiting jobs due and
 * recomputes expiry from expires_ms, which is stored for that alone and adjusted when the wall clock is set.
 */
#include "journal/job_rows.h"

#include "base/clock.h"
#include "os/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- after opening ---- */

/* expires_mono stays 0 (it never expires, or has acted); a time before the boot becomes 1. The wall clock may
 * not be set yet (a board without a battery), but it is not earlier than when the job was last saved. */
static enum lf_status new_boot(struct lf_journal *journal, struct lf_error *err)
{
    return journal__query_do(
        journal, err,
        "UPDATE job SET due_mono = 0, expires_mono = iif(expires_mono = 0 OR state IN (" FINAL_STATES "), "
        "expires_mono, max(1, ?1 + (expires_ms - max(?2, updated_ms)))) WHERE due_mono <> 0 OR expires_mono <> 0",
        "ii", lf_clock_mono_ms(), lf_clock_best_ms());
}

enum lf_status lf_journal_clock_stepped(struct lf_journal *journal, struct lf_error *err)
{
    int64_t mono = lf_clock_mono_ms();
    return journal__query_do(journal, err,
                             "UPDATE job SET expires_ms = expires_mono + ?1 WHERE expires_mono > ?2 "
                             "AND state NOT IN (" FINAL_STATES ")",
                             "ii", lf_clock_best_ms() - mono, mono);
}

enum lf_status journal__jobs_recover(struct lf_journal *journal, struct lf_error *err)
{
    char boot[LF_BOOT_TEXT], *known = NULL;
    bool named = lf_boot_name(boot);
    enum lf_status status = lf_journal_get(journal, "boot", &known, err);
    /* Journals of older agents have the name with its line end. */
    bool same = named && known && !strncmp(known, boot, strlen(boot));
    journal->rebooted = known && !same;
    free(known);
    if (status == LF_OK)
        status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    if (!same) {
        status = new_boot(journal, err);
        if (status == LF_OK)
            status = lf_journal_set(journal, "boot", named ? boot : "unknown", err);
    } else {
        status = lf_journal_clock_stepped(journal, err); /* if it did, while we were away */
    }
    if (status == LF_OK)
        status = journal__query_do(journal, err, "UPDATE job SET state = 'ready' WHERE state = 'running'",
                                   "");
    if (status == LF_OK) /* a look of the last run is too old */
        status = journal__query_do(journal, err, "UPDATE job SET looked_mono = 0 WHERE looked_mono <> 0", "");
    if (status == LF_OK) /* no thread has claimed them any more */
        status = journal__query_do(journal, err, "UPDATE event SET due_mono = 0 WHERE fate = 'reread'", "");
    return lf_journal_end(journal, status, err);
}

/* ---- writing ---- */

enum lf_status lf_journal_job_add(struct lf_journal *journal, struct lf_job *job, int64_t *existing,
                                  struct lf_error *err)
{
    char *facts = job->fields ? lf_json_print(job->fields) : strdup("{}");
    if (!facts)
        return lf_fail_memory(err, "adding a job");
    job->created_ms = job->updated_ms = lf_clock_best_ms();
    job->id = 0;
    enum lf_status status = journal__query_int(
        journal, &job->id, err,
        "INSERT INTO job (kind, route, instrument, key, event_id, state, step, bench, created_ms, "
        "updated_ms, due_mono, expires_ms, expires_mono, note, facts, turn, in_order) VALUES (?1, ?2, ?3, "
        "?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT (key) DO NOTHING RETURNING id",
        "tttttttiiiiittii", job->kind, job->route, job->instrument, job->key, job->event_id,
        lf_job_state_name(job->state), job->step, (int64_t)job->bench, job->created_ms, job->due_mono,
        job->expires_ms, job->expires_mono, job->note, facts, (int64_t)job->turn, (int64_t)job->in_order);
    free(facts);
    if (status != LF_OK || job->id)
        return status;
    int64_t known = 0;
    status = journal__query_int(journal, &known, err, "SELECT id FROM job WHERE key = ?1", "t", job->key);
    if (existing)
        *existing = known;
    return status == LF_OK ? LF_EXISTS : status;
}

/* Compares the job with its row, before the row is written. */
static enum lf_status audit_change(struct lf_journal *journal, const struct lf_job *job, struct lf_error *err)
{
    enum lf_job_state before = LF_JOB_READY;
    bool acting = false;
    char text[LF_ERROR_TEXT + 200];
    const char *who = job->by ? job->by : "agent", *note = job->state == LF_JOB_DONE ? NULL : job->note;
    struct query query = journal__query(journal, "SELECT state, acting FROM job WHERE id = ?1", "i", job->id);
    if (journal__query_row(&query)) {
        lf_job_state_parse(journal__column_peek(&query, 0), &before);
        acting = journal__column_int(&query, 1) != 0;
    }
    enum lf_status status = journal__query_end(&query, err);
    bool about_to_act = job->acting && !acting;
    snprintf(text, sizeof text, "%sstep %.60s%s%.100s%s%s", about_to_act ? "about to act: " : "", job->step,
             *job->instrument ? " on " : "", job->instrument, note ? ": " : "", note ? note : "");
    if (status == LF_OK && about_to_act)
        status = journal__audit_job(journal, job->id, who, "acting", text, err);
    journal->acts = journal->acts || about_to_act;
    if (status == LF_OK && job->state != before
        && (job->state == LF_JOB_HELD || lf_job_state_final(job->state)))
        status = journal__audit_job(journal, job->id, who, lf_job_state_name(job->state), text, err);
    return status;
}

static enum lf_status write_job(struct lf_journal *journal, const struct lf_job *job, const char *facts,
                                struct lf_error *err)
{
    return journal__query_do(
        journal, err,
        "UPDATE job SET state = ?2, step = ?3, bench = ?4, acting = ?5, attempt = ?6, updated_ms = ?7, "
        "due_mono = ?8, class = ?9, note = ?10, wake = ?11, facts = ?12, instrument = ?13, expires_mono = "
        "?14, expires_ms = ?15, turn = ?16, in_order = ?17, looked_mono = ?18, stop = NULL WHERE id = ?1",
        "ittiiiiitttttiiiii", job->id, lf_job_state_name(job->state), job->step, (int64_t)job->bench,
        (int64_t)job->acting, (int64_t)job->attempt, job->updated_ms, job->due_mono,
        job->class == LF_CLASS_NONE ? NULL : lf_class_name(job->class), job->note, job->wake, facts,
        job->instrument, job->expires_mono, job->expires_ms, (int64_t)job->turn, (int64_t)job->in_order,
        job->looked_mono);
}

enum lf_status lf_journal_job_save(struct lf_journal *journal, struct lf_job *job, struct lf_error *err)
{
    char *facts = lf_json_print(job->fields);
    if (!facts)
        return lf_fail_memory(err, "saving a job");
    int64_t mono = lf_clock_mono_ms();
    job->updated_ms = lf_clock_best_ms();
    if (job->expires_mono > mono) /* by the wall clock as it is now */
        job->expires_ms = job->updated_ms + (job->expires_mono - mono);
    enum lf_status status = lf_journal_begin(journal, err);
    if (status == LF_OK) {
        status = audit_change(journal, job, err);
        if (status == LF_OK)
            status = write_job(journal, job, facts, err);
        status = lf_journal_end(journal, status, err);
    }
    free(facts);
    return status;
}

enum lf_status lf_journal_job_stop(struct lf_journal *journal, int64_t id, const char *text,
                                   struct lf_error *err)
{
    return journal__query_do(journal, err, "UPDATE job SET stop = ?2 WHERE id = ?1", "it", id, text);
}

/* ---- reading ---- */

/* Reads the row of a query and ends it. LF_NOT_FOUND without filling err. */
static enum lf_status read_one(struct query query, struct lf_job *job, struct lf_error *err)
{
    memset(job, 0, sizeof *job);
    enum lf_status read = journal__query_row(&query) ? journal__job_read(&query, job, err) : LF_NOT_FOUND;
    enum lf_status status = journal__query_end(&query, err);
    if (status != LF_OK && read == LF_OK)
        lf_job_free(job);
    return status != LF_OK ? status : read;
}

enum lf_status lf_journal_job_get(struct lf_journal *journal, int64_t id, struct lf_job *job,
                                  struct lf_error *err)
{
    enum lf_status status = read_one(journal__query(journal, "SELECT " JOB_COLUMNS " FROM job WHERE id = ?1",
                                                    "i", id),
                                     job, err);
    if (status == LF_NOT_FOUND)
        return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "there is no job %lld. `labferry jobs` lists them",
                       (long long)id);
    return status;
}

enum lf_status lf_journal_job_answers(struct lf_journal *journal, const char *instrument, const char *kind,
                                      const char *step, const char *answer, int64_t but, int limit,
                                      void (*each)(void *context, const struct lf_job *job, bool answered),
                                      void *context, struct lf_error *err)
{
    struct query query = journal__query(
        journal,
        "WITH answer AS MATERIALIZED (SELECT json_extract(facts, '$." LF_NAME_RUN "') AS run FROM job"
        " WHERE kind = ?4 AND id <> ?5 AND state IN (" OPEN_STATES ", 'done'))"
        " SELECT " JOB_COLUMNS
        ", EXISTS (SELECT 1 FROM answer WHERE run = json_extract(facts, '$." LF_NAME_RUN
        "')) FROM job WHERE instrument = ?1 AND kind = ?2 AND (step = ?3 OR acting) ORDER BY id DESC LIMIT ?6",
        "ttttii", instrument, kind, step, answer, but, (int64_t)limit);
    enum lf_status read = LF_OK;
    while (read == LF_OK && journal__query_row(&query)) {
        struct lf_job job;
        bool answered = journal__column_int(&query, JOB_COLUMN_COUNT) != 0;
        read = journal__job_read(&query, &job, err);
        if (read == LF_OK) {
            each(context, &job, answered);
            lf_job_free(&job);
        }
    }
    enum lf_status status = journal__query_end(&query, err);
    return read != LF_OK ? read : status;
}

static enum lf_status read_each(struct query query, void (*each)(void *context, const struct lf_job *job),
                                void *context, struct lf_error *err)
{
    enum lf_status read = LF_OK;
    while (read == LF_OK && journal__query_row(&query)) {
        struct lf_job job;
        read = journal__job_read(&query, &job, err);
        if (read == LF_OK) {
            each(context, &job);
            lf_job_free(&job);
        }
    }
    enum lf_status status = journal__query_end(&query, err);
    return read != LF_OK ? read : status;
}

enum lf_status lf_journal_job_list(struct lf_journal *journal, const struct lf_job_filter *filter,
                                   void (*each)(void *context, const struct lf_job *job), void *context,
                                   struct lf_error *err)
{
    bool open = filter->state && !strcmp(filter->state, "open");
    return read_each(
        journal__query(journal,
                       "SELECT " JOB_COLUMNS
                       " FROM job WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR kind = ?2) "
                       "AND (?3 IS NULL OR instrument = ?3) AND (?4 = 0 OR id < ?4) "
                       "AND (?6 = 0 OR state IN (" OPEN_STATES ")) "
                       "AND (?7 = 0 OR json_extract(facts, '$." LF_NAME_FAILING_SINCE "') <= ?7) "
                       "AND (?8 = 0 OR json_extract(facts, '$." LF_NAME_SAMPLE_SINCE "') > 0) "
                       "ORDER BY id DESC LIMIT ?5",
                       "tttiiiii", open ? NULL : filter->state, filter->kind, filter->instrument,
                       filter->before, (int64_t)(filter->limit > 0 ? filter->limit : 50), (int64_t)open,
                       filter->failing_before_ms, (int64_t)filter->wants_sample),
        each, context, err);
}

enum lf_status lf_journal_job_list_keys(struct lf_journal *journal, const char *prefix,
                                        void (*each)(void *context, const struct lf_job *job), void *context,
                                        struct lf_error *err)
{
    /* '}' follows '|'. */
    return read_each(journal__query(journal,
                                    "SELECT " JOB_COLUMNS " FROM job WHERE key >= ?1 AND key < substr(?1, 1, "
                                    "length(?1) - 1) || '}' ORDER BY id",
                                    "t", prefix),
                     each, context, err);
}

cJSON *lf_journal_job_counts(struct lf_journal *journal, const char *instrument)
{
    struct query query = journal__query(
        journal, "SELECT state, count(*) FROM job WHERE ?1 IS NULL OR instrument = ?1 GROUP BY state", "t",
        instrument);
    return journal__query_counts(&query);
}

/* ---- scheduling ---- */

/* Couriers also take bench jobs that have expired: an instrument that is offline or paused would never look
 * at them. */
#define EXPIRING "bench = 1 AND acting = 0 AND expires_mono > 0 AND state IN ('ready', 'waiting')"
#define RUNNABLE                                                                                             \
    "((state = 'ready' OR (state = 'waiting' AND due_mono <= ?3)) AND bench = ?2 "                           \
    "AND (?1 IS NULL OR instrument = ?1 AND NOT EXISTS (SELECT 1 FROM job AS b WHERE " BEHIND(               \
        "job") "))) OR (?1 IS NULL AND expires_mono <= ?3 AND " EXPIRING ")"

/* The job c has to let the job b of its instrument go first; the numbers are those of enum lf_turn.
 * One in doubt stops all others but itself, which asks the instrument what happened. One that has its turn
 * comes before all, and of two the older. Of jobs that want their turn the older comes first among those of
 * its sort (deliveries; all else), with these exceptions:
 * - A job that the cloud has not answered for long holds up none.
 * - A delivery that is not at the instrument yet, or waits for it, holds up none.
 * - One that waits for a person's sign (wake) holds up no person's own job. */
#define BEHIND(c)                                                                                            \
    "b.instrument = " c ".instrument AND b.turn > 0 AND b.id <> " c ".id AND " c ".turn >= 2 AND " c         \
    ".acting = 0 AND (b.turn = 4 OR (b.turn = 3 AND b.state IN ('ready', 'running') AND (" c                 \
    ".turn = 2 OR b.id < " c ".id)) OR (" c ".turn = 2 AND b.id < " c ".id AND b.in_order = " c              \
    ".in_order AND b.state IN (" MOVING_STATES ") AND NOT (b.state = 'waiting' AND b.bench = 0 AND "         \
    "b.attempt >= " PATIENCE ") AND (b.in_order OR (b.turn = 3 AND b.bench = 0)) AND NOT (" c                \
    ".route IS NULL AND b.wake IS NOT NULL)))"
#define PATIENCE "5"
_Static_assert(LF_TURN_PATIENCE == 5, "PATIENCE too");
_Static_assert(LF_TURN_WANTED == 2 && LF_TURN_TAKEN == 3 && LF_TURN_DOUBT == 4, "BEHIND too");

enum lf_status lf_journal_job_behind(struct lf_journal *journal, int64_t job, int64_t *other,
                                     enum lf_turn *turn, struct lf_error *err)
{
    struct query query = journal__query(journal,
                                        "SELECT b.id, b.turn FROM job AS c, job AS b WHERE c.id = ?1 AND "
                                        "c.bench = 1 AND " BEHIND("c") " ORDER BY b.turn DESC, b.id LIMIT 1",
                                        "i", job);
    bool found = journal__query_row(&query);
    *other = found ? journal__column_int(&query, 0) : 0;
    *turn = found ? (enum lf_turn)journal__column_int(&query, 1) : LF_TURN_NONE;
    return journal__query_end(&query, err);
}

int64_t lf_journal_job_in_doubt(struct lf_journal *journal, const char *instrument)
{
    int64_t job = 0;
    journal__query_int(journal, &job, &(struct lf_error){0},
                       "SELECT id FROM job WHERE instrument = ?1 AND turn = 4 AND state = 'held' ORDER BY id "
                       "LIMIT 1",
                       "t", instrument);
    return job;
}

/* When the next waiting job is due. One that is due already waits for another job, and is woken when that
 * changes. If this cannot be read it is an error: nothing else would wake the caller. */
static enum lf_status next_due(struct lf_journal *journal, const char *instrument, int64_t now, int64_t *next,
                               struct lf_error *err)
{
    return journal__query_int(journal, next, err,
                              "SELECT min(due) FROM (SELECT min(due_mono) AS due FROM job WHERE state = "
                              "'waiting' AND bench = ?2 AND due_mono > ?3 AND (?1 IS NULL OR instrument = "
                              "?1) UNION ALL SELECT min(expires_mono) FROM job WHERE ?1 IS NULL AND " EXPIRING
                              ")",
                              "tii", instrument, (int64_t)(instrument != NULL), now);
}

enum lf_status lf_journal_job_claim(struct lf_journal *journal, const char *instrument, struct lf_job *job,
                                    int64_t *next_mono, struct lf_error *err)
{
    int64_t now = lf_clock_mono_ms();
    *next_mono = LF_NEVER;
    memset(job, 0, sizeof *job);
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = read_one(journal__query(journal,
                                     "UPDATE job SET state = 'running', wake = NULL WHERE id = (SELECT id "
                                     "FROM job WHERE " RUNNABLE
                                     " ORDER BY id LIMIT 1) RETURNING " JOB_COLUMNS,
                                     "tii", instrument, (int64_t)(instrument != NULL), now),
                      job, err);
    if (status == LF_NOT_FOUND && (status = next_due(journal, instrument, now, next_mono, err)) == LF_OK)
        status = lf_fail(err, LF_NOT_FOUND, LF_CLASS_NONE, "no job can run now");
    status = lf_journal_end(journal, status, err);
    if (status != LF_OK)
        lf_job_free(job);
    return status;
}

enum lf_status lf_journal_job_wake(struct lf_journal *journal, const char *wake, int64_t *job,
                                   struct lf_error *err)
{
    *job = 0;
    return journal__query_int(journal, job, err,
                              "UPDATE job SET state = 'ready', due_mono = 0, wake = NULL "
                              "WHERE wake = ?1 AND state = 'waiting' RETURNING id",
                              "t", wake);
}

/* Two statements, for SQLite to use the index of states. */
#define WITH_FIELD(states)                                                                                   \
    "SELECT id FROM job WHERE kind = ?1 AND id <> ?4 " states                                                \
    "AND json_extract(facts, '$.' || ?2) = ?3 ORDER BY id LIMIT 1"

enum lf_status lf_journal_job_with_field(struct lf_journal *journal, const char *kind,
                                         enum lf_job_field field, const char *value, bool open, int64_t but,
                                         int64_t *job, struct lf_error *err)
{
    *job = 0;
    const char *sql = open ? WITH_FIELD("AND state IN (" OPEN_STATES ") ") : WITH_FIELD("");
    enum lf_status status = journal__query_int(journal, job, err, sql, "ttti", kind, lf_job_field_name(field),
                                               value, but);
    return status == LF_OK && !*job ? lf_fail(err, LF_NOT_FOUND, LF_CLASS_NONE, "no such job") : status;
}

enum lf_status lf_journal_job_newest(struct lf_journal *journal, int64_t *id, struct lf_error *err)
{
    *id = 0;
    return journal__query_int(journal, id, err, "SELECT seq FROM sqlite_sequence WHERE name = 'job'", "");
}

enum lf_status lf_journal_job_skip(struct lf_journal *journal, int64_t id, struct lf_error *err)
{
    enum lf_status status = journal__query_do(
        journal, err,
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'job', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'job')",
        "");
    return status == LF_OK
               ? journal__query_do(journal, err,
                                   "UPDATE sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'job'", "i",
                                   id)
               : status;
}

/* ---- history ---- */

enum lf_status lf_journal_history_add(struct lf_journal *journal, int64_t job, const char *who,
                                      const char *text, struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = journal__query_do(journal, err,
                               "INSERT INTO history (job, at_ms, who, text) VALUES (?1, ?2, ?3, ?4)", "iitt",
                               job, lf_clock_best_ms(), who, text);
    if (status == LF_OK)
        status = journal__audit_job(journal, job, who, "job", text, err);
    return lf_journal_end(journal, status, err);
}

enum lf_status lf_journal_history_list(struct lf_journal *journal, int64_t job,
                                       void (*each)(void *context, int64_t at_ms, const char *who,
                                                    const char *text),
                                       void *context, struct lf_error *err)
{
    struct query query = journal__query(journal,
                                        "SELECT at_ms, who, text FROM history WHERE job = ?1 ORDER BY seq",
                                        "i", job);
    while (journal__query_row(&query))
        each(context, journal__column_int(&query, 0), journal__column_peek(&query, 1),
             journal__column_peek(&query, 2));
    return journal__query_end(&query, err);
}
