/* Which events report the same, and what a forged one can do: nothing to the genuine one. */
#include "base/clock.h"
#include "intake_case.h"
#include "journal/concern.h"
#include "link/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void status_event(const char *version, const char *id, int64_t ms)
{
    char type[80];
    snprintf(type, sizeof type, "%s.workflowTask.updated.status", version);
    CHECK_INT(take_event(
                  id, type, ago(ms), "",
                  "\"workflowTask\":{\"id\":\"wftask_1\",\"displayId\":\"T1\",\"status\":{\"id\":\"st_1\"}}"),
              LF_OK);
}

/* The job that an event names last. */
static int64_t job_of(const char *id)
{
    struct lf_event_row row = core_event(journal, id);
    cJSON *jobs_of = cJSON_Parse(row.jobs);
    double last = cJSON_GetNumberValue(cJSON_GetArrayItem(jobs_of, cJSON_GetArraySize(jobs_of) - 1));
    cJSON_Delete(jobs_of);
    lf_event_row_free(&row);
    return (int64_t)last;
}

static void check_fate_only(const char *id, enum lf_fate fate)
{
    struct lf_event_row row = core_event(journal, id);
    CHECK_STR(lf_fate_name(row.fate), lf_fate_name(fate));
    lf_event_row_free(&row);
}

static void same_status_again(void)
{
    open_all();
    status_event("v2", "evt_1", 5000);
    status_event("v2", "evt_2", 2000);
    status_event("v2", "evt_3", 2000);
    CHECK_INT(job_count(), 3);
    check_fate_only("evt_3", LF_FATE_JOB);
    close_all();
}

static void twins_of_each(void)
{
    open_all();
    status_event("v2", "evt_1", 5000);
    status_event("v2-beta", "evt_1b", 4990);
    status_event("v2-beta", "evt_2b", 2000);
    status_event("v2", "evt_2", 2010);
    CHECK_INT(job_count(), 2);
    check_fate("evt_1b", LF_FATE_TWIN, "[1]");
    check_fate_only("evt_2b", LF_FATE_JOB);
    check_fate_only("evt_2", LF_FATE_TWIN);
    CHECK_INT(job_of("evt_2"), job_of("evt_2b"));
    status_event("v2-beta", "evt_3b", 60000); /* long before: none of the two */
    CHECK_INT(job_count(), 3);
    close_all();
}

/* No step of time can come between them. */
static void twins_at_any_moment(void)
{
    open_all();
    for (int i = 0; i < 20; i++) {
        char id[20], twin[20];
        snprintf(id, sizeof id, "evt_%d", i);
        snprintf(twin, sizeof twin, "evt_%d_b", i);
        int64_t at = 3600000 - i * 60700;
        status_event("v2", id, at);
        status_event("v2-beta", twin, at - 300);
        CHECK_INT(job_count(), i + 1);
    }
    close_all();
}

static const char *told_about = "one id, two events";
static bool told;

static void seek(void *context, const struct lf_concern *concern)
{
    (void)context;
    told = told || !strcmp(concern->about, told_about);
}

static void check_told(bool expected)
{
    told = false;
    CHECK_INT(lf_journal_concern_list(journal, seek, NULL, UNIT_ERROR), LF_OK);
    CHECK_INT(told, expected);
}

static void id_taken_by_another(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v2.canvas.created", ago(0), "", "\"canvas\":{\"id\":\"x\"}"), LF_OK);
    generated("v2", "evt_1", 0, "run_1", "file_1");
    CHECK_INT(job_count(), 1);
    struct lf_job job = core_job(journal, 1);
    CHECK(!strncmp(job.event_id, "evt_1~", 6));
    check_fate(job.event_id, LF_FATE_JOB, "[1]");
    lf_job_free(&job);
    check_told(true);
    generated("v2", "evt_1", 0, "run_2", "file_1"); /* the same type, for another instrument */
    CHECK_INT(job_count(), 2);
    close_all();
}

/* Made so that the first eight digits of their digests are the same. */
static void ids_made_alike(void)
{
    static const char type[] = "v2.canvas.created", at[] = "2026-11-01T00:00:00Z";
    open_all();
    generated("v2", "evt_1", 0, "run_1", "file_1");
    CHECK_INT(take_event("evt_1", type, at, "", "\"canvas\":{\"id\":\"x44505\"}"), LF_OK);
    CHECK_INT(take_event("evt_1", type, at, "", "\"canvas\":{\"id\":\"x71852\"}"), LF_OK);
    generated("v2", "evt_2", 0, "run_1", "file_2");
    CHECK_INT(job_count(), 2);
    close_all();
}

static void resent_after_a_forged_one(void)
{
    open_all();
    static const char genuine[] = "\"workflowTask\":{\"id\":\"w\",\"status\":{\"id\":\"st_1\"}}";
    const char *at = "2026-11-30T10:00:00Z";
    CHECK_INT(take_event("evt_1", "v2.canvas.created", at, "", "\"canvas\":{\"id\":\"x\"}"), LF_OK);
    for (int i = 0; i < 3; i++)
        CHECK_INT(take_event("evt_1", "v2.workflowTask.updated.status", at, "", genuine), LF_OK);
    CHECK_INT(job_count(), 1);
    close_all();
}

/* The same event as a thin webhook and whole: one id, one occurrence, and nothing to worry about. */
static void thin_and_whole(void)
{
    open_all();
    CHECK_INT(take("{\"version\":\"0\",\"channel\":\"events\",\"message\":{\"id\":\"evt_1\",\"type\":"
                   "\"v2.workflowTask.updated.status\",\"createdAt\":\"2026-05-04T09:42:00Z\",\"deprecated\":"
                   "false,\"resourceId\":\"wftask_1\"}}"),
              LF_OK);
    CHECK_INT(take_event("evt_1", "v2.workflowTask.updated.status", "2026-05-04T09:42:00Z", "",
                         "\"workflowTask\":{\"id\":\"wftask_1\",\"status\":{\"id\":\"st_1\"}}"),
              LF_OK);
    fake_cloud.resource = "{\"id\":\"wftask_1\",\"displayId\":\"T1\",\"status\":{\"id\":\"st_1\"}}";
    int64_t next = 0;
    CHECK(intake__reread_one(intake, &next));
    CHECK_INT(job_count(), 1);
    check_fate("evt_1", LF_FATE_TWIN, "[1]");
    check_told(false);
    close_all();
}

/* A job found that its event contradicted Benchling: the job of the genuine event takes its
 * place. */
static void disowned(void)
{
    open_all();
    generated("v2", "evt_forged", 0, "run_2", "file_1"); /* in truth it is run_1's */
    check_fate("evt_forged", LF_FATE_JOB, "[1]");
    generated("v2-beta", "evt_twin", 0, "run_2", "file_1");
    check_fate("evt_twin", LF_FATE_TWIN, "[1]");
    CHECK_INT(lf_journal_job_disown(journal, 1, UNIT_ERROR), LF_OK);
    fake_cloud.resource =
        "{\"id\":\"aig_1\",\"assayRunId\":\"run_1\",\"file\":{\"id\":\"file_1\",\"name\":\"w.csv\"}}";
    int64_t next = 0;
    while (intake__reread_one(intake, &next))
        ;
    CHECK_INT(job_count(), 2);
    struct lf_job job = core_job(journal, job_of("evt_forged"));
    CHECK_STR(job.route, "first");
    CHECK_STR(job.instrument, "robot");
    lf_job_free(&job);
    generated("v2", "evt_late", 0, "run_2", "file_1"); /* its key is free again */
    CHECK_INT(job_count(), 3);
    close_all();
}

static void unasked(void)
{
    open_all();
    struct lf_message message =
        {.topic = "rehearsal/events/x",
         .unasked = true,
         .payload = lf_slice_text(
             "{\"id\":\"evt_1\",\"eventType\":\"v2.workflowTask.updated.status\",\"workflowTask\":"
             "{\"id\":\"w\",\"status\":{\"id\":\"st_1\"}}}")};
    CHECK_INT(lf_intake_batch(intake, &message, 1, UNIT_ERROR), LF_OK);
    CHECK_INT(job_count(), 0);
    close_all();
}

/* ---- from before the first start ---- */

static void open_first(const char *how)
{
    fake_cloud_reset();
    journal = core_journal();
    first_start = !strcmp(how, "take") ? LF_FIRST_TAKE : !strcmp(how, "ask") ? LF_FIRST_ASK : LF_FIRST_IGNORE;
    open_with(INSTRUMENTS ROUTES);
    lf_clock_learn(lf_clock_wall_ms());
}

static void earlier_is_ignored(void)
{
    open_first("ignore");
    generated("v2", "evt_1", 3600 * 1000, "run_1", "file_1");
    check_fate("evt_1", LF_FATE_UNROUTED, "[]");
    told_about = "before the first start";
    check_told(true);
    generated("v2", "evt_2", 0, "run_1", "file_2");
    check_fate("evt_2", LF_FATE_JOB, "[1]");
    close_all();
}

static void earlier_is_taken(void)
{
    open_first("take");
    generated("v2", "evt_1", 3600 * 1000, "run_1", "file_1");
    check_fate("evt_1", LF_FATE_JOB, "[1]");
    close_all();
}

static void earlier_is_asked(void)
{
    open_first("ask");
    generated("v2", "evt_1", 48 * 3600 * 1000, "run_1", "file_1");
    struct lf_job job = core_job(journal, 1);
    CHECK_INT(job.state, LF_JOB_HELD);
    CHECK_HAS(job.note, "labferry retry");
    CHECK_INT(job.expires_mono, 0); /* whatever a person decides, and when */
    lf_job_free(&job);
    close_all();
}

/* The second start of an agent, and the journal of one that is older than the setting. */
static void later_starts(void)
{
    open_first("ignore");
    lf_intake_close(intake);
    lf_jobs_close(jobs);
    lf_config_free(config);
    CHECK_INT(lf_journal_set(journal, "first_start", ago(2 * 3600 * 1000), UNIT_ERROR), LF_OK);
    open_with(INSTRUMENTS ROUTES);
    generated("v2", "evt_1", 3600 * 1000, "run_1", "file_1"); /* while it was down */
    check_fate("evt_1", LF_FATE_JOB, "[1]");
    close_all();
    journal = core_journal();
    CHECK_INT(lf_journal_set(journal, "poll.since", ago(0), UNIT_ERROR), LF_OK);
    open_with(INSTRUMENTS ROUTES);
    generated("v2", "evt_1", 48 * 3600 * 1000, "run_1", "file_1");
    check_fate("evt_1", LF_FATE_JOB, "[1]");
    close_all();
}

/* Our clock is an hour ahead, and nobody has told yet: the event only seems early. */
static void clock_unsure(void)
{
    fake_cloud_reset();
    journal = core_journal();
    first_start = LF_FIRST_IGNORE;
    open_with(INSTRUMENTS ROUTES);
    generated("v2", "evt_1", 3600 * 1000, "run_1", "file_1");
    check_fate("evt_1", LF_FATE_REREAD, "[]");
    lf_clock_learn(lf_clock_wall_ms() - 3600 * 1000);
    fake_cloud.resource =
        "{\"id\":\"aig_1\",\"assayRunId\":\"run_1\",\"file\":{\"id\":\"file_1\",\"name\":\"w.csv\"}}";
    int64_t next = 0;
    CHECK(intake__reread_one(intake, &next));
    check_fate("evt_1", LF_FATE_JOB, "[1]");
    close_all();
}

UNIT_TESTS(
    "intake, the same event",
    /* first, for once the clock is learned it stays so */
    {"while the clock is not known to be right no event is too early", clock_unsure},
    {"two events of one type are never twins: a task that comes to the same status again makes a new job",
     same_status_again},
    {"each change of status has its own twins", twins_of_each},
    {"twins are found whatever the moment", twins_at_any_moment},
    {"an event whose id another message has taken makes its job all the same, with a concern",
     id_taken_by_another},
    {"two forged events whose ids and digests look alike do not stop what follows", ids_made_alike},
    {"an event that is sent again after another took its id makes one job", resent_after_a_forged_one},
    {"a thin message and the whole event of one id make one job", thin_and_whole},
    {"when a job was made of what was not true, the genuine event makes its own", disowned},
    {"events from before the first start are ignored, with a concern", earlier_is_ignored},
    {"events from before the first start are taken if the configuration says so", earlier_is_taken},
    {"events from before the first start make held jobs if the configuration says so", earlier_is_asked},
    {"an event from while the agent was down is never taken for one from before its first start",
     later_starts},
    {"an event on a topic that the configuration does not name makes no job", unasked}, )
