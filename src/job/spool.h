/* Inside jobs: the spool, where parcels lie on their way. A file is made under a temporary name, synced,
 * renamed, and only then named in the journal. Files that the journal does not know are swept at the start.
 */
#ifndef LF_JOB_SPOOL_H
#define LF_JOB_SPOOL_H

#include "job/steps.h"
#include "os/dir.h"

struct spool_file {
    struct lf_file file;
    struct lf_dir dir;        /* the spool */
    char *final;              /* final path */
    char name[64], part[80];  /* final and temporary name in the spool */
    struct lf_parcel_row row; /* for the journal; the writer of the file fills in sha256 and size */
};

/* Creates the file of a parcel; its name and media type are borrowed. job 0: the job is not added yet, and
 * the file gets a unique name. Call job__spool_discard in any case. */
enum lf_status job__spool_create(struct lf_jobs *jobs, int64_t job, const char *name, const char *mime,
                                 struct spool_file *file, struct lf_error *err);
/* Syncs and renames. */
enum lf_status job__spool_keep(struct spool_file *file, struct lf_error *err);
/* Frees everything, and removes the file unless job__spool_keep has kept it. */
void job__spool_discard(struct spool_file *file);

/* Makes what `write` produces the parcel of the job, named by its field file_name; sets the field sha256 and
 * the note. `write` gets the open file and returns digest and size. */
enum lf_status job__spool_fill(struct job_work *work, const char *mime,
                               enum lf_status (*write)(struct job_work *work, struct lf_file *file,
                                                       char *sha256, int64_t *size, struct lf_error *err),
                               struct lf_error *err);
/* Sets the fields sha256 and size, and the note, from the job's parcel. */
enum lf_status job__spool_note(struct job_work *work, const struct lf_parcel_row *row, struct lf_error *err);
/* Makes these bytes the parcel of a job. */
enum lf_status job__spool_bytes(struct lf_jobs *jobs, int64_t job, const char *name, const char *mime,
                                const void *data, size_t len, struct lf_error *err);

/* Sets work->parcel from the journal, without looking at the file. LF_NOT_FOUND: the job has no parcel. */
enum lf_status job__spool_name(struct job_work *work, struct lf_error *err);
/* The same, and opens the file and checks its digest. LF_NOT_FOUND or LF_CORRUPT: fetch or collect it
 * again. */
enum lf_status job__spool_open(struct job_work *work, struct lf_file *file, struct lf_error *err);
/* Frees what these two have set. */
void job__spool_forget(struct job_work *work);
/* Removes the job's parcel, if it has one; its file goes once the surrounding transaction is committed. */
enum lf_status job__spool_drop(struct lf_jobs *jobs, struct lf_job *job, struct lf_error *err);
/* Removes files that no job needs. */
void job__spool_sweep(struct lf_jobs *jobs);

#endif
