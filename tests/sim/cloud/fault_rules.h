/* The control API's handlers for fault rules. */
#ifndef LF_SIM_FAULT_RULES_H
#define LF_SIM_FAULT_RULES_H

#include "http.h"

struct sim_reply sim_faults_create(struct sim_request *request);
struct sim_reply sim_faults_list(struct sim_request *request);
struct sim_reply sim_faults_clear(struct sim_request *request);

#endif
