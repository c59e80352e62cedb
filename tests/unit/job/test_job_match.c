/* Which run a result belongs to, by the rules of collect.match, and whether it is a new one: never a guess.
 */
#include "job_case.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct job_case c;
static int64_t first, id; /* the first and the newest job */

static void begin(void)
{
    case_open(&c);
    case_start(&c);
}

/* ---- a later version of what was processed ---- */

static const struct {
    struct unit_row row;
    const char *later;
    bool archived; /* the earlier version left its place */
    bool held;
} later[] = {
    {{"a file that has grown since it was processed is held: its rows would come twice"},
     "A1,0.5\nA2,0.7\n",
     .held = true},
    {{"one that was archived meanwhile is known by its beginning"},
     "A1,0.5\nA2,0.7\n",
     .archived = true,
     .held = true},
    {{"a file that was written over in its place is held as well"}, "A1,0.6\n", .held = true},
    {{"a new file of the same name, after the other was archived, is a new result"},
     "A1,0.6\n",
     .archived = true},
};

static void later_version(void)
{
    const typeof(*later) *row = unit_row();
    begin();
    first = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, first, LF_JOB_DONE));
    if (row->archived)
        NEED(lf_journal_finding_gone(c.journal, "robot", "R-run_1.csv", "1", true, UNIT_ERROR) == LF_OK);
    id = case_result(&c, "R-run_1.csv", row->later, 2);
    CHECK(case_becomes(&c, id, row->held ? LF_JOB_HELD : LF_JOB_DONE));
    CHECK_INT(fake_cloud.created, row->held ? 1 : 2);
    if (row->held) {
        CHECK_HAS(case_note(&c, id), "later version of what job 1 brought");
        CHECK_HAS(case_note(&c, id), "rows processed: 3");
        CHECK_INT(lf_jobs_assign(c.jobs, id, "run_1", NULL, "maria", UNIT_ERROR), LF_OK);
        CHECK(case_becomes(&c, id, LF_JOB_DONE)); /* a person wants it all the same */
    }
    case_close(&c);
}

/* An instrument appends all day long: only the last version waits. */
static void versions_in_between(void)
{
    begin();
    first = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, first, LF_JOB_DONE));
    int64_t second = case_result(&c, "R-run_1.csv", "A1,0.5\nA2,0.7\n", 2);
    CHECK(case_becomes(&c, second, LF_JOB_HELD));
    int64_t other = case_result(&c, "R-run_1.csv", "A1,0.5\nA2,0.8\n",
                                3); /* not what a later one begins with */
    CHECK(case_becomes(&c, other, LF_JOB_HELD));
    CHECK(case_becomes(&c, second, LF_JOB_HELD));
    id = case_result(&c, "R-run_1.csv", "A1,0.5\nA2,0.8\nA3,1\n", 4);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK(case_says(&c, other, LF_JOB_CANCELLED, "job 4 has a later version"));
    CHECK(case_becomes(&c, second, LF_JOB_HELD));
    CHECK_INT(fake_cloud.created, 1);
    case_close(&c);
}

/* The agent's own upload comes back as an event, whose job has the same processor. */
static void same_content_after_event(void)
{
    begin();
    first = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, first, LF_JOB_DONE));
    char facts[200], processor[80];
    snprintf(processor, sizeof processor, "%s", case_fact(&c, first, "processor"));
    snprintf(facts, sizeof facts, "{\"processor\":\"%s\",\"blob\":\"%s\"}", processor,
             case_fact(&c, first, "blob"));
    struct lf_job event = {.kind = (char *)"collect",
                           .instrument = (char *)"",
                           .key = (char *)"uploaded|1",
                           .step = "adopt",
                           .fields = cJSON_Parse(facts)};
    NEED(lf_journal_job_add(c.journal, &event, NULL, UNIT_ERROR) == LF_OK);
    cJSON_Delete(event.fields);
    lf_jobs_kick(c.jobs);
    NEED(case_becomes(&c, event.id, LF_JOB_CANCELLED));
    id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 2);
    CHECK(case_says(&c, id, LF_JOB_DONE, "not uploaded again"));
    CHECK_INT(fake_cloud.created, 1);
    case_close(&c);
}

/* ---- encodings and odd names ---- */

static const struct {
    struct unit_row row;
    const char *name, *original, *bytes;
    size_t len; /* 0: a text */
} odd[] = {
    {{"a result in UTF-16 with a mark is matched by its content"},
     "C1.csv",
     NULL,
     "\xFF\xFEr\0u\0n\0=\0r\0u\0n\0_\0"
     "1\0\n\0",
     22},
    {{"and one without a mark, the other way round"},
     "C1.csv",
     NULL,
     "\0r\0u\0n\0=\0r\0u\0n\0_\0"
     "1\0\n",
     20},
    {{"a result in Latin-1 is matched by its content"},
     "C1.csv",
     NULL,
     "Gr\xF6\xDF"
     "e\nrun=run_1\n"},
    {{"a result is matched by the folder that it lies in"}, "R.csv", "R-run_1/R.csv", "A1\n"},
    {{"the case of a name does not matter to the list of collect entries"}, "c1.CSV", NULL, "run=run_1\n"},
};

static void odd_results(void)
{
    const typeof(*odd) *row = unit_row();
    begin();
    c.device->original = row->original;
    c.device->len = (int)row->len;
    id = case_result(&c, row->name, row->bytes, 1);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, id, "run"), "run_1");
    case_close(&c);
}

static void umlauts_in_latin_1(void)
{
    case_config =
        "instruments = ( { name = \"robot\"; driver = \"fake\"; collect = ( { files = \"*\"; match = [ "
        "\"content:^(?<config>.+): (?<run>run_[0-9]+)\" ]; } ); } );\n";
    begin();
    case_config = NULL;
    id = case_result(&c, "C1.csv",
                     "Pr\xFC"
                     "fung: run_1\n",
                     1);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, id, "config"), "Pr\u00FCfung");
    case_close(&c);
}

/* ---- the last delivery ---- */

static void by_last_job(void)
{
    begin();
    int64_t early = case_result(&c, "L0.csv", "before any worklist\n", 1);
    CHECK(case_becomes(&c, early, LF_JOB_HELD));
    /* The delivery cannot be confirmed yet, but the instrument has the file and has produced its result. */
    c.device->verdict = LF_VERDICT_UNKNOWN;
    c.device->verify_status = LF_IO;
    c.device->verify_class = LF_TRANSIENT;
    int64_t deliver = case_deliver(&c, "file_1");
    NEED(fake_reached(&c.device->verifies, 1));
    id = case_result(&c, "L1.csv", "A1\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, id, "run"), "run_1");
    c.device->verdict = LF_VERDICT_DONE;
    c.device->verify_status = LF_OK; /* last: it may be looking right now */
    CHECK(case_becomes(&c, deliver, LF_JOB_DONE));
    case_close(&c);
}

/* Its action has an unknown outcome. */
static int64_t not_answered(void)
{
    case_act_fails(&c, LF_UNKNOWN_OUTCOME);
    return case_deliver(&c, "file_2");
}

/* The agent was killed while it acted, and lost its copy: it cannot look for the file. */
static int64_t interrupted_and_lost(void)
{
    lf_instrument_pause(c.robot, "test");
    int64_t doubtful = case_deliver(&c, "file_2");
    NEED(case_reaches(&c, doubtful, "turn"));
    c.device->repeat = LF_ONCE;
    case_killed_while_acting(&c, doubtful, "deliver");
    NEED(lf_journal_parcel_drop(c.journal, doubtful, UNIT_ERROR) == LF_OK);
    case_start(&c);
    return doubtful;
}

/* The instrument received a file of that run. */
static void delivered(const char *run)
{
    static char file[40];
    snprintf(file, sizeof file, "file_of_%s", run);
    fake_cloud.file = file;
    int64_t job = case_deliver(&c, file);
    NEED(case_becomes(&c, job, LF_JOB_DONE));
    struct lf_job row = core_job(c.journal, job);
    NEED(lf_job_set_text(&row, LF_JOB_RUN, run, UNIT_ERROR) == LF_OK);
    case_save(&c, &row);
}

static void two_deliveries(void)
{
    begin();
    delivered("run_1");
    delivered("run_2");
    int64_t one = case_result(&c, "L1.csv", "A1,1\n", 1);
    CHECK(case_becomes(&c, one, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, one), "run_1 (plate.csv, delivered 20");
    CHECK_HAS(case_note(&c, one), "run_2 (");
    struct lf_job job = core_job(c.journal, one);
    const cJSON *list = lf_job_json(&job, LF_JOB_CANDIDATES);
    CHECK_INT(cJSON_GetArraySize(list), 2);
    CHECK_STR(lf_json_text(cJSON_GetArrayItem(list, 1), "run"), "run_1");
    lf_job_free(&job);
    CHECK_INT(fake_cloud.created, 0);
    /* Once the first is assigned, only one run is left for the second. */
    int64_t two = case_result(&c, "L2.csv", "A1,2\n", 1);
    CHECK(case_becomes(&c, two, LF_JOB_HELD));
    CHECK_INT(lf_jobs_assign(c.jobs, one, "run_1", NULL, "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, one, LF_JOB_DONE));
    CHECK_INT(lf_jobs_retry(c.jobs, two, "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, two, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, two, "run"), "run_2");
    /* And none for a third. */
    int64_t three = case_result(&c, "L3.csv", "A1,3\n", 1);
    CHECK(case_becomes(&c, three, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, three), "has a result already");
    case_close(&c);
}

static void older_than_its_delivery(void)
{
    begin();
    delivered("run_1");
    c.device->written_ms = lf_clock_wall_ms() - 60000;
    id = case_result(&c, "L1.csv", "A1,1\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "not after the delivery to: run_1 (");
    c.device->written_ms = lf_clock_wall_ms() + 3600000; /* no clock that can be trusted */
    id = case_result(&c, "L2.csv", "A1,2\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    c.device->written_ms = lf_clock_wall_ms();
    id = case_result(&c, "L3.csv", "A1,3\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(fake_cloud.created, 1);
    case_close(&c);
}

/* An earlier result that waits for a person may be the run's only one. */
static void earlier_result_first(void)
{
    begin();
    delivered("run_1");
    int64_t early = case_result(&c, "R-none.csv", "A1,1\n", 1); /* no rule finds its run */
    CHECK(case_becomes(&c, early, LF_JOB_HELD));
    id = case_result(&c, "L1.csv", "A1,2\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "decide on that one first");
    CHECK_INT(lf_jobs_cancel(c.jobs, early, "", "maria", UNIT_ERROR), LF_OK);
    CHECK_INT(lf_jobs_retry(c.jobs, id, "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_close(&c);
}

static void sent_by_hand(void)
{
    int64_t sent = 0;
    begin();
    delivered("run_1");
    CHECK_INT(case_send(&c, "robot", "by-hand.csv", &sent, UNIT_ERROR), LF_OK);
    NEED(case_becomes(&c, sent, LF_JOB_DONE));
    id = case_result(&c, "L1.csv", "A1,1\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "a file without a run (by-hand.csv");
    case_close(&c);
}

static const struct {
    struct unit_row row;
    int64_t (*deliver)(void);
    bool acting; /* the held delivery: of unknown outcome by its mark, or by its class */
    enum lf_class class;
} doubts[] = {
    {{"while the outcome of a delivery is unknown, a result that may belong to it waits"},
     not_answered,
     false,
     LF_UNKNOWN_OUTCOME},
    {{"while an interrupted delivery needs a person, a result that may belong to it waits"},
     interrupted_and_lost,
     true,
     LF_NEEDS_PERSON},
};

static void delivery_in_doubt(void)
{
    const typeof(*doubts) *row = unit_row();
    begin();
    first = case_deliver(&c, "file_1");
    NEED(case_becomes(&c, first, LF_JOB_DONE));
    fake_cloud.file = "file_2";
    int64_t doubtful = row->deliver();
    NEED(case_becomes(&c, doubtful, LF_JOB_HELD));
    struct lf_job job = core_job(c.journal, doubtful);
    CHECK_INT(job.acting, row->acting);
    CHECK_INT(job.class, row->class);
    lf_job_free(&job);
    id = case_result(&c, "L1.csv", "A1\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_WAITING)); /* the first delivery's run would be a guess */
    CHECK_HAS(case_note(&c, id), "not known yet");
    CHECK_INT(fake_cloud.created, 0);
    CHECK_INT(lf_jobs_confirm(c.jobs, doubtful, NULL, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_close(&c);
}

UNIT_TESTS(
    "job, runs of results", UNIT_ROWS(later, later_version), UNIT_ROWS(odd, odd_results),
    {"what is found in a result in Latin-1 is passed on as UTF-8", umlauts_in_latin_1},
    UNIT_ROWS(doubts, delivery_in_doubt),
    {"of the versions of a growing file that wait for a person only the last one does", versions_in_between},
    {"equal content is not uploaded again, though the event of the first upload came back",
     same_content_after_event},
    {"a result matches the run of the last delivery, confirmed or not; before the first it is held",
     by_last_job},
    {"a result that may belong to one of two runs is held with both, whatever came last", two_deliveries},
    {"a result that is not younger than the delivery is held", older_than_its_delivery},
    {"a result is not matched by last job while an earlier one may take the run", earlier_result_first},
    {"a worklist that a person sent counts when the run of a result is looked for", sent_by_hand}, )
