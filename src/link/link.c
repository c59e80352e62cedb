/* The link's thread and its life: sessions one after the other, with full jitter between them.
 *
 * Every session ends in exactly one of: asked to stop; taken over by another client (reported, then a long
 * pause: two agents with the same name must not disconnect each other forever); anything else, after which
 * the next is tried.
 */
#include "link/session.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_RECEIVE_MAXIMUM = 200,
    DEFAULT_MAX_MESSAGE = 272 * 1024,
    UNFIT_WAIT_MS = 5 * 60 * 1000, /* and up to as much again: only a person can end that */
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
    if ((was_online || err->status == LF_BUSY) && link->hooks.offline)
        link->hooks.offline(link->hooks.context, err);
    if (!was_online && !strcmp(link->reported, err->text))
        return;
    snprintf(link->reported, sizeof link->reported, "%s", was_online ? "" : err->text);
    lf_log(err->class == LF_NEEDS_PERSON ? LF_LOG_ERROR : LF_LOG_WARNING, "link", "%s", err->text);
}

/* The broker reported the takeover, and no tag did: the other agent does not know yet. Reconnect once: either
 * its tag is there and we leave our notice, or the broker reports the takeover to it. */
static bool reconnect_once(struct lf_link *link)
{
    int64_t before = link->taken_at;
    if (link->yields || !link->config->status_topic)
        return false;
    link->taken_at = lf_clock_mono_ms();
    return !before || link->taken_at - before > TAKEN_OVER_WAIT_MS;
}

/* A session that merely came up does not shorten the pauses: its batches may be refused, or it may be ended
 * soon, again and again. */
static int64_t pause_after(struct lf_link *link, enum lf_status status)
{
    if (status == LF_BUSY) {
        lf_mutex_lock(&link->mutex);
        link->takeovers++;
        lf_mutex_unlock(&link->mutex);
        if (reconnect_once(link))
            return lf_backoff_ms(0, LF_PACE_BROKER);
        return TAKEN_OVER_WAIT_MS + (int64_t)lf_random_below(TAKEN_OVER_WAIT_MS);
    }
    if (link->unfit)
        return UNFIT_WAIT_MS + (int64_t)lf_random_below(UNFIT_WAIT_MS);
    if (link->blamed || (link->made_progress && !link->short_sessions))
        link->attempt = 0;
    return lf_backoff_ms(link->attempt++, LF_PACE_BROKER);
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

enum lf_status lf_link_open(const struct lf_config_link *config, const struct lf_link_options *options,
                            const struct lf_link_hooks *hooks, struct lf_link **out, struct lf_error *err)
{
    struct lf_link *link = calloc(1, sizeof *link);
    if (!link)
        return lf_fail_memory(err, "opening the link");
    mosquitto_lib_init(); /* counted by the library */
    link__duplicate_open(link);
    link->config = config;
    link->options = *options;
    if (!options->max_message)
        link->options.max_message = DEFAULT_MAX_MESSAGE;
    if (!options->receive_maximum)
        link->options.receive_maximum = DEFAULT_RECEIVE_MAXIMUM;
    link->hooks = *hooks;
    link->last = &link->first;
    link->since_ms = lf_clock_wall_ms();
    lf_mutex_init(&link->mutex);
    enum lf_status status = lf_wake_open(&link->wake, err);
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
    link__topics_clear(link);
    free(link->batch);
    lf_wake_close(&link->wake);
    lf_mutex_destroy(&link->mutex);
    free(link);
    mosquitto_lib_cleanup();
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
    char broker[300];
    snprintf(broker, sizeof broker, "%s://%s:%d", link->config->tls ? "mqtts" : "mqtt", link->config->host,
             link->config->port);
    lf_mutex_lock(&link->mutex);
    lf_json_set_text(health, "state", state_names[link->state]);
    lf_json_set_time(health, "since", link->since_ms);
    lf_json_set_text(health, "broker", broker);
    lf_json_set_text(health, "error", link->error[0] ? link->error : NULL);
    lf_json_set_int(health, "messages_in", (int64_t)link->messages_in);
    lf_json_set_int(health, "bytes_in", (int64_t)link->bytes_in);
    lf_json_set_int(health, "messages_out", (int64_t)link->messages_out);
    if (link->rate)
        lf_json_set_int(health, "messages_a_second_max", link->rate);
    lf_json_set_int(health, "reconnects", (int64_t)link->reconnects);
    lf_json_set_int(health, "takeovers", (int64_t)link->takeovers);
    char *duplicate = link__duplicate_text(link);
    lf_json_set_text(health, "duplicate", duplicate);
    lf_json_set_int(health, "refused_batches", (int64_t)link->refused_batches);
    lf_mutex_unlock(&link->mutex);
    free(duplicate);
    return health;
}
