/* collect, step "attach": the uploaded file becomes the file of an output processor of its run. It looks
 * before it creates, since the API has no idempotency key. */
#include "job/collect_steps.h"

#include <string.h>

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

static enum lf_status create_processor(struct job_work *work, const char *blob, struct lf_error *err)
{
    const struct lf_config_collect *rule = job__collect_rule(work);
    const char *run = lf_job_text(work->job, LF_JOB_RUN);
    struct lf_new_processor wanted = {.run_id = run,
                                      .config_name = lf_job_text(work->job, LF_JOB_CONFIG),
                                      .file_id = blob};
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

/* LF_OK: an earlier job attached a version of this very file, not just one of the same name. */
static enum lf_status same_file(struct job_work *work, const char *processor, struct lf_error *err)
{
    struct lf_job earlier;
    int64_t id;
    const char *finding = lf_job_text(work->job, LF_JOB_FINDING);
    struct lf_journal *journal = work->jobs->journal;
    if (!finding)
        return LF_NOT_FOUND;
    enum lf_status status = lf_journal_job_with_field(journal, work->job->kind, LF_JOB_PROCESSOR, processor,
                                                      false, work->job->id, &id, err);
    if (status == LF_OK)
        status = lf_journal_job_get(journal, id, &earlier, err);
    if (status != LF_OK)
        return status;
    bool same = id < work->job->id && !strcmp(earlier.instrument, work->job->instrument)
                && !strcmp(lf_job_text_or(&earlier, LF_JOB_FINDING, ""), finding);
    lf_job_free(&earlier);
    return same ? LF_OK : LF_NOT_FOUND;
}

/* Finds the processor of an earlier version of this file that is not processed yet: it gets the new version,
 * instead of both being processed. */
static enum lf_status unprocessed_earlier(struct job_work *work, const cJSON *processors, const char **stale,
                                          struct lf_error *err)
{
    const cJSON *processor;
    cJSON_ArrayForEach (processor, processors) {
        *stale = lf_json_text(processor, "id");
        bool waits = *stale && !strcmp(lf_json_text_or(processor, "status", ""), "NOT_STARTED");
        enum lf_status status = waits ? same_file(work, *stale, err) : LF_NOT_FOUND;
        if (status != LF_NOT_FOUND)
            return status;
    }
    return LF_NOT_FOUND;
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
        job__note(work, "replaces the unprocessed earlier version on output processor %s", processor);
    cJSON_Delete(updated);
    return status;
}

/* To the processor `stale`, or to a new one if it is NULL. If the answer is lost, only a look at the run
 * shows whether it was done; until then the result must not be attached to another run. */
static enum lf_status attach_to(struct job_work *work, const char *stale, struct lf_error *err)
{
    const char *blob = lf_job_text(work->job, LF_JOB_BLOB);
    enum lf_status status = lf_job_set_bool(work->job, LF_JOB_ATTACHING, true, err);
    if (status == LF_OK) /* a crash must not forget it */
        status = job__save(work->jobs, work->job, "agent", NULL, err);
    if (status == LF_OK)
        status = stale ? replace_file(work, stale, blob, err) : create_processor(work, blob, err);
    if (status == LF_OK || err->class == LF_PERMANENT)
        lf_job_clear(work->job, LF_JOB_ATTACHING);
    return status;
}

enum lf_status job__collect_attach(struct job_work *work, struct lf_error *err)
{
    const char *run = lf_job_text(work->job, LF_JOB_RUN), *config = lf_job_text(work->job, LF_JOB_CONFIG);
    const char *blob = lf_job_text(work->job, LF_JOB_BLOB);
    cJSON *processors = NULL;
    enum lf_status status = lf_cloud_find_processors(work->jobs->cloud, run, config, &work->call, &processors,
                                                     err);
    if (status != LF_OK)
        return status;
    lf_job_clear(work->job, LF_JOB_ATTACHING);
    const char *holder = holder_of(processors, blob), *stale;
    if (holder) {
        status = lf_job_set_text(work->job, LF_JOB_PROCESSOR, holder, err);
        job__note(work, "already attached to output processor %s of run %s", holder, run);
    } else {
        status = unprocessed_earlier(work, processors, &stale, err);
        if (status == LF_NOT_FOUND && (status = job__no_earlier_version(work, err)) == LF_OK)
            status = attach_to(work, NULL, err);
        else if (status == LF_OK)
            status = attach_to(work, stale, err);
    }
    cJSON_Delete(processors);
    return status;
}
