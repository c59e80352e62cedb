/* When is a result finished? An instrument may write for minutes, in parts, and through a share that shows
 * old sizes.
 *
 *   stable   the same size, time and inode over STABLE_LOOKS looks and for `stable_for`; never while empty
 *   marker   its companion (done_marker) exists, or its text ends in end_marker; both, when both are set
 *   rename   it has the name that matches
 *
 * And always: it can be opened (a program that holds it exclusively is still writing), and its sidecar is
 * there when one is required. */
#include "beneath.h"
#include "folder.h"

#include "base/json.h"
#include "base/log.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { STABLE_LOOKS = 3, SIDECAR_MAX = 64 * 1024, TAIL = 4096, COMPLAIN_AFTER_MS = 30 * 1000 };

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

bool folder__is_companion(const struct lf_folder *folder, const char *name)
{
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

static bool companion_exists(const struct lf_folder *folder, const char *path, const char *pattern)
{
    struct lf_file file = {0};
    struct lf_file_info info;
    bool exists = open_companion(folder, path, pattern, &file, &info);
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

static bool stable(const struct lf_folder *folder, const struct lf_entry *entry, int64_t *wait_ms)
{
    const struct lf_folder_options *o = &folder->options;
    int64_t still = lf_clock_mono_ms() - entry->since;
    if (entry->info.size > 0 && entry->looks >= STABLE_LOOKS && still >= o->stable_for)
        return true;
    int64_t step = o->stable_for / (STABLE_LOOKS - 1);
    *wait_ms = entry->info.size > 0 ? (step < 50 ? 50 : step) : 0;
    return false;
}

static bool marked(const struct lf_folder *folder, const struct lf_entry *entry, const struct lf_file *file,
                   int64_t *wait_ms)
{
    const struct lf_folder_options *o = &folder->options;
    if (o->done_marker && !companion_exists(folder, entry->path, o->done_marker))
        return false;
    if (!o->end_marker || ends_in(file, entry->info.size, o->end_marker))
        return true;
    *wait_ms = folder->options.scan_interval; /* a watch does not report that a file grows */
    return false;
}

/* ---- waiting, with the reason ---- */

static void complain(struct lf_folder *folder, struct lf_entry *entry, const char *reason)
{
    if (!entry->complained && lf_clock_mono_ms() - entry->since >= COMPLAIN_AFTER_MS) {
        lf_log_warning(folder->host->instrument, "the result %s waits: %s", entry->path, reason);
        entry->complained = true;
    }
}

/* Busy, locked by another program, or not readable for us: each may pass, and a share does not say which it
 * is. */
static bool open_entry(struct lf_folder *folder, struct lf_entry *entry, struct lf_file *file,
                       int64_t *wait_ms)
{
    char text[160];
    struct lf_error err;
    struct lf_file_info info;
    if (folder__beneath_open(&folder->outbox, entry->path, file, &info, &err) == LF_OK)
        return true;
    snprintf(text, sizeof text,
             "it cannot be opened (%.70s): the instrument still holds it, or the agent may not read it",
             err.text);
    complain(folder, entry, text);
    *wait_ms = folder->options.scan_interval;
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
static bool read_sidecar(struct lf_folder *folder, struct lf_entry *entry, char **sidecar)
{
    const struct lf_folder_options *o = &folder->options;
    struct lf_file file;
    struct lf_file_info info;
    if (!open_companion(folder, entry->path, o->sidecar, &file, &info)) {
        if (o->sidecar_required)
            complain(folder, entry, "its sidecar does not exist yet");
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

bool folder__finished(struct lf_folder *folder, struct lf_entry *entry, char **sidecar, int64_t *wait_ms)
{
    *sidecar = NULL;
    *wait_ms = 0;
    if (folder->options.finish == LF_FINISH_STABLE && !stable(folder, entry, wait_ms))
        return false;
    struct lf_file file;
    if (!open_entry(folder, entry, &file, wait_ms))
        return false;
    bool finished = folder->options.finish != LF_FINISH_MARKER || marked(folder, entry, &file, wait_ms);
    lf_file_close(&file);
    return finished && read_sidecar(folder, entry, sidecar);
}
