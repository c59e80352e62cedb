#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- plain requests ---- */

static void plain_get(void)
{
    struct http_bench bench;
    bench_open(&bench, bench_answer_echo, NULL);
    bench_perform(&bench, &(struct lf_request){.authorization = "Bearer t"});
    CHECK_INT(bench.status, LF_OK);
    CHECK_INT(bench.answer.status, 201);
    CHECK_STR(bench.answer.text.data, "GET|/thing?secret=hush|Bearer t|labferry/" LF_VERSION "||identity|0");
    CHECK_INT(bench.answer.size, (int64_t)bench.answer.text.len);
    CHECK_STR(bench.answer.content_type, "text/x-test");
    CHECK_STR(bench.answer.location, "/elsewhere");
    CHECK_INT(bench.answer.retry_after_ms, 7000);
    CHECK_INT(bench.answer.rate_limit, 60);
    CHECK_INT(bench.answer.rate_remaining, 57);
    CHECK_INT(bench.answer.rate_reset_s, 21);
    CHECK(!bench.answer.redirected);
    CHECK(bench.sent);
    bench_close(&bench);
}

static void large_text_without_expect(void)
{
    struct http_bench bench;
    size_t len = 3 * 1024 * 1024;
    char *text = malloc(len);
    NEED(text != NULL);
    memset(text, 'x', len);
    bench_open(&bench, bench_answer_echo, NULL);
    bench_perform(&bench, &(struct lf_request){.method = "PATCH",
                                               .text = lf_slice(text, len),
                                               .content_type = "application/json"});
    CHECK_STR(bench.answer.text.data, "PATCH|/thing?secret=hush||labferry/" LF_VERSION "||identity|3145728");
    bench_close(&bench);
    free(text);
}

/* ---- streaming ---- */

struct pattern {
    int64_t size, at;
    int rewinds;
    bool fail;
};

static size_t pattern_read(void *context, char *into, size_t room)
{
    struct pattern *pattern = context;
    int64_t left = pattern->size - pattern->at;
    size_t give = left < (int64_t)room ? (size_t)left : room;
    if (pattern->fail && pattern->at > 100000)
        return (size_t)-1;
    for (size_t i = 0; i < give; i++)
        into[i] = (char)((pattern->at + (int64_t)i) % 251);
    pattern->at += (int64_t)give;
    return give;
}

static bool pattern_rewind(void *context)
{
    struct pattern *pattern = context;
    pattern->at = 0;
    pattern->rewinds++;
    return true;
}

static void answer_body_check(void *context, struct server_call *call)
{
    (void)context;
    bool good = true;
    for (size_t i = 0; i < call->body_len; i++)
        good = good && call->body[i] == (char)(i % 251);
    server_reply(call, 200, "", good ? "same" : "different");
}

static void streams_up(void)
{
    struct http_bench bench;
    struct pattern pattern = {.size = 20 * 1000 * 1000 + 7};
    struct lf_body body = {pattern_read, pattern_rewind, &pattern, pattern.size};
    bench_open(&bench, answer_body_check, NULL);
    bench_perform(&bench, &(struct lf_request){.method = "POST", .body = &body});
    CHECK_INT(bench.status, LF_OK);
    CHECK_STR(bench.answer.text.data, "same");
    CHECK_INT(pattern.at, pattern.size);
    bench_close(&bench);
}

static void unreadable_body(void)
{
    struct http_bench bench;
    struct pattern pattern = {.size = 2000000, .fail = true};
    struct lf_body body = {pattern_read, pattern_rewind, &pattern, pattern.size};
    bench_open(&bench, answer_body_check, NULL);
    bench_perform(&bench, &(struct lf_request){.method = "POST", .body = &body});
    CHECK_INT(bench.status, LF_IO);
    CHECK_INT(bench.err.class, LF_TRANSIENT);
    CHECK(bench.sent);
    bench_close(&bench);
}

static void answer_big(void *context, struct server_call *call)
{
    char block[100000];
    const int64_t *size = context;
    memset(block, 'a', sizeof block);
    server_say(call, "HTTP/1.1 200 OK\r\nContent-Length: %lld\r\n\r\n", (long long)*size);
    for (int64_t left = *size; left > 0 && !call->close; left -= (int64_t)sizeof block)
        server_send(call, block, left < (int64_t)sizeof block ? (size_t)left : sizeof block);
}

static void note_progress(void *context, int64_t done, int64_t total)
{
    int64_t *seen = context;
    seen[0] = done;
    seen[1] = total;
}

static void streams_down(void)
{
    struct http_bench bench;
    int64_t size = 1000000, seen[2] = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/file", unit_folder());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    NEED(fd >= 0);
    bench_open(&bench, answer_big, &size);
    bench_perform(&bench, &(struct lf_request){.to = UNIT_FILE(fd),
                                               .progress = note_progress,
                                               .progress_context = seen});
    CHECK_INT(bench.status, LF_OK);
    CHECK_INT(bench.answer.size, 1000000);
    CHECK_INT(lseek(fd, 0, SEEK_END), 1000000);
    /* FIPS 180-2, appendix B.3, and the MD5 of the same million 'a' */
    CHECK_STR(bench.answer.sha256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    CHECK_STR(bench.answer.md5, "7707d6ae4e027c70eea2a935c2296f21");
    CHECK_INT(seen[0], 1000000);
    CHECK_INT(seen[1], 1000000);
    close(fd);
    bench_close(&bench);
}

static void too_large(void)
{
    struct http_bench bench;
    int64_t size = 300000;
    bench_open(&bench, answer_big, &size);
    bench_perform(&bench, &(struct lf_request){.max_answer = 299999});
    CHECK_INT(bench.status, LF_TOO_LARGE);
    CHECK_INT(bench.err.class, LF_PERMANENT);
    bench_perform(&bench, &(struct lf_request){.max_answer = 300000});
    CHECK_INT(bench.status, LF_OK);
    size = 9 * 1024 * 1024;
    bench_perform(&bench, &(struct lf_request){0});
    CHECK_INT(bench.status, LF_TOO_LARGE);
    bench_close(&bench);
}

static void answer_endless(void *context, struct server_call *call)
{
    server_say(call, "HTTP/1.1 %d OK\r\nConnection: close\r\n\r\n", *(int *)context);
    while (!call->close)
        server_say(call,
                   "and on and on and on and on and on and on and on and on and on and on and on and on");
}

static void endless(void)
{
    struct http_bench bench;
    int http = 200;
    bench_open(&bench, answer_endless, &http);
    bench_perform(&bench, &(struct lf_request){0});
    CHECK_INT(bench.status, LF_TOO_LARGE);
    CHECK_INT(bench.err.class, LF_TRANSIENT);
    http = 500;
    bench_perform(&bench, &(struct lf_request){0});
    CHECK_INT(bench.status, LF_OK);
    CHECK_INT(bench.answer.status, 500);
    CHECK_INT(bench.answer.text.len, 64 * 1024);
    bench_perform(&bench, &(struct lf_request){.max_answer = 10}); /* of a 2xx body */
    CHECK_INT(bench.status, LF_OK);
    CHECK_INT(bench.answer.text.len, 64 * 1024);
    bench_close(&bench);
}

static void full_disk(void)
{
    struct http_bench bench;
    int64_t size = 100000;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    NEED(fd >= 0);
    bench_open(&bench, answer_big, &size);
    bench_perform(&bench, &(struct lf_request){.to = UNIT_FILE(fd)});
    CHECK_INT(bench.status, LF_FULL);
    CHECK_INT(bench.err.class, LF_TRANSIENT);
    close(fd);
    bench_close(&bench);
}

/* ---- broken answers ---- */

static void answer_raw(void *context, struct server_call *call)
{
    server_say(call, "%s", (const char *)context);
    call->close = true;
}

static void raw_gives(const char *raw, enum lf_status expected)
{
    struct http_bench bench;
    bench_open(&bench, answer_raw, (void *)raw);
    bench_perform(&bench, &(struct lf_request){.method = "POST", .once = true});
    if (!CHECK_INT(bench.status, expected))
        CHECK_STR(raw, "");
    CHECK(bench.sent);
    if (bench.status != LF_OK) {
        CHECK_INT(bench.err.class, LF_TRANSIENT);
        CHECK_HAS(bench.err.text, "POST http://127.0.0.1:");
        CHECK(!strstr(bench.err.text, "hush"));
    }
    CHECK_INT(server_calls(bench.server), 1);
    bench_close(&bench);
}

static void broken_answers(void)
{
    raw_gives("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", LF_MISMATCH);
    raw_gives("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", LF_MISMATCH);
    raw_gives("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
              LF_DISCONNECTED);
    raw_gives("", LF_DISCONNECTED);
    raw_gives("HTTP/1.1 200", LF_DISCONNECTED);
    raw_gives("SSH-2.0-OpenSSH_9.2\r\n", LF_DISCONNECTED);
    raw_gives("HTTP/1.1 503 Down\r\nContent-Length: 100\r\n\r\ncut", LF_OK);
}

static void answer_reset(void *context, struct server_call *call)
{
    (void)context;
    server_reset(call);
}

static void reset_after_request(void)
{
    struct http_bench bench;
    bench_open(&bench, answer_reset, NULL);
    bench_perform(&bench, &(struct lf_request){.method = "POST", .once = true});
    CHECK_INT(bench.status, LF_DISCONNECTED);
    CHECK(bench.sent);
    bench_close(&bench);
}

/* Answers the first call of a connection, and breaks off at the second. */
static void answer_first_only(void *context, struct server_call *call)
{
    atomic_int *last_connection = context;
    bool second = *last_connection == call->connection;
    *last_connection = call->connection;
    if (second)
        server_reset(call);
    else
        server_reply(call, 200, "", "ok");
}

static void once_is_once(void)
{
    struct http_bench bench;
    atomic_int last = 0;
    bench_open(&bench, answer_first_only, &last);
    bench_perform(&bench, &(struct lf_request){0});
    CHECK_INT(bench.status, LF_OK);
    /* On the reused connection this one dies unanswered; libcurl alone would send it again. */
    bench_perform(&bench, &(struct lf_request){.method = "POST"});
    CHECK_INT(bench.status, LF_OK);
    CHECK_INT(server_calls(bench.server), 3);
    bench_perform(&bench, &(struct lf_request){.method = "POST", .once = true});
    CHECK_INT(bench.status, LF_OK);
    CHECK_INT(server_calls(bench.server), 4);
    bench_close(&bench);
}

static void nobody_there(void)
{
    struct http_bench bench;
    bench_open(&bench, answer_reset, NULL);
    server_close(bench.server);
    bench.server = NULL;
    bench_perform(&bench, &(struct lf_request){.method = "POST"});
    CHECK_INT(bench.status, LF_DISCONNECTED);
    CHECK_INT(bench.err.class, LF_TRANSIENT);
    CHECK(!bench.sent);
    bench_close(&bench);
}

/* ---- time ---- */

static void answer_never(void *context, struct server_call *call)
{
    (void)context;
    server_pause(call, 60000);
    call->close = true;
}

static void stalls(void)
{
    struct http_bench bench;
    bench_open_stalling(&bench, answer_never, NULL, 1000);
    bench_perform(&bench, &(struct lf_request){0});
    CHECK_INT(bench.status, LF_TIMEOUT);
    CHECK_HAS(bench.err.text, "no answer in time"); /* not: the deadline */
    CHECK(bench.sent);
    bench_close(&bench);
}

/* Bytes of the body each 100 ms, 30 times. */
static void answer_slowly(void *context, struct server_call *call)
{
    int bytes = *(int *)context;
    server_say(call, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 30 * bytes);
    for (int i = 0; i < 30 && !call->close; i++) {
        server_say(call, "%*s", bytes, "x");
        server_pause(call, 100);
    }
}

static void slow(void)
{
    struct http_bench bench;
    int bytes = 8; /* 80 a second */
    bench_open_stalling(&bench, answer_slowly, &bytes, 1000);
    bench_perform(&bench, &(struct lf_request){0});
    CHECK_INT(bench.status, LF_TIMEOUT);
    CHECK_INT(bench.err.class, LF_TRANSIENT);
    bytes = 800; /* 64 kbit a second */
    bench_perform(&bench, &(struct lf_request){0});
    CHECK_INT(bench.status, LF_OK);
    CHECK_INT(bench.answer.size, 30 * 800);
    bench_close(&bench);
}

static void answer_coded(void *context, struct server_call *call)
{
    (void)context;
    server_reply(call, 200, "Content-Encoding: gzip\r\n", "\x1f\x8b not decoded");
}

static void coded(void)
{
    struct http_bench bench;
    bench_open(&bench, answer_coded, NULL);
    bench_perform(&bench, &(struct lf_request){0});
    CHECK_INT(bench.status, LF_OK);
    CHECK_STR(bench.answer.coding, "gzip");
    CHECK_STR(bench.answer.text.data, "\x1f\x8b not decoded");
    bench_close(&bench);
}

static void deadline(void)
{
    struct http_bench bench;
    bench_open(&bench, answer_never, NULL);
    bench_perform(&bench, &(struct lf_request){.deadline = lf_deadline_in(300)});
    CHECK_INT(bench.status, LF_TIMEOUT);
    CHECK_HAS(bench.err.text, "deadline");
    bench_perform(&bench, &(struct lf_request){.deadline = lf_clock_mono_ms() - 1});
    CHECK_INT(bench.status, LF_TIMEOUT);
    bench_close(&bench);
}

/* Until the server has the request, or the request has failed without it. */
static void wait_for_call(struct http_bench *bench)
{
    int64_t end = lf_deadline_in(UNIT_SOON_MS);
    while (!server_calls(bench->server) && !bench->performed && !lf_deadline_passed(end))
        lf_sleep_until(lf_deadline_in(2), NULL);
}

struct canceller {
    struct http_bench *bench;
    struct lf_cancel cancel;
};

static void *cancel_call(void *arg)
{
    struct canceller *canceller = arg;
    wait_for_call(canceller->bench);
    lf_cancel_set(&canceller->cancel);
    return NULL;
}

static void cancels(void)
{
    struct http_bench bench;
    struct canceller canceller = {.bench = &bench};
    pthread_t thread;
    NEED(lf_cancel_open(&canceller.cancel, UNIT_ERROR) == LF_OK);
    bench_open(&bench, answer_never, NULL);
    NEED(pthread_create(&thread, NULL, cancel_call, &canceller) == 0);
    bench_perform(&bench, &(struct lf_request){.cancel = &canceller.cancel});
    CHECK_INT(bench.status, LF_CANCELLED);
    pthread_join(thread, NULL);
    lf_cancel_close(&canceller.cancel);
    bench_close(&bench);
}

static void *close_during_call(void *arg)
{
    struct http_bench *bench = arg;
    wait_for_call(bench);
    lf_transfer_close(bench->transfer);
    return NULL;
}

static void closing(void)
{
    struct http_bench bench;
    pthread_t thread;
    bench_open(&bench, answer_never, NULL);
    NEED(pthread_create(&thread, NULL, close_during_call, &bench) == 0);
    bench_perform(&bench, &(struct lf_request){0});
    CHECK_INT(bench.status, LF_CANCELLED);
    pthread_join(thread, NULL);
    bench.transfer = NULL;
    bench_close(&bench);
}

/* Stands in for the system's resolver, for one name: a name server that does not answer until
 * `resolver_answers`. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **out);
static atomic_bool resolver_asked, resolver_answers;
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    (void)service, (void)hints, (void)out;
    resolver_asked = true;
    while (node && !strcmp(node, "silent.example") && !resolver_answers)
        lf_sleep_until(lf_deadline_in(2), NULL);
    return EAI_NONAME;
}

static int count_threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    while (tasks && readdir(tasks))
        count++;
    closedir(tasks);
    return count;
}

static void silent_dns(void)
{
    struct http_bench bench;
    int threads = count_threads();
    bench_open(&bench, bench_answer_echo, NULL);
    resolver_answers = false;
    bench_perform(&bench,
                  &(struct lf_request){.url = "https://silent.example/", .deadline = lf_deadline_in(300)});
    CHECK(resolver_asked);
    CHECK_INT(bench.status, LF_TIMEOUT);
    CHECK(!bench.sent);
    bench_perform(&bench, &(struct lf_request){0});
    CHECK_INT(bench.status, LF_OK);
    bench_perform(&bench, &(struct lf_request){.url = "https://gone.example/"});
    CHECK_INT(bench.status, LF_DISCONNECTED);
    CHECK_HAS(bench.err.text, "DNS");
    bench_close(&bench);
    resolver_answers = true;
    /* The resolver's thread ends by itself; only then nothing of it looks like a leak. */
    for (int64_t end = lf_deadline_in(UNIT_SOON_MS); count_threads() > threads && !lf_deadline_passed(end);)
        lf_sleep_until(lf_deadline_in(2), NULL);
}

/* ---- many at once ---- */

static void *perform_many(void *arg)
{
    struct http_bench *bench = arg;
    intptr_t good = 0;
    for (int i = 0; i < 25; i++) {
        struct lf_answer answer;
        struct lf_request request = {.method = "GET",
                                     .url = bench->url,
                                     .deadline = lf_deadline_in(UNIT_SOON_MS)};
        good += lf_transfer_perform(bench->transfer, &request, &answer, NULL, UNIT_ERROR) == LF_OK
                && answer.status == 201;
        lf_answer_free(&answer);
    }
    return (void *)good;
}

static void many_at_once(void)
{
    struct http_bench bench;
    pthread_t threads[16];
    bench_open(&bench, bench_answer_echo, NULL);
    for (int i = 0; i < 16; i++)
        NEED(pthread_create(&threads[i], NULL, perform_many, &bench) == 0);
    for (int i = 0; i < 16; i++) {
        void *good;
        pthread_join(threads[i], &good);
        CHECK_INT((intptr_t)good, 25);
    }
    CHECK_INT(server_calls(bench.server), 400);
    bench_close(&bench);
}

UNIT_TESTS("transfer", {"a GET comes back with status, body, type and the headers that matter", plain_get},
           {"a large body goes at once, without waiting for 100-continue, and no compression is asked for",
            large_text_without_expect},
           {"a body streams up byte for byte", streams_up},
           {"a body that cannot be read ends the request", unreadable_body},
           {"an answer streams into a file with size, SHA-256, MD5 and progress", streams_down},
           {"an answer beyond the bound is refused, at the bound it is not", too_large},
           {"an endless answer ends; an endless error page still gives its status", endless},
           {"a full disk is reported as full", full_disk},
           {"answers that are cut off or not HTTP are failures that may be tried again", broken_answers},
           {"after a connection reset the caller knows that the request was sent", reset_after_request},
           {"a request to be made once is never sent twice", once_is_once},
           {"no server there: nothing was sent", nobody_there},
           {"a server that falls silent is given up after the stall time", stalls, UNIT_SLOW},
           {"a transfer that drips is given up, and one at 64 kbit/s is not", slow, UNIT_SLOW},
           {"a body with a coding that nobody asked for is passed on as it came, with its name", coded},
           {"a deadline ends a request", deadline}, {"a cancel ends a request at once", cancels},
           {"closing ends what runs and waits for the callers", closing},
           {"a name server that does not answer stops only the request that needs it", silent_dns},
           {"many callers at once each get their own answer", many_at_once}, )
