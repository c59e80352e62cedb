// States: idle -> a test runs (running is set, limit armed) -> idle. Single-threaded, apart from the tests'
// own threads, which must not call in here.
#include "unit.h"

#include "torture.h"

#include <CUnit/TestRun.h>
#include <ctype.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    DEFAULT_LIMIT_S = 120,
    MAX_LIMIT_S = 3600,
    MESSAGE_SIZE = 2048,
    SHOWN_BYTES = 240,
    SOURCE_PATHS = 8,
};

static unsigned limit_s = DEFAULT_LIMIT_S;
int unit_soon_ms = 60000;
static unsigned passed;
static unsigned failed;
static int64_t began_ms;      // of the test that runs
static struct unit_test *all; // a table's rows one by one; each `rows` is its row
static size_t all_count;
static const void *row;     // of the test that runs
static const char *promise; // of the test that runs
static char folder[PATH_MAX];

static void on_limit(int number)
{
    (void)number;
    const char *const texts[] = {" FAIL\n      promise: ", promise,
                                 "\n      the test ran longer than UNIT_LIMIT seconds\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (write(STDOUT_FILENO, texts[i], strlen(texts[i])) < 0)
            break;
    _exit(1);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_folder(void)
{
    if (folder[0] != '\0' && nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        printf("      could not remove %s\n", folder);
    folder[0] = '\0';
}

const char *unit_folder(void)
{
    if (folder[0] == '\0') {
        const char *parent = getenv("TMPDIR");
        snprintf(folder, sizeof(folder), "%s/lf-unit-XXXXXX", parent != NULL ? parent : "/tmp");
        if (mkdtemp(folder) == NULL) {
            perror(folder);
            exit(1);
        }
    }
    return folder;
}

void unit_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    NEED(file != NULL && fchmod(fileno(file), 0600) == 0);
    NEED(fputs(text, file) >= 0 && fclose(file) == 0);
}

const char *unit_source(const char *relative)
{
    static char paths[SOURCE_PATHS][PATH_MAX];
    static size_t next;
    char *path = paths[next++ % SOURCE_PATHS];
    const char *root = getenv("LF_SOURCE");
    snprintf(path, PATH_MAX, "%s/%s", root != NULL ? root : UNIT_SOURCE_ROOT, relative);
    return path;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const void *unit_row(void)
{
    return row;
}

// Makes `all` of the tests and the rows of their tables, with UNIT_QUICK without the slow ones.
static void spread(const struct unit_test *tests, size_t count)
{
    size_t most = 0;
    bool quick = getenv("UNIT_QUICK") != NULL;
    for (size_t i = 0; i < count; i++)
        most += tests[i].rows ? tests[i].row_count : 1;
    all = calloc(most, sizeof *all);
    if (all == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        const struct unit_test *test = &tests[i];
        for (size_t n = 0; n < (test->rows ? test->row_count : 1); n++) {
            const struct unit_row *at = test->rows
                                            ? (const void *)((const char *)test->rows + n * test->row_size)
                                            : NULL;
            all[all_count] = *test;
            if (at != NULL)
                all[all_count] = (struct unit_test){at->promise, test->run, at->slow, at, 0, 0};
            all_count += !quick || !all[all_count].slow;
        }
    }
}

static void before_test(const CU_pTest test, const CU_pSuite suite)
{
    (void)suite;
    row = NULL;
    promise = test->pName;
    for (size_t i = 0; i < all_count && row == NULL; i++)
        if (!strcmp(all[i].promise, test->pName))
            row = all[i].rows;
    printf("  %s ...", test->pName);
    fflush(stdout);
    began_ms = now_ms();
    alarm(limit_s);
}

static void after_test(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failures)
{
    (void)test;
    (void)suite;
    alarm(0);
    if (failures == NULL) {
        passed++;
        printf(" ok (%" PRId64 " ms)\n", now_ms() - began_ms);
    } else {
        failed++;
        printf(" FAIL\n      promise: %s\n", promise); // the log may stand between it and its first mention
    }
    for (CU_pFailureRecord f = failures; f != NULL; f = f->pNext) {
        printf("      %s:%u: %s\n", f->strFileName != NULL ? f->strFileName : "?", f->uiLineNumber,
               f->strCondition != NULL ? f->strCondition : "?");
    }
    remove_folder();
    fflush(stdout);
}

static void set_limit(void)
{
    const char *text = getenv("UNIT_LIMIT");
    if (text == NULL)
        return;
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (*end != '\0' || value < 1 || value > MAX_LIMIT_S) {
        fprintf(stderr, "UNIT_LIMIT=%s: give whole seconds from 1 to %d\n", text, MAX_LIMIT_S);
        exit(2);
    }
    limit_s = (unsigned)value;
}

static void must(bool done, const char *what)
{
    if (!done) {
        fprintf(stderr, "CUnit: cannot %s: %s\n", what, CU_get_error_msg());
        exit(2);
    }
}

// Borrows all; returns how many tests were chosen.
static size_t add_tests(const char *suite_name, const struct unit_test *tests, size_t count,
                        const char *words)
{
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    must(suite != NULL, "add the suite");
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++) {
        if (words == NULL || strstr(tests[i].promise, words) != NULL) {
            must(CU_add_test(suite, tests[i].promise, tests[i].run) != NULL
                     && CU_get_error() == CUE_SUCCESS, // two with one promise would get the same row
                 tests[i].promise);
            chosen++;
        }
    }
    return chosen;
}

// Borrows all. Exit status.
static int run_tests(const char *suite, const struct unit_test *tests, size_t count, const char *words)
{
    must(CU_initialize_registry() == CUE_SUCCESS, "start");
    if (add_tests(suite, tests, count, words) == 0) {
        fprintf(stderr, "%s: no test promises \"%s\"; --list names them\n", suite, words ? words : "");
        CU_cleanup_registry();
        return 2;
    }
    CU_set_test_start_handler(before_test);
    CU_set_test_complete_handler(after_test);
    printf("%s\n", suite);
    must(CU_run_all_tests() == CUE_SUCCESS, "run");
    CU_cleanup_registry();
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

static void run_one(const struct unit_test *test)
{
    run_tests("torture", test, 1, NULL);
}

static int usage(const char *program)
{
    fprintf(stderr,
            "usage: %s [--list | WORDS OF A PROMISE]\n"
            "       %s --torture some|many|all [WORDS]   each test again with allocations that fail\n"
            "       %s --fail N[+] WORDS              one such run in this process\n",
            program, program, program);
    return 2;
}

// --torture and --fail.
static int run_torture(int argc, char **argv, const struct unit_test *tests, size_t count)
{
    struct torture it = {run_one, tests, count, argc == 4 ? argv[3] : NULL, argv[0]};
    if (argc < 3 || argc > 4)
        return usage(argv[0]);
    if (!strcmp(argv[1], "--fail"))
        return torture_once(&it, argv[2]);
    static const char *const names[] = {"some", "many", "all"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(argv[2], names[i]))
            return torture(&it, (enum torture_points)i);
    return usage(argv[0]);
}

int unit_main(int argc, char **argv, const char *suite, const struct unit_test *tests, size_t count)
{
    spread(tests, count);
    tests = all;
    count = all_count;
    if (argc == 2 && !strcmp(argv[1], "--list")) {
        for (size_t i = 0; i < count; i++)
            puts(tests[i].promise);
        return 0;
    }
    set_limit();
    signal(SIGALRM, on_limit);
    if (count == 0) { // all are slow
        puts("0 passed, 0 failed");
        return 0;
    }
    if (argc > 1 && (!strcmp(argv[1], "--torture") || !strcmp(argv[1], "--fail")))
        return run_torture(argc, argv, tests, count);
    if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
        return usage(argv[0]);
    return run_tests(suite, tests, count, argc == 2 ? argv[1] : NULL);
}

void unit_need(bool holds, const char *condition, const char *file, unsigned line)
{
    if (!holds)
        torture_need();
    CU_assertImplementation(holds, line, condition, file, "", CU_TRUE);
}

static bool report(bool holds, const char *message, const char *file, unsigned line)
{
    if (!holds)
        torture_failed();
    CU_assertImplementation(holds, line, message, file, "", CU_FALSE);
    return holds;
}

bool unit_check(bool holds, const char *condition, const char *file, unsigned line)
{
    return report(holds, condition, file, line);
}

bool unit_check_int(int64_t actual, int64_t expected, const char *what, const char *file, unsigned line)
{
    char message[MESSAGE_SIZE];
    snprintf(message, sizeof(message), "%s is %" PRId64 ", expected %" PRId64, what, actual, expected);
    return report(actual == expected, message, file, line);
}

// Writes bytes readably into out (at least 4 * SHOWN_BYTES + 8 long), cut with "..." when there are too many.
static const char *show(char *out, const void *bytes, size_t size)
{
    const unsigned char *from = bytes;
    char *to = out;
    if (bytes == NULL)
        return "NULL";
    *to++ = '"';
    for (size_t i = 0; i < size && i < SHOWN_BYTES; i++)
        if (isprint(from[i]) && from[i] != '"' && from[i] != '\\')
            *to++ = (char)from[i];
        else
            to += sprintf(to, "\\x%02x", from[i]);
    strcpy(to, size > SHOWN_BYTES ? "\"..." : "\"");
    return out;
}

static bool check_shown(bool holds, const char *what, const char *relation, const void *actual,
                        size_t actual_size, const void *expected, size_t expected_size, const char *file,
                        unsigned line)
{
    char left[4 * SHOWN_BYTES + 8];
    char right[4 * SHOWN_BYTES + 8];
    char message[sizeof(left) + sizeof(right) + 512];
    if (!holds) {
        snprintf(message, sizeof(message), "%s is %s (%zu bytes), expected %s%s (%zu bytes)", what,
                 show(left, actual, actual_size), actual_size, relation, show(right, expected, expected_size),
                 expected_size);
    }
    return report(holds, holds ? what : message, file, line);
}

static size_t length(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

bool unit_check_str(const char *actual, const char *expected, const char *what, const char *file,
                    unsigned line)
{
    bool holds = actual == expected || (actual != NULL && expected != NULL && !strcmp(actual, expected));
    return check_shown(holds, what, "", actual, length(actual), expected, length(expected), file, line);
}

bool unit_check_has(const char *actual, const char *part, const char *what, const char *file, unsigned line)
{
    bool holds = actual != NULL && part != NULL && strstr(actual, part) != NULL;
    return check_shown(holds, what, "something with ", actual, length(actual), part, length(part), file,
                       line);
}

bool unit_check_bytes(const void *actual, size_t actual_size, const void *expected, size_t expected_size,
                      const char *what, const char *file, unsigned line)
{
    bool same_content = actual_size == 0
                        || (actual != NULL && expected != NULL && actual_size == expected_size
                            && !memcmp(actual, expected, actual_size));
    bool holds = actual_size == expected_size && same_content;
    return check_shown(holds, what, "", actual, actual_size, expected, expected_size, file, line);
}
