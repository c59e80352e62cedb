/* Inside the daemon: the agent, and what its parts call upwards. */
#ifndef LF_AGENT_DAEMON_AGENT_H
#define LF_AGENT_DAEMON_AGENT_H

#include "config/config.h"
#include "control/control.h"
#include "instrument/instrument.h"
#include "link/link.h"
#include "os/thread.h"
#include "os/wait.h"

struct agent {
    struct lf_transfer *transfer;
    struct lf_context context; /* cloud, intake, jobs, link and the rest live here */
    struct lf_server *server;
    struct lf_texts former; /* filters of earlier configurations */
    struct witness *witness;
    int64_t published;      /* audit entry of the last action whose head was published on .../audit */
    struct lf_wake changed; /* something in the status message has changed */
    int64_t clock_offset;   /* wall minus monotonic clock, when it was looked at last */
    bool clock_wrong;
    char *needs;                 /* that were published last */
    struct lf_mutex batch_mutex; /* held while a batch is accepted; guards closing */
    bool closing;
};

/* hooks.c. The context of all of them is the agent; any thread. */
void hooks_reported(void *agent);
void hooks_reread(void *agent);
enum lf_status hooks_take_command(void *agent, const struct lf_message *message, bool *taken,
                                  struct lf_error *err);
struct lf_link_hooks hooks_of_link(struct agent *agent);
struct lf_instrument_hooks hooks_of_instrument(struct agent *agent);

#endif
