#include "job/collect_steps.h"

#include "job/spool.h"

#include <stdlib.h>
#include <string.h>

/* The blob of a multipart upload has its own field until the upload is complete. */
static enum lf_status begin_parts(struct job_work *work, struct lf_upload_file *file, struct lf_error *err)
{
    int64_t begun_with = lf_job_int(work->job, LF_JOB_PART_SIZE, 0);
    bool begun = lf_job_text(work->job, LF_JOB_PARTS_BLOB) && begun_with > 0;
    file->part_size = begun ? begun_with : lf_cloud_part_size(work->jobs->cloud, file->size);
    if (begun)
        return LF_OK;
    char *blob = NULL;
    enum lf_status status = lf_cloud_start_parts(work->jobs->cloud, file, &work->call, &blob, err);
    if (status == LF_OK)
        status = lf_journal_part_clear(work->jobs->journal, work->job->id, err);
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_PARTS_BLOB, blob, err);
    if (status == LF_OK)
        status = lf_job_set_int(work->job, LF_JOB_PART_SIZE, file->part_size, err);
    if (status == LF_OK)
        status = job__save(work->jobs, work->job, "agent", NULL, err);
    free(blob);
    return status;
}

static enum lf_status send_parts(struct job_work *work, const struct lf_upload_file *file, char **etags,
                                 int count, struct lf_error *err)
{
    const char *blob = lf_job_text(work->job, LF_JOB_PARTS_BLOB);
    for (int number = 1; number <= count; number++) {
        if (etags[number - 1])
            continue;
        enum lf_status status = lf_cloud_upload_part(work->jobs->cloud, blob, file, number, &work->call,
                                                     &etags[number - 1], err);
        if (status == LF_OK)
            status = lf_journal_part_add(work->jobs->journal, work->job->id, number, etags[number - 1], err);
        if (status != LF_OK)
            return status;
    }
    return LF_OK;
}

/* *complete: it was completed before, and the answer was lost. Errors other than lack of memory appear again
 * when the parts are sent. */
static enum lf_status complete_already(struct job_work *work, const char *blob, bool *complete,
                                       struct lf_error *err)
{
    cJSON *object = NULL;
    enum lf_status status = lf_cloud_get(work->jobs->cloud, LF_CLOUD_BLOB, blob, &work->call, &object, err);
    *complete = status == LF_OK && !strcmp(lf_json_text_or(object, "uploadStatus", ""), "COMPLETE");
    cJSON_Delete(object);
    return status == LF_NO_MEMORY ? status : LF_OK;
}

/* The cloud no longer knows the upload or rejects it: start a new one next time. */
static void forget_parts(struct job_work *work)
{
    struct lf_error ignored = {0};
    lf_cloud_abort_parts(work->jobs->cloud, lf_job_text(work->job, LF_JOB_PARTS_BLOB), &work->call, &ignored);
    lf_job_clear(work->job, LF_JOB_PARTS_BLOB);
    lf_journal_part_clear(work->jobs->journal, work->job->id, &ignored);
}

static enum lf_status in_parts(struct job_work *work, struct lf_upload_file *file, struct lf_error *err)
{
    bool resumed = lf_job_text(work->job, LF_JOB_PARTS_BLOB) != NULL;
    enum lf_status status = begin_parts(work, file, err);
    if (status != LF_OK)
        return status;
    int count = lf_cloud_part_count(file);
    char **etags = calloc((size_t)count, sizeof *etags);
    if (!etags)
        return lf_fail_memory(err, "uploading in parts");
    status = lf_journal_part_list(work->jobs->journal, work->job->id, etags, count, err);
    bool complete = false;
    if (status == LF_OK && resumed)
        status = complete_already(work, lf_job_text(work->job, LF_JOB_PARTS_BLOB), &complete, err);
    if (status == LF_OK && !complete) {
        status = send_parts(work, file, etags, count, err);
        if (status == LF_OK)
            status = lf_cloud_complete_parts(work->jobs->cloud, lf_job_text(work->job, LF_JOB_PARTS_BLOB),
                                             (const char *const *)etags, count, &work->call, err);
    }
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_BLOB, lf_job_text(work->job, LF_JOB_PARTS_BLOB), err);
    else if (err->class == LF_PERMANENT)
        forget_parts(work);
    for (int i = 0; i < count; i++)
        free(etags[i]);
    free(etags);
    return status;
}

static enum lf_status in_one(struct job_work *work, const struct lf_upload_file *file, struct lf_error *err)
{
    char *blob = NULL;
    enum lf_status status = lf_cloud_upload_blob(work->jobs->cloud, file, &work->call, &blob, err);
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_BLOB, blob, err);
    free(blob);
    return status;
}

enum lf_status job__collect_again(struct job_work *work, const struct lf_error *why)
{
    struct lf_error err; /* a parcel that stays is replaced */
    job__spool_drop(work->jobs, work->job, &err);
    return job__go(work, "spool", "collected again: %.300s", why->text);
}

enum lf_status job__collect_upload(struct job_work *work, struct lf_error *err)
{
    if (lf_job_text(work->job, LF_JOB_BLOB))
        return LF_OK;
    struct lf_file spooled;
    enum lf_status status = job__spool_open(work, &spooled, err);
    if (status == LF_NOT_FOUND || status == LF_CORRUPT)
        return job__collect_again(work, err);
    if (status != LF_OK)
        return status;
    const struct lf_config_collect *rule = job__collect_rule(work);
    struct lf_upload_file file = {.file = &spooled,
                                  .size = work->parcel.size,
                                  .name = work->parcel.name,
                                  .mime = work->parcel.mime,
                                  .type = rule ? rule->type : "RAW_FILE"};
    status = lf_cloud_wants_parts(work->jobs->cloud, file.size) ? in_parts(work, &file, err)
                                                                : in_one(work, &file, err);
    if (status == LF_OK)
        job__note(work, "%s uploaded as blob %s", file.name, lf_job_text(work->job, LF_JOB_BLOB));
    lf_file_close(&spooled);
    return status;
}
