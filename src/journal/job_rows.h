/* Inside the journal: reading jobs. */
#ifndef LF_JOURNAL_JOB_ROWS_H
#define LF_JOURNAL_JOB_ROWS_H

#include "journal/db.h"

#define JOB_COLUMNS                                                                                          \
    "id, kind, route, instrument, key, event_id, state, step, bench, acting, attempt, created_ms, "          \
    "updated_ms, "                                                                                           \
    "due_mono, expires_ms, expires_mono, class, note, wake, facts, stop, turn, in_order, looked_mono"
enum { JOB_COLUMN_COUNT = 24 };

/* lf_job_state_final, for SQL. Moving: open, and it goes on without a person. */
#define MOVING_STATES "'ready', 'running', 'waiting'"
#define OPEN_STATES MOVING_STATES ", 'held'"
#define FINAL_STATES "'done', 'failed', 'cancelled', 'expired'"

/* Reads a row of JOB_COLUMNS; on failure the job is freed. */
enum lf_status journal__job_read(struct query *query, struct lf_job *job, struct lf_error *err);

#endif
