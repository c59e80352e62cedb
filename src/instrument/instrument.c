/* Everything that other threads call. The mutex guards all shared fields; hooks are called without it. */
#include "instrument/host.h"

#include "base/failpoint.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After a call into a file system has not returned for SILENT_MS, the instrument counts as not answering.
 * When the agent stops, JOIN_STUCK_MS are enough. */
enum { SILENT_MS = 30000, JOIN_LOOK_MS = 100, JOIN_STUCK_MS = 2000 };

static const char *const state_names[] = {
    [LF_INSTRUMENT_OFFLINE] = "offline",
    [LF_INSTRUMENT_IDLE] = "idle",
    [LF_INSTRUMENT_BUSY] = "busy",
    [LF_INSTRUMENT_PAUSED] = "paused",
    [LF_INSTRUMENT_SILENT] = "not answering",
    [LF_INSTRUMENT_HELD] = "held",
};

const char *lf_instrument_state_name(enum lf_instrument_state state)
{
    return state_names[state];
}

/* ---- what the device is offered ---- */

static enum lf_status host_found(void *self, const struct lf_finding *finding, struct lf_error *err)
{
    struct lf_instrument *instrument = self;
    instrument__leave(instrument);
    enum lf_status status = instrument->hooks.found(instrument->hooks.context, instrument, finding, err);
    instrument__enter(instrument);
    return status;
}

static enum lf_status host_identity(void *self, const char *identity, struct lf_error *err)
{
    struct lf_instrument *instrument = self;
    lf_mutex_lock(&instrument->mutex);
    snprintf(instrument->identity, sizeof instrument->identity, "%s", identity);
    lf_mutex_unlock(&instrument->mutex);
    if (instrument->expect_identity && !strstr(identity, instrument->expect_identity))
        return lf_fail(err, LF_MISMATCH, LF_NEEDS_PERSON,
                       "%s is connected to \"%s\", but its configuration expects \"%s\". Check the cables or "
                       "expect_identity",
                       instrument->name, identity, instrument->expect_identity);
    return LF_OK;
}

static void host_progress(void *self, const char *text)
{
    struct lf_instrument *instrument = self;
    lf_mutex_lock(&instrument->mutex);
    snprintf(instrument->progress, sizeof instrument->progress, "%s", text);
    lf_mutex_unlock(&instrument->mutex);
}

static void host_way(void *self, const char *text)
{
    struct lf_instrument *instrument = self;
    lf_mutex_lock(&instrument->mutex);
    snprintf(instrument->way, sizeof instrument->way, "%s", text);
    lf_mutex_unlock(&instrument->mutex);
    instrument__leave(instrument);
    instrument__changed(instrument);
    instrument__enter(instrument);
}

/* ---- life ---- */

enum lf_status lf_instrument_open(const struct lf_instrument_options *options,
                                  const struct lf_instrument_hooks *hooks, struct lf_instrument **out,
                                  struct lf_error *err)
{
    struct lf_instrument *instrument = calloc(1, sizeof *instrument);
    if (!instrument)
        return lf_fail_memory(err, "opening an instrument");
    lf_mutex_init(&instrument->mutex);
    lf_cond_init(&instrument->answered);
    instrument->driver = options->driver;
    instrument->transfer = options->transfer;
    instrument->hooks = *hooks;
    instrument->journal = options->journal;
    snprintf(instrument->paused, sizeof instrument->paused, "%s", options->paused ? options->paused : "");
    instrument->since_ms = lf_clock_wall_ms();
    snprintf(instrument->note, sizeof instrument->note, "not connected yet");
    instrument->name = strdup(options->name);
    if (options->expect_identity)
        instrument->expect_identity = strdup(options->expect_identity);
    instrument->host = (struct lf_host){
        .self = instrument,
        .instrument = instrument->name,
        .agent = options->agent ? options->agent : "agent",
        .cancel = &instrument->cancel,
        .wake = &instrument->wake,
        .found = host_found,
        .identity = host_identity,
        .progress = host_progress,
        .way = host_way,
        .concern = instrument__concern,
        .http = instrument__http,
        .run = instrument__run,
    };
    bool copied = instrument->name && (!options->expect_identity || instrument->expect_identity);
    enum lf_status status = copied ? lf_driver_check(instrument->driver, err)
                                   : lf_fail_memory(err, "opening an instrument");
    if (status == LF_OK)
        status = lf_wake_open(&instrument->wake, err);
    if (status == LF_OK)
        status = lf_cancel_open(&instrument->cancel, err);
    if (status == LF_OK)
        status = instrument->driver->open(options->values, &instrument->host, &instrument->device, err);
    if (status != LF_OK) {
        lf_instrument_close(instrument);
        return status;
    }
    *out = instrument;
    return LF_OK;
}

enum lf_status lf_instrument_start(struct lf_instrument *instrument, struct lf_error *err)
{
    char name[16];
    snprintf(name, sizeof name, "b:%.13s", instrument->name);
    enum lf_status status = lf_thread_start(&instrument->thread, name, instrument__bench_run, instrument,
                                            err);
    instrument->started = status == LF_OK;
    return status;
}

void lf_instrument_stop(struct lf_instrument *instrument)
{
    lf_mutex_lock(&instrument->mutex);
    instrument->stopping = true;
    lf_cancel_set(&instrument->cancel);
    lf_mutex_unlock(&instrument->mutex);
    lf_wake_up(&instrument->wake);
}

bool lf_instrument_join(struct lf_instrument *instrument)
{
    bool stuck = false;
    lf_mutex_lock(&instrument->mutex);
    while (instrument->started && !instrument->ended && !stuck) {
        lf_cond_wait(&instrument->answered, &instrument->mutex, lf_deadline_in(JOIN_LOOK_MS));
        stuck = lf_pulse_stuck_ms(&instrument->pulse) > JOIN_STUCK_MS;
    }
    stuck = instrument->started && !instrument->ended;
    lf_mutex_unlock(&instrument->mutex);
    if (stuck)
        return false;
    if (instrument->started)
        lf_thread_join(&instrument->thread);
    instrument->started = false;
    return true;
}

void lf_instrument_close(struct lf_instrument *instrument)
{
    if (!instrument)
        return;
    if (instrument->started)
        lf_instrument_stop(instrument);
    if (!lf_instrument_join(instrument))
        return; /* its thread still uses it */
    if (instrument->device)
        instrument->driver->close(instrument->device);
    lf_wake_close(&instrument->wake);
    lf_cancel_close(&instrument->cancel);
    lf_cond_destroy(&instrument->answered);
    lf_mutex_destroy(&instrument->mutex);
    free(instrument->expect_identity);
    free(instrument->name);
    free(instrument);
}

const char *lf_instrument_name(const struct lf_instrument *instrument)
{
    return instrument->name;
}

const struct lf_driver *lf_instrument_driver(const struct lf_instrument *instrument)
{
    return instrument->driver;
}

/* ---- steering ---- */

void instrument__changed(struct lf_instrument *instrument)
{
    if (instrument->hooks.changed)
        instrument->hooks.changed(instrument->hooks.context, instrument);
}

static void wake(void *context, int64_t number, const char *text)
{
    (void)number, (void)text;
    struct lf_instrument *instrument = context;
    lf_wake_up(&instrument->wake);
}

void lf_instrument_kick(struct lf_instrument *instrument)
{
    lf_journal_after_commit(instrument->journal, wake, instrument, 0, NULL);
}

/* Two threads may get here in the opposite order of their commits: the later commit wins. */
static void apply_pause(void *context, int64_t number, const char *why)
{
    struct lf_instrument *instrument = context;
    LF_FAILPOINT("effect.pause");
    lf_mutex_lock(&instrument->mutex);
    if (number > instrument->pause_applied) {
        if (!*why != !*instrument->paused)
            instrument->since_ms = lf_clock_wall_ms();
        instrument->steady_mono = lf_clock_mono_ms();
        snprintf(instrument->paused, sizeof instrument->paused, "%s", why);
        instrument->pause_applied = number;
    }
    lf_mutex_unlock(&instrument->mutex);
    lf_wake_up(&instrument->wake);
    instrument__changed(instrument);
}

void lf_instrument_pause(struct lf_instrument *instrument, const char *why)
{
    lf_mutex_lock(&instrument->mutex);
    int64_t number = ++instrument->pause_asked;
    lf_mutex_unlock(&instrument->mutex);
    lf_journal_after_commit(instrument->journal, apply_pause, instrument, number, why);
}

void lf_instrument_resume(struct lf_instrument *instrument)
{
    lf_instrument_pause(instrument, "");
}

static bool runs(struct lf_instrument *instrument, int64_t job, bool cancel)
{
    lf_mutex_lock(&instrument->mutex);
    bool running = instrument->busy && instrument->job == job;
    if (running && cancel)
        lf_cancel_set(&instrument->cancel);
    lf_mutex_unlock(&instrument->mutex);
    return running;
}

static void cancel(void *context, int64_t job, const char *text)
{
    (void)text;
    LF_FAILPOINT("effect.cancel");
    runs(context, job, true);
}

bool lf_instrument_cancel(struct lf_instrument *instrument, int64_t job)
{
    bool running = runs(instrument, job, false);
    if (running)
        lf_journal_after_commit(instrument->journal, cancel, instrument, job, NULL);
    return running;
}

/* ---- looking ---- */

static bool is_silent(const struct lf_instrument *instrument)
{
    return lf_pulse_stuck_ms(&instrument->pulse) > LF_LIMIT("LF_SILENT_MS", SILENT_MS);
}

/* The job that holds it; asked without the mutex. */
static int64_t held_by(const struct lf_instrument *instrument)
{
    return instrument->journal ? lf_journal_job_in_doubt(instrument->journal, instrument->name) : 0;
}

static enum lf_instrument_state state_if(const struct lf_instrument *instrument, const char *paused,
                                         int64_t holder)
{
    if (is_silent(instrument))
        return LF_INSTRUMENT_SILENT;
    if (!instrument->connected)
        return LF_INSTRUMENT_OFFLINE;
    if (instrument->busy)
        return LF_INSTRUMENT_BUSY;
    if (holder)
        return LF_INSTRUMENT_HELD;
    return *paused ? LF_INSTRUMENT_PAUSED : LF_INSTRUMENT_IDLE;
}

enum lf_instrument_state lf_instrument_state(struct lf_instrument *instrument)
{
    int64_t holder = held_by(instrument);
    lf_mutex_lock(&instrument->mutex);
    enum lf_instrument_state state = state_if(instrument, instrument->paused, holder);
    lf_mutex_unlock(&instrument->mutex);
    return state;
}

int64_t lf_instrument_steady_since(struct lf_instrument *instrument)
{
    lf_mutex_lock(&instrument->mutex);
    bool steady = instrument->connected && !*instrument->paused;
    int64_t since = steady ? instrument->steady_mono : LF_NEVER;
    lf_mutex_unlock(&instrument->mutex);
    return since;
}

int64_t lf_instrument_connections(struct lf_instrument *instrument)
{
    lf_mutex_lock(&instrument->mutex);
    int64_t connections = instrument->connections;
    lf_mutex_unlock(&instrument->mutex);
    return connections;
}

/* Since when the driver's call has not returned. */
static int64_t silent_since(const struct lf_instrument *instrument)
{
    return lf_clock_wall_ms() - lf_pulse_stuck_ms(&instrument->pulse);
}

void lf_instrument_watch(struct lf_instrument *instrument)
{
    char text[300], since[LF_TIME_TEXT];
    lf_mutex_lock(&instrument->mutex);
    bool silent = is_silent(instrument), news = silent != instrument->silent;
    instrument->silent = silent;
    lf_mutex_unlock(&instrument->mutex);
    if (!news)
        return;
    lf_time_format(silent_since(instrument), since);
    snprintf(text, sizeof text,
             "%s has not answered since %s: the system does not return from its folder or device",
             instrument->name, since);
    if (silent)
        lf_log_warning(instrument->name, "%s", text);
    else
        lf_log_info(instrument->name, "answers again");
    instrument__note(
        instrument, "not answering", true, silent ? text : NULL,
        "check the share, its server and the network. The instrument continues by itself once they answer. If "
        "they never will, unmount the share (umount -f) and restart the agent");
    instrument__changed(instrument);
}

cJSON *lf_instrument_info(struct lf_instrument *instrument, const char *paused)
{
    cJSON *info = cJSON_CreateObject();
    int64_t holder = held_by(instrument);
    char held[200];
    lf_mutex_lock(&instrument->mutex);
    bool silent = is_silent(instrument);
    bool changes = paused && !*paused != !*instrument->paused;
    paused = paused ? paused : instrument->paused;
    lf_json_set_text(info, "name", instrument->name);
    lf_json_set_text(info, "driver", instrument->driver->name);
    lf_json_set_text(info, "state", state_names[state_if(instrument, paused, holder)]);
    int64_t since = changes ? lf_clock_wall_ms() : instrument->since_ms;
    lf_json_set_time(info, "since", silent ? silent_since(instrument) : since);
    lf_json_set_text(info, "identity", instrument->identity[0] ? instrument->identity : NULL);
    lf_json_set_bool(info, "paused", *paused);
    const char *note = silent                  ? "the system does not return from its folder or device"
                       : instrument->connected ? paused
                                               : instrument->note;
    snprintf(held, sizeof held,
             "held by job %lld: `labferry confirm` (its action happened), `retry` (it did not) or `cancel`",
             (long long)holder);
    if (!silent && instrument->connected && holder && !*paused)
        note = held;
    lf_json_set_text(info, "note", *note ? note : NULL);
    if (holder)
        lf_json_set_int(info, "held_by", holder);
    if (instrument->job)
        lf_json_set_int(info, "job", instrument->job);
    if (instrument->progress[0])
        lf_json_set_text(info, "progress", instrument->progress);
    if (instrument->way[0])
        lf_json_set_text(info, "way", instrument->way);
    lf_mutex_unlock(&instrument->mutex);
    return info;
}

void instrument__end_question(struct lf_instrument *instrument, enum lf_status status)
{
    instrument->question->status = status;
    instrument->question->answered = true;
    instrument->question = NULL;
    lf_cond_broadcast(&instrument->answered);
}

enum lf_status lf_instrument_ask(struct lf_instrument *instrument, const char *command,
                                 const struct lf_input *inputs, size_t input_count, bool allow_once,
                                 int64_t deadline, struct lf_outcome *outcome, struct lf_error *err)
{
    struct question question = {.command = command,
                                .inputs = inputs,
                                .input_count = input_count,
                                .allow_once = allow_once,
                                .outcome = outcome,
                                .err = err};
    lf_mutex_lock(&instrument->mutex);
    while (instrument->question && !instrument->stopping
           && lf_cond_wait(&instrument->answered, &instrument->mutex, deadline))
        ;
    if (instrument->question || instrument->stopping) {
        lf_mutex_unlock(&instrument->mutex);
        return lf_fail(err, LF_BUSY, LF_TRANSIENT, "%s is busy with another command", instrument->name);
    }
    instrument->question = &question;
    lf_wake_up(&instrument->wake);
    /* Once begun it is waited for: the driver's own deadlines limit it. */
    while (!question.answered)
        if (!lf_cond_wait(&instrument->answered, &instrument->mutex, question.begun ? LF_NEVER : deadline)
            && !question.begun && !question.answered)
            instrument__end_question(
                instrument, lf_fail(err, LF_BUSY, LF_TRANSIENT,
                                    "%s is busy; the command was not sent. Try again later, or give a "
                                    "longer timeout",
                                    instrument->name));
    lf_mutex_unlock(&instrument->mutex);
    return question.status;
}
