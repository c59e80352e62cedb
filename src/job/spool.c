#include "job/spool.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "os/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIDY_AFTER_S = 24 * 60 * 60 };

/* Errors of the spool folder are transient for every job; they must not look like a missing file. */
static enum lf_status spool_trouble(struct lf_error *err, const char *doing, const char *path)
{
    struct lf_error why = *err;
    return lf_fail(err, why.status == LF_FULL || why.status == LF_NO_MEMORY ? why.status : LF_IO,
                   LF_TRANSIENT, "cannot %s %.200s: %s", doing, path, why.text);
}

static enum lf_status open_spool(const char *path, struct lf_dir *dir, struct lf_error *err)
{
    enum lf_status status = lf_dir_open(path, dir, err);
    if (status == LF_NOT_FOUND && lf_dir_make(path, LF_PRIVATE, err) == LF_OK) /* someone removed it */
        status = lf_dir_open(path, dir, err);
    return status;
}

enum lf_status job__spool_create(struct lf_jobs *jobs, int64_t job, const char *name, const char *mime,
                                 struct spool_file *file, struct lf_error *err)
{
    const char *dir = jobs->config->agent.spool_dir;
    *file = (struct spool_file){
        .row = {.job = job, .name = (char *)name, .mime = (char *)mime, .file = file->name}};
    if (job)
        snprintf(file->name, sizeof file->name, "job-%lld", (long long)job);
    else
        snprintf(file->name, sizeof file->name, "job-new-%016llx",
                 (unsigned long long)lf_random_below(UINT64_MAX));
    snprintf(file->part, sizeof file->part, "%s.part", file->name);
    file->final = lf_path_join(dir, file->name);
    if (!file->final)
        return lf_fail_memory(err, "making a file in the spool");
    enum lf_status status = open_spool(dir, &file->dir, err);
    if (status == LF_OK)
        status = lf_dir_open_file(&file->dir, file->part, LF_FILE_REPLACE, LF_PRIVATE, &file->file, err);
    return status == LF_OK ? LF_OK : spool_trouble(err, "create", file->final);
}

enum lf_status job__spool_keep(struct spool_file *file, struct lf_error *err)
{
    if (lf_file_sync(&file->file, err) != LF_OK)
        return spool_trouble(err, "sync", file->final);
    if (lf_dir_rename_replace(&file->dir, file->part, &file->dir, file->name, err) != LF_OK)
        return spool_trouble(err, "rename", file->final);
    return lf_dir_sync(&file->dir, err) == LF_OK ? LF_OK : spool_trouble(err, "sync", file->final);
}

void job__spool_discard(struct spool_file *file)
{
    struct lf_error ignored;
    lf_file_close(&file->file);
    if (lf_dir_is_open(&file->dir))
        lf_dir_remove(&file->dir, file->part, &ignored); /* renamed already if it was kept */
    lf_dir_close(&file->dir);
    free(file->final);
}

static enum lf_status make_parcel(struct lf_jobs *jobs, struct spool_file *file, struct lf_error *err)
{
    enum lf_status status = job__spool_keep(file, err);
    return status == LF_OK ? lf_journal_parcel_add(jobs->journal, &file->row, err) : status;
}

enum lf_status job__spool_note(struct job_work *work, const struct lf_parcel_row *row, struct lf_error *err)
{
    job__note(work, "%s, %lld bytes, sha256 %s", row->name, (long long)row->size, row->sha256);
    enum lf_status status = lf_job_set_int(work->job, LF_JOB_SIZE, row->size, err);
    return status == LF_OK ? lf_job_set_text(work->job, LF_JOB_SHA256, row->sha256, err) : status;
}

enum lf_status job__spool_fill(struct job_work *work, const char *mime,
                               enum lf_status (*write)(struct job_work *work, struct lf_file *file,
                                                       char *sha256, int64_t *size, struct lf_error *err),
                               struct lf_error *err)
{
    struct spool_file file = {0};
    const char *name = lf_job_text(work->job, LF_JOB_FILE_NAME);
    enum lf_status status = lf_journal_room(work->jobs->journal, LF_ROOM_FILE, err);
    if (status == LF_OK)
        status = job__spool_create(work->jobs, work->job->id, name, mime, &file, err);
    if (status == LF_OK)
        status = write(work, &file.file, file.row.sha256, &file.row.size, err);
    if (status == LF_OK)
        status = make_parcel(work->jobs, &file, err);
    job__spool_discard(&file);
    return status == LF_OK ? job__spool_note(work, &file.row, err) : status;
}

enum lf_status job__spool_bytes(struct lf_jobs *jobs, int64_t job, const char *name, const char *mime,
                                const void *data, size_t len, struct lf_error *err)
{
    struct spool_file file;
    enum lf_status status = job__spool_create(jobs, job, name, mime, &file, err);
    file.row.size = (int64_t)len;
    if (status == LF_OK)
        status = lf_file_append(&file.file, data, len, err);
    if (status == LF_OK && lf_digest_bytes(LF_SHA256, data, len, file.row.sha256) != LF_OK)
        status = lf_fail_memory(err, "spooling a file");
    if (status == LF_OK)
        status = make_parcel(jobs, &file, err);
    job__spool_discard(&file);
    return status;
}

enum lf_status job__spool_name(struct job_work *work, struct lf_error *err)
{
    struct lf_parcel_row *row = &work->parcel_row;
    job__spool_forget(work);
    enum lf_status status = lf_journal_parcel_get(work->jobs->journal, work->job->id, row, err);
    if (status != LF_OK)
        return status;
    work->parcel_path = lf_format("%s/%s", work->jobs->config->agent.spool_dir, row->file);
    work->parcel = (struct lf_parcel){row->name, work->parcel_path, row->size, row->sha256, row->mime};
    return work->parcel_path ? LF_OK : lf_fail_memory(err, "opening a file in the spool");
}

void job__spool_forget(struct job_work *work)
{
    lf_parcel_row_free(&work->parcel_row);
    free(work->parcel_path);
    work->parcel_path = NULL;
}

enum lf_status job__spool_open(struct job_work *work, struct lf_file *file, struct lf_error *err)
{
    char sha256[LF_SHA256_HEX];
    int64_t size = 0;
    *file = (struct lf_file){0};
    enum lf_status status = job__spool_name(work, err);
    const char *path = work->parcel_path;
    if (status == LF_OK && (status = lf_file_open(path, LF_FILE_REGULAR, 0, file, err)) != LF_OK)
        lf_error_prefix(err, "the spool has lost %s", path);
    if (status == LF_OK)
        status = lf_file_copy(file, NULL, INT64_MAX, NULL, sha256, &size, err);
    if (status == LF_OK && (size != work->parcel.size || strcmp(sha256, work->parcel.sha256) != 0))
        status = lf_fail(err, LF_CORRUPT, LF_TRANSIENT, "the spool file %s is damaged: its digest differs",
                         path);
    if (status != LF_OK)
        lf_file_close(file);
    return status;
}

static void remove_file(void *context, int64_t number, const char *path)
{
    struct lf_error ignored;
    (void)context, (void)number;
    LF_FAILPOINT("effect.remove");
    lf_file_remove(path, &ignored); /* if this fails, the next start sweeps it */
}

enum lf_status job__spool_drop(struct lf_jobs *jobs, struct lf_job *job, struct lf_error *err)
{
    struct job_work work = {.jobs = jobs, .job = job};
    struct lf_journal *journal = jobs->journal;
    enum lf_status status = job__spool_name(&work, err);
    if (status == LF_OK && (status = lf_journal_begin(journal, err)) == LF_OK) {
        lf_journal_after_commit(journal, remove_file, NULL, 0, work.parcel_path);
        status = lf_journal_end(journal, lf_journal_parcel_drop(journal, job->id, err), err);
    }
    job__spool_forget(&work);
    return status == LF_NOT_FOUND ? LF_OK : status;
}

/* The journal is an older copy that may not know the result in this file, and will reuse its job's number. */
static void put_aside(const struct lf_dir *dir, const char *name, const char *path)
{
    char kept[300];
    struct lf_error ignored;
    snprintf(kept, sizeof kept, "kept-%016llx-%.200s", (unsigned long long)lf_random_below(UINT64_MAX), name);
    if (lf_dir_rename_replace(dir, name, dir, kept, &ignored) == LF_OK)
        lf_log_warning("jobs",
                       "%s/%s belongs to a job that the journal, an older copy, does not know. It is kept as "
                       "%s; remove it when it is no longer needed",
                       path, name, kept);
}

/* Removes job files that are not `needed` and were last written before before_s. */
static void sweep_folder(struct lf_jobs *jobs, const char *path,
                         bool (*needed)(struct lf_journal *journal, const char *name), int64_t before_s)
{
    struct lf_dir dir;
    struct lf_dir_list *list = NULL;
    struct lf_file_info info;
    struct lf_error err;
    const char *name;
    if (lf_dir_open(path, &dir, &err) != LF_OK)
        return;
    if (lf_dir_list(&dir, &list, &err) == LF_OK)
        while ((name = lf_dir_next(list, &info, &err))) {
            if (strncmp(name, "job-", 4) != 0 || info.written_ns / 1000000000 > before_s
                || needed(jobs->journal, name))
                continue;
            if ((lf_journal_missing(jobs->journal) || lf_journal_doubt(jobs->journal) == LF_DOUBT_COPY)
                && needed == lf_journal_parcel_knows)
                put_aside(&dir, name, path);
            else if (lf_dir_remove(&dir, name, &err) == LF_OK)
                lf_log_debug("jobs", "swept %s from %s", name, path);
        }
    lf_dir_list_close(list);
    lf_dir_close(&dir);
}

/* "job-12-errors.csv" */
static bool job_is_known(struct lf_journal *journal, const char *name)
{
    struct lf_job job;
    enum lf_status status = lf_journal_job_get(journal, atoll(name + 4), &job, &(struct lf_error){0});
    if (status == LF_OK)
        lf_job_free(&job);
    return status != LF_NOT_FOUND;
}

void job__spool_sweep(struct lf_jobs *jobs)
{
    sweep_folder(jobs, jobs->config->agent.spool_dir, lf_journal_parcel_knows, INT64_MAX);
}

void lf_jobs_tidy(struct lf_jobs *jobs)
{
    int64_t before = lf_clock_wall_ms() / 1000 - TIDY_AFTER_S; /* files being written are newer */
    char *errors = lf_format("%s/errors", jobs->config->agent.state_dir);
    sweep_folder(jobs, jobs->config->agent.spool_dir, lf_journal_parcel_knows, before);
    if (errors)
        sweep_folder(jobs, errors, job_is_known, before);
    free(errors);
}
