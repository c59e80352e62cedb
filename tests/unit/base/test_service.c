#include "os/service.h"

#include "base/clock.h"
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int manager(const char *name, struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof address->sun_path, "%s", name);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    if (name[0] == '@')
        address->sun_path[0] = '\0';
    NEED(fd >= 0 && bind(fd, (struct sockaddr *)address, len) == 0);
    return fd;
}

static void check_reports(const char *name)
{
    struct sockaddr_un address;
    char text[64] = "";
    int fd = manager(name, &address);
    setenv("NOTIFY_SOCKET", name, 1);
    lf_service_notify(LF_SERVICE_READY);
    CHECK(recv(fd, text, sizeof text - 1, MSG_DONTWAIT) == 7);
    CHECK_STR(text, "READY=1");
    lf_service_notify(LF_SERVICE_STOPPING);
    CHECK(recv(fd, text, sizeof text - 1, MSG_DONTWAIT) == 10);
    CHECK_STR(text, "STOPPING=1");
    unsetenv("NOTIFY_SOCKET");
    lf_service_notify(LF_SERVICE_READY);
    CHECK(recv(fd, text, sizeof text - 1, MSG_DONTWAIT) == -1);
    close(fd);
}

static void manager_is_notified(void)
{
    char name[100];
    snprintf(name, sizeof name, "%s/notify", unit_folder());
    check_reports(name);
    snprintf(name, sizeof name, "@labferry-test-%d", (int)getpid());
    check_reports(name);
}

static void no_manager(void)
{
    char longer[300];
    memset(longer, '/', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    const char *const names[] = {"", "/", "relative", "/nowhere/notify", longer};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        lf_service_notify(LF_SERVICE_READY);
    }
    unsetenv("NOTIFY_SOCKET");
}

static void signals_ask_to_stop(void)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        struct lf_cancel stop;
        struct lf_error err = {0};
        NEED(lf_service_stop_on_signals(&stop, false, &err) == LF_OK);
        CHECK(!lf_cancel_is_set(&stop));
        raise(numbers[i]);
        CHECK_INT(lf_sleep_until(LF_NEVER, &stop), LF_CANCELLED);
        signal(SIGTERM, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        lf_cancel_close(&stop);
    }
}

/* In a child: these settings last as long as the process. */
static void in_child(bool (*holds)(void))
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(holds() ? 0 : 1);
    int how = -1;
    NEED(waitpid(pid, &how, 0) == pid);
    CHECK_INT(how, 0);
}

static bool survives_signals(void)
{
    static const int numbers[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE};
    struct lf_cancel stop;
    struct lf_error err;
    if (!lf_service_begin() || lf_service_stop_on_signals(&stop, false, &err) != LF_OK)
        return false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        raise(numbers[i]);
    bool asked = lf_cancel_is_set(&stop);
    lf_cancel_close(&stop);
    return !asked;
}

static bool ends_with_its_terminal(void)
{
    struct lf_cancel stop;
    struct lf_error err;
    if (lf_service_stop_on_signals(&stop, true, &err) != LF_OK)
        return false;
    raise(SIGHUP);
    bool asked = lf_cancel_is_set(&stop);
    lf_cancel_close(&stop);
    return asked;
}

static bool keeps_memory(void)
{
    struct rlimit core = {1, 1};
    struct lf_error err;
    return lf_service_be_private(&err) == LF_OK && getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0
           && core.rlim_max == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static bool opens_many(void)
{
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &files);
    int64_t most = lf_service_open_files();
    getrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur == files.rlim_max && most == (int64_t)files.rlim_max;
}

static void other_signals(void)
{
    in_child(survives_signals);
    in_child(ends_with_its_terminal);
}

static void memory(void)
{
    in_child(keeps_memory);
}

static void many_files(void)
{
    in_child(opens_many);
}

static void log_does_not_wait(void)
{
    char much[100000] = {0};
    int pipes[2], kept = dup(STDERR_FILENO);
    NEED(pipe(pipes) == 0 && kept >= 0 && dup2(pipes[1], STDERR_FILENO) >= 0);
    bool taken = lf_service_log("line\n", 5, 0);
    bool all = lf_service_log(much, sizeof much, 0);
    dup2(kept, STDERR_FILENO);
    CHECK(taken);
    CHECK(!all);
    close(kept);
    close(pipes[0]);
    close(pipes[1]);
}

UNIT_TESTS(
    "service", {"a service manager that asks for it is notified of start and stop", manager_is_notified},
    {"an invalid notification address is ignored", no_manager},
    {"SIGTERM and SIGINT ask the program to stop", signals_ask_to_stop},
    {"SIGHUP, SIGUSR1, SIGUSR2 and SIGPIPE do not end a daemon; a closed terminal ends what runs there",
     other_signals},
    {"its memory is in no core file, and other programs cannot read it", memory},
    {"as many files may be open as the system allows", many_files},
    {"a log that is not read does not block the program", log_does_not_wait}, )
