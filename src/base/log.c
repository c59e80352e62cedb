#include "base/log.h"

#include "base/clock.h"
#include "base/json.h"
#include "os/service.h"
#include "os/thread.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 4096, KINDS = 64, PART_MAX = 32 };

static atomic_int threshold = LF_LOG_INFO;
static atomic_int line_format = LF_LOG_TEXT;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void lf_log_setup(enum lf_log_level level, enum lf_log_format format)
{
    if (format == LF_LOG_AUTO)
        format = lf_service_log_is_journal() ? LF_LOG_JOURNALD : LF_LOG_TEXT;
    threshold = (int)level;
    line_format = (int)format;
}

bool lf_log_wants(enum lf_log_level level)
{
    return (int)level <= threshold;
}

/* ---- writing ---- */

/* The reader of the log may have stopped (a pager, a log daemon that hangs). Work must not wait for it: a
 * line that it does not take is left out and counted. */
enum { PATIENCE_MS = 50 /* with a slow reader; none once it has missed a line */ };

static struct lf_mutex writer = LF_MUTEX_INIT; /* guards stuck and unread; taken after `mutex`, if both are */
static bool stuck;                             /* the last line was not written, or not completely */
static int64_t unread;                         /* lines not taken since the last that was */
static _Atomic int64_t left_out;

static bool write_all(const char *text, size_t len)
{
    return lf_service_log(text, len, stuck ? 0 : PATIENCE_MS);
}

static bool print_json(const char *stamp, enum lf_log_level level, const char *part, const char *text)
{
    cJSON *json = cJSON_CreateObject();
    char *line = json && lf_json_set_text(json, "time", stamp)
                         && lf_json_set_text(json, "level", level_names[level])
                         && lf_json_set_text(json, "part", part) && lf_json_set_text(json, "text", text)
                     ? lf_json_print(json)
                     : NULL;
    bool taken = line && write_all(line, strlen(line)) && write_all("\n", 1);
    free(line);
    cJSON_Delete(json);
    return taken;
}

static bool print(enum lf_log_level level, const char *part, const char *text)
{
    char stamp[LF_TIME_TEXT], line[LINE_MAX_BYTES + 300];
    static const int priority[] = {3, 4, 6, 7};
    lf_time_format(lf_clock_wall_ms(), stamp);
    if (line_format == LF_LOG_JSON)
        return print_json(stamp, level, part, text);
    if (line_format == LF_LOG_JOURNALD)
        snprintf(line, sizeof line, "<%d>%.200s: %s\n", priority[level], part, text);
    else
        snprintf(line, sizeof line, "%s %-7s %.200s: %s\n", stamp, level_names[level], part, text);
    return write_all(line, strlen(line));
}

static void put(enum lf_log_level level, const char *part, const char *text)
{
    char lost[120];
    lf_mutex_lock(&writer);
    snprintf(lost, sizeof lost, "the log was not read: %lld lines were left out", (long long)unread);
    bool taken = (!stuck || (write_all("\n", 1) && print(LF_LOG_WARNING, "log", lost)))
                 && print(level, part, text);
    unread = taken ? 0 : unread + 1;
    left_out += !taken;
    stuck = !taken;
    lf_mutex_unlock(&writer);
}

/* ---- storms ---- */

/* The lines of one kind since `since`. */
struct line_kind {
    const char *format; /* a literal: known by its address; NULL: free */
    char part[PART_MAX];
    enum lf_log_level level;
    int64_t since;
    int lines;
    int64_t left_out;
};

static struct lf_mutex mutex = LF_MUTEX_INIT; /* guards the rest */
static struct line_kind kinds[KINDS];
static int limit = 200;
static int64_t window = 60 * 1000;

int64_t lf_log_left_out(void)
{
    return left_out;
}

/* Forgets a kind, and logs how many of its lines were left out. */
static void let_go(struct line_kind *kind)
{
    char text[PART_MAX + 160];
    if (kind->left_out) {
        snprintf(text, sizeof text, "%lld more lines like this were left out: \"%.100s\"",
                 (long long)kind->left_out, kind->format);
        put(kind->level, kind->part, text);
    }
    *kind = (struct line_kind){0};
}

void lf_log_limit(int lines, int64_t window_ms)
{
    lf_mutex_lock(&mutex);
    for (struct line_kind *kind = kinds; kind < kinds + KINDS; kind++)
        let_go(kind);
    limit = lines;
    window = window_ms;
    lf_mutex_unlock(&mutex);
}

static struct line_kind *kind_of(enum lf_log_level level, const char *part, const char *format, int64_t now)
{
    struct line_kind *found = NULL, *oldest = &kinds[0];
    for (struct line_kind *kind = kinds; kind < kinds + KINDS; kind++) {
        if (kind->format && now - kind->since >= window)
            let_go(kind);
        if (kind->format == format && !strncmp(kind->part, part, PART_MAX - 1))
            found = kind;
        if (oldest->format && (!kind->format || kind->since < oldest->since))
            oldest = kind;
    }
    if (found)
        return found;
    let_go(oldest);
    *oldest = (struct line_kind){.format = format, .level = level, .since = now};
    snprintf(oldest->part, sizeof oldest->part, "%s", part);
    return oldest;
}

/* Is there room for one more of its kind? */
static bool room(enum lf_log_level level, const char *part, const char *format)
{
    if (level == LF_LOG_DEBUG)
        return true;
    lf_mutex_lock(&mutex);
    struct line_kind *kind = limit ? kind_of(level, part, format, lf_clock_mono_ms()) : NULL;
    bool good = !kind || kind->lines < limit;
    if (!good) {
        kind->left_out++;
        left_out++;
    } else if (kind) {
        kind->lines++;
    }
    lf_mutex_unlock(&mutex);
    return good;
}

void lf_log(enum lf_log_level level, const char *part, const char *format, ...)
{
    if (!lf_log_wants(level) || !room(level, part, format))
        return;
    char raw[LINE_MAX_BYTES], text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    lf_text_show(raw, text, sizeof text);
    put(level, part, text);
}
