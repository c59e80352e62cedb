/* The folder driver: instruments whose software takes worklists from one folder and writes results to
 * another, on a local disk, a network mount or a USB stick.
 *
 * States: open (no folder open) -> connected (folders open, locks held) -> disconnected. The folders are
 * opened once per connection and everything happens below them; a folder that was unmounted or replaced under
 * its path is noticed (folder__alive) and ends the connection. What was reported to the host is remembered
 * until close, across reconnections.
 *
 * Delivering is in deliver.c (with the rule that keeps a worklist from running twice), collecting in scan.c,
 * finished.c, collect.c and archive.c. */
#include "folder.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "beneath.h"
#include "delivery_record.h"
#include "os/path.h"
#include "own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char LOCK_NAME[] = "lock", OLD_LOCK_NAME[] = ".labferry.lock";

/* ---- opening ---- */

static enum lf_status folder_gone(struct lf_error *err, const char *path, const char *why)
{
    return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT,
                   "the folder %s %s: check that it exists and that its share or disk is mounted", path, why);
}

static enum lf_status open_folder(const char *path, const char *what, bool write, struct lf_dir *dir,
                                  struct lf_error *err)
{
    if (!path)
        return LF_OK;
    enum lf_status status = lf_dir_open(path, dir, err);
    if (status == LF_DENIED)
        return lf_error_prefix(err, "the %s %s cannot be opened: give the agent's user permission to read it",
                               what, path);
    if (status != LF_OK)
        return folder_gone(err, path, status == LF_NOT_FOUND ? "is not there" : err->text);
    if (write && lf_dir_check_writable(dir, err) != LF_OK)
        return lf_error_prefix(err, "the %s %s cannot be written to: give the agent's user permission to%s",
                               what, path, strcmp(what, "outbox") ? "" : ", or set archive = \"none\"");
    return LF_OK;
}

static enum lf_status check_alive(const char *path, const struct lf_dir *dir, struct lf_error *err)
{
    struct lf_file_info named, opened;
    if (!lf_dir_is_open(dir))
        return LF_OK;
    enum lf_status status = lf_path_look(path, &named, err);
    if (status != LF_OK)
        return folder_gone(err, path, status == LF_NOT_FOUND ? "is no longer there" : err->text);
    if (lf_dir_look_self(dir, &opened, err) != LF_OK || !lf_file_is_same(&named, &opened))
        return folder_gone(err, path,
                           "is not the one that was opened: it was unmounted, mounted again or replaced");
    return LF_OK;
}

enum lf_status folder__alive(struct lf_folder *folder, struct lf_error *err)
{
    const struct lf_folder_options *o = &folder->options;
    if (!lf_dir_is_open(&folder->inbox) && !lf_dir_is_open(&folder->outbox))
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "%s is not connected", folder->host->instrument);
    bool alive = check_alive(o->inbox, &folder->inbox, err) == LF_OK
                 && check_alive(o->outbox, &folder->outbox, err) == LF_OK;
    return alive ? LF_OK : err->status;
}

/* ---- the share is really there, and ours alone ---- */

/* An absolute one is the administrator's; any other lies below the folder, where no link is followed. */
static enum lf_status open_marker(const struct lf_dir *dir, const char *marker, struct lf_file *file,
                                  struct lf_file_info *info, struct lf_error *err)
{
    if (!lf_path_is_absolute(marker))
        return folder__beneath_open(dir, marker, file, info, err);
    enum lf_status status = lf_file_open(marker, LF_FILE_READ, 0, file, err);
    return status == LF_OK ? lf_file_look(file, info, err) : status;
}

static enum lf_status check_marker(const struct lf_folder *folder, const struct lf_dir *dir, const char *path,
                                   struct lf_error *err)
{
    char line[256] = "";
    struct lf_file file = {0};
    struct lf_file_info info;
    size_t got = 0;
    const char *marker = folder->options.mount_marker;
    if (!marker || !lf_dir_is_open(dir))
        return LF_OK;
    enum lf_status status = open_marker(dir, marker, &file, &info, err);
    if (status != LF_OK)
        status = lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT,
                         "the mount marker %s is not in %s: the share or disk seems not to be mounted",
                         marker, path);
    else if (lf_file_read_at(&file, 0, line, sizeof line - 1, &got, err) == LF_OK)
        line[got < strcspn(line, "\r\n") ? got : strcspn(line, "\r\n")] = '\0';
    if (line[0])
        status = folder->host->identity(folder->host->self, line, err);
    lf_file_close(&file);
    return status;
}

static void sign_lock(const struct lf_file *lock, const char *instrument)
{
    char text[256];
    struct lf_error ignored;
    snprintf(text, sizeof text, "labferry instrument %s, process %ld\n", instrument, (long)lf_process_id());
    if (lf_file_truncate(lock, 0, &ignored) == LF_OK)
        lf_file_write_at(lock, 0, text, strlen(text), &ignored);
}

static enum lf_status lock_file(const struct lf_dir *dir, const char *name, enum lf_file_mode mode,
                                const char *path, struct lf_file *lock, struct lf_error *err)
{
    enum lf_status status = lf_dir_open_file(dir, name, mode, LF_PUBLIC, lock, err);
    if (status == LF_NOT_FOUND)
        return status;
    if (status != LF_OK)
        return lf_error_prefix(
            err, "cannot create the lock file for %s, which keeps a second agent out (or set lock = false)",
            path);
    switch (lf_file_lock(lock, err)) {
    case LF_OK: return LF_OK;
    case LF_BUSY:
        return lf_fail(
            err, LF_BUSY, LF_TRANSIENT, /* it may just be ending */
            "another agent uses %s (see the file \"%s\" in .labferry): stop it, or give each agent "
            "its own folder",
            path, name);
    case LF_UNSUPPORTED:
        return lf_fail(err, LF_UNSUPPORTED, LF_NEEDS_PERSON,
                       "the file system of %s has no locks: make sure that no second agent uses it, and set "
                       "lock = false",
                       path);
    default: return lf_error_prefix(err, "cannot lock %s", path);
    }
}

/* An agent of an older version may hold the lock where it used to lie. */
static enum lf_status remove_old_lock(const struct lf_dir *dir, const char *path, struct lf_error *err)
{
    struct lf_file old = {0};
    struct lf_error ignored, busy;
    enum lf_status status = lock_file(dir, OLD_LOCK_NAME, LF_FILE_CHANGE, path, &old, &busy);
    if (status == LF_OK)
        lf_dir_remove(dir, OLD_LOCK_NAME, &ignored);
    lf_file_close(&old);
    if (status != LF_BUSY)
        return LF_OK;
    *err = busy;
    return status;
}

static enum lf_status take_lock(struct lf_folder *folder, const struct lf_dir *dir, const struct lf_dir *own,
                                const char *path, struct lf_file *lock, struct lf_error *err)
{
    enum lf_status status = lock_file(own, LOCK_NAME, LF_FILE_KEEP, path, lock, err);
    if (status == LF_OK)
        sign_lock(lock, folder->host->instrument);
    return status == LF_OK ? remove_old_lock(dir, path, err) : status;
}

/* Is one folder used for both? */
static bool is_shared(const struct lf_folder *folder)
{
    struct lf_file_info in, out;
    struct lf_error ignored;
    return lf_dir_is_open(&folder->inbox) && lf_dir_look_self(&folder->inbox, &in, &ignored) == LF_OK
           && lf_dir_look_self(&folder->outbox, &out, &ignored) == LF_OK && lf_file_is_same(&in, &out);
}

/* Our own folders, and the locks in them. */
static enum lf_status open_own(struct lf_folder *folder, struct lf_error *err)
{
    const struct lf_folder_options *o = &folder->options;
    struct lf_dir own = {0};
    enum lf_status status = LF_OK;
    if (o->inbox)
        status = folder__own_open(o->inbox, &folder->inbox, o->marks_dir, &folder->marks, err);
    if (status == LF_OK && o->inbox && o->lock)
        status = take_lock(folder, &folder->inbox, &folder->marks, o->inbox, &folder->inbox_lock, err);
    if (status == LF_OK && o->inbox)
        folder__record_adopt(folder);
    if (status != LF_OK || !o->outbox || !o->lock || is_shared(folder))
        return status;
    status = folder__own_open(o->outbox, &folder->outbox, o->marks_dir, &own, err);
    if (status == LF_OK)
        status = take_lock(folder, &folder->outbox, &own, o->outbox, &folder->outbox_lock, err);
    lf_dir_close(&own);
    return status;
}

void folder__watch_failed(struct lf_folder *folder, const struct lf_error *err)
{
    lf_log_warning(folder->host->instrument, "%s; looking every scan_interval instead", err->text);
    lf_watch_close(&folder->watch);
    folder->watching = false;
}

static void start_watching(struct lf_folder *folder)
{
    struct lf_error err;
    folder->outbox_remote = lf_dir_is_open(&folder->outbox) && lf_dir_is_remote(&folder->outbox);
    folder->watching = lf_dir_is_open(&folder->outbox) && !folder->outbox_remote && LF_LIMIT("LF_WATCH", 1);
    if (folder->watching
        && (lf_watch_open(&folder->watch, &err) != LF_OK
            || lf_watch_add(&folder->watch, &folder->outbox, "", &err) != LF_OK))
        folder__watch_failed(folder, &err);
}

/* ---- the contract ---- */

static enum lf_status folder_open(const struct lf_values *values, const struct lf_host *host, void **device,
                                  struct lf_error *err)
{
    struct lf_folder *folder = calloc(1, sizeof *folder);
    if (!folder)
        return lf_fail_memory(err, "opening a folder instrument");
    folder->host = host;
    folder__read_options(values, &folder->options);
    *device = folder;
    return LF_OK;
}

static void folder_disconnect(void *device)
{
    struct lf_folder *folder = device;
    lf_watch_close(&folder->watch);
    folder->watching = false;
    lf_file_close(&folder->inbox_lock);
    lf_file_close(&folder->outbox_lock);
    lf_dir_close(&folder->marks);
    lf_dir_close(&folder->inbox);
    lf_dir_close(&folder->outbox);
    folder->prepared = 0;
}

static void folder_close(void *device)
{
    struct lf_folder *folder = device;
    if (!folder)
        return;
    folder_disconnect(folder);
    folder__forget(folder);
    folder__taken_free(folder);
    free(folder);
}

static enum lf_status folder_connect(void *device, struct lf_error *err)
{
    struct lf_folder *folder = device;
    const struct lf_folder_options *o = &folder->options;
    if (open_folder(o->inbox, "inbox", true, &folder->inbox, err) != LF_OK
        || open_folder(o->outbox, "outbox", o->archive != NULL, &folder->outbox, err) != LF_OK
        || check_marker(folder, &folder->inbox, o->inbox, err) != LF_OK
        || check_marker(folder, &folder->outbox, o->outbox, err) != LF_OK || open_own(folder, err) != LF_OK)
        return err->status; /* disconnect follows */
    start_watching(folder);
    folder->way = LF_WAY_RENAME_NEW;
    folder->next_scan = lf_clock_mono_ms();
    folder->next_sweep = folder->next_scan + INT64_C(3600) * 1000;
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
    /* A busy outbox makes many changes: read it at most this often. */
    enum { SETTLE_MS = 100 };
    struct lf_folder *folder = device;
    bool called = false;
    enum lf_status status = folder__alive(folder, err);
    while (status == LF_OK) {
        if (lf_dir_is_open(&folder->outbox) && lf_deadline_passed(folder->next_scan))
            status = folder__scan(folder, err);
        folder__record_sweep(folder);
        if (status != LF_OK || called || lf_cancel_is_set(folder->host->cancel)
            || lf_deadline_passed(deadline))
            break;
        /* An inbox alone reports nothing, but its loss must be noticed. */
        int64_t next = lf_dir_is_open(&folder->outbox)
                           ? folder->next_scan
                           : lf_deadline_in(folder->options.scan_interval * FOLDER_SCANS_SKIPPED);
        if (wait_for_change(folder, lf_deadline_sooner(deadline, next), &called))
            folder->next_scan = lf_deadline_sooner(folder->next_scan, lf_deadline_in(SETTLE_MS));
        if (!lf_dir_is_open(&folder->outbox) && !called)
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

static enum lf_status folder_prepare(void *device, const struct lf_action *action, struct lf_error *err)
{
    enum lf_repeat repeat;
    enum lf_status status = folder_repeat(device, action, &repeat, err);
    return status == LF_OK ? folder__prepare(device, action, err) : status;
}

static enum lf_status folder_act(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                                 struct lf_error *err)
{
    enum lf_repeat repeat;
    enum lf_status status = folder_repeat(device, action, &repeat, err);
    return status == LF_OK ? folder__deliver(device, action, outcome, err) : status;
}

static enum lf_verdict folder_verify(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                                     struct lf_error *err)
{
    enum lf_repeat repeat;
    if (folder_repeat(device, action, &repeat, err) != LF_OK)
        return LF_VERDICT_NOT_DONE;
    return folder__verify(device, action, outcome, err);
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
    .prepare = folder_prepare,
    .act = folder_act,
    .verify = folder_verify,
    .witnessed = folder__witnessed,
    .take = folder__take,
    .archive = folder__archive,
};
