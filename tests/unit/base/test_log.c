#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Standard error, caught in a file.
static char caught[20000];
static int kept_stderr = -1, catcher = -1;

static void begin(void)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/log", unit_folder());
    fflush(stderr);
    kept_stderr = dup(STDERR_FILENO);
    catcher = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    NEED(kept_stderr >= 0 && catcher >= 0);
    dup2(catcher, STDERR_FILENO);
}

static const char *end(void)
{
    fflush(stderr);
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    ssize_t got = pread(catcher, caught, sizeof caught - 1, 0);
    caught[got > 0 ? got : 0] = '\0';
    close(catcher);
    return caught;
}

static void text_lines(void)
{
    begin();
    lf_log_setup(LF_LOG_INFO, LF_LOG_TEXT);
    lf_log_warning("link", "lost %s after %d s", "broker", 5);
    const char *line = end();
    CHECK_HAS(line, "Z warning link: lost broker after 5 s\n");
    CHECK_INT(line[4], '-');
    CHECK_INT(line[10], 'T');
}

static void level_decides(void)
{
    begin();
    lf_log_setup(LF_LOG_WARNING, LF_LOG_TEXT);
    lf_log_info("a", "too much");
    lf_log_debug("a", "far too much");
    lf_log_error("a", "wanted");
    CHECK(lf_log_wants(LF_LOG_WARNING));
    CHECK(!lf_log_wants(LF_LOG_INFO));
    const char *line = end();
    CHECK(strstr(line, "too much") == NULL);
    CHECK_HAS(line, "wanted");
}

static void no_forged_lines(void)
{
    begin();
    lf_log_setup(LF_LOG_INFO, LF_LOG_TEXT);
    lf_log_info("a", "name is %s", "x\n2026-01-01T00:00:00.000Z error forged\x1b[2J\x7f");
    const char *line = end();
    CHECK_HAS(line, "x\\x0A2026");
    CHECK_HAS(line, "\\x1B[2J\\x7F\n");
    CHECK(strchr(line, '\n') == strrchr(line, '\n'));
}

static void bytes_that_are_no_text(void)
{
    begin();
    lf_log_setup(LF_LOG_INFO, LF_LOG_JSON);
    lf_log_info("a", "%s", "caf\xc3\xa9");
    lf_log_info("a", "%s", "bad \xff\xc3");
    const char *line = end();
    CHECK_HAS(line, "caf\xc3\xa9");
    CHECK_HAS(line, "bad \\\\xFF\\\\xC3");
    CHECK(lf_utf8_valid(lf_slice_text(line)));
}

static void journald_lines(void)
{
    begin();
    lf_log_setup(LF_LOG_DEBUG, LF_LOG_JOURNALD);
    lf_log_error("a", "e");
    lf_log_warning("a", "w");
    lf_log_info("a", "i");
    lf_log_debug("a", "d");
    CHECK_STR(end(), "<3>a: e\n<4>a: w\n<6>a: i\n<7>a: d\n");
}

static void journald_is_found_out(void)
{
    struct stat st;
    char stream[64];
    begin();
    fstat(STDERR_FILENO, &st);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    lf_log_setup(LF_LOG_INFO, LF_LOG_AUTO);
    lf_log_info("a", "to the journal");
    setenv("JOURNAL_STREAM", "1:1", 1);
    lf_log_setup(LF_LOG_INFO, LF_LOG_AUTO);
    lf_log_info("a", "to a file");
    unsetenv("JOURNAL_STREAM");
    const char *line = end();
    CHECK_HAS(line, "<6>a: to the journal\n");
    CHECK_HAS(line, "Z info    a: to a file\n");
}

static void json_lines(void)
{
    begin();
    lf_log_setup(LF_LOG_INFO, LF_LOG_JSON);
    lf_log_info("balance-1", "said \"%s\"", "S S 1.0");
    cJSON *json = NULL;
    CHECK_INT(lf_json_parse(lf_slice_text(end()), &json, UNIT_ERROR), LF_OK);
    CHECK_STR(lf_json_text(json, "level"), "info");
    CHECK_STR(lf_json_text(json, "part"), "balance-1");
    CHECK_STR(lf_json_text(json, "text"), "said \"S S 1.0\"");
    CHECK(lf_json_text(json, "time") != NULL);
    cJSON_Delete(json);
}

static void long_lines_are_cut(void)
{
    char text[10000];
    memset(text, '\n', sizeof text - 1); // every one becomes four characters
    text[sizeof text - 1] = '\0';
    begin();
    lf_log_setup(LF_LOG_INFO, LF_LOG_TEXT);
    lf_log_info("a", "%s", text);
    const char *line = end();
    CHECK(strlen(line) < 4300 && strlen(line) > 4000);
}

static int count_lines(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        count++;
    return count;
}

static void storm(void)
{
    int64_t before = lf_log_left_out();
    begin();
    lf_log_setup(LF_LOG_INFO, LF_LOG_TEXT);
    lf_log_limit(10, 60 * 1000);
    for (int i = 0; i < 1000; i++) {
        lf_log_warning("balance-1", "no answer, attempt %d", i);
        if (i % 200 == 0)
            lf_log_warning("balance-2", "another says %d", i);
    }
    lf_log_info("balance-1", "something else");
    lf_log_limit(200, 60 * 1000);
    const char *lines = end();
    CHECK_INT(count_lines(lines, "balance-1: no answer"), 10);
    CHECK_INT(count_lines(lines, "balance-2: another"), 5);
    CHECK_INT(count_lines(lines, "something else"), 1);
    CHECK_HAS(lines,
              "warning balance-1: 990 more lines like this were left out: \"no answer, attempt %d\"\n");
    CHECK_INT(lf_log_left_out() - before, 990);
}

/* The count is logged with the next line after the window, and lines of this kind are logged again. */
static void after_the_storm(void)
{
    begin();
    lf_log_setup(LF_LOG_DEBUG, LF_LOG_TEXT);
    lf_log_limit(3, 60 * 1000);
    for (int i = 0; i < 20; i++) {
        lf_log_error("a", "storm");
        lf_log_debug("a", "asked for");
    }
    UNIT_TIME_PASSES(60 * 1000);
    lf_log_info("b", "calm");
    lf_log_error("a", "storm");
    lf_log_limit(200, 60 * 1000);
    const char *lines = end(), *told = strstr(lines, "17 more lines like this");
    CHECK_INT(count_lines(lines, "a: storm\n"), 4);
    CHECK_INT(count_lines(lines, "asked for"), 20);
    CHECK(told && told < strstr(lines, "calm"));
}

/* The reader has stopped and the pipe is full: logging does not wait, and what is read later is complete
 * lines. */
static void nobody_reads(void)
{
    int ends[2], kept = dup(STDERR_FILENO);
    int64_t before = lf_log_left_out(), begun = lf_clock_mono_ms();
    char *all = calloc(1, 200000);
    size_t got = 0;
    NEED(all && kept >= 0 && pipe(ends) == 0);
    fcntl(ends[1], F_SETPIPE_SZ, 8192);
    dup2(ends[1], STDERR_FILENO);
    lf_log_setup(LF_LOG_DEBUG, LF_LOG_TEXT);
    for (int i = 0; i < 1000; i++)
        lf_log_debug("balance-1", "line %d of a dialogue that is as long as dialogues are", i);
    CHECK(lf_clock_mono_ms() - begun < 20 * 1000); /* otherwise it never ends */
    int64_t lost = lf_log_left_out() - before;
    CHECK(lost > 800 && lost < 1000);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    for (ssize_t n; (n = read(ends[0], all + got, 199999 - got)) > 0;)
        got += (size_t)n;
    lf_log_debug("balance-1", "read again");
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], all + got, 199999 - got)) > 0;)
        got += (size_t)n;
    close(ends[0]);
    char expected[100];
    snprintf(expected, sizeof expected, "Z warning log: the log was not read: %lld lines were left out\n",
             (long long)lost);
    CHECK_HAS(all, expected);
    CHECK_HAS(all, "balance-1: read again\n");
    CHECK_INT(count_lines(all, "as long as dialogues are\n"), 1000 - (int)lost);
    free(all);
}

UNIT_TESTS("log",
           {"logging does not wait for a stopped reader; missed lines are counted and reported",
            nobody_reads},
           {"a line has time, level, part and text", text_lines},
           {"lines below the level are not written", level_decides},
           {"outside data cannot forge a line or steer the terminal", no_forged_lines},
           {"UTF-8 is kept, and other bytes are escaped", bytes_that_are_no_text},
           {"journald gets its priorities", journald_lines},
           {"journald is detected by the stream that it reads", journald_is_found_out},
           {"JSON lines are JSON", json_lines}, {"an endless line is cut", long_lines_are_cut},
           {"repeated lines are limited and counted, and other lines are not affected", storm},
           {"after the window the number of missing lines is logged and the limit starts again",
            after_the_storm}, )
