#include "os/local.h"

#include "base/clock.h"
#include "os/dir.h"
#include "os/linux/native.h"
#include "os/path.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 32, CONNECT_PAUSE_MS = 20, PASSED_MAX = 8, NAME_ROOM = 16384, GROUPS_MAX = 65536 };

static enum lf_status address_of(const char *path, struct sockaddr_un *address, struct lf_error *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (!*path || strlen(path) >= sizeof address->sun_path)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                       "the path of a socket must have 1 to %zu bytes: %.120s", sizeof address->sun_path - 1,
                       path);
    memcpy(address->sun_path, path, strlen(path) + 1);
    return LF_OK;
}

static enum lf_status new_socket(int *fd, struct lf_error *err)
{
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return *fd < 0 ? lf_fail_errno(err, "cannot create a socket") : LF_OK;
}

/* ---- connecting ---- */

/* A full queue of callers fails with EAGAIN, and cannot be waited for. */
static enum lf_status try_connect(int fd, const struct sockaddr_un *address, int64_t deadline,
                                  struct lf_error *err)
{
    while (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        if (errno == EINTR)
            continue;
        if (errno == ENOENT)
            return lf_fail(err, LF_NOT_FOUND, LF_TRANSIENT, "the socket %s does not exist",
                           address->sun_path);
        if (errno == ECONNREFUSED)
            return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "no program listens on %s", address->sun_path);
        if (errno == ENOTSOCK)
            return lf_fail(err, LF_EXISTS, LF_NEEDS_PERSON, "%s is not a socket", address->sun_path);
        if (errno != EAGAIN)
            return lf_fail_errno(err, "cannot connect to %s", address->sun_path);
        if (lf_deadline_passed(deadline))
            return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "too many callers are waiting on %s",
                           address->sun_path);
        lf_sleep_until(lf_deadline_sooner(deadline, lf_deadline_in(CONNECT_PAUSE_MS)), NULL);
    }
    return LF_OK;
}

enum lf_status lf_local_connect(const char *path, int64_t deadline, struct lf_socket *out,
                                struct lf_error *err)
{
    struct sockaddr_un address;
    int fd = -1;
    *out = (struct lf_socket){0};
    enum lf_status status = address_of(path, &address, err);
    if (status == LF_OK)
        status = new_socket(&fd, err);
    if (status == LF_OK)
        status = try_connect(fd, &address, deadline, err);
    if (status == LF_OK)
        out->waitable = os__waitable(fd);
    else if (fd >= 0)
        close(fd);
    return status;
}

/* ---- listening ---- */

/* LF_OK: the path may be taken. */
static enum lf_status is_free(const char *path, struct lf_error *err)
{
    struct stat st;
    struct lf_socket other;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? LF_OK : lf_fail_errno(err, "cannot look at %s", path);
    if (!S_ISSOCK(st.st_mode))
        return lf_fail(err, LF_EXISTS, LF_NEEDS_PERSON, "%s exists and is not a socket; choose another path",
                       path);
    enum lf_status status = lf_local_connect(path, lf_deadline_in(0), &other, err);
    if (status == LF_NOT_FOUND || status == LF_DISCONNECTED)
        return LF_OK;
    lf_socket_close(&other);
    if (status == LF_OK || status == LF_TIMEOUT)
        return lf_fail(err, LF_BUSY, LF_NEEDS_PERSON, "another program already listens on %s", path);
    return status;
}

static enum lf_status make_folder(const char *path, struct lf_error *err)
{
    char *folder = lf_path_parent(path);
    enum lf_status status = folder ? lf_dir_make(folder, 0755, err)
                                   : lf_fail_memory(err, "creating the folder of a socket");
    free(folder);
    return status;
}

static enum lf_status find_group(const char *group, gid_t *gid, struct lf_error *err)
{
    struct group entry, *found = NULL;
    char *room = malloc(NAME_ROOM);
    if (!room)
        return lf_fail_memory(err, "looking up a group");
    int code = getgrnam_r(group, &entry, room, NAME_ROOM, &found);
    if (found)
        *gid = entry.gr_gid;
    free(room);
    return found ? LF_OK
                 : lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON, "the group \"%.60s\" does not exist%s%s",
                           group, code ? ": " : "", code ? strerror(code) : "");
}

enum lf_status lf_local_check_group(const char *group, struct lf_error *err)
{
    gid_t gid;
    return find_group(group, &gid, err);
}

static const char new_suffix[] = ".new";

enum lf_status lf_local_check_path(const char *path, struct lf_error *err)
{
    size_t most = sizeof((struct sockaddr_un *)0)->sun_path - sizeof new_suffix;
    if (!*path || strlen(path) > most)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                       "the path of a socket must have 1 to %zu bytes: %.120s", most, path);
    return LF_OK;
}

/* Binds under a temporary name and renames: under its final name it has its mode and group from the start. */
static enum lf_status bind_at(int fd, const char *path, const char *group, struct lf_error *err)
{
    char name[sizeof((struct sockaddr_un *)0)->sun_path + sizeof new_suffix];
    struct sockaddr_un address;
    gid_t gid = (gid_t)-1;
    snprintf(name, sizeof name, "%s%s", path, new_suffix);
    enum lf_status status = address_of(name, &address, err);
    if (status == LF_OK && group)
        status = find_group(group, &gid, err);
    if (status != LF_OK)
        return status;
    unlink(name);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return lf_fail_errno(err, "cannot create the socket %s", path);
    if ((group && chown(name, (uid_t)-1, gid) != 0) || chmod(name, 0660) != 0)
        status = lf_fail_errno(err, "cannot set group and mode of the socket %s", path);
    else if (listen(fd, BACKLOG) != 0 || rename(name, path) != 0)
        status = lf_fail_errno(err, "cannot listen on the socket %s", path);
    if (status != LF_OK)
        unlink(name);
    return status;
}

enum lf_status lf_local_listen(const char *path, const char *group, struct lf_socket *out,
                               struct lf_error *err)
{
    struct sockaddr_un address;
    int fd = -1;
    *out = (struct lf_socket){0};
    enum lf_status status = address_of(path, &address, err);
    if (status == LF_OK)
        status = make_folder(path, err);
    if (status == LF_OK)
        status = is_free(path, err);
    if (status == LF_OK)
        status = new_socket(&fd, err);
    if (status == LF_OK)
        status = bind_at(fd, path, group, err);
    if (status == LF_OK)
        out->waitable = os__waitable(fd);
    else if (fd >= 0)
        close(fd);
    return status;
}

/* The file was ours if no one listens on it once ours is closed. */
void lf_local_unlisten(const char *path, struct lf_socket *listener)
{
    struct lf_socket other;
    if (!listener->waitable.os)
        return;
    lf_socket_close(listener);
    enum lf_status status = lf_local_connect(path, lf_deadline_in(0), &other, &(struct lf_error){0});
    if (status == LF_DISCONNECTED)
        unlink(path);
    lf_socket_close(&other);
}

enum lf_status lf_local_accept(const struct lf_socket *listener, struct lf_socket *caller,
                               struct lf_error *err)
{
    caller->waitable = os__waitable(
        accept4(os__fd(listener->waitable), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (caller->waitable.os || errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return LF_OK;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        return lf_fail(err, LF_FULL, LF_TRANSIENT, "cannot accept another caller: %s", strerror(errno));
    return lf_fail_errno(err, "cannot accept a caller");
}

/* ---- who is it? ---- */

static void name_of(uid_t user, char name[LF_PEER_NAME])
{
    struct passwd entry, *found = NULL;
    char *room = malloc(NAME_ROOM);
    snprintf(name, LF_PEER_NAME, "uid %u", (unsigned)user);
    if (room && getpwuid_r(user, &entry, room, NAME_ROOM, &found) == 0 && found)
        snprintf(name, LF_PEER_NAME, "%s", entry.pw_name);
    free(room);
}

static bool is_in(int fd, gid_t primary, gid_t wanted)
{
    socklen_t size = 0;
    bool found = primary == wanted;
    if (found || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE || size == 0
        || size > GROUPS_MAX * sizeof(gid_t))
        return found;
    gid_t *groups = malloc(size);
    if (groups && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
        for (size_t i = 0; i < size / sizeof *groups; i++)
            found |= groups[i] == wanted;
    free(groups);
    return found;
}

enum lf_status lf_local_peer(const struct lf_socket *socket, const char *group, struct lf_peer *peer,
                             struct lf_error *err)
{
    int fd = os__fd(socket->waitable);
    struct ucred cred = {0};
    socklen_t size = sizeof cred;
    gid_t gid;
    *peer = (struct lf_peer){0};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0)
        return lf_fail_errno(err, "cannot identify the caller");
    peer->user = cred.uid;
    peer->self = cred.uid == 0 || cred.uid == geteuid();
    name_of(cred.uid, peer->name);
    peer->member = group && find_group(group, &gid, &(struct lf_error){0}) == LF_OK
                   && is_in(fd, cred.gid, gid);
    return LF_OK;
}

/* ---- bytes, and a file ---- */

/* Room for the descriptors of one message, aligned as the kernel wants it. */
union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(PASSED_MAX * sizeof(int))];
};

/* After a call that failed: LF_OK when it may be tried again. */
static enum lf_status wait_for(const struct lf_socket *socket, unsigned events, int64_t deadline,
                               const struct lf_cancel *cancel, const char *what, struct lf_error *err)
{
    if (errno == EINTR)
        return LF_OK;
    if (errno == EPIPE || errno == ECONNRESET)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the other end closed the connection");
    if (errno != EAGAIN)
        return lf_fail_errno(err, "%s failed", what);
    enum lf_status status = lf_wait(socket->waitable, events, deadline, cancel, NULL);
    if (status == LF_TIMEOUT)
        return lf_fail(err, status, LF_TRANSIENT, "%s took too long", what);
    if (status == LF_CANCELLED)
        return lf_fail(err, status, LF_TRANSIENT, "%s was cancelled", what);
    return status == LF_OK ? LF_OK : lf_fail_errno(err, "%s failed", what);
}

enum lf_status lf_local_send(const struct lf_socket *socket, const void *data, size_t len,
                             const struct lf_file *pass, int64_t deadline, const struct lf_cancel *cancel,
                             struct lf_error *err)
{
    const char *at = data;
    enum lf_status status = LF_OK;
    while (len && status == LF_OK) {
        union control control = {0};
        struct iovec bytes = {.iov_base = (void *)at, .iov_len = len};
        struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
        if (pass) {
            int passed = os__descriptor(pass->os);
            message.msg_control = control.room;
            message.msg_controllen = CMSG_SPACE(sizeof(int));
            struct cmsghdr *header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            memcpy(CMSG_DATA(header), &passed, sizeof passed);
        }
        ssize_t sent = sendmsg(os__fd(socket->waitable), &message, MSG_NOSIGNAL);
        if (sent < 0) {
            status = wait_for(socket, LF_WRITABLE, deadline, cancel, "sending", err);
            continue;
        }
        at += sent;
        len -= (size_t)sent;
        pass = NULL;
    }
    return status;
}

/* Keeps the first descriptor, closes all others. */
static void take_passed(struct msghdr *message, struct lf_file *passed)
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (!lf_file_is_open(passed))
                passed->os = os__handle(fd);
            else
                close(fd);
        }
    }
}

enum lf_status lf_local_receive(const struct lf_socket *socket, void *data, size_t room, int64_t deadline,
                                const struct lf_cancel *cancel, size_t *got, struct lf_file *passed,
                                struct lf_error *err)
{
    enum lf_status status = LF_OK;
    *got = 0;
    while (status == LF_OK) {
        union control control = {0};
        struct iovec bytes = {.iov_base = data, .iov_len = room};
        struct msghdr message = {.msg_iov = &bytes,
                                 .msg_iovlen = 1,
                                 .msg_control = control.room,
                                 .msg_controllen = sizeof control.room};
        ssize_t count = recvmsg(os__fd(socket->waitable), &message, MSG_CMSG_CLOEXEC);
        if (count >= 0) {
            take_passed(&message, passed);
            *got = (size_t)count;
            return LF_OK;
        }
        if (errno == ECONNRESET)
            return LF_OK;
        status = wait_for(socket, LF_READABLE, deadline, cancel, "receiving", err);
    }
    return status;
}
