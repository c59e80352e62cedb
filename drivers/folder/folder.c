/* The folder driver: instruments whose software takes worklists from one folder and writes results to
 * another, on a local disk, a network mount or a USB stick.
 *
 * States: open (no descriptor) -> connected (folders open, locks held) -> disconnected. The descriptors are
 * opened once per connection and everything happens below them; a folder that was unmounted or replaced under
 * its name is noticed (folder__alive) and ends the connection. What was told to the host is remembered
 * until close, over reconnections.
 *
 * Delivering is in deliver.c (with the rule that keeps a worklist from running twice), collecting in scan.c,
 * finished.c, collect.c and archive.c. */
#include "folder.h"

#include "base/file.h"
#include "base/log.h"
#include "beneath.h"
#include "delivery_record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char LOCK_NAME[] = ".labferry.lock";

/* ---- opening ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static enum lf_status folder_gone(struct lf_error *err, const char *path, const char *why)
{
    return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT,
                   "the folder %s %s: check that it exists and that its share or disk is mounted", path, why);
}

static enum lf_status open_folder(const char *path, const char *what, bool write, int *fd,
                                  struct lf_error *err)
{
    if (!path)
        return LF_OK;
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0 && (errno == EACCES || errno == EPERM))
        return lf_fail_errno(err, "the %s %s may not be opened: give the agent's user the right to read it",
                             what, path);
    if (*fd < 0)
        return folder_gone(err, path, errno == ENOENT ? "is not there" : strerror(errno));
    if (write && faccessat(*fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
        return lf_fail_errno(err, "the %s %s may not be written to: give the agent's user the right to%s",
                             what, path, strcmp(what, "outbox") ? "" : ", or set archive = \"none\"");
    return LF_OK;
}

static enum lf_status check_alive(const char *path, int fd, struct lf_error *err)
{
    struct stat named, opened;
    if (fd < 0)
        return LF_OK;
    if (stat(path, &named) != 0)
        return folder_gone(err, path, errno == ENOENT ? "is no longer there" : strerror(errno));
    if (fstat(fd, &opened) != 0 || named.st_dev != opened.st_dev || named.st_ino != opened.st_ino)
        return folder_gone(err, path,
                           "is not the one that was opened: it was unmounted, mounted anew or replaced");
    return LF_OK;
}

enum lf_status folder__alive(struct lf_folder *folder, struct lf_error *err)
{
    const struct lf_folder_options *o = &folder->options;
    if (folder->inbox < 0 && folder->outbox < 0)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "%s is not connected", folder->host->instrument);
    enum lf_status status = check_alive(o->inbox, folder->inbox, err);
    if (status == LF_OK)
        status = check_alive(o->outbox, folder->outbox, err);
    if (status == LF_OK && o->work_dir)
        status = check_alive(o->work_dir, folder->work, err);
    return status;
}

/* Parts must be renamed into the inbox, so both must lie on one file system. */
static enum lf_status open_work(struct lf_folder *folder, struct lf_error *err)
{
    const struct lf_folder_options *o = &folder->options;
    struct stat in, work;
    if (folder->inbox < 0)
        return LF_OK;
    if (!o->work_dir) {
        folder->work = fcntl(folder->inbox, F_DUPFD_CLOEXEC, 0);
        return folder->work < 0 ? lf_fail_errno(err, "cannot open the inbox %s again", o->inbox) : LF_OK;
    }
    enum lf_status status = open_folder(o->work_dir, "work_dir", true, &folder->work, err);
    if (status != LF_OK)
        return status;
    if (fstat(folder->inbox, &in) != 0 || fstat(folder->work, &work) != 0)
        return lf_fail_errno(err, "cannot look at the work_dir %s", o->work_dir);
    if (in.st_dev != work.st_dev)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                       "work_dir %s is on another file system than the inbox %s, so a file cannot move "
                       "between them whole: choose a folder beside the inbox",
                       o->work_dir, o->inbox);
    return LF_OK;
}

/* ---- the share is really there, and ours alone ---- */

static enum lf_status check_marker(const struct lf_folder *folder, int dir, const char *path,
                                   struct lf_error *err)
{
    char name[PATH_MAX], line[256];
    struct lf_buffer text = {0};
    if (dir < 0)
        return LF_OK;
    const char *marker = folder->options.mount_marker;
    snprintf(name, sizeof name, "%s%s%s", marker[0] == '/' ? "" : path, marker[0] == '/' ? "" : "/", marker);
    if (access(name, F_OK) != 0)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT,
                       "the mount marker %s is not there: the share or disk of %s seems not to be mounted",
                       name, path);
    if (lf_file_read(name, (size_t)64 * 1024, &text, err) == LF_OK && text.len) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(text.data, "\r\n"), text.data);
        lf_buffer_free(&text);
        return line[0] ? folder->host->identity(folder->host->self, line, err) : LF_OK;
    }
    lf_buffer_free(&text);
    return LF_OK;
}

static void sign_lock(int fd, const char *instrument)
{
    char text[256];
    struct lf_error ignored;
    int len = snprintf(text, sizeof text, "labferry instrument %s, process %ld\n", instrument,
                       (long)getpid());
    if (ftruncate(fd, 0) == 0 && len > 0)
        lf_file_write_all(fd, text, strlen(text), &ignored);
}

static enum lf_status take_lock(struct lf_folder *folder, int dir, const char *path, int *lock,
                                struct lf_error *err)
{
    if (dir < 0)
        return LF_OK;
    *lock = openat(dir, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (*lock < 0)
        return lf_fail_errno(
            err, "cannot create %s/%s, which keeps a second agent out (lock = false does without)", path,
            LOCK_NAME);
    switch (lf_lock_take(*lock)) {
    case LF_OK: sign_lock(*lock, folder->host->instrument); return LF_OK;
    case LF_BUSY:
        return lf_fail(
            err, LF_BUSY, LF_TRANSIENT, /* it may just be ending */
            "another agent works on %s (its name is in %s/%s): stop it or give each its own folder", path,
            path, LOCK_NAME);
    case LF_UNSUPPORTED:
        return lf_fail(err, LF_UNSUPPORTED, LF_NEEDS_PERSON,
                       "the file system of %s has no locks: make sure that no second agent uses it, and set "
                       "lock = false",
                       path);
    default: return lf_fail_errno(err, "cannot lock %s/%s", path, LOCK_NAME);
    }
}

static enum lf_status lock_folders(struct lf_folder *folder, struct lf_error *err)
{
    const struct lf_folder_options *o = &folder->options;
    struct stat in, out;
    enum lf_status status = take_lock(folder, folder->inbox, o->inbox, &folder->inbox_lock, err);
    if (status != LF_OK || folder->outbox < 0)
        return status;
    if (folder->inbox >= 0 && fstat(folder->inbox, &in) == 0 && fstat(folder->outbox, &out) == 0
        && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        return LF_OK; /* one folder for both: one lock */
    return take_lock(folder, folder->outbox, o->outbox, &folder->outbox_lock, err);
}

static void start_watching(struct lf_folder *folder)
{
    struct lf_error err;
    folder->outbox_remote = folder->outbox >= 0 && lf_folder_is_remote(folder->outbox);
    folder->watching = false;
    if (folder->outbox < 0 || folder->outbox_remote || !folder->options.watch)
        return;
    if (lf_watch_open(&folder->watch, &err) == LF_OK
        && lf_watch_add(&folder->watch, folder->options.outbox, &err) == LF_OK) {
        folder->watching = true;
        return;
    }
    lf_watch_close(&folder->watch);
    lf_log_warning(folder->host->instrument, "%s; looking every scan_interval instead", err.text);
}

/* ---- the contract ---- */

static enum lf_status folder_open(const struct lf_values *values, const struct lf_host *host, void **device,
                                  struct lf_error *err)
{
    struct lf_folder *folder = calloc(1, sizeof *folder);
    if (!folder)
        return lf_fail_memory(err, "opening a folder instrument");
    folder->values = values;
    folder->host = host;
    folder->inbox = folder->work = folder->outbox = folder->inbox_lock = folder->outbox_lock = -1;
    folder__read_options(values, &folder->options);
    *device = folder;
    return LF_OK;
}

static void folder_disconnect(void *device)
{
    struct lf_folder *folder = device;
    lf_watch_close(&folder->watch);
    folder->watching = false;
    close_fd(&folder->inbox_lock);
    close_fd(&folder->outbox_lock);
    close_fd(&folder->work);
    close_fd(&folder->inbox);
    close_fd(&folder->outbox);
    folder__record_forget(folder);
}

static void folder_close(void *device)
{
    struct lf_folder *folder = device;
    if (!folder)
        return;
    folder_disconnect(folder);
    folder__forget(folder);
    free(folder);
}

static enum lf_status folder_connect(void *device, struct lf_error *err)
{
    struct lf_folder *folder = device;
    const struct lf_folder_options *o = &folder->options;
    enum lf_status status = open_folder(o->inbox, "inbox", true, &folder->inbox, err);
    if (status == LF_OK)
        status = open_folder(o->outbox, "outbox", o->archive != NULL, &folder->outbox, err);
    if (status == LF_OK)
        status = open_work(folder, err);
    if (status == LF_OK && o->mount_marker)
        status = check_marker(folder, folder->inbox, o->inbox, err);
    if (status == LF_OK && o->mount_marker)
        status = check_marker(folder, folder->outbox, o->outbox, err);
    if (status == LF_OK && o->lock)
        status = lock_folders(folder, err);
    if (status != LF_OK) {
        folder_disconnect(folder);
        return status;
    }
    start_watching(folder);
    folder->no_rename_new = false;
    folder->connected = folder->next_scan = lf_clock_mono_ms();
    folder->next_sweep = folder->connected + INT64_C(3600) * 1000;
    return LF_OK;
}

/* Waits for changes, the host, cancel or `until`. True: something may have changed in the outbox. */
static bool wait_for_change(struct lf_folder *folder, int64_t until, bool *called)
{
    struct lf_wait_item items[] = {
        {.what = folder->host->wake ? folder->host->wake->event : (struct lf_waitable){0},
         .events = LF_READABLE},
        {.what = folder->watch.changed, .events = LF_READABLE},
    };
    enum lf_status status = lf_wait_any(items, 2, until, folder->host->cancel);
    *called = status == LF_CANCELLED || items[0].ready;
    return items[1].ready && lf_watch_drain(&folder->watch);
}

static enum lf_status folder_listen(void *device, int64_t deadline, struct lf_error *err)
{
    /* A busy outbox makes many changes: read it at most so often. */
    enum { SETTLE_MS = 100 };
    struct lf_folder *folder = device;
    bool called = false;
    struct lf_error spare = {0};
    err = err ? err : &spare;
    enum lf_status status = folder__alive(folder, err);
    while (status == LF_OK) {
        if (folder->outbox >= 0 && lf_deadline_passed(folder->next_scan))
            status = folder__scan(folder, err);
        folder__record_sweep(folder);
        if (status != LF_OK || called || lf_cancel_is_set(folder->host->cancel)
            || lf_deadline_passed(deadline))
            break;
        /* An inbox alone tells nothing, but must be missed when it goes. */
        int64_t next = folder->outbox >= 0 ? folder->next_scan
                                           : lf_deadline_in(folder->options.safety_interval);
        if (wait_for_change(folder, lf_deadline_sooner(deadline, next), &called))
            folder->next_scan = lf_deadline_sooner(folder->next_scan, lf_deadline_in(SETTLE_MS));
        if (folder->outbox < 0 && !called)
            status = folder__alive(folder, err);
    }
    return status == LF_CANCELLED ? LF_OK : status;
}

static enum lf_status folder_repeat(void *device, const struct lf_action *action, enum lf_repeat *repeat,
                                    struct lf_error *err)
{
    const struct lf_folder *folder = device;
    *repeat = LF_ONCE; /* a worklist in the inbox is a run; see deliver.c */
    if (action->kind != LF_ACTION_DELIVER)
        return lf_fail(
            err, LF_NOT_FOUND, LF_PERMANENT,
            "%s is a folder: it takes files (deliver) and gives results; it has no procedures or commands",
            folder->host->instrument);
    if (!folder->options.inbox)
        return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "%s has no inbox to deliver to: set inbox",
                       folder->host->instrument);
    return LF_OK;
}

static enum lf_status folder_act(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                                 struct lf_error *err)
{
    enum lf_repeat repeat;
    struct lf_error spare = {0};
    err = err ? err : &spare; /* the parts look into it */
    enum lf_status status = folder_repeat(device, action, &repeat, err);
    return status == LF_OK ? folder__deliver(device, action, outcome, err) : status;
}

static enum lf_verdict folder_verify(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                                     struct lf_error *err)
{
    enum lf_repeat repeat;
    struct lf_error spare = {0};
    err = err ? err : &spare;
    if (folder_repeat(device, action, &repeat, err) != LF_OK)
        return LF_VERDICT_NOT_DONE;
    return folder__verify(device, action, outcome, err);
}

static enum lf_status folder_take(void *device, const char *id, const char *version, int to, int64_t max,
                                  struct lf_error *err)
{
    return folder__take(device, id, version, to, max, err);
}

static enum lf_status folder_archive(void *device, const char *id, const char *version, struct lf_error *err)
{
    struct lf_error spare = {0};
    return folder__file(device, id, version, err ? err : &spare);
}

extern const struct lf_driver lf_driver_folder;
const struct lf_driver lf_driver_folder = {
    .abi = LF_DRIVER_ABI,
    .name = "folder",
    .help = "Puts worklists into a folder and collects results from one, on a local disk or a network mount.",
    .can = LF_CAN_DELIVER | LF_CAN_COLLECT,
    .settings = folder__settings,
    .check = folder__check,
    .open = folder_open,
    .close = folder_close,
    .connect = folder_connect,
    .disconnect = folder_disconnect,
    .listen = folder_listen,
    .repeat = folder_repeat,
    .act = folder_act,
    .verify = folder_verify,
    .take = folder_take,
    .archive = folder_archive,
};
