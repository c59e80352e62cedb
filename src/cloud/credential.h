/* The credential: a bearer token (OAuth client credentials) or an API key. One thread at a time fetches it
 * for all. Source: POST /token of the OpenAPI document; Benchling's documentation of authentication.
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

/* A thread that waits for the fetch of another. */
struct lf_waiter {
    struct lf_wake wake;
    bool shared;           /* `error` holds the outcome of the fetch */
    struct lf_error error; /* status LF_OK: check again */
    struct lf_waiter *next;
};

struct lf_credential {
    const struct lf_config_cloud *config; /* borrowed */
    struct lf_transfer *transfer;         /* borrowed */
    char *token_url;                      /* owned */

    struct lf_mutex lock;           /* guards what follows */
    char *value;                    /* "Bearer ..." or "Basic ..."; NULL: none yet */
    int64_t refresh_at, expires_at; /* monotonic */
    bool fetching;
    struct lf_waiter *waiters; /* threads waiting for the fetch */
};

/* Authorization header value, owned by the caller (cloud__credential_forget frees and wipes it). Fetches a
 * token when there is none, or it is about to expire. */
enum lf_status cloud__credential_get(struct lf_credential *credential, const struct lf_call *call,
                                     char **value, struct lf_error *err);
/* The server rejected `value` (401): fetch a new one, unless another thread already has. */
void cloud__credential_drop(struct lf_credential *credential, const char *value);
void cloud__credential_forget(char *value);
/* An answer may echo the request, and parts of it end up in logs: replaces the secret in `value` by
 * asterisks.
 */
void cloud__credential_hide(const char *value, struct lf_buffer *text);

void cloud__credential_close(struct lf_credential *credential);

/* ms until the credential expires; -1: there is none; LF_NEVER for API keys. */
int64_t cloud__credential_left(struct lf_credential *credential);

#endif
