/* When is a result finished? An instrument may write for minutes, in parts, and through a share that shows
 * old sizes.
 *
 * - stable: the same size, time and inode over STABLE_LOOKS looks and for `stable_for`; never while empty,
 *   nor while a program has it open for writing. Where that cannot be known (a share, or a file of another
 *   user without CAP_LEASE), the time grows with the size, and with the pauses that were seen in its growth.
 * - marker: its companion (done_marker) exists, or its text ends in end_marker; both, when both are set.
 * - rename: it has the name that matches.
 *
 * And always: it can be opened (a program that holds it exclusively is still writing), its sidecar is there
 * when one is required, and its name is not that of a file that is going to be renamed. */
#include "beneath.h"
#include "folder.h"

#include "base/json.h"
#include "base/log.h"
#include "os/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { STABLE_LOOKS = 3, SIDECAR_MAX = 64 * 1024, TAIL = 4096, CHANGED_MS = 50 };
/* How long a result may wait before it is a concern. A measurement may take hours, so one that is still being
 * written may wait longer. */
enum { PATIENCE_MS = 30 * 1000, WRITING_PATIENCE_MS = 10 * 60 * 1000 };
enum { QUIET_BYTES_PER_S = 50 * 1000 * 1000, QUIET_SIZE_MAX_MS = 2 * 60 * 1000, PAUSES = 2 };

/* ---- companions ---- */

/* Where {name} or {stem} stands in the pattern; both are 6 bytes. */
static const char *place_of(const char *pattern, bool *stem)
{
    const char *at = strstr(pattern, "{name}");
    *stem = !at;
    return at ? at : strstr(pattern, "{stem}");
}

char *folder__companion(const char *path, const char *pattern)
{
    bool stem;
    const char *place = pattern ? place_of(pattern, &stem) : NULL, *base = folder__beneath_base(path);
    if (!place)
        return NULL;
    const char *dot = stem ? strrchr(base, '.') : NULL;
    size_t len = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    return lf_format("%.*s%.*s%.*s%s", (int)(base - path), path, (int)(place - pattern), pattern, (int)len,
                     base, place + 6);
}

static bool fits(const char *pattern, const char *name)
{
    bool stem;
    const char *place = pattern ? place_of(pattern, &stem) : NULL;
    if (!place)
        return false;
    size_t head = (size_t)(place - pattern), tail = strlen(place + 6), len = strlen(name);
    return len > head + tail && !strncasecmp(name, pattern, head)
           && !strcasecmp(name + len - tail, place + 6);
}

/* A done marker without {name} or {stem} is for all results in its folder and below. */
static bool is_folder_marker(const char *pattern)
{
    return pattern && !strstr(pattern, "{name}") && !strstr(pattern, "{stem}");
}

bool folder__is_companion(const struct lf_folder *folder, const char *name)
{
    if (is_folder_marker(folder->options.done_marker) && !strcasecmp(folder->options.done_marker, name))
        return true;
    return fits(folder->options.sidecar, name) || fits(folder->options.done_marker, name);
}

/* Opens the companion of a result to read. */
static bool open_companion(const struct lf_folder *folder, const char *path, const char *pattern,
                           struct lf_file *file, struct lf_file_info *info)
{
    struct lf_error ignored;
    char *companion = folder__companion(path, pattern);
    bool opened = companion
                  && folder__beneath_open(&folder->outbox, companion, file, info, &ignored) == LF_OK;
    free(companion);
    return opened;
}

/* In the folder of the result, or for a folder's marker in one above it. */
static bool marker_exists(const struct lf_folder *folder, const char *path)
{
    const char *pattern = folder->options.done_marker;
    struct lf_error ignored;
    struct lf_file file = {0};
    struct lf_file_info info;
    bool exists = open_companion(folder, path, pattern, &file, &info);
    for (const char *end = path + strlen(path); is_folder_marker(pattern) && !exists && end > path;) {
        while (end > path && end[-1] != '/')
            end--;
        char *marker = lf_format("%.*s%s", (int)(end - path), path, pattern);
        exists = marker && folder__beneath_open(&folder->outbox, marker, &file, &info, &ignored) == LF_OK;
        free(marker);
        end -= end > path;
    }
    lf_file_close(&file);
    return exists;
}

/* ---- the rules ---- */

static bool ends_in(const struct lf_file *file, int64_t size, const char *marker)
{
    char tail[TAIL];
    struct lf_error ignored;
    size_t got, len = strlen(marker);
    int64_t from = size > TAIL ? size - TAIL : 0;
    if (lf_file_read_at(file, from, tail, sizeof tail, &got, &ignored) != LF_OK)
        return false;
    while (got && isspace((unsigned char)tail[got - 1]))
        got--;
    return got && got >= len && !memcmp(tail + got - len, marker, len);
}

/* Reports once how it is known, for people. */
static void note_way(struct lf_folder *folder, const char *way)
{
    if (folder->told_way == way)
        return;
    folder->told_way = way;
    folder->host->way(folder->host->self, way);
}

bool folder__is_written(struct lf_folder *folder, const char *path, const struct lf_file *file, bool *known)
{
    enum lf_status lease = lf_file_check_unwritten(file);
    bool seen = folder->watching && lf_watch_writing(&folder->watch, path);
    *known = lease == LF_OK || lease == LF_BUSY;
    return seen || lease == LF_BUSY;
}

/* How long it must stay unchanged where a writer is not noticed. */
static int64_t quiet_ms(const struct lf_folder *folder, const struct lf_entry *entry)
{
    int64_t quiet = folder->options.stable_for, by_pause = PAUSES * entry->pause,
            by_size = entry->info.size / (QUIET_BYTES_PER_S / 1000);
    if (by_size > QUIET_SIZE_MAX_MS)
        by_size = QUIET_SIZE_MAX_MS;
    quiet = by_size > quiet ? by_size : quiet;
    return by_pause > quiet ? by_pause : quiet;
}

static void not_yet(struct lf_unfinished *wait, int64_t ms, int64_t patience, const char *text,
                    const char *todo)
{
    *wait = (struct lf_unfinished){.ms = ms, .patience = patience, .todo = todo};
    snprintf(wait->text, sizeof wait->text, "%s", text);
}

static bool unchanged(const struct lf_entry *entry, int64_t quiet, struct lf_unfinished *wait)
{
    int64_t step = quiet / (STABLE_LOOKS - 1);
    if (!entry->info.size)
        not_yet(wait, 0, PATIENCE_MS, "it is empty",
                "look at the export of the instrument; remove the file if nothing will follow");
    else
        not_yet(wait, step < 50 ? 50 : step, 0, "", NULL);
    return entry->info.size > 0 && entry->looks >= STABLE_LOOKS && lf_clock_mono_ms() - entry->since >= quiet;
}

static bool stable(struct lf_folder *folder, const struct lf_entry *entry, const struct lf_file *file,
                   struct lf_unfinished *wait)
{
    bool known, written = folder__is_written(folder, entry->path, file, &known);
    note_way(folder, known ? "results are finished when no program has them open for writing (lease)"
                     : folder->watching
                         ? "results are finished when their writer, watched, has closed them and "
                           "they are quiet"
                         : "results are finished when they have been quiet for a while");
    if (written)
        not_yet(
            wait, folder->options.scan_interval, WRITING_PATIENCE_MS,
            "a program still has it open for writing; it is taken once that has closed it",
            "end the measurement, or close the file in the instrument's software; if that keeps its files open, "
            "set finish to marker or rename");
    return !written && (known || unchanged(entry, quiet_ms(folder, entry), wait));
}

/* Was it written to since the outbox was listed? Asked once the marker is there: the last part may have come
 * after the listing, just before the marker. */
static bool changed(const struct lf_entry *entry, const struct lf_file *file)
{
    struct lf_file_info now;
    struct lf_error ignored;
    return lf_file_look(file, &now, &ignored) != LF_OK || now.size != entry->info.size
           || now.written_ns != entry->info.written_ns;
}

static bool marked(const struct lf_folder *folder, const struct lf_entry *entry, const struct lf_file *file,
                   struct lf_unfinished *wait)
{
    const struct lf_folder_options *o = &folder->options;
    if (o->done_marker && !marker_exists(folder, entry->path)) {
        not_yet(
            wait, 0, PATIENCE_MS, "its done marker has not come",
            "look at the instrument; create the marker if the result is complete, or correct done_marker");
        return false;
    }
    if (o->done_marker && changed(entry, file)) {
        not_yet(wait, CHANGED_MS, PATIENCE_MS, "it is still being written although its done marker is there",
                "look at the instrument; the marker must come after the last part of the result");
        return false;
    }
    if (!o->end_marker || ends_in(file, entry->info.size, o->end_marker))
        return true;
    /* a watch does not report that a file grows */
    not_yet(wait, o->scan_interval, PATIENCE_MS, "it does not end with its end marker",
            "look at the instrument, or correct end_marker");
    return false;
}

/* ---- waiting, with the reason ---- */

/* Busy, locked by another program, or not readable for us: each may pass, and a share does not say which it
 * is. */
static bool open_entry(struct lf_folder *folder, const struct lf_entry *entry, struct lf_file *file,
                       struct lf_unfinished *wait)
{
    struct lf_error err;
    struct lf_file_info info;
    if (folder__beneath_open(&folder->outbox, entry->path, file, &info, &err) == LF_OK)
        return true;
    not_yet(wait, folder->options.scan_interval, PATIENCE_MS, "",
            "close it in the instrument's software, or give the agent's user permission to read it");
    snprintf(wait->text, sizeof wait->text,
             "it cannot be opened (%.70s): the instrument still holds it, or the agent may not read it",
             err.text);
    return false;
}

static char *sidecar_text(const struct lf_file *file, const struct lf_file_info *info)
{
    struct lf_error ignored;
    size_t size = (size_t)info->size, got = 0;
    char *text = info->size < SIDECAR_MAX ? malloc(size + 1) : NULL;
    if (text && lf_file_read_at(file, 0, text, size, &got, &ignored) == LF_OK && got == size
        && lf_utf8_valid(lf_slice(text, got)) && !memchr(text, '\0', got)) {
        text[got] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

/* True: there is none, or *sidecar has its text. A sidecar that cannot be used is logged, and the result goes
 * without. */
static bool read_sidecar(struct lf_folder *folder, const struct lf_entry *entry, char **sidecar,
                         struct lf_unfinished *wait)
{
    const struct lf_folder_options *o = &folder->options;
    struct lf_file file;
    struct lf_file_info info;
    if (!open_companion(folder, entry->path, o->sidecar, &file, &info)) {
        not_yet(wait, 0, PATIENCE_MS, "its sidecar has not come",
                "create the sidecar, or turn sidecar_required off");
        return !o->sidecar_required;
    }
    *sidecar = sidecar_text(&file, &info);
    lf_file_close(&file);
    if (!*sidecar)
        lf_log_warning(folder->host->instrument,
                       "the sidecar of %s is not used: it must be UTF-8 text below %d bytes", entry->path,
                       (int)SIDECAR_MAX);
    return true;
}

/* It counts if a pattern of the configuration means such names; "*" and "*.csv*" do not. */
static bool will_be_renamed(const struct lf_folder *folder, const struct lf_entry *entry)
{
    const char *name = folder__beneath_base(entry->path);
    const struct lf_texts *results = &folder->options.results;
    if (!folder__is_temporary(name))
        return false;
    for (size_t i = 0; i < results->count; i++) {
        size_t len = strlen(results->items[i]);
        if (results->items[i][len - 1] != '*' && lf_glob_match(results->items[i], name, true))
            return false;
    }
    return true;
}

bool folder__finished(struct lf_folder *folder, struct lf_entry *entry, char **sidecar,
                      struct lf_unfinished *wait)
{
    enum lf_finish finish = folder->options.finish;
    struct lf_file file;
    *sidecar = NULL;
    *wait = (struct lf_unfinished){0};
    if (will_be_renamed(folder, entry)) {
        not_yet(
            wait, 0, WRITING_PATIENCE_MS, "its name looks temporary, and it was not renamed",
            "remove it if it was left behind; name it in `results` (like \"*.??????\") if it is a result");
        return false;
    }
    if (finish == LF_FINISH_STABLE && !unchanged(entry, folder->options.stable_for, wait))
        return false;
    if (!open_entry(folder, entry, &file, wait))
        return false;
    bool finished = finish == LF_FINISH_STABLE   ? stable(folder, entry, &file, wait)
                    : finish == LF_FINISH_MARKER ? marked(folder, entry, &file, wait)
                                                 : true;
    lf_file_close(&file);
    return finished && read_sidecar(folder, entry, sidecar, wait);
}
