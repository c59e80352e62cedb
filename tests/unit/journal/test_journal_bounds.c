/* What the journal may grow to, and what has to leave: never what is still promised. */
#include "base/clock.h"
#include "journal/audit.h"
#include "journal/concern.h"
#include "journal/journal.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[512];

static struct lf_journal *open_journal(void)
{
    struct lf_journal *journal = NULL;
    struct lf_error err = {0};
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    NEED(lf_journal_open(path, &journal, &err) == LF_OK);
    return journal;
}

/* Both clocks are known to be right, as after a call to the tenant. */
static void clocks_agree(struct lf_journal *journal)
{
    lf_clock_learn(lf_clock_wall_ms());
    NEED(lf_journal_clock_look(journal, UNIT_ERROR) == LF_OK);
}

static struct lf_journal_use use_of(struct lf_journal *journal)
{
    struct lf_journal_use use;
    lf_journal_use(journal, &use);
    return use;
}

/* ---- the outbox */

static void queue(struct lf_journal *journal, const char *topic, const char *payload, bool retain)
{
    NEED(lf_journal_outbox_add(journal, topic, payload, retain, UNIT_ERROR) == LF_OK);
}

/* Payloads that wait, in order, with a space behind each. */
static const char *waiting(struct lf_journal *journal)
{
    static char all[4000];
    struct lf_outbox_row row;
    int64_t after = 0;
    all[0] = '\0';
    while (lf_journal_outbox_next(journal, after, &row, UNIT_ERROR) == LF_OK) {
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s ", row.payload);
        after = row.seq;
        lf_outbox_row_free(&row);
    }
    return all;
}

static void check_dropped(void *context, const struct lf_concern *concern)
{
    int *count = context;
    ++*count;
    CHECK_STR(concern->source, "outbox");
    CHECK_HAS(concern->text, "the last one was for jobs/1");
    CHECK_INT(concern->times, 4);
    CHECK(!concern->stands);
}

static void oldest_reports_go_first(void)
{
    int concerns = 0;
    struct lf_journal *journal = open_journal();
    struct lf_journal_limits limits = {.outbox = 5};
    lf_journal_limit(journal, &limits);
    queue(journal, "status", "state", true);
    NEED(lf_journal_outbox_add_reply(journal, "reply/1", "answer", (struct lf_slice){0}, UNIT_ERROR)
         == LF_OK);
    for (int i = 1; i <= 7; i++) {
        char payload[20];
        snprintf(payload, sizeof payload, "job%d", i);
        queue(journal, "jobs/1", payload, false);
    }
    CHECK_STR(waiting(journal), "state answer job5 job6 job7 ");
    CHECK_INT(use_of(journal).outbox, 5);
    CHECK_INT(use_of(journal).outbox_dropped, 4);
    CHECK_INT(lf_journal_concern_list(journal, check_dropped, &concerns, UNIT_ERROR), LF_OK);
    CHECK_INT(concerns, 1);
    lf_journal_close(journal);
    journal = open_journal(); /* the count is for good */
    CHECK_INT(use_of(journal).outbox_dropped, 4);
    CHECK_INT(use_of(journal).outbox, 5);
    lf_journal_close(journal);
}

static void replies_go_when_nothing_else_is_left(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_journal_limits limits = {.outbox = 3};
    lf_journal_limit(journal, &limits);
    queue(journal, "status", "state", true);
    for (int i = 1; i <= 4; i++) {
        char payload[20];
        snprintf(payload, sizeof payload, "answer%d", i);
        NEED(lf_journal_outbox_add_reply(journal, "reply/1", payload, (struct lf_slice){0}, UNIT_ERROR)
             == LF_OK);
    }
    CHECK_STR(waiting(journal), "state answer3 answer4 ");
    lf_journal_close(journal);
}

static void the_count_follows_what_is_kept(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_outbox_row row;
    queue(journal, "jobs/1", "kept", false);
    queue(journal, "status", "old", true);
    queue(journal, "status", "new", true);
    CHECK_INT(use_of(journal).outbox, 2);
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    queue(journal, "jobs/1", "undone", false);
    lf_journal_rollback(journal);
    CHECK_INT(use_of(journal).outbox, 2);
    NEED(lf_journal_outbox_next(journal, 0, &row, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_outbox_remove(journal, row.seq, UNIT_ERROR), LF_OK);
    CHECK_INT(lf_journal_outbox_remove(journal, row.seq, UNIT_ERROR),
              LF_OK); /* acknowledged twice: nothing more */
    lf_outbox_row_free(&row);
    CHECK_INT(use_of(journal).outbox, 1);
    lf_journal_close(journal);
}

/* ---- events that make no job */

static void add_event(struct lf_journal *journal, const char *id, enum lf_fate fate, size_t len)
{
    char *body = calloc(1, len + 1);
    NEED(body);
    memset(body, 'x', len);
    struct lf_event_row row = {.id = (char *)id,
                               .source = (char *)"mqtt",
                               .received_ms = lf_clock_wall_ms(),
                               .fate = fate,
                               .body = body,
                               .body_len = len};
    CHECK_INT(lf_journal_event_add(journal, &row, UNIT_ERROR), LF_OK);
    free(body);
}

static bool has_event(struct lf_journal *journal, const char *id)
{
    struct lf_event_row row;
    bool there = lf_journal_event_get(journal, id, &row, UNIT_ERROR) == LF_OK;
    lf_event_row_free(&row);
    return there;
}

static void count_entry(void *count, const struct lf_audit_entry *entry)
{
    (void)entry;
    ++*(int *)count;
}

static void a_flood_of_bad_messages_is_bounded(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_journal_limits limits = {.unused = 2 * 1000 * 1000};
    int told = 0;
    lf_journal_limit(journal, &limits);
    add_event(journal, "work", LF_FATE_UNROUTED, 50000);
    NEED(lf_journal_event_fate(journal, "work", LF_FATE_JOB, NULL, UNIT_ERROR) == LF_OK);
    add_event(journal, "unrouted", LF_FATE_UNROUTED, 50000);
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK); /* one sync for all */
    for (int i = 0; i < 2500; i++) {
        char id[32];
        snprintf(id, sizeof id, "bad:%d", i);
        add_event(journal, id, LF_FATE_BAD, 40000);
        CHECK(use_of(journal).unused <= limits.unused);
    }
    NEED(lf_journal_end(journal, LF_OK, UNIT_ERROR) == LF_OK);
    struct lf_journal_use use = use_of(journal);
    CHECK(use.bytes < 10 * 1000 * 1000); /* of 100 MB that came */
    CHECK(has_event(journal, "work") && has_event(journal, "unrouted") && has_event(journal, "bad:2499"));
    CHECK(!has_event(journal, "bad:0") && !has_event(journal, "bad:2400"));
    cJSON *counts = lf_journal_event_counts(journal);
    CHECK_INT(lf_json_int(counts, "bad", 0) + use.unused_dropped, 2500);
    cJSON_Delete(counts);
    struct lf_audit_filter all = {.limit = 100000};
    NEED(lf_journal_audit_list(journal, &all, count_entry, &told, UNIT_ERROR) == LF_OK);
    CHECK_INT(told, 0); /* the trail keeps everything, so it has none of them */
    lf_journal_close(journal);
    journal = open_journal();
    CHECK_INT(use_of(journal).unused, use.unused);
    CHECK_INT(use_of(journal).unused_dropped, use.unused_dropped);
    lf_journal_close(journal);
}

/* A publisher of what nobody wants, of each fate that makes no job, as routing does it. */
static void junk_never_stops_work(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_journal_limits limits = {.bytes = 4 * 1000 * 1000, .unused = 200 * 1000};
    static const enum lf_fate fates[] = {LF_FATE_UNROUTED, LF_FATE_UNKNOWN, LF_FATE_TWIN, LF_FATE_LOST};
    lf_journal_limit(journal, &limits);
    for (int batch = 0; batch < 20; batch++) {
        NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
        for (int i = 0; i < 1000; i++) {
            char id[32];
            snprintf(id, sizeof id, "evt_%d_%d", batch, i);
            add_event(journal, id, LF_FATE_UNROUTED, 300);
            enum lf_fate fate = fates[i % 4];
            NEED(lf_journal_event_fate(journal, id, fate, fate == LF_FATE_LOST ? "gone" : NULL, UNIT_ERROR)
                 == LF_OK);
            if (fate == LF_FATE_TWIN)
                NEED(lf_journal_event_job(journal, id, fate, 1, UNIT_ERROR) == LF_OK);
        }
        NEED(lf_journal_end(journal, LF_OK, UNIT_ERROR) == LF_OK);
        CHECK_INT(lf_journal_room(journal, LF_ROOM_WORK, UNIT_ERROR), LF_OK);
    }
    CHECK(use_of(journal).bytes < 1000 * 1000);
    CHECK(use_of(journal).unused_dropped > 19000);
    lf_journal_close(journal);
}

static void command(struct lf_journal *journal, int number, enum lf_command_state state)
{
    char id[32];
    snprintf(id, sizeof id, "c%d", number);
    struct lf_command_row row = {.id = id,
                                 .reply = (char *)"r",
                                 .state = state,
                                 .answer = (char *)"{\"state\":\"failed\"}"};
    NEED(lf_journal_command_add(journal, &row, UNIT_ERROR) == LF_OK);
}

static bool has_command(struct lf_journal *journal, const char *id)
{
    struct lf_command_row row;
    bool there = lf_journal_command_get(journal, id, &row, UNIT_ERROR) == LF_OK;
    lf_command_row_free(&row);
    return there;
}

static void dismissed_commands_are_bounded(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_journal_limits limits = {.dismissed = 100 * 1000};
    lf_journal_limit(journal, &limits);
    command(journal, 0, LF_COMMAND_FINISHED);
    CHECK(!lf_journal_command_flood(journal));
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    for (int i = 1; i <= 2000; i++)
        command(journal, i, LF_COMMAND_DISMISSED);
    NEED(lf_journal_end(journal, LF_OK, UNIT_ERROR) == LF_OK);
    CHECK(lf_journal_command_flood(journal));
    CHECK(has_command(journal, "c0") && has_command(journal, "c2000")); /* what was done stays known */
    CHECK(!has_command(journal, "c1") && !has_command(journal, "c1900"));
    struct lf_journal_use use = use_of(journal);
    CHECK(use.dismissed <= limits.dismissed);
    CHECK(use.dismissed_dropped > 1900);
    lf_journal_close(journal);
    journal = open_journal();
    CHECK_INT(use_of(journal).dismissed, use.dismissed);
    CHECK_INT(use_of(journal).dismissed_dropped, use.dismissed_dropped);
    lf_journal_close(journal);
}

static void unrouted_ones_leave_after_bad_ones(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_journal_limits limits = {.unused = 300 * 1000};
    lf_journal_limit(journal, &limits);
    add_event(journal, "waits", LF_FATE_REREAD, 90000);
    add_event(journal, "u1", LF_FATE_UNROUTED, 90000);
    add_event(journal, "b1", LF_FATE_BAD, 90000);
    add_event(journal, "u2", LF_FATE_UNROUTED, 90000);
    add_event(journal, "u3", LF_FATE_UNROUTED, 90000); /* too much: the bad one leaves */
    CHECK(has_event(journal, "u1") && !has_event(journal, "b1"));
    add_event(journal, "u4", LF_FATE_UNROUTED, 90000); /* now the oldest unrouted one */
    CHECK(!has_event(journal, "u1") && has_event(journal, "u2") && has_event(journal, "u4"));
    CHECK(has_event(journal, "waits"));
    NEED(lf_journal_event_fate(journal, "u4", LF_FATE_JOB, NULL, UNIT_ERROR)
         == LF_OK); /* what became work takes none of the room */
    CHECK_INT(use_of(journal).unused, 2 * (1000 + 90000));
    lf_journal_close(journal);
}

static void the_newest_stays(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_journal_limits limits = {.unused = 1000};
    lf_journal_limit(journal, &limits);
    add_event(journal, "b1", LF_FATE_BAD, 90000); /* alone it is too large */
    CHECK(has_event(journal, "b1"));
    add_event(journal, "u1", LF_FATE_UNROUTED, 90000);
    CHECK(!has_event(journal, "b1") && has_event(journal, "u1"));
    lf_journal_close(journal);
}

/* ---- room for more ---- */

static void refused_below_the_reserve(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_error err = {0};
    struct lf_journal_limits limits = {.reserve = INT64_MAX, .spool_dir = unit_folder()};
    CHECK_INT(lf_journal_room(journal, LF_ROOM_WORK, &err), LF_OK);
    lf_journal_limit(journal, &limits);
    for (enum lf_room room = LF_ROOM_WORK; room <= LF_ROOM_FILE; room++) {
        CHECK_INT(lf_journal_room(journal, room, &err), LF_FULL);
        CHECK_INT(err.class, LF_TRANSIENT);
        CHECK_HAS(err.text, "agent.disk_reserve");
        CHECK_HAS(err.text, room == LF_ROOM_WORK ? "no new work" : "no new files");
    }
    limits.reserve = 1;
    lf_journal_limit(journal, &limits);
    CHECK_INT(lf_journal_room(journal, LF_ROOM_WORK, &err), LF_OK);
    CHECK_INT(lf_journal_room(journal, LF_ROOM_FILE, &err), LF_OK);
    lf_journal_close(journal);
}

static void write_bytes(const char *name, int count)
{
    FILE *file = fopen(name, "w");
    NEED(file && fprintf(file, "%.*s", count, "123") == count && fclose(file) == 0);
}

static void files_refused_when_the_spool_is_full(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_error err = {0};
    char spool[600], file[700];
    snprintf(spool, sizeof spool, "%s/spool", unit_folder());
    snprintf(file, sizeof file, "%s/job-1", spool);
    struct lf_journal_limits limits = {.spool = 3, .spool_dir = spool};
    lf_journal_limit(journal, &limits);
    CHECK_INT(use_of(journal).spool, -1); /* there is no such folder */
    NEED(mkdir(spool, 0700) == 0);
    write_bytes(file, 2);
    CHECK_INT(use_of(journal).spool, 2);
    CHECK_INT(lf_journal_room(journal, LF_ROOM_FILE, &err), LF_OK);
    write_bytes(file, 3);
    CHECK_INT(lf_journal_room(journal, LF_ROOM_FILE, &err), LF_FULL);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "agent.spool_max");
    CHECK_INT(lf_journal_room(journal, LF_ROOM_WORK, &err), LF_OK); /* only files need the spool */
    lf_journal_close(journal);
}

/* ---- the whole */

static void full_until_pruned(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_journal_limits limits = {.bytes = 1000 * 1000};
    struct lf_error err = {0};
    int64_t dropped;
    clocks_agree(journal);
    lf_journal_limit(journal, &limits);
    CHECK_INT(lf_journal_room(journal, LF_ROOM_WORK, &err), LF_OK);
    for (int i = 0; i < 20; i++) {
        char id[32];
        snprintf(id, sizeof id, "evt_%d", i);
        add_event(journal, id, LF_FATE_UNROUTED, 60000);
    }
    CHECK_INT(lf_journal_room(journal, LF_ROOM_WORK, &err), LF_FULL);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "agent.journal_max");
    CHECK(use_of(journal).bytes > limits.bytes);
    NEED(lf_journal_prune(journal, -60000, &dropped, UNIT_ERROR) == LF_OK);
    CHECK_INT(dropped, 20);
    CHECK(use_of(journal).bytes < limits.bytes); /* the file keeps its size, its free pages do not count */
    CHECK_INT(use_of(journal).unused, 0);
    CHECK_INT(lf_journal_room(journal, LF_ROOM_WORK, &err), LF_OK);
    lf_journal_close(journal);
}

/* ---- findings */

static void add_result(struct lf_journal *journal, const char *id, enum lf_job_state state)
{
    struct lf_job job = {.kind = (char *)"collect",
                         .instrument = (char *)"reader",
                         .key = (char *)id,
                         .step = "file",
                         .state = state};
    NEED(lf_journal_job_add(journal, &job, NULL, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_finding_add(journal, "reader", id, "v", job.id, UNIT_ERROR) == LF_OK);
}

static bool known(struct lf_journal *journal, const char *id)
{
    return lf_journal_finding_job(journal, "reader", id, "v") != 0;
}

static void gone(struct lf_journal *journal, const char *id)
{
    NEED(lf_journal_finding_gone(journal, "reader", id, "v", true, UNIT_ERROR) == LF_OK);
}

static void results_are_known_while_they_may_lie_there(void)
{
    struct lf_journal *journal = open_journal();
    int64_t dropped;
    clocks_agree(journal);
    add_result(journal, "archived.csv", LF_JOB_DONE);
    gone(journal, "archived.csv");
    add_result(journal, "stays.csv", LF_JOB_DONE);
    add_result(journal, "held.csv", LF_JOB_HELD);
    gone(journal, "held.csv");
    NEED(lf_journal_prune(journal, 60000, &dropped, UNIT_ERROR) == LF_OK); /* nothing is that old */
    CHECK(known(journal, "archived.csv"));
    NEED(lf_journal_prune(journal, -60000, &dropped, UNIT_ERROR)
         == LF_OK); /* everything is older than a minute from now */
    CHECK(!known(journal, "archived.csv"));
    CHECK(known(journal, "stays.csv") && known(journal, "held.csv"));
    CHECK_INT(dropped, 2); /* the finding and its job */
    cJSON *counts = lf_journal_job_counts(journal, NULL);
    CHECK_INT(lf_json_int(counts, "done", 0), 1);
    CHECK_INT(lf_json_int(counts, "held", 0), 1);
    cJSON_Delete(counts);
    lf_journal_close(journal);
}

static void results_that_came_back_stay_known(void)
{
    struct lf_journal *journal = open_journal();
    int64_t dropped;
    clocks_agree(journal);
    add_result(journal, "back.csv", LF_JOB_DONE);
    gone(journal, "back.csv");
    NEED(lf_journal_finding_gone(journal, "reader", "back.csv", "v", false, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_prune(journal, -60000, &dropped, UNIT_ERROR) == LF_OK);
    CHECK(known(journal, "back.csv"));
    lf_journal_close(journal);
}

/* The result was seen long ago, and done a moment ago; or an event still tells of its job. */
static void a_result_never_leaves_before_its_job(void)
{
    struct lf_journal *journal = open_journal();
    int64_t dropped;
    clocks_agree(journal);
    add_result(journal, "late.csv", LF_JOB_HELD);
    gone(journal, "late.csv");
    UNIT_TIME_PASSES(1500);
    struct lf_job job;
    NEED(lf_journal_job_get(journal, 1, &job, UNIT_ERROR) == LF_OK);
    job.state = LF_JOB_DONE;
    NEED(lf_journal_job_save(journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    NEED(lf_journal_prune(journal, 1000, &dropped, UNIT_ERROR) == LF_OK);
    CHECK_INT(dropped, 0);
    CHECK(known(journal, "late.csv"));
    struct lf_event_row event = {.id = (char *)"evt_1",
                                 .fate = LF_FATE_WOKE,
                                 .received_ms = lf_clock_wall_ms() + 1000 * 1000};
    NEED(lf_journal_event_add(journal, &event, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_event_job(journal, "evt_1", LF_FATE_WOKE, 1, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_prune(journal, -60000, &dropped, UNIT_ERROR) == LF_OK);
    CHECK(known(journal, "late.csv"));
    NEED(lf_journal_prune(journal, -2000 * 1000, &dropped, UNIT_ERROR) == LF_OK);
    CHECK(!known(journal, "late.csv"));
    CHECK_INT(dropped, 3); /* the event, the result and the job */
    lf_journal_close(journal);
}

UNIT_TESTS(
    "journal bounds",
    {"a result that came back to its instrument stays known", results_that_came_back_stay_known},
    {"a result is never removed before its job, however long that took", a_result_never_leaves_before_its_job,
     UNIT_SLOW},
    {"a full outbox drops the oldest job reports, counts and names them, and keeps answers and state",
     oldest_reports_go_first},
    {"an outbox full of answers drops the oldest of them, never the state",
     replies_go_when_nothing_else_is_left},
    {"the count of the outbox is right, whatever is rolled back or acknowledged twice",
     the_count_follows_what_is_kept},
    {"a flood of bad messages takes no more room than its limit, and is counted",
     a_flood_of_bad_messages_is_bounded, UNIT_SLOW},
    {"whatever makes no job is bounded and not in the audit trail, so that it never stops work",
     junk_never_stops_work, UNIT_SLOW},
    {"commands that changed nothing are bounded and counted, and those that did something stay known",
     dismissed_commands_are_bounded},
    {"bad events are removed before unrouted ones, the oldest first, and never one that made a job",
     unrouted_ones_leave_after_bad_ones},
    {"the event that was just received stays, however large it is", the_newest_stays},
    {"a full journal refuses new work until old entries are removed", full_until_pruned},
    {"below the reserve neither work nor files are accepted", refused_below_the_reserve},
    {"a full spool refuses files, and work is still accepted", files_refused_when_the_spool_is_full},
    {"a result is removed with its job when it is old and gone from the instrument, and known as long as it may be there",
     results_are_known_while_they_may_lie_there}, )
