/* Inside jobs: the spool, where parcels lie on their way. A file is made under a temporary name, synced,
 * renamed, and only then named in the journal. Files that the journal does not know are swept at the start.
 */
#ifndef LF_JOB_SPOOL_H
#define LF_JOB_SPOOL_H

#include "job/steps.h"
#include "os/dir.h"

struct spool_file {
    struct lf_file file;
    struct lf_dir dir;       /* the spool */
    char *final;             /* final path */
    char name[64], part[80]; /* final and temporary name in the spool */
};

/* job 0: for one that is yet to be added; a name of its own. */
enum lf_status job__spool_create(struct lf_jobs *jobs, int64_t job, struct spool_file *file,
                                 struct lf_error *err);
/* Syncs and renames. On failure call job__spool_discard. */
enum lf_status job__spool_keep(struct spool_file *file, struct lf_error *err);
void job__spool_discard(
    struct spool_file *file); /* also after job__spool_keep, to free; removes only what was not kept */

/* Makes what `write` produces the parcel of the job at work, under its field file_name; sets its field sha256
 * and its note. `write` gets the open file and gives digest and size. */
enum lf_status job__spool_fill(struct job_work *work, const char *mime,
                               enum lf_status (*write)(struct job_work *work, struct lf_file *file,
                                                       char *sha256, int64_t *size, struct lf_error *err),
                               struct lf_error *err);
/* Makes these bytes the parcel of a job. */
enum lf_status job__spool_bytes(struct lf_jobs *jobs, int64_t job, const char *name, const char *mime,
                                const void *data, size_t len, struct lf_error *err);

/* The job's parcel and its path, unseen. LF_NOT_FOUND: it has none. */
enum lf_status job__spool_name(struct lf_jobs *jobs, int64_t job, struct lf_parcel_row *row, char **path,
                               struct lf_error *err);
/* The same with the file open and checked against its digest. LF_NOT_FOUND or LF_CORRUPT: fetch or collect it
 * again. */
enum lf_status job__spool_open(struct lf_jobs *jobs, int64_t job, struct lf_parcel_row *row, char **path,
                               struct lf_file *file, struct lf_error *err);
/* Removes the job's file, if it has one, once the transaction that this is part of is committed. */
enum lf_status job__spool_drop(struct lf_jobs *jobs, int64_t job, struct lf_error *err);
/* Removes files that no job needs. */
void job__spool_sweep(struct lf_jobs *jobs);

#endif
