#include "os/process.h"

#include "base/clock.h"
#include "os/thread.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lf_process_result result;
static struct lf_error error;

// Runs a line of shell; `options` may be NULL.
static enum lf_status sh(const char *line, const struct lf_process *options)
{
    const char *argv[] = {"/bin/sh", "-c", line, NULL};
    struct lf_process process = options ? *options : (struct lf_process){.deadline = lf_deadline_in(60000)};
    process.argv = argv;
    error = (struct lf_error){0};
    lf_process_result_free(&result);
    return lf_process_run(&process, &result, &error);
}

static void done(void)
{
    lf_process_result_free(&result);
    result = (struct lf_process_result){0};
}

static void arguments_are_not_a_shells(void)
{
    const char *argv[] = {"/bin/echo", "-n", "$HOME; *", "'", NULL};
    struct lf_process process = {.argv = argv, .deadline = LF_NEVER};
    CHECK_INT(lf_process_run(&process, &result, &error), LF_OK);
    CHECK_STR(result.output.data, "$HOME; * '");
    CHECK_INT(result.exit_status, 0);
    CHECK_STR(result.ending, "exit status 0");
    done();
}

static void input_output_and_errors(void)
{
    struct lf_process process = {.deadline = LF_NEVER, .input = lf_slice("a\0b", 3)};
    CHECK_INT(sh("cat; echo oops >&2; exit 7", &process), LF_OK);
    CHECK_BYTES(result.output.data, result.output.len, "a\0b", 3);
    CHECK_STR(result.errors.data, "oops\n");
    CHECK_INT(result.exit_status, 7);
    CHECK_STR(result.ending, "exit status 7");
    CHECK_INT(sh("kill -TERM $$", NULL), LF_OK);
    CHECK_INT(result.exit_status, -1);
    CHECK_STR(result.ending, "killed by signal 15 (Terminated)");
    done();
}

static void unread_input_is_harmless(void)
{
    size_t size = (size_t)4 << 20;
    char *much = calloc(1, size);
    NEED(much);
    struct lf_process process = {.deadline = LF_NEVER, .input = {much, size}};
    CHECK_INT(sh("exit 0", &process), LF_OK);
    CHECK_INT(sh("wc -c", &process), LF_OK);
    CHECK_HAS(result.output.data, "4194304");
    free(much);
    done();
}

static void clean_surroundings(void)
{
    char folder[PATH_MAX], text[PATH_MAX + 20];
    NEED(realpath(unit_folder(), folder));
    setenv("LF_SECRET", "hidden", 1);
    const char *environment[] = {"ONLY=this", NULL};
    struct lf_process process = {.deadline = LF_NEVER, .folder = folder, .environment = environment};
    CHECK_INT(sh("pwd -P; echo $ONLY$LF_SECRET; ulimit -c", &process), LF_OK);
    snprintf(text, sizeof text, "%s\nthis\n0\n", folder);
    CHECK_STR(result.output.data, text);
    CHECK_INT(sh("pwd; echo $LANG$LF_SECRET", NULL), LF_OK);
    CHECK_STR(result.output.data, "/\nC.UTF-8\n");
    unsetenv("LF_SECRET");
    done();
}

static void only_standard_files(void)
{
    char text[16];
    int kept = dup2(STDOUT_FILENO, 99); // not closed by exec
    snprintf(text, sizeof text, "%d", kept);
    CHECK_INT(sh("cd /proc/$$/fd; echo *", NULL), LF_OK);
    NEED(result.output.data != NULL);
    CHECK_HAS(result.output.data, "0 1 2");
    CHECK(!strstr(result.output.data, text));
    close(kept);
    done();
}

static void not_a_program(void)
{
    char path[300];
    const char *argv[] = {"/nowhere/prog", NULL};
    struct lf_process process = {.argv = argv, .deadline = LF_NEVER};
    CHECK_INT(lf_process_run(&process, &result, &error), LF_NOT_FOUND);
    CHECK_INT(error.class, LF_PERMANENT);
    CHECK_HAS(error.text, "/nowhere/prog");
    argv[0] = "sh";
    CHECK_INT(lf_process_run(&process, &result, &error), LF_INVALID);
    snprintf(path, sizeof path, "%s/text", unit_folder());
    FILE *file = fopen(path, "w");
    NEED(file);
    fputs("\x01\x02", file);
    fclose(file);
    argv[0] = path;
    CHECK_INT(lf_process_run(&process, &result, &error), LF_DENIED);
    NEED(chmod(path, 0700) == 0);
    CHECK_INT(lf_process_run(&process, &result, &error), LF_INVALID);
    process.folder = "/nowhere";
    argv[0] = "/bin/true";
    CHECK_INT(lf_process_run(&process, &result, &error), LF_NOT_FOUND);
    CHECK_HAS(error.text, "/nowhere");
    done();
}

static char state_of(long pid)
{
    char path[64], state = 'X';
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 'X';
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'X';
    fclose(file);
    return state;
}

// The process whose number the output begins with has been killed (it may wait to be reaped by init).
static bool is_gone(void)
{
    long pid = result.output.data ? strtol(result.output.data, NULL, 10) : 0;
    char state = 'R';
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
    while (pid > 0 && (state = state_of(pid)) != 'X' && state != 'Z' && !lf_deadline_passed(deadline))
        usleep(1000);
    return state == 'X' || state == 'Z';
}

enum { HOUR_MS = 3600 * 1000 };

static atomic_bool returned; // lf_process_run has

// Once the program has created the file "ready" in its folder: sets the cancel, or without one lets an hour
// pass.
static void *end_when_ready(void *cancel)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/ready", unit_folder());
    while (!returned && access(path, F_OK) != 0)
        usleep(1000);
    if (cancel)
        lf_cancel_set(cancel);
    else
        UNIT_TIME_PASSES(HOUR_MS);
    return NULL;
}

// Runs a line that creates "ready", and is then cancelled or, without a cancel, at its deadline.
static enum lf_status sh_until_ready(const char *line, struct lf_cancel *cancel)
{
    struct lf_thread thread;
    UNIT_TIME_PASSES(0);
    struct lf_process process = {.deadline = lf_deadline_in(HOUR_MS),
                                 .cancel = cancel,
                                 .folder = unit_folder()};
    returned = false;
    NEED(lf_thread_start(&thread, "ender", end_when_ready, cancel, &error) == LF_OK);
    enum lf_status status = sh(line, &process);
    returned = true;
    lf_thread_join(&thread);
    return status;
}

static void deadline_kills_the_group(void)
{
    CHECK_INT(sh_until_ready("sleep 10000 & echo $!; : >ready; wait", NULL), LF_TIMEOUT);
    CHECK(is_gone());
    CHECK_STR(result.ending, "killed by signal 9 (Killed)");
    CHECK_HAS(error.text, "/bin/sh");
    done();
}

static void cancel_kills_the_group(void)
{
    struct lf_cancel cancel;
    NEED(lf_cancel_open(&cancel, &error) == LF_OK);
    CHECK_INT(sh_until_ready("trap '' TERM; echo $$; : >ready; sleep 10000", &cancel), LF_CANCELLED);
    CHECK(is_gone());
    lf_cancel_close(&cancel);
    done();
}

// Written as fast as it is read, the error output always has more.
static void flood_of_errors_ends_at_the_deadline(void)
{
    static const char flood[] = "echo $$; for i in 1 2 3 4; do yes >&2 & done; "
                                "head -c 9000 /dev/zero >&2; : >ready; wait";
    CHECK_INT(sh_until_ready(flood, NULL), LF_TIMEOUT);
    CHECK(is_gone());
    CHECK_INT(result.errors.len, LF_PROCESS_ERRORS_MAX);
    done();
}

// A process that has left the group is not killed, and goes on writing.
static void flood_from_outside_is_left_behind(void)
{
    CHECK_INT(sh("for i in 1 2 3 4; do setsid -f yes >&2; done; exit 3", NULL), LF_OK);
    CHECK_INT(result.exit_status, 3);
    done();
}

// A helper left in the background keeps the output open.
static void end_takes_the_helpers_along(void)
{
    CHECK_INT(sh("sleep 1000 & echo $!", NULL), LF_OK);
    CHECK_INT(result.exit_status, 0);
    CHECK(is_gone());
    done();
}

static void output_is_bounded(void)
{
    struct lf_process process = {.deadline = LF_NEVER, .output_max = 1000};
    CHECK_INT(sh("echo $$; yes", &process), LF_TOO_LARGE);
    CHECK_INT(result.output.len, 1000);
    CHECK(is_gone());
    CHECK_INT(sh("head -c 1000 /dev/zero", &process), LF_OK);
    CHECK_INT(result.output.len, 1000);
    CHECK_INT(sh("head -c 100000 /dev/zero >&2", &process), LF_OK);
    CHECK_INT(result.errors.len, LF_PROCESS_ERRORS_MAX);
    done();
}

static void memory_and_time_are_limited(void)
{
    if (getenv("LF_EMULATED"))
        return; // the emulator itself would be limited
    struct lf_process process = {.deadline = lf_deadline_in(60000), .memory_max = 64 << 20, .cpu_max_s = 1};
    CHECK_INT(sh("x=$(head -c 200000000 /dev/zero | tr '\\0' x) && echo ${#x}", &process), LF_OK);
    CHECK(result.exit_status != 0);
    CHECK_INT(result.output.len, 0);
    CHECK_INT(sh("while :; do :; done", &process), LF_OK);
    CHECK_INT(result.exit_status, -1);
    CHECK_HAS(result.ending, "killed by signal");
    done();
}

static int open_files(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

static void nothing_is_left(void)
{
    const char *argv[] = {"/nowhere/prog", NULL};
    struct lf_process missing = {.argv = argv, .deadline = LF_NEVER};
    struct lf_process late = {.deadline = 0}, much = {.deadline = LF_NEVER, .output_max = 1};
    int before = open_files();
    sh("true", NULL);
    sh("sleep 1000", &late);
    sh("yes", &much);
    done();
    lf_process_run(&missing, &result, &error);
    CHECK_INT(open_files(), before);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_INT(errno, ECHILD);
    done();
}

UNIT_TESTS(
    "process", {"arguments reach the program unchanged, without a shell", arguments_are_not_a_shells},
    {"a program gets its input, and its output, errors and ending are returned", input_output_and_errors},
    {"a program that does not read its input is not disturbed", unread_input_is_harmless},
    {"a program gets only the folder and environment that it was given", clean_surroundings},
    {"a program inherits the three standard files only", only_standard_files},
    {"a program that cannot be run is named, and not retried", not_a_program},
    {"at the deadline the program and what it started are killed", deadline_kills_the_group},
    {"a cancel kills the program and what it started, whatever signals they ignore", cancel_kills_the_group},
    {"a program that never stops writing errors ends at its deadline", flood_of_errors_ends_at_the_deadline},
    {"what a program left outside of its group delays nobody, however much it writes",
     flood_from_outside_is_left_behind},
    {"processes that a program leaves in the background are killed with it", end_takes_the_helpers_along},
    {"too much output ends the program; too much error output is dropped", output_is_bounded},
    {"memory and processor time are limited", memory_and_time_are_limited},
    {"no descriptor and no zombie is left", nothing_is_left}, )
