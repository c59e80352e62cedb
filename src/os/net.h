/* Addresses and sockets. A socket belongs to one thread. */
#ifndef LF_OS_NET_H
#define LF_OS_NET_H

#include "os/wait.h"

struct lf_addresses;

/* Looks up a host (a name or a number) and a port (a number). Returns owned: lf_addresses_free. LF_NOT_FOUND:
 * the name is not known; LF_DISCONNECTED: the name server cannot be asked; LF_TIMEOUT; LF_CANCELLED. All are
 * transient. */
enum lf_status lf_net_lookup(const char *host, const char *port, int64_t deadline,
                             const struct lf_cancel *cancel, struct lf_addresses **addresses,
                             struct lf_error *err);
/* The address of a Unix socket. LF_INVALID: longer than LF_LOCAL_PATH_MAX. */
enum lf_status lf_net_local(const char *path, struct lf_addresses **addresses, struct lf_error *err);
void lf_addresses_free(struct lf_addresses *addresses); /* NULL is fine */

enum { LF_LOCAL_PATH_MAX = 107 }; /* bytes in the path of a Unix socket */

/* Parses a numeric address: 4 bytes for IPv4, 16 for IPv6. Returns how many; 0: it is not an address. */
size_t lf_net_parse(const char *text, unsigned char bytes[16]);

/* Zeroed: closed. */
struct lf_socket {
    struct lf_waitable waitable;
};

/* Connects to the first address that answers; each gets its share of the time. `what` names the peer in
 * messages. LF_REFUSED (nobody listens), LF_NOT_FOUND (no such Unix socket), LF_DENIED (needs a person),
 * LF_UNSUPPORTED (no network leads there), LF_TIMEOUT, LF_CANCELLED, LF_DISCONNECTED (anything else);
 * transient but for LF_DENIED. A TCP connection sends at once, and notices within 35 s that its peer has
 * vanished. */
enum lf_status lf_socket_connect(struct lf_socket *socket, const struct lf_addresses *addresses,
                                 int64_t deadline, const struct lf_cancel *cancel, const char *what,
                                 struct lf_error *err);
void lf_socket_close(struct lf_socket *socket);
/* Neither waits. LF_OK with *count > 0; LF_BUSY: nothing now, wait for it; LF_DISCONNECTED with the reason
 * alone as its text. */
enum lf_status lf_socket_read(const struct lf_socket *socket, void *data, size_t room, size_t *count,
                              struct lf_error *err);
enum lf_status lf_socket_write(const struct lf_socket *socket, const void *data, size_t len, size_t *count,
                               struct lf_error *err);

/* Ends a connection that a library made. lf_socket_share takes a handle of the library's socket (`native`);
 * once the library has closed its own, lf_socket_linger announces that nothing more will be sent, and reads
 * and drops what still arrives until the peer closes or the deadline passes. Closing with something unread
 * would reset the connection, and the peer could lose what was sent last. */
enum lf_status lf_socket_share(intptr_t native, struct lf_socket *copy);
void lf_socket_linger(struct lf_socket *socket, int64_t deadline);

/* Creates a socket for a library; programs that are started later do not inherit it. -1: failed. */
intptr_t lf_socket_make(int family, int type, int protocol);

#endif
