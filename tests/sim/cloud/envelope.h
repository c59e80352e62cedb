/* The three envelopes an event can travel in. */
#ifndef LF_SIM_ENVELOPE_H
#define LF_SIM_ENVELOPE_H

#include "event.h"

/* The event as --envelope says: eventbridge, bare or webhook. Returned owned. */
char *sim_envelope(const struct sim *sim, const struct sim_event *event);

#endif
