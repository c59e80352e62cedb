/* What the intake asks the API for: the properties that events lack, and the events of a gap. */
#include "base/clock.h"
#include "intake_case.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void excluded(void)
{
    open_all();
    generated_incomplete("evt_1");
    check_fate("evt_1", LF_FATE_REREAD, "[]");
    CHECK_INT(job_count(), 0);
    int64_t next = 0;
    CHECK(intake__reread_one(intake, &next));
    CHECK(!intake__reread_one(intake, &next));
    CHECK(next == LF_NEVER);
    check_fate("evt_1", LF_FATE_JOB, "[1]");
    struct lf_job job = core_job(journal, 1);
    CHECK_STR(job.route, "first"); /* its pattern looks at what had been left out */
    CHECK_STR(lf_job_text(&job, LF_JOB_FILE), "file_1");
    lf_job_free(&job);
    close_all();
}

static void excluded_without_a_route(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v2.entry.updated.fields", ago(0), "\"entry\"", "\"other\":1"), LF_OK);
    check_fate("evt_1", LF_FATE_UNROUTED, "[]"); /* nobody wants it: nothing is asked of Benchling */
    close_all();
}

static void thin(void)
{
    open_all();
    CHECK_INT(
        take("{\"version\":\"0\",\"baseURL\":\"https://"
             "acme.benchling.com\",\"tenantId\":\"ten_1\",\"app\":{\"id\":\"app_1\"},"
             "\"appDefinition\":{\"id\":null},\"channel\":\"events\",\"message\":{\"id\":\"evt_1\",\"type\":"
             "\"v2.workflowTask.updated.status\",\"createdAt\":\"2026-05-04T09:42:00.250Z\",\"deprecated\":"
             "false,"
             "\"resourceId\":\"wftask_1\",\"schema\":{\"id\":\"s\"}}}"),
        LF_OK);
    check_fate("evt_1", LF_FATE_REREAD, "[]");
    fake_cloud.resource = "{\"id\":\"wftask_1\",\"displayId\":\"T1\",\"status\":{\"id\":\"st_1\"}}";
    int64_t next = 0;
    CHECK(intake__reread_one(intake, &next));
    struct lf_job job = core_job(journal, 1);
    CHECK_STR(job.kind, "task");
    CHECK_STR(lf_job_text(&job, LF_JOB_WORKFLOW_TASK), "wftask_1");
    CHECK_STR(lf_job_text(&job, LF_JOB_STATUS), "st_1");
    CHECK_STR(lf_job_text(&job, LF_JOB_PROCEDURE), "weigh");
    lf_job_free(&job);
    close_all();
}

static void incomplete_for_good(void)
{
    open_all();
    generated_incomplete("evt_1");
    fake_cloud_fail("get_resource", 1, false, LF_DISCONNECTED, LF_TRANSIENT);
    int64_t next = 0;
    CHECK(intake__reread_one(intake, &next));
    check_fate("evt_1", LF_FATE_REREAD, "[]");
    CHECK(!intake__reread_one(intake, &next)); /* not at once */
    CHECK(next > lf_clock_mono_ms() && next != LF_NEVER);
    NEED(lf_journal_event_put_off(journal, "evt_1", 0, UNIT_ERROR) == LF_OK);
    fake_cloud_fail("get_resource", 1, false, LF_NOT_FOUND, LF_PERMANENT);
    CHECK(intake__reread_one(intake, &next));
    check_fate("evt_1", LF_FATE_LOST, "[]");
    close_all();
}

static void add_incomplete(const char *id, const char *body)
{
    struct lf_event_row row = {.id = (char *)id,
                               .type = (char *)"v2.entry.created",
                               .source = (char *)"mqtt",
                               .fate = LF_FATE_REREAD,
                               .body = (char *)body,
                               .body_len = strlen(body)};
    NEED(lf_journal_event_add(journal, &row, UNIT_ERROR) == LF_OK);
}

static void never_readable(void)
{
    open_all();
    int64_t next = 0;
    add_incomplete("junk", "no event");
    add_incomplete("nameless", "{\"id\":\"nameless\",\"eventType\":\"v2.entry.created\",\"entry\":{}}");
    while (intake__reread_one(intake, &next))
        ;
    check_fate("junk", LF_FATE_LOST, "[]");
    struct lf_event_row row = core_event(journal, "nameless");
    CHECK_HAS(row.note, "does not name the id");
    lf_event_row_free(&row);
    close_all();
}

static void take_journal_away(void)
{
    core_move_journal(true);
}

static void read_but_not_stored(void)
{
    open_all();
    generated_incomplete("evt_1");
    fake_cloud.on_resource = take_journal_away;
    int64_t next = 0;
    CHECK(intake__reread_one(intake, &next));
    core_move_journal(false);
    fake_cloud.on_resource = NULL;
    check_fate("evt_1", LF_FATE_REREAD, "[]");
    CHECK_INT(job_count(), 0);
    NEED(lf_journal_event_put_off(journal, "evt_1", 0, UNIT_ERROR) == LF_OK);
    CHECK(intake__reread_one(intake, &next));
    CHECK_INT(job_count(), 1);
    close_all();
}

/* ---- gaps ---- */

static atomic_int rounds;

static void count_round(void)
{
    rounds++;
}

/* As a session that comes up while a round is under way. */
static void ask_again(void)
{
    if (++rounds == 1)
        lf_intake_fill(intake, true);
}

/* An intake thread with a gap after evt_1; the API has evt_2. */
static void open_gap(void (*on_round)(void))
{
    open_all();
    rounds = 0;
    CHECK_INT(take_event("evt_1", "v2.entry.created", "2026-01-01T01:00:00Z", "", "\"entry\":{\"id\":\"e\"}"),
              LF_OK);
    fake_cloud.events = "{\"events\":[{\"id\":\"evt_2\",\"eventType\":\"v2.entry.created\",\"entry\":{\"id\":"
                        "\"f\"}}],\"nextToken\":\"\"}";
    fake_cloud.on_events = on_round;
    CHECK_INT(lf_intake_gap(intake, UNIT_ERROR), LF_OK);
    NEED(lf_intake_start(intake, UNIT_ERROR) == LF_OK);
}

static bool gap_is_open(void)
{
    char *gap = NULL;
    CHECK_INT(lf_journal_get(journal, "poll.gap", &gap, UNIT_ERROR), LF_OK);
    free(gap);
    return gap != NULL;
}

/* Waits for the gap to be forgotten, and checks that it was filled and from where. */
static void check_filled(void)
{
    int64_t deadline = lf_deadline_in(60000);
    while (gap_is_open() && !lf_deadline_passed(deadline))
        lf_sleep_until(lf_deadline_in(5), NULL);
    CHECK(!gap_is_open());
    lf_intake_close(intake); /* the thread has ended */
    intake = NULL;
    struct lf_event_row row = core_event(journal, "evt_2");
    CHECK_STR(row.source, "poll");
    lf_event_row_free(&row);
    CHECK_STR(fake_cloud.asked_from, "2026-01-01T00:50:00.000Z"); /* ten minutes before the newest event */
    close_all();
}

static void gap_is_filled(void)
{
    open_gap(NULL);
    lf_intake_fill(intake, true);
    check_filled();
}

static void asked_again_during_a_round(void)
{
    open_gap(ask_again);
    lf_intake_fill(intake, true);
    check_filled();
    CHECK(rounds >= 2);
}

/* Without a link the first round begins at once. */
static void gap_stays_while_events_are_missed(void)
{
    open_gap(count_round);
    struct lf_event_row row;
    int64_t deadline = lf_deadline_in(60000);
    while (lf_journal_event_get(journal, "evt_2", &row, UNIT_ERROR) == LF_NOT_FOUND
           && !lf_deadline_passed(deadline))
        lf_sleep_until(lf_deadline_in(5), NULL);
    lf_event_row_free(&row);
    int before = rounds;
    lf_intake_fill(intake, false); /* a round that finds its filter refused closes nothing either */
    while (rounds == before && !lf_deadline_passed(deadline))
        lf_sleep_until(lf_deadline_in(5), NULL);
    CHECK(gap_is_open());
    lf_intake_fill(intake, true);
    check_filled();
}

UNIT_TESTS(
    "intake, asking the API",
    {"an event that lacks properties, dropped for size, is completed before it is routed", excluded},
    {"an event that no route names is not completed", excluded_without_a_route},
    {"a webhook's thin event is completed before it is routed", thin},
    {"an event that cannot be completed now is tried again later; if it never can, it is lost with the reason",
     incomplete_for_good},
    {"an event that can never be completed is lost, with the reason", never_readable},
    {"an event that was completed but could not be stored is routed later", read_but_not_stored},
    {"a gap is filled from before the newest event, and then forgotten", gap_is_filled},
    {"a gap that is asked for again during a round is filled again, from the same place",
     asked_again_during_a_round},
    {"a gap stays as long as events are still missed", gap_stays_while_events_are_missed}, )
