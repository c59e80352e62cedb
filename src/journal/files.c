/* Parcels in the spool, parts of uploads, and findings. */
#include "journal/job_rows.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lf_parcel_row_free(struct lf_parcel_row *row)
{
    free(row->name);
    free(row->file);
    free(row->mime);
    memset(row, 0, sizeof *row);
}

enum lf_status lf_journal_parcel_add(struct lf_journal *journal, struct lf_parcel_row *row,
                                     struct lf_error *err)
{
    char text[400];
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    /* A step repeated after a crash adds its parcel again. */
    status = journal__query_do(
        journal, err,
        "INSERT INTO parcel (job, name, file, mime, sha256, size) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT (job) DO UPDATE SET name = excluded.name, file = excluded.file, mime = excluded.mime, "
        "sha256 = excluded.sha256, size = excluded.size",
        "itttti", row->job, row->name, row->file, row->mime, row->sha256, row->size);
    snprintf(text, sizeof text, "%.250s, %lld bytes, sha256 %s", row->name, (long long)row->size,
             row->sha256);
    if (status == LF_OK)
        status = journal__audit_job(journal, row->job, "agent", "file", text, err);
    return lf_journal_end(journal, status, err);
}

enum lf_status lf_journal_parcel_get(struct lf_journal *journal, int64_t job, struct lf_parcel_row *row,
                                     struct lf_error *err)
{
    struct query query = journal__query(
        journal, "SELECT id, name, file, mime, sha256, size FROM parcel WHERE job = ?1", "i", job);
    *row = (struct lf_parcel_row){.job = job};
    bool found = journal__query_row(&query);
    if (found) {
        row->id = journal__column_int(&query, 0);
        row->name = journal__column_text(&query, 1);
        row->file = journal__column_text(&query, 2);
        row->mime = journal__column_text(&query, 3);
        const char *sha256 = journal__column_peek(&query, 4);
        snprintf(row->sha256, sizeof row->sha256, "%s", sha256 ? sha256 : "");
        row->size = journal__column_int(&query, 5);
    }
    enum lf_status status = journal__query_end(&query, err);
    if (status == LF_OK && !found)
        status = lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "job %lld has no file in the spool",
                         (long long)job);
    if (status != LF_OK)
        lf_parcel_row_free(row);
    return status;
}

enum lf_status lf_journal_parcel_drop(struct lf_journal *journal, int64_t job, struct lf_error *err)
{
    return journal__query_do(journal, err, "DELETE FROM parcel WHERE job = ?1", "i", job);
}

bool lf_journal_parcel_knows(struct lf_journal *journal, const char *file)
{
    struct lf_error err;
    int64_t known = 0;
    enum lf_status status = journal__query_int(journal, &known, &err,
                                               "SELECT 1 FROM parcel JOIN job ON job.id = parcel.job WHERE "
                                               "file = ?1 AND state NOT IN ('done', 'cancelled')",
                                               "t", file);
    return known || status != LF_OK; /* when in doubt the file is kept */
}

enum lf_status lf_journal_part_add(struct lf_journal *journal, int64_t job, int number, const char *etag,
                                   struct lf_error *err)
{
    return journal__query_do(journal, err,
                             "INSERT OR REPLACE INTO part (job, number, etag) VALUES (?1, ?2, ?3)", "iit",
                             job, (int64_t)number, etag);
}

enum lf_status lf_journal_part_list(struct lf_journal *journal, int64_t job, char **etags, int count,
                                    struct lf_error *err)
{
    struct query query =
        journal__query(journal, "SELECT number, etag FROM part WHERE job = ?1 AND number BETWEEN 1 AND ?2",
                       "ii", job, (int64_t)count);
    while (journal__query_row(&query))
        etags[journal__column_int(&query, 0) - 1] = journal__column_text(&query, 1);
    return journal__query_end(&query, err);
}

enum lf_status lf_journal_part_clear(struct lf_journal *journal, int64_t job, struct lf_error *err)
{
    return journal__query_do(journal, err, "DELETE FROM part WHERE job = ?1", "i", job);
}

int64_t lf_journal_finding_job(struct lf_journal *journal, const char *instrument, const char *id,
                               const char *version)
{
    struct lf_error err; /* adding it fails in the same way */
    int64_t job = 0;
    journal__query_int(journal, &job, &err,
                       "SELECT job FROM finding WHERE instrument = ?1 AND id = ?2 AND version = ?3", "ttt",
                       instrument, id, version);
    return job;
}

enum lf_status lf_journal_finding_add(struct lf_journal *journal, const char *instrument, const char *id,
                                      const char *version, int64_t job, struct lf_error *err)
{
    return journal__query_do(
        journal, err,
        "INSERT INTO finding (instrument, id, version, job, seen_ms) VALUES (?1, ?2, ?3, ?4, ?5)", "tttii",
        instrument, id, version, job, lf_clock_best_ms());
}

enum lf_status lf_journal_finding_digest(struct lf_journal *journal, int64_t job, const char *sha256,
                                         struct lf_error *err)
{
    return journal__query_do(journal, err, "UPDATE finding SET sha256 = ?2 WHERE job = ?1", "it", job,
                             sha256);
}

enum lf_status lf_journal_finding_same(struct lf_journal *journal, int64_t job, const char *run,
                                       const char *config, int64_t *other, bool *attached,
                                       struct lf_error *err)
{
    /* Attached, and not replaced by another file since (the job of an `.uploaded` event has the same one). Of
     * those in progress only earlier ones count, or two would wait for each other. One held before its run is
     * known may stay held for long: nothing waits for it.
     */
    struct query query = journal__query(
        journal,
        "WITH it AS NOT MATERIALIZED (SELECT id, state,"
        " json_extract(facts, '$." LF_NAME_PROCESSOR "') AS processor,"
        " json_extract(facts, '$." LF_NAME_BLOB "') AS blob,"
        " json_extract(facts, '$." LF_NAME_SAME_AS "') AS same_as,"
        " json_extract(facts, '$." LF_NAME_RUN "') AS run,"
        " json_extract(facts, '$." LF_NAME_CONFIG "') AS config FROM job)"
        " SELECT it.id, processor IS NOT NULL AND NOT EXISTS (SELECT 1 FROM it AS later WHERE later.id > it.id"
        " AND later.processor = it.processor AND later.blob IS NOT it.blob) AS attached"
        " FROM finding AS mine JOIN finding AS there INDEXED BY finding_by_content"
        " ON there.instrument = mine.instrument AND there.sha256 = mine.sha256 AND there.sha256 IS NOT NULL"
        " JOIN it ON it.id = there.job WHERE mine.job = ?1 AND it.id <> ?1 AND same_as IS NULL AND CASE"
        " WHEN run = ?2 AND config = ?3 THEN attached OR (it.id < ?1 AND state IN (" OPEN_STATES "))"
        " WHEN run IS NULL THEN it.id < ?1 AND state IN (" MOVING_STATES ") ELSE 0 END"
        " ORDER BY attached DESC, it.id LIMIT 1",
        "itt", job, run, config);
    bool found = journal__query_row(&query);
    if (found) {
        *other = journal__column_int(&query, 0);
        *attached = journal__column_int(&query, 1) != 0;
    }
    enum lf_status status = journal__query_end(&query, err);
    return status == LF_OK && !found
               ? lf_fail(err, LF_NOT_FOUND, LF_CLASS_NONE, "no other job has this content")
               : status;
}

enum lf_status lf_journal_finding_earlier(struct lf_journal *journal, int64_t job, const char *run,
                                          const char *config, int64_t *earlier, bool *in_place,
                                          struct lf_error *err)
{
    struct query query = journal__query(
        journal,
        "SELECT it.id, there.gone FROM finding AS mine JOIN finding AS there ON there.instrument = "
        "mine.instrument AND there.id = mine.id AND there.job < mine.job JOIN job AS it ON it.id = there.job"
        " WHERE mine.job = ?1 AND it.state <> 'cancelled' AND json_extract(facts, '$." LF_NAME_RUN "') = ?2"
        " AND json_extract(facts, '$." LF_NAME_CONFIG "') = ?3"
        " AND json_extract(facts, '$." LF_NAME_PROCESSOR "') IS NOT NULL ORDER BY it.id DESC LIMIT 1",
        "itt", job, run, config);
    bool found = journal__query_row(&query);
    if (found) {
        *earlier = journal__column_int(&query, 0);
        *in_place = journal__column_int(&query, 1) == 0;
    }
    enum lf_status status = journal__query_end(&query, err);
    return status == LF_OK && !found
               ? lf_fail(err, LF_NOT_FOUND, LF_CLASS_NONE, "no earlier version was attached")
               : status;
}

enum lf_status lf_journal_finding_gone(struct lf_journal *journal, const char *instrument, const char *id,
                                       const char *version, bool gone, struct lf_error *err)
{
    return journal__query_do(
        journal, err,
        "UPDATE finding SET gone = ?4 WHERE instrument = ?1 AND id = ?2 AND version = ?3 AND gone <> ?4",
        "ttti", instrument, id, version, (int64_t)gone);
}
