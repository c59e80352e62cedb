/* Reading the outbox: what is there, what is new, what is finished; reporting it to the host.
 *
 * Every scan reads the names and sizes again and merges them with what was known (both sorted by path). An
 * entry is
 *   watched   until it is finished and reported to the host, with the version it had then;
 *   reported  ignored until its size, time or id changes; then watched again, as a new version;
 *   refused   its name or kind is not acceptable: logged once, left in place, checked again when it changes.
 * Entries that are gone are forgotten. */
#include "beneath.h"
#include "folder.h"

#include "base/file.h"
#include "base/log.h"
#include "os/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 100 * 1000, REFUSED_LOGGED = 50 /* each; after that the 64th, 128th ... */ };

/* ---- the list ---- */

static void free_entries(struct lf_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->items[i].path);
    free(entries->items);
    *entries = (struct lf_entries){0};
}

void folder__forget(struct lf_folder *folder)
{
    free_entries(&folder->entries);
}

static int by_path(const void *a, const void *b)
{
    const struct lf_entry *left = a, *right = b;
    return strcmp(left->path, right->path);
}

static enum lf_status add_entry(struct lf_entries *entries, const char *path, const struct lf_file_info *info,
                                struct lf_error *err)
{
    if (entries->count == entries->room) {
        size_t room = entries->room ? entries->room * 2 : 64;
        struct lf_entry *grown = realloc(entries->items, room * sizeof *grown);
        if (!grown)
            return lf_fail_memory(err, "reading an outbox");
        entries->items = grown;
        entries->room = room;
    }
    struct lf_entry *entry = &entries->items[entries->count];
    *entry = (struct lf_entry){.path = strdup(path), .info = *info, .since = lf_clock_mono_ms(), .looks = 1};
    if (!entry->path)
        return lf_fail_memory(err, "reading an outbox");
    entries->count++;
    return LF_OK;
}

/* ---- reading folders ---- */

static bool matches(const char *name, const struct lf_texts *globs)
{
    for (size_t i = 0; i < globs->count; i++)
        if (lf_glob_match(globs->items[i], name, true))
            return true;
    return false;
}

static bool wanted(const struct lf_folder *folder, const char *name)
{
    static const char *const temporary[] = {"~$*",        "*.tmp",     "*.part",     "*.crdownload",
                                            "*.filepart", "Thumbs.db", "desktop.ini"};
    static const struct lf_texts never = {temporary, sizeof temporary / sizeof *temporary};
    const struct lf_folder_options *o = &folder->options;
    if (o->mount_marker && !strcmp(folder__beneath_base(o->mount_marker), name))
        return false;
    return !matches(name, &never) && matches(name, &o->results) && !matches(name, &o->ignore)
           && !folder__is_companion(folder, name);
}

/* The archive and the inbox may lie below the outbox; nothing in them is a result. */
static bool is_own_folder(const struct lf_folder *folder, const struct lf_file_info *info)
{
    struct lf_file_info own;
    struct lf_error ignored;
    if (lf_dir_is_open(&folder->inbox) && lf_dir_look_self(&folder->inbox, &own, &ignored) == LF_OK
        && lf_file_is_same(&own, info))
        return true;
    const char *name = folder->options.archive;
    char *archive = name ? lf_path_join(folder->options.outbox, name) : NULL;
    bool same = archive && lf_path_look(archive, &own, &ignored) == LF_OK && lf_file_is_same(&own, info);
    free(archive);
    return same;
}

static enum lf_status read_failed(const char *path, struct lf_error *err)
{
    if (err->status != LF_NO_MEMORY && err->status != LF_FULL) {
        err->status = LF_DISCONNECTED;
        err->class = LF_TRANSIENT;
    }
    return lf_error_prefix(err, "cannot read the folder %s", path);
}

static void watch_too(struct lf_folder *folder, const char *path)
{
    struct lf_error err;
    if (folder->watching && lf_watch_add(&folder->watch, path, &err) != LF_OK && err.status != LF_NOT_FOUND)
        folder__watch_failed(folder, &err);
}

static enum lf_status read_folder(struct lf_folder *folder, const struct lf_dir *dir, const char *path,
                                  int depth, struct lf_entries *entries, struct lf_error *err);

static enum lf_status read_below(struct lf_folder *folder, const struct lf_dir *at, const char *path,
                                 int depth, struct lf_entries *entries, struct lf_error *err)
{
    struct lf_dir inner;
    if (lf_dir_enter(at, folder__beneath_base(path), false, &inner, err) != LF_OK)
        return LF_OK; /* gone meanwhile, or not readable for us: treated as empty */
    char *full = lf_path_join(folder->options.outbox, path);
    if (full)
        watch_too(folder, full);
    free(full);
    enum lf_status status = read_folder(folder, &inner, path, depth, entries, err);
    lf_dir_close(&inner);
    return status;
}

static enum lf_status read_entry(struct lf_folder *folder, const struct lf_dir *at, const char *path,
                                 const struct lf_file_info *info, int depth, struct lf_entries *entries,
                                 struct lf_error *err)
{
    if (info->kind == LF_KIND_FOLDER)
        return depth > 0 && !is_own_folder(folder, info)
                   ? read_below(folder, at, path, depth - 1, entries, err)
                   : LF_OK;
    if (!wanted(folder, folder__beneath_base(path)))
        return LF_OK;
    if (entries->count < ENTRIES_MAX)
        return add_entry(entries, path, info, err);
    if (!folder->full_logged)
        lf_log_warning(folder->host->instrument,
                       "more than %d files in %s: the rest wait until some are archived", (int)ENTRIES_MAX,
                       folder->options.outbox);
    folder->full_logged = true;
    return LF_OK;
}

/* `path` is relative to the outbox; "" for the outbox itself. */
static enum lf_status read_folder(struct lf_folder *folder, const struct lf_dir *dir, const char *path,
                                  int depth, struct lf_entries *entries, struct lf_error *err)
{
    const char *shown = path[0] ? path : folder->options.outbox, *name;
    struct lf_dir_list *list;
    struct lf_file_info info;
    enum lf_status status = lf_dir_list(dir, &list, err);
    if (status != LF_OK)
        return read_failed(shown, err);
    while (status == LF_OK && (name = lf_dir_next(list, &info, err))) {
        if (name[0] == '.')
            continue;
        char *below = lf_format("%s%s%s", path, path[0] ? "/" : "", name);
        status = below ? read_entry(folder, dir, below, &info, depth, entries, err)
                       : lf_fail_memory(err, "reading an outbox");
        free(below);
    }
    if (status == LF_OK && err->status != LF_OK)
        status = read_failed(shown, err);
    lf_dir_list_close(list);
    return status;
}

/* ---- merging ---- */

static bool same_file(const struct lf_folder *folder, const struct lf_entry *a, const struct lf_entry *b)
{
    return a->info.size == b->info.size && a->info.written_ns == b->info.written_ns
           && a->info.kind == b->info.kind && (folder->outbox_remote || a->info.id == b->info.id);
}

static void merge(struct lf_folder *folder, struct lf_entries *now)
{
    const struct lf_entries *before = &folder->entries;
    for (size_t i = 0; i < now->count && before->count; i++) {
        struct lf_entry *entry = &now->items[i];
        const struct lf_entry *known = bsearch(entry, before->items, before->count, sizeof *entry, by_path);
        if (!known || !same_file(folder, known, entry))
            continue;
        entry->since = known->since;
        entry->looks = known->looks + 1;
        entry->state = known->state;
        entry->complained = known->complained;
        entry->early = known->early;
    }
    for (size_t i = 0; i < now->count && !folder->scanned; i++)
        now->items[i].early = true;
    folder->scanned = true;
    free_entries(&folder->entries);
    folder->entries = *now;
    *now = (struct lf_entries){0};
}

/* ---- reporting ---- */

static bool acceptable(struct lf_folder *folder, struct lf_entry *entry)
{
    struct lf_error err = {0};
    const char *name = folder__beneath_base(entry->path);
    if (entry->info.kind != LF_KIND_FILE)
        lf_fail(&err, LF_INVALID, LF_NEEDS_PERSON, "it is a link or a device, not a regular file");
    else if (lf_name_check(name, &err) == LF_OK && !folder__beneath_path_ok(entry->path))
        lf_fail(&err, LF_INVALID, LF_NEEDS_PERSON,
                "the name of its folder begins with a dot or has a control character");
    if (err.status == LF_OK)
        return true;
    entry->state = LF_ENTRY_REFUSED;
    folder->refused++;
    if (folder->refused > REFUSED_LOGGED && (folder->refused & (folder->refused - 1)) != 0)
        return false; /* many of them must not fill the log */
    lf_log_warning(folder->host->instrument,
                   "the result %s is refused and stays where it is: %s (%lld refused since the "
                   "start)",
                   entry->path, err.text, (long long)folder->refused);
    return false;
}

/* Files here are stamped by this machine's clock, which may be known to be wrong. */
static int64_t written_ms(const struct lf_folder *folder, const struct lf_file_info *info)
{
    int64_t written = info->written_ns / 1000000;
    return folder->outbox_remote ? written : written - lf_clock_ahead_ms();
}

static enum lf_status report(struct lf_folder *folder, struct lf_entry *entry, const char *sidecar,
                             struct lf_error *err)
{
    char version[LF_VERSION_TEXT];
    folder__version(folder, &entry->info, version);
    struct lf_finding finding = {.id = entry->path,
                                 .version = version,
                                 .name = folder__beneath_base(entry->path),
                                 .sidecar = sidecar,
                                 .early = entry->early,
                                 .written_ms = written_ms(folder, &entry->info)};
    enum lf_status status = folder->host->found(folder->host->self, &finding, err);
    if (status == LF_OK)
        entry->state = LF_ENTRY_REPORTED;
    return status;
}

/* Looks at every watched entry, and lowers *wait_ms to when the first of them wants to be looked at again. */
static void look(struct lf_folder *folder, int64_t *wait_ms)
{
    struct lf_error err;
    bool failed = false;
    for (size_t i = 0; i < folder->entries.count && !failed; i++) {
        struct lf_entry *entry = &folder->entries.items[i];
        int64_t ask = 0;
        char *sidecar = NULL;
        if (lf_cancel_is_set(folder->host->cancel))
            return;
        if (entry->state != LF_ENTRY_WATCHED || !acceptable(folder, entry))
            continue;
        if (folder__finished(folder, entry, &sidecar, &ask)
            && report(folder, entry, sidecar, &err) != LF_OK) {
            lf_log_warning(folder->host->instrument,
                           "the result %s could not be recorded and will be reported again: %s", entry->path,
                           err.text);
            ask = folder->options.scan_interval;
            failed = true; /* the journal is in trouble: the rest can wait as well */
        }
        free(sidecar);
        if (ask && ask < *wait_ms)
            *wait_ms = ask;
    }
}

enum lf_status folder__scan(struct lf_folder *folder, struct lf_error *err)
{
    struct lf_entries now = {0};
    int64_t wait_ms = folder->options.scan_interval;
    enum lf_status status = folder__alive(folder, err);
    if (status == LF_OK)
        status = read_folder(folder, &folder->outbox, "", folder->options.depth, &now, err);
    if (status == LF_OK) {
        if (now.count)
            qsort(now.items, now.count, sizeof *now.items, by_path);
        merge(folder, &now);
        if (folder->watching)
            wait_ms *= FOLDER_SCANS_SKIPPED;
        look(folder, &wait_ms);
    }
    free_entries(&now);
    folder->next_scan = lf_deadline_in(wait_ms);
    return status;
}
