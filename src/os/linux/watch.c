#include "os/watch.h"

#include "os/linux/native.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

enum lf_status lf_watch_open(struct lf_watch *watch, struct lf_error *err)
{
    watch->changed = os__waitable(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    return watch->changed.os ? LF_OK : lf_fail_errno(err, "cannot watch folders");
}

enum lf_status lf_watch_add(struct lf_watch *watch, const char *path, struct lf_error *err)
{
    /* No IN_MODIFY: a large file being written would wake us for every block. */
    uint32_t mask = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF
                    | IN_MOVE_SELF | IN_ONLYDIR;
    if (inotify_add_watch(os__fd(watch->changed), path, mask) >= 0)
        return LF_OK;
    if (errno == ENOSPC)
        return lf_fail(
            err, LF_FULL, LF_TRANSIENT,
            "cannot watch %s: the system's limit of watches is reached; raise fs.inotify.max_user_watches",
            path);
    return lf_fail_errno(err, "cannot watch %s", path);
}

bool lf_watch_drain(struct lf_watch *watch)
{
    _Alignas(struct inotify_event) char events[4096];
    bool any = false;
    while (watch->changed.os && read(os__fd(watch->changed), events, sizeof events) > 0)
        any = true;
    return any;
}

void lf_watch_close(struct lf_watch *watch)
{
    if (watch->changed.os)
        close(os__fd(watch->changed));
    watch->changed = (struct lf_waitable){0};
}
