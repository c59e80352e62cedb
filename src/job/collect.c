/* collect: an instrument has a result; bring it to the cloud and follow its processing.
 *
 * spool -> match -> compare -> upload -> attach -> process -> errors -> file. The job of an `.uploaded` event
 * (somebody uploaded the file by hand) has its processor from the start: adopt -> process -> errors. A
 * collect job never fails on its own: a result must not be lost, so a person decides.
 */
#include "job/collect_upload.h"
#include "job/spool.h"

#include "base/digest.h"
#include "base/file.h"
#include "event/key.h"
#include "os/dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TASK_POLL_MS = 10000, SAME_POLL_MS = 2000 };

/* The rule for this file: the first whose glob fits. */
const struct lf_config_collect *job__collect_rule(const struct job_work *work)
{
    const struct lf_config_instrument *instrument = lf_config_instrument(work->jobs->config,
                                                                         work->job->instrument);
    const char *name = lf_job_text(work->job, LF_JOB_FILE_NAME);
    for (size_t i = 0; instrument && name && i < instrument->collect_count; i++)
        if (lf_glob_match(instrument->collect[i].files, name, false))
            return &instrument->collect[i];
    return NULL;
}

/* ---- adopt: uploaded by hand, or was it us? ---- */

static enum lf_status adopt_upload(struct job_work *work, struct lf_error *err)
{
    const char *blob = lf_job_text(work->job, LF_JOB_BLOB);
    int64_t ours = 0;
    enum lf_status status = LF_NOT_FOUND;
    if (blob)
        status = lf_journal_job_with_field(work->jobs->journal, "collect", LF_JOB_BLOB, blob, false,
                                           work->job->id, &ours, err);
    if (status == LF_OK)
        return job__end(work, LF_JOB_CANCELLED, "this agent uploaded it itself, in job %lld",
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

/* If it comes back unchanged, lf_jobs_found resumes this job. */
static enum lf_status is_gone(struct job_work *work, const char *why, struct lf_error *err)
{
    enum lf_status status = lf_job_set_bool(work->job, LF_JOB_GONE, true, err);
    if (status == LF_OK)
        status = lf_journal_finding_gone(work->jobs->journal, work->job->instrument,
                                         lf_job_text(work->job, LF_JOB_FINDING),
                                         lf_job_text(work->job, LF_JOB_VERSION), true, err);
    if (status != LF_OK)
        return status;
    return job__end(work, LF_JOB_CANCELLED, "%s", why);
}

/* Data that the instrument sent without a file was spooled when it was found. */
static enum lf_status know_parcel(struct job_work *work, struct lf_error *err)
{
    struct lf_parcel_row row;
    enum lf_status status = lf_journal_parcel_get(work->jobs->journal, work->job->id, &row, err);
    if (status != LF_OK)
        return status;
    status = lf_job_set_text(work->job, LF_JOB_SHA256, row.sha256, err);
    job__note(work, "%s, %lld bytes, sha256 %s", row.name, (long long)row.size, row.sha256);
    lf_parcel_row_free(&row);
    return status;
}

static enum lf_status spool_result(struct job_work *work, struct lf_error *err)
{
    bool spooled_before = lf_job_text(work->job, LF_JOB_SHA256) != NULL;
    enum lf_status status = know_parcel(work, err);
    if (status == LF_NOT_FOUND)
        status = job__spool_fill(work, NULL, take_result, err);
    if (status == LF_NOT_FOUND && spooled_before)
        return lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                       "the copy in the spool is damaged and the original is gone from %s: restore %.150s "
                       "there and `labferry retry %lld`, or cancel",
                       work->job->instrument, lf_job_text(work->job, LF_JOB_FILE_NAME),
                       (long long)work->job->id);
    if (status == LF_NOT_FOUND)
        return is_gone(work, "the file disappeared from the instrument before it could be read", err);
    if (status == LF_MISMATCH && err->class == LF_TRANSIENT)
        return is_gone(work, "the file changed while it was read; its new version has a job of its own", err);
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
            "no entry in the collect list of %s matches the name %.150s. Add one and retry, or cancel",
            work->job->instrument, lf_job_text(work->job, LF_JOB_FILE_NAME));
    enum lf_status status = lf_job_text(work->job, LF_JOB_ASSIGNED) ? LF_OK
                                                                    : job__match_result(work, rule, err);
    if (status == LF_CORRUPT)
        return job__collect_again(work, err);
    if (status != LF_OK)
        return status;
    if (!lf_job_text(work->job, LF_JOB_CONFIG) && rule->config)
        status = lf_job_set_text(work->job, LF_JOB_CONFIG, rule->config, err);
    if (status == LF_OK && !lf_job_text(work->job, LF_JOB_CONFIG))
        return lf_fail(
            err, LF_NOT_FOUND, LF_NEEDS_PERSON,
            "found run %.80s but no output file configuration. Set config in the collect entry, or use "
            "`labferry assign %lld RUN CONFIG`",
            lf_job_text(work->job, LF_JOB_RUN), (long long)work->job->id);
    cJSON *run = NULL;
    status = lf_cloud_get_run(work->jobs->cloud, lf_job_text(work->job, LF_JOB_RUN), &work->call, &run, err);
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

/* ---- compare: does the run have the same content already? ---- */

/* A file may be found twice, touched or copied. In another run the same content (a blank plate) is another
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
        return job__wait(work, SAME_POLL_MS, "job %lld is bringing the same content to this run",
                         (long long)other);
    status = lf_job_set_int(work->job, LF_JOB_SAME_AS, other, err);
    return status == LF_OK ? job__go(work, "file", "the same content as in job %lld; not uploaded again",
                                     (long long)other)
                           : status;
}

/* ---- attach: look before creating, since the API has no idempotency key ---- */

static const char *holder_of(const cJSON *processors, const char *blob)
{
    const cJSON *processor;
    cJSON_ArrayForEach (processor, processors) {
        const char *file = lf_json_text(processor, "file.id");
        if (file && !strcmp(file, blob))
            return lf_json_text(processor, "id");
    }
    return NULL;
}

static enum lf_status create_processor(struct job_work *work, const char *run, const char *config,
                                       const char *blob, struct lf_error *err)
{
    const struct lf_config_collect *rule = job__collect_rule(work);
    struct lf_new_processor wanted = {.run_id = run, .config_name = config, .file_id = blob};
    if (rule) {
        wanted.complete_with_errors = rule->complete_with_errors;
        wanted.folder_id = rule->folder_id;
        wanted.location_id = rule->location_id;
        wanted.timezone = rule->timezone;
    }
    cJSON *processor = NULL;
    enum lf_status status = lf_cloud_create_processor(work->jobs->cloud, &wanted, &work->call, &processor,
                                                      err);
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_PROCESSOR, lf_json_text(processor, "id"), err);
    if (status == LF_OK)
        job__note(work, "attached to the new output processor %s of run %s",
                  lf_job_text(work->job, LF_JOB_PROCESSOR), run);
    cJSON_Delete(processor);
    return status;
}

/* Did an earlier job attach a version of this very file (not only one of the same name) to the processor? */
static enum lf_status same_file(struct job_work *work, const char *processor, bool *same,
                                struct lf_error *err)
{
    struct lf_job earlier;
    int64_t id;
    const char *finding = lf_job_text(work->job, LF_JOB_FINDING);
    struct lf_journal *journal = work->jobs->journal;
    *same = false;
    if (!finding)
        return LF_OK;
    enum lf_status status = lf_journal_job_with_field(journal, "collect", LF_JOB_PROCESSOR, processor, false,
                                                      work->job->id, &id, err);
    if (status == LF_OK)
        status = lf_journal_job_get(journal, id, &earlier, err);
    if (status != LF_OK)
        return status == LF_NOT_FOUND ? LF_OK : status;
    *same = id < work->job->id && !strcmp(earlier.instrument, work->job->instrument)
            && !strcmp(lf_job_text_or(&earlier, LF_JOB_FINDING, ""), finding);
    lf_job_free(&earlier);
    return LF_OK;
}

/* An earlier version of this file, attached by us and not processed yet: it is replaced rather than joined.
 * *stale is NULL if there is none. */
static enum lf_status unprocessed_earlier(struct job_work *work, const cJSON *processors, const char **stale,
                                          struct lf_error *err)
{
    const cJSON *processor;
    enum lf_status status = LF_OK;
    *stale = NULL;
    cJSON_ArrayForEach (processor, processors) {
        const char *id = lf_json_text(processor, "id");
        bool same = false;
        if (status == LF_OK && !*stale && id
            && !strcmp(lf_json_text_or(processor, "status", ""), "NOT_STARTED"))
            status = same_file(work, id, &same, err);
        if (same)
            *stale = id;
    }
    return status;
}

static enum lf_status replace_file(struct job_work *work, const char *processor, const char *blob,
                                   struct lf_error *err)
{
    cJSON *updated = NULL;
    enum lf_status status = lf_cloud_set_processor_file(work->jobs->cloud, processor, blob, &work->call,
                                                        &updated, err);
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_PROCESSOR, processor, err);
    if (status == LF_OK)
        job__note(work, "replaces the earlier, unprocessed version on output processor %s", processor);
    cJSON_Delete(updated);
    return status;
}

static enum lf_status attach_file(struct job_work *work, struct lf_error *err)
{
    const char *run = lf_job_text(work->job, LF_JOB_RUN), *config = lf_job_text(work->job, LF_JOB_CONFIG);
    const char *blob = lf_job_text(work->job, LF_JOB_BLOB);
    cJSON *processors = NULL;
    enum lf_status status = lf_cloud_find_processors(work->jobs->cloud, run, config, &work->call, &processors,
                                                     err);
    if (status != LF_OK)
        return status;
    const char *holder = holder_of(processors, blob), *stale = NULL;
    if (!holder)
        status = unprocessed_earlier(work, processors, &stale, err);
    if (holder) {
        status = lf_job_set_text(work->job, LF_JOB_PROCESSOR, holder, err);
        job__note(work, "output processor %s of run %s has it already", holder, run);
    } else if (status == LF_OK && stale) {
        status = replace_file(work, stale, blob, err);
    } else if (status == LF_OK) {
        status = create_processor(work, run, config, blob, err);
    }
    cJSON_Delete(processors);
    return status;
}

/* ---- process ---- */

static enum lf_status rows_of(struct job_work *work, const cJSON *processor, struct lf_error *err)
{
    int64_t good = lf_json_int(processor, "progressStats.rowsSucceeded", 0);
    int64_t bad = lf_json_int(processor, "progressStats.rowsFailed", 0);
    if (lf_job_set_int(work->job, LF_JOB_ROWS_SUCCEEDED, good, err) != LF_OK
        || lf_job_set_int(work->job, LF_JOB_ROWS_FAILED, bad, err) != LF_OK)
        return err->status;
    const char *error_file = lf_json_text(processor, "errorFile.id");
    if (error_file && lf_job_set_text(work->job, LF_JOB_ERROR_BLOB, error_file, err) != LF_OK)
        return err->status;
    job__note(work, "Benchling processed it: %lld rows succeeded, %lld failed", (long long)good,
              (long long)bad);
    if (!lf_job_text(work->job, LF_JOB_FINDING)
        && !lf_job_text(work->job, LF_JOB_ERROR_BLOB)) /* uploaded by hand: nothing left to do */
        return job__end(work, LF_JOB_DONE, "Benchling processed it: %lld rows succeeded, %lld failed",
                        (long long)good, (long long)bad);
    return LF_OK;
}

static enum lf_status wait_for_processing(struct job_work *work, const char *processor)
{
    free(work->wake);
    work->wake = lf_key_wake_processor(processor);
    return job__wait(work, TASK_POLL_MS, "Benchling is processing it");
}

/* Asks the long-running task. LF_NOT_FOUND: it has succeeded or is unknown; the processor knows more. */
static enum lf_status ask_task(struct job_work *work, const char *processor, struct lf_error *err)
{
    const char *task_id = lf_job_text(work->job, LF_JOB_TASK);
    if (!task_id)
        return LF_NOT_FOUND;
    cJSON *task = NULL;
    enum lf_status status = lf_cloud_get_task(work->jobs->cloud, task_id, &work->call, &task, err);
    if (status != LF_OK)
        return status;
    const char *state = lf_json_text_or(task, "status", "");
    if (!strcmp(state, "FAILED")) {
        char why[300];
        snprintf(why, sizeof why, "%s", lf_json_text_or(task, "message", "no reason was given"));
        lf_job_clear(work->job, LF_JOB_TASK); /* a retry starts processing again */
        status = lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON,
                         "Benchling could not process the file: %s. It is attached to %s; fix the problem "
                         "there, then `labferry "
                         "retry %lld`, or cancel",
                         why, processor, (long long)work->job->id);
    } else {
        status = !strcmp(state, "SUCCEEDED") ? LF_NOT_FOUND : LF_OK;
    }
    cJSON_Delete(task);
    return status == LF_OK ? wait_for_processing(work, processor) : status;
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
        job__note(work, "attached; processing is left to people (process = false)");
        return LF_OK;
    }
    enum lf_status status = ask_task(work, id, err);
    if (status != LF_NOT_FOUND)
        return status;
    cJSON *processor = NULL;
    status = lf_cloud_get_processor(work->jobs->cloud, id, &work->call, &processor, err);
    if (status != LF_OK)
        return status;
    const char *state = lf_json_text_or(processor, "status", "");
    if (!strcmp(state, "SUCCEEDED"))
        status = rows_of(work, processor, err);
    else if (!strcmp(state, "RUNNING"))
        status = wait_for_processing(work, id);
    else if (!strcmp(state, "FAILED") && lf_job_text(work->job, LF_JOB_TASK))
        status = lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON,
                         "Benchling could not process the file on %s. Fix the problem there, then `labferry "
                         "retry %lld`, or "
                         "cancel",
                         id, (long long)work->job->id);
    else
        status = start_processing(work, id, err);
    cJSON_Delete(processor);
    return status;
}

/* ---- file: archive the original, fetch the error file ---- */

static enum lf_status fetch_errors(struct job_work *work, const char *blob, struct lf_error *err)
{
    char *dir = lf_format("%s/errors", work->jobs->config->agent.state_dir);
    char *path = dir ? lf_format("%s/job-%lld-errors.csv", dir, (long long)work->job->id) : NULL;
    enum lf_status status = path ? lf_dir_make(dir, LF_GROUP, err)
                                 : lf_fail_memory(err, "fetching the error file");
    if (status == LF_OK) {
        char sha256[LF_SHA256_HEX];
        int64_t size = 0;
        struct lf_file file;
        status = lf_file_open(path, LF_FILE_REPLACE, LF_GROUP, &file, err);
        if (status != LF_OK)
            lf_error_prefix(err, "cannot create %s", path);
        else
            status = lf_cloud_download(work->jobs->cloud, blob, &file, work->jobs->config->agent.file_max,
                                       &work->call, sha256, &size, err);
        lf_file_close(&file);
    }
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_ERROR_FILE, path, err);
    if (status == LF_OK)
        job__note(work, "the rows that failed are in %s", path);
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

/* Without an archive the original stays where it is, so it must stay known. Data without a file is never seen
 * again. */
static enum lf_status note_gone(struct job_work *work, const char *finding, const char *version,
                                struct lf_error *err)
{
    struct lf_error answer = {0};
    if (lf_job_bool(work->job, LF_JOB_SAID))
        return lf_journal_finding_gone(work->jobs->journal, work->job->instrument, finding, version, true,
                                       err);
    enum lf_status there = lf_instrument_take(work->instrument, finding, version, NULL, 0, &answer);
    if (there != LF_NOT_FOUND && there != LF_MISMATCH)
        return LF_OK;
    return lf_journal_finding_gone(work->jobs->journal, work->job->instrument, finding, version, true, err);
}

static enum lf_status archive_result(struct job_work *work, struct lf_error *err)
{
    const char *finding = lf_job_text(work->job, LF_JOB_FINDING),
               *version = lf_job_text(work->job, LF_JOB_VERSION);
    enum lf_status status = lf_instrument_archive(work->instrument, finding, version, err);
    if (status == LF_OK)
        status = note_gone(work, finding, version, err);
    if (status != LF_OK)
        return status;
    int64_t same_as = lf_job_int(work->job, LF_JOB_SAME_AS, 0);
    int64_t good = lf_job_int(work->job, LF_JOB_ROWS_SUCCEEDED, -1);
    if (same_as)
        job__note(work, "the same content as in job %lld; not uploaded again", (long long)same_as);
    else if (good >= 0)
        job__note(work, "in run %s: %lld rows succeeded, %lld failed%s%s", lf_job_text(work->job, LF_JOB_RUN),
                  (long long)good, (long long)lf_job_int(work->job, LF_JOB_ROWS_FAILED, 0),
                  lf_job_text(work->job, LF_JOB_ERROR_FILE) ? "; see " : "",
                  lf_job_text_or(work->job, LF_JOB_ERROR_FILE, ""));
    else
        job__note(work, "attached to run %s", lf_job_text(work->job, LF_JOB_RUN));
    return LF_OK;
}

/* clang-format off */
static const struct job_step steps[] = {
    {.name = "adopt",   .run = adopt_upload, .hold_on_permanent = true},
    {.name = "spool",   .run = spool_result, .hold_on_permanent = true, .bench = true,
     .needs = {LF_JOB_FINDING, LF_JOB_VERSION, LF_JOB_FILE_NAME}},
    {.name = "match",   .run = match_run,    .hold_on_permanent = true},
    {.name = "compare", .run = compare_content,      .hold_on_permanent = true},
    {.name = "upload",  .run = job__collect_upload, .hold_on_permanent = true, .checks_first = true},
    {.name = "attach",  .run = attach_file,       .hold_on_permanent = true, .checks_first = true,
     .needs = {LF_JOB_RUN, LF_JOB_CONFIG, LF_JOB_BLOB}},
    {.name = "process", .run = process_file,      .hold_on_permanent = true, .checks_first = true, .needs = {LF_JOB_PROCESSOR}},
    {.name = "errors",  .run = get_errors,   .hold_on_permanent = true},
    {.name = "file",    .run = archive_result, .hold_on_permanent = true, .bench = true,
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
