/* The desk: serves the control socket.
 *
 * The thread "desk" takes callers; each has a thread of its own ("visitor", at most VISITORS_MAX), so that
 * a verb that waits for an instrument holds up nobody else. A visitor reads a line, performs the verb,
 * writes a line, until the caller hangs up or says nothing for IDLE_MS. `visitors` and nothing else is
 * shared; lf_server_close cancels all waits and returns when the last is gone.
 */
#include "control/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "control/answer.h"
#include "control/command_audit.h"
#include "journal/journal.h"
#include "os/local.h"
#include "os/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    VISITORS_MAX = 16,
    IDLE_MS = 60 * 1000,    /* between requests */
    REQUEST_MS = 10 * 1000, /* from the first byte of a request to its end; for writing an answer */
    CROWDED_MS = 500,       /* pause when the system has no descriptors left */
    READ_BYTES = 16 * 1024,
};

struct lf_server {
    struct lf_context *context;
    struct lf_cancel cancel;
    int listening;
    struct lf_thread thread;
    bool started;
    struct lf_mutex mutex;
    struct lf_cond left; /* a visitor has gone */
    int visitors;
};

struct visitor {
    struct lf_server *desk;
    int fd;
    struct lf_file file; /* came with the request that is being read */
    struct lf_buffer in;
    struct lf_peer peer;
    char who[LF_PEER_NAME + 8];
};

/* ---- one visitor ---- */

static enum lf_status reply(struct visitor *visitor, enum lf_status status, cJSON *result,
                            const struct lf_error *err)
{
    cJSON *answer = control__answer_of(status, result, err);
    char *text = answer ? control__answer_print(answer) : NULL;
    const char *line = text ? text
                            : "{\"ok\":false,\"error\":{\"status\":\"no memory\",\"class\":\"transient\","
                              "\"text\":\"the agent is short of memory\"}}";
    int64_t deadline = lf_deadline_in(REQUEST_MS);
    enum lf_status sent = lf_local_send(visitor->fd, line, strlen(line), NULL, deadline,
                                        &visitor->desk->cancel, NULL);
    if (sent == LF_OK)
        sent = lf_local_send(visitor->fd, "\n", 1, NULL, deadline, &visitor->desk->cancel, NULL);
    free(text);
    cJSON_Delete(answer);
    return sent;
}

static enum lf_status check_right(const struct visitor *visitor, const char *name, struct lf_error *err)
{
    const struct lf_verb *verb = lf_verb_find(name);
    const char *group = visitor->desk->context->config->agent.operators;
    if (!verb || !verb->changes || visitor->peer.self || visitor->peer.member)
        return LF_OK;
    if (!group)
        return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON,
                       "%s may not `%s`: only root and the agent's own user may. "
                       "agent.operators can name a group whose members may too",
                       visitor->peer.name, name);
    return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON,
                   "%s may not `%s`: only root, the agent's own user and members of the "
                   "group %s may",
                   visitor->peer.name, name, group);
}

/* The verdict on what only the journal knows is written together with it: both or neither. */
static enum lf_status perform_atomic(struct visitor *visitor, const struct lf_request_to_verb *request,
                                     cJSON **result, struct lf_error *err)
{
    struct lf_journal *journal = visitor->desk->context->journal;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = lf_verb_perform(visitor->desk->context, request, result, err);
    if (status == LF_OK)
        status = control__audit_command(journal, visitor->who, request->verb, request->args, "succeeded",
                                        NULL, err);
    if (status == LF_OK)
        status = lf_journal_commit(journal, err);
    else
        lf_journal_rollback(journal);
    if (status != LF_OK) {
        cJSON_Delete(*result);
        *result = NULL;
    }
    return status;
}

/* What came of something that is not in the journal alone. It has happened: if this cannot be kept, "begun"
 * stands in the trail. */
static void record_outcome(struct visitor *visitor, const struct lf_request_to_verb *request,
                           enum lf_status status, const struct lf_error *why)
{
    struct lf_error err = {0};
    if (control__audit_command(visitor->desk->context->journal, visitor->who, request->verb, request->args,
                               status == LF_OK ? "succeeded" : "failed", status == LF_OK ? NULL : why, &err)
        != LF_OK)
        lf_log_error("desk", "what came of %s by %s is not in the audit trail: %s", request->verb,
                     visitor->who, err.text);
}

/* With its entries in the audit trail, if it changes anything. */
static enum lf_status perform_recorded(struct visitor *visitor, const struct lf_request_to_verb *request,
                                       cJSON **result, struct lf_error *err)
{
    struct lf_context *context = visitor->desk->context;
    const struct lf_verb *verb = lf_verb_find(request->verb);
    if (!verb || !verb->changes)
        return lf_verb_perform(context, request, result, err);
    enum lf_status status = check_right(visitor, request->verb, err);
    if (status == LF_OK && verb->atomic) {
        status = perform_atomic(visitor, request, result, err);
    } else if (status == LF_OK) {
        status = control__audit_command(context->journal, visitor->who, request->verb, request->args, "begun",
                                        NULL, err);
        if (status != LF_OK)
            return status;
        status = lf_verb_perform(context, request, result, err);
    }
    if (status != LF_OK || !verb->atomic)
        record_outcome(visitor, request, status, err);
    return status;
}

static enum lf_status perform(struct visitor *visitor, struct lf_slice line, cJSON **result,
                              struct lf_error *err)
{
    cJSON *json = NULL;
    enum lf_status status = lf_json_parse(line, &json, err);
    if (status == LF_OK && (!cJSON_IsObject(json) || !lf_json_text(json, "verb")))
        status = lf_fail(err, LF_INVALID, LF_PERMANENT,
                         "a request looks like {\"verb\": \"status\", \"args\": {}}");
    else if (status != LF_OK)
        lf_error_prefix(err, "the request is no JSON");
    struct lf_request_to_verb request = {.verb = lf_json_text(json, "verb"),
                                         .args = lf_json_at(json, "args"),
                                         .who = visitor->who,
                                         .file = lf_file_is_open(&visitor->file) ? &visitor->file : NULL};
    if (status == LF_OK)
        status = perform_recorded(visitor, &request, result, err);
    cJSON_Delete(json);
    return status;
}

static enum lf_status serve_line(struct visitor *visitor, size_t len)
{
    cJSON *result = NULL;
    struct lf_error err = {0};
    enum lf_status status = perform(visitor, lf_slice(visitor->in.data, len), &result, &err);
    lf_buffer_consume(&visitor->in, len + 1);
    lf_file_close(&visitor->file);
    return reply(visitor, status, result, &err);
}

/* Reads until there is a whole line; *len is its length. */
static enum lf_status read_line(struct visitor *visitor, size_t *len, struct lf_error *err)
{
    struct lf_buffer *in = &visitor->in;
    int64_t deadline = lf_deadline_in(in->len ? REQUEST_MS : IDLE_MS);
    for (;;) {
        char *end = in->len ? memchr(in->data, '\n', in->len) : NULL;
        *len = end ? (size_t)(end - in->data) : in->len;
        if (*len > LF_CONTROL_MAX)
            return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "a request may have %d bytes", LF_CONTROL_MAX);
        if (end)
            return LF_OK;
        char *room = lf_buffer_reserve(in, READ_BYTES);
        size_t got = 0;
        bool first = in->len == 0;
        if (!room)
            return lf_fail_memory(err, "reading a request");
        enum lf_status status = lf_local_receive(visitor->fd, room, READ_BYTES, deadline,
                                                 &visitor->desk->cancel, &got, &visitor->file, err);
        if (status == LF_OK && got == 0)
            return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the caller has hung up");
        if (status != LF_OK)
            return status;
        in->len += got;
        if (first)
            deadline = lf_deadline_in(REQUEST_MS);
    }
}

static void *visit(void *arg)
{
    struct visitor *visitor = arg;
    struct lf_server *desk = visitor->desk;
    struct lf_error err = {0};
    size_t len;
    enum lf_status status = lf_local_peer(visitor->fd, desk->context->config->agent.operators, &visitor->peer,
                                          &err);
    snprintf(visitor->who, sizeof visitor->who, "cli:%s", visitor->peer.name);
    while (status == LF_OK && !lf_cancel_is_set(&desk->cancel)) {
        status = read_line(visitor, &len, &err);
        if (status == LF_OK)
            status = serve_line(visitor, len);
        else if (status != LF_DISCONNECTED && status != LF_CANCELLED && visitor->in.len)
            reply(visitor, status, NULL, &err);
    }
    lf_file_close(&visitor->file);
    close(visitor->fd);
    lf_buffer_free(&visitor->in);
    free(visitor);
    lf_mutex_lock(&desk->mutex);
    desk->visitors--;
    lf_cond_broadcast(&desk->left);
    lf_mutex_unlock(&desk->mutex);
    return NULL;
}

/* ---- callers ---- */

static bool take_seat(struct lf_server *desk)
{
    lf_mutex_lock(&desk->mutex);
    bool room = desk->visitors < VISITORS_MAX;
    if (room)
        desk->visitors++;
    lf_mutex_unlock(&desk->mutex);
    return room;
}

static void leave_seat(struct lf_server *desk)
{
    lf_mutex_lock(&desk->mutex);
    desk->visitors--;
    lf_mutex_unlock(&desk->mutex);
}

static enum lf_status welcome(struct lf_server *desk, int fd, struct lf_error *err)
{
    struct lf_thread thread;
    struct visitor *visitor = calloc(1, sizeof *visitor);
    if (!visitor)
        return lf_fail_memory(err, "serving a caller");
    *visitor = (struct visitor){.desk = desk, .fd = fd, .in.max = LF_CONTROL_MAX + 2 * READ_BYTES};
    enum lf_status status = lf_thread_start(&thread, "visitor", visit, visitor, err);
    if (status == LF_OK)
        lf_thread_detach(&thread);
    else
        free(visitor);
    return status;
}

/* A fresh socket has room for this: nobody waits for a caller who does not read. */
static void send_away(int fd, const struct lf_error *err)
{
    cJSON *answer = control__answer_of(err->status, NULL, err);
    char *text = answer ? control__answer_print(answer) : NULL;
    char *line = text ? lf_format("%s\n", text) : NULL;
    if (line)
        lf_local_send(fd, line, strlen(line), NULL, lf_deadline_in(0), NULL, NULL);
    free(line);
    free(text);
    cJSON_Delete(answer);
    close(fd);
}

static void *run(void *arg)
{
    struct lf_server *desk = arg;
    while (lf_wait(lf_waitable_socket(desk->listening), LF_READABLE, LF_NEVER, &desk->cancel, NULL)
           != LF_CANCELLED) {
        struct lf_error err = {0};
        int fd;
        if (lf_local_accept(desk->listening, &fd, &err) != LF_OK) {
            lf_log_warning("desk", "%s", err.text);
            lf_sleep_until(lf_deadline_in(CROWDED_MS), &desk->cancel);
            continue;
        }
        if (fd < 0)
            continue;
        if (!take_seat(desk)) {
            lf_fail(&err, LF_BUSY, LF_TRANSIENT, "the agent serves %d callers already; try again in a moment",
                    VISITORS_MAX);
            send_away(fd, &err);
        } else if (welcome(desk, fd, &err) != LF_OK) {
            leave_seat(desk);
            send_away(fd, &err);
        }
    }
    return NULL;
}

/* ---- opening and closing ---- */

enum lf_status lf_server_open(struct lf_context *context, struct lf_server **out, struct lf_error *err)
{
    const struct lf_config_agent *config = &context->config->agent;
    struct lf_server *desk = calloc(1, sizeof *desk);
    if (!desk)
        return lf_fail_memory(err, "opening the control socket");
    *desk = (struct lf_server){.context = context, .listening = -1};
    lf_mutex_init(&desk->mutex);
    lf_cond_init(&desk->left);
    enum lf_status status = lf_cancel_open(&desk->cancel, err);
    if (status == LF_OK)
        status = lf_local_listen(config->socket, 0660, config->operators, &desk->listening, err);
    if (status == LF_OK)
        status = lf_thread_start(&desk->thread, "desk", run, desk, err);
    desk->started = status == LF_OK;
    if (status != LF_OK) {
        lf_error_prefix(err, "control socket (agent.socket)");
        lf_server_close(desk);
        return status;
    }
    *out = desk;
    return LF_OK;
}

void lf_server_close(struct lf_server *desk)
{
    if (!desk)
        return;
    if (desk->started) {
        lf_cancel_set(&desk->cancel);
        lf_thread_join(&desk->thread);
    }
    lf_local_unlisten(desk->context->config->agent.socket, desk->listening);
    lf_mutex_lock(&desk->mutex);
    while (desk->visitors > 0)
        lf_cond_wait(&desk->left, &desk->mutex, LF_NEVER);
    lf_mutex_unlock(&desk->mutex);
    lf_cancel_close(&desk->cancel);
    lf_cond_destroy(&desk->left);
    lf_mutex_destroy(&desk->mutex);
    free(desk);
}
