/* The agent: every part opened in order, wired together, and closed in the opposite order. */
#ifndef LF_AGENT_DAEMON_WIRING_H
#define LF_AGENT_DAEMON_WIRING_H

#include "base/error.h"
#include "os/wait.h"

struct lf_config;
struct agent;

/* Opens and starts everything. Borrows config until agent_close. Returns owned. */
enum lf_status agent_open(const struct lf_config *config, struct agent **agent, struct lf_error *err);
/* Works until `stop` is set; the calling thread does the housekeeping. */
void agent_run(struct agent *agent, const struct lf_cancel *stop);
/* Shuts down cleanly: actions on instruments are cancelled or finished, jobs stay where they are, the broker
 * is notified. False: the journal is closed and all is said, but a thread is stuck in the system, and the
 * process must end at once (lf_service_over). */
bool agent_close(struct agent *agent);

#endif
