#include "base/clock.h"

#include "base/setting.h"
#include "base/units.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* External wall clock minus monotonic clock; 0: none recorded (it could only mean that we booted in 1970). */
static _Atomic int64_t outside;
/* The same for the known time. */
static _Atomic int64_t known;

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

bool lf_clock_agree(void)
{
    return lf_clock_learned() && lf_clock_ahead_ms() == 0;
}

void lf_clock_know(int64_t known_ms)
{
    known = known_ms ? known_ms - lf_clock_mono_ms() : 0;
}

int64_t lf_clock_known_ms(void)
{
    int64_t offset = known;
    return offset ? lf_clock_mono_ms() + offset : 0;
}

int64_t lf_clock_best_ms(void)
{
    int64_t wall = lf_clock_wall_ms(), told = wall - lf_clock_ahead_ms(), sure = lf_clock_known_ms();
    bool ours = wall >= sure - LF_CLOCK_TOLERANCE_MS, theirs = told >= sure - LF_CLOCK_TOLERANCE_MS;
    if (!sure)
        return told;
    if (!ours && !theirs)
        return sure;
    return ours && (!theirs || wall <= sure + LF_CLOCK_TOLERANCE_MS) ? wall : told;
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

/* ---- dates: days since 1970-01-01 and the Gregorian calendar, without the C library's limits ---- */

enum { MS_OF_DAY = 24 * 60 * 60 * 1000 };

static int64_t floor_of(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

/* A year that begins in March ends with its leap day; 400 of them have 146097 days. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_of(year, 400), of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = floor_of(days, 146097), rest = days - era * 146097;
    int64_t of_era = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    int64_t of_year = rest - (365 * of_era + of_era / 4 - of_era / 100), part = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * part + 2) / 5 + 1);
    *month = (int)(part < 10 ? part + 3 : part - 9);
    *year = era * 400 + of_era + (*month <= 2);
}

static void format_time(int64_t ms, char between, const char *end, char text[LF_TIME_TEXT])
{
    int64_t days = floor_of(ms, MS_OF_DAY), year;
    int of_day = (int)(ms - days * MS_OF_DAY), seconds = of_day / 1000, month, day;
    date_of(days, &year, &month, &day);
    snprintf(text, LF_TIME_TEXT, "%04" PRId64 "-%02d-%02d%c%02d:%02d:%02d%s", year, month, day, between,
             seconds / 3600, seconds / 60 % 60, seconds % 60, end);
}

void lf_time_format(int64_t wall_ms, char text[LF_TIME_TEXT])
{
    char end[16];
    snprintf(end, sizeof end, ".%03dZ", (int)(wall_ms - floor_of(wall_ms, 1000) * 1000));
    format_time(wall_ms, 'T', end, text);
}

void lf_time_format_local(int64_t wall_ms, char text[LF_TIME_TEXT])
{
    format_time(wall_ms + lf_clock_zone_ms(wall_ms), ' ', "", text);
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
    int year, month, day, hour, minute, second, ms, zone, last_day = 0;
    int64_t same_year;
    const char *at = text;
    bool good = digits(&at, 4, &year) && literal(&at, '-') && digits(&at, 2, &month) && literal(&at, '-')
                && digits(&at, 2, &day) && (*at == 'T' || *at == 't' || *at == ' ');
    if (!good)
        return LF_INVALID;
    at++;
    good = digits(&at, 2, &hour) && literal(&at, ':') && digits(&at, 2, &minute) && literal(&at, ':')
           && digits(&at, 2, &second) && fraction(&at, &ms) && offset(&at, &zone) && *at == '\0';
    /* second 60: a leap second is the first one of the next minute */
    if (!good || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60)
        return LF_INVALID;
    int64_t days = days_of(year, month, day);
    date_of(days, &same_year, &month, &last_day);
    if (last_day != day) /* 31 February and the like */
        return LF_INVALID;
    *wall_ms = days * MS_OF_DAY + (((hour * 60 + minute - zone) * INT64_C(60)) + second) * 1000 + ms;
    return LF_OK;
}

uint64_t lf_random_below(uint64_t bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, value;
    do {
        if (!lf_random_bytes(&value, sizeof value))
            value = (uint64_t)lf_clock_mono_ms() * 2654435761u; /* spread is enough */
    } while (value >= limit);
    return value % bound;
}

int64_t lf_backoff_ms(int attempt, enum lf_pace pace)
{
    static const struct {
        int64_t base_ms, cap_ms;
    } paces[] = {[LF_PACE_DEVICE] = {250, 30 * 1000},
                 [LF_PACE_BROKER] = {500, 60 * 1000},
                 [LF_PACE_CLOUD] = {1000, 5 * 60 * 1000}};
    int64_t ceiling = paces[pace].base_ms, cap = paces[pace].cap_ms;
    for (int i = 0; i < attempt && ceiling < cap; i++)
        ceiling *= 2;
    return (int64_t)lf_random_below((uint64_t)(ceiling < cap ? ceiling : cap) + 1);
}
