/* The relay: publishes events to an MQTT broker as a cloud relay would. MQTT 5, QoS 1, in order; what the
 * broker has not acknowledged is kept and sent again after a reconnect. */
#ifndef LF_SIM_RELAY_H
#define LF_SIM_RELAY_H

#include "event.h"

/* Connects in the background and goes on trying. Does nothing without --broker. Ends the program on bad
 * options. */
void sim_relay_start(struct sim *sim);
void sim_relay_stop(struct sim *sim);

/* Queues an event in the chosen envelope. Does nothing without a relay. Needs the lock. */
void sim_relay_push(struct sim *sim, const struct sim_event *event);
/* Queues any bytes for any topic (NULL: the site's topic for events of type "raw"). Needs the lock. */
bool sim_relay_push_raw(struct sim *sim, const char *topic, const void *payload, size_t len);
/* Holds everything back, or lets it go. Needs the lock. */
void sim_relay_pause(struct sim *sim, bool paused);
/* {connected, paused, queued, inFlight, published, connects}; null without a relay. Returned owned. Needs
 * the lock. */
cJSON *sim_relay_state(const struct sim *sim);

#endif
