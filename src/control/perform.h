/* Inside control: commands in the audit trail. */
#ifndef LF_CONTROL_PERFORM_H
#define LF_CONTROL_PERFORM_H

#include "control/control.h"

/* "accepted", "running", "succeeded", "failed": in answers and in the audit trail. */
const char *control__state_name(enum lf_verb_state state);

/* Adds who asked for what, the state it has reached, and why it failed (may be NULL) to the audit trail. verb
 * and args (an object) may be NULL. Part of the caller's transaction, if there is one. */
enum lf_status control__audit(struct lf_journal *journal, const char *who, const char *verb,
                              const cJSON *args, enum lf_verb_state state, const struct lf_error *why,
                              struct lf_error *err);

#endif
