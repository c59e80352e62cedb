/* The connection of a simulated instrument: a pseudo terminal, a TCP port or a Unix socket, with one client
 * at a time, that can be unplugged and plugged in again under the same name. One thread. */
#ifndef SIM_INSTRUMENTS_WIRE_H
#define SIM_INSTRUMENTS_WIRE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum wire_kind { WIRE_NONE, WIRE_PTY, WIRE_TCP, WIRE_UNIX };

struct wire {
    enum wire_kind kind;
    char place[256]; /* link path, HOST:PORT or socket path; after wire_plug with the real port */
    int fd;          /* the client; -1 while there is none */
    int listener;    /* -1 for a PTY, and while unplugged */
    int slave;       /* PTY: held open, else the far side hangs up when a client closes */
    bool plugged;
};

/* Checks the place and plugs in. TCP port 0 takes a free one, which stays the same from then on. */
enum lf_status wire_open(struct wire *wire, enum wire_kind kind, const char *place, struct lf_error *err);
enum lf_status wire_plug(struct wire *wire, struct lf_error *err);
void wire_unplug(struct wire *wire); /* hangs up, and the name disappears */

/* Takes a waiting client; true if there is a new one. Call when the listener is readable. */
bool wire_accept(struct wire *wire);
/* Closes the client of a socket. A PTY keeps its descriptor. */
void wire_drop_client(struct wire *wire);
/* -1 with errno EAGAIN when nothing can be done now; 0 from wire_read means that the client has gone. */
ssize_t wire_read(struct wire *wire, void *data, size_t room);
ssize_t wire_write(struct wire *wire, const void *data, size_t len);
/* "serial:/tmp/balance", "tcp:127.0.0.1:8001": what the agent's configuration wants as stream. */
void wire_stream_name(const struct wire *wire, char *text, size_t room);

/* Listens on a Unix socket; replaces a socket file that nobody answers. Returns the descriptor or -1. */
int wire_listen_unix(const char *path, struct lf_error *err);

#endif
