/* Reading the outbox: what is there, what is new, what is finished; reporting it to the host.
 *
 * Every scan reads the names and sizes again and merges them with what was known (both sorted by path). An
 * entry is
 *   watched   until it is finished and reported to the host, with the version it had then;
 *   reported  ignored until its size, time or id changes; then watched again, as a new version;
 *   refused   it is no regular file: left in place, checked again when it changes.
 * What is refused, waits for long or is a folder that nobody reads is a concern, until it is gone or
 * finished. Entries that are gone are forgotten. */
#include "beneath.h"
#include "folder.h"

#include "base/file.h"
#include "base/log.h"
#include "os/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 100 * 1000, ABOUT_ROOM = 290 };

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
                                enum lf_unread unread, struct lf_error *err)
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
    *entry = (struct lf_entry){.path = strdup(path),
                               .info = *info,
                               .unread = unread,
                               .since = lf_clock_mono_ms(),
                               .looks = 1};
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
    static const char *const temporary[] = {"~$*",        "*.tmp", "*.part",   "*.partial", "*.crdownload",
                                            "*.filepart", "*.ldb", "*.laccdb", "Thumbs.db", "desktop.ini"};
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
    struct lf_dir archive = {0};
    if (lf_dir_is_open(&folder->inbox) && lf_dir_look_self(&folder->inbox, &own, &ignored) == LF_OK
        && lf_file_is_same(&own, info))
        return true;
    bool same = folder->options.archive && folder__archive_open(folder, false, &archive, &ignored) == LF_OK
                && lf_dir_look_self(&archive, &own, &ignored) == LF_OK && lf_file_is_same(&own, info);
    lf_dir_close(&archive);
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

static void watch_too(struct lf_folder *folder, const struct lf_dir *dir, const char *path)
{
    struct lf_error err;
    if (folder->watching && lf_watch_add(&folder->watch, dir, path, &err) != LF_OK
        && err.status != LF_NOT_FOUND)
        folder__watch_failed(folder, &err);
}

static enum lf_status read_folder(struct lf_folder *folder, const struct lf_dir *dir, const char *path,
                                  int depth, struct lf_entries *entries, struct lf_error *err);

static enum lf_status read_below(struct lf_folder *folder, const struct lf_dir *at, const char *path,
                                 const struct lf_file_info *info, int depth, struct lf_entries *entries,
                                 struct lf_error *err)
{
    struct lf_dir inner;
    enum lf_status status = lf_dir_enter(at, folder__beneath_base(path), false, &inner, err);
    if (status == LF_DENIED)
        return add_entry(entries, path, info, LF_UNREAD_DENIED, err);
    if (status != LF_OK)
        return LF_OK; /* gone meanwhile, or a link by now: the next scan sees */
    watch_too(folder, &inner, path);
    status = read_folder(folder, &inner, path, depth, entries, err);
    lf_dir_close(&inner);
    return status;
}

static void note_overfull(struct lf_folder *folder, bool overfull)
{
    static const char about[] = "the outbox";
    char text[200];
    const struct lf_host *host = folder->host;
    if (folder->overfull == overfull)
        return;
    folder->overfull = overfull;
    snprintf(text, sizeof text, "there are more than %d files in %.100s: the rest wait", (int)ENTRIES_MAX,
             folder->options.outbox);
    if (overfull)
        lf_log_warning(host->instrument, "%s", text);
    host->concern(host->self, about, true, overfull ? text : NULL,
                  "move away what the cloud has, or name the results in the setting `results`");
}

static enum lf_status read_entry(struct lf_folder *folder, const struct lf_dir *at, const char *path,
                                 const struct lf_file_info *info, int depth, struct lf_entries *entries,
                                 struct lf_error *err)
{
    const char *name = folder__beneath_base(path);
    bool inner = info->kind == LF_KIND_FOLDER;
    if (inner && (is_own_folder(folder, info) || matches(name, &folder->options.ignore)))
        return LF_OK;
    if (inner && depth > 0)
        return read_below(folder, at, path, info, depth - 1, entries, err);
    if (!inner && !wanted(folder, name))
        return LF_OK;
    if (entries->count < ENTRIES_MAX)
        return add_entry(entries, path, info, inner ? LF_UNREAD_DEEP : LF_UNREAD_NONE, err);
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

static const char *about(const struct lf_entry *entry, char text[ABOUT_ROOM])
{
    char shown[ABOUT_ROOM - 20];
    lf_text_show(entry->path, shown, sizeof shown);
    snprintf(text, ABOUT_ROOM, "%s %s", entry->unread ? "folder" : "result", shown);
    return text;
}

void folder__concern(struct lf_folder *folder, struct lf_entry *entry, const char *text, const char *todo)
{
    char name[ABOUT_ROOM], whole[LF_ERROR_TEXT];
    const struct lf_host *host = folder->host;
    if (!text && !entry->concerned)
        return;
    snprintf(whole, sizeof whole, "%s: %s", about(entry, name), text ? text : "");
    if (text && !entry->concerned)
        lf_log_warning(host->instrument, "the %s", whole);
    entry->concerned = text != NULL;
    host->concern(host->self, name, true, text ? whole : NULL, todo);
}

static void end_concerns(struct lf_folder *folder, const struct lf_entries *now)
{
    for (size_t i = 0; i < folder->entries.count; i++) {
        struct lf_entry *entry = &folder->entries.items[i];
        if (entry->concerned
            && !(now->count && bsearch(entry, now->items, now->count, sizeof *entry, by_path)))
            folder__concern(folder, entry, NULL, NULL);
    }
}

/* What is known of an entry that has changed is only how long it had paused. */
static void carry_over(const struct lf_folder *folder, const struct lf_entry *known, struct lf_entry *entry)
{
    entry->concerned = known->concerned;
    entry->pause = known->pause;
    if (same_file(folder, known, entry)) {
        entry->since = known->since;
        entry->looks = known->looks + 1;
        entry->state = known->state;
        entry->early = known->early;
    } else if (entry->since - known->since > entry->pause) {
        entry->pause = entry->since - known->since;
    }
}

static void merge(struct lf_folder *folder, struct lf_entries *now)
{
    const struct lf_entries *before = &folder->entries;
    end_concerns(folder, now);
    for (size_t i = 0; i < now->count && before->count; i++) {
        const struct lf_entry *known = bsearch(&now->items[i], before->items, before->count, sizeof *known,
                                               by_path);
        if (known)
            carry_over(folder, known, &now->items[i]);
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
    if (entry->unread == LF_UNREAD_DEEP)
        folder__concern(folder, entry, "nobody reads this folder",
                        "raise `depth` to collect from it, or name it in `ignore`");
    else if (entry->unread == LF_UNREAD_DENIED)
        folder__concern(folder, entry, "the agent's user may not read this folder",
                        "give the agent's user permission to read and enter it");
    else if (entry->info.kind != LF_KIND_FILE)
        folder__concern(folder, entry, "it is a link or a device, not a regular file, and stays where it is",
                        "put the file itself there, or remove it");
    else
        return true;
    entry->state = LF_ENTRY_REFUSED;
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
    char version[LF_VERSION_TEXT], name[FOLDER_NAME_ROOM], shown[FOLDER_NAME_ROOM * 4];
    const char *base = folder__beneath_base(entry->path);
    bool usual = folder__safe_name(base, name) && base == entry->path;
    char *id = folder__id(entry->path);
    if (!id)
        return lf_fail_memory(err, "reporting a result");
    folder__version(folder, &entry->info, version);
    lf_text_show(entry->path, shown, sizeof shown);
    struct lf_finding finding = {.id = id,
                                 .version = version,
                                 .name = name,
                                 .original = usual ? NULL : shown,
                                 .sidecar = sidecar,
                                 .early = entry->early,
                                 .written_ms = written_ms(folder, &entry->info)};
    enum lf_status status = folder->host->found(folder->host->self, &finding, err);
    free(id);
    if (status != LF_OK)
        return status;
    entry->state = LF_ENTRY_REPORTED;
    folder__concern(folder, entry, NULL, NULL);
    return LF_OK;
}

/* After some patience a person is told what a result waits for. */
static void put_off(struct lf_folder *folder, struct lf_entry *entry, const struct lf_unfinished *wait,
                    int64_t *next_ms)
{
    int64_t patience = wait->todo ? wait->patience - (lf_clock_mono_ms() - entry->since) : 0;
    if (wait->todo && patience <= 0)
        folder__concern(folder, entry, wait->text, wait->todo);
    if (patience > 0 && patience < *next_ms)
        *next_ms = patience;
    if (wait->ms && wait->ms < *next_ms)
        *next_ms = wait->ms;
}

/* Looks at every watched entry, and lowers *wait_ms to when the first of them wants to be looked at again. */
static void look(struct lf_folder *folder, int64_t *wait_ms)
{
    struct lf_error err;
    bool failed = false;
    for (size_t i = 0; i < folder->entries.count && !failed; i++) {
        struct lf_entry *entry = &folder->entries.items[i];
        struct lf_unfinished wait = {0};
        char *sidecar = NULL;
        if (lf_cancel_is_set(folder->host->cancel))
            return;
        if (entry->state != LF_ENTRY_WATCHED || !acceptable(folder, entry))
            continue;
        if (!folder__finished(folder, entry, &sidecar, &wait)) {
            put_off(folder, entry, &wait, wait_ms);
        } else if (report(folder, entry, sidecar, &err) != LF_OK) {
            lf_log_warning(folder->host->instrument,
                           "the result %s could not be recorded and will be reported again: %s", entry->path,
                           err.text);
            *wait_ms = lf_deadline_sooner(*wait_ms, folder->options.scan_interval);
            failed = true; /* the journal is in trouble: the rest can wait as well */
        }
        free(sidecar);
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
        note_overfull(folder, now.count == ENTRIES_MAX);
        merge(folder, &now);
        folder__taken_check(folder);
        if (folder->watching)
            wait_ms *= FOLDER_SCANS_SKIPPED;
        look(folder, &wait_ms);
    }
    free_entries(&now);
    folder->next_scan = lf_deadline_in(wait_ms);
    return status;
}
