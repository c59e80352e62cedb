/* Who asks: OAuth client credentials, API key, and the rate limit of each. */
#ifndef LF_SIM_AUTH_H
#define LF_SIM_AUTH_H

#include "http.h"

enum { SIM_NOBODY, SIM_APP, SIM_KEY, SIM_IDENTITIES };

struct sim_budget {
    int64_t limit, remaining, reset; /* reset: seconds left in the window */
};

struct sim_auth *sim_auth_new(void);
void sim_auth_free(struct sim_auth *auth);

/* May this request go on? Sets request->identity and takes one from its budget; otherwise fills reply (401,
 * 429). */
bool sim_auth_check(struct sim_request *request, struct sim_reply *reply);
/* What the rate-limit headers say. Takes the lock. */
struct sim_budget sim_auth_budget(struct sim *sim, int identity);

/* POST /token */
struct sim_reply sim_auth_token(struct sim_request *request);
/* Forgets all tokens, as if they had been revoked; returns how many. */
size_t sim_auth_revoke(struct sim *sim);
size_t sim_auth_tokens(const struct sim *sim);

#endif
