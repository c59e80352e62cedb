#include "bench.h"

#include <stdio.h>
#include <string.h>

static struct lf_transfer *open_transfer(int64_t stall_ms)
{
    struct lf_transfer_options options = {.connect_timeout_ms = UNIT_SOON_MS,
                                          .stall_timeout_ms = stall_ms,
                                          .proxy = ""};
    struct lf_transfer *transfer = NULL;
    struct lf_error err = {0};
    NEED(lf_transfer_open(&options, &transfer, &err) == LF_OK);
    return transfer;
}

void bench_open_stalling(struct http_bench *bench, server_handler handler, void *context, int64_t stall_ms)
{
    memset(bench, 0, sizeof *bench);
    bench->server = server_open(handler, context, SERVER_PLAIN, NULL);
    NEED(bench->server != NULL);
    bench->transfer = open_transfer(stall_ms);
    snprintf(bench->url, sizeof bench->url, "http://127.0.0.1:%d/thing?secret=hush",
             server_port(bench->server));
}

void bench_open(struct http_bench *bench, server_handler handler, void *context)
{
    bench_open_stalling(bench, handler, context, UNIT_SOON_MS);
}

void bench_perform(struct http_bench *bench, struct lf_request *request)
{
    lf_answer_free(&bench->answer);
    memset(&bench->err, 0, sizeof bench->err);
    if (!request->method)
        request->method = "GET";
    if (!request->url)
        request->url = bench->url;
    if (!request->deadline)
        request->deadline = lf_deadline_in(UNIT_SOON_MS);
    bench->status = lf_transfer_perform(bench->transfer, request, &bench->answer, &bench->sent, &bench->err);
    bench->performed = true;
}

void bench_close(struct http_bench *bench)
{
    lf_answer_free(&bench->answer);
    lf_transfer_close(bench->transfer);
    server_close(bench->server);
}

void bench_answer_echo(void *context, struct server_call *call)
{
    char authorization[64], agent[64], expect[64], encoding[64];
    char text[512];
    (void)context;
    snprintf(text, sizeof text, "%s|%s|%s|%s|%s|%s|%zu", call->method, call->target,
             server_header(call, "Authorization", authorization, sizeof authorization),
             server_header(call, "User-Agent", agent, sizeof agent),
             server_header(call, "Expect", expect, sizeof expect),
             server_header(call, "Accept-Encoding", encoding, sizeof encoding), call->body_len);
    server_reply(call, 201,
                 "Content-Type: text/x-test\r\nRetry-After: 7\r\nx-rate-limit-limit: 60\r\n"
                 "X-Rate-Limit-Remaining: 57\r\nx-rate-limit-reset: 21\r\nLocation: /elsewhere\r\n",
                 text);
}
