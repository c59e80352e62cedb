// TCP and Unix streams against sockets of our own on loopback.
#include "drivers/stream/stream.h"
#include "unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SHORT_MS = 60 };

static int listen_tcp(int family, char *spec, size_t room)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t len = family == AF_INET ? sizeof v4 : sizeof v6;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, address, len) || listen(fd, 4) || getsockname(fd, address, &len)) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (family == AF_INET)
        snprintf(spec, room, "tcp:127.0.0.1:%u", ntohs(v4.sin_port));
    else
        snprintf(spec, room, "tcp:[::1]:%u", ntohs(v6.sin6_port));
    return fd;
}

static struct lf_stream *open_ok(const char *spec)
{
    struct lf_stream *stream = NULL;
    struct lf_error err = {0};
    CHECK_INT(lf_stream_open(spec, NULL, lf_deadline_in(UNIT_SOON_MS), NULL, &stream, &err), LF_OK);
    CHECK_STR(err.text, "");
    NEED(stream != NULL);
    return stream;
}

static void exchange(struct lf_stream *stream, int peer)
{
    char data[64];
    size_t got, written;
    struct lf_error err;
    CHECK_INT(lf_stream_write(stream, "*IDN?\n", 6, lf_deadline_in(UNIT_SOON_MS), &written, &err), LF_OK);
    CHECK_INT(written, 6);
    CHECK_INT(read(peer, data, sizeof data), 6);
    CHECK_BYTES(data, 6, "*IDN?\n", 6);
    CHECK_INT(write(peer, "ACME\n", 5), 5);
    CHECK_INT(lf_stream_read(stream, data, sizeof data, lf_deadline_in(UNIT_SOON_MS), &got, &err), LF_OK);
    CHECK_BYTES(data, got, "ACME\n", 5);
}

static void over_tcp(int family)
{
    char spec[64];
    int listener = listen_tcp(family, spec, sizeof spec);
    if (listener < 0) { // a machine without IPv6
        CHECK(family == AF_INET6);
        return;
    }
    struct lf_stream *stream = open_ok(spec);
    int peer = accept(listener, NULL, NULL);
    CHECK_STR(lf_stream_name(stream), spec + 4);
    exchange(stream, peer);
    lf_stream_close(stream);
    char byte;
    CHECK_INT(read(peer, &byte, 1), 0);
    close(peer);
    close(listener);
}

static void over_v4(void)
{
    over_tcp(AF_INET);
}

static void over_v6(void)
{
    over_tcp(AF_INET6);
}

static void by_name(void)
{
    char spec[64], named[64];
    int listener = listen_tcp(AF_INET, spec, sizeof spec);
    snprintf(named, sizeof named, "tcp:localhost:%s", strrchr(spec, ':') + 1);
    struct lf_stream *stream = open_ok(named);
    int peer = accept(listener, NULL, NULL);
    exchange(stream, peer);
    lf_stream_close(stream);
    close(peer);
    close(listener);
}

static void unknown_name(void)
{
    struct lf_stream *stream;
    struct lf_error err = {0};
    int64_t before = lf_clock_mono_ms();
    enum lf_status status = lf_stream_open("tcp:no-such-balance.invalid:8001", NULL,
                                           lf_deadline_in(UNIT_SOON_MS), NULL, &stream, &err);
    CHECK(status == LF_NOT_FOUND || status == LF_DISCONNECTED || status == LF_TIMEOUT);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "no-such-balance.invalid");
    CHECK(lf_clock_mono_ms() - before < 2 * UNIT_SOON_MS);
}

static int threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    NEED(tasks != NULL);
    while (readdir(tasks))
        count++;
    closedir(tasks);
    return count;
}

static void lookup_given_up(void)
{
    int before = threads();
    struct lf_stream *stream;
    struct lf_error err = {0};
    // The deadline has passed already: whatever the name server does, the lookup must be left to itself.
    enum lf_status status = lf_stream_open("tcp:slow-balance.invalid:8001", NULL, lf_deadline_in(0), NULL,
                                           &stream, &err);
    CHECK(status == LF_TIMEOUT || status == LF_NOT_FOUND || status == LF_DISCONNECTED);
    CHECK(stream == NULL);
    // It ends by itself.
    for (int64_t until = lf_deadline_in(UNIT_SOON_MS); threads() > before && !lf_deadline_passed(until);)
        usleep(1000);
}

static void refused(void)
{
    char spec[64];
    struct lf_stream *stream;
    struct lf_error err = {0};
    close(listen_tcp(AF_INET, spec, sizeof spec));
    CHECK_INT(lf_stream_open(spec, NULL, lf_deadline_in(UNIT_SOON_MS), NULL, &stream, &err), LF_DISCONNECTED);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "refused");
    CHECK_HAS(err.text, spec + 4);
    CHECK(stream == NULL);
}

// A listener whose queue is full does not answer: Linux drops the SYN, as a dead host would.
static void black_hole(void)
{
    char spec[64];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct lf_stream *stream = NULL, *queued[8] = {0};
    struct lf_error err = {0};
    enum lf_status status = LF_OK;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NEED(listener >= 0 && bind(listener, (struct sockaddr *)&address, len) == 0);
    NEED(listen(listener, 0) == 0 && getsockname(listener, (struct sockaddr *)&address, &len) == 0);
    snprintf(spec, sizeof spec, "tcp:127.0.0.1:%u", ntohs(address.sin_port));
    int64_t before = lf_clock_mono_ms();
    for (size_t i = 0; i < 8 && status == LF_OK; i++)
        status = lf_stream_open(spec, NULL, lf_deadline_in(SHORT_MS), NULL, &queued[i], &err);
    CHECK_INT(status, LF_TIMEOUT);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "does not answer");
    CHECK(lf_clock_mono_ms() - before < UNIT_SOON_MS);
    CHECK(stream == NULL);
    for (size_t i = 0; i < 8; i++)
        lf_stream_close(queued[i]);
    close(listener);
}

static void peer_closes(void)
{
    char spec[64], data[64];
    size_t got;
    struct lf_error err;
    int listener = listen_tcp(AF_INET, spec, sizeof spec);
    struct lf_stream *stream = open_ok(spec);
    int peer = accept(listener, NULL, NULL);
    CHECK_INT(write(peer, "S S   ", 6), 6);
    close(peer);
    CHECK_INT(lf_stream_read(stream, data, sizeof data, lf_deadline_in(UNIT_SOON_MS), &got, &err), LF_OK);
    CHECK_INT(got, 6);
    CHECK_INT(lf_stream_read(stream, data, sizeof data, lf_deadline_in(UNIT_SOON_MS), &got, &err),
              LF_DISCONNECTED);
    CHECK_INT(err.class, LF_TRANSIENT);
    // The first write meets a closed peer, which resets; a later one must fail, and never raise SIGPIPE.
    enum lf_status status = LF_OK;
    for (int i = 0; i < 100 && status == LF_OK; i++) {
        status = lf_stream_write(stream, "S\r\n", 3, lf_deadline_in(UNIT_SOON_MS), NULL, &err);
        usleep(1000);
    }
    CHECK_INT(status, LF_DISCONNECTED);
    lf_stream_close(stream);
    close(listener);
}

static void partial_write(void)
{
    char spec[64];
    size_t len = 64 * 1024 * 1024, written = 0;
    char *data = calloc(1, len);
    struct lf_error err;
    NEED(data != NULL);
    int listener = listen_tcp(AF_INET, spec, sizeof spec);
    struct lf_stream *stream = open_ok(spec);
    int peer = accept(listener, NULL, NULL);
    CHECK_INT(lf_stream_write(stream, data, len, lf_deadline_in(SHORT_MS), &written, &err), LF_TIMEOUT);
    CHECK(written > 0 && written < len);
    CHECK_HAS(err.text, "does not read");
    lf_stream_close(stream);
    close(peer);
    close(listener);
    free(data);
}

static void over_unix(void)
{
    char spec[200];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct lf_error err = {0};
    struct lf_stream *stream = NULL;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", unit_folder());
    snprintf(spec, sizeof spec, "unix:%s", address.sun_path);
    CHECK_INT(lf_stream_open(spec, NULL, lf_deadline_in(UNIT_SOON_MS), NULL, &stream, &err), LF_NOT_FOUND);
    CHECK_INT(err.class, LF_TRANSIENT);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NEED(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 4) == 0);
    stream = open_ok(spec);
    int peer = accept(listener, NULL, NULL);
    CHECK_STR(lf_stream_name(stream), address.sun_path);
    exchange(stream, peer);
    lf_stream_close(stream);
    close(peer);
    close(listener);
    CHECK_INT(lf_stream_open(spec, NULL, lf_deadline_in(UNIT_SOON_MS), NULL, &stream, &err), LF_DISCONNECTED);
    CHECK_HAS(err.text, "refused");
}

UNIT_TESTS(
    "socket streams", {"bytes pass over TCP, and the peer sees the close", over_v4},
    {"bytes pass over IPv6", over_v6}, {"a host can be given by name", by_name},
    {"an unknown host is reported by name, as a transient error", unknown_name},
    {"a lookup that takes too long is abandoned", lookup_given_up},
    {"a refused connection is an error that says what to check", refused},
    {"connecting to a host that does not answer ends at the deadline", black_hole},
    {"a peer that closes is noticed after its last bytes, and writing to it is an error", peer_closes},
    {"a write to a peer that does not read ends at the deadline and says how many bytes were sent",
     partial_write},
    {"bytes pass over a Unix socket; a missing socket and one without a listener give different errors",
     over_unix}, )
