/* Local sockets: streams between programs of this machine, with the caller's identity and an open file
 * passed along. Unix sockets here. Descriptors are non-blocking and closed on exec; every wait has a
 * deadline and a cancel (may be NULL).
 */
#ifndef LF_OS_LOCAL_H
#define LF_OS_LOCAL_H

#include "os/file.h"
#include "os/wait.h"

#include <stddef.h>
#include <stdint.h>

/* Listens at `path` with this mode and group (NULL: as it comes). A socket file that nobody listens on any
 * more is replaced; LF_BUSY when somebody does; LF_EXISTS when the path is something else. Missing folders
 * are made (mode 755). */
enum lf_status lf_local_listen(const char *path, unsigned mode, const char *group, int *fd,
                               struct lf_error *err);
/* Ends listening and removes the socket file, if it is still this one. fd -1 is fine. */
void lf_local_unlisten(const char *path, int fd);
/* The next caller; *fd -1 (and LF_OK) when there is none. LF_FULL: no descriptors left, try later. */
enum lf_status lf_local_accept(int listening, int *fd, struct lf_error *err);
/* Errors: LF_NOT_FOUND (no such file), LF_DISCONNECTED (nobody listens), LF_DENIED, LF_TIMEOUT. */
enum lf_status lf_local_connect(const char *path, int64_t deadline, int *fd, struct lf_error *err);

enum { LF_PEER_NAME = 64 };

/* Who is at the other end, as the kernel says. */
struct lf_peer {
    int64_t user;
    char name[LF_PEER_NAME]; /* "maria", or "uid 1000" */
    bool self;               /* root, or the user that this program runs as */
    bool member;             /* of the group that was asked about */
};
enum lf_status lf_local_peer(int fd, const char *group, struct lf_peer *peer, struct lf_error *err);

/* Sends all bytes; `pass` (NULL: none) is an open file for the other end, which gets a handle of its own. */
enum lf_status lf_local_send(int fd, const void *data, size_t len, const struct lf_file *pass,
                             int64_t deadline, const struct lf_cancel *cancel, struct lf_error *err);
/* Receives some bytes; *got 0: the other end has closed. *passed: a file that came with them (owned), else
 * left as it is. */
enum lf_status lf_local_receive(int fd, void *data, size_t room, int64_t deadline,
                                const struct lf_cancel *cancel, size_t *got, struct lf_file *passed,
                                struct lf_error *err);

#endif
