/* Starts, stops and changes of the configuration in the audit trail. */
#ifndef LF_AGENT_RECORD_H
#define LF_AGENT_RECORD_H

#include "base/error.h"

struct lf_config;
struct lf_journal;

/* Once, after the journal was opened. */
enum lf_status record_start(struct lf_journal *journal, const struct lf_config *config, struct lf_error *err);
/* Before it is closed: an end in good order. */
void record_stop(struct lf_journal *journal);

#endif
