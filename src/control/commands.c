/* MQTT commands: stored, performed in order by one thread, answered through the outbox.
 *
 * Each is a row in the journal: accepted -> running -> finished (atomic verbs: accepted -> finished), or
 * finished at once when it is refused. The row and the answer that goes with it are written in one
 * transaction, so that a kill at any moment leaves a row that says what may still be done with it.
 * lf_commands_take runs on the link's thread, all else on the thread "commands".
 */
#include "control/commands.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "control/answer.h"
#include "control/command_audit.h"
#include "os/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TROUBLE_WAIT_MS = 5000,  /* the journal cannot store */
    ANSWER_MAX = 120 * 1024, /* bytes of an answer: some brokers take 128 KiB */
};

struct lf_commands {
    struct lf_context *context;
    struct lf_cancel cancel;
    struct lf_thread thread;
    bool started;
    struct lf_mutex mutex; /* guards the rest */
    struct lf_cond changed;
    bool kicked, stopping;
    int64_t refused; /* because too many waited */
};

/* ---- answers ---- */

/* Takes result. Returns owned; NULL when out of memory. */
static char *make_answer(const struct lf_command_row *row, const char *state, cJSON *result,
                         const struct lf_error *err)
{
    char at[LF_TIME_TEXT];
    cJSON *answer = cJSON_CreateObject();
    lf_time_format(lf_clock_wall_ms(), at);
    bool good = answer && lf_json_set_text(answer, "id", row->id)
                && lf_json_set_text(answer, "verb", row->verb) && lf_json_set_text(answer, "state", state)
                && lf_json_set_text(answer, "at", at)
                && (!err || lf_json_set(answer, "error", control__answer_error(err)));
    if (result)
        good = lf_json_set(answer, "result", result) && good;
    char *text = good ? control__answer_print(answer) : NULL;
    cJSON_Delete(answer);
    return text;
}

static enum lf_status queue(struct lf_commands *commands, const struct lf_command_row *row,
                            const char *answer, struct lf_error *err)
{
    if (!answer)
        return lf_fail_memory(err, "answering a command");
    return lf_journal_outbox_add_reply(commands->context->journal, row->reply, answer, row->correlation, err);
}

static enum lf_status queue_state(struct lf_commands *commands, const struct lf_command_row *row,
                                  const char *state, struct lf_error *err)
{
    char *answer = make_answer(row, state, NULL, NULL);
    enum lf_status status = queue(commands, row, answer, err);
    free(answer);
    return status;
}

/* In the audit trail, if it changes anything or is none of ours. Within the caller's transaction. */
static enum lf_status record(struct lf_commands *commands, const struct lf_command_row *row,
                             const char *outcome, const struct lf_error *why, struct lf_error *err)
{
    const struct lf_verb *verb = lf_verb_find(row->verb);
    cJSON *args = NULL;
    char who[100];
    if (verb && !verb->changes)
        return LF_OK;
    if (row->args && lf_json_parse(lf_slice_text(row->args), &args, err) == LF_NO_MEMORY)
        return LF_NO_MEMORY;
    snprintf(who, sizeof who, "mqtt:%.80s", row->id);
    enum lf_status status = control__audit_command(commands->context->journal, who, row->verb, args, outcome,
                                                   why, err);
    cJSON_Delete(args);
    return status;
}

/* The verdict: row and answer. `why` not NULL: failed. Takes result. Within the caller's transaction. */
static enum lf_status finish(struct lf_commands *commands, struct lf_command_row *row, cJSON *result,
                             const struct lf_error *why, struct lf_error *err)
{
    free(row->answer);
    row->answer = make_answer(row, why ? "failed" : "succeeded", result, why);
    if (row->answer && strlen(row->answer) > ANSWER_MAX) {
        struct lf_error large;
        lf_fail(&large, LF_TOO_LARGE, LF_PERMANENT,
                "it was done, but its answer of %zu bytes is too large for MQTT. Ask for "
                "less (\"limit\"), or use the labferry command on the agent's machine",
                strlen(row->answer));
        free(row->answer);
        row->answer = make_answer(row, "failed", NULL, &large);
    }
    row->state = LF_COMMAND_FINISHED;
    enum lf_status status = queue(commands, row, row->answer, err);
    if (status == LF_OK)
        status = record(commands, row, why ? "failed" : "succeeded", why, err);
    if (status != LF_OK)
        return status;
    status = row->seq ? lf_journal_command_save(commands->context->journal, row, err)
                      : lf_journal_command_add(commands->context->journal, row, err);
    if (status == LF_OK)
        lf_log(why ? LF_LOG_WARNING : LF_LOG_INFO, "commands", "%.128s (%s) %s%s%s", row->id,
               row->verb ? row->verb : "?", why ? "failed" : "succeeded", why ? ": " : "",
               why ? why->text : "");
    return status;
}

/* ---- taking them in ---- */

/* The id is known: what is to be said about it? */
static enum lf_status repeat(struct lf_commands *commands, struct lf_command_row *known,
                             struct lf_command_row *again, struct lf_error *err)
{
    static const char *const states[] =
        {[LF_COMMAND_ACCEPTED] = "accepted", [LF_COMMAND_RUNNING] = "running"};
    free(known->reply);
    free((char *)known->correlation.data);
    known->reply = again->reply;
    known->correlation = again->correlation;
    again->reply = NULL;
    again->correlation = (struct lf_slice){0};
    if (known->state == LF_COMMAND_FINISHED)
        return queue(commands, known, known->answer, err);
    enum lf_status status = lf_journal_command_save(commands->context->journal, known, err);
    return status == LF_OK ? queue_state(commands, known, states[known->state], err) : status;
}

/* Not stored: the same id may come again when there is room. */
static enum lf_status refuse_for_now(struct lf_commands *commands, const struct lf_command_row *row,
                                     struct lf_error *err)
{
    struct lf_error full;
    lf_fail(&full, LF_FULL, LF_TRANSIENT,
            "%d commands wait to be done already (link.commands_max): it is not taken. Send it again later",
            commands->context->config->link.commands_max);
    lf_log_warning("commands", "%.128s (%s) is refused: %s", row->id, row->verb, full.text);
    lf_mutex_lock(&commands->mutex);
    commands->refused++;
    lf_mutex_unlock(&commands->mutex);
    char *answer = make_answer(row, "failed", NULL, &full);
    enum lf_status status = queue(commands, row, answer, err);
    free(answer);
    return status;
}

static enum lf_status take_new(struct lf_commands *commands, struct lf_command_row *row,
                               const struct lf_error *refusal, struct lf_error *err)
{
    struct lf_error expired;
    if (!refusal && control__command_expired(row)) {
        control__command_fail_expired(&expired, "it came after the time that it names");
        refusal = &expired;
    }
    if (refusal)
        return finish(commands, row, NULL, refusal, err);
    int max = commands->context->config->link.commands_max;
    if (max && lf_journal_command_count(commands->context->journal, LF_COMMAND_ACCEPTED) >= max)
        return refuse_for_now(commands, row, err);
    row->state = LF_COMMAND_ACCEPTED;
    enum lf_status status = lf_journal_command_add(commands->context->journal, row, err);
    if (status == LF_OK)
        status = record(commands, row, "accepted", NULL, err);
    return status == LF_OK ? queue_state(commands, row, "accepted", err) : status;
}

/* Without an id nothing is stored; who sent it is told if that is possible. */
static enum lf_status take_nameless(struct lf_commands *commands, const struct lf_command_row *row,
                                    const struct lf_error *refusal, struct lf_error *err)
{
    lf_log_warning("commands", "what came is no command: %s", refusal->text);
    if (!row->reply)
        return LF_OK;
    char *answer = make_answer(row, "failed", NULL, refusal);
    enum lf_status status = queue(commands, row, answer, err);
    free(answer);
    return status;
}

enum lf_status lf_commands_take(struct lf_commands *commands, const struct lf_message *message,
                                struct lf_error *err)
{
    struct lf_command_row row, known;
    struct lf_error refusal = {0};
    if (message->retained) {
        lf_log_warning(
            "commands",
            "a retained message on %s is ignored: commands must not be retained. Remove it with an empty "
            "retained message",
            message->topic);
        return LF_OK;
    }
    enum lf_status status = control__command_read(message, commands->context->config->link.base, &row,
                                                  &refusal);
    bool bad = status != LF_OK;
    if (status == LF_NO_MEMORY && err)
        *err = refusal;
    else if (!row.id)
        status = take_nameless(commands, &row, &refusal, err);
    else {
        status = lf_journal_command_get(commands->context->journal, row.id, &known, err);
        if (status == LF_OK) {
            status = repeat(commands, &known, &row, err);
            lf_command_row_free(&known);
        } else if (status == LF_NOT_FOUND)
            status = take_new(commands, &row, bad ? &refusal : NULL, err);
    }
    lf_command_row_free(&row);
    return status;
}

int64_t lf_commands_refused(struct lf_commands *commands)
{
    lf_mutex_lock(&commands->mutex);
    int64_t refused = commands->refused;
    lf_mutex_unlock(&commands->mutex);
    return refused;
}

/* ---- performing ---- */

static enum lf_status call_verb(struct lf_commands *commands, const struct lf_command_row *row,
                                cJSON **result, struct lf_error *err)
{
    cJSON *args = NULL;
    char who[100];
    snprintf(who, sizeof who, "mqtt:%.80s", row->id);
    *result = NULL;
    enum lf_status status = row->args ? lf_json_parse(lf_slice_text(row->args), &args, err) : LF_OK;
    struct lf_request_to_verb request = {.verb = row->verb, .args = args, .who = who};
    if (status == LF_OK)
        status = lf_verb_perform(commands->context, &request, result, err);
    cJSON_Delete(args);
    return status;
}

/* One transaction with the verdict (why NULL: succeeded). Takes result. */
static enum lf_status commit_verdict(struct lf_commands *commands, struct lf_command_row *row, cJSON *result,
                                     const struct lf_error *why, struct lf_error *err)
{
    struct lf_journal *journal = commands->context->journal;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK) {
        cJSON_Delete(result);
        return status;
    }
    status = finish(commands, row, result, why, err);
    if (status == LF_OK)
        return lf_journal_commit(journal, err);
    lf_journal_rollback(journal);
    return status;
}

/* Action and verdict in one transaction. If the verb fails, what it wrote is undone and the verdict stands
 * alone. */
static enum lf_status perform_atomic(struct lf_commands *commands, struct lf_command_row *row,
                                     struct lf_error *err)
{
    struct lf_journal *journal = commands->context->journal;
    struct lf_error why = {0};
    cJSON *result;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = queue_state(commands, row, "running", err);
    if (status == LF_OK) {
        enum lf_status outcome = call_verb(commands, row, &result, &why);
        if (outcome != LF_OK) {
            lf_journal_rollback(journal);
            return commit_verdict(commands, row, NULL, &why, err);
        }
        status = finish(commands, row, result, NULL, err);
    }
    if (status == LF_OK)
        return lf_journal_commit(journal, err);
    lf_journal_rollback(journal);
    return status;
}

static enum lf_status commit_running(struct lf_commands *commands, struct lf_command_row *row,
                                     struct lf_error *err)
{
    struct lf_journal *journal = commands->context->journal;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    row->state = LF_COMMAND_RUNNING;
    status = lf_journal_command_save(journal, row, err);
    if (status == LF_OK)
        status = record(commands, row, "begun", NULL, err);
    if (status == LF_OK)
        status = queue_state(commands, row, "running", err);
    if (status == LF_OK)
        return lf_journal_commit(journal, err);
    lf_journal_rollback(journal);
    return status;
}

static void told(struct lf_commands *commands)
{
    if (commands->context->outbox)
        lf_outbox_kick(commands->context->outbox);
}

/* The same; borrows result. */
static enum lf_status commit_copy(struct lf_commands *commands, struct lf_command_row *row,
                                  const cJSON *result, const struct lf_error *why, struct lf_error *err)
{
    cJSON *copy = result ? cJSON_Duplicate(result, true) : NULL;
    if (result && !copy)
        return lf_fail_memory(err, "telling what came of a command");
    return commit_verdict(commands, row, copy, why, err);
}

/* What has been done must be told, however long the journal is in trouble: until we stop, and then it is
 * unknown. */
static void settle(struct lf_commands *commands, struct lf_command_row *row, cJSON *result,
                   const struct lf_error *why)
{
    struct lf_error err;
    while (commit_copy(commands, row, result, why, &err) != LF_OK) {
        lf_log_error("commands", "the answer to %.128s cannot be stored yet: %s", row->id, err.text);
        if (lf_sleep_until(lf_deadline_in(TROUBLE_WAIT_MS), &commands->cancel) != LF_OK)
            break;
    }
    cJSON_Delete(result);
}

static enum lf_status perform_openly(struct lf_commands *commands, struct lf_command_row *row,
                                     struct lf_error *err)
{
    struct lf_error why = {0};
    cJSON *result;
    enum lf_status status = commit_running(commands, row, err);
    if (status != LF_OK)
        return status;
    told(commands);
    enum lf_status outcome = call_verb(commands, row, &result, &why);
    settle(commands, row, result, outcome == LF_OK ? NULL : &why);
    return LF_OK;
}

static enum lf_status perform(struct lf_commands *commands, struct lf_command_row *row, struct lf_error *err)
{
    const struct lf_verb *verb = lf_verb_find(row->verb);
    struct lf_error why = {0};
    if (control__command_expired(row)) {
        control__command_fail_expired(&why, "its time passed before its turn came");
        return commit_verdict(commands, row, NULL, &why, err);
    }
    return verb && verb->atomic ? perform_atomic(commands, row, err) : perform_openly(commands, row, err);
}

/* False: nothing is left to do; true with *trouble: try again later. */
static bool perform_next(struct lf_commands *commands, bool *trouble)
{
    struct lf_command_row row;
    struct lf_error err = {0};
    enum lf_status status = lf_journal_command_next(commands->context->journal, LF_COMMAND_ACCEPTED, &row,
                                                    &err);
    *trouble = false;
    if (status == LF_NOT_FOUND)
        return false;
    if (status == LF_OK) {
        status = perform(commands, &row, &err);
        lf_command_row_free(&row);
        told(commands);
    }
    if (status != LF_OK) {
        lf_log_error("commands", "commands wait: %s", err.text);
        *trouble = true;
    }
    return true;
}

static void *run(void *arg)
{
    struct lf_commands *commands = arg;
    for (;;) {
        bool trouble, more = perform_next(commands, &trouble);
        lf_mutex_lock(&commands->mutex);
        int64_t until = trouble ? lf_deadline_in(TROUBLE_WAIT_MS) : LF_NEVER;
        while ((!more || trouble) && !commands->stopping && (trouble || !commands->kicked)
               && lf_cond_wait(&commands->changed, &commands->mutex, until))
            ;
        commands->kicked = false;
        bool stop = commands->stopping;
        lf_mutex_unlock(&commands->mutex);
        if (stop)
            return NULL;
    }
}

/* ---- opening and closing ---- */

/* What a crash left running: looking can be repeated, acting cannot. */
static enum lf_status recover_one(struct lf_commands *commands, struct lf_command_row *row,
                                  struct lf_error *err)
{
    const struct lf_verb *verb = lf_verb_find(row->verb);
    if (verb && !verb->changes) {
        row->state = LF_COMMAND_ACCEPTED;
        return lf_journal_command_save(commands->context->journal, row, err);
    }
    struct lf_error why;
    lf_fail(&why, LF_CANCELLED, LF_UNKNOWN_OUTCOME,
            "the agent was stopped in the middle of it: whether it was done is not "
            "known, and it is not done again. Look at the instrument, then send a new command if it is still "
            "wanted");
    return finish(commands, row, NULL, &why, err);
}

static enum lf_status recover(struct lf_commands *commands, struct lf_error *err)
{
    struct lf_journal *journal = commands->context->journal;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    for (struct lf_command_row row; status == LF_OK;) {
        status = lf_journal_command_next(journal, LF_COMMAND_RUNNING, &row, err);
        if (status == LF_NOT_FOUND)
            return lf_journal_commit(journal, err);
        if (status == LF_OK) {
            status = recover_one(commands, &row, err);
            lf_command_row_free(&row);
        }
    }
    lf_journal_rollback(journal);
    return status;
}

enum lf_status lf_commands_open(struct lf_context *context, struct lf_commands **out, struct lf_error *err)
{
    struct lf_commands *commands = calloc(1, sizeof *commands);
    if (!commands)
        return lf_fail_memory(err, "opening commands");
    commands->context = context;
    lf_mutex_init(&commands->mutex);
    lf_cond_init(&commands->changed);
    enum lf_status status = lf_cancel_open(&commands->cancel, err);
    if (status == LF_OK)
        status = recover(commands, err);
    if (status == LF_OK)
        status = lf_thread_start(&commands->thread, "commands", run, commands, err);
    commands->started = status == LF_OK;
    if (status != LF_OK) {
        lf_commands_close(commands);
        return status;
    }
    *out = commands;
    return LF_OK;
}

void lf_commands_close(struct lf_commands *commands)
{
    if (!commands)
        return;
    lf_mutex_lock(&commands->mutex);
    commands->stopping = true;
    lf_cond_broadcast(&commands->changed);
    lf_mutex_unlock(&commands->mutex);
    if (commands->started) {
        lf_cancel_set(&commands->cancel);
        lf_thread_join(&commands->thread);
    }
    lf_cancel_close(&commands->cancel);
    lf_cond_destroy(&commands->changed);
    lf_mutex_destroy(&commands->mutex);
    free(commands);
}

static void kick(void *context, int64_t number, const char *text)
{
    (void)number, (void)text;
    struct lf_commands *commands = context;
    lf_mutex_lock(&commands->mutex);
    commands->kicked = true;
    lf_cond_broadcast(&commands->changed);
    lf_mutex_unlock(&commands->mutex);
    told(commands);
}

void lf_commands_go(struct lf_commands *commands)
{
    lf_journal_after_commit(commands->context->journal, kick, commands, 0, NULL);
}
