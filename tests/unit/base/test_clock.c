#include "base/clock.h"
#include "os/linux/native.h"
#include "unit.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// The examples of RFC 3339 section 5.8, and their instants.
static void rfc3339_examples(void)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1985-04-12T23:20:50.52Z", INT64_C(482196050520)},
        {"1996-12-19T16:39:57-08:00", INT64_C(851042397000)},
        {"1990-12-31T23:59:60Z", INT64_C(662688000000)},
        {"1937-01-01T12:00:27.87+00:20", INT64_C(-1041337172130)},
        {"1970-01-01T00:00:00Z", 0},
        {"2038-01-19T03:14:08.001Z", INT64_C(2147483648001)},
        {"2024-02-29T00:00:00.123456789+05:30", INT64_C(1709145000123)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = -1;
        CHECK_INT(lf_time_parse(cases[i].text, &ms), LF_OK);
        CHECK_INT(ms, cases[i].ms);
    }
}

static void nonsense_times(void)
{
    static const char *const bad[] = {"",
                                      "now",
                                      "2024-02-30T00:00:00Z",
                                      "2023-02-29T23:59:60Z",
                                      "2023-02-29T00:00:00Z",
                                      "2024-13-01T00:00:00Z",
                                      "2024-01-01",
                                      "2024-01-01T24:00:00Z",
                                      "2024-01-01T00:60:00Z",
                                      "2024-01-01T00:00:00",
                                      "2024-01-01T00:00:00.Z",
                                      "2024-01-01T00:00:00.1234567890Z",
                                      "2024-01-01T00:00:00+0530",
                                      "2024-01-01T00:00:00Zx",
                                      "2024-1-1T00:00:00Z",
                                      "2024-01-01T00:00:00+24:00",
                                      "20240101T000000Z"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = 7;
        CHECK_INT(lf_time_parse(bad[i], &ms), LF_INVALID);
    }
}

static void formats_utc(void)
{
    char text[LF_TIME_TEXT];
    lf_time_format(INT64_C(482196050520), text);
    CHECK_STR(text, "1985-04-12T23:20:50.520Z");
    lf_time_format(INT64_C(-62162121600000), text); /* RFC 3339: a year has four digits */
    CHECK_STR(text, "0000-02-29T00:00:00.000Z");
    lf_time_format(-1, text);
    CHECK_STR(text, "1969-12-31T23:59:59.999Z");
    lf_time_format(INT64_C(4102444800000), text);
    CHECK_STR(text, "2100-01-01T00:00:00.000Z");
    lf_time_format(INT64_MAX, text);
    CHECK(strlen(text) > 0);
    lf_time_format(INT64_MIN, text);
    CHECK(strlen(text) > 0);
}

static void formats_local_time(void)
{
    char text[LF_TIME_TEXT];
    setenv("TZ", "UTC-2", 1);
    tzset();
    lf_time_format_local(INT64_C(482196050520), text);
    CHECK_STR(text, "1985-04-13 01:20:50");
    unsetenv("TZ");
    tzset();
}

static void deadlines(void)
{
    int64_t now = lf_clock_mono_ms();
    int64_t deadline = lf_deadline_in(60000);
    CHECK(deadline >= now + 60000);
    CHECK(!lf_deadline_passed(deadline));
    CHECK(lf_deadline_left(deadline) > 0 && lf_deadline_left(deadline) <= 60000);
    CHECK(lf_deadline_passed(lf_deadline_in(-5)));
    CHECK(lf_deadline_passed(lf_deadline_in(0)));
    CHECK(lf_deadline_passed(0));
    CHECK_INT(lf_deadline_left(now - 1000), 0);
    CHECK(lf_deadline_in(LF_NEVER) == LF_NEVER);
    CHECK(lf_deadline_left(LF_NEVER) == LF_NEVER);
    CHECK(!lf_deadline_passed(LF_NEVER));
    CHECK_INT(os__poll_ms(LF_NEVER), -1);
    CHECK_INT(os__poll_ms(LF_NEVER - 1), INT_MAX);
    CHECK_INT(os__poll_ms(0), 0);
    CHECK_INT(lf_deadline_sooner(5, LF_NEVER), 5);
}

static void told_by_others(void)
{
    const int64_t minute = 60 * 1000, years = 3652LL * 24 * 60 * minute;
    char words[LF_CLOCK_TEXT];
    CHECK(!lf_clock_learned());
    CHECK_INT(lf_clock_ahead_ms(), 0);
    lf_clock_learn(-1); /* he did not say */
    CHECK(!lf_clock_learned());
    lf_clock_learn(lf_clock_wall_ms() - minute); /* answers take their time */
    CHECK(lf_clock_learned());
    CHECK_INT(lf_clock_ahead_ms(), 0);
    CHECK(llabs(lf_clock_best_ms() - lf_clock_wall_ms()) < minute);
    lf_clock_words(words);
    CHECK(!strstr(words, "tenant"));
    lf_clock_learn(lf_clock_wall_ms() - years);
    CHECK(llabs(lf_clock_ahead_ms() - years) < minute);
    CHECK(llabs(lf_clock_best_ms() - (lf_clock_wall_ms() - years)) < minute);
    lf_clock_words(words);
    CHECK_HAS(words, "3652 d ahead of the tenant's");
    lf_clock_learn(lf_clock_wall_ms() + years);
    CHECK(llabs(lf_clock_best_ms() - (lf_clock_wall_ms() + years)) < minute);
    lf_clock_words(words);
    CHECK_HAS(words, "behind the tenant's");
}

/* Of two clocks that differ, the one that agrees with what was known before is right. */
static void a_third_witness(void)
{
    const int64_t minute = 60 * 1000, years = 3652LL * 24 * 60 * minute;
    CHECK(!lf_clock_agree());
    lf_clock_know(lf_clock_wall_ms());
    lf_clock_learn(lf_clock_wall_ms() + years);
    CHECK(!lf_clock_agree());
    CHECK(llabs(lf_clock_best_ms() - lf_clock_wall_ms()) < minute);
    lf_clock_know(lf_clock_wall_ms() + years - minute);
    CHECK(llabs(lf_clock_best_ms() - (lf_clock_wall_ms() + years)) < minute);
    lf_clock_know(lf_clock_wall_ms() + 2 * years); /* both are earlier than is possible */
    CHECK(llabs(lf_clock_best_ms() - (lf_clock_wall_ms() + 2 * years)) < minute);
    lf_clock_know(lf_clock_wall_ms() - years); /* the machine was off; only one of them can be right */
    lf_clock_learn(0);
    CHECK(llabs(lf_clock_best_ms() - lf_clock_wall_ms()) < minute);
    lf_clock_learn(lf_clock_wall_ms());
    CHECK(lf_clock_agree());
    lf_clock_know(0);
}

static void backoff_is_full_jitter(void)
{
    int64_t most = 0, least = INT64_MAX;
    for (int i = 0; i < 2000; i++) {
        int64_t wait = lf_backoff_ms(3, LF_PACE_DEVICE);
        CHECK(wait >= 0 && wait <= 2000);
        most = wait > most ? wait : most;
        least = wait < least ? wait : least;
        int64_t capped = lf_backoff_ms(INT_MAX, LF_PACE_CLOUD);
        CHECK(capped >= 0 && capped <= 300000);
        CHECK(lf_backoff_ms(0, LF_PACE_BROKER) <= 500);
    }
    CHECK(most > 1500 && least < 500); // the chance that this fails by itself is below 10^-200
}

static void random_is_in_bounds(void)
{
    int seen[5] = {0};
    for (int i = 0; i < 1000; i++) {
        uint64_t value = lf_random_below(5);
        NEED(value < 5);
        seen[value]++;
    }
    for (int i = 0; i < 5; i++)
        CHECK(seen[i] > 100);
    CHECK_INT(lf_random_below(1), 0);
    lf_random_below(UINT64_MAX);
}

UNIT_TESTS("clock",
           {"the examples of RFC 3339 are read, with offsets, fractions and past 2038", rfc3339_examples},
           {"dates that do not exist and forms that RFC 3339 does not allow are refused", nonsense_times},
           {"times are written in UTC with milliseconds, before 1970 too", formats_utc},
           {"people see local time", formats_local_time},
           {"deadlines pass, LF_NEVER does not, and poll gets a value that fits", deadlines},
           {"a trusted server's time replaces a wrong clock wherever a date decides", told_by_others},
           {"of two clocks that differ, the one that agrees with what was known before is believed",
            a_third_witness},
           {"a back-off can be any wait up to its limit, which is capped", backoff_is_full_jitter},
           {"random numbers stay below their bound and reach every value", random_is_in_bounds}, )
