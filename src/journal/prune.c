/* Removes what is finished and past its keeping time. Open jobs and everything that belongs to them stay.
 *
 * A row stamped while our clock was behind looks older than it is. An event would be removed too early then
 * and, if it came again, count as new; so the younger of its two times counts, one of which is the cloud's
 * (unless that is in our future). */
#include "journal/job_rows.h"

#include "base/clock.h"

/* ?1 is the time before which things are old, ?2 now. As long as a file may lie on the instrument it must not
 * count as new, so its finding stays, with its job. They are removed together: a result that came back to a
 * job without its finding would be neither known nor new. */
static const struct {
    const char *types, *sql;
} drops[] = {
    {"ii", "DELETE FROM event WHERE max(received_ms, iif(created_ms <= ?2, created_ms, 0)) < ?1 "
           "AND fate <> 'reread' AND NOT EXISTS (SELECT 1 FROM event_job JOIN job ON job.id = event_job.job "
           "WHERE event_job.event = event.seq AND job.state IN (" OPEN_STATES "))"},
    {"i", "DELETE FROM finding WHERE gone AND seen_ms < ?1 AND NOT EXISTS (SELECT 1 FROM job WHERE job.id = "
          "finding.job AND (job.updated_ms >= ?1 OR job.state IN (" OPEN_STATES "))) "
          "AND job NOT IN (SELECT job FROM event_job)"},
    {"i", "DELETE FROM job WHERE updated_ms < ?1 AND state IN (" FINAL_STATES ") "
          "AND NOT EXISTS (SELECT 1 FROM finding WHERE finding.job = job.id) "
          "AND id NOT IN (SELECT job FROM event_job)"}, /* one pass, where EXISTS would be one for each job */
    {"i", "DELETE FROM command WHERE finished_ms IS NOT NULL AND finished_ms < ?1"},
};

enum lf_status lf_journal_prune(struct lf_journal *journal, int64_t keep_ms, int64_t *dropped,
                                struct lf_error *err)
{
    int64_t now = lf_clock_best_ms();
    *dropped = 0;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    for (size_t i = 0; status == LF_OK && i < sizeof drops / sizeof *drops; i++) {
        status = journal__query_do(journal, err, drops[i].sql, drops[i].types, now - keep_ms, now);
        if (status == LF_OK)
            *dropped += sqlite3_changes64(journal->db);
    }
    if (status == LF_OK)
        status = journal__bounds_load(journal, err);
    return lf_journal_end(journal, status, err);
}
