/* The link's thread and its life: sessions one after the other, with full jitter between them.
 *
 * Every session ends in exactly one of: asked to stop; taken over by another client (said loudly, and then
 * left alone for long: two agents of one name must not throw each other out for ever); anything else,
 * after which it is tried again.
 */
#include "link/session.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BACKOFF_BASE_MS = 500,
    BACKOFF_CAP_MS = 60 * 1000,
    DEFAULT_KEEPALIVE_S = 30,
    DEFAULT_EXPIRY_S = 7 * 24 * 3600,
    DEFAULT_RECEIVE_MAXIMUM = 200,
    DEFAULT_MAX_MESSAGE = 272 * 1024,
};

static const char *const state_names[] = {
    [LF_LINK_CONNECTING] = "connecting",
    [LF_LINK_ONLINE] = "online",
    [LF_LINK_WAITING] = "offline",
};

void link__set_state(struct lf_link *link, enum lf_link_state state, const char *error)
{
    lf_mutex_lock(&link->mutex);
    if ((state == LF_LINK_ONLINE) != (link->state == LF_LINK_ONLINE))
        link->since_ms = lf_clock_wall_ms();
    link->state = state;
    if (error)
        snprintf(link->error, sizeof link->error, "%s", error);
    lf_mutex_unlock(&link->mutex);
}

/* Logs a failure once, until something else happens. */
static void report_end(struct lf_link *link, const struct lf_error *err, bool was_online)
{
    if (!was_online && !strcmp(link->reported, err->text))
        return;
    snprintf(link->reported, sizeof link->reported, "%s", was_online ? "" : err->text);
    lf_log(err->class == LF_NEEDS_PERSON ? LF_LOG_ERROR : LF_LOG_WARNING, "link", "%s", err->text);
    if (was_online && link->hooks.offline)
        link->hooks.offline(link->hooks.context, err);
}

/* Taken over by the broker's own word, and not by the marks: the other does not know yet. Once, we go and
 * look: either its mark is there, and it gets our notice, or it learns from the broker, as we did. */
static bool come_back_once(struct lf_link *link)
{
    int64_t before = link->taken_at;
    if (link->stands_back || !link->will_topic)
        return false;
    link->taken_at = lf_clock_mono_ms();
    return !before || link->taken_at - before > TAKEN_OVER_WAIT_MS;
}

/* A session that only came up does not shorten the waits: it may be refused its batch, or be thrown out,
 * again and again, and so may one that was soon ended. */
static int64_t pause_after(struct lf_link *link, enum lf_status status)
{
    if (status == LF_BUSY) {
        lf_mutex_lock(&link->mutex);
        link->takeovers++;
        lf_mutex_unlock(&link->mutex);
        if (come_back_once(link))
            return lf_backoff_ms(0, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
        return TAKEN_OVER_WAIT_MS + lf_backoff_ms(0, TAKEN_OVER_WAIT_MS, TAKEN_OVER_WAIT_MS);
    }
    if (link->useful && !link->short_sessions)
        link->attempt = 0;
    return lf_backoff_ms(link->attempt++, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
}

/* One session. Returns when to try the next. */
static int64_t run(void *context)
{
    struct lf_link *link = context;
    struct lf_error err = {0};
    bool online = false;
    lf_mutex_lock(&link->mutex);
    link->reconnects += link->sessions++ > 0;
    lf_mutex_unlock(&link->mutex);
    link__set_state(link, LF_LINK_CONNECTING, NULL);
    enum lf_status status = link__session_run(link, &online, &err);
    if (status == LF_CANCELLED || lf_cancel_is_set(&link->worker.cancel))
        return LF_NEVER;
    report_end(link, &err, online);
    return lf_deadline_in(pause_after(link, status));
}

/* ---- opening and closing ---- */

static bool copy_text(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

static bool copy_options(struct lf_link *link, const struct lf_link_options *options)
{
    link->port = options->port;
    link->tls = options->tls;
    link->keepalive_s = options->keepalive_s > 0 ? options->keepalive_s : DEFAULT_KEEPALIVE_S;
    link->event_filters = options->event_filters;
    /* The library asks when this long was silent, and gives up after as long again: keepalive_s in all. Below
     * 5 it refuses. */
    link->ping_s = link->keepalive_s / 2 > 5 ? link->keepalive_s / 2 : 5;
    link->session_expiry_s = options->session_expiry_s > 0 ? options->session_expiry_s : DEFAULT_EXPIRY_S;
    link->receive_maximum = options->receive_maximum > 0 ? options->receive_maximum : DEFAULT_RECEIVE_MAXIMUM;
    link->max_message = options->max_message > 0 ? options->max_message : DEFAULT_MAX_MESSAGE;
    bool good = copy_text(&link->host, options->host) && copy_text(&link->ca_file, options->ca_file)
                && copy_text(&link->cert_file, options->cert_file)
                && copy_text(&link->key_file, options->key_file)
                && copy_text(&link->username, options->username)
                && copy_text(&link->password_file, options->password_file)
                && copy_text(&link->client_id, options->client_id)
                && copy_text(&link->will_topic, options->will_topic)
                && copy_text(&link->will_payload, options->will_payload)
                && copy_text(&link->namesake_payload,
                             options->namesake_payload ? options->namesake_payload : options->will_payload);
    link->filters = calloc(options->filter_count + 1, sizeof *link->filters);
    link->filter_mids = calloc(options->filter_count + 1, sizeof *link->filter_mids);
    for (size_t i = 0; good && link->filters && i < options->filter_count; i++) {
        good = copy_text(&link->filters[i], options->filters[i]);
        link->filter_count = i + 1;
    }
    return good && link->filters && link->filter_mids;
}

enum lf_status lf_link_open(const struct lf_link_options *options, const struct lf_link_hooks *hooks,
                            struct lf_link **out, struct lf_error *err)
{
    struct lf_link *link = calloc(1, sizeof *link);
    if (!link)
        return lf_fail_memory(err, "opening the link");
    mosquitto_lib_init(); /* counted by the library */
    link__duplicate_open(link);
    link->hooks = *hooks;
    link->last = &link->first;
    link->since_ms = lf_clock_wall_ms();
    lf_mutex_init(&link->mutex);
    enum lf_status status = copy_options(link, options) ? LF_OK : lf_fail_memory(err, "opening the link");
    if (status == LF_OK)
        status = lf_wake_open(&link->wake, err);
    if (status == LF_OK)
        status = lf_worker_open(&link->worker, err);
    *out = link; /* before the thread starts: a callback may want it */
    if (status == LF_OK)
        status = lf_worker_start(&link->worker, "link", run, link, err);
    if (status != LF_OK) {
        *out = NULL;
        lf_link_close(link);
    }
    return status;
}

void lf_link_close(struct lf_link *link)
{
    if (!link)
        return;
    lf_worker_close(&link->worker);
    link__queue_clear(link);
    for (size_t i = 0; i < link->filter_count; i++)
        free(link->filters[i]);
    char *texts[] = {link->host,         link->ca_file,       link->cert_file,       link->key_file,
                     link->username,     link->password_file, link->client_id,       link->will_topic,
                     link->will_payload, link->goodbye,       link->namesake_payload};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    free(link->filters);
    free(link->filter_mids);
    free(link->batch);
    lf_wake_close(&link->wake);
    lf_mutex_destroy(&link->mutex);
    free(link);
    mosquitto_lib_cleanup();
}

enum lf_status lf_link_goodbye(struct lf_link *link, const char *payload, struct lf_error *err)
{
    char *copy = strdup(payload);
    if (!copy)
        return lf_fail_memory(err, "setting the goodbye");
    lf_mutex_lock(&link->mutex);
    free(link->goodbye);
    link->goodbye = copy;
    lf_mutex_unlock(&link->mutex);
    return LF_OK;
}

/* ---- looking ---- */

enum lf_link_state lf_link_state(struct lf_link *link)
{
    lf_mutex_lock(&link->mutex);
    enum lf_link_state state = link->state;
    lf_mutex_unlock(&link->mutex);
    return state;
}

cJSON *lf_link_health(struct lf_link *link)
{
    cJSON *health = cJSON_CreateObject();
    char since[LF_TIME_TEXT], broker[300];
    if (!health)
        return NULL;
    snprintf(broker, sizeof broker, "%s://%s:%d", link->tls ? "mqtts" : "mqtt", link->host, link->port);
    lf_mutex_lock(&link->mutex);
    lf_time_format(link->since_ms, since);
    lf_json_set_text(health, "state", state_names[link->state]);
    lf_json_set_text(health, "since", since);
    lf_json_set_text(health, "broker", broker);
    lf_json_set_text(health, "error", link->error[0] ? link->error : NULL);
    lf_json_set_int(health, "messages_in", (int64_t)link->messages_in);
    lf_json_set_int(health, "bytes_in", (int64_t)link->bytes_in);
    lf_json_set_int(health, "messages_out", (int64_t)link->messages_out);
    lf_json_set_int(health, "reconnects", (int64_t)link->reconnects);
    lf_json_set_int(health, "takeovers", (int64_t)link->takeovers);
    char *namesake = link__duplicate_told(link);
    lf_json_set_text(health, "namesake", namesake);
    lf_json_set_int(health, "refused_batches", (int64_t)link->refused_batches);
    lf_mutex_unlock(&link->mutex);
    free(namesake);
    return health;
}
