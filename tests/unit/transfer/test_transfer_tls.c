#include "server.h"
#include "transfer/transfer.h"
#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void answer_ok(void *context, struct server_call *call)
{
    (void)context;
    server_reply(call, 200, "", "private");
}

/* One GET over TLS; ca false: the certificate is not in our list. */
static enum lf_status get(enum server_tls tls, bool ca, const char *host, struct lf_error *err, bool *sent)
{
    char ca_file[512], url[128];
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", unit_folder());
    struct server *server = server_open(answer_ok, NULL, tls, ca_file);
    NEED(server != NULL);
    struct lf_transfer_options options = {.ca_file = ca ? ca_file : NULL,
                                          .proxy = "",
                                          .stall_timeout_ms = 5000};
    struct lf_transfer *transfer = NULL;
    NEED(lf_transfer_open(&options, &transfer, err) == LF_OK);
    snprintf(url, sizeof url, "https://%s:%d/", host, server_port(server));
    struct lf_answer answer;
    struct lf_request request = {.method = "GET",
                                 .url = url,
                                 .deadline = lf_deadline_in(20000),
                                 .authorization = "Bearer t"};
    enum lf_status status = lf_transfer_perform(transfer, &request, &answer, sent, err);
    if (status == LF_OK)
        CHECK_STR(answer.text.data, "private");
    if (status != LF_OK)
        CHECK_INT(server_calls(server), 0);
    lf_answer_free(&answer);
    lf_transfer_close(transfer);
    server_close(server);
    return status;
}

static void trusted(void)
{
    struct lf_error err = {0};
    bool sent = false;
    CHECK_INT(get(SERVER_TLS_GOOD, true, "127.0.0.1", &err, &sent), LF_OK);
    CHECK(sent);
}

static void untrusted(void)
{
    struct lf_error err = {0};
    bool sent = true;
    CHECK_INT(get(SERVER_TLS_GOOD, false, "127.0.0.1", &err, &sent), LF_DENIED);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK(!sent);
}

static void wrong_host(void)
{
    struct lf_error err = {0};
    bool sent = true;
    CHECK_INT(get(SERVER_TLS_GOOD, true, "127.0.0.2", &err, &sent),
              LF_DISCONNECTED); /* nobody listens there */
    CHECK_INT(get(SERVER_TLS_GOOD, true, "localhost", &err, &sent), LF_DENIED);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK(!sent);
}

static void early(void)
{
    struct lf_error err = {0};
    bool sent = true;
    CHECK_INT(get(SERVER_TLS_NOT_YET, true, "127.0.0.1", &err, &sent), LF_DENIED);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "not yet valid");
    CHECK_HAS(err.text, "clock");
    CHECK(!sent);
}

static void late(void)
{
    struct lf_error err = {0};
    bool sent = true;
    CHECK_INT(get(SERVER_TLS_EXPIRED, true, "127.0.0.1", &err, &sent), LF_DENIED);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "expired");
    CHECK_HAS(err.text, "clock");
}

static void plain_server(void)
{
    struct lf_error err = {0};
    bool sent = true;
    CHECK_INT(get(SERVER_PLAIN, true, "127.0.0.1", &err, &sent), LF_DENIED);
    CHECK(!sent);
}

static void missing_ca(void)
{
    struct lf_transfer_options options = {.ca_file = "/nowhere/ca.pem", .proxy = ""};
    struct lf_transfer *transfer = NULL;
    struct lf_error err = {0};
    struct server *server = server_open(answer_ok, NULL, SERVER_PLAIN, NULL);
    char url[64];
    NEED(server != NULL);
    NEED(lf_transfer_open(&options, &transfer, &err) == LF_OK);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", server_port(server));
    struct lf_answer answer;
    struct lf_request request = {.method = "GET", .url = url, .deadline = lf_deadline_in(20000)};
    CHECK_INT(lf_transfer_perform(transfer, &request, &answer, NULL, &err), LF_DENIED);
    CHECK_HAS(err.text, "/nowhere/ca.pem");
    lf_answer_free(&answer);
    lf_transfer_close(transfer);
    server_close(server);
}

/* A proxy that answers every request the same. */
struct proxy {
    int http;
    char seen[128];
};

static void answer_proxy(void *context, struct server_call *call)
{
    struct proxy *proxy = context;
    char authorization[64];
    snprintf(proxy->seen, sizeof proxy->seen, "%s %s [%s]", call->method, call->target,
             server_header(call, "Authorization", authorization, sizeof authorization));
    server_reply(call, proxy->http, "", "");
    call->close = true;
}

static void proxies(void)
{
    struct proxy answers = {.http = 407};
    struct server *proxy = server_open(answer_proxy, &answers, SERVER_PLAIN, NULL);
    NEED(proxy != NULL);
    char address[64];
    snprintf(address, sizeof address, "http://127.0.0.1:%d", server_port(proxy));
    struct lf_transfer_options options = {.proxy = address};
    struct lf_transfer *transfer = NULL;
    struct lf_error err = {0};
    bool sent = true;
    NEED(lf_transfer_open(&options, &transfer, &err) == LF_OK);
    struct lf_answer answer;
    struct lf_request request = {.method = "POST",
                                 .url = "https://acme.example/",
                                 .deadline = lf_deadline_in(20000),
                                 .authorization = "Bearer t"};
    CHECK_INT(lf_transfer_perform(transfer, &request, &answer, &sent, &err), LF_DENIED);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "proxy");
    CHECK(!sent);
    CHECK_STR(answers.seen, "CONNECT acme.example:443 []");
    answers.http = 503;
    CHECK_INT(lf_transfer_perform(transfer, &request, &answer, &sent, &err), LF_DISCONNECTED);
    CHECK_INT(err.class, LF_TRANSIENT);
    server_close(proxy);
    CHECK_INT(lf_transfer_perform(transfer, &request, &answer, &sent, &err), LF_DISCONNECTED);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK(!sent);
    lf_transfer_close(transfer);
}

UNIT_TESTS("transfer over TLS", {"a certificate signed by the configured authority is trusted", trusted},
           {"an unknown certificate is refused before anything is sent", untrusted},
           {"a certificate for another name is refused", wrong_host},
           {"a certificate that is not yet valid is explained as a clock problem and retried", early},
           {"an expired certificate is reported as expired, with what the clock says", late},
           {"a server without TLS gets no request", plain_server},
           {"a missing CA file is named in the error", missing_ca},
           {"the error says whether a proxy refuses, fails or is down, and no proxy sees credentials",
            proxies}, )
