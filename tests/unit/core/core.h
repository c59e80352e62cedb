// A configuration and a journal for tests of the parts between link and instruments. The configuration is
// text as a user would write it, loaded by the real loader; the only driver it knows is fake_driver.
#ifndef CORE_H
#define CORE_H

#include "config/config.h"
#include "journal/journal.h"
#include "unit.h"

// The groups that every configuration needs: agent (state in the test's folder) and cloud, without a link.
// `more` (instruments, routes, in libconfig's syntax) follows. Ends the test if it is refused. Free with
// lf_config_free.
struct lf_config *core_config(const char *more);

// The journal in the test's folder; the same one when it is opened again.
struct lf_journal *core_journal(void);
// As if the process had been killed: the journal is closed and opened again.
struct lf_journal *core_reopen(struct lf_journal *journal);

// Changes the journal past the agent, which may have it open.
void core_sql(const char *sql);
// Moves the journal's file away, or back.
void core_move_journal(bool away);

// Bytes in the spool of the configuration's state folder.
int64_t core_spool_bytes(void);

// Copies of a job and an event row; end the test if they are not there. Free with lf_job_free,
// lf_event_row_free.
struct lf_job core_job(struct lf_journal *journal, int64_t id);
struct lf_event_row core_event(struct lf_journal *journal, const char *id);

int64_t core_count(cJSON *counts, const char *name); // takes counts

// Is this text in the job's history?
bool core_history_has(struct lf_journal *journal, int64_t job, const char *text);

#endif
