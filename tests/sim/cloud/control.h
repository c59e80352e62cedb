/* The control API under /sim/: for tests, the demo and rehearsals. README.md describes it. */
#ifndef LF_SIM_CONTROL_H
#define LF_SIM_CONTROL_H

#include "http.h"

/* control.c: runs, files, workflow tasks, state */
struct sim_reply sim_control_state(struct sim_request *request);
struct sim_reply sim_control_requests(struct sim_request *request);
struct sim_reply sim_control_forget_requests(struct sim_request *request);
struct sim_reply sim_control_scenario(struct sim_request *request);
struct sim_reply sim_control_run(struct sim_request *request);
struct sim_reply sim_control_input(struct sim_request *request);
struct sim_reply sim_control_output(struct sim_request *request);
struct sim_reply sim_control_task(struct sim_request *request);
struct sim_reply sim_control_status(struct sim_request *request);
struct sim_reply sim_control_revoke(struct sim_request *request);
struct sim_reply sim_control_blob_bytes(struct sim_request *request);

/* control_event.c: events and the relay */
struct sim_reply sim_control_emit(struct sim_request *request);
struct sim_reply sim_control_load(struct sim_request *request);
struct sim_reply sim_control_replay(struct sim_request *request);
struct sim_reply sim_control_publish(struct sim_request *request);
struct sim_reply sim_control_relay(struct sim_request *request);

#endif
