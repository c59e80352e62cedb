// Where a request may go: redirects, headers that never end, and URLs that are refused.
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hops {
    int port;
    int left;
    char seen[64];
    const char *location;
};

static void answer_target(void *context, struct server_call *call)
{
    struct hops *hops = context;
    char authorization[64];
    snprintf(hops->seen, sizeof hops->seen, "%s %s [%s]", call->method, call->target,
             server_header(call, "Authorization", authorization, sizeof authorization));
    server_reply(call, 200, "", "from the store");
}

static void answer_redirect(void *context, struct server_call *call)
{
    struct hops *hops = context;
    char extra[256];
    if (hops->location)
        snprintf(extra, sizeof extra, "Location: %s\r\n", hops->location);
    else if (hops->left-- > 0)
        snprintf(extra, sizeof extra, "Location: /again\r\n");
    else
        snprintf(extra, sizeof extra, "Location: http://127.0.0.1:%d/key?sig=1\r\n", hops->port);
    server_reply(call, 302, extra, "see there");
}

static void follows_without_credentials(void)
{
    struct http_bench bench;
    struct hops hops = {.left = 2};
    struct server *store = server_open(answer_target, &hops, SERVER_PLAIN, NULL);
    NEED(store != NULL);
    hops.port = server_port(store);
    bench_open(&bench, answer_redirect, &hops);
    bench_perform(&bench, &(struct lf_request){.authorization = "Bearer t", .follow = true});
    CHECK_INT(bench.status, LF_OK);
    CHECK_INT(bench.answer.status, 200);
    CHECK(bench.answer.redirected);
    CHECK_STR(bench.answer.text.data, "from the store");
    CHECK_STR(hops.seen, "GET /key?sig=1 []");
    bench_perform(&bench, &(struct lf_request){0});
    CHECK_INT(bench.answer.status, 302);
    bench_close(&bench);
    server_close(store);
}

static void refuses_redirects(void)
{
    struct http_bench bench;
    struct hops hops = {.left = 1000};
    bench_open(&bench, answer_redirect, &hops);
    bench_perform(&bench, &(struct lf_request){.follow = true});
    CHECK_INT(bench.status, LF_REFUSED);
    CHECK_INT(server_calls(bench.server), 6);
    hops.location = "http://store.example/key?sig=hush";
    bench_perform(&bench, &(struct lf_request){.follow = true});
    CHECK_INT(bench.status, LF_REFUSED);
    CHECK_HAS(bench.err.text, "http://store.example/key");
    CHECK(!strstr(bench.err.text, "hush"));
    hops.location = "file:///etc/passwd";
    bench_perform(&bench, &(struct lf_request){.follow = true});
    CHECK_INT(bench.status, LF_REFUSED);
    bench_close(&bench);
}

static void answer_long_header(void *context, struct server_call *call)
{
    enum { LONG = 200 * 1000 };
    char *extra = malloc(LONG + 40);
    (void)context;
    NEED(extra != NULL);
    strcpy(extra, "Location: /");
    memset(extra + strlen(extra), 'a', LONG);
    strcpy(extra + strlen("Location: /") + LONG, "\r\n");
    server_reply(call, 302, extra, "");
    free(extra);
}

static void endless_header(void)
{
    struct http_bench bench;
    bench_open(&bench, answer_long_header, NULL);
    bench_perform(&bench, &(struct lf_request){.follow = true});
    CHECK_INT(bench.status, LF_TOO_LARGE);
    CHECK_INT(bench.err.class, LF_TRANSIENT);
    CHECK_HAS(bench.err.text, "a header of more than 100 kB");
    bench_close(&bench);
}

static void refuses_urls(void)
{
    struct http_bench bench;
    bench_open(&bench, bench_answer_echo, NULL);
    bench_perform(&bench, &(struct lf_request){.url = "http://acme.benchling.com/"});
    CHECK_INT(bench.status, LF_INVALID);
    bench_perform(&bench, &(struct lf_request){.url = "file:///etc/passwd"});
    CHECK_INT(bench.status, LF_INVALID);
    CHECK_INT(server_calls(bench.server), 0);
    bench_close(&bench);
}

UNIT_TESTS("where requests go",
           {"redirects are followed without credentials, to other ports too", follows_without_credentials},
           {"a header without end is refused as what it is", endless_header},
           {"redirects without end, to plain http or to files are refused", refuses_redirects},
           {"URLs that are not https are refused", refuses_urls}, )
