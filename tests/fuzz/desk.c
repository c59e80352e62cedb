/* Requests on the control socket, down to the verbs: an agent without threads (no bench works, no courier),
 * which starts with an empty journal from time to time. The server is included as source, so that a client
 * runs in this thread. */
#include "control/server.c"
#include "os/thread.h"

#include "fuzz.h"

#include "base/file.h"
#include "cloud/cloud.h"
#include "control/config_hooks.h"
#include "intake/intake.h"
#include "job/job.h"
#include "journal/journal.h"
#include "os/dir.h"
#include "os/linux/native.h"
#include "transfer/transfer.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRESH_AFTER = 400, ROOM = 4 * 1024 * 1024, REQUESTS_MAX = 16, BENCHES = 2 };

static const char config_text[] =
    "agent = { name = \"bench-3\"; site = \"boston\"; state_dir = \"state\"; spool_dir = \"spool\"; };\n"
    "cloud = { tenant = \"https://acme.example\"; client_id = \"id\"; client_secret_file = \"secret\"; "
    "events = \"poll\"; };\n"
    "instruments = ( { name = \"hamilton-1\"; driver = \"folder\"; inbox = \"in\"; },\n"
    "  { name = \"balance-1\"; driver = \"line\"; stream = \"unix:/nowhere/balance.sock\"; profile = "
    "\"mt-sics\"; } );\n"
    "routes = ( { name = \"worklists\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; "
    "instrument = "
    "\"hamilton-1\"; } );\n";

static struct {
    struct lf_config *config;
    struct lf_transfer *transfer;
    struct lf_context context;
    struct lf_instrument *benches[BENCHES];
    size_t bench_count;
    struct lf_server server;
} agent;

/* ---- the agent ---- */

/* No bench works here, so a question would wait until its deadline. */
enum lf_status __wrap_lf_instrument_ask(struct lf_instrument *instrument, const char *command,
                                        const struct lf_input *inputs, size_t input_count, bool allow_once,
                                        int64_t deadline, struct lf_outcome *outcome, struct lf_error *err);
enum lf_status __wrap_lf_instrument_ask(struct lf_instrument *instrument, const char *command,
                                        const struct lf_input *inputs, size_t input_count, bool allow_once,
                                        int64_t deadline, struct lf_outcome *outcome, struct lf_error *err)
{
    (void)instrument, (void)allow_once, (void)deadline;
    MUST(command, "no command");
    for (size_t i = 0; i < input_count; i++)
        if (lf_outcome_add(outcome, inputs[i].name, LF_CAPTURE_TEXT, inputs[i].value, err) != LF_OK)
            return err->status;
    return LF_OK;
}

static char *path_of(const char *name)
{
    char *path = lf_format("%s/%s", fuzz_folder(), name);
    fuzz_need(path, "out of memory");
    return path;
}

static void load_config(void)
{
    struct lf_error err = {0};
    char *path = path_of("labferry.conf"), *secret = path_of("secret"), *inbox = path_of("in");
    fuzz_need(setenv("LABFERRY_PROFILE_PATH", FUZZ_SOURCE "/etc/profiles", 1) == 0, "out of memory");
    fuzz_need(lf_dir_make(inbox, 0700, &err) == LF_OK, err.text);
    fuzz_write(secret, "x");
    fuzz_write(path, config_text);
    fuzz_need(lf_config_load(path, lf_control_config_hooks(), &agent.config, NULL, &err) == LF_OK, err.text);
    struct lf_transfer_options options = {.connect_timeout_ms = 1000, .stall_timeout_ms = 1000};
    fuzz_need(lf_transfer_open(&options, &agent.transfer, &err) == LF_OK, err.text);
    free(inbox);
    free(secret);
    free(path);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void open_benches(struct lf_error *err)
{
    for (size_t i = 0; i < agent.config->instrument_count && i < BENCHES; i++) {
        const struct lf_config_instrument *config = &agent.config->instruments[i];
        struct lf_instrument_options options = {.name = config->name,
                                                .journal = agent.context.journal,
                                                .driver = lf_driver_find(config->driver, err),
                                                .values = config->settings};
        struct lf_instrument_hooks hooks = {.context = agent.context.jobs,
                                            .work = lf_jobs_work,
                                            .found = lf_jobs_found,
                                            .changed = lf_jobs_instrument_changed};
        fuzz_need(lf_instrument_open(&options, &hooks, &agent.benches[i], err) == LF_OK, err->text);
        fuzz_need(lf_jobs_add_instrument(agent.context.jobs, agent.benches[i], err) == LF_OK, err->text);
        agent.bench_count++;
    }
}

static void open_agent(void)
{
    struct lf_error err = {0};
    struct lf_context *context = &agent.context;
    const struct lf_config *config = agent.config;
    char *path = lf_format("%s/journal.db", config->agent.state_dir);
    *context = (struct lf_context){.config = config};
    fuzz_need(path && lf_dir_make(config->agent.state_dir, 0700, &err) == LF_OK, err.text);
    fuzz_need(lf_dir_make(config->agent.spool_dir, 0700, &err) == LF_OK, err.text);
    fuzz_need(lf_journal_open(path, &context->journal, &err) == LF_OK, err.text);
    fuzz_need(lf_cloud_open(&config->cloud, agent.transfer, &context->cloud, &err) == LF_OK, err.text);
    struct lf_jobs_options options = {.config = config, .journal = context->journal, .cloud = context->cloud};
    fuzz_need(lf_jobs_open(&options, &context->jobs, &err) == LF_OK, err.text);
    struct lf_intake_options intake = {.config = config,
                                       .journal = context->journal,
                                       .jobs = context->jobs,
                                       .cloud = context->cloud};
    fuzz_need(lf_intake_open(&intake, &context->intake, &err) == LF_OK, err.text);
    open_benches(&err);
    agent.server = (struct lf_server){.context = context};
    lf_mutex_init(&agent.server.mutex);
    lf_cond_init(&agent.server.client_gone);
    fuzz_need(lf_worker_open(&agent.server.worker, &err) == LF_OK, err.text);
    free(path);
}

static void close_agent(void)
{
    while (agent.bench_count)
        lf_instrument_close(agent.benches[--agent.bench_count]);
    lf_intake_close(agent.context.intake);
    lf_jobs_close(agent.context.jobs);
    lf_cloud_close(agent.context.cloud);
    lf_journal_close(agent.context.journal);
    lf_worker_close(&agent.server.worker);
    lf_cond_destroy(&agent.server.client_gone);
    lf_mutex_destroy(&agent.server.mutex);
    nftw(agent.config->agent.state_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    nftw(agent.config->agent.spool_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- one visit ---- */

/* Each answer is one line of JSON: a result, or an error with text and class. */
static void check_answer(struct lf_slice line)
{
    cJSON *json = NULL;
    struct lf_error err = {0};
    MUST(lf_json_parse(line, &json, &err) == LF_OK, "%s: %.*s", err.text, (int)line.len, line.data);
    const cJSON *ok = lf_json_at(json, "ok");
    MUST(cJSON_IsBool(ok), "ok is neither true nor false: %.*s", (int)line.len, line.data);
    if (!cJSON_IsTrue(ok)) {
        const char *text = lf_json_text_or(json, "error.text", ""),
                   *class = lf_json_text_or(json, "error.class", "");
        MUST(*text && lf_class_from_name(class) != LF_CLASS_NONE, "an error without text or class: %.*s",
             (int)line.len, line.data);
    }
    cJSON_Delete(json);
}

static void visit_with(struct lf_slice requests, bool with_file)
{
    int ends[2], room = ROOM;
    struct client *client = calloc(1, sizeof *client);
    fuzz_need(client && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no sockets");
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    fuzz_need(write(ends[1], requests.data, requests.len) == (ssize_t)requests.len, "cannot ask");
    shutdown(ends[1], SHUT_WR);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *client = (struct client){.server = &agent.server,
                              .socket.waitable = os__waitable(ends[0]),
                              .in.max = LF_CONTROL_MAX + 2 * READ_BYTES};
    if (with_file && (client->file.os = os__handle(memfd_create("sent", MFD_CLOEXEC))))
        fuzz_need(lf_file_append(&client->file, "sent", 4, &(struct lf_error){0}) == LF_OK, "no file");
    agent.server.clients = 1;
    serve_client(client);
    MUST(agent.server.clients == 0, "the client is still counted");

    struct lf_buffer answers = {0};
    char *into;
    ssize_t got = 0;
    while ((into = lf_buffer_reserve(&answers, 65536)) && (got = read(ends[1], into, 65536)) > 0)
        answers.len += (size_t)got;
    close(ends[1]);
    size_t asked = 0, answered = 0;
    for (size_t i = 0; i < requests.len; i++)
        asked += requests.data[i] == '\n';
    for (struct fuzz_input left = {answers.data, answers.len}; left.left; answered++)
        check_answer(fuzz_until(&left, '\n'));
    MUST(answered == asked, "%zu requests, %zu answers", asked, answered);
    lf_buffer_free(&answers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned count;
    struct fuzz_input input = fuzz_input(data, size);
    lf_log_setup(LF_LOG_ERROR, LF_LOG_TEXT);
    if (!agent.config)
        load_config();
    else if (count % FRESH_AFTER == 0)
        close_agent();
    if (count++ % FRESH_AFTER == 0)
        open_agent();
    bool with_file = fuzz_byte(&input) & 1;
    struct lf_slice requests = fuzz_rest(&input);
    size_t lines = 0, len = 0;
    while (len < requests.len && lines < REQUESTS_MAX)
        lines += requests.data[len++] == '\n';
    visit_with(lf_slice(requests.data, len), with_file);
    return 0;
}
