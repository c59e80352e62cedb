/* Removes what is finished and past its keeping time. Open jobs and everything that belongs to them stay.
 *
 * A row stamped while our clock was behind looks older than it is. An event would be removed too early then
 * and, if it came again, count as new; so the younger of its two times counts, one of which is the cloud's
 * (unless that is in our future). */
#include "journal/job_rows.h"

enum { ROWS_AT_ONCE = 500 }; /* between two transactions other threads get the journal */

/* ?1 is the time before which things are old, ?2 now, ?3 how many at most. As long as a file may lie on the
 * instrument it must not count as new, so its finding stays, with its job. They are removed together: a
 * result that came back to a job without its finding would be neither known nor new. */
static const char *const drops[] = {
    "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE "
    "max(received_ms, iif(created_ms <= ?2, created_ms, 0)) < ?1 "
    "AND fate <> 'reread' AND NOT EXISTS (SELECT 1 FROM event_job JOIN job ON job.id = event_job.job "
    "WHERE event_job.event = event.seq AND job.state IN (" OPEN_STATES ")) LIMIT ?3)",
    "DELETE FROM finding WHERE (instrument, id, version) IN (SELECT instrument, id, version FROM finding "
    "WHERE gone AND seen_ms < ?1 AND NOT EXISTS (SELECT 1 FROM job WHERE job.id = "
    "finding.job AND (job.updated_ms >= ?1 OR job.state IN (" OPEN_STATES "))) "
    "AND job NOT IN (SELECT job FROM event_job) LIMIT ?3)",
    "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE updated_ms < ?1 AND state IN (" FINAL_STATES ") "
    "AND NOT EXISTS (SELECT 1 FROM finding WHERE finding.job = job.id) "
    "AND id NOT IN (SELECT job FROM event_job) LIMIT ?3)", /* one pass, where EXISTS would be one for each */
    ("DELETE FROM command WHERE seq IN (SELECT seq FROM command WHERE finished_ms IS NOT NULL "
     "AND finished_ms < ?1 LIMIT ?3)"),
};

static enum lf_status drop_some(struct lf_journal *journal, const char *sql, int64_t before, int64_t now,
                                int64_t *count, struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = journal__query_do(journal, err, sql, "iii", before, now, (int64_t)ROWS_AT_ONCE);
    *count = status == LF_OK ? sqlite3_changes64(journal->db) : 0;
    return lf_journal_end(journal, status, err);
}

enum lf_status lf_journal_prune(struct lf_journal *journal, int64_t keep_ms, int64_t *dropped,
                                struct lf_error *err)
{
    int64_t now = journal__age_now(journal);
    enum lf_status status = LF_OK;
    *dropped = 0;
    for (size_t i = 0; now && status == LF_OK && i < sizeof drops / sizeof *drops; i++)
        for (int64_t count = ROWS_AT_ONCE; status == LF_OK && count == ROWS_AT_ONCE; *dropped += count)
            status = drop_some(journal, drops[i], now - keep_ms, now, &count, err);
    if (status == LF_OK && (status = lf_journal_begin(journal, err)) == LF_OK)
        status = lf_journal_end(journal, journal__bounds_load(journal, err), err);
    return status;
}
