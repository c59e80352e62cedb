/* The log: one line per entry on standard error, for people and for journald. Any thread. Never log a secret.
 * Logging never waits for a slow reader: lines that it does not take are left out and counted. */
#ifndef LF_BASE_LOG_H
#define LF_BASE_LOG_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum lf_log_level { LF_LOG_ERROR, LF_LOG_WARNING, LF_LOG_INFO, LF_LOG_DEBUG };
enum lf_log_format {
    LF_LOG_AUTO,     /* journald's form when standard error is the journal, else text */
    LF_LOG_TEXT,     /* 2026-11-22T06:09:34.120Z info  link: connected ... */
    LF_LOG_JOURNALD, /* "<6>link: connected ...": journald has the time */
    LF_LOG_JSON,     /* one object per line */
};

/* Limits the lines of one kind (same place in the code, same part) in `window_ms`; 0: no limit. The rest is
 * left out and counted; the count is logged when the window ends, and by this call. Debug lines are never
 * left out. Default: 200 per minute. */
void lf_log_limit(int lines, int64_t window_ms);
int64_t lf_log_left_out(void); /* since the start */

void lf_log_setup(enum lf_log_level level, enum lf_log_format format);
bool lf_log_wants(enum lf_log_level level);

/* `part` is the module or instrument that logs ("link", "balance-1"). Control characters in the text are
 * shown escaped, so that outside data cannot forge lines. */
void lf_log(enum lf_log_level level, const char *part, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define lf_log_error(...) lf_log(LF_LOG_ERROR, __VA_ARGS__)
#define lf_log_warning(...) lf_log(LF_LOG_WARNING, __VA_ARGS__)
#define lf_log_info(...) lf_log(LF_LOG_INFO, __VA_ARGS__)
#define lf_log_debug(...) lf_log(LF_LOG_DEBUG, __VA_ARGS__)

#endif
