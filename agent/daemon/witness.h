/* Is the state folder up to date? Witnesses outside are asked before the first action after a start.
 *
 * A state folder that was restored does not know what was done since, and would do it again. The broker keeps
 * the head of the audit trail (retained, on .../audit), which was published after it was on disk: if it is
 * not an entry of our trail, something was done that we do not know of. If the broker has no head,
 * instruments whose share remembers deliveries are asked: a delivery of a job that does not exist here proves
 * the same. Any thread may call.
 */
#ifndef LF_AGENT_WITNESS_H
#define LF_AGENT_WITNESS_H

#include "control/control.h"
#include "instrument/instrument.h"
#include "link/link.h"

struct witness;

/* After the journal was opened, before instruments are: some may be paused here. Borrows context. */
enum lf_status witness_open(struct lf_context *context, struct witness **witness, struct lf_error *err);
void witness_close(struct witness *witness);

/* May the instrument act? On its bench thread, while it is connected. If not yet: *next_mono is when to ask
 * again. */
bool witness_allows(struct witness *witness, struct lf_instrument *instrument, int64_t *next_mono);
/* A session is up, in which the answer will come. */
void witness_online(struct witness *witness);
/* What the link heard about the retained head. True: it is not of our trail, and no person has compared. */
bool witness_hear(struct witness *witness, enum lf_link_heard heard, struct lf_slice payload);
/* May our own head be published? Not before the retained one was read, which it replaces, and not while
 * instruments are paused because of that one. */
bool witness_lets_publish(struct witness *witness);

#endif
