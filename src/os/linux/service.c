/* Signals, standard files, and systemd's notification protocol (sd_notify(3)). */
#include "os/service.h"

#include "base/clock.h"
#include "os/linux/native.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lf_cancel *asked; /* set by signals */

bool lf_service_begin(void)
{
    int fd;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* A core file is limited to no bytes; where cores go to a program instead, which has no limit, only a process
 * that cannot be dumped has none. */
enum lf_status lf_service_be_private(struct lf_error *err)
{
    struct rlimit no_core = {0, 0};
    umask(0027);
    if (setrlimit(RLIMIT_CORE, &no_core) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return lf_fail_errno(err, "cannot keep the memory of this process to itself");
    return LF_OK;
}

int64_t lf_service_open_files(void)
{
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    rlim_t before = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    return (int64_t)(setrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : before);
}

static void on_signal(int number)
{
    (void)number;
    lf_cancel_set(asked);
}

enum lf_status lf_service_stop_on_signals(struct lf_cancel *stop, bool at_once, struct lf_error *err)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = at_once ? 0 : SA_RESTART};
    enum lf_status status = lf_cancel_open(stop, err);
    asked = stop;
    if (status == LF_OK && (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0))
        status = lf_fail_errno(err, "cannot catch signals");
    if (!at_once)
        action.sa_handler = SIG_IGN;
    if (status == LF_OK && sigaction(SIGHUP, &action, NULL) != 0)
        status = lf_fail_errno(err, "cannot catch signals");
    return status;
}

/* ---- a child that does the work ---- */

/* What it tells its guard, a byte each: LF_SERVICE_..., or OVER + its exit status. */
enum { OVER = 100 };
static int to_guard = -1;
static pid_t guarded;

static bool tell_guard(int what)
{
    unsigned char byte = (unsigned char)what;
    ssize_t wrote = to_guard >= 0 ? write(to_guard, &byte, 1) : -1;
    return wrote == 1;
}

_Noreturn void lf_service_over(int code)
{
    tell_guard(OVER + code);
    _exit(code);
}

static void pass_on(int number)
{
    int before = errno;
    kill(guarded, number);
    errno = before;
}

/* Ends as the child did; a signal is raised again, so that the parent process sees it. */
static int end_as_child(void)
{
    int status = 0;
    while (waitpid(guarded, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFSIGNALED(status))
        return WEXITSTATUS(status);
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    return EXIT_FAILURE;
}

static int watch_child(int from_child, const sigset_t *before)
{
    static const int signals[] = {SIGTERM, SIGINT}; /* the others are ignored */
    struct sigaction action = {.sa_handler = pass_on};
    unsigned char byte;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
    sigprocmask(SIG_SETMASK, before, NULL);
    for (;;) {
        ssize_t got = read(from_child, &byte, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 1 && byte >= OVER)
            return byte - OVER;
        if (got != 1)
            return end_as_child();
        lf_service_notify((enum lf_service_state)byte);
    }
}

int lf_service_guard(int (*work)(void *context), void *context, struct lf_error *err)
{
    int ends[2];
    pid_t us = getpid();
    sigset_t all, before;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return lf_fail_errno(err, "cannot make a pipe"), -1;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* one that comes now is passed on */
    guarded = fork();
    if (guarded > 0) {
        close(ends[1]);
        return watch_child(ends[0], &before);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (guarded < 0)
        return lf_fail_errno(err, "cannot start a process"), -1;
    close(ends[0]);
    to_guard = ends[1];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != us)
        _exit(EXIT_FAILURE);
    exit(work(context));
}

void lf_service_notify(enum lf_service_state state)
{
    if (tell_guard((int)state))
        return;
    const char *path = getenv("NOTIFY_SOCKET");
    const char *text = state == LF_SERVICE_READY ? "READY=1" : "STOPPING=1";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') /* an abstract name */
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

/* journald sets JOURNAL_STREAM=<device>:<inode> of the stream that it reads. */
bool lf_service_log_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char *rest;
    struct stat st;
    if (!stream || fstat(STDERR_FILENO, &st) != 0 || strtoull(stream, &rest, 10) != st.st_dev || *rest != ':')
        return false;
    return strtoull(rest + 1, NULL, 10) == st.st_ino;
}

/* Up to PIPE_BUF bytes go at once where poll says that something can go. */
bool lf_service_log(const char *text, size_t len, int64_t patience_ms)
{
    for (size_t at = 0; at < len;) {
        if (lf_wait(os__waitable(STDERR_FILENO), LF_WRITABLE, lf_deadline_in(patience_ms), NULL, NULL)
            == LF_TIMEOUT)
            return false;
        ssize_t wrote = write(STDERR_FILENO, text + at, len - at < PIPE_BUF ? len - at : PIPE_BUF);
        if (wrote < 0 && errno != EINTR && errno != EAGAIN)
            return true; /* nobody will ever read it */
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}

_Noreturn void lf_service_crash(void)
{
    raise(SIGKILL);
    abort();
}
