/* The journal's promises: what was committed is there after a kill, the same work is there once, what waits
 * comes when due. */
#include "base/clock.h"
#include "journal/journal.h"
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[512];

static struct lf_journal *open_journal(void)
{
    struct lf_journal *journal = NULL;
    struct lf_error err = {0};
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    enum lf_status status = lf_journal_open(path, &journal, &err);
    CHECK_STR(err.text, "");
    NEED(status == LF_OK);
    return journal;
}

static enum lf_status add_event(struct lf_journal *journal, const char *id)
{
    struct lf_event_row row = {.id = (char *)id,
                               .type = (char *)"v2.assayRun.created",
                               .source = (char *)"mqtt",
                               .received_ms = 1000,
                               .created_ms = 900,
                               .fate = LF_FATE_UNROUTED,
                               .body = (char *)"{\"a\":1}",
                               .body_len = 7};
    return lf_journal_event_add(journal, &row, UNIT_ERROR);
}

static int64_t job__add(struct lf_journal *journal, const char *key, const char *instrument, bool bench)
{
    struct lf_job job = {.kind = (char *)"deliver",
                         .instrument = (char *)instrument,
                         .key = (char *)key,
                         .step = "resolve",
                         .bench = bench,
                         .fields = cJSON_Parse("{\"run\":\"r-1\"}")};
    int64_t existing = 0;
    enum lf_status status = lf_journal_job_add(journal, &job, &existing, UNIT_ERROR);
    cJSON_Delete(job.fields);
    return status == LF_OK ? job.id : -existing;
}

static void committed_survives_a_kill(void)
{
    struct lf_journal *journal = open_journal();
    lf_journal_close(journal);
    pid_t child = fork();
    if (child == 0) {
        struct lf_journal *mine = NULL;
        if (lf_journal_open(path, &mine, UNIT_ERROR) != LF_OK || add_event(mine, "evt_kept") != LF_OK
            || lf_journal_begin(mine, UNIT_ERROR) != LF_OK || add_event(mine, "evt_open") != LF_OK)
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    int how = 0;
    waitpid(child, &how, 0);
    NEED(WIFSIGNALED(how));
    journal = open_journal();
    struct lf_event_row row;
    CHECK_INT(lf_journal_event_get(journal, "evt_kept", &row, UNIT_ERROR), LF_OK);
    CHECK_BYTES(row.body, row.body_len, "{\"a\":1}", 7);
    lf_event_row_free(&row);
    CHECK_INT(lf_journal_event_get(journal, "evt_open", &row, UNIT_ERROR), LF_NOT_FOUND);
    lf_journal_close(journal);
}

static void event_once(void)
{
    struct lf_journal *journal = open_journal();
    CHECK_INT(add_event(journal, "evt_1"), LF_OK);
    CHECK_INT(add_event(journal, "evt_1"), LF_EXISTS);
    CHECK_INT(add_event(journal, "evt_1"), LF_EXISTS);
    struct lf_event_row row;
    NEED(lf_journal_event_get(journal, "evt_1", &row, UNIT_ERROR) == LF_OK);
    CHECK_INT(row.times, 3);
    lf_event_row_free(&row);
    lf_journal_close(journal);
}

static void key_once(void)
{
    struct lf_journal *journal = open_journal();
    int64_t first = job__add(journal, "generator|g|file", "hamilton", false);
    CHECK(first > 0);
    CHECK_INT(job__add(journal, "generator|g|file", "hamilton", false), -first);
    CHECK(job__add(journal, "generator|g|other", "hamilton", false) > first);
    lf_journal_close(journal);
}

/* ---- effects ---- */

static char happened[200];

static void note_effect(void *context, int64_t number, const char *text)
{
    size_t len = strlen(happened);
    snprintf(happened + len, sizeof happened - len, "%s%d%s ", (const char *)context, (int)number, text);
}

static void effects_follow_the_outermost_commit(void)
{
    struct lf_journal *journal = open_journal();
    happened[0] = '\0';
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    lf_journal_after_commit(journal, note_effect, "a", 1, "x");
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    lf_journal_after_commit(journal, note_effect, "b", 2, NULL);
    CHECK_INT(lf_journal_end(journal, LF_OK, UNIT_ERROR), LF_OK);
    lf_journal_after_commit(journal, note_effect, "c", 3, NULL);
    CHECK_STR(happened, ""); /* the inner commit is not on disk */
    CHECK_INT(lf_journal_end(journal, LF_OK, UNIT_ERROR), LF_OK);
    CHECK_STR(happened, "a1x b2 c3 ");
    lf_journal_after_commit(journal, note_effect, "d", 4, NULL);
    lf_journal_after_commit(NULL, note_effect, "e", 5, NULL);
    CHECK_STR(happened, "a1x b2 c3 d4 e5 ");
    lf_journal_close(journal);
}

static void effects_are_dropped_on_rollback(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_error err = {0};
    happened[0] = '\0';
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    lf_journal_after_commit(journal, note_effect, "a", 1, NULL);
    CHECK_INT(lf_journal_end(journal, LF_BUSY, &err), LF_BUSY);
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    lf_journal_after_commit(journal, note_effect, "b", 1, NULL);
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    lf_journal_rollback(journal);
    CHECK_INT(lf_journal_end(journal, LF_OK, &err), LF_IO);
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_end(journal, LF_OK, UNIT_ERROR), LF_OK); /* nothing is left over for the next one */
    CHECK_STR(happened, "");
    lf_journal_close(journal);
}

static void the_last_of_equal_effects_runs(void)
{
    struct lf_journal *journal = open_journal();
    happened[0] = '\0';
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    lf_journal_after_commit(journal, note_effect, "pause", 1, "why");
    lf_journal_after_commit(journal, note_effect, "resume", 1, NULL);
    lf_journal_after_commit(journal, note_effect, "pause", 1, "why");
    lf_journal_after_commit(journal, note_effect, "pause", 2, "why");
    CHECK_INT(lf_journal_end(journal, LF_OK, UNIT_ERROR), LF_OK);
    CHECK_STR(happened, "resume1 pause1why pause2why ");
    lf_journal_close(journal);
}

static void *add_from_elsewhere(void *journal)
{
    CHECK_INT(add_event(journal, "evt_elsewhere"), LF_OK);
    lf_journal_after_commit(journal, note_effect, "elsewhere", 1, NULL);
    return NULL;
}

/* Would never return if the mutex were held. */
static void use_journal(void *context, int64_t number, const char *text)
{
    pthread_t thread;
    struct lf_journal *journal = context;
    NEED(pthread_create(&thread, NULL, add_from_elsewhere, journal) == 0);
    pthread_join(thread, NULL);
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    lf_journal_after_commit(journal, note_effect, "inner", number, text);
    CHECK_INT(add_event(journal, "evt_effect"), LF_OK);
    CHECK_INT(lf_journal_end(journal, LF_OK, UNIT_ERROR), LF_OK);
}

static void effects_may_use_the_journal(void)
{
    struct lf_journal *journal = open_journal();
    happened[0] = '\0';
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    lf_journal_after_commit(journal, use_journal, journal, 1, "x");
    lf_journal_after_commit(journal, note_effect, "outer", 2, NULL);
    CHECK_INT(lf_journal_end(journal, LF_OK, UNIT_ERROR), LF_OK);
    CHECK_STR(happened, "elsewhere1 inner1x outer2 ");
    lf_journal_close(journal);
}

static void *effect_of_another(void *journal)
{
    lf_journal_after_commit(journal, note_effect, "other", 1, NULL);
    return NULL;
}

/* A thread that has no transaction open never waits for one. */
static void effects_belong_to_their_thread(void)
{
    struct lf_journal *journal = open_journal();
    pthread_t thread;
    happened[0] = '\0';
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    lf_journal_after_commit(journal, note_effect, "mine", 1, NULL);
    NEED(pthread_create(&thread, NULL, effect_of_another, journal) == 0);
    pthread_join(thread, NULL);
    CHECK_STR(happened, "other1 ");
    CHECK_INT(lf_journal_end(journal, LF_OK, UNIT_ERROR), LF_OK);
    CHECK_STR(happened, "other1 mine1 ");
    lf_journal_close(journal);
}

static void no_commit_without_its_effects(void)
{
    struct lf_journal *journal = open_journal();
    for (unsigned n = 1; unit_failing(n); n++) {
        char id[20];
        struct lf_event_row row;
        struct lf_error err = {0};
        happened[0] = '\0';
        snprintf(id, sizeof id, "evt_%u", n);
        enum lf_status status = lf_journal_begin(journal, &err);
        if (status == LF_OK) {
            lf_journal_after_commit(journal, note_effect, "a", 1, "text");
            status = lf_journal_end(journal, add_event(journal, id), &err);
        }
        unit_failing_over();
        CHECK_STR(happened, status == LF_OK ? "a1text " : "");
        CHECK_INT(lf_journal_event_get(journal, id, &row, UNIT_ERROR),
                  status == LF_OK ? LF_OK : LF_NOT_FOUND);
        if (status == LF_OK)
            lf_event_row_free(&row);
    }
    lf_journal_close(journal);
}

static void rollback_is_whole(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_error err = {0};
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    add_event(journal, "evt_1");
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    add_event(journal, "evt_2");
    lf_journal_rollback(journal);
    CHECK_INT(lf_journal_end(journal, LF_OK, &err), LF_IO);
    CHECK_INT(err.class, LF_TRANSIENT);
    struct lf_event_row row;
    CHECK_INT(lf_journal_event_get(journal, "evt_1", &row, UNIT_ERROR), LF_NOT_FOUND);
    CHECK_INT(lf_journal_event_get(journal, "evt_2", &row, UNIT_ERROR), LF_NOT_FOUND);
    lf_journal_close(journal);
}

static void one_daemon(void)
{
    struct lf_journal *journal = open_journal(), *second = NULL;
    struct lf_error err = {0};
    CHECK_INT(lf_journal_open(path, &second, &err), LF_BUSY);
    CHECK_HAS(err.text, "another labferryd");
    lf_journal_close(journal);
}

static void damage_is_refused(void)
{
    struct lf_journal *journal = open_journal();
    for (int i = 0; i < 200; i++) {
        char id[32];
        snprintf(id, sizeof id, "evt_%d", i);
        add_event(journal, id);
    }
    lf_journal_close(journal);
    int fd = open(path, O_RDWR);
    NEED(fd >= 0);
    char junk[3000];
    memset(junk, 0x5A, sizeof junk);
    CHECK(pwrite(fd, junk, sizeof junk, 4096 + 100) == (ssize_t)sizeof junk);
    CHECK(pwrite(fd, junk, sizeof junk, 3 * 4096 + 100) == (ssize_t)sizeof junk);
    close(fd);
    struct lf_error err = {0};
    CHECK_INT(lf_journal_open(path, &journal, &err), LF_CORRUPT);
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_HAS(err.text, "damaged");
}

static void no_database_is_refused(void)
{
    struct lf_journal *journal = NULL;
    struct lf_error err = {0};
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    unit_write(path, "this is a text and no database at all, long enough to be looked at as one");
    CHECK_INT(lf_journal_open(path, &journal, &err), LF_CORRUPT);
    lf_journal_close(journal);
}

static void claimed_once_and_back_after_a_crash(void)
{
    struct lf_journal *journal = open_journal();
    int64_t id = job__add(journal, "k", "balance", true), next;
    struct lf_job job;
    CHECK_INT(lf_journal_job_claim(journal, NULL, &job, &next, UNIT_ERROR),
              LF_NOT_FOUND); /* no courier's work */
    NEED(lf_journal_job_claim(journal, "balance", &job, &next, UNIT_ERROR) == LF_OK);
    CHECK_INT(job.id, id);
    CHECK_INT(job.state, LF_JOB_RUNNING);
    CHECK_STR(lf_job_text(&job, LF_JOB_RUN), "r-1");
    lf_job_free(&job);
    CHECK_INT(lf_journal_job_claim(journal, "balance", &job, &next, UNIT_ERROR), LF_NOT_FOUND);
    lf_journal_close(journal);
    journal = open_journal();
    CHECK_INT(lf_journal_job_claim(journal, "balance", &job, &next, UNIT_ERROR), LF_OK);
    lf_job_free(&job);
    lf_journal_close(journal);
}

static void waiting_until_due(void)
{
    struct lf_journal *journal = open_journal();
    job__add(journal, "k", "x", false);
    int64_t next;
    struct lf_job job;
    NEED(lf_journal_job_claim(journal, NULL, &job, &next, UNIT_ERROR) == LF_OK);
    job.state = LF_JOB_WAITING;
    job.due_mono = lf_deadline_in(60000);
    NEED(lf_journal_job_save(journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    CHECK_INT(lf_journal_job_claim(journal, NULL, &job, &next, UNIT_ERROR), LF_NOT_FOUND);
    CHECK(next > lf_deadline_in(50000) && next <= lf_deadline_in(60000));
    lf_journal_close(journal);
}

static void woken_by_name(void)
{
    struct lf_journal *journal = open_journal();
    int64_t id = job__add(journal, "k", "x", false), next, woken = 0;
    struct lf_job job;
    NEED(lf_journal_job_claim(journal, NULL, &job, &next, UNIT_ERROR) == LF_OK);
    job.state = LF_JOB_WAITING;
    job.due_mono = lf_deadline_in(60000);
    job.wake = strdup("processor:aop_1");
    NEED(lf_journal_job_save(journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    CHECK_INT(lf_journal_job_wake(journal, "processor:aop_2", &woken, UNIT_ERROR), LF_OK);
    CHECK_INT(woken, 0);
    CHECK_INT(lf_journal_job_wake(journal, "processor:aop_1", &woken, UNIT_ERROR), LF_OK);
    CHECK_INT(woken, id);
    CHECK_INT(lf_journal_job_claim(journal, NULL, &job, &next, UNIT_ERROR), LF_OK);
    lf_job_free(&job);
    lf_journal_close(journal);
}

static void expired_on_an_offline_instrument(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_job job = {.kind = (char *)"deliver",
                         .instrument = (char *)"off",
                         .key = (char *)"k",
                         .step = "deliver",
                         .bench = true,
                         .expires_ms = 1,
                         .expires_mono = lf_clock_mono_ms() - 1};
    int64_t next;
    NEED(lf_journal_job_add(journal, &job, NULL, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_job_claim(journal, NULL, &job, &next, UNIT_ERROR), LF_OK);
    lf_job_free(&job);
    lf_journal_close(journal);
}

static int64_t add_finding(struct lf_journal *journal, const char *name, const char *facts)
{
    int64_t id = job__add(journal, name, "reader", true);
    NEED(lf_journal_finding_add(journal, "reader", name, "v1", id, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_finding_digest(journal, id, "abc", UNIT_ERROR), LF_OK);
    struct lf_job job;
    NEED(lf_journal_job_get(journal, id, &job, UNIT_ERROR) == LF_OK);
    cJSON_Delete(job.fields);
    job.fields = cJSON_Parse(facts);
    NEED(lf_journal_job_save(journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    return id;
}

static void findings(void)
{
    struct lf_journal *journal = open_journal();
    int64_t a = add_finding(journal, "r.csv", "{}");
    CHECK_INT(lf_journal_finding_job(journal, "reader", "r.csv", "v1"), a);
    CHECK_INT(lf_journal_finding_job(journal, "reader", "r.csv", "v2"), 0);
    CHECK_INT(lf_journal_finding_add(journal, "reader", "r.csv", "v1", a, UNIT_ERROR), LF_EXISTS);
    lf_journal_close(journal);
}

static void same_content_is_known(void)
{
    struct lf_journal *journal = open_journal();
    int64_t other = 0,
            first = add_finding(journal, "a",
                                "{\"run\":\"r1\",\"config\":\"c\",\"processor\":\"p1\",\"blob\":\"b1\"}");
    int64_t second = add_finding(journal, "b", "{\"run\":\"r2\",\"config\":\"c\"}"),
            third = add_finding(journal, "c", "{}");
    bool attached = false;
    CHECK_INT(lf_journal_finding_same(journal, third, "r1", "c", &other, &attached, UNIT_ERROR), LF_OK);
    CHECK(attached && other == first);
    CHECK_INT(lf_journal_finding_same(journal, third, "r2", "c", &other, &attached, UNIT_ERROR), LF_OK);
    CHECK(!attached && other == second); /* on its way there */
    CHECK_INT(lf_journal_finding_same(journal, second, "r2", "c", &other, &attached, UNIT_ERROR),
              LF_NOT_FOUND); /* never for a later one */
    CHECK_INT(lf_journal_finding_same(journal, third, "r3", "c", &other, &attached, UNIT_ERROR),
              LF_NOT_FOUND);
    CHECK_INT(lf_journal_finding_same(journal, third, "r1", "d", &other, &attached, UNIT_ERROR),
              LF_NOT_FOUND);
    add_finding(journal, "e", "{\"processor\":\"p1\",\"blob\":\"b1\"}"); /* the event of that very upload */
    CHECK_INT(lf_journal_finding_same(journal, third, "r1", "c", &other, &attached, UNIT_ERROR), LF_OK);
    /* A later version took the place of the first. */
    add_finding(journal, "d", "{\"processor\":\"p1\",\"blob\":\"b2\"}");
    struct lf_job job;
    NEED(lf_journal_job_get(journal, first, &job, UNIT_ERROR) == LF_OK);
    job.state = LF_JOB_DONE;
    NEED(lf_journal_job_save(journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    CHECK_INT(lf_journal_finding_same(journal, third, "r1", "c", &other, &attached, UNIT_ERROR),
              LF_NOT_FOUND);
    lf_journal_close(journal);
}

static int64_t outbox_count(struct lf_journal *journal)
{
    struct lf_journal_use use;
    lf_journal_use(journal, &use);
    return use.outbox;
}

static void outbox_in_order(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_outbox_row row;
    NEED(lf_journal_outbox_add(journal, "jobs/1", "first", false, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_outbox_add(journal, "status", "old", true, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_outbox_add(journal, "jobs/1", "second", false, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_outbox_add(journal, "status", "new", true, UNIT_ERROR) == LF_OK);
    CHECK_INT(outbox_count(journal), 3); /* the older retained one is of no use to anybody */
    const char *const expected[] = {"first", "second", "new"};
    int64_t after = 0;
    for (int i = 0; i < 3; i++) {
        NEED(lf_journal_outbox_next(journal, after, &row, UNIT_ERROR) == LF_OK);
        CHECK_STR(row.payload, expected[i]);
        after = row.seq;
        lf_outbox_row_free(&row);
    }
    CHECK_INT(lf_journal_outbox_next(journal, after, &row, UNIT_ERROR), LF_NOT_FOUND);
    NEED(lf_journal_outbox_next(journal, 0, &row, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_outbox_remove(journal, row.seq, UNIT_ERROR), LF_OK);
    lf_outbox_row_free(&row);
    CHECK_INT(outbox_count(journal), 2);
    lf_journal_close(journal);
}

static void command_answered_again(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_command_row row = {.id = (char *)"c-1",
                                 .verb = (char *)"retry",
                                 .args = (char *)"{}",
                                 .reply = (char *)"reply/c-1",
                                 .correlation = lf_slice_text("\x01z")};
    CHECK_INT(lf_journal_command_add(journal, &row, UNIT_ERROR), LF_OK);
    CHECK_INT(lf_journal_command_add(journal, &row, UNIT_ERROR), LF_EXISTS);
    row.state = LF_COMMAND_FINISHED;
    row.answer = (char *)"{\"ok\":true}";
    CHECK_INT(lf_journal_command_save(journal, &row, UNIT_ERROR), LF_OK);
    lf_journal_close(journal);
    journal = open_journal();
    struct lf_command_row known;
    CHECK_INT(lf_journal_command_add(journal, &row, UNIT_ERROR), LF_EXISTS);
    NEED(lf_journal_command_get(journal, "c-1", &known, UNIT_ERROR) == LF_OK);
    CHECK_INT(known.state, LF_COMMAND_FINISHED);
    CHECK_STR(known.answer, "{\"ok\":true}");
    CHECK_BYTES(known.correlation.data, known.correlation.len, "\x01z", 2);
    lf_command_row_free(&known);
    CHECK_INT(lf_journal_command_next(journal, LF_COMMAND_ACCEPTED, &known, UNIT_ERROR), LF_NOT_FOUND);
    lf_journal_close(journal);
}

/* A row that cannot be read must not stand in the way of the others. */
static void damaged_job_is_held(void)
{
    struct lf_journal *journal = open_journal();
    int64_t bad = job__add(journal, "bad", "x", false), good = job__add(journal, "good", "x", false), next;
    lf_journal_close(journal);
    char command[700];
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c \"import sqlite3; d = sqlite3.connect('%s'); "
             "d.execute('UPDATE job SET facts = ? WHERE id = ?', ('{broken', %lld)); d.commit()\"",
             path, (long long)bad);
    NEED(getenv("LF_EMULATED") || system(command) == 0);
    if (getenv("LF_EMULATED"))
        return;
    journal = open_journal();
    struct lf_job job;
    NEED(lf_journal_job_claim(journal, NULL, &job, &next, UNIT_ERROR) == LF_OK);
    CHECK_INT(job.id, bad);
    CHECK_INT(job.state, LF_JOB_HELD);
    CHECK_HAS(job.note, "damaged");
    NEED(lf_journal_job_save(journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    NEED(lf_journal_job_claim(journal, NULL, &job, &next, UNIT_ERROR) == LF_OK);
    CHECK_INT(job.id, good);
    lf_job_free(&job);
    lf_journal_close(journal);
}

/* Both clocks are known to be right, as after a call to the tenant. */
static void clocks_agree(struct lf_journal *journal)
{
    lf_clock_learn(lf_clock_wall_ms());
    NEED(lf_journal_clock_look(journal, UNIT_ERROR) == LF_OK);
}

static void prune_keeps_promises(void)
{
    struct lf_journal *journal = open_journal();
    int64_t open_job = job__add(journal, "open", "x", false), done = job__add(journal, "done", "x", false),
            dropped;
    struct lf_job job;
    clocks_agree(journal);
    NEED(lf_journal_job_get(journal, done, &job, UNIT_ERROR) == LF_OK);
    job.state = LF_JOB_DONE;
    NEED(lf_journal_job_save(journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    add_event(journal, "evt_open");
    add_event(journal, "evt_old");
    NEED(lf_journal_event_job(journal, "evt_open", LF_FATE_JOB, open_job, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_prune(journal, -60000, &dropped, UNIT_ERROR),
              LF_OK); /* everything is older than a minute from now */
    struct lf_event_row row;
    CHECK_INT(lf_journal_event_get(journal, "evt_open", &row, UNIT_ERROR), LF_OK);
    lf_event_row_free(&row);
    CHECK_INT(lf_journal_event_get(journal, "evt_old", &row, UNIT_ERROR), LF_NOT_FOUND);
    CHECK_INT(lf_journal_job_get(journal, open_job, &job, UNIT_ERROR), LF_OK);
    lf_job_free(&job);
    CHECK_INT(lf_journal_job_get(journal, done, &job, UNIT_ERROR), LF_NOT_FOUND);
    lf_journal_close(journal);
}

/* Several threads write at once; a transaction of one must never hold lines of another. */
static void *write_pairs(void *arg)
{
    struct lf_journal *journal = arg;
    for (int i = 0; i < 50; i++) {
        char id[64];
        if (lf_journal_begin(journal, UNIT_ERROR) != LF_OK)
            continue;
        for (int half = 0; half < 2; half++) {
            snprintf(id, sizeof id, "evt_%lu_%d_%d", (unsigned long)pthread_self(), i, half);
            add_event(journal, id);
        }
        if (i % 2)
            lf_journal_rollback(journal);
        else
            lf_journal_end(journal, LF_OK, UNIT_ERROR);
    }
    return NULL;
}

static void threads_do_not_mix(void)
{
    struct lf_journal *journal = open_journal();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        NEED(pthread_create(&threads[i], NULL, write_pairs, journal) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cJSON *counts = lf_journal_event_counts(journal);
    CHECK_INT(lf_json_int(counts, "unrouted", 0), 4 * 25 * 2);
    cJSON_Delete(counts);
    lf_journal_close(journal);
}

static void whole_or_not_at_all(void)
{
    struct lf_journal *journal = open_journal();
    int64_t id = job__add(journal, "k", "robot", true);
    CHECK_INT(lf_journal_set(journal, "paused.robot", "by maria", UNIT_ERROR), LF_OK);
    for (unsigned n = 1; unit_failing(n); n++) {
        struct lf_job job;
        struct lf_error err = {0};
        int64_t next;
        char *why = NULL;
        enum lf_status claimed = lf_journal_job_claim(journal, "robot", &job, &next, &err);
        if (claimed == LF_OK)
            job.state = LF_JOB_READY;
        bool whole = claimed == LF_OK && !strcmp(job.step, "resolve")
                     && !strcmp(lf_job_text_or(&job, LF_JOB_RUN, ""), "r-1");
        enum lf_status kept = claimed == LF_OK ? lf_journal_job_save(journal, &job, &err) : claimed;
        enum lf_status got = lf_journal_get(journal, "paused.robot", &why, &err);
        unit_failing_over();
        CHECK(claimed == LF_OK ? whole : claimed == LF_NO_MEMORY);
        CHECK(got == LF_OK ? why && !strcmp(why, "by maria") : got == LF_NO_MEMORY);
        free(why);
        if (claimed == LF_OK && kept != LF_OK) /* as the runner does: until it is kept */
            CHECK_INT(lf_journal_job_save(journal, &job, UNIT_ERROR), LF_OK);
        if (claimed == LF_OK)
            lf_job_free(&job);
        CHECK_INT(lf_journal_job_get(journal, id, &job, UNIT_ERROR), LF_OK);
        CHECK_STR(lf_job_state_name(job.state), "ready");
        lf_job_free(&job);
    }
    lf_journal_close(journal);
}

UNIT_TESTS("journal",
           {"when memory runs out a row is not read; it is never read in part or reported as missing",
            whole_or_not_at_all},
           {"what was committed is there after a kill, and what was not is not", committed_survives_a_kill},
           {"an event that comes again is counted and not stored again", event_once},
           {"the same work is one job, however often it is reported", key_once},
           {"a transaction of which a part failed leaves nothing", rollback_is_whole},
           {"effects run in order after the outermost commit", effects_follow_the_outermost_commit},
           {"effects of a transaction that was rolled back never run", effects_are_dropped_on_rollback},
           {"of equal effects the last one runs", the_last_of_equal_effects_runs},
           {"effects run without the journal's lock and may begin transactions", effects_may_use_the_journal},
           {"a thread without a transaction runs its effects at once", effects_belong_to_their_thread},
           {"when memory runs out nothing is committed without its effects", no_commit_without_its_effects},
           {"a second daemon on the same journal is refused", one_daemon},
           {"a damaged journal is refused and never silently replaced", damage_is_refused},
           {"a file that is not a database is refused", no_database_is_refused},
           {"a job is claimed by one thread, and is ready again after a crash",
            claimed_once_and_back_after_a_crash},
           {"a waiting job comes when it is due and not before", waiting_until_due},
           {"a waiting job is woken by what it waits for", woken_by_name},
           {"a job expires although its instrument is offline", expired_on_an_offline_instrument},
           {"a result is known by instrument, name and version", findings},
           {"content that a run has or is about to get is known; for another run it is new",
            same_content_is_known},
           {"reports leave in order, and only the newest of a retained topic", outbox_in_order},
           {"a repeated command gets its stored answer, after a restart too", command_answered_again},
           {"a job whose row is damaged is held, and the others go on", damaged_job_is_held},
           {"pruning removes what has ended and keeps what is still promised", prune_keeps_promises},
           {"transactions of several threads do not mix", threads_do_not_mix}, )
