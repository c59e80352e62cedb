/* Results on their way to the cloud: none lost, none uploaded twice, none matched by guess. */
#include "job_case.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct job_case c;

static void begin(void)
{
    case_open(&c);
    case_start(&c);
}

/* ---- one result after the other: what happens to them, and what reaches the cloud ---- */

static int64_t first, id; /* the first and the newest job */

static void retried(void)
{
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
}

static void fixed_and_retried(void)
{
    fake_cloud.processed = "SUCCEEDED";
    retried();
}

/* In the middle of the step at which the job waits. */
static void killed(void)
{
    case_restart(&c);
    struct lf_job job = core_job(c.journal, id);
    job.state = LF_JOB_READY;
    case_save(&c, &job);
    case_start(&c);
}

/* A scan after the restart sees it again. */
static void restarted_and_seen_again(void)
{
    case_restart(&c);
    case_start(&c);
    c.device->result = "R-run_1.csv";
    for (int64_t end = lf_deadline_in(UNIT_SOON_MS); c.device->result && !lf_deadline_passed(end);) {
        lf_instrument_kick(c.robot);
        lf_sleep_until(lf_deadline_in(10), NULL);
    }
    CHECK(c.device->result == NULL); /* the agent has noted it */
    CHECK_INT(core_count(lf_journal_job_counts(c.journal, NULL), "done"), 1);
}

static void cancelled_first(void)
{
    CHECK_INT(lf_jobs_cancel(c.jobs, first, "", "maria", UNIT_ERROR), LF_OK);
    UNIT_TIME_PASSES(60000); /* the second looks again */
}

static void newer_version_not_processed(void)
{
    case_cloud_fails(&(struct case_failure){"process", false, LF_PERMANENT});
    id = case_result(&c, "R-run_1.csv", "whole", 2);
}

/* The answer is lost, and then the run cannot be looked at. */
static void newer_version_in_doubt(void)
{
    fake_cloud.fail_then = "find_processors";
    fake_cloud_fail("set_processor_file", 1, true, LF_TIMEOUT, LF_TRANSIENT);
    id = case_result(&c, "R-run_1.csv", "whole", 2);
}

static void not_assigned_but_retried(void)
{
    CHECK_INT(lf_jobs_assign(c.jobs, id, "run_7", NULL, "maria", UNIT_ERROR), LF_REFUSED);
    retried();
}

static void first_retried(void)
{
    CHECK_INT(lf_jobs_retry(c.jobs, first, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, first, LF_JOB_DONE));
}

static void changes_before_it_is_read(void)
{
    c.device->version = 2;
    lf_instrument_resume(c.robot);
}

static void goes_away(void)
{
    c.device->bytes = NULL;
    lf_instrument_resume(c.robot);
}

static void comes_back(void)
{
    c.device->bytes = "A1,0.5\n";
    c.device->result = "R-run_1.csv";
    lf_instrument_kick(c.robot);
}

static void damaged(void)
{
    case_damage_spool(&c, id);
    retried();
}

static void damaged_and_complete_by_now(void)
{
    c.device->bytes = "run=run_7\n";
    damaged();
}

static void damaged_and_gone(void)
{
    c.device->bytes = NULL;
    damaged();
}

static void parts_given_up(void)
{
    CHECK_STR(case_fact(&c, id, "parts_blob"), "");
    CHECK_INT(fake_cloud.aborted, 1);
    retried();
}

static void assigned(void)
{
    CHECK_HAS(case_note(&c, id), "labferry assign");
    CHECK_INT(fake_cloud.uploads, 0);
    CHECK_INT(lf_jobs_confirm(c.jobs, id, NULL, "test", UNIT_ERROR), LF_REFUSED);
    CHECK_INT(lf_jobs_assign(c.jobs, id, "run_7", NULL, "maria", UNIT_ERROR), LF_OK);
}

static void assigned_when_it_is_done(void)
{
    CHECK_INT(lf_jobs_assign(c.jobs, id, "run_8", NULL, "maria", UNIT_ERROR), LF_REFUSED);
}

static void assigned_to_nothing(void)
{
    CHECK_INT(lf_jobs_assign(c.jobs, id, "nonsense", NULL, "maria", UNIT_ERROR), LF_OK);
}

/* It is held at attach, and its output may be the mistake. */
static void assigned_with_mistakes(void)
{
    struct lf_job job = core_job(c.journal, id);
    CHECK_STR(job.step, "attach");
    CHECK_HAS(lf_job_help(&job), "assign");
    lf_job_free(&job);
    CHECK_INT(lf_jobs_assign(c.jobs, id, "nonsense", "Wrong", "maria", UNIT_ERROR), LF_OK);
}

static void assigned_without_an_output(void)
{
    CHECK_STR(case_fact(&c, id, "config"), "Wrong");
    CHECK_INT(lf_jobs_assign(c.jobs, id, "run_7", NULL, "maria", UNIT_ERROR), LF_OK);
}

static void assigned_with_a_configuration(void)
{
    CHECK_INT(lf_jobs_assign(c.jobs, id, "run_1", "Reader", "maria", UNIT_ERROR), LF_OK);
}

/* One result is uploaded, attached, processed and archived, each once. */
#define ONCE                                                                                                 \
    {                                                                                                        \
        .uploads = 1, .created = 1, .started = 1, .takes = 1, .files = 1                                     \
    }

static const struct {
    struct unit_row row;
    /* Set up. */
    struct case_failure fails;
    const char *processed;      /* how processing ends; NULL: it succeeds */
    bool parts, as_data, pause; /* uploads in parts; results without a file; the instrument starts paused */
    /* What happens: the instrument shows a result, or something happens to the newest one; and what becomes
     * of that job. */
    struct {
        const char *name, *bytes;
        int version;
        void (*happens)(void);
        enum lf_job_state becomes;
        const char *says;
    } turns[4];
    /* Expected in the end: of the newest job, of the cloud, of the instrument (reads and archivings). */
    struct {
        const char *fact, *text;
    } facts[3];
    const char *upload;
    struct {
        int uploads, created, replaced, started, takes, files;
    } counts;
} ways[] = {
    {{"a result is uploaded, attached once, processed and archived"},
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_DONE, "3 rows succeeded"}},
     .facts = {{"run", "run_1"}, {"config", "Reader"}},
     .upload = "A1,0.5\n",
     .counts = ONCE},
    {{"if the answer to creating a processor is lost, no second one is created"},
     .fails = {"create_processor", true, LF_UNKNOWN_OUTCOME},
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_WAITING},
               {.happens = retried, .becomes = LF_JOB_DONE}},
     .counts = ONCE},
    {{"if the answer to starting it is lost, it is not started twice"},
     .fails = {"process", true, LF_UNKNOWN_OUTCOME},
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_WAITING},
               {.happens = retried, .becomes = LF_JOB_DONE}},
     .counts = ONCE},
    {{"killed after creating a processor: no second one, no second upload"},
     .fails = {"create_processor", true, LF_UNKNOWN_OUTCOME},
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_WAITING},
               {.happens = killed, .becomes = LF_JOB_DONE}},
     .counts = ONCE},
    {{"a result that the cloud refuses is held, not failed, and not archived"},
     .fails = {"create_processor", false, LF_PERMANENT},
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_HELD}},
     .counts = {.uploads = 1, .takes = 1}},
    {{"a result that the cloud refused continues with a retry, and is not uploaded again"},
     .fails = {"create_processor", false, LF_PERMANENT},
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_HELD},
               {.happens = retried, .becomes = LF_JOB_DONE}},
     .counts = ONCE},
    {{"a file that cannot be processed is held and not archived"},
     .processed = "FAILED",
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_WAITING},
               {.happens = retried, .becomes = LF_JOB_HELD, .says = "could not process"}},
     .counts = {.uploads = 1, .created = 1, .started = 1, .takes = 1}},
    {{"once the cause is fixed, a retry starts the processing again"},
     .processed = "FAILED",
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_WAITING},
               {.happens = retried, .becomes = LF_JOB_HELD},
               {.happens = fixed_and_retried, .becomes = LF_JOB_DONE}},
     .counts = {.uploads = 1, .created = 1, .started = 2, .takes = 1, .files = 1}},
    {{"an upload in parts that the cloud refuses is aborted there, and a retry starts a new one"},
     .fails = {"upload_part", false, LF_PERMANENT},
     .parts = true,
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_HELD},
               {.happens = parts_given_up, .becomes = LF_JOB_DONE}},
     .facts = {{"blob", "blob_2"}},
     .counts = {.uploads = 2, .created = 1, .started = 1, .takes = 1, .files = 1}},

    {{"the same content is not uploaded twice for one run"},
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_DONE},
               {"R-run_1.csv", "A1,0.5\n", 2, NULL, LF_JOB_DONE, "not uploaded again"}},
     .counts = {.uploads = 1, .created = 1, .started = 1, .takes = 2, .files = 2}},
    {{"the same content in another run, such as a blank plate, is another result"},
     .turns = {{"R-run_1.csv", "A1,0\n", 1, NULL, LF_JOB_DONE},
               {"R-run_2.csv", "A1,0\n", 1, NULL, LF_JOB_DONE}},
     .counts = {.uploads = 2, .created = 2, .started = 2, .takes = 2, .files = 2}},
    {{"the same content waits until the first is attached, and takes its place if that is cancelled"},
     .fails = {"upload_blob", false, LF_PERMANENT},
     .turns = {{"R-run_1.csv", "A1,0\n", 1, NULL, LF_JOB_HELD},
               {"R-run_1-copy.csv", "A1,0\n", 1, NULL, LF_JOB_WAITING, "the same content"},
               {.happens = cancelled_first, .becomes = LF_JOB_DONE}},
     .counts = {.uploads = 1, .created = 1, .started = 1, .takes = 2, .files = 1}},
    {{"the same data sent twice was measured twice and is reported twice"},
     .as_data = true,
     .turns = {{"R-run_1-a.csv", "S S 12.34 g\n", 1, NULL, LF_JOB_DONE},
               {"R-run_1-b.csv", "S S 12.34 g\n", 1, NULL, LF_JOB_DONE}},
     .counts = {.uploads = 2, .created = 2, .started = 2, .takes = 0, .files = 2}},
    {{"a result that is seen again after a restart is known"},
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_DONE},
               {.happens = restarted_and_seen_again, .becomes = LF_JOB_DONE}},
     .counts = ONCE},
    {{"a later version of an unprocessed file replaces it"},
     .fails = {"process", false, LF_PERMANENT},
     .turns = {{"R-run_1.csv", "half", 1, NULL, LF_JOB_HELD}, {"R-run_1.csv", "whole", 2, NULL, LF_JOB_DONE}},
     .upload = "whole",
     .counts = {.uploads = 2, .created = 1, .replaced = 1, .started = 1, .takes = 2, .files = 1}},
    {{"a later version that may have replaced it is not assigned to another run, and a retry finds it"},
     .fails = {"process", false, LF_PERMANENT},
     .turns = {{"R-run_1.csv", "half", 1, NULL, LF_JOB_HELD},
               {.happens = newer_version_in_doubt, .becomes = LF_JOB_HELD, .says = "the cloud says no"},
               {.happens = not_assigned_but_retried, .becomes = LF_JOB_DONE}},
     .facts = {{"run", "run_1"}, {"processor", "aop_1"}},
     .upload = "whole",
     .counts = {.uploads = 2, .created = 1, .replaced = 1, .started = 1, .takes = 2, .files = 1}},
    {{"an earlier version that goes up late never replaces a later one that is not processed yet"},
     .fails = {"upload_blob", false, LF_PERMANENT},
     .turns = {{"R-run_1.csv", "half", 1, NULL, LF_JOB_HELD},
               {.happens = newer_version_not_processed, .becomes = LF_JOB_HELD},
               {.happens = first_retried, .becomes = LF_JOB_HELD}},
     .facts = {{"processor", "aop_1"}, {"blob", "blob_1"}},
     .upload = "half",
     .counts = {.uploads = 2, .created = 2, .started = 1, .takes = 2, .files = 1}},
    {{"another file of the same run never replaces an unprocessed one"}, /* the cloud knows both as r.csv */
     .fails = {"process", false, LF_PERMANENT},
     .turns = {{"R-run_1.csv", "one", 1, NULL, LF_JOB_HELD},
               {"R-run_1-other.csv", "two", 1, NULL, LF_JOB_DONE}},
     .counts = {.uploads = 2, .created = 2, .started = 1, .takes = 2, .files = 1}},
    {{"a file that changed before it was read is read in its new version"},
     .pause = true,
     .turns = {{"R-run_1.csv", "half", 1, NULL, LF_JOB_READY},
               {.happens = changes_before_it_is_read, .becomes = LF_JOB_CANCELLED},
               {"R-run_1.csv", "whole", 2, NULL, LF_JOB_DONE}},
     .upload = "whole",
     .counts = ONCE},
    {{"a result that disappeared before it was read is read when it comes back"},
     .pause = true,
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_READY},
               {.happens = goes_away, .becomes = LF_JOB_CANCELLED},
               {.happens = comes_back, .becomes = LF_JOB_DONE}},
     .upload = "A1,0.5\n",
     .counts = ONCE},

    {{"a damaged spool file is collected again"},
     .fails = {"upload_blob", false, LF_PERMANENT},
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_HELD},
               {.happens = damaged, .becomes = LF_JOB_DONE}},
     .upload = "A1,0.5\n",
     .counts = {.uploads = 1, .created = 1, .started = 1, .takes = 2, .files = 1}},
    {{"a result damaged in the spool before its run was known is read from the instrument again"},
     .turns = {{"C.csv", "nothing\n", 1, NULL, LF_JOB_HELD},
               {.happens = damaged_and_complete_by_now, .becomes = LF_JOB_DONE}},
     .facts = {{"run", "run_7"}},
     .upload = "run=run_7\n",
     .counts = {.uploads = 1, .created = 1, .takes = 2, .files = 1}},
    {{"a result damaged in the spool and gone from the instrument is held, since a person may have a copy"},
     .fails = {"upload_blob", false, LF_PERMANENT},
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_HELD},
               {.happens = damaged_and_gone, .becomes = LF_JOB_HELD, .says = "Restore"}},
     .counts = {.takes = 1}},

    {{"a result whose run no rule finds is held with what was tried, until somebody assigns it"},
     .turns = {{"R-unknown.csv", "A1\n", 1, NULL, LF_JOB_HELD, "tried: filename:"},
               {.happens = assigned, .becomes = LF_JOB_DONE},
               {.happens = assigned_when_it_is_done, .becomes = LF_JOB_DONE}},
     .facts = {{"run", "run_7"}, {"assigned", "maria"}},
     .counts = ONCE},
    {{"a result that matches no collect entry is held until somebody assigns it"},
     .turns = {{"Z.csv", "A1\n", 1, NULL, LF_JOB_HELD, "labferry assign 1 RUN CONFIG"},
               {.happens = assigned_with_a_configuration, .becomes = LF_JOB_DONE}},
     .facts = {{"run", "run_1"}, {"config", "Reader"}},
     .counts = ONCE},
    {{"a result assigned to a run that the cloud does not know is held"},
     .turns = {{"R-unknown.csv", "A1\n", 1, NULL, LF_JOB_HELD},
               {.happens = assigned_to_nothing, .becomes = LF_JOB_HELD, .says = "no run nonsense"},
               {.happens = assigned, .becomes = LF_JOB_DONE}},
     .facts = {{"run", "run_7"}},
     .counts = ONCE},
    {{"a result that cannot be attached can be assigned; without an output it gets that of the instrument"},
     .fails = {"create_processor", false, LF_PERMANENT},
     .turns = {{"R-run_1.csv", "A1,0.5\n", 1, NULL, LF_JOB_HELD},
               {.happens = assigned_with_mistakes, .becomes = LF_JOB_HELD, .says = "no run nonsense"},
               {.happens = assigned_without_an_output, .becomes = LF_JOB_DONE}},
     .facts = {{"run", "run_7"}, {"config", "Reader"}},
     .counts = ONCE},
    {{"the run is found in the content, and with process = false the file is only attached"},
     .turns = {{"C.csv", "# made by reader\nrun=run_5\nA1,1\n", 1, NULL, LF_JOB_DONE}},
     .facts = {{"run", "run_5"}},
     .counts = {.uploads = 1, .created = 1, .takes = 1, .files = 1}},
    {{"a result without an output file configuration is held until somebody names it"},
     .turns = {{"N-run_1.csv", "A1\n", 1, NULL, LF_JOB_HELD, "labferry assign 1 run_1 CONFIG"},
               {.happens = assigned_with_a_configuration, .becomes = LF_JOB_DONE}},
     .facts = {{"config", "Reader"}},
     .counts = ONCE},
};

static void results(void)
{
    const typeof(*ways) *row = unit_row();
    case_open(&c);
    c.device->as_data = row->as_data;
    fake_cloud.parts = row->parts;
    if (row->processed)
        fake_cloud.processed = row->processed;
    if (row->pause)
        lf_instrument_pause(c.robot, "test");
    case_start(&c);
    case_cloud_fails(&row->fails);
    for (size_t i = 0; i < 4 && (row->turns[i].name || row->turns[i].happens); i++) {
        const typeof(*row->turns) *turn = &row->turns[i];
        if (turn->name)
            id = case_result(&c, turn->name, turn->bytes, turn->version);
        else
            turn->happens();
        first = i == 0 ? id : first;
        bool as_expected = case_says(&c, id, turn->becomes, turn->says ? turn->says : "");
        CHECK(as_expected);
        if (!as_expected)
            break;
    }
    for (size_t i = 0; i < 3 && row->facts[i].fact; i++)
        CHECK_STR(case_fact(&c, id, row->facts[i].fact), row->facts[i].text);
    if (row->upload)
        CHECK_STR(fake_cloud.last_upload, row->upload);
    CHECK_INT(fake_cloud.uploads, row->counts.uploads);
    CHECK_INT(fake_cloud.created, row->counts.created);
    CHECK_INT(fake_cloud_size(&fake_cloud.processors), row->counts.created);
    CHECK_INT(fake_cloud.replaced, row->counts.replaced);
    CHECK_INT(fake_cloud.started, row->counts.started);
    CHECK_INT(c.device->takes, row->counts.takes);
    CHECK_INT(c.device->files, row->counts.files);
    if (first == id && row->counts.files)
        CHECK(case_spool_empties());
    case_close(&c);
}

static void count_line(void *context, int64_t at_ms, const char *who, const char *text)
{
    (void)at_ms;
    (void)who;
    (void)text;
    (*(int *)context)++;
}

static int history_lines(int64_t job)
{
    int lines = 0;
    NEED(lf_journal_history_list(c.journal, job, count_line, &lines, UNIT_ERROR) == LF_OK);
    return lines;
}

static int64_t due_at(int64_t number)
{
    struct lf_job job = core_job(c.journal, number);
    int64_t due = job.due_mono;
    lf_job_free(&job);
    return due;
}

/* Lets time pass until the job is due, and waits until it has looked and is due again. */
static void looks_again(int64_t job)
{
    int64_t due = due_at(job), end = lf_deadline_in(UNIT_SOON_MS);
    UNIT_TIME_PASSES(lf_deadline_left(due));
    while (due_at(job) == due && !lf_deadline_passed(end))
        lf_sleep_until(lf_deadline_in(1), NULL);
    CHECK(due_at(job) > due);
}

/* It looks every two seconds whether it can continue, and may do so for a week. */
static void waits_silently(void)
{
    begin();
    case_cloud_fails(&(struct case_failure){"upload_blob", false, LF_PERMANENT});
    first = case_result(&c, "R-run_1.csv", "A1,0\n", 1);
    CHECK(case_becomes(&c, first, LF_JOB_HELD));
    int64_t second = case_result(&c, "R-run_1-copy.csv", "A1,0\n", 1);
    CHECK(case_becomes(&c, second, LF_JOB_WAITING));
    int lines = history_lines(second);
    for (int look = 0; look < 3; look++)
        looks_again(second);
    CHECK(case_becomes(&c, second, LF_JOB_WAITING));
    CHECK_INT(history_lines(second), lines);
    case_close(&c);
}

static bool noted; /* when the cloud was asked to attach */

static void note_attaching(void)
{
    struct lf_job job = core_job(c.journal, 1);
    noted = lf_job_bool(&job, LF_JOB_ATTACHING);
    lf_job_free(&job);
}

static void attaching_is_noted(void)
{
    noted = false;
    begin();
    fake_cloud.on_create = note_attaching;
    id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK(noted);
    CHECK_STR(case_fact(&c, id, "attaching"), "");
    case_close(&c);
}

/* ---- old findings ---- */

static const struct {
    struct unit_row row;
    bool archived, back; /* it is gone from its place; it lies there again */
    bool replaced;       /* another version lies in its place */
    bool known;          /* once it is old */
} old[] = {
    {{"a result that was archived leaves the journal when it is old"}, .archived = true},
    {{"a result that another version has replaced leaves the journal when it is old"}, .replaced = true},
    {{"a result that is still in its place stays known, or it would count as a new one"}, .known = true},
    {{"a result that was archived and is put back stays known"},
     .archived = true,
     .back = true,
     .known = true},
};

static void old_results(void)
{
    const typeof(*old) *row = unit_row();
    int64_t dropped = 0;
    begin();
    c.device->file_status = LF_BUSY; /* it waits there */
    id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    if (row->archived)
        c.device->bytes = NULL;
    if (row->replaced)
        c.device->version = 2;
    c.device->file_status = LF_OK;
    UNIT_TIME_PASSES(60000);
    NEED(case_becomes(&c, id, LF_JOB_DONE));
    struct lf_finding again = {.id = "R-run_1.csv", .version = "1", .name = "R-run_1.csv"};
    NEED(!row->back || lf_jobs_found(c.jobs, c.robot, &again, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_finding_job(c.journal, "robot", "R-run_1.csv", "1") == id);
    lf_clock_learn(lf_clock_wall_ms());
    NEED(lf_journal_clock_look(c.journal, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_prune(c.journal, -3600000, &dropped, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_finding_job(c.journal, "robot", "R-run_1.csv", "1"), row->known ? id : 0);
    CHECK_INT(fake_cloud.uploads, 1);
    case_close(&c);
}

/* What has the content of an earlier job is attached through that one. */
static void same_content_held(void)
{
    struct lf_error err;
    begin();
    first = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, first, LF_JOB_DONE));
    c.device->file_status = LF_BUSY;
    id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 2);
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    struct lf_job job = core_job(c.journal, id);
    CHECK_STR(job.step, "file");
    job.state = LF_JOB_HELD;
    NEED(lf_journal_job_save(c.journal, &job, UNIT_ERROR) == LF_OK);
    CHECK(!strstr(lf_job_help(&job), "assign"));
    lf_job_free(&job);
    CHECK_INT(lf_jobs_assign(c.jobs, id, "run_2", NULL, "maria", &err), LF_REFUSED);
    c.device->file_status = LF_OK;
    CHECK_INT(lf_jobs_retry(c.jobs, id, "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(fake_cloud.uploads, 1);
    CHECK_STR(case_fact(&c, id, "run"), "run_1");
    case_close(&c);
}

/* ---- disks ---- */

/* Somebody clears /var/lib with the agent in it. While a file is in its place, the folder cannot be made
 * again. */
static const struct {
    struct unit_row row;
    bool file;
} cleared[] = {
    {{"a spool folder that was removed is made again, and no file counts as missing"}, false},
    {{"while the spool folder cannot be made, jobs wait with the reason, and continue on their own"}, true},
};

static void spool_folder(void)
{
    const typeof(*cleared) *row = unit_row();
    begin();
    const char *dir = c.config->agent.spool_dir;
    NEED(rmdir(dir) == 0);
    if (row->file)
        NEED(fclose(fopen(dir, "w")) == 0);
    id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    int64_t down = case_deliver(&c, "file_1");
    if (row->file) {
        CHECK(case_says(&c, id, LF_JOB_WAITING, "cannot create"));
        CHECK(case_becomes(&c, down, LF_JOB_WAITING));
        NEED(unlink(dir) == 0);
        UNIT_TIME_PASSES(60000);
    }
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(fake_cloud.last_upload, "A1,0.5\n");
    CHECK(case_becomes(&c, down, LF_JOB_DONE));
    case_close(&c);
}

/* ---- uploaded by hand, or by this agent? ---- */

static int64_t uploaded_event(const char *processor, const char *blob)
{
    char key[100], facts[200];
    struct lf_job job = {.kind = (char *)"collect", .instrument = (char *)"", .step = "adopt", .key = key};
    snprintf(key, sizeof key, "automationOutputProcessor.uploaded|%s|%s", processor, blob);
    snprintf(facts, sizeof facts, "{\"processor\":\"%s\",\"blob\":\"%s\",\"file_name\":\"r.csv\"}", processor,
             blob);
    job.fields = cJSON_Parse(facts);
    NEED(lf_journal_job_add(c.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    cJSON_Delete(job.fields);
    lf_jobs_kick(c.jobs);
    return job.id;
}

static const struct {
    struct unit_row row;
    bool ours; /* this agent uploads a result first */
    const char *processor, *blob;
    enum lf_job_state becomes;
    int started, uploads;
} uploaded[] = {
    {{"the event of the agent's own upload is recognised"}, true, "aop_1", "blob_1", LF_JOB_CANCELLED, 1, 1},
    {{"an upload by hand is processed and not uploaded"}, false, "aop_9", "blob_hand", LF_JOB_WAITING, 1, 0},
};

static void uploaded_by(void)
{
    const typeof(*uploaded) *row = unit_row();
    begin();
    NEED(!row->ours || case_becomes(&c, case_result(&c, "R-run_1.csv", "A1\n", 1), LF_JOB_DONE));
    CHECK(case_becomes(&c, uploaded_event(row->processor, row->blob), row->becomes));
    CHECK_INT(fake_cloud.started, row->started);
    CHECK_INT(fake_cloud.uploads, row->uploads);
    case_close(&c);
}

UNIT_TESTS("job, results", UNIT_ROWS(ways, results), UNIT_ROWS(old, old_results),
           UNIT_ROWS(cleared, spool_folder), UNIT_ROWS(uploaded, uploaded_by),
           {"a result that has the content of an attached one cannot be assigned", same_content_held},
           {"before a result is attached the journal says so: a crash in between does not let it be assigned "
            "to another run",
            attaching_is_noted},
           {"a job that waits for another looks again and again, and reports it once", waits_silently,
            UNIT_SLOW}, )
