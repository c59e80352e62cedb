/* Scenarios: a tenant's schemas, runs and tasks as a readable JSON file. */
#ifndef LF_SIM_SCENARIO_H
#define LF_SIM_SCENARIO_H

#include "sim.h"

/* Adds what the scenario names to the tenant. True when it could; otherwise problem says what and where, and
 * what came before the problem stays. Needs the lock. */
bool sim_scenario_load(struct sim *sim, const cJSON *scenario, char *problem, size_t problem_size);
/* The built-in scenario (tests/sim/scenarios/plate-prep.json). Returned owned. */
cJSON *sim_scenario_builtin(void);
/* Reads a file; ends the program when it cannot be used. Returned owned. */
cJSON *sim_scenario_read(const char *path);

#endif
