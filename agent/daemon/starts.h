/* Starts, stops, changes of the configuration and of the clock in the audit trail. */
#ifndef LF_AGENT_STARTS_H
#define LF_AGENT_STARTS_H

#include "base/error.h"

#include <stdint.h>

struct lf_config;
struct lf_journal;

/* Once, after the journal was opened. */
enum lf_status starts_note_start(struct lf_journal *journal, const struct lf_config *config,
                                 struct lf_error *err);
/* The wall clock was set by step_ms; 0: it was not set, but it is now known whether it is right. */
enum lf_status starts_note_clock(struct lf_journal *journal, int64_t step_ms, struct lf_error *err);
/* Before the journal is closed: a clean shutdown. */
void starts_note_stop(struct lf_journal *journal);

#endif
