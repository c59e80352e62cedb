/* Child processes.
 *
 * The child leads a process group, so that one kill() reaches what it has started; the group is killed before
 * the child is reaped, while its number cannot belong to anybody else. The input is a file in memory: it
 * needs no writer, and a child that does not read it breaks nothing. Between fork() and execve() the child
 * calls async-signal-safe functions only, and reports a failure through a pipe that a successful execve()
 * closes. dup2() destroys no file of ours: none is 0, 1 or 2, since lf_service_begin has filled these.
 */
#include "os/process.h"

#include "base/clock.h"
#include "os/file.h"
#include "os/linux/native.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OUT,
    ERRORS,
    FAILURE, /* the errno of a child that could not become the program */
    PIPES,
    KILL_MS = 5000, /* SIGKILL takes effect at once, unless the kernel waits for a device or a server */
    READ_BYTES = 16 * 1024,
    READS_MAX = 64, /* what the largest pipe holds; then the deadline is looked at */
};

struct child {
    const struct lf_process *process;
    struct lf_process_result *result;
    pid_t pid;
    int input, ended; /* ended: a pidfd, readable when the child has ended */
    int pipes[PIPES][2];
};

static const char *const plain_environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL};

/* ---- in the child ---- */

static int limit(__rlimit_resource_t resource, int64_t most)
{
    struct rlimit limits = {(rlim_t)most, (rlim_t)most};
    return most > 0 ? setrlimit(resource, &limits) : 0;
}

static void close_the_rest(void)
{
    struct rlimit files = {0};
    if (syscall(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    getrlimit(RLIMIT_NOFILE, &files); /* Linux before 5.11 */
    for (int fd = STDERR_FILENO + 1; fd < (int)files.rlim_cur; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Default signals, as from a shell; only the three standard files are inherited. */
static int prepare(const struct child *child)
{
    const struct lf_process *process = child->process;
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &normal, NULL); /* fails for SIGKILL and SIGSTOP, and the C library's own */
    sigemptyset(&none);
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0
        || sigprocmask(SIG_SETMASK, &none, NULL) != 0 || dup2(child->input, STDIN_FILENO) < 0
        || dup2(child->pipes[OUT][1], STDOUT_FILENO) < 0 || dup2(child->pipes[ERRORS][1], STDERR_FILENO) < 0)
        return -1;
    close_the_rest();
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (chdir(process->folder ? process->folder : "/") != 0)
        return -1;
    return limit(RLIMIT_CPU, process->cpu_max_s) != 0 ? -1 : limit(RLIMIT_AS, process->memory_max);
}

_Noreturn static void become(const struct child *child)
{
    const struct lf_process *process = child->process;
    const char *const *environment = process->environment ? process->environment : plain_environment;
    if (prepare(child) == 0)
        execve(process->argv[0], (char *const *)process->argv, (char *const *)environment);
    int number = errno;
    ssize_t ignored = write(child->pipes[FAILURE][1], &number, sizeof number);
    (void)ignored;
    _exit(127);
}

/* ---- starting ---- */

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_all(struct child *child)
{
    close_one(&child->input);
    close_one(&child->ended);
    for (int i = 0; i < PIPES; i++) {
        close_one(&child->pipes[i][0]);
        close_one(&child->pipes[i][1]);
    }
}

static enum lf_status open_input(struct child *child, struct lf_error *err)
{
    struct lf_slice input = child->process->input;
    child->input = memfd_create("input", MFD_CLOEXEC);
    struct lf_file file = {os__handle(child->input)};
    enum lf_status status = child->input < 0 ? os__fail(err)
                                             : lf_file_write_at(&file, 0, input.data, input.len, err);
    return status == LF_OK ? LF_OK
                           : lf_error_prefix(err, "cannot store the input of %s", child->process->argv[0]);
}

static enum lf_status open_pipes(struct child *child, struct lf_error *err)
{
    for (int i = 0; i < PIPES; i++) {
        int *ends = child->pipes[i];
        if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
            return lf_fail_errno(err, "cannot make a pipe");
    }
    return LF_OK;
}

static enum lf_status start(struct child *child, struct lf_error *err)
{
    enum lf_status status = open_input(child, err);
    if (status == LF_OK)
        status = open_pipes(child, err);
    if (status != LF_OK)
        return status;
    child->pid = fork();
    if (child->pid == 0)
        become(child);
    if (child->pid < 0)
        return lf_fail_errno(err, "cannot start %s", child->process->argv[0]);
    setpgid(child->pid, child->pid); /* the child does the same; now it is certain */
    child->ended = (int)syscall(SYS_pidfd_open, child->pid, 0);
    int number = errno;
    for (int i = 0; i < PIPES; i++)
        close_one(&child->pipes[i][1]);
    errno = number;
    return child->ended < 0 ? lf_fail_errno(err, "cannot watch %s", child->process->argv[0]) : LF_OK;
}

/* ---- while it runs ---- */

/* Reads what is there now, not what a busy writer adds. At the end of file the pipe is closed. */
static enum lf_status drain(struct child *child, int which, struct lf_buffer *into, struct lf_error *err)
{
    char bytes[READ_BYTES];
    for (int reads = 0; reads < READS_MAX && child->pipes[which][0] >= 0; reads++) {
        ssize_t got = read(child->pipes[which][0], bytes, sizeof bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return LF_OK;
        if (got <= 0) {
            close_one(&child->pipes[which][0]);
            return LF_OK;
        }
        size_t room = into->max - into->len, take = (size_t)got < room ? (size_t)got : room;
        if (lf_buffer_append(into, bytes, take) != LF_OK)
            return lf_fail_memory(err, "reading what a program writes");
        if (take < (size_t)got && which == OUT)
            return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "%s wrote more than %zu bytes",
                           child->process->argv[0], into->max);
    }
    return LF_OK;
}

static enum lf_status drain_both(struct child *child, struct lf_error *err)
{
    enum lf_status status = drain(child, OUT, &child->result->output, err);
    return status == LF_OK ? drain(child, ERRORS, &child->result->errors, err) : status;
}

static enum lf_status watch(struct child *child, struct lf_error *err)
{
    const struct lf_process *process = child->process;
    enum lf_status status = LF_OK;
    while (status == LF_OK) {
        struct lf_wait_item items[] = {
            {.what = os__waitable(child->ended), .events = LF_READABLE},
            {.what = os__waitable(child->pipes[OUT][0]), .events = LF_READABLE},
            {.what = os__waitable(child->pipes[ERRORS][0]), .events = LF_READABLE},
        };
        status = lf_wait_any(items, 3, process->deadline, process->cancel);
        if (status == LF_OK && items[0].ready)
            return LF_OK;
        if (status == LF_TIMEOUT || (status == LF_OK && lf_deadline_passed(process->deadline)))
            return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "%s did not end in the time allowed",
                           process->argv[0]);
        if (status == LF_CANCELLED)
            return lf_fail(err, status, LF_TRANSIENT, "%s was stopped", process->argv[0]);
        if (status != LF_OK)
            return lf_fail_errno(err, "cannot wait for %s", process->argv[0]);
        status = drain_both(child, err);
    }
    return status;
}

/* ---- the end ---- */

/* Kills what is left of the group, then reaps the child. False: it does not die. */
static bool reap(struct child *child, int *how)
{
    int64_t deadline = lf_deadline_in(KILL_MS);
    kill(-child->pid, SIGKILL);
    if (child->ended >= 0 && lf_wait(os__waitable(child->ended), LF_READABLE, deadline, NULL, NULL) != LF_OK)
        return false;
    while (waitpid(child->pid, how, 0) < 0)
        if (errno != EINTR)
            return false;
    return true;
}

static void describe(struct lf_process_result *result, int how)
{
    result->exit_status = WIFEXITED(how) ? WEXITSTATUS(how) : -1;
    if (WIFEXITED(how))
        snprintf(result->ending, sizeof result->ending, "exit status %d", WEXITSTATUS(how));
    else
        snprintf(result->ending, sizeof result->ending, "killed by signal %d (%s)", WTERMSIG(how),
                 sigdescr_np(WTERMSIG(how)) ? sigdescr_np(WTERMSIG(how)) : "unknown");
}

/* Why it did not become the program; LF_OK: it did. */
static enum lf_status start_failure(const struct child *child, struct lf_error *err)
{
    const struct lf_process *process = child->process;
    int number;
    if (read(child->pipes[FAILURE][0], &number, sizeof number) != sizeof number)
        return LF_OK;
    if (number == ENOEXEC)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s is not a program", process->argv[0]);
    errno = number;
    enum lf_status status = lf_fail_errno(err, "cannot run %s in %s", process->argv[0],
                                          process->folder ? process->folder : "/");
    if (status == LF_NOT_FOUND || status == LF_DENIED)
        err->class = LF_PERMANENT;
    return status;
}

static enum lf_status finish(struct child *child, enum lf_status status, struct lf_error *err)
{
    int how = 0;
    if (child->pid <= 0)
        return status;
    bool reaped = reap(child, &how);
    struct lf_error late = {0};
    enum lf_status rest = drain_both(child, status == LF_OK ? err : &late);
    if (status == LF_OK)
        status = rest;
    if (!reaped)
        return lf_fail(err, LF_IO, LF_NEEDS_PERSON, "%s (pid %ld) cannot be killed; it waits in the kernel",
                       child->process->argv[0], (long)child->pid);
    describe(child->result, how);
    return status == LF_OK ? start_failure(child, err) : status;
}

enum lf_status lf_process_run(const struct lf_process *process, struct lf_process_result *result,
                              struct lf_error *err)
{
    struct child child = {.process = process, .result = result, .input = -1, .ended = -1};
    memset(child.pipes, -1, sizeof child.pipes);
    *result = (struct lf_process_result){
        .exit_status = -1,
        .output.max = process->output_max ? process->output_max : LF_BUFFER_DEFAULT_MAX,
        .errors.max = LF_PROCESS_ERRORS_MAX,
    };
    if (!process->argv[0] || process->argv[0][0] != '/')
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "the program '%s' must be given by its absolute path",
                       process->argv[0] ? process->argv[0] : "");
    enum lf_status status = start(&child, err);
    if (status == LF_OK)
        status = watch(&child, err);
    status = finish(&child, status, err);
    close_all(&child);
    return status;
}

void lf_process_result_free(struct lf_process_result *result)
{
    lf_buffer_free(&result->output);
    lf_buffer_free(&result->errors);
}
