/* What a driver may use of other rooms through its host: requests to a real server. */
#include "instrument/instrument.h"
#include "os/thread.h"
#include "server.h"
#include "unit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- a driver that does what the test says ---- */

static const struct lf_host *host;
static enum lf_status (*call)(struct lf_error *err);

static enum lf_status device_open(const struct lf_values *values, const struct lf_host *given, void **device,
                                  struct lf_error *err)
{
    (void)values, (void)err;
    host = given;
    *device = &host;
    return LF_OK;
}

static void device_close(void *device)
{
    (void)device;
}

static enum lf_status device_connect(void *device, struct lf_error *err)
{
    (void)device;
    return host->identity(host->self, "", err);
}

static enum lf_status device_repeat(void *device, const struct lf_action *action, enum lf_repeat *repeat,
                                    struct lf_error *err)
{
    (void)device, (void)action, (void)err;
    *repeat = LF_SAFE;
    return LF_OK;
}

static enum lf_status device_act(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                                 struct lf_error *err)
{
    (void)device, (void)action, (void)outcome;
    return call(err);
}

static const struct lf_setting settings[] = {{0}};
static const struct lf_driver driver = {
    .abi = LF_DRIVER_ABI,
    .name = "web",
    .help = "For tests.",
    .can = LF_CAN_ASK,
    .settings = settings,
    .open = device_open,
    .close = device_close,
    .connect = device_connect,
    .disconnect = device_close,
    .repeat = device_repeat,
    .act = device_act,
};

static bool no_work(void *context, struct lf_instrument *instrument, int64_t *next)
{
    (void)context, (void)instrument;
    *next = LF_NEVER;
    return false;
}

static struct lf_instrument *instrument;
static struct lf_transfer *transfer;
static struct lf_error err;

static void begin(const char *ca_file)
{
    struct lf_transfer_options options = {.connect_timeout_ms = 60000,
                                          .stall_timeout_ms = 600000,
                                          .proxy = "",
                                          .ca_file = ca_file};
    memset(&err, 0, sizeof err);
    NEED(lf_transfer_open(&options, &transfer, &err) == LF_OK);
    struct lf_instrument_options instrument_options = {.name = "robot",
                                                       .driver = &driver,
                                                       .transfer = transfer};
    struct lf_instrument_hooks hooks = {.work = no_work};
    NEED(lf_instrument_open(&instrument_options, &hooks, &instrument, &err) == LF_OK);
    NEED(lf_instrument_start(instrument, &err) == LF_OK);
    for (int64_t end = lf_deadline_in(60000); lf_instrument_state(instrument) == LF_INSTRUMENT_OFFLINE;) {
        NEED(!lf_deadline_passed(end));
        lf_sleep_until(lf_deadline_in(2), NULL);
    }
}

static void end(void)
{
    lf_instrument_close(instrument);
    lf_transfer_close(transfer);
}

/* Runs a call on the bench, as a driver would. */
static enum lf_status on_bench(enum lf_status (*wanted)(struct lf_error *err))
{
    struct lf_outcome outcome = {0};
    memset(&err, 0, sizeof err);
    call = wanted;
    return lf_instrument_ask(instrument, "call", NULL, 0, false, LF_NEVER, &outcome, &err);
}

/* ---- requests ---- */

static struct lf_http_request request;
static struct lf_http_response response;
static atomic_bool reached; /* the server has the request */
static char seen[400];

static void serve(void *context, struct server_call *call_seen)
{
    const char *what = context;
    char key[80];
    snprintf(seen, sizeof seen, "%s %s [%s] %.*s", call_seen->method, call_seen->target,
             server_header(call_seen, "X-Key", key, sizeof key), (int)call_seen->body_len, call_seen->body);
    atomic_store(&reached, true);
    if (!strcmp(what, "hang"))
        while (server_pause(call_seen, 1000))
            ;
    else if (!strcmp(what, "missing"))
        server_reply(call_seen, 404, "", "no such run");
    else
        server_reply(call_seen, 200, "X-Run: 42\r\nContent-Type: application/json\r\n",
                     "{\"state\":\"idle\"}");
}

static enum lf_status request_call(struct lf_error *error)
{
    lf_http_response_free(&response);
    memset(&response, 0, sizeof response);
    return host->http(host->self, &request, &response, error);
}

static char url[100];

static struct server *serve_url(const char *what, enum server_tls tls, const char *ca_file)
{
    struct server *server = server_open(serve, (void *)what, tls, ca_file);
    NEED(server != NULL);
    snprintf(url, sizeof url, "http%s://127.0.0.1:%d/runs", tls ? "s" : "", server_port(server));
    request = (struct lf_http_request){.method = "GET", .url = url, .deadline = lf_deadline_in(600 * 1000)};
    atomic_store(&reached, false);
    return server;
}

static void finish(struct server *server)
{
    lf_http_response_free(&response);
    end();
    server_close(server);
}

static void requests(void)
{
    struct server *server = serve_url("answer", SERVER_PLAIN, NULL);
    static const struct lf_input headers[] = {{"X-Key", "a b"}, {"Content-Type", "application/json"}};
    char value[40];
    begin(NULL);
    request.method = "POST";
    request.headers = headers;
    request.header_count = 2;
    request.body = lf_slice_text("{}");
    CHECK_INT(on_bench(request_call), LF_OK);
    CHECK_STR(err.text, "");
    CHECK_STR(seen, "POST /runs [a b] {}");
    CHECK_INT(response.status, 200);
    CHECK(response.sent);
    CHECK_STR(response.body.data, "{\"state\":\"idle\"}");
    CHECK_STR(lf_http_header(&response, "X-Run", value, sizeof value), "42");
    CHECK_STR(lf_http_header(&response, "content-TYPE", value, sizeof value), "application/json");
    CHECK(lf_http_header(&response, "X-Ru", value, sizeof value) == NULL);
    CHECK(lf_http_header(&response, "Content-Type", value, 5) == NULL);
    finish(server);
}

static void statuses(void)
{
    struct server *server = serve_url("missing", SERVER_PLAIN, NULL);
    begin(NULL);
    CHECK_INT(on_bench(request_call), LF_OK);
    CHECK_INT(response.status, 404);
    CHECK_STR(response.body.data, "no such run");
    finish(server);
}

static void bounded(void)
{
    struct server *server = serve_url("answer", SERVER_PLAIN, NULL);
    begin(NULL);
    request.max_body = 5;
    CHECK_INT(on_bench(request_call), LF_TOO_LARGE);
    finish(server);
}

static void deadline(void)
{
    struct server *server = serve_url("hang", SERVER_PLAIN, NULL);
    begin(NULL);
    request.deadline = lf_deadline_in(100);
    CHECK_INT(on_bench(request_call), LF_TIMEOUT);
    finish(server);
}

/* Has the call come so far that it can be cancelled? */
static bool (*is_running)(void);
static atomic_bool call_over; /* it may also end before, as when memory runs out */

static void *cancel_when_running(void *cancelled)
{
    while (!*(bool *)cancelled && !atomic_load(&call_over)) {
        if (is_running())
            *(bool *)cancelled = lf_instrument_cancel(instrument, 0);
        lf_sleep_until(lf_deadline_in(2), NULL);
    }
    return NULL;
}

static void expect_cancelled(enum lf_status (*wanted)(struct lf_error *err), bool (*running)(void))
{
    struct lf_thread thread;
    bool cancelled = false;
    is_running = running;
    atomic_store(&call_over, false);
    NEED(lf_thread_start(&thread, "cancel", cancel_when_running, &cancelled, &err) == LF_OK);
    CHECK_INT(on_bench(wanted), LF_CANCELLED);
    atomic_store(&call_over, true);
    lf_thread_join(&thread);
    CHECK(cancelled);
}

static bool request_is_running(void)
{
    return atomic_load(&reached);
}

static void cancelled(void)
{
    struct server *server = serve_url("hang", SERVER_PLAIN, NULL);
    begin(NULL);
    expect_cancelled(request_call, request_is_running);
    CHECK(response.sent);
    finish(server);
}

static void verified(void)
{
    char ca_file[300];
    snprintf(ca_file, sizeof ca_file, "%.250s/ca.pem", unit_folder());
    struct server *server = serve_url("answer", SERVER_TLS_GOOD, ca_file);
    begin(NULL); /* nobody has signed its certificate */
    CHECK_INT(on_bench(request_call), LF_DENIED);
    CHECK(!response.sent);
    end();
    begin(ca_file);
    CHECK_INT(on_bench(request_call), LF_OK);
    CHECK_STR(err.text, "");
    finish(server);
}

static void refused(void)
{
    static const struct lf_input injected[] = {{"X-Key", "a\r\nX-Other: b"}}, named[] = {{"X: Y", "a"}};
    struct server *server = serve_url("answer", SERVER_PLAIN, NULL);
    begin(NULL);
    request.header_count = 1;
    request.headers = injected;
    CHECK_INT(on_bench(request_call), LF_INVALID);
    request.headers = named;
    CHECK_INT(on_bench(request_call), LF_INVALID);
    request.header_count = 0;
    request.url = "http://192.0.2.7/runs"; /* in the clear over the network */
    CHECK_INT(on_bench(request_call), LF_INVALID);
    CHECK_INT(err.class, LF_PERMANENT);
    CHECK(!atomic_load(&reached));
    finish(server);
}

/* ---- programs ---- */

static struct lf_process process;
static struct lf_process_result result;

static enum lf_status run_call(struct lf_error *error)
{
    lf_process_result_free(&result);
    memset(&result, 0, sizeof result);
    return host->run(host->self, &process, &result, error);
}

static void runs(void)
{
    static const char *const argv[] = {"/bin/sh", "-c", "cat; echo $WHO; pwd; exit 3", NULL};
    static const char *const environment[] = {"WHO=somebody", NULL};
    begin(NULL);
    process = (struct lf_process){.argv = argv,
                                  .environment = environment,
                                  .folder = "/",
                                  .input = lf_slice_text("in\n"),
                                  .deadline = lf_deadline_in(60 * 1000)};
    CHECK_INT(on_bench(run_call), LF_OK);
    CHECK_STR(err.text, "");
    CHECK_INT(result.exit_status, 3);
    CHECK_STR(result.output.data, "in\nsomebody\n/\n");
    process.output_max = 3;
    CHECK_INT(on_bench(run_call), LF_TOO_LARGE);
    lf_process_result_free(&result);
    end();
}

static char started[320]; /* what the program creates first */

static bool program_is_running(void)
{
    return access(started, F_OK) == 0;
}

static void programs_end(void)
{
    static const char *const argv[] = {"/bin/sh", "-c", "echo > started; sleep 600", NULL};
    char folder[300];
    snprintf(folder, sizeof folder, "%s", unit_folder());
    snprintf(started, sizeof started, "%s/started", folder);
    begin(NULL);
    process = (struct lf_process){.argv = argv, .folder = folder, .deadline = lf_deadline_in(100)};
    CHECK_INT(on_bench(run_call), LF_TIMEOUT);
    unlink(started);
    process.deadline = lf_deadline_in(600 * 1000);
    expect_cancelled(run_call, program_is_running);
    lf_process_result_free(&result);
    end();
}

UNIT_TESTS("host services for drivers",
           {"a driver's request reaches the server, and the driver gets the response", requests},
           {"a response of any status reaches the driver, which judges it", statuses},
           {"a response larger than its bound is refused", bounded},
           {"a request ends at its deadline", deadline},
           {"an operator's cancel ends the request that is running", cancelled},
           {"a server without a valid certificate gets no request", verified},
           {"headers with line breaks, and plain http over the network, are refused", refused},
           {"a driver's program runs with its input, environment, folder and limits", runs},
           {"a program ends at its deadline and at an operator's cancel", programs_end}, )
