/* The status message: retained, on .../status, and the last will. */
#ifndef LF_AGENT_STATUS_H
#define LF_AGENT_STATUS_H

#include "control/control.h"

#define STATUS_LOST "{\"state\":\"offline\",\"reason\":\"connection lost\"}"
#define STATUS_DUPLICATE "{\"state\":\"offline\",\"reason\":\"another agent has the same name or client id\"}"
#define STATUS_STOPPED "{\"state\":\"offline\",\"reason\":\"stopped\"}"

/* Queues "online" with version, configuration and counts, and the head of the audit trail if wanted. False:
 * it could not be queued (logged). */
bool status_queue(struct lf_context *context, bool with_head);
/* The head alone. */
bool status_queue_head(struct lf_context *context);
/* What needs attention, a line each: to see whether that has changed. Owned; NULL: nothing, or no memory. */
char *status_needs(struct lf_context *context);

#endif
