/* One inotify instance serves all watches, since the system allows few of them (128 for each user). A thread
 * reads it, and wakes the watches that an event concerns. Written files are noted until they are closed. */
#include "os/watch.h"

#include "base/clock.h"
#include "os/linux/native.h"
#include "os/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Reading in intervals lets the kernel merge the events of a file that is written block by block. */
enum { INTERVAL_MS = 20, WRITING_MAX = 4096 };

/* A folder of a watch. Two watches of one folder share the descriptor. */
struct folder {
    struct folder *next;
    struct lf_watch *watch;
    int descriptor;
    char name[]; /* the caller's */
};

/* A file that was written and not closed since. */
struct writing {
    int descriptor;
    char *name; /* owned */
};

static struct {
    struct lf_mutex life;  /* held while the thread starts or ends; before the other one */
    struct lf_mutex mutex; /* guards folders and writing */
    int fd, open;          /* how many watches are */
    struct lf_cancel stop;
    struct lf_thread thread;
    struct folder *folders;
    struct writing writing[WRITING_MAX];
    size_t writing_count;
} all = {.life = LF_MUTEX_INIT, .mutex = LF_MUTEX_INIT, .fd = -1};

/* ---- files that are written; with the mutex locked ---- */

static struct writing *find_writing(int descriptor, const char *name)
{
    for (size_t i = 0; i < all.writing_count; i++)
        if (all.writing[i].descriptor == descriptor && !strcmp(all.writing[i].name, name))
            return &all.writing[i];
    return NULL;
}

static void forget_writing(struct writing *writing)
{
    free(writing->name);
    *writing = all.writing[--all.writing_count];
}

/* Beyond the limit, and without memory, nothing is known of the file, as of one that was written before. */
static void note_writing(int descriptor, const char *name)
{
    char *copy = all.writing_count < WRITING_MAX && !find_writing(descriptor, name) ? strdup(name) : NULL;
    if (copy)
        all.writing[all.writing_count++] = (struct writing){descriptor, copy};
}

static void note_closed(int descriptor, const char *name)
{
    struct writing *known = find_writing(descriptor, name);
    if (known)
        forget_writing(known);
}

static void forget_all_writing(int descriptor) /* below 0: of all folders */
{
    for (size_t i = all.writing_count; i-- > 0;)
        if (descriptor < 0 || all.writing[i].descriptor == descriptor)
            forget_writing(&all.writing[i]);
}

/* ---- the thread ---- */

/* A descriptor that has ended is not used again. */
static void forget_folder(int descriptor)
{
    for (struct folder **place = &all.folders; *place;) {
        struct folder *folder = *place;
        if (folder->descriptor == descriptor) {
            *place = folder->next;
            free(folder);
        } else {
            place = &folder->next;
        }
    }
    forget_all_writing(descriptor);
}

static void wake(int descriptor) /* below 0: all */
{
    for (struct folder *folder = all.folders; folder; folder = folder->next)
        if (descriptor < 0 || folder->descriptor == descriptor)
            lf_wake_up(&(struct lf_wake){folder->watch->changed});
}

static void take_event(const struct inotify_event *event)
{
    static struct {
        uint32_t cookie;
        bool writing;
    } moved; /* the writer of a file that is renamed still writes it */
    const char *name = event->len ? event->name : "";
    if (event->mask & IN_Q_OVERFLOW) {
        forget_all_writing(-1);
        wake(-1);
        return;
    }
    if (event->mask & IN_MODIFY)
        note_writing(event->wd, name);
    if (event->mask & IN_MOVED_FROM) {
        moved.cookie = event->cookie;
        moved.writing = find_writing(event->wd, name) != NULL;
    }
    if (event->mask & (IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE))
        note_closed(event->wd, name);
    if (event->mask & IN_MOVED_TO && moved.writing && moved.cookie == event->cookie)
        note_writing(event->wd, name);
    if (event->mask & ~(uint32_t)IN_MODIFY)
        wake(event->wd);
    if (event->mask & IN_IGNORED)
        forget_folder(event->wd);
}

static void *read_events(void *arg)
{
    (void)arg;
    _Alignas(struct inotify_event) static char events[64 * 1024];
    while (lf_wait(os__waitable(all.fd), LF_READABLE, LF_NEVER, &all.stop, NULL) == LF_OK) {
        ssize_t got = read(all.fd, events, sizeof events);
        lf_mutex_lock(&all.mutex);
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const void *)(events + at);
            take_event(event);
            at += (ssize_t)(sizeof *event + event->len);
        }
        lf_mutex_unlock(&all.mutex);
        if (lf_sleep_until(lf_deadline_in(INTERVAL_MS), &all.stop) != LF_OK)
            break;
    }
    return NULL;
}

/* ---- the contract ---- */

static enum lf_status start(struct lf_error *err)
{
    if (lf_cancel_open(&all.stop, err) != LF_OK)
        return err->status;
    all.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (all.fd < 0)
        lf_fail_errno(err, "cannot watch folders");
    else if (lf_thread_start(&all.thread, "watch", read_events, NULL, err) == LF_OK)
        return LF_OK;
    if (all.fd >= 0)
        close(all.fd);
    all.fd = -1;
    lf_cancel_close(&all.stop);
    return err->status;
}

static void stop(void)
{
    lf_cancel_set(&all.stop);
    lf_thread_join(&all.thread);
    lf_cancel_close(&all.stop);
    close(all.fd);
    all.fd = -1;
}

enum lf_status lf_watch_open(struct lf_watch *watch, struct lf_error *err)
{
    struct lf_wake changed = {{0}};
    enum lf_status status = lf_wake_open(&changed, err);
    if (status != LF_OK)
        return status;
    lf_mutex_lock(&all.life);
    if (!all.open)
        status = start(err);
    all.open += status == LF_OK;
    lf_mutex_unlock(&all.life);
    if (status == LF_OK)
        watch->changed = changed.event;
    else
        lf_wake_close(&changed);
    return status;
}

static enum lf_status keep_folder(struct lf_watch *watch, int descriptor, const char *name,
                                  struct lf_error *err)
{
    for (const struct folder *folder = all.folders; folder; folder = folder->next)
        if (folder->watch == watch && folder->descriptor == descriptor && !strcmp(folder->name, name))
            return LF_OK;
    size_t size = strlen(name) + 1;
    struct folder *folder = malloc(sizeof *folder + size);
    if (!folder)
        return lf_fail_memory(err, "watching a folder");
    folder->watch = watch;
    folder->descriptor = descriptor;
    memcpy(folder->name, name, size);
    folder->next = all.folders;
    all.folders = folder;
    return LF_OK;
}

enum lf_status lf_watch_add(struct lf_watch *watch, const struct lf_dir *dir, const char *name,
                            struct lf_error *err)
{
    uint32_t mask = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE
                    | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    char path[40]; /* the very folder that is open, whatever its path leads to by now */
    snprintf(path, sizeof path, "/proc/self/fd/%d", os__descriptor(dir->os));
    lf_mutex_lock(&all.mutex);
    int descriptor = inotify_add_watch(all.fd, path, mask);
    int why = errno;
    enum lf_status status = descriptor >= 0 ? keep_folder(watch, descriptor, name, err) : LF_IO;
    lf_mutex_unlock(&all.mutex);
    if (descriptor >= 0)
        return status;
    errno = why;
    if (errno == ENOSPC)
        return lf_fail(err, LF_FULL, LF_TRANSIENT,
                       "cannot watch %s: the system's limit of watches is reached; raise "
                       "fs.inotify.max_user_watches",
                       *name ? name : "a folder");
    return lf_fail_errno(err, "cannot watch %s", *name ? name : "a folder");
}

bool lf_watch_drain(struct lf_watch *watch)
{
    struct lf_wake changed = {watch->changed};
    bool any = watch->changed.os && lf_wake_wait(&changed, 0, NULL) == LF_OK;
    if (any)
        lf_wake_clear(&changed);
    return any;
}

bool lf_watch_writing(const struct lf_watch *watch, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t len = slash ? (size_t)(slash - path) : 0;
    bool writing = false;
    lf_mutex_lock(&all.mutex);
    for (const struct folder *folder = all.folders; folder && !writing; folder = folder->next)
        writing = folder->watch == watch && !strncmp(folder->name, path, len) && !folder->name[len]
                  && find_writing(folder->descriptor, base);
    lf_mutex_unlock(&all.mutex);
    return writing;
}

/* With the mutex locked. A descriptor goes with the last watch of its folder. */
static void drop_folder(struct folder **place)
{
    struct folder *folder = *place;
    int descriptor = folder->descriptor;
    *place = folder->next;
    free(folder);
    for (const struct folder *other = all.folders; other; other = other->next)
        if (other->descriptor == descriptor)
            return;
    inotify_rm_watch(all.fd, descriptor);
    forget_all_writing(descriptor);
}

void lf_watch_close(struct lf_watch *watch)
{
    if (!watch->changed.os)
        return;
    lf_mutex_lock(&all.life);
    lf_mutex_lock(&all.mutex);
    for (struct folder **place = &all.folders; *place;)
        if ((*place)->watch == watch)
            drop_folder(place);
        else
            place = &(*place)->next;
    lf_mutex_unlock(&all.mutex);
    if (--all.open == 0)
        stop();
    lf_mutex_unlock(&all.life);
    lf_wake_close(&(struct lf_wake){watch->changed});
    watch->changed = (struct lf_waitable){0};
}
