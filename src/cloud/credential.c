/* States: none -> fetching -> valid -> (about to expire, or dropped after a 401) -> fetching ...
 *
 * One thread fetches, without holding the lock; the others wait, each on its own wake-up so that its own
 * deadline and cancel apply. If the fetch fails, all waiters get its error, unless the fetching thread was
 * cancelled or ran out of time: then one of the others fetches. The secret is read from its file for each
 * fetch, so that it can be rotated.
 *
 * A rejected credential is a problem of the agent, not of a job: it is reported once (lf_cloud_health), and
 * every error here is transient, so that waiting jobs continue as soon as it is fixed.
 */
#include "cloud/credential.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "cloud/cloud.h"
#include "cloud/http_error.h"
#include "transfer/transfer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOKEN_MAX = 16 * 1024,
    TOKEN_TIMEOUT_MS = 60 * 1000,
    TOKEN_LIFE_MAX_S = 7 * 24 * 3600,
    /* A token is renewed max(1, min(60, a tenth of its life)) s early, as the vendor's own SDK does. */
    EARLY_MAX_S = 60,
    RETRY_REFRESH_MS = 5000, /* after a failed early refresh, while the old token still works */
};

void cloud__credential_forget(char *value)
{
    if (value)
        lf_wipe(value, strlen(value));
    free(value);
}

void cloud__credential_close(struct lf_credential *credential)
{
    cloud__credential_forget(credential->value);
    free(credential->token_url);
}

static enum lf_status read_secret(const char *path, const char *what, struct lf_buffer *secret,
                                  struct lf_error *err)
{
    if (lf_file_read_secret(path, secret, err) != LF_OK)
        return lf_error_prefix(err, "%s", what);
    bool usable = secret->len > 0;
    for (size_t i = 0; i < secret->len; i++)
        usable = usable && isgraph((unsigned char)secret->data[i]);
    if (!usable)
        return lf_fail(err, LF_INVALID, LF_TRANSIENT,
                       "%s: %s must contain only the secret, on one line without spaces", what, path);
    return LF_OK;
}

/* "Basic base64(user:password)". Returns owned, NULL when out of memory. */
static char *basic(const char *user, const char *password)
{
    struct lf_buffer plain = {0}, encoded = {0};
    char *value = NULL;
    if (lf_buffer_text(&plain, user) == LF_OK && lf_buffer_text(&plain, ":") == LF_OK
        && lf_buffer_text(&plain, password) == LF_OK && lf_buffer_text(&encoded, "Basic ") == LF_OK
        && lf_base64_append(&encoded, plain.data, plain.len) == LF_OK)
        value = lf_buffer_take(&encoded);
    lf_buffer_wipe(&plain);
    lf_buffer_wipe(&encoded);
    return value;
}

enum { HIDDEN_MIN = 8 }; /* a shorter secret may be an ordinary word */

static void hide(struct lf_buffer *text, const char *secret)
{
    size_t len = strlen(secret);
    const char *found;
    while (len >= HIDDEN_MIN && text->data
           && (found = lf_slice_find(lf_buffer_slice(text), lf_slice(secret, len))))
        memset(text->data + (found - text->data), '*', len);
}

void cloud__credential_hide(const char *authorization, struct lf_buffer *text)
{
    struct lf_buffer plain = {0};
    const char *value = strchr(authorization, ' ') + 1;
    hide(text, value);
    if (!strncmp(authorization, "Basic ", 6) && lf_base64_decode(lf_slice_text(value), &plain) == LF_OK
        && plain.data) {
        char *password = strchr(plain.data, ':');
        *password++ = '\0'; /* basic() put it there */
        hide(text, *password ? password : plain.data);
    }
    lf_buffer_wipe(&plain);
}

static enum lf_status take_key(const struct lf_credential *credential, char **value, int64_t *life_ms,
                               struct lf_error *err)
{
    struct lf_buffer key = {0};
    enum lf_status status = read_secret(credential->config->api_key_file, "the cloud's API key", &key, err);
    if (status == LF_OK) {
        *value = basic(key.data, "");
        *life_ms = LF_NEVER;
        if (!*value)
            status = lf_fail_memory(err, "using the API key");
    }
    lf_buffer_wipe(&key);
    return status;
}

/* Reads the token and its lifetime from the answer to POST /token. */
static enum lf_status read_token(const struct lf_answer *answer, char **value, int64_t *life_ms,
                                 struct lf_error *err)
{
    enum lf_status status = LF_OK;
    cJSON *body = NULL;
    lf_json_parse(lf_buffer_slice(&answer->text), &body, &(struct lf_error){0});
    const char *token = lf_json_text(body, "access_token"),
               *type = lf_json_text_or(body, "token_type", "Bearer");
    int64_t seconds = lf_json_int(body, "expires_in", -1);
    bool usable = token && *token && strlen(token) <= TOKEN_MAX && !strcasecmp(type, "Bearer");
    for (const char *c = token; usable && *c; c++)
        usable = isgraph((unsigned char)*c);
    if (!usable || seconds <= 0)
        status = lf_fail(err, LF_PROTOCOL, LF_TRANSIENT,
                         "the answer has no usable bearer token and lifetime; check the tenant URL");
    else if (!(*value = lf_format("Bearer %s", token)))
        status = lf_fail_memory(err, "keeping a token");
    *life_ms = (seconds > TOKEN_LIFE_MAX_S ? TOKEN_LIFE_MAX_S : seconds) * 1000;
    cJSON_Delete(body);
    return status;
}

/* From the token endpoint, 400 and 401 mean that the id or secret is wrong; 404, that this is not the API. */
static enum lf_status judge_token(const struct lf_credential *credential, const struct lf_answer *answer,
                                  struct lf_error *err)
{
    if (cloud__http_error_judge(answer, err) == LF_OK)
        return LF_OK;
    if (answer->status == 400 || answer->status == 401) {
        err->status = LF_DENIED;
        return lf_error_prefix(err, "client id '%s' or the secret in %s was rejected",
                               credential->config->client_id, credential->config->client_secret_file);
    }
    if (answer->status == 404)
        return lf_error_prefix(err, "there is no API at this address; check the tenant URL");
    return err->status;
}

static enum lf_status ask_token(const struct lf_credential *credential, const struct lf_call *call,
                                char **value, int64_t *life_ms, struct lf_error *err)
{
    struct lf_buffer secret = {0};
    struct lf_answer answer = {0};
    char *authorization = NULL;
    enum lf_status status = read_secret(credential->config->client_secret_file, "the cloud's client secret",
                                        &secret, err);
    if (status == LF_OK && !(authorization = basic(credential->config->client_id, secret.data)))
        status = lf_fail_memory(err, "asking for a token");
    if (status == LF_OK) {
        struct lf_request request = {
            .method = "POST",
            .url = credential->token_url,
            .authorization = authorization,
            .content_type = "application/x-www-form-urlencoded",
            .text = lf_slice_text("grant_type=client_credentials"),
            .max_answer = (int64_t)4 * TOKEN_MAX,
            .deadline = lf_deadline_sooner(call->deadline, lf_deadline_in(TOKEN_TIMEOUT_MS)),
            .cancel = call->cancel,
        };
        status = lf_transfer_perform(credential->transfer, &request, &answer, NULL, err);
    }
    if (status == LF_OK)
        lf_clock_learn(answer.date_ms);
    if (status == LF_OK && answer.status >= 300)
        cloud__credential_hide(authorization, &answer.text);
    if (status == LF_OK)
        status = judge_token(credential, &answer, err);
    if (status == LF_OK)
        status = read_token(&answer, value, life_ms, err);
    if (answer.text.data)
        lf_buffer_wipe(&answer.text);
    lf_answer_free(&answer);
    cloud__credential_forget(authorization);
    lf_buffer_wipe(&secret);
    return status;
}

/* Called with the lock held, after a fetch. */
static void keep(struct lf_credential *credential, char *value, int64_t asked_at, int64_t life_ms)
{
    const int64_t most = (int64_t)EARLY_MAX_S * 1000, tenth = life_ms / 10;
    int64_t early = tenth > most ? most : tenth < 1000 ? 1000 : tenth;
    cloud__credential_forget(credential->value);
    credential->value = value;
    credential->expires_at = life_ms == LF_NEVER ? LF_NEVER : asked_at + life_ms;
    credential->refresh_at = life_ms == LF_NEVER ? LF_NEVER : asked_at + life_ms - early;
}

static void wake_waiters(struct lf_credential *credential, const struct lf_error *err)
{
    for (struct lf_waiter *waiter = credential->waiters, *next; waiter; waiter = next) {
        next = waiter->next;
        waiter->shared = true;
        if (err)
            waiter->error = *err;
        lf_wake_up(&waiter->wake); /* last access: the waiter lives on its thread's stack */
    }
    credential->waiters = NULL;
}

/* Called with the lock held, returns with it held. */
static enum lf_status fetch(struct lf_credential *credential, const struct lf_call *call,
                            struct lf_error *err)
{
    char *value = NULL;
    int64_t life_ms = 0, asked_at = lf_clock_mono_ms();
    credential->fetching = true;
    lf_mutex_unlock(&credential->lock);
    enum lf_status status = credential->config->api_key_file
                                ? take_key(credential, &value, &life_ms, err)
                                : ask_token(credential, call, &value, &life_ms, err);
    lf_mutex_lock(&credential->lock);
    credential->fetching = false;
    bool own_end = status == LF_CANCELLED || (status == LF_TIMEOUT && lf_deadline_passed(call->deadline));
    if (status != LF_OK)
        err->class = LF_TRANSIENT;
    if (status == LF_OK) {
        keep(credential, value, asked_at, life_ms);
    } else if (credential->value && !own_end && !lf_deadline_passed(credential->expires_at)) {
        credential->refresh_at = lf_deadline_in(RETRY_REFRESH_MS); /* the old one still works */
        status = LF_OK;
    }
    wake_waiters(credential, status == LF_OK || own_end ? NULL : err);
    return status;
}

static void leave_waiters(struct lf_credential *credential, const struct lf_waiter *waiter)
{
    for (struct lf_waiter **at = &credential->waiters; *at; at = &(*at)->next)
        if (*at == waiter) {
            *at = waiter->next;
            return;
        }
}

/* Called with the lock held, returns with it held. LF_OK: check again. */
static enum lf_status wait_for_fetch(struct lf_credential *credential, const struct lf_call *call,
                                     struct lf_error *err)
{
    struct lf_waiter waiter = {0};
    if (lf_wake_open(&waiter.wake, err) != LF_OK)
        return err->status;
    waiter.next = credential->waiters;
    credential->waiters = &waiter;
    lf_mutex_unlock(&credential->lock);
    enum lf_status waited = lf_wake_wait(&waiter.wake, call->deadline, call->cancel);
    lf_mutex_lock(&credential->lock);
    leave_waiters(credential, &waiter);
    lf_wake_close(&waiter.wake);
    if (waiter.shared && waiter.error.status != LF_OK)
        *err = waiter.error;
    else if (!waiter.shared && waited != LF_OK)
        return lf_fail(err, waited, LF_TRANSIENT, "%s while another request was fetching a token",
                       waited == LF_TIMEOUT ? "timed out" : "stopped");
    return waiter.error.status;
}

enum lf_status cloud__credential_get(struct lf_credential *credential, const struct lf_call *call,
                                     char **value, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    *value = NULL;
    lf_mutex_lock(&credential->lock);
    while (status == LF_OK && (!credential->value || lf_deadline_passed(credential->refresh_at))) {
        if (!credential->fetching) {
            status = fetch(credential, call, err);
            break; /* use what was just fetched, however short its lifetime */
        }
        if (credential->value && !lf_deadline_passed(credential->expires_at))
            break; /* another thread is renewing it early: the old one still works */
        status = wait_for_fetch(credential, call, err);
    }
    if (status == LF_OK && !(*value = strdup(credential->value)))
        status = lf_fail_memory(err, "using a token");
    lf_mutex_unlock(&credential->lock);
    return status;
}

void cloud__credential_drop(struct lf_credential *credential, const char *value)
{
    lf_mutex_lock(&credential->lock);
    if (credential->value && !strcmp(credential->value, value)) {
        cloud__credential_forget(credential->value);
        credential->value = NULL;
    }
    lf_mutex_unlock(&credential->lock);
}

int64_t cloud__credential_left(struct lf_credential *credential)
{
    lf_mutex_lock(&credential->lock);
    int64_t left = credential->value ? lf_deadline_left(credential->expires_at) : -1;
    lf_mutex_unlock(&credential->lock);
    return left;
}
