/* The control socket's server.
 *
 * The worker "control" accepts callers; each gets a thread of its own ("client", at most CLIENTS_MAX), so a
 * verb that waits for an instrument blocks nobody else. A client thread reads a line, performs the verb and
 * writes a line, until the caller disconnects or is idle for IDLE_MS. Only `clients` is shared.
 * lf_server_close cancels all waits and returns when the last client thread has ended.
 */
#include "control/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "control/answer.h"
#include "control/verbs.h"
#include "os/local.h"
#include "os/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS_MAX = 16,
    IDLE_MS = 60 * 1000,    /* between requests */
    REQUEST_MS = 10 * 1000, /* from the first byte of a request to its end; for writing an answer */
    CROWDED_MS = 500,       /* pause when the system has no descriptors left */
    READ_BYTES = 16 * 1024,
};

struct lf_server {
    struct lf_context *context;
    struct lf_socket listening;
    struct lf_worker worker;
    struct lf_mutex mutex;
    struct lf_cond client_gone;
    int clients;
};

struct client {
    struct lf_server *server;
    struct lf_socket socket;
    struct lf_file file; /* came with the request that is being read */
    struct lf_buffer in;
    char who[LF_PEER_NAME + 8];
    char denied[160]; /* why it may only look; empty: it may do everything */
};

/* ---- one client ---- */

static enum lf_status send_answer(struct lf_socket socket, enum lf_status status, cJSON *result,
                                  const struct lf_error *why, int64_t deadline,
                                  const struct lf_cancel *cancel)
{
    cJSON *answer = control__answer_of(status, result, why);
    char *text = answer ? control__answer_print(answer) : NULL;
    char *line = text ? lf_format("%s\n", text) : NULL;
    static const char no_memory[] =
        "{\"ok\":false,\"error\":{\"status\":\"no memory\",\"class\":\"transient\","
        "\"text\":\"the agent is out of memory\"}}\n";
    const char *sent = line ? line : no_memory;
    struct lf_error err = {0};
    status = lf_local_send(&socket, sent, strlen(sent), NULL, deadline, cancel, &err);
    free(line);
    free(text);
    cJSON_Delete(answer);
    return status;
}

static enum lf_status answer_client(struct client *client, enum lf_status status, cJSON *result,
                                    const struct lf_error *why)
{
    return send_answer(client->socket, status, result, why, lf_deadline_in(REQUEST_MS),
                       &client->server->worker.cancel);
}

/* It hung up (an operator's Ctrl-C), or the agent stops. */
static bool is_gone(void *context)
{
    struct client *client = context;
    unsigned ready = 0;
    lf_wait(client->socket.waitable, LF_READABLE, lf_deadline_in(0), NULL, &ready);
    return ready & LF_HUNG_UP || lf_cancel_is_set(&client->server->worker.cancel);
}

static enum lf_status perform_line(struct client *client, struct lf_slice line, cJSON **result,
                                   struct lf_error *err)
{
    static const char *const keys[] = {"verb", "args", NULL};
    struct lf_cancel gone = {.asked = is_gone, .context = client};
    cJSON *json = NULL;
    bool settled;
    enum lf_status status = control__parse(line, &json, err);
    if (status != LF_OK)
        lf_error_prefix(err, "the request is not valid JSON");
    else if (!cJSON_IsObject(json) || !lf_json_text(json, "verb"))
        status = lf_fail(err, LF_INVALID, LF_PERMANENT,
                         "a request looks like {\"verb\": \"status\", \"args\": {}}");
    if (status == LF_OK)
        status = control__check_keys(json, keys, "{\"verb\": \"status\", \"args\": {}}", err);
    struct lf_verb_request request = {.verb = lf_json_text(json, "verb"),
                                      .args = lf_json_at(json, "args"),
                                      .who = client->who,
                                      .denied = *client->denied ? client->denied : NULL,
                                      .file = lf_file_is_open(&client->file) ? &client->file : NULL,
                                      .gone = &gone};
    if (status == LF_OK)
        status = lf_verb_perform(client->server->context, &request, &settled, result, err);
    cJSON_Delete(json);
    return status;
}

static enum lf_status serve_line(struct client *client, size_t len)
{
    cJSON *result = NULL;
    struct lf_error err = {0};
    enum lf_status status = perform_line(client, lf_slice(client->in.data, len), &result, &err);
    lf_buffer_consume(&client->in, len + 1);
    lf_file_close(&client->file);
    return answer_client(client, status, result, &err);
}

/* Reads up to the end of a line; *len is its length. */
static enum lf_status read_line(struct client *client, size_t *len, struct lf_error *err)
{
    struct lf_buffer *in = &client->in;
    int64_t deadline = lf_deadline_in(in->len ? REQUEST_MS : IDLE_MS);
    for (;;) {
        char *end = in->len ? memchr(in->data, '\n', in->len) : NULL;
        *len = end ? (size_t)(end - in->data) : in->len;
        if (*len > LF_CONTROL_MAX)
            return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "the request is too large: at most %d bytes",
                           LF_CONTROL_MAX);
        if (end)
            return LF_OK;
        char *room = lf_buffer_reserve(in, READ_BYTES);
        size_t got = 0;
        bool first = in->len == 0;
        if (!room)
            return lf_fail_memory(err, "reading a request");
        enum lf_status status = lf_local_receive(&client->socket, room, READ_BYTES, deadline,
                                                 &client->server->worker.cancel, &got, &client->file, err);
        if (status == LF_OK && got == 0)
            return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the caller closed the connection");
        if (status != LF_OK)
            return status;
        in->len += got;
        if (first)
            deadline = lf_deadline_in(REQUEST_MS);
    }
}

static enum lf_status identify_client(struct client *client, struct lf_error *err)
{
    const char *group = client->server->context->config->agent.operators;
    struct lf_peer peer;
    enum lf_status status = lf_local_peer(&client->socket, group, &peer, err);
    if (status != LF_OK)
        return status;
    snprintf(client->who, sizeof client->who, "cli:%s", peer.name);
    if (peer.self || peer.member)
        return LF_OK;
    if (group)
        snprintf(client->denied, sizeof client->denied,
                 "only root, the agent's own user and members of the group %.64s may", group);
    else
        snprintf(client->denied, sizeof client->denied,
                 "only root and the agent's own user may; agent.operators can name a group of operators");
    return LF_OK;
}

static void release_slot(struct lf_server *server)
{
    lf_mutex_lock(&server->mutex);
    server->clients--;
    lf_cond_broadcast(&server->client_gone);
    lf_mutex_unlock(&server->mutex);
}

static void *serve_client(void *arg)
{
    struct client *client = arg;
    struct lf_server *server = client->server;
    struct lf_error err = {0};
    size_t len;
    enum lf_status status = identify_client(client, &err);
    while (status == LF_OK && !lf_cancel_is_set(&server->worker.cancel)) {
        status = read_line(client, &len, &err);
        if (status == LF_OK)
            status = serve_line(client, len);
        else if (status != LF_DISCONNECTED && status != LF_CANCELLED && client->in.len)
            answer_client(client, status, NULL, &err);
    }
    lf_file_close(&client->file);
    lf_socket_close(&client->socket);
    lf_buffer_free(&client->in);
    free(client);
    release_slot(server);
    return NULL;
}

/* ---- accepting ---- */

static enum lf_status reserve_slot(struct lf_server *server, struct lf_error *err)
{
    lf_mutex_lock(&server->mutex);
    bool full = server->clients == CLIENTS_MAX;
    server->clients += !full;
    lf_mutex_unlock(&server->mutex);
    return full ? lf_fail(err, LF_BUSY, LF_TRANSIENT,
                          "the agent already serves %d callers; try again in a moment", CLIENTS_MAX)
                : LF_OK;
}

static enum lf_status start_client(struct lf_server *server, struct lf_socket socket, struct lf_error *err)
{
    struct lf_thread thread;
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return lf_fail_memory(err, "serving a caller");
    *client = (struct client){.server = server, .socket = socket, .in.max = LF_CONTROL_MAX + 2 * READ_BYTES};
    enum lf_status status = lf_thread_start(&thread, "client", serve_client, client, err);
    if (status == LF_OK)
        lf_thread_detach(&thread);
    else
        free(client);
    return status;
}

/* A new socket has room for the answer, so this never waits for a caller that does not read. */
static void reject_client(struct lf_socket socket, const struct lf_error *why)
{
    send_answer(socket, why->status, NULL, why, lf_deadline_in(0), NULL);
    lf_socket_close(&socket);
}

static int64_t accept_client(void *context)
{
    struct lf_server *server = context;
    struct lf_error err = {0};
    struct lf_socket socket;
    if (lf_wait(server->listening.waitable, LF_READABLE, LF_NEVER, &server->worker.cancel, NULL)
        == LF_CANCELLED)
        return LF_NEVER;
    if (lf_local_accept(&server->listening, &socket, &err) != LF_OK) {
        lf_log_warning("control", "%s", err.text);
        return lf_deadline_in(CROWDED_MS);
    }
    if (!socket.waitable.os)
        return 0;
    if (reserve_slot(server, &err) != LF_OK) {
        reject_client(socket, &err);
    } else if (start_client(server, socket, &err) != LF_OK) {
        release_slot(server);
        reject_client(socket, &err);
    }
    return 0;
}

/* ---- opening and closing ---- */

enum lf_status lf_server_open(struct lf_context *context, struct lf_server **out, struct lf_error *err)
{
    const struct lf_config_agent *config = &context->config->agent;
    struct lf_server *server = calloc(1, sizeof *server);
    if (!server)
        return lf_fail_memory(err, "opening the control socket");
    *server = (struct lf_server){.context = context};
    lf_mutex_init(&server->mutex);
    lf_cond_init(&server->client_gone);
    enum lf_status status = lf_worker_open(&server->worker, err);
    if (status == LF_OK)
        status = lf_local_listen(config->socket, config->operators, &server->listening, err);
    if (status == LF_OK)
        status = lf_worker_start(&server->worker, "control", accept_client, server, err);
    if (status != LF_OK) {
        lf_error_prefix(err, "control socket (agent.socket)");
        lf_server_close(server);
        return status;
    }
    *out = server;
    return LF_OK;
}

void lf_server_close(struct lf_server *server)
{
    if (!server)
        return;
    if (server->worker.opened) {
        lf_worker_stop(&server->worker);
        lf_worker_join(&server->worker);
    }
    lf_local_unlisten(server->context->config->agent.socket, &server->listening);
    lf_mutex_lock(&server->mutex);
    while (server->clients > 0)
        lf_cond_wait(&server->client_gone, &server->mutex, LF_NEVER);
    lf_mutex_unlock(&server->mutex);
    lf_worker_close(&server->worker);
    lf_cond_destroy(&server->client_gone);
    lf_mutex_destroy(&server->mutex);
    free(server);
}
