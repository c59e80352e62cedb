#include "base/log.h"

#include "base/clock.h"
#include "base/json.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, KINDS = 64, PART_MAX = 32 };

static atomic_int threshold = LF_LOG_INFO;
static atomic_int line_format = LF_LOG_TEXT;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

/* journald sets JOURNAL_STREAM=<device>:<inode> of the stream that it reads. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char *rest;
    struct stat st;
    if (!stream || fstat(STDERR_FILENO, &st) != 0 || strtoull(stream, &rest, 10) != st.st_dev || *rest != ':')
        return false;
    return strtoull(rest + 1, NULL, 10) == st.st_ino;
}

void lf_log_setup(enum lf_log_level level, enum lf_log_format format)
{
    if (format == LF_LOG_AUTO)
        format = stderr_is_journal() ? LF_LOG_JOURNALD : LF_LOG_TEXT;
    threshold = (int)level;
    line_format = (int)format;
}

bool lf_log_wants(enum lf_log_level level)
{
    return (int)level <= threshold;
}

/* Copies text, showing control characters, and bytes that are not UTF-8, as \xNN. */
static void escape(const char *text, char *out, size_t room)
{
    size_t used = 0;
    unsigned char last = lf_utf8_valid(lf_slice_text(text)) ? 0xFF : 0x7E;
    for (; *text && used + 5 < room; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7F || c > last)
            used += (size_t)snprintf(out + used, room - used, "\\x%02X", c);
        else
            out[used++] = *text;
    }
    out[used] = '\0';
}

static void print_json(const char *stamp, enum lf_log_level level, const char *part, const char *text)
{
    cJSON *line = cJSON_CreateObject();
    if (line && lf_json_set_text(line, "time", stamp) && lf_json_set_text(line, "level", level_names[level])
        && lf_json_set_text(line, "part", part) && lf_json_set_text(line, "text", text)) {
        char *printed = lf_json_print(line);
        if (printed)
            fprintf(stderr, "%s\n", printed);
        free(printed);
    }
    cJSON_Delete(line);
}

static void put(enum lf_log_level level, const char *part, const char *text)
{
    char stamp[LF_TIME_TEXT];
    static const int priority[] = {3, 4, 6, 7};
    switch ((enum lf_log_format)line_format) {
    case LF_LOG_JOURNALD:
        fprintf(stderr, "<%d>%s: %s\n", priority[level], part, text);
        break;
    case LF_LOG_JSON:
        lf_time_format(lf_clock_wall_ms(), stamp);
        print_json(stamp, level, part, text);
        break;
    case LF_LOG_AUTO:
    case LF_LOG_TEXT:
        lf_time_format(lf_clock_wall_ms(), stamp);
        fprintf(stderr, "%s %-7s %s: %s\n", stamp, level_names[level], part, text);
        break;
    }
}

/* ---- storms ------------------------------------------------------------------------------------------------------------ */

/* The lines of one kind since `since`. */
struct kind {
    const char *format; /* a literal: known by its address; NULL: free */
    char part[PART_MAX];
    enum lf_log_level level;
    int64_t since;
    int lines;
    int64_t left_out;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the rest */
static struct kind kinds[KINDS];
static int limit = 200;
static int64_t window = 60 * 1000;
static int64_t left_out;

int64_t lf_log_left_out(void)
{
    pthread_mutex_lock(&mutex);
    int64_t count = left_out;
    pthread_mutex_unlock(&mutex);
    return count;
}

/* Forgets a kind, and tells what was left out of it. */
static void let_go(struct kind *kind)
{
    char text[PART_MAX + 160];
    if (kind->left_out) {
        snprintf(text, sizeof text, "%lld more lines like this were left out: \"%.100s\"", (long long)kind->left_out, kind->format);
        put(kind->level, kind->part, text);
    }
    *kind = (struct kind){0};
}

void lf_log_limit(int lines, int64_t window_ms)
{
    pthread_mutex_lock(&mutex);
    for (struct kind *kind = kinds; kind < kinds + KINDS; kind++)
        let_go(kind);
    limit = lines;
    window = window_ms;
    pthread_mutex_unlock(&mutex);
}

static struct kind *kind_of(enum lf_log_level level, const char *part, const char *format, int64_t now)
{
    struct kind *found = NULL, *oldest = &kinds[0];
    for (struct kind *kind = kinds; kind < kinds + KINDS; kind++) {
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
    *oldest = (struct kind){.format = format, .level = level, .since = now};
    snprintf(oldest->part, sizeof oldest->part, "%s", part);
    return oldest;
}

/* Is there room for one more of its kind? */
static bool room(enum lf_log_level level, const char *part, const char *format)
{
    if (level == LF_LOG_DEBUG)
        return true;
    pthread_mutex_lock(&mutex);
    struct kind *kind = limit ? kind_of(level, part, format, lf_clock_mono_ms()) : NULL;
    bool good = !kind || kind->lines < limit;
    if (!good) {
        kind->left_out++;
        left_out++;
    } else if (kind) {
        kind->lines++;
    }
    pthread_mutex_unlock(&mutex);
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
    escape(raw, text, sizeof text);
    put(level, part, text);
}
