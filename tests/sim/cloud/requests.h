/* What was asked: counts of every operation, and the last requests. */
#ifndef LF_SIM_REQUESTS_H
#define LF_SIM_REQUESTS_H

#include "http.h"

struct sim_requests *sim_requests_new(void);
void sim_requests_free(struct sim_requests *requests);
/* Remembers a request of the API (not of the control API); status 0: the connection was reset. Takes the
 * lock. */
void sim_requests_note(struct sim_request *request, unsigned status);
/* {"total", "byOperation": {operation: {"200": n, ...}}}. Returned owned. */
cJSON *sim_requests_counts(const struct sim *sim);
/* The remembered requests from number `since` on. Returned owned. */
cJSON *sim_requests_list(const struct sim *sim, int64_t since);
void sim_requests_clear(struct sim *sim);

#endif
