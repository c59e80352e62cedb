#include "base/clock.h"

#include "base/setting.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t lf_clock_mono_ms(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

int64_t lf_clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME);
}

/* Outside clock minus monotonic clock; 0: nobody has told (his time cannot be that of our start in 1970). */
static _Atomic int64_t outside;

void lf_clock_learn(int64_t outside_ms)
{
    if (outside_ms >= 0)
        outside = outside_ms - lf_clock_mono_ms();
}

bool lf_clock_learned(void)
{
    return outside != 0;
}

int64_t lf_clock_ahead_ms(void)
{
    int64_t offset = outside;
    int64_t ahead = offset ? lf_clock_wall_ms() - (lf_clock_mono_ms() + offset) : 0;
    return ahead > LF_CLOCK_TOLERANCE_MS || ahead < -LF_CLOCK_TOLERANCE_MS ? ahead : 0;
}

int64_t lf_clock_best_ms(void)
{
    int64_t now = lf_clock_wall_ms();
    return now - lf_clock_ahead_ms();
}

void lf_clock_words(char text[LF_CLOCK_TEXT])
{
    char now[LF_TIME_TEXT], by[32];
    int64_t ahead = lf_clock_ahead_ms();
    lf_time_format(lf_clock_wall_ms(), now);
    lf_duration_format(ahead < 0 ? -ahead : ahead, by, sizeof by);
    snprintf(text, LF_CLOCK_TEXT, "the clock of this machine says %s%s%s%s", now, ahead ? " (" : "",
             ahead ? by : "",
             !ahead      ? ""
             : ahead > 0 ? " ahead of the tenant's)"
                         : " behind the tenant's)");
}

int64_t lf_deadline_in(int64_t ms)
{
    int64_t now = lf_clock_mono_ms();
    if (ms <= 0)
        return now;
    return ms > LF_NEVER - now ? LF_NEVER : now + ms;
}

int64_t lf_deadline_left(int64_t deadline)
{
    if (deadline == LF_NEVER)
        return LF_NEVER;
    int64_t left = deadline - lf_clock_mono_ms();
    return left > 0 ? left : 0;
}

bool lf_deadline_passed(int64_t deadline)
{
    return lf_deadline_left(deadline) == 0;
}

int64_t lf_deadline_sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int lf_deadline_poll_ms(int64_t deadline)
{
    if (deadline == LF_NEVER)
        return -1;
    int64_t left = lf_deadline_left(deadline);
    return left > INT_MAX ? INT_MAX : (int)left;
}

void lf_time_format(int64_t wall_ms, char text[LF_TIME_TEXT])
{
    int64_t seconds = wall_ms / 1000, ms = wall_ms % 1000;
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    time_t when = (time_t)seconds;
    struct tm utc;
    if (!gmtime_r(&when, &utc)) {
        snprintf(text, LF_TIME_TEXT, "invalid time");
        return;
    }
    char rest[24];
    strftime(rest, sizeof rest, "-%m-%dT%H:%M:%S", &utc);
    /* strftime's %Y gives fewer than four digits to years before 1000. */
    snprintf(text, LF_TIME_TEXT, "%04" PRId64 "%s.%03dZ", (int64_t)utc.tm_year + 1900, rest, (int)ms);
}

void lf_time_format_short(int64_t wall_ms, char text[LF_TIME_TEXT])
{
    time_t when = (time_t)(wall_ms / 1000);
    struct tm local;
    if (!localtime_r(&when, &local) || !strftime(text, LF_TIME_TEXT, "%H:%M:%S", &local))
        snprintf(text, LF_TIME_TEXT, "--:--:--");
}

/* Reads exactly `digits` decimal digits. */
static bool digits(const char **at, int count, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return false;
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

static bool literal(const char **at, char wanted)
{
    if (**at != wanted)
        return false;
    (*at)++;
    return true;
}

static bool fraction(const char **at, int *ms)
{
    *ms = 0;
    if (**at != '.')
        return true;
    (*at)++;
    int scale = 100, count = 0;
    for (; isdigit((unsigned char)**at); (*at)++, count++, scale /= 10)
        *ms += (**at - '0') * scale;
    return count >= 1 && count <= 9;
}

static bool offset(const char **at, int *minutes)
{
    *minutes = 0;
    if (**at == 'Z' || **at == 'z') {
        (*at)++;
        return true;
    }
    int sign = **at == '-' ? -1 : 1, h, m;
    if (**at != '+' && **at != '-')
        return false;
    (*at)++;
    if (!digits(at, 2, &h) || !literal(at, ':') || !digits(at, 2, &m) || h > 23 || m > 59)
        return false;
    *minutes = sign * (h * 60 + m);
    return true;
}

enum lf_status lf_time_parse(const char *text, int64_t *wall_ms)
{
    struct tm tm = {0};
    int ms, minutes;
    const char *at = text;
    bool good = digits(&at, 4, &tm.tm_year) && literal(&at, '-') && digits(&at, 2, &tm.tm_mon)
                && literal(&at, '-') && digits(&at, 2, &tm.tm_mday)
                && (*at == 'T' || *at == 't' || *at == ' ');
    if (!good)
        return LF_INVALID;
    at++;
    good = digits(&at, 2, &tm.tm_hour) && literal(&at, ':') && digits(&at, 2, &tm.tm_min) && literal(&at, ':')
           && digits(&at, 2, &tm.tm_sec) && fraction(&at, &ms) && offset(&at, &minutes) && *at == '\0';
    if (!good || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23
        || tm.tm_min > 59 || tm.tm_sec > 60)
        return LF_INVALID;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int day = tm.tm_mday, leap = tm.tm_sec == 60; /* a leap second is the first one of the next minute */
    tm.tm_sec -= leap;
    int64_t seconds = timegm(&tm);
    if (tm.tm_mday != day) /* 31 February and the like were normalised away */
        return LF_INVALID;
    *wall_ms = (seconds + leap - (int64_t)minutes * 60) * 1000 + ms;
    return LF_OK;
}

uint64_t lf_random_below(uint64_t bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, value;
    do {
        if (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value)
            value = (uint64_t)read_clock(CLOCK_MONOTONIC)
                    * 2654435761u; /* early boot without entropy: spread is enough */
    } while (value >= limit);
    return value % bound;
}

int64_t lf_backoff_ms(int attempt, int64_t base_ms, int64_t cap_ms)
{
    int64_t ceiling = base_ms;
    for (int i = 0; i < attempt && ceiling < cap_ms; i++)
        ceiling *= 2;
    if (ceiling > cap_ms)
        ceiling = cap_ms;
    return (int64_t)lf_random_below((uint64_t)ceiling + 1);
}
