/* collect: an instrument has a result; upload it, attach it to its run and follow its processing.
 *
 * spool -> match -> compare -> upload -> attach -> process -> errors -> file. The job of an `.uploaded` event
 * (somebody uploaded the file by hand) knows its processor from the start: adopt -> process -> errors. A
 * collect job never fails on its own: a result must not be lost, so a person decides.
 */
#include "job/collect_steps.h"
#include "job/spool.h"

#include "base/digest.h"
#include "base/file.h"
#include "event/key.h"
#include "os/dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TASK_POLL_MS = 10000, SAME_POLL_MS = 2000 };

/* For a result that no entry names and that a person has assigned: the defaults of an entry. */
static const struct lf_config_collect assigned = {.files = "*", .process = true, .type = "RAW_FILE"};

const struct lf_config_collect *job__collect_rule(const struct job_work *work)
{
    const struct lf_config_instrument *instrument = lf_config_instrument(work->jobs->config,
                                                                         work->job->instrument);
    const char *name = lf_job_text(work->job, LF_JOB_FILE_NAME);
    for (size_t i = 0; instrument && name && i < instrument->collect_count; i++)
        if (lf_glob_match(instrument->collect[i].files, name, true))
            return &instrument->collect[i];
    return lf_job_text(work->job, LF_JOB_ASSIGNED) ? &assigned : NULL;
}

/* ---- adopt: uploaded by hand, or by this agent? ---- */

/* The processor as Benchling has it, in place of what the event said. */
static enum lf_status read_processor(struct job_work *work, struct lf_error *err)
{
    cJSON *processor = NULL;
    enum lf_status status = lf_cloud_get(work->jobs->cloud, LF_CLOUD_PROCESSOR,
                                         lf_job_text(work->job, LF_JOB_PROCESSOR), &work->call, &processor,
                                         err);
    const char *known = lf_job_text(work->job, LF_JOB_BLOB), *file = lf_json_text(processor, "file.id");
    if (status == LF_OK)
        status = job__rematch(work, processor, err);
    if (status == LF_OK && work->follow == FOLLOW_NEXT && file && known && strcmp(file, known) != 0)
        status = job__end(work, LF_JOB_CANCELLED, "the processor has another file (%s) by now", file);
    if (status == LF_OK && work->follow == FOLLOW_NEXT && file)
        status = job__take(work->job, &job__kind_collect, processor, err);
    cJSON_Delete(processor);
    return status;
}

static enum lf_status adopt_upload(struct job_work *work, struct lf_error *err)
{
    int64_t ours = 0;
    enum lf_status status = read_processor(work, err);
    if (status != LF_OK || work->follow != FOLLOW_NEXT)
        return status;
    const char *blob = lf_job_text(work->job, LF_JOB_BLOB);
    status = LF_NOT_FOUND;
    if (blob)
        status = lf_journal_job_with_field(work->jobs->journal, work->job->kind, LF_JOB_BLOB, blob, false,
                                           work->job->id, &ours, err);
    if (status == LF_OK)
        return job__end(work, LF_JOB_CANCELLED, "this agent uploaded the file itself, in job %lld",
                        (long long)ours);
    if (status != LF_NOT_FOUND)
        return status;
    return job__go(work, "process", "%s was uploaded by hand",
                   lf_job_text_or(work->job, LF_JOB_FILE_NAME, "a file"));
}

/* ---- spool ---- */

static enum lf_status take_result(struct job_work *work, struct lf_file *file, char *sha256, int64_t *size,
                                  struct lf_error *err)
{
    enum lf_status status = lf_instrument_take(work->instrument, lf_job_text(work->job, LF_JOB_FINDING),
                                               lf_job_text(work->job, LF_JOB_VERSION), file,
                                               work->jobs->config->agent.file_max, err);
    return status == LF_OK ? lf_file_copy(file, NULL, INT64_MAX, NULL, sha256, size, err) : status;
}

/* The instrument no longer shows the result. */
static enum lf_status forget_finding(struct job_work *work, struct lf_error *err)
{
    return lf_journal_finding_gone(work->jobs->journal, work->job->instrument,
                                   lf_job_text(work->job, LF_JOB_FINDING),
                                   lf_job_text(work->job, LF_JOB_VERSION), true, err);
}

/* If it comes back unchanged, lf_jobs_found resumes this job. */
static enum lf_status is_gone(struct job_work *work, const char *why, struct lf_error *err)
{
    enum lf_status status = lf_job_set_bool(work->job, LF_JOB_GONE, true, err);
    if (status == LF_OK)
        status = forget_finding(work, err);
    return status == LF_OK ? job__end(work, LF_JOB_CANCELLED, "%s", why) : status;
}

static enum lf_status spool_result(struct job_work *work, struct lf_error *err)
{
    bool spooled_before = lf_job_text(work->job, LF_JOB_SHA256) != NULL;
    /* Data that the instrument sent without a file was spooled when it was found. */
    enum lf_status status = job__spool_name(work, err);
    if (status == LF_OK)
        status = job__spool_note(work, &work->parcel_row, err);
    else if (status == LF_NOT_FOUND)
        status = job__spool_fill(work, NULL, take_result, err);
    if (status == LF_NOT_FOUND && spooled_before)
        return lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                       "the copy in the spool is damaged and the original is gone from %s. Restore %.150s "
                       "there and `labferry retry %lld`, or cancel",
                       work->job->instrument, lf_job_text(work->job, LF_JOB_FILE_NAME),
                       (long long)work->job->id);
    if (status == LF_NOT_FOUND)
        return is_gone(work, "the file disappeared from the instrument before it could be read", err);
    if (status == LF_MISMATCH && err->class == LF_TRANSIENT)
        return is_gone(work, "the file changed while it was being read; a new job takes its new version",
                       err);
    return status == LF_OK ? lf_journal_finding_digest(work->jobs->journal, work->job->id,
                                                       lf_job_text(work->job, LF_JOB_SHA256), err)
                           : status;
}

/* ---- match ---- */

static enum lf_status match_run(struct job_work *work, struct lf_error *err)
{
    const struct lf_config_collect *rule = job__collect_rule(work);
    if (!rule)
        return lf_fail(
            err, LF_NOT_FOUND, LF_NEEDS_PERSON,
            "no entry in the collect list of %s matches the name %.150s. Add one, restart labferryd "
            "and `labferry retry %lld`; or name run and output file configuration: `labferry "
            "assign %lld RUN CONFIG`; or cancel",
            work->job->instrument, lf_job_text(work->job, LF_JOB_FILE_NAME), (long long)work->job->id,
            (long long)work->job->id);
    enum lf_status status = lf_job_text(work->job, LF_JOB_ASSIGNED) ? LF_OK
                                                                    : job__match_result(work, rule, err);
    if (status == LF_CORRUPT)
        return job__collect_again(work, err);
    if (status != LF_OK)
        return status;
    if (!lf_job_text(work->job, LF_JOB_CONFIG) && rule->config)
        status = lf_job_set_text(work->job, LF_JOB_CONFIG, rule->config, err);
    if (status == LF_OK && !lf_job_text(work->job, LF_JOB_CONFIG))
        return lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                       "found run %.80s but no output file configuration. Name it: `labferry assign %lld "
                       "%.80s CONFIG`, or set config in the collect entry and `labferry retry %lld`",
                       lf_job_text(work->job, LF_JOB_RUN), (long long)work->job->id,
                       lf_job_text(work->job, LF_JOB_RUN), (long long)work->job->id);
    cJSON *run = NULL;
    status = lf_cloud_get(work->jobs->cloud, LF_CLOUD_RUN, lf_job_text(work->job, LF_JOB_RUN), &work->call,
                          &run, err);
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_RUN,
                                 lf_json_text_or(run, "id", lf_job_text(work->job, LF_JOB_RUN)), err);
    else if (err->class == LF_PERMANENT && err->status != LF_PROTOCOL)
        status = lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                         "Benchling has no run %.100s for %.100s (%.200s). Name the run: "
                         "`labferry assign %lld RUN`",
                         lf_job_text(work->job, LF_JOB_RUN), lf_job_text(work->job, LF_JOB_FILE_NAME),
                         err->text, (long long)work->job->id);
    cJSON_Delete(run);
    return status;
}

/* ---- compare: does the run already have this content? ---- */

/* A file may be found twice: touched or copied. The same content in another run (a blank plate) is another
 * result, and data that the instrument sends twice was measured twice. */
static enum lf_status compare_content(struct job_work *work, struct lf_error *err)
{
    int64_t other = 0;
    bool attached = false;
    if (lf_job_bool(work->job, LF_JOB_SAID))
        return LF_OK;
    enum lf_status status = lf_journal_finding_same(work->jobs->journal, work->job->id,
                                                    lf_job_text(work->job, LF_JOB_RUN),
                                                    lf_job_text(work->job, LF_JOB_CONFIG), &other, &attached,
                                                    err);
    if (status == LF_NOT_FOUND)
        return LF_OK;
    if (status != LF_OK)
        return status;
    if (!attached)
        return job__wait(work, SAME_POLL_MS, "job %lld is uploading the same content to this run",
                         (long long)other);
    status = lf_job_set_int(work->job, LF_JOB_SAME_AS, other, err);
    return status == LF_OK ? job__go(work, "file", "the same content as in job %lld; not uploaded again",
                                     (long long)other)
                           : status;
}

/* ---- process ---- */

static enum lf_status rows_of(struct job_work *work, const cJSON *processor, struct lf_error *err)
{
    int64_t good = lf_json_int(processor, "progressStats.rowsSucceeded", 0);
    int64_t bad = lf_json_int(processor, "progressStats.rowsFailed", 0);
    const char *error_file = lf_json_text(processor, "errorFile.id");
    if (lf_job_set_int(work->job, LF_JOB_ROWS_SUCCEEDED, good, err) != LF_OK
        || lf_job_set_int(work->job, LF_JOB_ROWS_FAILED, bad, err) != LF_OK
        || (error_file && lf_job_set_text(work->job, LF_JOB_ERROR_BLOB, error_file, err) != LF_OK))
        return err->status;
    job__note(work, "Benchling processed it: %lld row%s succeeded, %lld failed", (long long)good,
              good == 1 ? "" : "s", (long long)bad);
    bool by_hand = !lf_job_text(work->job, LF_JOB_FINDING); /* only its error file is left to fetch */
    return by_hand && !lf_job_text(work->job, LF_JOB_ERROR_BLOB)
               ? job__end(work, LF_JOB_DONE, "%s", work->note)
               : LF_OK;
}

static enum lf_status wait_for_processing(struct job_work *work, const char *processor)
{
    work->wake = lf_key_wake_processor(processor);
    return job__wait(work, TASK_POLL_MS, "Benchling is processing it");
}

/* A retry starts processing again. */
static enum lf_status not_processed(struct job_work *work, const char *processor, const char *why,
                                    struct lf_error *err)
{
    lf_job_clear(work->job, LF_JOB_TASK);
    return lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON,
                   "Benchling could not process the file: %.290s. It is attached to %s; fix the problem "
                   "there, then `labferry retry %lld`, or cancel",
                   why, processor, (long long)work->job->id);
}

/* Asks the long-running task. LF_NOT_FOUND: it has succeeded or is unknown; the processor knows more. */
static enum lf_status ask_task(struct job_work *work, const char *processor, struct lf_error *err)
{
    const char *task_id = lf_job_text(work->job, LF_JOB_TASK);
    if (!task_id)
        return LF_NOT_FOUND;
    cJSON *task = NULL;
    enum lf_status status = lf_cloud_get(work->jobs->cloud, LF_CLOUD_TASK, task_id, &work->call, &task, err);
    if (status != LF_OK)
        return status;
    const char *state = lf_json_text_or(task, "status", "");
    if (!strcmp(state, "FAILED"))
        status = not_processed(work, processor, lf_json_text_or(task, "message", "no reason given"), err);
    else
        status = strcmp(state, "SUCCEEDED") ? wait_for_processing(work, processor) : LF_NOT_FOUND;
    cJSON_Delete(task);
    return status;
}

static enum lf_status start_processing(struct job_work *work, const char *processor, struct lf_error *err)
{
    char *task = NULL;
    enum lf_status status = lf_cloud_process(work->jobs->cloud, processor, &work->call, &task, err);
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_TASK, task, err);
    free(task);
    return status == LF_OK ? wait_for_processing(work, processor) : status;
}

static enum lf_status process_file(struct job_work *work, struct lf_error *err)
{
    const struct lf_config_collect *rule = job__collect_rule(work);
    const char *id = lf_job_text(work->job, LF_JOB_PROCESSOR);
    if (rule && !rule->process) {
        job__note(work, "attached, but not processed automatically (process = false)");
        return LF_OK;
    }
    enum lf_status status = ask_task(work, id, err);
    if (status != LF_NOT_FOUND)
        return status;
    cJSON *processor = NULL;
    status = lf_cloud_get(work->jobs->cloud, LF_CLOUD_PROCESSOR, id, &work->call, &processor, err);
    if (status != LF_OK)
        return status;
    const char *state = lf_json_text_or(processor, "status", "");
    if (!strcmp(state, "SUCCEEDED"))
        status = rows_of(work, processor, err);
    else if (!strcmp(state, "RUNNING"))
        status = wait_for_processing(work, id);
    else if (!strcmp(state, "FAILED") && lf_job_text(work->job, LF_JOB_TASK))
        status = not_processed(work, id, "no reason given", err);
    else
        status = start_processing(work, id, err);
    cJSON_Delete(processor);
    return status;
}

/* ---- file: archive the original, fetch the error file ---- */

static enum lf_status fetch_errors(struct job_work *work, const char *blob, struct lf_error *err)
{
    char sha256[LF_SHA256_HEX];
    int64_t size = 0;
    struct lf_file file = {0};
    char *dir = lf_format("%s/errors", work->jobs->config->agent.state_dir);
    char *path = dir ? lf_format("%s/job-%lld-errors.csv", dir, (long long)work->job->id) : NULL;
    enum lf_status status = path ? lf_dir_make(dir, LF_GROUP, err)
                                 : lf_fail_memory(err, "fetching the error file");
    if (status == LF_OK && (status = lf_file_open(path, LF_FILE_REPLACE, LF_GROUP, &file, err)) != LF_OK)
        lf_error_prefix(err, "cannot create %s", path);
    if (status == LF_OK)
        status = lf_cloud_download(work->jobs->cloud, blob, &file, work->jobs->config->agent.file_max,
                                   &work->call, sha256, &size, err);
    lf_file_close(&file);
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_ERROR_FILE, path, err);
    if (status == LF_OK)
        job__note(work, "failed rows are in %s", path);
    free(path);
    free(dir);
    return status;
}

static enum lf_status get_errors(struct job_work *work, struct lf_error *err)
{
    const char *blob = lf_job_text(work->job, LF_JOB_ERROR_BLOB);
    enum lf_status status = blob ? fetch_errors(work, blob, err) : LF_OK;
    if (status == LF_OK && !lf_job_text(work->job, LF_JOB_FINDING))
        return job__end(work, LF_JOB_DONE, "%s", work->note);
    return status;
}

/* If nothing was archived the original is still in its place, so it must stay known. Data without a file is
 * never seen again. */
static enum lf_status forget_archived(struct job_work *work, const char *finding, const char *version,
                                      struct lf_error *err)
{
    struct lf_error answer = {0};
    enum lf_status there = LF_NOT_FOUND;
    if (!lf_job_bool(work->job, LF_JOB_SAID))
        there = lf_instrument_take(work->instrument, finding, version, NULL, 0, &answer);
    return there == LF_NOT_FOUND || there == LF_MISMATCH ? forget_finding(work, err) : LF_OK;
}

static enum lf_status archive_result(struct job_work *work, struct lf_error *err)
{
    const char *finding = lf_job_text(work->job, LF_JOB_FINDING),
               *version = lf_job_text(work->job, LF_JOB_VERSION);
    enum lf_status status = lf_instrument_archive(work->instrument, finding, version, err);
    if (status == LF_OK)
        status = forget_archived(work, finding, version, err);
    if (status != LF_OK)
        return status;
    int64_t same_as = lf_job_int(work->job, LF_JOB_SAME_AS, 0);
    int64_t good = lf_job_int(work->job, LF_JOB_ROWS_SUCCEEDED, -1);
    if (same_as)
        job__note(work, "the same content as in job %lld; not uploaded again", (long long)same_as);
    else if (good >= 0)
        job__note(work, "attached to run %s: %lld row%s succeeded, %lld failed%s%s",
                  lf_job_text(work->job, LF_JOB_RUN), (long long)good, good == 1 ? "" : "s",
                  (long long)lf_job_int(work->job, LF_JOB_ROWS_FAILED, 0),
                  lf_job_text(work->job, LF_JOB_ERROR_FILE) ? "; see " : "",
                  lf_job_text_or(work->job, LF_JOB_ERROR_FILE, ""));
    else
        job__note(work, "attached to run %s", lf_job_text(work->job, LF_JOB_RUN));
    return LF_OK;
}

/* clang-format off */
static const struct job_step steps[] = {
    {.name = "adopt",   .run = adopt_upload,        .hold_on_permanent = true,
     .needs = {LF_JOB_PROCESSOR}},
    {.name = "spool",   .run = spool_result,        .hold_on_permanent = true, .bench = true,
     .needs = {LF_JOB_FINDING, LF_JOB_VERSION, LF_JOB_FILE_NAME}},
    {.name = "match",   .run = match_run,           .hold_on_permanent = true},
    {.name = "compare", .run = compare_content,     .hold_on_permanent = true},
    {.name = "upload", .bulk = true, .run = job__collect_upload, .hold_on_permanent = true, .checks_first = true},
    {.name = "attach",  .run = job__collect_attach,  .hold_on_permanent = true, .checks_first = true,
     .needs = {LF_JOB_RUN, LF_JOB_CONFIG, LF_JOB_BLOB}},
    {.name = "process", .run = process_file,        .hold_on_permanent = true, .checks_first = true,
     .needs = {LF_JOB_PROCESSOR}},
    {.name = "errors",  .run = get_errors,          .hold_on_permanent = true},
    {.name = "file",    .run = archive_result,      .hold_on_permanent = true, .bench = true,
     .needs = {LF_JOB_FINDING, LF_JOB_VERSION}},
    {0},
};
/* clang-format on */

const struct lf_job_kind job__kind_collect = {
    .config = {.name = "collect",
               .resource = "automationOutputProcessor",
               .ability = LF_CAN_COLLECT,
               .no_instrument = true,
               .collects = true},
    .takes = {{LF_JOB_PROCESSOR, "id"},
              {LF_JOB_BLOB, "file.id"},
              {LF_JOB_FILE_NAME, "file.name"},
              {LF_JOB_RUN, "assayRunId"},
              {LF_JOB_CONFIG, "automationFileConfig.name"}},
    .detail = LF_JOB_BLOB,
    .steps = steps,
    .assign_step = "match",
};
