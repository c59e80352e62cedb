#include "base/log.h"

#include "base/clock.h"
#include "base/json.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };

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

void lf_log(enum lf_log_level level, const char *part, const char *format, ...)
{
    if (!lf_log_wants(level))
        return;
    char raw[LINE_MAX_BYTES], text[LINE_MAX_BYTES], stamp[LF_TIME_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    escape(raw, text, sizeof text);
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
