/* The credential: a bearer token by OAuth client credentials, or an API key. Held by one place, fetched by
 * one thread at a time, given to all. Source: POST /token of the OpenAPI document; Benchling's documentation
 * of authentication.
 */
#ifndef LF_CLOUD_CREDENTIAL_H
#define LF_CLOUD_CREDENTIAL_H

#include "base/buffer.h"
#include "base/clock.h"
#include "config/config.h"
#include "os/thread.h"
#include "os/wait.h"

struct lf_call;
struct lf_transfer;
struct lf_waiter;

struct lf_credential {
    const struct lf_config_cloud *config; /* borrowed */
    struct lf_transfer *transfer;         /* borrowed */
    char *token_url;                      /* owned */

    struct lf_mutex lock;           /* guards what follows */
    char *value;                    /* "Bearer ..." or "Basic ..."; NULL: none yet */
    int64_t refresh_at, expires_at; /* monotonic */
    bool fetching;
    struct lf_waiter *waiters; /* threads that wait for the one that fetches */
};

/* Authorization header value, owned by the caller (cloud__credential_forget frees and wipes it). Fetches a
 * token when there is none, or it is about to expire. */
enum lf_status cloud__credential_get(struct lf_credential *credential, const struct lf_call *call,
                                     char **value, struct lf_error *err);
/* The server did not accept `value` (401): fetch anew, unless someone has already. */
void cloud__credential_drop(struct lf_credential *credential, const char *value);
void cloud__credential_forget(char *value);
/* An answer may repeat what it was sent, and parts of it end in logs: the secret in `value` becomes
 * asterisks. */
void cloud__credential_hide(const char *value, struct lf_buffer *text);

void cloud__credential_close(struct lf_credential *credential);

/* ms the credential is still good for; -1: there is none; LF_NEVER for API keys. */
int64_t cloud__credential_left(struct lf_credential *credential);

#endif
