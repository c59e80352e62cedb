/* The intake asks the API for the properties that events lack. */
#include "base/clock.h"
#include "intake_case.h"

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

UNIT_TESTS(
    "intake, asking the API",
    {"an event that lacks properties, dropped for size, is completed before it is routed", excluded},
    {"an event that no route names is not completed", excluded_without_a_route},
    {"a webhook's thin event is completed before it is routed", thin},
    {"an event that cannot be completed now is tried again later; if it never can, it is lost with the reason",
     incomplete_for_good},
    {"an event that can never be completed is lost, with the reason", never_readable},
    {"an event that was completed but could not be stored is routed later", read_but_not_stored}, )
