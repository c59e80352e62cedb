/* Letting go of what is finished and past its keeping time. Open jobs and all that belongs to them stay. */
#include "journal/db.h"

#include "base/clock.h"

static enum lf_status drop(struct lf_journal *journal, const char *sql, int64_t before_ms, int64_t *dropped,
                           struct lf_error *err)
{
    enum lf_status status = query_do(journal, err, sql, "i", before_ms);
    if (status == LF_OK)
        *dropped += sqlite3_changes64(journal->db);
    return status;
}

enum lf_status lf_journal_prune(struct lf_journal *journal, int64_t keep_ms, int64_t *dropped, struct lf_error *err)
{
    int64_t before = lf_clock_wall_ms() - keep_ms;
    *dropped = 0;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    /* A finding keeps its job: as long as the file may still lie on the instrument it must not be taken for a new one. */
    status = drop(journal,
                  "DELETE FROM event WHERE received_ms < ?1 AND fate <> 'reread' AND NOT EXISTS (SELECT 1 FROM job WHERE "
                  "job.id = event.job AND job.state IN ('ready', 'running', 'waiting', 'held'))",
                  before, dropped, err);
    if (status == LF_OK)
        status = drop(journal,
                      "DELETE FROM job WHERE updated_ms < ?1 AND state IN ('done', 'failed', 'cancelled', 'expired') "
                      "AND NOT EXISTS (SELECT 1 FROM finding WHERE finding.job = job.id) "
                      "AND id NOT IN (SELECT job FROM event)", /* one pass, where EXISTS would be one for each job */
                      before, dropped, err);
    if (status == LF_OK)
        status = drop(journal, "DELETE FROM command WHERE finished_ms IS NOT NULL AND finished_ms < ?1", before, dropped,
                      err);
    if (status == LF_OK)
        return lf_journal_commit(journal, err);
    lf_journal_rollback(journal);
    return status;
}
