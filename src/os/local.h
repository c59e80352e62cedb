/* Local sockets: streams between programs of this machine, with the caller's identity and open files passed
 * along. Every wait has a deadline and a cancel (may be NULL). Sockets are closed with lf_socket_close,
 * listeners with lf_local_unlisten.
 */
#ifndef LF_OS_LOCAL_H
#define LF_OS_LOCAL_H

#include "os/file.h"
#include "os/net.h"

#include <stddef.h>
#include <stdint.h>

/* Listens at `path` for our user, root and the group (NULL: our own). A stale socket is replaced; LF_BUSY:
 * another program listens there; LF_EXISTS: the path is something else. Missing folders are created. */
enum lf_status lf_local_listen(const char *path, const char *group, struct lf_socket *listener,
                               struct lf_error *err);
/* LF_INVALID: a socket's path cannot be as long. */
enum lf_status lf_local_check_path(const char *path, struct lf_error *err);
/* LF_NOT_FOUND: there is no such group. */
enum lf_status lf_local_check_group(const char *group, struct lf_error *err);
/* Ends listening and removes the socket, if it is still this one. A closed listener is fine. */
void lf_local_unlisten(const char *path, struct lf_socket *listener);
/* The next caller; never waits. LF_OK with *caller closed: there is none. LF_FULL: too many open files, try
 * later. */
enum lf_status lf_local_accept(const struct lf_socket *listener, struct lf_socket *caller,
                               struct lf_error *err);
/* Errors: LF_NOT_FOUND (no such file), LF_DISCONNECTED (nobody listens), LF_DENIED, LF_TIMEOUT. */
enum lf_status lf_local_connect(const char *path, int64_t deadline, struct lf_socket *socket,
                                struct lf_error *err);

enum { LF_PEER_NAME = 64 };

/* Who is at the other end, according to the kernel. */
struct lf_peer {
    int64_t user;
    char name[LF_PEER_NAME]; /* "maria", or "uid 1000" */
    bool self;               /* root, or the user that this program runs as */
    bool member;             /* of the group that was asked about */
};
enum lf_status lf_local_peer(const struct lf_socket *socket, const char *group, struct lf_peer *peer,
                             struct lf_error *err);

/* Sends all bytes; `pass` (NULL: none) is an open file for the other end, which gets a handle of its own. */
enum lf_status lf_local_send(const struct lf_socket *socket, const void *data, size_t len,
                             const struct lf_file *pass, int64_t deadline, const struct lf_cancel *cancel,
                             struct lf_error *err);
/* Receives some bytes; *got 0: the other end has closed. *passed: a file that came with them (owned), else
 * left as it is. */
enum lf_status lf_local_receive(const struct lf_socket *socket, void *data, size_t room, int64_t deadline,
                                const struct lf_cancel *cancel, size_t *got, struct lf_file *passed,
                                struct lf_error *err);

#endif
