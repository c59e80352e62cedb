/* The `line` driver: any instrument that takes commands and answers in lines, blocks or frames, as its
 * profile describes.
 *
 * A device is open; its dialogue is connected or not. Unsolicited lines wait in `findings` until the
 * host has stored them. All calls come from the instrument's bench thread. */
#include "drivers/driver.h"

#include "base/log.h"
#include "drivers/line/describe.h"
#include "drivers/line/notices.h"
#include "drivers/line/procedure.h"
#include "os/trust.h"

#include <stdlib.h>
#include <string.h>

enum { OPEN_MS = 10000 };

extern const struct lf_driver lf_driver_line;

/* A procedure whose `finally` must be done at the next connection. */
struct unfinished {
    const struct lf_line_procedure *procedure; /* NULL: none */
    struct lf_input *inputs;                   /* copies */
    size_t count;
};

struct line {
    const struct lf_host *host;
    const char *stream; /* borrowed from the values */
    struct lf_line_profile *profile;
    struct lf_line_dialogue dialogue;
    struct lf_findings findings;
    struct lf_line_notices notices;
    struct unfinished unfinished;
};

struct line_options {
    const char *stream, *profile;
    struct lf_texts inputs, identify;
};

static const struct lf_setting settings[] = {
    {"stream", LF_INTO(LF_TEXT, struct line_options, stream), LF_REQUIRED,
     "How the instrument is connected: serial:PATH?baud=9600, tcp:HOST:PORT or unix:PATH."},
    {"profile", LF_INTO(LF_TEXT, struct line_options, profile), LF_REQUIRED,
     "What the instrument understands: the name of an installed profile (mt-sics), or a path with a '/'."},
    {"inputs", LF_INTO(LF_LIST, struct line_options, inputs), NULL,
     "Values of the profile's own inputs for this instrument, such as its address: [\"address=3\"]."},
    {"identify", LF_INTO(LF_LIST, struct line_options, identify), NULL,
     "Another handshake than the profile's: the settings of its [identify], such as [\"send = 'I4'\", \"expect "
     "= 'I4 A \\\"{identity}\\\"'\"]."},
    {0},
};

/* Loads the profile with what the configuration adds to it. */
static enum lf_status load(const struct line_options *options, struct lf_line_profile **loaded,
                           struct lf_error *err)
{
    enum lf_status status = lf_profile_load(options->profile, loaded, err);
    if (status == LF_OK) /* colleagues may own the profiles that they wrote */
        status = lf_trust_check((*loaded)->name, true, err);
    if (status == LF_OK && options->identify.count)
        status = line__profile_identify(*loaded, &options->identify, err);
    if (status == LF_OK && (status = line__inputs_fixed(*loaded, &options->inputs, err)) != LF_OK)
        lf_error_prefix(err, "inputs");
    return status;
}

static enum lf_status line_check(const struct lf_values *values,
                                 void (*resource)(void *context, const char *resource), void *context,
                                 struct lf_error *err)
{
    char name[512] = "";
    struct lf_line_profile *profile = NULL;
    struct line_options options;
    lf_values_fill(values, &options);
    enum lf_status status = lf_stream_check(options.stream, name, sizeof name, err);
    if (status == LF_OK && resource && *name)
        resource(context, name);
    if (status == LF_OK && (status = load(&options, &profile, err)) != LF_OK && !profile)
        lf_error_prefix(err, "%s", lf_values_at(values, "profile"));
    lf_profile_free(profile);
    return status;
}

/* ---- a device ---- */

/* What could not be stored is kept, logged, and reported again at the next call. */
static void report_findings(struct line *device)
{
    struct lf_error err;
    if (lf_findings_report(&device->findings, device->host, &err) != LF_OK)
        lf_log_warning(device->host->instrument, "%zu messages are waiting to be stored: %s",
                       device->findings.count, err.text);
}

/* A line is reported at once: it exists nowhere else. */
static enum lf_status keep_line(void *self, const struct lf_line_listen *listen, struct lf_slice line,
                                const struct lf_outcome *values, struct lf_error *err)
{
    struct line *device = self;
    enum lf_status status = lf_findings_add(&device->findings, listen->name, listen->form, line, values, err);
    report_findings(device);
    return status;
}

static void note_unmatched(void *self, struct lf_slice line, const char *why)
{
    struct line *device = self;
    line__notice_unmatched(&device->notices, line, why);
}

/* ---- what must be ended ---- */

static void forget_unfinished(struct line *device)
{
    struct unfinished *unfinished = &device->unfinished;
    for (size_t i = 0; i < unfinished->count; i++) {
        free((char *)unfinished->inputs[i].name); /* ours, from remember_unfinished */
        free((char *)unfinished->inputs[i].value);
    }
    free(unfinished->inputs);
    *unfinished = (struct unfinished){0};
}

/* Without memory for the inputs it is not tried again: people know, from the concern. */
static void remember_unfinished(struct line *device, const struct lf_line_procedure *procedure,
                                const struct lf_line_input_set *inputs, const struct lf_error *err)
{
    struct unfinished *unfinished = &device->unfinished;
    struct lf_input *copies = calloc(inputs->given_count + 1, sizeof *copies);
    line__notice_unfinished(&device->notices, procedure->name, err->text);
    forget_unfinished(device);
    *unfinished = (struct unfinished){copies ? procedure : NULL, copies, 0};
    for (size_t i = 0; copies && i < inputs->given_count; i++) {
        struct lf_input *copy = &copies[unfinished->count++];
        *copy = (struct lf_input){strdup(inputs->given[i].name), strdup(inputs->given[i].value)};
        if (!copy->name || !copy->value) {
            forget_unfinished(device);
            return;
        }
    }
}

/* Does `finally` of the procedure now. */
static enum lf_status end_procedure(struct line *device, const struct lf_line_procedure *procedure,
                                    const struct lf_line_input_set *inputs, struct lf_error *err)
{
    enum lf_status status = line__procedure_finish(&device->dialogue, procedure, inputs, err);
    if (status != LF_OK) {
        if (device->unfinished.procedure != procedure)
            remember_unfinished(device, procedure, inputs, err);
        else
            line__notice_unfinished(&device->notices, procedure->name, err->text);
        return status;
    }
    lf_log_info(device->host->instrument, "'%s' was interrupted and is ended now", procedure->name);
    line__notice_finished(&device->notices, procedure->name);
    if (device->unfinished.procedure == procedure)
        forget_unfinished(device);
    return LF_OK;
}

/* At every connection. What cannot be ended stays a concern; the connection is good. */
static void end_unfinished(struct line *device)
{
    struct lf_error err = {0};
    struct unfinished *unfinished = &device->unfinished;
    struct lf_line_input_set inputs = {.given = unfinished->inputs, .given_count = unfinished->count};
    if (unfinished->procedure)
        end_procedure(device, unfinished->procedure, &inputs, &err);
}

/* ---- life ---- */

static void line_close(void *self)
{
    struct line *device = self;
    forget_unfinished(device);
    line__dialogue_close(&device->dialogue);
    if (device->findings.count)
        lf_log_warning(device->host->instrument,
                       "%zu messages from the instrument could not be stored and are lost",
                       device->findings.count);
    lf_findings_free(&device->findings);
    lf_profile_free(device->profile);
    free(device);
}

static enum lf_status line_open(const struct lf_values *values, const struct lf_host *host, void **out,
                                struct lf_error *err)
{
    struct line *device = calloc(1, sizeof *device);
    *out = NULL;
    if (!device)
        return lf_fail_memory(err, "an instrument");
    device->host = host;
    struct line_options options;
    lf_values_fill(values, &options);
    device->stream = options.stream;
    lf_findings_init(&device->findings, host->instrument);
    device->notices.host = host;
    enum lf_status status = load(&options, &device->profile, err);
    device->dialogue = (struct lf_line_dialogue){
        .profile = device->profile,
        .instrument = host->instrument,
        .cancel = host->cancel,
        .fixed = options.inputs,
        .self = device,
        .unsolicited = keep_line,
        .unmatched = note_unmatched,
    };
    if (status == LF_OK)
        *out = device;
    else
        line_close(device);
    return status;
}

static void line_disconnect(void *self)
{
    struct line *device = self;
    line__dialogue_close(&device->dialogue);
}

static enum lf_status line_connect(void *self, struct lf_error *err)
{
    struct line *device = self;
    struct lf_buffer identity = {0};
    line__dialogue_close(&device->dialogue);
    enum lf_status status = line__dialogue_open(&device->dialogue, device->stream, lf_deadline_in(OPEN_MS),
                                                err);
    if (status == LF_OK)
        status = line__dialogue_begin(&device->dialogue, &identity, err);
    /* Without an identity the host refuses it if the configuration expects one. */
    if (status == LF_OK)
        status = device->host->identity(device->host->self, identity.len ? identity.data : "", err);
    lf_buffer_free(&identity);
    line__notice_connect(&device->notices, status, err);
    if (status == LF_OK)
        end_unfinished(device);
    return status;
}

static enum lf_status line_listen(void *self, int64_t deadline, struct lf_error *err)
{
    struct line *device = self;
    report_findings(device);
    line__notice_pending(&device->notices);
    if (!device->dialogue.stream)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the instrument is not connected");
    enum lf_status status = line__dialogue_listen(&device->dialogue, device->host->wake, deadline, err);
    return status == LF_CANCELLED ? LF_OK : status;
}

/* ---- actions ---- */

static void offer(struct lf_nearest *nearest, char *list, size_t room, const char *name)
{
    lf_nearest_try(nearest, name);
    lf_list_add(list, room, name);
}

static enum lf_status refuse_unknown(const struct line *device, bool run, const char *name,
                                     struct lf_error *err)
{
    const struct lf_line_profile *profile = device->profile;
    struct lf_nearest nearest = {.word = name};
    char list[240] = "", hint[LF_HINT];
    for (size_t i = 0; run && i < profile->procedure_count; i++)
        offer(&nearest, list, sizeof list, profile->procedures[i].name);
    for (size_t i = 0; i < profile->command_count; i++) {
        const struct lf_line_command *command = &profile->commands[i];
        if (!run || (!command->provisional && !line__profile_procedure(profile, command->name)))
            offer(&nearest, list, sizeof list, command->name);
    }
    return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "unknown %s '%.60s'%s The profile has: %s",
                   run ? "procedure" : "command", name, lf_nearest_hint(&nearest, ".", hint), list);
}

/* Finds the command or procedure of an action. A command may be run like a procedure of one step, unless its
 * readings are provisional. */
static enum lf_status resolve(const struct line *device, const struct lf_action *action,
                              const struct lf_line_command **command,
                              const struct lf_line_procedure **procedure, struct lf_error *err)
{
    const struct lf_line_profile *profile = device->profile;
    bool run = action->kind == LF_ACTION_RUN;
    *command = NULL;
    *procedure = NULL;
    if (!run && action->kind != LF_ACTION_ASK)
        return lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT, "this instrument does not take files");
    if (!action->name)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "missing name of the %s",
                       run ? "procedure" : "command");
    if (run)
        *procedure = line__profile_procedure(profile, action->name);
    if (!*procedure)
        *command = line__profile_command(profile, action->name);
    if (run && *command && (*command)->provisional)
        *command = NULL;
    return *command || *procedure ? LF_OK : refuse_unknown(device, run, action->name, err);
}

static enum lf_status line_repeat(void *self, const struct lf_action *action, enum lf_repeat *repeat,
                                  struct lf_error *err)
{
    const struct lf_line_command *command;
    const struct lf_line_procedure *procedure;
    enum lf_status status = resolve(self, action, &command, &procedure, err);
    if (command)
        *repeat = command->repeat;
    else if (procedure) /* after a crash the host must ask verify, which ends it */
        *repeat = procedure->final_count ? LF_ONCE : procedure->repeat;
    return status;
}

static enum lf_status line_describe(void *self, const struct lf_action *action, const struct lf_terms *terms,
                                    struct lf_error *err)
{
    const struct line *device = self;
    const struct lf_line_command *command;
    const struct lf_line_procedure *procedure;
    enum lf_status status = resolve(device, action, &command, &procedure, err);
    if (command)
        line__describe_command(device->profile, command, &device->dialogue.fixed, terms);
    else if (procedure)
        line__describe_procedure(procedure, &device->dialogue.fixed, terms);
    return status;
}

static enum lf_status line_accept(void *self, const struct lf_action *action, struct lf_error *err)
{
    const struct line *device = self;
    const struct lf_line_command *command;
    const struct lf_line_procedure *procedure;
    struct lf_line_input_set inputs = {action->inputs, action->input_count, device->dialogue.fixed};
    enum lf_status status = resolve(device, action, &command, &procedure, err);
    if (status == LF_OK && procedure)
        return line__procedure_accept(&device->dialogue, procedure, &inputs, err);
    if (status == LF_OK)
        status = line__inputs_known(device->profile, &command->inputs, &inputs, err);
    return status == LF_OK ? line__command_bytes(device->profile, command, &inputs, NULL, err) : status;
}

static const char *line_sign(void *self, const struct lf_action *action)
{
    const struct lf_line_command *command;
    const struct lf_line_procedure *procedure;
    struct lf_error err;
    return resolve(self, action, &command, &procedure, &err) == LF_OK && procedure ? procedure->sign : NULL;
}

static void report_progress(void *self, const char *text)
{
    struct line *device = self;
    device->host->progress(device->host->self, text);
}

static enum lf_status run_procedure(struct line *device, const struct lf_line_procedure *procedure,
                                    const struct lf_line_input_set *inputs, struct lf_outcome *outcome,
                                    struct lf_error *err)
{
    bool unfinished;
    enum lf_status status = line__procedure_run(&device->dialogue, procedure, inputs, report_progress, device,
                                                outcome, &unfinished, err);
    if (unfinished)
        remember_unfinished(device, procedure, inputs, err);
    else if (device->unfinished.procedure == procedure) {
        line__notice_finished(&device->notices, procedure->name);
        forget_unfinished(device);
    }
    return status;
}

static enum lf_status line_act(void *self, const struct lf_action *action, struct lf_outcome *outcome,
                               struct lf_error *err)
{
    struct line *device = self;
    const struct lf_line_command *command;
    const struct lf_line_procedure *procedure;
    struct lf_line_input_set inputs = {.given = action->inputs, .given_count = action->input_count};
    enum lf_status status = line_accept(device, action, err);
    if (status == LF_OK)
        status = resolve(device, action, &command, &procedure, err);
    if (status == LF_OK)
        status = command ? line__dialogue_command(&device->dialogue, command, &inputs, LF_NEVER, outcome, err)
                         : run_procedure(device, procedure, &inputs, outcome, err);
    line__notice_answer(&device->notices, status != LF_OK && device->dialogue.mute, err);
    report_findings(device);
    return status;
}

/* The instrument cannot say whether a tare or a dispense took place: a person decides. But what must not run
 * on is ended, and a procedure that may be repeated has then not been done. */
static enum lf_verdict line_verify(void *self, const struct lf_action *action, struct lf_outcome *outcome,
                                   struct lf_error *err)
{
    struct line *device = self;
    const struct lf_line_command *command;
    const struct lf_line_procedure *procedure;
    struct lf_line_input_set inputs = {.given = action->inputs, .given_count = action->input_count};
    (void)outcome;
    if (resolve(device, action, &command, &procedure, err) != LF_OK)
        return LF_VERDICT_UNKNOWN;
    bool ends = procedure && procedure->final_count;
    if (ends && end_procedure(device, procedure, &inputs, err) != LF_OK) {
        lf_error_prefix(err, "it was NOT ended as its profile wants");
        return LF_VERDICT_UNKNOWN;
    }
    if (ends && procedure->repeat != LF_ONCE)
        return LF_VERDICT_NOT_DONE;
    lf_fail(err, LF_UNSUPPORTED, LF_UNKNOWN_OUTCOME, "the instrument cannot say whether it was done%s%s%s",
            ends ? "; '" : "", ends ? procedure->finals[0].command->name : "",
            ends ? "' was done now, so that nothing runs on" : "");
    return LF_VERDICT_UNKNOWN;
}

const struct lf_driver lf_driver_line = {
    .abi = LF_DRIVER_ABI,
    .name = "line",
    .help = "Instruments that take commands over a serial port, TCP or a Unix socket, as a profile describes "
            "them.",
    .can = LF_CAN_RUN | LF_CAN_ASK | LF_CAN_COLLECT,
    .settings = settings,
    .check = line_check,
    .open = line_open,
    .close = line_close,
    .connect = line_connect,
    .disconnect = line_disconnect,
    .listen = line_listen,
    .repeat = line_repeat,
    .describe = line_describe,
    .accept = line_accept,
    .act = line_act,
    .sign = line_sign,
    .verify = line_verify,
    /* No take and no archive: findings carry their data. */
};
