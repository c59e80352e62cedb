// A thin layer over CUnit: one main() per test program, readable output, one line of summary.
//
//     static void digest_of_nothing(void)
//     {
//         CHECK_STR(hex, "e3b0c442...");
//     }
//
//     UNIT_TESTS("digest",
//         {"an empty file has the digest FIPS 180-4 gives for no input", digest_of_nothing},
//     )
//
// Tests that differ only in their data are the rows of a table, each a test with a promise of its own:
//
//     static const struct {
//         struct unit_row row; // first
//         const char *text;
//         enum lf_status status;
//     } bad[] = {{{"an empty text is refused"}, "", LF_INVALID}, ...};
//
//     static void refused(void)
//     {
//         const typeof(*bad) *row = unit_row();
//         CHECK_INT(parse(row->text), row->status);
//     }
//
//     UNIT_TESTS("parse", UNIT_ROWS(bad, refused), )
//
// The program prints every promise with ok or FAIL, the failing conditions with file and line, and ends in
// `N passed, N failed`, counting test functions; it exits 0 only if none failed. `PROGRAM --list` names the
// tests, `PROGRAM WORDS` runs those whose promise contains WORDS.
//
// A test that runs longer than UNIT_LIMIT seconds (environment, default 120) ends the program as a failure.
// CUnit's own CU_ASSERT... macros may be used beside the CHECK... ones. Checks belong in the test's own
// thread: CUnit keeps its failures without a lock.
#ifndef UNIT_H
#define UNIT_H

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "os/file.h"
#include "os/linux/native.h"

// A descriptor as a handle, for the call it stands in.
#define UNIT_FILE(fd) (&(struct lf_file){.os = os__handle(fd)})

// The place of an error that a test does not look at.
#define UNIT_ERROR (&(struct lf_error){0})

struct unit_test {
    const char *promise; // what the user may rely on, as a sentence
    void (*run)(void);
    bool slow; // UNIT_SLOW: over half a second on an idle machine; see tests/README.md
    const void
        *rows; // UNIT_ROWS: a table, whose rows begin with struct unit_row, in place of promise and slow
    size_t row_count, row_size;
};

struct unit_row {
    const char *promise;
    bool slow;
};
// The row that the running test is for.
const void *unit_row(void);

#define UNIT_SLOW true
// An entry of UNIT_TESTS: a test for each row of the table.
#define UNIT_ROWS(table, run)                                                                                \
    {                                                                                                        \
        NULL, (run), false, (table), sizeof(table) / sizeof(*(table)), sizeof(*(table))                      \
    }

// Defines main(). Each further argument is {"promise", function}.
#define UNIT_TESTS(suite, ...)                                                                               \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        static const struct unit_test tests[] = {__VA_ARGS__};                                               \
        return unit_main(argc, argv, (suite), tests, sizeof(tests) / sizeof(tests[0]));                      \
    }

// The checks go on after a failure; the NEED ones end the test there (what follows would make no sense).
#define CHECK(condition) unit_check(!!(condition), #condition, __FILE__, __LINE__)
#define NEED(condition) unit_need(!!(condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(actual, expected)                                                                          \
    unit_check_int((int64_t)(actual), (int64_t)(expected), #actual, __FILE__, __LINE__)
#define CHECK_STR(actual, expected) unit_check_str((actual), (expected), #actual, __FILE__, __LINE__)
#define CHECK_HAS(actual, part) unit_check_has((actual), (part), #actual, __FILE__, __LINE__)
#define CHECK_BYTES(actual, actual_size, expected, expected_size)                                            \
    unit_check_bytes((actual), (actual_size), (expected), (expected_size), #actual, __FILE__, __LINE__)

// A private, empty folder for the running test; it and all in it is removed when the test ends. The same
// folder for every call within one test. Borrowed.
const char *unit_folder(void);

// Writes a file that only its owner may read, in place of what was there.
void unit_write(const char *path, const char *text);

// Path of a file of the source tree, such as unit_source("tests/fixtures/event.json"). The path stays valid
// until the 8th call after this one.
const char *unit_source(const char *relative);

// How long to wait for what must happen: only an upper bound, so generous that a busy machine keeps it. Under
// torture, where much does not happen for lack of memory, three seconds, and a moment once a check has
// failed.
#define UNIT_SOON_MS unit_soon_ms
extern int unit_soon_ms;

// Time passes for the program: both clocks go ahead, and waits in progress notice. A test that uses it calls
// it with 0 before the first thread starts.
#define UNIT_TIME_PASSES(ms) lf_test_time_passes(ms)

// What comes of something whose first, second, ... allocation fails:
//
//     for (unsigned n = 1; unit_failing(n); n++) {
//         status = thing(...);
//         unit_failing_over();
//         CHECK(...); // done, or LF_NO_MEMORY and as before
//     }
//
// The last turn is one in which nothing failed; it is the only one where allocations cannot be made to fail.
bool unit_failing(unsigned nth);
void unit_failing_over(void);

// Behind the macros. Strings may be NULL, which equals only NULL.
void unit_need(bool holds, const char *condition, const char *file, unsigned line);
int unit_main(int argc, char **argv, const char *suite, const struct unit_test *tests, size_t count);
bool unit_check(bool holds, const char *condition, const char *file, unsigned line);
bool unit_check_int(int64_t actual, int64_t expected, const char *what, const char *file, unsigned line);
bool unit_check_str(const char *actual, const char *expected, const char *what, const char *file,
                    unsigned line);
bool unit_check_has(const char *actual, const char *part, const char *what, const char *file, unsigned line);
bool unit_check_bytes(const void *actual, size_t actual_size, const void *expected, size_t expected_size,
                      const char *what, const char *file, unsigned line);

#endif
