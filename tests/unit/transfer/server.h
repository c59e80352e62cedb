/* A raw HTTP server for tests: the handler writes the very bytes of the answer, so it can cut, stall, lie and
 * break off, which a well-behaved server library would not let it. One thread a connection. HTTP/1.1 with
 * Content-Length only.
 */
#ifndef TEST_SERVER_H
#define TEST_SERVER_H

#include "os/wait.h"

#include <stddef.h>
#include <stdint.h>

struct server;

struct server_call {
    char method[16];
    char target[2048];
    char *headers; /* raw, NUL-terminated */
    char *body;
    size_t body_len;
    int connection; /* counts from 1 */
    int number;     /* of the call in the server's life, from 1 */
    bool close;     /* set by the handler: close the connection after this */
    struct server *server;
    int fd;
    void *tls;
};

/* Called on the connection's thread. */
typedef void (*server_handler)(void *context, struct server_call *call);

enum server_tls { SERVER_PLAIN, SERVER_TLS_GOOD, SERVER_TLS_NOT_YET, SERVER_TLS_EXPIRED };

/* Listens on a free port of 127.0.0.1. With TLS: a self-signed certificate for 127.0.0.1, written to ca_file.
 * NULL on failure. */
struct server *server_open(server_handler handler, void *context, enum server_tls tls, const char *ca_file);
int server_port(const struct server *server);
int server_calls(struct server *server);
void server_close(struct server *server);

void server_send(struct server_call *call, const void *bytes, size_t len);
void server_say(struct server_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A whole answer. extra: header lines each with \r\n, or "". */
void server_reply(struct server_call *call, int status, const char *extra, const char *body);
/* Value of a header; "" if there is none. */
const char *server_header(const struct server_call *call, const char *name, char *value, size_t room);
/* Waits, but not beyond server_close. False when the server is closing. */
bool server_pause(struct server_call *call, int64_t ms);
/* Ends the connection with a reset in place of an orderly end. */
void server_reset(struct server_call *call);

#endif
