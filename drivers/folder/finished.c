/* When is a result finished? An instrument may write for minutes, in parts, and through a share that shows
 * old sizes.
 *
 *   stable   the same size, time and inode over `stable_polls` looks and for `stable_for`; never while empty
 *   marker   its companion (done_marker) exists, or its text ends in end_marker; both, when both are set
 *   rename   it has the name that matches
 *
 * And always: it can be opened (a program that holds it without sharing is still at it), and its sidecar is
 * there when one is required. */
#include "beneath.h"
#include "folder.h"

#include "base/json.h"
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/file.h"

enum { SIDECAR_MAX = 64 * 1024, TAIL = 4096, COMPLAIN_AFTER_MS = 30 * 1000 };

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
    const char *place = place_of(pattern, &stem), *base = folder__beneath_base(path);
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

static bool companion_exists(const struct lf_folder *folder, const char *path, const char *pattern)
{
    struct stat st;
    char *companion = folder__companion(path, pattern);
    int fd = companion ? folder__beneath_open(folder->outbox, companion, &st) : -1;
    free(companion);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* ---- the rules ---- */

static bool ends_in(int fd, int64_t size, const char *marker)
{
    char tail[TAIL];
    int64_t from = size > TAIL ? size - TAIL : 0;
    ssize_t got = pread(fd, tail, sizeof tail, (off_t)from);
    size_t len = strlen(marker);
    while (got > 0 && isspace((unsigned char)tail[got - 1]))
        got--;
    return got > 0 && (size_t)got >= len && !memcmp(tail + got - len, marker, len);
}

static bool stable(const struct lf_folder *folder, const struct lf_entry *entry, int64_t *wait_ms)
{
    const struct lf_folder_options *o = &folder->options;
    int64_t still = lf_clock_mono_ms() - entry->since;
    if (entry->size > 0 && entry->polls >= o->stable_polls && still >= o->stable_for)
        return true;
    /* stable_polls looks, spread over stable_for */
    int64_t step = o->stable_polls > 1 ? o->stable_for / (o->stable_polls - 1) : o->stable_for;
    *wait_ms = entry->size > 0 ? (step < 50 ? 50 : step) : 0;
    return false;
}

static bool marked(const struct lf_folder *folder, const struct lf_entry *entry, int fd, int64_t *wait_ms)
{
    const struct lf_folder_options *o = &folder->options;
    if (o->done_marker && !companion_exists(folder, entry->path, o->done_marker))
        return false;
    if (!o->end_marker || ends_in(fd, entry->size, o->end_marker))
        return true;
    *wait_ms = folder->options.scan_interval; /* a file that grows is not told by watching */
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

/* Busy, locked by another program, or not ours to read: all may pass, and a share does not say which it
 * is. */
static int open_entry(struct lf_folder *folder, struct lf_entry *entry, int64_t *wait_ms)
{
    char text[160], reason[64];
    struct stat st;
    int fd = folder__beneath_open(folder->outbox, entry->path, &st);
    if (fd >= 0)
        return fd;
    snprintf(text, sizeof text,
             "it cannot be opened (%s); still held by the instrument, or not readable for the agent",
             strerror_r(errno, reason, sizeof reason));
    complain(folder, entry, text);
    *wait_ms = folder->options.scan_interval;
    return -1;
}

/* True: there is none, or *sidecar has its text. A sidecar that cannot be used is logged, and the result goes
 * without. */
static bool read_sidecar(struct lf_folder *folder, struct lf_entry *entry, char **sidecar)
{
    const struct lf_folder_options *o = &folder->options;
    struct lf_buffer text = {.max = SIDECAR_MAX};
    struct stat st;
    *sidecar = NULL;
    char *path = o->sidecar ? folder__companion(entry->path, o->sidecar) : NULL;
    int fd = path ? folder__beneath_open(folder->outbox, path, &st) : -1;
    if (fd < 0) {
        if (o->sidecar_required)
            complain(folder, entry, "its sidecar is not there yet");
        free(path);
        return !o->sidecar_required;
    }
    char *room = st.st_size < SIDECAR_MAX ? lf_buffer_reserve(&text, (size_t)st.st_size + 1) : NULL;
    ssize_t got = room ? pread(fd, room, (size_t)st.st_size, 0) : -1;
    if (room && got == (ssize_t)st.st_size && lf_utf8_valid(lf_slice(room, (size_t)got))
        && !memchr(room, '\0', (size_t)got)) {
        text.len = (size_t)got;
        room[got] = '\0';
        *sidecar = lf_buffer_take(&text);
    } else {
        lf_log_warning(folder->host->instrument,
                       "the sidecar %s is not used: it must be UTF-8 text below %d bytes", path,
                       (int)SIDECAR_MAX);
    }
    lf_buffer_free(&text);
    close(fd);
    free(path);
    return true;
}

bool folder__finished(struct lf_folder *folder, struct lf_entry *entry, char **sidecar, int64_t *wait_ms)
{
    *sidecar = NULL;
    *wait_ms = 0;
    if (folder->options.finish == LF_FINISH_STABLE && !stable(folder, entry, wait_ms))
        return false;
    int fd = open_entry(folder, entry, wait_ms);
    if (fd < 0)
        return false;
    bool finished = folder->options.finish != LF_FINISH_MARKER || marked(folder, entry, fd, wait_ms);
    close(fd);
    return finished && read_sidecar(folder, entry, sidecar);
}
