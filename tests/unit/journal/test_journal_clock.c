/* What a reboot, a killed process and a wall clock that steps must not change. */
#include "base/clock.h"
#include "journal/journal.h"
#include "unit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR = 60 * 60 * 1000 };

static struct lf_journal *open_journal(void)
{
    static char path[512];
    struct lf_journal *journal = NULL;
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    NEED(lf_journal_open(path, &journal, UNIT_ERROR) == LF_OK);
    return journal;
}

/* Both clocks are known to be right, as after a call to the tenant. */
static void clocks_agree(struct lf_journal *journal)
{
    lf_clock_learn(lf_clock_wall_ms());
    NEED(lf_journal_clock_look(journal, UNIT_ERROR) == LF_OK);
}

static struct lf_journal *reboot(struct lf_journal *journal)
{
    NEED(lf_journal_set(journal, "boot", "another boot", UNIT_ERROR) == LF_OK);
    lf_journal_close(journal);
    return open_journal();
}

/* A deliver job on the bench which may start until so many ms from now. */
static int64_t add(struct lf_journal *journal, const char *key, int64_t expires_in)
{
    struct lf_job job = {.kind = (char *)"deliver",
                         .instrument = (char *)"robot",
                         .key = (char *)key,
                         .step = "deliver",
                         .bench = true,
                         .expires_ms = lf_clock_wall_ms() + expires_in,
                         .expires_mono = lf_clock_mono_ms() + expires_in};
    NEED(lf_journal_job_add(journal, &job, NULL, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_history_add(journal, job.id, "agent", "made", UNIT_ERROR) == LF_OK);
    return job.id;
}

static struct lf_job get(struct lf_journal *journal, int64_t id)
{
    struct lf_job job;
    NEED(lf_journal_job_get(journal, id, &job, UNIT_ERROR) == LF_OK);
    return job;
}

static void expired_before_the_boot(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_job job = {.kind = (char *)"deliver",
                         .instrument = (char *)"robot",
                         .key = (char *)"old",
                         .step = "deliver",
                         .bench = true,
                         .expires_ms = lf_clock_wall_ms() - 72LL * HOUR
                                       - lf_clock_mono_ms(),    /* before it was up */
                         .expires_mono = lf_deadline_in(1000)}; /* as the other boot saw it */
    int64_t id, next;
    NEED(lf_journal_job_add(journal, &job, NULL, UNIT_ERROR) == LF_OK);
    id = job.id;
    journal = reboot(journal);
    job = get(journal, id);
    CHECK(job.expires_mono > 0 && job.expires_mono <= lf_clock_mono_ms());
    lf_job_free(&job);
    CHECK_INT(lf_journal_job_claim(journal, NULL, &job, &next, UNIT_ERROR),
              LF_OK); /* by a courier, which ends it */
    CHECK_INT(job.id, id);
    lf_job_free(&job);
    lf_journal_close(journal);
}

static void still_in_time_after_the_boot(void)
{
    struct lf_journal *journal = open_journal();
    int64_t id = add(journal, "fresh", 2 * HOUR);
    journal = reboot(journal);
    struct lf_job job = get(journal, id);
    int64_t left = job.expires_mono - lf_clock_mono_ms();
    CHECK(left > 2 * HOUR - 60000 && left <= 2 * HOUR);
    lf_job_free(&job);
    lf_journal_close(journal);
}

static void clock_was_set(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_job job = {.kind = (char *)"deliver",
                         .instrument = (char *)"robot",
                         .key = (char *)"in 1970",
                         .step = "deliver",
                         .bench = true,
                         .expires_ms = 2 * HOUR,
                         .expires_mono = lf_deadline_in(2 * HOUR)};
    NEED(lf_journal_job_add(journal, &job, NULL, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_clock_stepped(journal, UNIT_ERROR) == LF_OK);
    journal = reboot(journal);
    struct lf_job found = get(journal, job.id);
    int64_t left = found.expires_mono - lf_clock_mono_ms();
    CHECK(left > 2 * HOUR - 60000 && left <= 2 * HOUR);
    lf_job_free(&found);
    lf_journal_close(journal);
}

static void stamped_in_the_past(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_event_row row = {.id = (char *)"evt_1",
                               .source = (char *)"mqtt",
                               .received_ms = HOUR,
                               .fate = LF_FATE_UNROUTED};
    int64_t dropped;
    clocks_agree(journal);
    row.created_ms = lf_clock_wall_ms() - HOUR; /* by the cloud's clock; ours was in 1970 */
    NEED(lf_journal_event_add(journal, &row, UNIT_ERROR) == LF_OK);
    row.id = (char *)"evt_2"; /* an impossible date keeps nothing forever */
    row.created_ms = lf_clock_wall_ms() + 1000LL * HOUR;
    NEED(lf_journal_event_add(journal, &row, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_prune(journal, 24 * HOUR, &dropped, UNIT_ERROR), LF_OK);
    CHECK_INT(dropped, 1);
    CHECK_INT(lf_journal_event_get(journal, "evt_1", &row, UNIT_ERROR), LF_OK);
    lf_event_row_free(&row);
    lf_journal_close(journal);
}

static void acted_does_not_expire(void)
{
    struct lf_journal *journal = open_journal();
    int64_t id = add(journal, "acted", -HOUR);
    struct lf_job job = get(journal, id);
    job.expires_mono = 0;
    NEED(lf_journal_job_save(journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    journal = reboot(journal);
    job = get(journal, id);
    CHECK_INT(job.expires_mono, 0);
    lf_job_free(&job);
    lf_journal_close(journal);
}

static void due_after_the_boot(void)
{
    struct lf_journal *journal = open_journal();
    int64_t id = add(journal, "waiting", 2 * HOUR), next;
    struct lf_job job = get(journal, id);
    job.state = LF_JOB_WAITING;
    job.due_mono = lf_deadline_in(1000LL * HOUR); /* an instant that means nothing in another boot */
    NEED(lf_journal_job_save(journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    journal = reboot(journal);
    CHECK_INT(lf_journal_job_claim(journal, "robot", &job, &next, UNIT_ERROR), LF_OK);
    lf_job_free(&job);
    lf_journal_close(journal);
}

static void add_event(struct lf_journal *journal, const char *id, enum lf_fate fate, int64_t created_ms)
{
    struct lf_event_row row = {.id = (char *)id,
                               .source = (char *)"mqtt",
                               .received_ms = lf_clock_wall_ms(),
                               .created_ms = created_ms,
                               .fate = fate};
    NEED(lf_journal_event_add(journal, &row, UNIT_ERROR) == LF_OK);
}

static void reread_after_a_kill(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_event_row row;
    int64_t next;
    add_event(journal, "evt_1", LF_FATE_REREAD, 1);
    NEED(lf_journal_event_claim_reread(journal, lf_deadline_in(HOUR), &row, &next, UNIT_ERROR) == LF_OK);
    lf_event_row_free(&row);
    CHECK_INT(lf_journal_event_claim_reread(journal, lf_deadline_in(HOUR), &row, &next, UNIT_ERROR),
              LF_NOT_FOUND);
    lf_journal_close(journal); /* the process that had claimed it is gone */
    journal = open_journal();
    CHECK_INT(lf_journal_event_claim_reread(journal, lf_deadline_in(HOUR), &row, &next, UNIT_ERROR), LF_OK);
    lf_event_row_free(&row);
    lf_journal_close(journal);
}

static void wait_until(struct lf_journal *journal, const char *id, int64_t due)
{
    NEED(lf_journal_event_put_off(journal, id, due, UNIT_ERROR) == LF_OK);
}

static void reread_in_order(void)
{
    static const char *const order[] = {"evt_3", "evt_1", "evt_2"};
    struct lf_journal *journal = open_journal();
    struct lf_event_row row;
    int64_t next, now = lf_clock_mono_ms();
    add_event(journal, "evt_1", LF_FATE_REREAD, 1);
    add_event(journal, "evt_2", LF_FATE_REREAD, 1);
    add_event(journal, "evt_3", LF_FATE_REREAD, 1);
    wait_until(journal, "evt_1", now - 1);
    wait_until(journal, "evt_2", now - 1);
    wait_until(journal, "evt_3", now - 2); /* has waited longest */
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        NEED(lf_journal_event_claim_reread(journal, now + HOUR, &row, &next, UNIT_ERROR) == LF_OK);
        CHECK_STR(row.id, order[i]);
        lf_event_row_free(&row);
    }
    CHECK_INT(lf_journal_event_claim_reread(journal, now, &row, &next, UNIT_ERROR), LF_NOT_FOUND);
    CHECK_INT(next, now + HOUR);
    lf_journal_close(journal);
}

/* A job of that run, at that step. */
static int64_t of_run(struct lf_journal *journal, const char *key, const char *run, const char *step,
                      enum lf_job_state state)
{
    struct lf_job job = get(journal, add(journal, key, HOUR));
    NEED(lf_job_set_text(&job, LF_JOB_RUN, run, UNIT_ERROR) == LF_OK);
    snprintf(job.step, sizeof job.step, "%s", step);
    job.state = state;
    NEED(lf_journal_job_save(journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    return job.id;
}

static char answers[80];

static void note_answer(void *context, const struct lf_job *job, bool answered)
{
    (void)context;
    size_t used = strlen(answers);
    snprintf(answers + used, sizeof answers - used, "%s%s ", lf_job_text_or(job, LF_JOB_RUN, "none"),
             answered ? "+" : "-");
}

static const char *answered(struct lf_journal *journal, int64_t but)
{
    answers[0] = '\0';
    CHECK_INT(lf_journal_job_answers(journal, "robot", "deliver", "confirm", "deliver", but, 9, note_answer,
                                     NULL, UNIT_ERROR),
              LF_OK);
    return answers;
}

static void who_has_an_answer(void)
{
    struct lf_journal *journal = open_journal();
    CHECK_STR(answered(journal, 0), "");
    of_run(journal, "a", "one", "confirm", LF_JOB_DONE);
    of_run(journal, "b", NULL, "confirm", LF_JOB_WAITING);
    of_run(journal, "c", "two", "fetch", LF_JOB_WAITING); /* has not reached it */
    of_run(journal, "d", "three", "confirm", LF_JOB_CANCELLED);
    CHECK_STR(answered(journal, 1), "three- none- one- ");
    of_run(journal, "e", "one", "spool", LF_JOB_FAILED);
    CHECK_STR(answered(journal, 1), "three- none- one- ");
    int64_t answer = of_run(journal, "f", "one", "spool", LF_JOB_READY);
    CHECK_STR(answered(journal, 1), "three- none- one+ ");
    CHECK_STR(answered(journal, answer), "three- none- one+ "); /* job 1 is of that run itself */
    lf_journal_close(journal);
}

/* ---- what is old */

enum { DAY = 24 };

static void finish_command(struct lf_journal *journal, const char *id)
{
    struct lf_command_row row = {.id = (char *)id, .reply = (char *)"r", .state = LF_COMMAND_FINISHED};
    NEED(lf_journal_command_add(journal, &row, UNIT_ERROR) == LF_OK);
}

/* How much a month of keeping lets go. */
static int64_t pruned(struct lf_journal *journal)
{
    int64_t dropped = -1;
    NEED(lf_journal_prune(journal, (int64_t)30 * DAY * HOUR, &dropped, UNIT_ERROR) == LF_OK);
    return dropped;
}

static void one_wrong_date(void)
{
    struct lf_journal *journal = open_journal();
    clocks_agree(journal);
    finish_command(journal, "op-1");
    lf_clock_learn(lf_clock_wall_ms() + (int64_t)40 * DAY * HOUR);
    NEED(lf_journal_clock_look(journal, UNIT_ERROR) == LF_OK);
    CHECK_INT(pruned(journal), 0);
    /* Nor is it believed: ours agrees with what was known. */
    CHECK(llabs(lf_clock_best_ms() - lf_clock_wall_ms()) < HOUR);
    lf_journal_close(journal);
    journal = open_journal(); /* nor after a start */
    NEED(lf_journal_clock_look(journal, UNIT_ERROR) == LF_OK);
    CHECK_INT(pruned(journal), 0);
    clocks_agree(journal);
    CHECK_INT(pruned(journal), 0);
    lf_journal_close(journal);
}

/* Two clocks that jump ahead together look like a known time that is behind both. */
static void both_clocks_jump(void)
{
    struct lf_journal *journal = open_journal();
    clocks_agree(journal);
    lf_clock_know(lf_clock_wall_ms() - (int64_t)40 * DAY * HOUR);
    struct lf_event_row row = {.id = (char *)"evt_1",
                               .fate = LF_FATE_UNROUTED,
                               .received_ms = lf_clock_wall_ms() - (int64_t)35 * DAY * HOUR};
    NEED(lf_journal_event_add(journal, &row, UNIT_ERROR) == LF_OK);
    clocks_agree(journal);
    CHECK_INT(pruned(journal), 0);
    UNIT_TIME_PASSES((int64_t)36 * DAY * HOUR); /* now it is old in any case */
    clocks_agree(journal);
    CHECK_INT(pruned(journal), 1);
    lf_journal_close(journal);
}

static void as_another_program(const char *sql)
{
    char path[512];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    NEED(sqlite3_open(path, &db) == SQLITE_OK);
    NEED(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
}

/* The dates could not be written the first time. */
static void dated_at_the_second_try(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_error err;
    int64_t known = lf_clock_wall_ms() - (int64_t)40 * DAY * HOUR;
    clocks_agree(journal);
    lf_journal_close(journal);
    as_another_program(
        "UPDATE small SET value = '1 1 0 another' WHERE name = 'time.known';"
        "CREATE TRIGGER no BEFORE INSERT ON small WHEN NEW.name = 'time.known' BEGIN SELECT RAISE(ABORT, 'no'); END");
    journal = open_journal();
    lf_clock_know(known);
    struct lf_event_row row = {.id = (char *)"evt_1", .fate = LF_FATE_UNROUTED, .received_ms = known};
    NEED(lf_journal_event_add(journal, &row, UNIT_ERROR) == LF_OK);
    lf_clock_learn(lf_clock_wall_ms());
    CHECK(lf_journal_clock_look(journal, &err) != LF_OK);
    CHECK(llabs(lf_clock_known_ms() - known) < HOUR);
    as_another_program("DROP TRIGGER no");
    CHECK_INT(lf_journal_clock_look(journal, UNIT_ERROR), LF_OK);
    CHECK_INT(pruned(journal), 0);
    lf_journal_close(journal);
}

/* A week with the machine off, which only the clocks can tell. */
static void off_for_long(void)
{
    struct lf_journal *journal = open_journal();
    char then[80];
    int64_t left = lf_clock_wall_ms() - (int64_t)40 * DAY * HOUR;
    lf_clock_know(left);
    struct lf_event_row row = {.id = (char *)"evt_1", .fate = LF_FATE_UNROUTED, .received_ms = left};
    NEED(lf_journal_event_add(journal, &row, UNIT_ERROR) == LF_OK);
    snprintf(then, sizeof then, "%lld 5000 1 another-boot", (long long)left - lf_clock_mono_ms());
    NEED(lf_journal_set(journal, "time.known", then, UNIT_ERROR) == LF_OK);
    lf_journal_close(journal);
    lf_clock_learn(0);
    journal = open_journal();
    NEED(lf_journal_clock_look(journal, UNIT_ERROR) == LF_OK);
    CHECK_INT(pruned(journal), 0);
    finish_command(journal, "op-1");
    clocks_agree(journal);
    CHECK_INT(pruned(journal), 1); /* the event; the command is of today, whatever its date was */
    CHECK_INT(lf_journal_event_get(journal, "evt_1", &row, UNIT_ERROR), LF_NOT_FOUND);
    lf_journal_close(journal);
}

static void before_the_clock_was_set(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_event_row row = {.id = (char *)"evt_1", .fate = LF_FATE_UNROUTED, .received_ms = HOUR};
    NEED(lf_journal_event_add(journal, &row, UNIT_ERROR) == LF_OK);
    lf_clock_know(0);
    clocks_agree(journal);
    CHECK_INT(pruned(journal), 0);
    lf_journal_close(journal);
}

UNIT_TESTS(
    "journal, boots and clocks",
    {"a job that expired before a reboot does not start after it", expired_before_the_boot},
    {"a job that is in time keeps the rest of its time across a reboot", still_in_time_after_the_boot},
    {"a job from before the clock was set keeps its time across a reboot", clock_was_set},
    {"one wrong date from outside makes nothing old", one_wrong_date},
    {"two clocks that jump together make nothing older than the time that passed", both_clocks_jump},
    {"if the new time cannot be written, it is not known, and the dates follow at the next look",
     dated_at_the_second_try},
    {"what the machine slept through counts once two clocks agree", off_for_long},
    {"what was dated before the clock was first set is not old", before_the_clock_was_set},
    {"an event that came while the clock was behind is not pruned sooner than others", stamped_in_the_past},
    {"a job that has acted never expires, whatever restarts", acted_does_not_expire},
    {"a job that waited when the machine went down is due after the boot", due_after_the_boot},
    {"an event that a killed process was about to complete is completed at once", reread_after_a_kill},
    {"events to complete are taken in the order in which they are due", reread_in_order},
    {"for every job that reached the step, however it ended, the journal knows whether its run has an answer",
     who_has_an_answer}, )
