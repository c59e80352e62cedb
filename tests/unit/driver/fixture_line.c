/* A dispenser behind a Unix socket: "ID" and "DISPENSE" are commands, and its key sends lines by itself. */
#include "conformance.h"

#include "os/thread.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

extern const struct lf_driver lf_driver_line;

static const char profile_text[] = "[line]\n"
                                   "send_end = '<LF>'\n"
                                   "reply = line '<LF>'\n"
                                   "first_byte = %s\n"
                                   "gap = %s\n"
                                   "quiet = 20ms\n"
                                   "[identify]\n"
                                   "send = 'ID'\n"
                                   "expect = 'ID {identity}'\n"
                                   "[command dispense]\n"
                                   "class = once\n"
                                   "send = 'DISPENSE {job}'\n"
                                   "input = job int 1 to 100000\n"
                                   "expect = 'DONE {volume:real}'\n"
                                   "[listen key]\n"
                                   "match = 'KEY {text}'\n";

static char stream[300], profile[300], socket_path[200];
static const char *const settings[] = {"stream", stream, "profile", profile, NULL};
static const char *const refused[] = {"stream", "unix:/nowhere", "profile", "/nowhere/to-be-found.profile",
                                      NULL};

static pthread_t thread;
static int listener = -1, stop_pipe[2];
static atomic_bool quiet;
static atomic_int dispensed; /* the job that was dispensed last */
static char says[100];       /* under the mutex: what its key sends next */
static struct lf_mutex mutex = LF_MUTEX_INIT;

/* Answers one command; a silent one is done all the same, as instruments do. */
static void answer(int fd, const char *command)
{
    char reply[100] = "ID dispenser 7\n";
    int job;
    if (sscanf(command, "DISPENSE %d", &job) == 1) {
        atomic_store(&dispensed, job);
        snprintf(reply, sizeof reply, "DONE 1.50\n");
    }
    if (!atomic_load(&quiet))
        send(fd, reply, strlen(reply), MSG_NOSIGNAL);
}

static void press_key(int fd)
{
    lf_mutex_lock(&mutex);
    if (*says)
        send(fd, says, strlen(says), MSG_NOSIGNAL);
    *says = '\0';
    lf_mutex_unlock(&mutex);
}

/* False: the other end has hung up, or the test is over. */
static bool serve(int fd)
{
    char text[200];
    size_t len = 0;
    struct pollfd fds[] = {{fd, POLLIN, 0}, {stop_pipe[0], POLLIN, 0}};
    for (;;) {
        if (poll(fds, 2, 10) < 0 || fds[1].revents)
            return false;
        press_key(fd);
        if (!fds[0].revents)
            continue;
        ssize_t got = read(fd, text + len, sizeof text - 1 - len);
        if (got <= 0)
            return true;
        text[len += (size_t)got] = '\0';
        for (char *end; (end = strchr(text, '\n'));
             len -= (size_t)(end + 1 - text), memmove(text, end + 1, len + 1))
            answer(fd, text);
    }
}

static void *run(void *arg)
{
    (void)arg;
    struct pollfd fds[] = {{listener, POLLIN, 0}, {stop_pipe[0], POLLIN, 0}};
    for (bool go = true; go;) {
        if (poll(fds, 2, -1) < 0 || fds[1].revents)
            break;
        int fd = accept(listener, NULL, NULL);
        go = fd >= 0 && serve(fd);
        close(fd);
    }
    return NULL;
}

static void power(bool on)
{
    if (!on) {
        NEED(write(stop_pipe[1], "", 1) == 1);
        pthread_join(thread, NULL);
        close(listener);
        close(stop_pipe[0]);
        close(stop_pipe[1]);
        unlink(socket_path);
        return;
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", socket_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NEED(listener >= 0 && pipe(stop_pipe) == 0);
    NEED(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 4) == 0);
    NEED(pthread_create(&thread, NULL, run, NULL) == 0);
}

static const char *const *begin(bool patient)
{
    const char *wait = patient ? "5m" : "100ms";
    snprintf(socket_path, sizeof socket_path, "%.150s/d", unit_folder());
    snprintf(stream, sizeof stream, "unix:%s", socket_path);
    snprintf(profile, sizeof profile, "%.250s/dispenser.profile", unit_folder());
    FILE *file = fopen(profile, "w");
    NEED(file != NULL);
    fprintf(file, profile_text, wait, wait);
    fclose(file);
    quiet = false;
    dispensed = 0;
    power(true);
    return settings;
}

static void end(void)
{
    power(false);
}

static void silent(bool on)
{
    quiet = on;
}

static const struct lf_action *action(int64_t job)
{
    static char number[20];
    static struct lf_input input = {"job", number};
    static struct lf_action action;
    snprintf(number, sizeof number, "%lld", (long long)job);
    action = (struct lf_action){.kind = LF_ACTION_RUN,
                                .job = job,
                                .name = "dispense",
                                .inputs = &input,
                                .input_count = 1};
    return &action;
}

static int done(int64_t job)
{
    return dispensed == job;
}

static void produce(const char *text)
{
    lf_mutex_lock(&mutex);
    snprintf(says, sizeof says, "KEY %s\n", text);
    lf_mutex_unlock(&mutex);
}

const struct fixture fixture = {
    .driver = &lf_driver_line,
    .begin = begin,
    .end = end,
    .refused = refused,
    .power = power,
    .silent = silent,
    .action = action,
    .done = done,
    .silent_act = true,
    .silent_connect = true,
    .produce = produce,
};
