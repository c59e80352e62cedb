#include "server.h"

#include "base/clock.h"

#include "os/thread.h"
#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, HEADERS_MAX = 32 * 1024, BODY_MAX = 64 * 1024 * 1024 };

struct connection {
    struct server *server;
    struct lf_thread thread;
    int fd, index;
    SSL *tls;
};

struct server {
    server_handler handler;
    void *context;
    int listener, port;
    struct lf_thread acceptor;
    struct lf_cancel stop;
    SSL_CTX *tls;
    atomic_int calls;
    int count;
    struct connection connections[CONNECTIONS_MAX];
};

static ssize_t get(struct server_call *call, void *into, size_t len)
{
    if (call->tls) {
        if (!SSL_pending(call->tls)
            && lf_wait(lf_waitable_socket(call->fd), LF_READABLE, LF_NEVER, &call->server->stop, NULL)
                   != LF_OK)
            return -1;
        return SSL_read(call->tls, into, (int)len);
    }
    if (lf_wait(lf_waitable_socket(call->fd), LF_READABLE, LF_NEVER, &call->server->stop, NULL) != LF_OK)
        return -1;
    return recv(call->fd, into, len, 0);
}

void server_send(struct server_call *call, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len && !call->close) {
        ssize_t sent;
        if (lf_wait(lf_waitable_socket(call->fd), LF_WRITABLE, LF_NEVER, &call->server->stop, NULL)
            != LF_OK) {
            call->close = true;
            return;
        }
        if (call->tls)
            sent = SSL_write(call->tls, at, (int)len);
        else
            sent = send(call->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0) {
            call->close = true;
            return;
        }
        at += sent;
        len -= (size_t)sent;
    }
}

void server_say(struct server_call *call, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    if (len >= 0)
        server_send(call, text, (size_t)len);
    free(text);
}

void server_reply(struct server_call *call, int status, const char *extra, const char *body)
{
    server_say(call, "HTTP/1.1 %d Test\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body), extra,
               body);
}

const char *server_header(const struct server_call *call, const char *name, char *value, size_t room)
{
    size_t len = strlen(name);
    value[0] = '\0';
    for (const char *line = call->headers; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (!strncasecmp(line, name, len) && line[len] == ':') {
            snprintf(value, room, "%.*s", (int)strcspn(line + len + 1, "\r\n"), line + len + 1);
            memmove(value, value + strspn(value, " "), strlen(value + strspn(value, " ")) + 1);
            break;
        }
    return value;
}

bool server_pause(struct server_call *call, int64_t ms)
{
    return lf_sleep_until(lf_deadline_in(ms), &call->server->stop) == LF_OK;
}

void server_reset(struct server_call *call)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    setsockopt(call->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    call->close = true;
}

/* Reads one request. False when the peer has gone. */
static bool read_call(struct server_call *call, char *buffer, size_t *have)
{
    char value[32], *end;
    while (!(end = memmem(buffer, *have, "\r\n\r\n", 4))) {
        ssize_t got = *have < HEADERS_MAX ? get(call, buffer + *have, HEADERS_MAX - *have) : -1;
        if (got <= 0)
            return false;
        *have += (size_t)got;
    }
    size_t head = (size_t)(end - buffer) + 4;
    call->headers = strndup(buffer, head);
    if (sscanf(call->headers, "%15s %2047s", call->method, call->target) != 2)
        return false;
    call->body_len = strtoul(server_header(call, "Content-Length", value, sizeof value), NULL, 10);
    if (call->body_len > BODY_MAX || !(call->body = malloc(call->body_len + 1)))
        return false;
    size_t ready = *have - head < call->body_len ? *have - head : call->body_len;
    memcpy(call->body, buffer + head, ready);
    memmove(buffer, buffer + head + ready, *have - head - ready);
    *have -= head + ready;
    while (ready < call->body_len) {
        ssize_t got = get(call, call->body + ready, call->body_len - ready);
        if (got <= 0)
            return false;
        ready += (size_t)got;
    }
    call->body[call->body_len] = '\0';
    return true;
}

static void *serve(void *arg)
{
    struct connection *connection = arg;
    struct server *server = connection->server;
    char *buffer = malloc(HEADERS_MAX);
    size_t have = 0;
    bool go_on = buffer != NULL;
    if (server->tls) {
        connection->tls = SSL_new(server->tls);
        SSL_set_fd(connection->tls, connection->fd);
        go_on = SSL_accept(connection->tls) == 1;
    }
    while (go_on) {
        struct server_call call = {.server = server,
                                   .fd = connection->fd,
                                   .connection = connection->index,
                                   .tls = connection->tls};
        go_on = read_call(&call, buffer, &have);
        if (go_on) {
            call.number = ++server->calls;
            server->handler(server->context, &call);
            go_on = !call.close;
        }
        free(call.headers);
        free(call.body);
    }
    SSL_free(connection->tls);
    free(buffer);
    close(connection->fd);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct server *server = arg;
    while (server->count < CONNECTIONS_MAX
           && lf_wait(lf_waitable_socket(server->listener), LF_READABLE, LF_NEVER, &server->stop, NULL)
                  == LF_OK) {
        struct connection *connection = &server->connections[server->count];
        connection->fd = accept(server->listener, NULL, NULL);
        connection->server = server;
        connection->index = server->count + 1;
        if (connection->fd >= 0
            && lf_thread_start(&connection->thread, "test-server", serve, connection, &(struct lf_error){0})
                   == LF_OK)
            server->count++;
    }
    return NULL;
}

static SSL_CTX *make_tls(enum server_tls tls, const char *ca_file)
{
    enum { DAY = 24 * 3600 };
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), tls == SERVER_TLS_NOT_YET ? DAY : -2 * DAY);
    X509_gmtime_adj(X509_getm_notAfter(certificate), tls == SERVER_TLS_EXPIRED ? -DAY : 2 * DAY);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION *address = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(certificate, address, -1);
    X509_EXTENSION_free(address);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    FILE *file = fopen(ca_file, "w");
    if (file) {
        PEM_write_X509(file, certificate);
        fclose(file);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

struct server *server_open(server_handler handler, void *context, enum server_tls tls, const char *ca_file)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    signal(SIGPIPE, SIG_IGN);
    server->handler = handler;
    server->context = context;
    server->tls = tls == SERVER_PLAIN ? NULL : make_tls(tls, ca_file);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->listener, (struct sockaddr *)&address, sizeof address) || listen(server->listener, 64)
        || getsockname(server->listener, (struct sockaddr *)&address, &len)
        || lf_cancel_open(&server->stop, &(struct lf_error){0}) != LF_OK
        || lf_thread_start(&server->acceptor, "test-accept", accept_all, server, &(struct lf_error){0})
               != LF_OK) {
        close(server->listener);
        SSL_CTX_free(server->tls);
        free(server);
        return NULL;
    }
    server->port = ntohs(address.sin_port);
    return server;
}

int server_port(const struct server *server)
{
    return server->port;
}

int server_calls(struct server *server)
{
    return server->calls;
}

void server_close(struct server *server)
{
    if (!server)
        return;
    lf_cancel_set(&server->stop);
    lf_thread_join(&server->acceptor);
    for (int i = 0; i < server->count; i++)
        lf_thread_join(&server->connections[i].thread);
    close(server->listener);
    lf_cancel_close(&server->stop);
    SSL_CTX_free(server->tls);
    free(server);
}
