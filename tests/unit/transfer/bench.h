// What the tests of transfer stand on: a raw HTTP server, and a transfer that asks it.
#ifndef TRANSFER_BENCH_H
#define TRANSFER_BENCH_H

#include "server.h"
#include "transfer/transfer.h"
#include "unit.h"

#include <stdatomic.h>

struct http_bench {
    struct server *server;
    struct lf_transfer *transfer;
    struct lf_answer answer;
    struct lf_error err;
    enum lf_status status;
    bool sent;
    atomic_bool performed;
    char url[128];
};

// The handler answers each request. stall_ms: as stall_timeout_ms of the transfer.
void bench_open_stalling(struct http_bench *bench, server_handler handler, void *context, int64_t stall_ms);
void bench_open(struct http_bench *bench, server_handler handler, void *context);
// Fills in method, URL and deadline where there are none; the outcome is in the bench.
void bench_perform(struct http_bench *bench, struct lf_request *request);
void bench_close(struct http_bench *bench);

// A handler: the answer says what the request was.
void bench_answer_echo(void *context, struct server_call *call);

#endif
