/* Other agents of this site that take the same tasks: each publishes its task routes, retained, on
 * .../routes. */
#ifndef LF_AGENT_NEIGHBOURS_H
#define LF_AGENT_NEIGHBOURS_H

#include "control/control.h"

/* Queues this agent's own list. */
void neighbours_queue(struct lf_context *context);
/* Another agent's list has come (empty: it has none any more): notes as a concern what both take, and that it
 * is over. */
void neighbours_seen(struct lf_context *context, const char *name, struct lf_slice list);

#endif
