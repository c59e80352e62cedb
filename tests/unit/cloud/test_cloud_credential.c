#include "fake.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum lf_status get_run(struct fake *fake)
{
    cJSON *run = NULL;
    memset(&fake->err, 0, sizeof fake->err);
    enum lf_status status = lf_cloud_get(fake->cloud, LF_CLOUD_RUN, "r1", &fake->call, &run, &fake->err);
    cJSON_Delete(run);
    return status;
}

static void asks_by_basic_header(void)
{
    struct fake fake;
    fake_open(&fake);
    fake_will(&fake, 200, NULL, "{\"id\":\"r1\"}");
    fake_will(&fake, 200, NULL, "{\"id\":\"r1\"}");
    CHECK_INT(get_run(&fake), LF_OK);
    CHECK_INT(get_run(&fake), LF_OK);
    /* base64 of "the-client:hush" */
    CHECK_STR(fake.token_seen,
              "Basic dGhlLWNsaWVudDpodXNo|application/x-www-form-urlencoded|grant_type=client_credentials");
    CHECK_STR(fake.asked,
              "GET /api/v2/assay-runs/r1 [Bearer token-1]\nGET /api/v2/assay-runs/r1 [Bearer token-1]\n");
    CHECK_INT(fake.tokens, 1);
    fake_close(&fake);
}

static void *get_value(void *arg)
{
    struct fake *fake = arg;
    char *value = NULL;
    struct lf_error err = {0};
    enum lf_status status = cloud__credential_get(&fake->cloud->credential, &fake->call, &value, &err);
    cloud__credential_forget(value);
    return (void *)(intptr_t)status;
}

static int waiters(struct lf_credential *credential)
{
    int count = 0;
    lf_mutex_lock(&credential->lock);
    for (const struct lf_waiter *at = credential->waiters; at; at = at->next)
        count++;
    lf_mutex_unlock(&credential->lock);
    return count;
}

/* Until the token is asked for, and so many threads wait for it. */
static void await(struct fake *fake, int waiting)
{
    for (int64_t end = lf_deadline_in(UNIT_SOON_MS);
         fake->tokens < 1 || waiters(&fake->cloud->credential) < waiting;
         lf_sleep_until(lf_deadline_in(5), NULL))
        NEED(!lf_deadline_passed(end));
}

/* Eight threads want a token at the same time, and each gets this. */
static void eight_threads(struct fake *fake, enum lf_status expected)
{
    pthread_t threads[8];
    fake->token_held = true;
    for (int i = 0; i < 8; i++)
        NEED(pthread_create(&threads[i], NULL, get_value, fake) == 0);
    await(fake, 7);
    fake->token_held = false;
    for (int i = 0; i < 8; i++) {
        void *status;
        pthread_join(threads[i], &status);
        CHECK_INT((intptr_t)status, expected);
    }
    CHECK_INT(fake->tokens, 1);
}

static void one_fetch(void)
{
    struct fake fake;
    fake_open(&fake);
    eight_threads(&fake, LF_OK);
    fake_close(&fake);
}

static void one_failure(void)
{
    struct fake fake;
    fake_open(&fake);
    fake.token_status = 401;
    fake.token_body = "{\"error\":{\"message\":\"no\",\"type\":\"invalid_client\"}}";
    eight_threads(&fake, LF_DENIED);
    fake_close(&fake);
}

struct cancelled {
    struct fake *fake;
    struct lf_cancel cancel;
};

static void *get_cancelled(void *arg)
{
    struct cancelled *cancelled = arg;
    struct lf_call own = {.deadline = cancelled->fake->call.deadline, .cancel = &cancelled->cancel};
    char *value = NULL;
    struct lf_error err = {0};
    return (void *)(intptr_t)cloud__credential_get(&cancelled->fake->cloud->credential, &own, &value, &err);
}

static void cancelled_fetch(void)
{
    struct fake fake;
    struct cancelled cancelled = {.fake = &fake};
    pthread_t first, second;
    void *status;
    fake_open(&fake);
    fake.token_held = true;
    NEED(lf_cancel_open(&cancelled.cancel, UNIT_ERROR) == LF_OK);
    NEED(pthread_create(&first, NULL, get_cancelled, &cancelled) == 0);
    await(&fake, 0);
    NEED(pthread_create(&second, NULL, get_value, &fake) == 0);
    await(&fake, 1);
    lf_cancel_set(&cancelled.cancel);
    pthread_join(first, &status);
    CHECK_INT((intptr_t)status, LF_CANCELLED);
    fake.token_held = false;
    pthread_join(second, &status);
    CHECK_INT((intptr_t)status, LF_OK);
    CHECK_INT(fake.tokens, 2);
    lf_cancel_close(&cancelled.cancel);
    fake_close(&fake);
}

static void waiter_deadline(void)
{
    struct fake fake;
    pthread_t thread;
    fake_open(&fake);
    fake.token_held = true;
    NEED(pthread_create(&thread, NULL, get_value, &fake) == 0);
    await(&fake, 0);
    struct lf_call hasty = {.deadline = lf_deadline_in(50)};
    char *value = NULL;
    struct lf_error err = {0};
    CHECK_INT(cloud__credential_get(&fake.cloud->credential, &hasty, &value, &err), LF_TIMEOUT);
    fake.token_held = false;
    void *status;
    pthread_join(thread, &status);
    CHECK_INT((intptr_t)status, LF_OK);
    fake_close(&fake);
}

static void refreshes_early(void)
{
    struct fake fake;
    fake_open(&fake);
    fake.token_life_s = 2; /* refreshed max(1, 0.2) s early */
    for (int i = 0; i < 3; i++)
        fake_will(&fake, 200, NULL, "{\"id\":\"r1\"}");
    CHECK_INT(get_run(&fake), LF_OK);
    UNIT_TIME_PASSES(1100);
    CHECK_INT(get_run(&fake), LF_OK);
    CHECK_HAS(fake.asked, "[Bearer token-2]");
    UNIT_TIME_PASSES(1100);
    fake.token_status = 503; /* the early refresh fails, and token 2 still holds */
    CHECK_INT(get_run(&fake), LF_OK);
    CHECK_INT(fake.tokens, 3);
    fake_close(&fake);
}

static void short_lives(void)
{
    struct fake fake;
    fake_open(&fake);
    fake.token_life_s = 1; /* due for renewal as soon as it comes */
    fake_will(&fake, 200, NULL, "{\"id\":\"r1\"}");
    fake_will(&fake, 200, NULL, "{\"id\":\"r1\"}");
    CHECK_INT(get_run(&fake), LF_OK);
    CHECK_INT(get_run(&fake), LF_OK);
    CHECK_INT(fake.tokens, 2);
    fake_close(&fake);
}

static void revoked(void)
{
    struct fake fake;
    fake_open(&fake);
    fake_will(&fake, 401, NULL,
              "{\"error\":{\"message\":\"Failed to authenticate\",\"type\":\"authentication_error\"}}");
    fake_will(&fake, 200, NULL, "{\"id\":\"r1\"}");
    CHECK_INT(get_run(&fake), LF_OK);
    CHECK_STR(fake.asked,
              "GET /api/v2/assay-runs/r1 [Bearer token-1]\nGET /api/v2/assay-runs/r1 [Bearer token-2]\n");
    fake_clear(&fake);
    fake_will(&fake, 401, NULL, "{\"error\":{\"message\":\"Failed to authenticate\"}}");
    fake_will(&fake, 401, NULL, "{\"error\":{\"message\":\"Failed to authenticate\"}}");
    CHECK_INT(get_run(&fake), LF_DENIED);
    CHECK_INT(fake.err.class, LF_TRANSIENT);
    CHECK_INT(fake.calls, 2);
    fake_close(&fake);
}

static void rotates(void)
{
    struct fake fake;
    fake_open(&fake);
    fake_will(&fake, 200, NULL, "{\"id\":\"r1\"}");
    CHECK_INT(get_run(&fake), LF_OK);
    fake_write_secret(&fake, "fresh");
    fake_will(&fake, 401, NULL, "{}");
    fake_will(&fake, 200, NULL, "{\"id\":\"r1\"}");
    CHECK_INT(get_run(&fake), LF_OK);
    CHECK_HAS(fake.token_seen, "Basic dGhlLWNsaWVudDpmcmVzaA=="); /* base64 of "the-client:fresh" */
    fake_close(&fake);
}

static void token_gives(struct fake *fake, int status, const char *body, enum lf_class class,
                        const char *words)
{
    fake->token_status = status;
    fake->token_body = body;
    get_run(fake);
    if (!CHECK_INT(fake->err.class, class))
        CHECK_STR(body, "");
    CHECK_HAS(fake->err.text, words);
    CHECK(!strstr(fake->err.text, "hush"));
    CHECK_INT(fake->calls, 0);
}

static void refusals(void)
{
    struct fake fake;
    fake_open(&fake);
    token_gives(&fake, 401, "{\"error\":{\"message\":\"Bad client\",\"type\":\"invalid_client\"}}",
                LF_TRANSIENT, "Bad client");
    token_gives(&fake, 400, "{\"error\":{\"message\":\"grant\",\"type\":\"unauthorized_client\"}}",
                LF_TRANSIENT, fake.secret_file);
    token_gives(&fake, 200, "<!doctype html><html>welcome</html>", LF_TRANSIENT, "tenant URL");
    token_gives(&fake, 404, "<html>no</html>", LF_TRANSIENT, "tenant URL");
    token_gives(&fake, 404, "{}", LF_TRANSIENT, "tenant URL");
    token_gives(&fake, 503, "{}", LF_TRANSIENT, "503");
    token_gives(&fake, 200, "{}", LF_TRANSIENT, "no usable bearer token");
    token_gives(&fake, 200, "{\"access_token\":\"a\\r\\nX: y\",\"expires_in\":900}", LF_TRANSIENT,
                "no usable");
    token_gives(&fake, 200, "{\"access_token\":\"a\",\"expires_in\":0}", LF_TRANSIENT, "no usable");
    token_gives(&fake, 200, "{\"access_token\":7,\"expires_in\":900}", LF_TRANSIENT, "no usable");
    token_gives(&fake, 200, "{\"access_token\":\"a\",\"expires_in\":900,\"token_type\":\"mac\"}",
                LF_TRANSIENT, "no usable");
    fake_close(&fake);
}

static void secret_files(void)
{
    struct fake fake;
    fake_open(&fake);
    CHECK_INT(chmod(fake.secret_file, 0644), 0);
    get_run(&fake);
    CHECK_HAS(fake.err.text, fake.secret_file);
    CHECK_INT(chmod(fake.secret_file, 0600), 0);
    fake_write_secret(&fake, "");
    get_run(&fake);
    CHECK_INT(fake.err.class, LF_TRANSIENT);
    fake_write_secret(&fake, "two\nlines\n");
    get_run(&fake);
    CHECK_INT(fake.err.class, LF_TRANSIENT);
    CHECK(!strstr(fake.err.text, "lines\n"));
    CHECK_INT(fake.tokens, 0);
    fake_close(&fake);
}

static void api_key(void)
{
    struct fake fake;
    struct lf_cloud *cloud = NULL;
    char tenant[64];
    cJSON *run = NULL;
    fake_open(&fake);
    snprintf(tenant, sizeof tenant, "http://127.0.0.1:%d", server_port(fake.server));
    struct lf_config_cloud config = {.tenant = tenant,
                                     .api_key_file = fake.secret_file,
                                     .request_timeout_ms = 60000};
    NEED(lf_cloud_open(&config, fake.transfer, &cloud, &fake.err) == LF_OK);
    fake_will(&fake, 200, NULL, "{\"id\":\"r1\"}");
    CHECK_INT(lf_cloud_get(cloud, LF_CLOUD_RUN, "r1", &fake.call, &run, &fake.err), LF_OK);
    cJSON_Delete(run);
    CHECK_STR(fake.asked, "GET /api/v2/assay-runs/r1 [Basic aHVzaDo=]\n"); /* base64 of "hush:" */
    CHECK_INT(fake.tokens, 0);
    lf_cloud_close(cloud);
    fake_close(&fake);
}

static void hidden_is(const char *authorization, const char *said, const char *left)
{
    struct lf_buffer text = {0};
    NEED(lf_buffer_text(&text, said) == LF_OK);
    cloud__credential_hide(authorization, &text);
    CHECK_STR(text.data, left);
    lf_buffer_free(&text);
}

/* base64 of "the-client:long-secret" and of "sk_1234567:". */
static void echoes(void)
{
    hidden_is("Bearer abcdefgh", "bad abcdefgh, abcdefgh", "bad ********, ********");
    hidden_is("Basic dGhlLWNsaWVudDpsb25nLXNlY3JldA==",
              "the-client said dGhlLWNsaWVudDpsb25nLXNlY3JldA== (long-secret)",
              "the-client said ******************************** (***********)");
    hidden_is("Basic c2tfMTIzNDU2Nzo=", "key sk_1234567", "key **********");
    hidden_is("Bearer abc", "abc is an ordinary word", "abc is an ordinary word");
    struct fake fake;
    fake_open(&fake);
    fake_write_secret(&fake, "a-long-secret");
    fake.token_status = 400;
    fake.token_body = "{\"error\":\"no such secret: a-long-secret\"}";
    CHECK_INT(get_run(&fake), LF_DENIED);
    CHECK_HAS(fake.err.text, "no such secret: *************");
    fake_close(&fake);
}

UNIT_TESTS("cloud credential",
           {"a token is requested with a Basic header, and used for many calls", asks_by_basic_header},
           {"eight threads that need a token make one request", one_fetch},
           {"all threads that waited for a token get its refusal", one_failure},
           {"when the fetching thread is cancelled, one that waited fetches", cancelled_fetch},
           {"a thread that waits for another's fetch keeps its own deadline", waiter_deadline},
           {"a token is renewed before it expires, and the old one is used while that fails", refreshes_early,
            UNIT_SLOW},
           {"a token that lives for a second is used, and not fetched again and again", short_lives},
           {"after 401 a new token is fetched and the call repeated once", revoked},
           {"a rotated secret is picked up", rotates},
           {"failures to get a token have the right class and never show the secret", refusals},
           {"a secret in an answer is masked", echoes},
           {"a secret file that is open to others, empty or odd is refused", secret_files},
           {"an API key is sent as a Basic user name with an empty password", api_key}, )
