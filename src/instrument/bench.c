/* The bench thread.
 *
 * States: not connected (connect with back-off, full jitter, up to 30 s) -> connected (questions first, then
 * work, then listening). Only this thread calls the driver. A driver call that ends in LF_DISCONNECTED leads
 * to disconnect at once, so that a replugged device can come back under its name. A connection that lasts
 * less than STEADY_MS does not reset the back-off: a device that vanishes after every open is tried ever more
 * slowly.
 */
#include "instrument/host.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum { RETRY_LEAST_MS = 250, STEADY_MS = 2000 };

struct connection {
    int attempt;
    int64_t due;       /* of the next try */
    int64_t connected; /* monotonic, when it came up */
};

static bool stopping(struct lf_instrument *instrument)
{
    lf_mutex_lock(&instrument->mutex);
    bool stop = instrument->stopping;
    lf_mutex_unlock(&instrument->mutex);
    return stop;
}

static void set_connected(struct lf_instrument *instrument, bool connected, const char *note)
{
    lf_mutex_lock(&instrument->mutex);
    bool news = instrument->connected != connected || strcmp(instrument->note, note) != 0;
    if (instrument->connected != connected)
        instrument->since_ms = lf_clock_wall_ms();
    if (connected) {
        instrument->connections++;
        instrument->steady_mono = lf_clock_mono_ms();
    }
    instrument->connected = connected;
    snprintf(instrument->note, sizeof instrument->note, "%s", note);
    lf_mutex_unlock(&instrument->mutex);
    if (!news)
        return;
    if (connected)
        lf_log_info(instrument->name, "connected%s%s", instrument->identity[0] ? ": " : "",
                    instrument->identity);
    else
        lf_log_warning(instrument->name, "offline: %s", note);
    instrument__changed(instrument);
}

void instrument__enter(struct lf_instrument *instrument)
{
    lf_pulse_bind(&instrument->pulse);
}

void instrument__leave(struct lf_instrument *instrument)
{
    lf_pulse_bind(NULL);
    lf_pulse_rest(&instrument->pulse);
}

static void disconnect_device(struct lf_instrument *instrument)
{
    instrument__enter(instrument);
    instrument->driver->disconnect(instrument->device);
    instrument__leave(instrument);
}

static void lose(struct lf_instrument *instrument, const struct lf_error *err)
{
    if (!instrument->connected)
        return;
    disconnect_device(instrument);
    set_connected(instrument, false, err->text);
}

/* After every driver call. */
static void judge(struct lf_instrument *instrument, enum lf_status status, const struct lf_error *err)
{
    if (status == LF_DISCONNECTED)
        lose(instrument, err);
}

static void connect_device(struct lf_instrument *instrument, struct connection *connection)
{
    struct lf_error err = {0};
    instrument__enter(instrument);
    enum lf_status status = instrument->driver->connect(instrument->device, &err);
    instrument__leave(instrument);
    if (status == LF_OK) {
        connection->connected = lf_clock_mono_ms();
        set_connected(instrument, true, "");
        return;
    }
    disconnect_device(instrument);
    if (status == LF_CANCELLED)
        return;
    set_connected(instrument, false, err.text);
    connection->due = lf_deadline_in(lf_backoff_ms(connection->attempt++, LF_PACE_DEVICE));
}

/* Full jitter may give nearly nothing: a device that connects and vanishes must not be tried in a tight loop.
 */
static void plan_reconnect(struct connection *connection)
{
    if (lf_clock_mono_ms() - connection->connected >= STEADY_MS)
        connection->attempt = 0;
    connection->due = lf_deadline_in(RETRY_LEAST_MS + lf_backoff_ms(connection->attempt++, LF_PACE_DEVICE));
}

/* ---- busy and idle ---- */

static void set_busy(struct lf_instrument *instrument, bool busy, int64_t job)
{
    lf_mutex_lock(&instrument->mutex);
    instrument->busy = busy;
    instrument->job = job;
    instrument->progress[0] = '\0';
    instrument->since_ms = lf_clock_wall_ms();
    if (!busy && !instrument->stopping)
        lf_cancel_reset(&instrument->cancel); /* a cancel meant what has just ended */
    lf_mutex_unlock(&instrument->mutex);
    instrument__changed(instrument);
}

/* ---- the driver's calls ---- */

static enum lf_status must_be_connected(struct lf_instrument *instrument, struct lf_error *err)
{
    if (instrument->connected)
        return LF_OK;
    return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "%s is offline: %s", instrument->name,
                   instrument->note);
}

static enum lf_status only_collects(const struct lf_instrument *instrument, struct lf_error *err)
{
    return lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT, "%s cannot do this: its driver \"%s\" only collects",
                   instrument->name, instrument->driver->name);
}

enum lf_status lf_instrument_repeat(struct lf_instrument *instrument, const struct lf_action *action,
                                    enum lf_repeat *repeat, struct lf_error *err)
{
    if (!instrument->driver->repeat)
        return only_collects(instrument, err);
    enum lf_status status = instrument->driver->repeat(instrument->device, action, repeat, err);
    if (*repeat != LF_SAFE && *repeat != LF_IDEMPOTENT)
        *repeat = LF_ONCE; /* also if a driver sets a value that does not exist */
    return status;
}

enum lf_status lf_instrument_prepare(struct lf_instrument *instrument, const struct lf_action *action,
                                     struct lf_error *err)
{
    enum lf_status status = must_be_connected(instrument, err);
    if (status != LF_OK || !instrument->driver->prepare)
        return status;
    set_busy(instrument, true, action->job);
    instrument__enter(instrument);
    status = instrument->driver->prepare(instrument->device, action, err);
    instrument__leave(instrument);
    judge(instrument, status, err);
    set_busy(instrument, false, 0);
    return status;
}

const char *lf_instrument_sign(struct lf_instrument *instrument, const struct lf_action *action)
{
    return instrument->driver->sign ? instrument->driver->sign(instrument->device, action) : NULL;
}

enum lf_status lf_instrument_act(struct lf_instrument *instrument, const struct lf_action *action,
                                 struct lf_outcome *outcome, struct lf_error *err)
{
    enum lf_status status = must_be_connected(instrument, err);
    if (status != LF_OK)
        return status;
    if (!instrument->driver->act)
        return only_collects(instrument, err);
    set_busy(instrument, true, action->job);
    lf_error_clear(err);
    instrument__enter(instrument);
    status = instrument->driver->act(instrument->device, action, outcome, err);
    instrument__leave(instrument);
    if (status != LF_OK && err->class != LF_TRANSIENT && err->class != LF_PERMANENT
        && err->class != LF_NEEDS_PERSON)
        err->class = LF_UNKNOWN_OUTCOME; /* the driver does not say that nothing happened */
    judge(instrument, status, err);
    set_busy(instrument, false, 0);
    return status;
}

enum lf_verdict lf_instrument_verify(struct lf_instrument *instrument, const struct lf_action *action,
                                     struct lf_outcome *outcome, struct lf_error *err)
{
    if (!instrument->driver->verify) {
        lf_fail(err, LF_UNSUPPORTED, LF_UNKNOWN_OUTCOME, "%s cannot find out whether it was done",
                instrument->name);
        return LF_VERDICT_UNKNOWN;
    }
    if (must_be_connected(instrument, err) != LF_OK)
        return LF_VERDICT_UNKNOWN;
    set_busy(instrument, true, action->job);
    instrument__enter(instrument);
    enum lf_verdict verdict = instrument->driver->verify(instrument->device, action, outcome, err);
    instrument__leave(instrument);
    if (verdict != LF_VERDICT_DONE && verdict != LF_VERDICT_NOT_DONE) {
        verdict = LF_VERDICT_UNKNOWN;
        judge(instrument, err->status, err);
    }
    set_busy(instrument, false, 0);
    return verdict;
}

enum lf_status lf_instrument_witnessed(struct lf_instrument *instrument,
                                       void (*each)(void *context, const struct lf_witness *delivery),
                                       void *context, struct lf_error *err)
{
    enum lf_status status = must_be_connected(instrument, err);
    if (status == LF_OK && !instrument->driver->witnessed)
        status = lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT, "%s remembers no deliveries", instrument->name);
    instrument__enter(instrument);
    if (status == LF_OK)
        status = instrument->driver->witnessed(instrument->device, each, context, err);
    instrument__leave(instrument);
    judge(instrument, status, err);
    return status;
}

enum lf_status lf_instrument_take(struct lf_instrument *instrument, const char *id, const char *version,
                                  const struct lf_file *to, int64_t max, struct lf_error *err)
{
    enum lf_status status = must_be_connected(instrument, err);
    if (status == LF_OK && !instrument->driver->take)
        status = lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "'%.80s' cannot be read from %s again", id,
                         instrument->name);
    instrument__enter(instrument);
    if (status == LF_OK)
        status = instrument->driver->take(instrument->device, id, version, to, max, err);
    instrument__leave(instrument);
    judge(instrument, status, err);
    return status;
}

enum lf_status lf_instrument_archive(struct lf_instrument *instrument, const char *id, const char *version,
                                     struct lf_error *err)
{
    enum lf_status status = must_be_connected(instrument, err);
    instrument__enter(instrument);
    if (status == LF_OK && instrument->driver->archive)
        status = instrument->driver->archive(instrument->device, id, version, err);
    instrument__leave(instrument);
    judge(instrument, status, err);
    return status;
}

/* ---- questions ---- */

static enum lf_status must_not_be_paused(struct lf_instrument *instrument, struct lf_error *err)
{
    lf_mutex_lock(&instrument->mutex);
    enum lf_status status = *instrument->paused
                                ? lf_fail(err, LF_REFUSED, LF_PERMANENT, "%s is %s; resume it first",
                                          instrument->name, instrument->paused)
                                : LF_OK;
    lf_mutex_unlock(&instrument->mutex);
    return status;
}

/* As any other action: what is in doubt is answered first. */
static enum lf_status must_not_be_held(const struct lf_instrument *instrument, struct lf_error *err)
{
    int64_t job = instrument->journal ? lf_journal_job_in_doubt(instrument->journal, instrument->name) : 0;
    return job ? lf_fail(err, LF_REFUSED, LF_PERMANENT,
                         "%s is held by job %lld, whose outcome is unknown; answer that first with `labferry "
                         "confirm`, `retry` or `cancel`",
                         instrument->name, (long long)job)
               : LF_OK;
}

static enum lf_status answer(struct lf_instrument *instrument, struct question *question)
{
    struct lf_action action = {.kind = LF_ACTION_ASK,
                               .name = question->command,
                               .inputs = question->inputs,
                               .input_count = question->input_count};
    enum lf_repeat repeat = LF_ONCE;
    enum lf_status status = must_be_connected(instrument, question->err);
    if (status == LF_OK)
        status = lf_instrument_repeat(instrument, &action, &repeat, question->err);
    if (status == LF_OK && repeat == LF_ONCE && !question->allow_once)
        status =
            lf_fail(question->err, LF_REFUSED, LF_PERMANENT,
                    "%s: '%s' moves or changes something. Add --once (over MQTT \"once\": true) to run it",
                    instrument->name, question->command);
    if (status == LF_OK && repeat == LF_ONCE)
        status = must_not_be_paused(instrument, question->err);
    if (status == LF_OK && repeat == LF_ONCE)
        status = must_not_be_held(instrument, question->err);
    return status == LF_OK ? lf_instrument_act(instrument, &action, question->outcome, question->err)
                           : status;
}

static bool serve_question(struct lf_instrument *instrument)
{
    lf_mutex_lock(&instrument->mutex);
    struct question *question = instrument->question;
    if (question)
        question->begun = true;
    lf_mutex_unlock(&instrument->mutex);
    if (!question)
        return false;
    enum lf_status status = answer(instrument, question);
    lf_mutex_lock(&instrument->mutex);
    instrument__end_question(instrument, status);
    lf_mutex_unlock(&instrument->mutex);
    return true;
}

/* ---- the thread ---- */

static bool do_work(struct lf_instrument *instrument, int64_t *next)
{
    lf_mutex_lock(&instrument->mutex);
    bool paused = *instrument->paused;
    lf_mutex_unlock(&instrument->mutex);
    *next = LF_NEVER;
    return !paused && instrument->hooks.work(instrument->hooks.context, instrument, next);
}

static void listen_for_results(struct lf_instrument *instrument, int64_t until)
{
    struct lf_error err = {0};
    instrument__enter(instrument);
    enum lf_status status = instrument->driver->listen
                                ? instrument->driver->listen(instrument->device, until, &err)
                                : lf_wake_wait(&instrument->wake, until, &instrument->cancel);
    instrument__leave(instrument);
    if (status == LF_OK || status == LF_TIMEOUT || status == LF_CANCELLED)
        return;
    /* Whatever else went wrong: start from a clean connection rather than listen on a doubtful one. */
    lose(instrument, &err);
}

void *instrument__bench_run(void *arg)
{
    struct lf_instrument *instrument = arg;
    struct connection connection = {.due = lf_clock_mono_ms()};
    while (!stopping(instrument)) {
        lf_wake_clear(&instrument->wake);
        if (serve_question(instrument))
            continue;
        if (!instrument->connected) {
            if (lf_deadline_passed(connection.due))
                connect_device(instrument, &connection);
            else
                lf_wake_wait(&instrument->wake, connection.due, &instrument->cancel);
            continue;
        }
        int64_t next;
        if (!do_work(instrument, &next) && instrument->connected)
            listen_for_results(instrument, next);
        if (!instrument->connected)
            plan_reconnect(&connection);
    }
    if (instrument->connected)
        disconnect_device(instrument);
    lf_mutex_lock(&instrument->mutex);
    instrument->connected = false;
    instrument->ended = true;
    lf_cond_broadcast(&instrument->answered);
    if (instrument->question)
        instrument__end_question(instrument, lf_fail(instrument->question->err, LF_CANCELLED, LF_TRANSIENT,
                                                     "the agent is stopping"));
    lf_mutex_unlock(&instrument->mutex);
    return NULL;
}
