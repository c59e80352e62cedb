#include "drivers/line/procedure.h"

#include "drivers/line/reply_match.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* FINALLY_..._MS: for all rows of `finally` together; the shorter time after a cancel, since the agent may be
 * stopping. */
enum { STEADY_MAX = 100, PROGRESS_ROOM = 160, FINALLY_MS = 20000, FINALLY_CANCELLED_MS = 3000 };

struct step_run {
    struct lf_input *arguments; /* the values are ours */
    size_t argument_count;
    struct lf_outcome captured;
};

struct procedure_run {
    struct lf_line_dialogue *dialogue;
    const struct lf_line_procedure *procedure;
    const struct lf_line_input_set *inputs;
    void (*progress)(void *self, const char *text);
    void *self;
    int64_t deadline;
    struct step_run *steps;
    const char *done_once; /* the last command of class once that was done */
    bool begun;            /* a command was tried: something may have been sent */
};

/* ---- inputs of a step ---- */

static void free_arguments(struct step_run *step)
{
    for (size_t i = 0; i < step->argument_count; i++)
        free((char *)step->arguments[i].value); /* ours, from fill_arguments */
    free(step->arguments);
}

static enum lf_status fill_arguments(const struct procedure_run *run, const struct lf_line_step *what,
                                     struct step_run *step, struct lf_error *err)
{
    step->arguments = calloc(what->argument_count + 1, sizeof *step->arguments);
    if (!step->arguments)
        return lf_fail_memory(err, "preparing a step");
    for (size_t i = 0; i < what->argument_count; i++) {
        struct lf_buffer text = {0};
        enum lf_status status = line__template_fill(&what->arguments[i].value, &run->procedure->inputs,
                                                    run->inputs, &text, err);
        char *value = status == LF_OK ? lf_buffer_take(&text) : NULL;
        lf_buffer_free(&text);
        if (!value)
            return status != LF_OK ? status : lf_fail_memory(err, "preparing a step");
        step->arguments[step->argument_count++] = (struct lf_input){what->arguments[i].input, value};
    }
    return LF_OK;
}

static enum lf_status prepare_row(const struct procedure_run *run, const struct lf_line_step *what,
                                  struct step_run *step, struct lf_error *err)
{
    enum lf_status status = fill_arguments(run, what, step, err);
    struct lf_line_input_set set = {step->arguments, step->argument_count, run->dialogue->fixed};
    return status == LF_OK ? line__command_bytes(run->dialogue->profile, what->command, &set, NULL, err)
                           : status;
}

/* Fills in the inputs of every step and checks them: a bad one must be found before the procedure begins. */
static enum lf_status prepare(const struct procedure_run *run, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    for (size_t i = 0; i < run->procedure->step_count && status == LF_OK; i++)
        if (run->procedure->steps[i].command)
            status = prepare_row(run, &run->procedure->steps[i], &run->steps[i], err);
    for (size_t i = 0; i < run->procedure->final_count && status == LF_OK; i++) {
        struct step_run row = {0};
        status = prepare_row(run, &run->procedure->finals[i], &row, err);
        free_arguments(&row);
    }
    return status;
}

/* ---- conditions ---- */

struct readings {
    double last[STEADY_MAX];
    size_t count;
};

static bool steady(struct readings *readings, const struct lf_line_condition *until, double number)
{
    readings->last[readings->count++ % until->over] = number;
    if (readings->count < until->over)
        return false;
    double low = number, high = number;
    for (size_t i = 0; i < until->over; i++) {
        low = fmin(low, readings->last[i]);
        high = fmax(high, readings->last[i]);
    }
    return high - low <= until->number;
}

static bool holds(const struct lf_line_condition *until, const struct lf_outcome *values,
                  struct readings *readings)
{
    const char *value = until->kind == LF_UNTIL_DONE ? "" : line__last_value(values, until->capture);
    if (!value)
        return false;
    char *stop;
    double number = strtod(value, &stop);
    bool is_number = stop != value && !*stop;
    switch (until->kind) {
    case LF_UNTIL_IS: return !strcmp(value, until->text);
    case LF_UNTIL_IS_NOT: return strcmp(value, until->text) != 0;
    case LF_UNTIL_ABOVE: return is_number && number > until->number;
    case LF_UNTIL_BELOW: return is_number && number < until->number;
    case LF_UNTIL_STEADY: return is_number && steady(readings, until, number);
    case LF_UNTIL_DONE:
    case LF_UNTIL_NOTHING: break;
    }
    return true;
}

/* ---- steps ---- */

static enum lf_status pause_for(const struct procedure_run *run, int64_t ms, struct lf_error *err)
{
    int64_t until = lf_deadline_in(ms);
    run->dialogue->expecting = run->dialogue->expecting && !ms;
    if (until >= run->deadline)
        return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "the procedure took longer than its limit");
    if (lf_sleep_until(until, run->dialogue->cancel) == LF_CANCELLED)
        return lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "cancelled");
    return LF_OK;
}

static void show_progress(const struct procedure_run *run, const struct lf_line_step *step, size_t turn)
{
    char text[PROGRESS_ROOM];
    if (!run->progress)
        return;
    if (step->times > 1)
        snprintf(text, sizeof text, "%s, %zu of %s%zu", step->command->name, turn + 1,
                 step->until.kind ? "at most " : "", step->times);
    else
        snprintf(text, sizeof text, "%s", step->command->name);
    run->progress(run->self, text);
}

/* "Busy" while waiting for a condition counts as "not yet". */
static enum lf_status run_step(struct procedure_run *run, size_t index, struct lf_error *err)
{
    const struct lf_line_step *step = &run->procedure->steps[index];
    struct lf_outcome *captured = &run->steps[index].captured;
    struct lf_line_input_set set = {.given = run->steps[index].arguments,
                                    .given_count = run->steps[index].argument_count};
    struct readings readings = {.count = 0};
    if (!step->command)
        return pause_for(run, step->wait_ms, err);
    bool waiting = step->until.kind != LF_UNTIL_NOTHING;
    for (size_t turn = 0; turn < step->times; turn++) {
        enum lf_status status = pause_for(run, turn ? step->wait_ms : 0, err);
        if (status != LF_OK)
            return status;
        show_progress(run, step, turn);
        if (waiting)
            lf_outcome_free(captured);
        run->begun = true;
        status = line__dialogue_command(run->dialogue, step->command, &set, run->deadline, captured, err);
        if (status != LF_OK && !(waiting && status == LF_BUSY))
            return status;
        if (status == LF_OK && step->command->repeat == LF_ONCE)
            run->done_once = step->command->name;
        if (waiting && status == LF_OK && holds(&step->until, captured, &readings))
            return LF_OK;
    }
    return !waiting ? LF_OK
                    : lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "%s: %s%s%s in %zu tries", step->command->name,
                              step->until.capture ? "'" : "it was busy",
                              step->until.capture ? step->until.capture : "",
                              step->until.capture ? "' did not reach the expected value" : "", step->times);
}

/* ---- the result ---- */

static enum lf_status copy_captures(const struct lf_outcome *from, const char *name, const char *as,
                                    struct lf_outcome *result, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    for (size_t i = 0; i < from->count && status == LF_OK; i++) {
        const struct lf_capture *capture = &from->captures[i];
        if (!name || !strcmp(capture->name, name))
            status = lf_outcome_add(result, as ? as : capture->name, capture->type, capture->value, err);
    }
    return status;
}

/* Takes the values from the latest step (with that label) that has captured them. */
static enum lf_status give_result(const struct procedure_run *run, const struct lf_line_result *wanted,
                                  struct lf_outcome *result, struct lf_error *err)
{
    size_t before = result->count;
    for (size_t i = run->procedure->step_count; i-- > 0 && result->count == before;) {
        const struct lf_line_step *step = &run->procedure->steps[i];
        if (!step->command || (wanted->label && strcmp(wanted->label, step->label) != 0))
            continue;
        enum lf_status status = copy_captures(&run->steps[i].captured, wanted->capture, wanted->as, result,
                                              err);
        if (status != LF_OK)
            return status;
    }
    if (result->count > before || wanted->optional)
        return LF_OK;
    return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT, "no value was captured for the result '%s'", wanted->as);
}

static enum lf_status give_results(const struct procedure_run *run, struct lf_outcome *result,
                                   struct lf_error *err)
{
    const struct lf_line_procedure *procedure = run->procedure;
    enum lf_status status = LF_OK;
    for (size_t i = 0; i < procedure->result_count && status == LF_OK; i++)
        status = give_result(run, &procedure->results[i], result, err);
    for (size_t i = 0; !procedure->result_count && i < procedure->step_count && status == LF_OK; i++)
        status = copy_captures(&run->steps[i].captured, NULL, NULL, result, err);
    return status;
}

static enum lf_status walk(struct procedure_run *run, struct lf_outcome *result, struct lf_error *err)
{
    enum lf_status status = prepare(run, err);
    for (size_t i = 0; i < run->procedure->step_count && status == LF_OK; i++)
        status = run_step(run, i, err);
    return status == LF_OK ? give_results(run, result, err) : status;
}

static void free_steps(struct procedure_run *run)
{
    for (size_t i = 0; run->steps && i < run->procedure->step_count; i++) {
        lf_outcome_free(&run->steps[i].captured);
        free_arguments(&run->steps[i]);
    }
    free(run->steps);
}

enum lf_status line__procedure_accept(const struct lf_line_dialogue *dialogue,
                                      const struct lf_line_procedure *procedure,
                                      const struct lf_line_input_set *inputs, struct lf_error *err)
{
    struct lf_line_input_set all = *inputs;
    all.fixed = dialogue->fixed;
    struct procedure_run run = {.dialogue = (struct lf_line_dialogue *)dialogue,
                                .procedure = procedure,
                                .inputs = &all,
                                .steps = calloc(procedure->step_count, sizeof *run.steps)};
    enum lf_status status = run.steps ? line__inputs_known(dialogue->profile, &procedure->inputs, inputs, err)
                                      : lf_fail_memory(err, "checking inputs");
    if (status == LF_OK)
        status = prepare(&run, err);
    free_steps(&run);
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "procedure '%s'", procedure->name);
}

/* ---- what is done in any case ---- */

static enum lf_status finish_row(const struct procedure_run *run, const struct lf_line_step *row, bool later,
                                 struct lf_error *err)
{
    struct step_run step = {0};
    if (later && row->command->repeat == LF_ONCE)
        return lf_fail(err, LF_UNSUPPORTED, LF_UNKNOWN_OUTCOME,
                       "'%s' may have been done already and is not done twice", row->command->name);
    enum lf_status status = fill_arguments(run, row, &step, err);
    struct lf_line_input_set set = {.given = step.arguments, .given_count = step.argument_count};
    if (status == LF_OK)
        status = line__dialogue_insist(run->dialogue, row->command, &set, err);
    free_arguments(&step);
    return status;
}

/* Every row is tried, whatever became of the one before; *failed (NULL: none) and err are of the first that
 * failed. A cancel does not end it: it is what follows a cancel. */
static enum lf_status finish(const struct procedure_run *run, bool later,
                             const struct lf_line_command **failed, struct lf_error *err)
{
    const struct lf_line_procedure *procedure = run->procedure;
    struct lf_line_dialogue *dialogue = run->dialogue;
    const struct lf_cancel *cancel = dialogue->cancel;
    struct lf_error each = {0};
    *failed = dialogue->stream ? NULL : procedure->finals[0].command;
    if (*failed)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the instrument is not connected");
    dialogue->limit = lf_deadline_in(lf_cancel_is_set(cancel) ? FINALLY_CANCELLED_MS : FINALLY_MS);
    dialogue->cancel = NULL;
    lf_stream_watch(dialogue->stream, NULL);
    for (size_t i = 0; i < procedure->final_count; i++) {
        const struct lf_line_command *command = procedure->finals[i].command;
        if (run->progress)
            run->progress(run->self, command->name);
        if (finish_row(run, &procedure->finals[i], later, &each) != LF_OK && !*failed) {
            *err = each;
            *failed = command;
        }
    }
    dialogue->limit = 0;
    dialogue->cancel = cancel;
    lf_stream_watch(dialogue->stream, cancel);
    return *failed ? err->status : LF_OK;
}

enum lf_status line__procedure_finish(struct lf_line_dialogue *dialogue,
                                      const struct lf_line_procedure *procedure,
                                      const struct lf_line_input_set *inputs, struct lf_error *err)
{
    struct lf_line_input_set all = *inputs;
    all.fixed = dialogue->fixed;
    struct procedure_run run = {.dialogue = dialogue, .procedure = procedure, .inputs = &all};
    const struct lf_line_command *failed;
    enum lf_status status = finish(&run, true, &failed, err);
    if (status != LF_OK)
        err->class = LF_UNKNOWN_OUTCOME;
    return status;
}

/* The end of a procedure that has begun. Tells in the error what was done or not. Whatever the procedure did,
 * what a failed row was to end may still run: an unknown outcome, so that nothing else begins meanwhile. If
 * the connection was lost nothing begins either, and the next one begins with these rows: a procedure that
 * can be repeated is repeated then. */
static enum lf_status end_in_any_case(const struct procedure_run *run, enum lf_status status,
                                      bool *unfinished, struct lf_error *err)
{
    struct lf_error late = {0};
    const struct lf_line_command *failed;
    if (finish(run, false, &failed, &late) == LF_OK)
        return status == LF_OK
                   ? LF_OK
                   : lf_error_prefix(err, "ended with '%s'", run->procedure->finals[0].command->name);
    *unfinished = true;
    if (status != LF_OK && err->class == LF_TRANSIENT && late.status == LF_DISCONNECTED)
        return lf_error_prefix(err, "'%.60s' comes as soon as it is connected again", failed->name);
    struct lf_error first = *err;
    return lf_fail(
        err, status == LF_OK ? late.status : status, LF_UNKNOWN_OUTCOME,
        "NOT ended with '%.60s' (%.110s), so what that ends may still run (a pump, a beam). Stop it "
        "at the instrument, then answer the job: `confirm` if all else was done, `retry` or "
        "`cancel`. %s%s",
        failed->name, late.text,
        status == LF_OK ? "All else was done" : "Before that: ", status == LF_OK ? "" : first.text);
}

/* A command of class once makes an unknown outcome of any failure that follows it. */
static enum lf_status judge_walk(const struct procedure_run *run, enum lf_status status, struct lf_error *err)
{
    if (status == LF_OK || !run->done_once || err->class == LF_UNKNOWN_OUTCOME)
        return status;
    err->class = LF_UNKNOWN_OUTCOME;
    return lf_error_prefix(err, "'%s' was done, but what follows failed", run->done_once);
}

enum lf_status line__procedure_run(struct lf_line_dialogue *dialogue,
                                   const struct lf_line_procedure *procedure,
                                   const struct lf_line_input_set *inputs,
                                   void (*progress)(void *self, const char *text), void *self,
                                   struct lf_outcome *result, bool *unfinished, struct lf_error *err)
{
    struct lf_line_input_set all = *inputs;
    all.fixed = dialogue->fixed;
    struct procedure_run run = {.dialogue = dialogue,
                                .procedure = procedure,
                                .inputs = &all,
                                .progress = progress,
                                .self = self,
                                .deadline = lf_deadline_in(procedure->limit_ms)};
    *unfinished = false;
    dialogue->expecting = false;
    run.steps = calloc(procedure->step_count, sizeof *run.steps);
    if (!run.steps)
        return lf_fail_memory(err, "running a procedure");
    enum lf_status status = judge_walk(&run, walk(&run, result, err), err);
    free_steps(&run);
    if (run.begun && procedure->final_count)
        status = end_in_any_case(&run, status, unfinished, err);
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "procedure '%s'", procedure->name);
}
