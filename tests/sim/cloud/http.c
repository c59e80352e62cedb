/* The HTTP server. A request lives from the first callback to `completed`; it is dispatched once its body is
 * whole: fault that strikes before → limits and authentication → shapes → handler, under the lock → fault
 * that spoils the answer → answer. */
#include "http.h"

#include "auth.h"
#include "pour.h"
#include "requests.h"
#include "shape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { CONNECTIONS = 200, IDLE_SECONDS = 120, FILE_LIMIT = 64 * 1024 };

const char *sim_request_header(const struct sim_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *sim_query(const struct sim_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

void sim_http_reset(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                   MHD_CONNECTION_INFO_CONNECTION_FD);
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    if (info) {
        /* Disconnecting a TCP socket this way sends RST at once and leaves the descriptor to the server. */
        (void)connect(info->connect_fd, &nowhere, sizeof nowhere);
    }
}

/* ---- routes ---- */

static bool match_pattern(const char *pattern, const char *path, char params[SIM_PARAMS][SIM_PARAM])
{
    for (int n = 0; *pattern;) {
        if (!strncmp(pattern, "{}", 2) && n < SIM_PARAMS) {
            size_t len = strcspn(path, "/:");
            if (len == 0 || len >= SIM_PARAM)
                return false;
            memcpy(params[n], path, len);
            params[n++][len] = '\0';
            path += len;
            pattern += 2;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

/* Sets request->route. *other_method tells whether the path exists under another method. */
static void find_route(struct sim_request *request, bool *other_method)
{
    bool control = !strncmp(request->path, "/sim/", 5);
    *other_method = false;
    for (const struct sim_route *r = control ? sim_control_routes : sim_api_routes; r->method; r++) {
        if (!match_pattern(r->pattern, request->path, request->params))
            continue;
        if (!strcmp(r->method, request->method)) {
            request->route = r;
            return;
        }
        *other_method = true;
    }
}

static struct sim_reply no_route(const struct sim_request *request, bool other_method)
{
    if (other_method)
        return sim_reply_error(405, "Method %s is not allowed here", request->method);
    return sim_reply_error(404, "The simulator has no %s %.200s; tests/sim/cloud/README.md lists what it has",
                           request->method, request->path);
}

/* ---- what was sent ---- */

static enum MHD_Result take_query(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    struct sim_request *request = cls;
    const char *shape = request->route->query ? request->route->query : "";
    sim_set(request->query, key, sim_shape_query_value(shape, key, value ? value : ""));
    return MHD_YES;
}

static bool check_query(struct sim_request *request, struct sim_reply *reply)
{
    char problem[160];
    request->query = cJSON_CreateObject();
    if (!strncmp(request->path, "/presigned/", 11))
        return true;
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, take_query, request);
    const char *shape = request->route->query ? request->route->query : "";
    if (!sim_shape_check(shape, request->query, problem, sizeof problem)) {
        *reply = sim_reply_error(400, "Query: %s", problem);
        return false;
    }
    return true;
}

static bool is_json_type(const struct sim_request *request)
{
    const char *type = sim_request_header(request, "Content-Type");
    return type && !strncasecmp(type, "application/json", 16);
}

static bool check_body(struct sim_request *request, struct sim_reply *reply)
{
    char problem[160];
    struct lf_error error = {0};
    const char *shape = request->route->body;
    if (request->route->flags & SIM_FORM)
        return true;
    if (request->raw.len == 0 && (!shape || request->route->flags & SIM_CONTROL)) {
        request->body = cJSON_CreateObject();
    } else if (!(request->route->flags & SIM_CONTROL) && !is_json_type(request)) {
        *reply = sim_reply_error(400, "The request body must be sent as application/json");
        return false;
    } else if (lf_json_parse(lf_buffer_slice(&request->raw), &request->body, &error) != LF_OK) {
        *reply = sim_reply_error(400, "The request body is not JSON: %.200s", error.text);
        return false;
    }
    lf_buffer_free(&request->raw);
    if (!sim_shape_check(shape ? shape : "", request->body, problem, sizeof problem)) {
        *reply = sim_reply_error(400, "%s", problem);
        return false;
    }
    return true;
}

static bool from_loopback(const struct sim_request *request)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->connection,
                                                                   MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr_in *in = info ? (const struct sockaddr_in *)(const void *)info->client_addr : NULL;
    return in && in->sin_family == AF_INET && (ntohl(in->sin_addr.s_addr) >> 24) == 127;
}

/* ---- from request to reply ---- */

static struct sim_reply handle(struct sim_request *request)
{
    struct sim_reply reply = {.fd = -1};
    struct sim *sim = request->sim;
    bool control = request->route->flags & SIM_CONTROL;
    if (control && !from_loopback(request))
        return sim_reply_error(403, "The control API answers only on loopback");
    if (request->too_large)
        return sim_reply_error(413, "Request body exceeds %lld bytes", (long long)sim->options.max_body);
    sim_lock(sim);
    bool allowed = sim_auth_check(request, &reply);
    sim_unlock(sim);
    if (allowed && check_query(request, &reply) && check_body(request, &reply)) {
        sim_lock(sim);
        reply = request->route->handle(request);
        sim_unlock(sim);
    }
    return reply;
}

static struct sim_reply handle_with_faults(struct sim_request *request)
{
    struct sim_reply reply = {.fd = -1}, spoilt = {.fd = -1};
    if (request->hit.ms > 0)
        sim_faults_wait(request->sim, request->hit.ms);
    if (!request->hit.act && sim_fault_replaces(&request->hit, &reply))
        return reply;
    reply = handle(request);
    if (sim_fault_replaces(&request->hit, &spoilt)) {
        if (request->hit.kind == SIM_FAULT_WRONG_SCHEMA || request->hit.kind == SIM_FAULT_NOT_JSON)
            spoilt.status = reply.status;
        sim_reply_free(&reply);
        return spoilt;
    }
    return reply;
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (value && value[0])
        MHD_add_response_header(response, name, value);
}

static void add_number(struct MHD_Response *response, const char *name, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    MHD_add_response_header(response, name, text);
}

static void add_limits(struct sim_request *request, struct MHD_Response *response)
{
    if (request->hit.kind == SIM_FAULT_STATUS && !request->hit.headers)
        return;
    struct sim_budget budget = sim_auth_budget(request->sim, request->identity);
    if (request->hit.kind == SIM_FAULT_STATUS && request->hit.status == 429) {
        budget.remaining = 0;
        budget.reset = request->hit.reset > 0 ? request->hit.reset : budget.reset;
    }
    add_number(response, "x-rate-limit-limit", budget.limit);
    add_number(response, "x-rate-limit-remaining", budget.remaining);
    add_number(response, "x-rate-limit-reset", budget.reset);
}

static enum MHD_Result send_reply(struct sim_request *request, struct sim_reply *reply)
{
    unsigned status = reply->status;
    char location[sizeof reply->location], range[sizeof reply->range], etag[sizeof reply->etag];
    char mime[sizeof reply->mime_own];
    bool ranges = reply->ranges;
    snprintf(mime, sizeof mime, "%s", reply->mime_own[0] ? reply->mime_own : reply->mime ? reply->mime : "");
    memcpy(location, reply->location, sizeof location);
    memcpy(range, reply->range, sizeof range);
    memcpy(etag, reply->etag, sizeof etag);
    struct MHD_Response *response = sim_pour_response(request->sim, request->connection, reply,
                                                      &request->hit);
    if (!response)
        return MHD_NO;
    add_header(response, "Content-Type", mime);
    add_header(response, "Location", location);
    add_header(response, "Content-Range", range);
    add_header(response, "ETag", etag);
    add_header(response, "Accept-Ranges", ranges ? "bytes" : NULL);
    if (!request->route || !(request->route->flags & (SIM_CONTROL | SIM_UNMETERED)))
        add_limits(request, response);
    if (request->hit.retry_after > 0)
        add_number(response, "Retry-After", request->hit.retry_after);
    enum MHD_Result result = MHD_queue_response(request->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result dispatch(struct sim_request *request)
{
    struct sim_reply reply;
    bool resets = request->hit.kind == SIM_FAULT_RESET_BEFORE || request->hit.kind == SIM_FAULT_RESET_AFTER
                  || request->hit.kind == SIM_FAULT_RESET_REQUEST;
    if (request->hit.kind == SIM_FAULT_RESET_BEFORE || request->hit.kind == SIM_FAULT_RESET_REQUEST) {
        reply = (struct sim_reply){.fd = -1};
    } else if (request->route) {
        reply = handle_with_faults(request);
    } else {
        bool other_method;
        find_route(request, &other_method);
        reply = no_route(request, other_method);
    }
    sim_requests_note(request, resets ? 0 : reply.status);
    if (resets) {
        sim_reply_free(&reply);
        sim_http_reset(request->connection);
        return MHD_NO;
    }
    return send_reply(request, &reply);
}

/* ---- callbacks ---- */

/* The path below the base path; the base path itself is optional, as a proxy may have taken it off. */
static const char *strip_base(const struct sim *sim, const char *url)
{
    size_t len = strlen(sim->options.base_path);
    return len && !strncmp(url, sim->options.base_path, len) && url[len] == '/' ? url + len : url;
}

static enum MHD_Result begin(struct sim *sim, struct MHD_Connection *connection, const char *url,
                             const char *method, void **slot)
{
    struct sim_request *request = sim_alloc(sizeof *request);
    bool other_method;
    request->sim = sim;
    request->connection = connection;
    request->raw.max = (size_t)sim->options.max_body;
    snprintf(request->method, sizeof request->method, "%s", method);
    snprintf(request->path, sizeof request->path, "%s", strip_base(sim, url));
    find_route(request, &other_method);
    if (!request->route || !(request->route->flags & SIM_CONTROL)) {
        sim_lock(sim);
        request->hit = sim_faults_pick(sim, request->method, request->path);
        sim_unlock(sim);
    }
    *slot = request;
    return MHD_YES;
}

static enum MHD_Result receive(struct sim_request *request, const char *data, size_t *size)
{
    request->received += (int64_t)*size;
    if (request->hit.kind == SIM_FAULT_RESET_REQUEST && request->received >= request->hit.bytes) {
        sim_requests_note(request, 0);
        sim_http_reset(request->connection);
        return MHD_NO;
    }
    if (!request->too_large && lf_buffer_append(&request->raw, data, *size) != LF_OK) {
        request->too_large =
            true; /* the rest is read and forgotten, so that the client gets to see the answer */
        lf_buffer_free(&request->raw);
    }
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **slot)
{
    (void)version;
    struct sim_request *request = *slot;
    if (!request)
        return begin(cls, connection, url, method, slot);
    return *size ? receive(request, data, size) : dispatch(request);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode why)
{
    (void)cls, (void)connection, (void)why;
    struct sim_request *request = *slot;
    if (request) {
        cJSON_Delete(request->query);
        cJSON_Delete(request->body);
        lf_buffer_free(&request->raw);
        free(request);
        *slot = NULL;
    }
}

/* ---- start ---- */

static char *read_file(const char *path)
{
    char *text = sim_alloc(FILE_LIMIT);
    FILE *file = fopen(path, "re");
    if (!file || fread(text, 1, FILE_LIMIT - 1, file) == 0)
        sim_die("cannot read %s: %s", path, file ? "it is empty" : strerror(errno));
    fclose(file);
    return text;
}

static void set_urls(struct sim *sim, int port)
{
    const struct sim_options *o = &sim->options;
    const char *scheme = o->cert ? "https" : "http";
    snprintf(sim->base_url, sizeof sim->base_url, "%s://%s:%d", scheme, o->listen, port);
    if (o->public_url)
        snprintf(sim->base_url, sizeof sim->base_url, "%s", o->public_url);
    memcpy(sim->download_url, sim->base_url, sizeof sim->download_url);
    if (o->download_host)
        snprintf(sim->download_url, sizeof sim->download_url, "%s://%s:%d", scheme, o->download_host, port);
}

struct MHD_Daemon *sim_http_start(struct sim *sim, int *port)
{
    const struct sim_options *o = &sim->options;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
    if (inet_pton(AF_INET, o->listen, &address.sin_addr) != 1)
        sim_die("--listen %s is no IPv4 address", o->listen);
    char *key = o->key ? read_file(o->key) : NULL, *cert = o->cert ? read_file(o->cert) : NULL;
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL
                     | (cert ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_KEY, 0, key},
                                   {MHD_OPTION_HTTPS_MEM_CERT, 0, cert},
                                   {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_Daemon *daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, sim, MHD_OPTION_SOCK_ADDR,
                                                 (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT,
                                                 (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                                                 (unsigned)IDLE_SECONDS, MHD_OPTION_NOTIFY_COMPLETED,
                                                 on_completed, NULL, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
                                                 MHD_OPTION_ARRAY, cert ? tls : none, MHD_OPTION_END);
    if (!daemon) {
        sim_die("cannot listen on %s:%d: %s", o->listen, (int)o->port,
                cert ? "the port is taken, or --cert and --key do not fit" : strerror(errno));
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    *port = info && info->port ? info->port : (int)o->port;
    set_urls(sim, *port);
    free(key);
    free(cert);
    return daemon;
}
