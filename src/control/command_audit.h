/* Inside control: commands in the audit trail. */
#ifndef LF_CONTROL_RECORD_H
#define LF_CONTROL_RECORD_H

#include "base/json.h"

struct lf_journal;

/* Adds who asked for what, and what came of it: "accepted", "begun", "succeeded", or "failed" with why (may
 * be NULL). verb and args (an object) may be NULL. Part of the caller's transaction, if there is one. */
enum lf_status control__audit_command(struct lf_journal *journal, const char *who, const char *verb,
                                      const cJSON *args, const char *outcome, const struct lf_error *why,
                                      struct lf_error *err);

#endif
