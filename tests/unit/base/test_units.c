#include "base/setting.h"
#include "base/units.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void durations(void)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"250ms", 250},  {"30s", 30000},    {"5m", 300000},
        {"2h", 7200000}, {"7d", 604800000}, {"0", 0},
        {"0s", 0},       {"90 s", 90000},   {"9223372036854775807ms", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = -1;
        CHECK_INT(lf_duration_parse(good[i].text, &ms), LF_OK);
        CHECK_INT(ms, good[i].ms);
    }
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "-5s",
                                      "+5s",
                                      "1.5s",
                                      "5x",
                                      "5sec",
                                      "5 s ",
                                      " 5s",
                                      "5S",
                                      "5M",
                                      "1e3s",
                                      "0x5s",
                                      "9223372036854775808ms",
                                      "9223372036854775807s",
                                      "99999999999999999999d"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = 7;
        CHECK_INT(lf_duration_parse(bad[i], &ms), LF_INVALID);
        CHECK_INT(ms, 7);
    }
}

static void sizes(void)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {
        {"0", 0},
        {"512", 512},
        {"512B", 512},
        {"64KB", 64000},
        {"64kb", 64000},
        {"64KiB", 65536},
        {"10MB", 10000000},
        {"2GB", 2000000000},
        {"3 GiB", INT64_C(3221225472)},
        {"5TB", INT64_C(5000000000000)},
        {"1TiB", INT64_C(1099511627776)},
        {"9223372036854775807", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t bytes = -1;
        CHECK_INT(lf_size_parse(good[i].text, &bytes), LF_OK);
        CHECK_INT(bytes, good[i].bytes);
    }
    static const char *const bad[] =
        {"", "KB", "-1", "1.5MB", "1XB", "10 M", "9223372036854775808", "9223372036854776KB", "9999999TiB"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t bytes = 7;
        CHECK_INT(lf_size_parse(bad[i], &bytes), LF_INVALID);
        CHECK_INT(bytes, 7);
    }
}

static void check_duration(int64_t ms, const char *expected)
{
    char text[40];
    lf_duration_format(ms, text, sizeof text);
    CHECK_STR(text, expected);
}

static void check_size(int64_t bytes, const char *expected)
{
    char text[40];
    lf_size_format(bytes, text, sizeof text);
    CHECK_STR(text, expected);
}

static void for_people(void)
{
    check_duration(0, "0 ms");
    check_duration(999, "999 ms");
    check_duration(1000, "1 s");
    check_duration(1500, "1.5 s");
    check_duration(59999, "59.9 s");
    check_duration(180000, "3 min");
    check_duration(7200000, "2 h");
    check_duration(604800000, "7 d");
    check_duration(INT64_MAX, "106751991167.3 d");
    check_size(0, "0 bytes");
    check_size(999, "999 bytes");
    check_size(12345678, "12.3 MB");
    check_size(1999999, "1.9 MB");
    check_size(5000000000, "5 GB");
    check_size(INT64_MAX, "9223372 TB");
    char small[4];
    lf_duration_format(12345678, small, sizeof small);
    CHECK_INT(strlen(small), 3);
}

static void distances(void)
{
    CHECK_INT(lf_edit_distance("", ""), 0);
    CHECK_INT(lf_edit_distance("", "abc"), 3);
    CHECK_INT(lf_edit_distance("kitten", "sitting"), 3);
    CHECK_INT(lf_edit_distance("broker", "brokre"), 1);
    CHECK_INT(lf_edit_distance("Broker", "broker"), 0);
    CHECK_INT(lf_edit_distance("flaw", "lawn"), 2);
    char long_name[5000];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    CHECK_INT(lf_edit_distance(long_name, "a"), 4999);
    long_name[64] = '\0';
    CHECK_INT(lf_edit_distance(long_name, "a"), 63);
}

static void lists(void)
{
    char list[14] = "";
    lf_list_add(list, sizeof list, "weigh");
    lf_list_add(list, sizeof list, "tare");
    CHECK_STR(list, "weigh, tare");
    lf_list_add(list, sizeof list, "zero");
    CHECK_STR(list, "weigh, tare, ");
    lf_list_add(list, sizeof list, "more");
    CHECK_STR(list, "weigh, tare, ");
}

UNIT_TESTS("measure", {"times are whole numbers with a unit, not negative, without overflow", durations},
           {"sizes are read in powers of 1000 and 1024, without overflow", sizes},
           {"times and sizes are shown with one decimal, never rounded up", for_people},
           {"names join into a list, which is cut where it has no room", lists},
           {"the distance of names counts a swap as one and ignores case", distances}, )
