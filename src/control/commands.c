/* MQTT commands: stored, performed in order by one worker, answered through the outbox.
 *
 * Each is a row in the journal: accepted -> running -> finished (atomic verbs: accepted -> finished), or
 * finished at once when it is refused. A row and the answer that goes with it are written in one
 * transaction, so after a crash at any moment the row says what may still be done. lf_commands_take runs on
 * the link's thread, everything else on the worker "commands".
 */
#include "control/commands.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "config/config.h"
#include "control/answer.h"
#include "control/perform.h"
#include "journal/concern.h"
#include "os/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_MS = 5000,         /* the journal cannot store */
    ANSWER_MAX = 120 * 1024, /* bytes of an answer: some brokers take 128 KiB */
    WHO_ROOM = 200,
    REUSED_RECORDED = 1000, /* of those in one run of the agent; they leave no row that could be bounded */
};

struct lf_commands {
    struct lf_context *context;
    struct lf_worker worker;
    atomic_llong refused; /* because too many were waiting */
    atomic_llong reused;  /* because of an id that was used for another command */
};

/* ---- answers ---- */

/* Returns owned; NULL when out of memory. */
static char *make_answer(const struct lf_command_row *row, enum lf_verb_state state, const cJSON *result,
                         const struct lf_error *why)
{
    cJSON *answer = cJSON_CreateObject();
    bool ok = lf_json_set_text(answer, "id", row->id) && lf_json_set_text(answer, "verb", row->verb)
              && lf_json_set_text(answer, "state", control__state_name(state))
              && lf_json_set_time(answer, "at", lf_clock_wall_ms())
              && (!why || lf_json_set(answer, "error", control__answer_error(why)))
              && (!result || lf_json_set(answer, "result", cJSON_Duplicate(result, true)));
    char *text = ok ? control__answer_print(answer) : NULL;
    cJSON_Delete(answer);
    return text;
}

static enum lf_status queue_text(struct lf_commands *commands, const struct lf_command_row *row,
                                 const char *answer, struct lf_error *err)
{
    if (!answer)
        return lf_fail_memory(err, "answering a command");
    if (commands->context->outbox)
        lf_outbox_kick(commands->context->outbox);
    return lf_journal_outbox_add_reply(commands->context->journal, row->reply, answer, row->correlation, err);
}

static enum lf_status queue_answer(struct lf_commands *commands, const struct lf_command_row *row,
                                   enum lf_verb_state state, const struct lf_error *why, struct lf_error *err)
{
    char *answer = make_answer(row, state, NULL, why);
    enum lf_status status = queue_text(commands, row, answer, err);
    free(answer);
    return status;
}

/* Args that are missing are an empty object. */
static enum lf_status parse_args(const struct lf_command_row *row, cJSON **args, struct lf_error *err)
{
    *args = NULL;
    return lf_json_parse(lf_slice_text(row->args ? row->args : "{}"), args, err);
}

/* "mqtt:maria (ID)", or "mqtt:ID" when the message names nobody. */
static const char *sender(const struct lf_command_row *row, char room[WHO_ROOM])
{
    if (row->who)
        snprintf(room, WHO_ROOM, "mqtt:%s (%.80s)", row->who, row->id);
    else
        snprintf(room, WHO_ROOM, "mqtt:%.80s", row->id);
    return room;
}

/* What lf_verb_perform does not record: a command was accepted, or is refused without being performed. */
static enum lf_status audit_command(struct lf_commands *commands, const struct lf_command_row *row,
                                    const struct lf_error *refusal, struct lf_error *err)
{
    const struct lf_verb *verb = lf_verb_find(row->verb);
    cJSON *args = NULL;
    char who[WHO_ROOM];
    if (verb && !(verb->flags & LF_VERB_CHANGES))
        return LF_OK;
    if (parse_args(row, &args, err) == LF_NO_MEMORY)
        return LF_NO_MEMORY;
    enum lf_status status = control__audit(commands->context->journal, sender(row, who), row->verb, args,
                                           refusal ? LF_VERB_FAILED : LF_VERB_ACCEPTED, refusal, err);
    cJSON_Delete(args);
    return status;
}

/* Then it may be forgotten: were it sent again, nothing would be done twice. */
static bool changed_nothing(const struct lf_command_row *row, const struct lf_error *why)
{
    const struct lf_verb *verb = lf_verb_find(row->verb);
    return !verb || !(verb->flags & LF_VERB_CHANGES) || (why && why->class == LF_PERMANENT);
}

/* Row and answer; why not NULL: failed. Within the caller's transaction. */
static enum lf_status finish(struct lf_commands *commands, struct lf_command_row *row, const cJSON *result,
                             const struct lf_error *why, struct lf_error *err)
{
    enum lf_verb_state state = why ? LF_VERB_FAILED : LF_VERB_SUCCEEDED;
    free(row->answer);
    row->answer = make_answer(row, state, result, why);
    if (row->answer && strlen(row->answer) > ANSWER_MAX) {
        struct lf_error large;
        lf_fail(&large, LF_TOO_LARGE, LF_PERMANENT,
                "the command was performed, but its answer of %zu bytes is too large for MQTT. Ask for less "
                "(\"limit\"), or use the labferry command on the agent's machine",
                strlen(row->answer));
        free(row->answer);
        row->answer = make_answer(row, LF_VERB_FAILED, NULL, &large);
    }
    row->state = changed_nothing(row, why) ? LF_COMMAND_DISMISSED : LF_COMMAND_FINISHED;
    enum lf_status status = queue_text(commands, row, row->answer, err);
    if (status == LF_OK)
        status = row->seq ? lf_journal_command_save(commands->context->journal, row, err)
                          : lf_journal_command_add(commands->context->journal, row, err);
    if (status == LF_OK)
        lf_log(why ? LF_LOG_WARNING : LF_LOG_INFO, "commands", "%.128s (%s) %s%s%s", row->id,
               row->verb ? row->verb : "?", control__state_name(state), why ? ": " : "",
               why ? why->text : "");
    return status;
}

static enum lf_status refuse(struct lf_commands *commands, struct lf_command_row *row,
                             const struct lf_error *why, struct lf_error *err)
{
    enum lf_status status = audit_command(commands, row, why, err);
    return status == LF_OK ? finish(commands, row, NULL, why, err) : status;
}

/* ---- accepting ---- */

/* Nothing is stored: a row of the same id stays as it is. */
static enum lf_status refuse_unstored(struct lf_commands *commands, const struct lf_command_row *row,
                                      const struct lf_error *why, struct lf_error *err)
{
    lf_log_warning("commands", "%.128s (%s) refused: %s", row->id, row->verb ? row->verb : "?", why->text);
    return queue_answer(commands, row, LF_VERB_FAILED, why, err);
}

/* Do both ask for the same thing? The order of the arguments and the time of expiry do not count. Arguments
 * that are damaged in the journal differ from all others: an error would block the batch of this command. */
static enum lf_status compare(const struct lf_command_row *known, const struct lf_command_row *again,
                              bool *same, struct lf_error *err)
{
    cJSON *before = NULL, *now = NULL;
    enum lf_status status = parse_args(known, &before, err);
    if (status != LF_NO_MEMORY)
        status = parse_args(again, &now, err);
    *same = !strcmp(known->verb ? known->verb : "", again->verb ? again->verb : "")
            && cJSON_Compare(before, now, true);
    cJSON_Delete(before);
    cJSON_Delete(now);
    return status == LF_NO_MEMORY ? status : LF_OK;
}

static enum lf_status refuse_used_id(struct lf_commands *commands, const struct lf_command_row *row,
                                     struct lf_error *err)
{
    struct lf_error used;
    lf_fail(&used, LF_EXISTS, LF_PERMANENT,
            "this id was used for another command, so this one was not accepted. Give every command an id of "
            "its own");
    enum lf_status status = atomic_fetch_add(&commands->reused, 1) < REUSED_RECORDED
                                ? audit_command(commands, row, &used, err)
                                : LF_OK;
    return status == LF_OK ? refuse_unstored(commands, row, &used, err) : status;
}

/* A known id: answers with its outcome, or from now on to where it was asked for last. */
static enum lf_status repeat(struct lf_commands *commands, struct lf_command_row *known,
                             struct lf_command_row *again, struct lf_error *err)
{
    bool same;
    enum lf_status status = compare(known, again, &same, err);
    if (status != LF_OK)
        return status;
    if (!same)
        return refuse_used_id(commands, again, err);
    free(known->reply);
    free((char *)known->correlation.data);
    known->reply = again->reply;
    known->correlation = again->correlation;
    again->reply = NULL;
    again->correlation = (struct lf_slice){0};
    if (known->state >= LF_COMMAND_FINISHED)
        return queue_text(commands, known, known->answer, err);
    status = lf_journal_command_save(commands->context->journal, known, err);
    return status == LF_OK
               ? queue_answer(commands, known,
                              known->state == LF_COMMAND_RUNNING ? LF_VERB_RUNNING : LF_VERB_ACCEPTED, NULL,
                              err)
               : status;
}

static int64_t max_waiting(void)
{
    return LF_LIMIT("LF_COMMANDS_MAX", LF_COMMANDS_MAX);
}

/* The same id may come again when there is room. */
static enum lf_status refuse_when_full(struct lf_commands *commands, const struct lf_command_row *row,
                                       struct lf_error *err)
{
    struct lf_error full;
    lf_fail(&full, LF_FULL, LF_TRANSIENT,
            "%lld commands are already waiting: this one was not accepted. Send it again later",
            (long long)max_waiting());
    atomic_fetch_add(&commands->refused, 1);
    return refuse_unstored(commands, row, &full, err);
}

static void kick_worker(void *worker, int64_t number, const char *text)
{
    (void)number, (void)text;
    lf_worker_kick(worker);
}

static enum lf_status accept_new(struct lf_commands *commands, struct lf_command_row *row,
                                 const struct lf_error *refusal, struct lf_error *err)
{
    struct lf_error expired;
    if (!refusal && control__command_expired(row)) {
        control__command_fail_expired(&expired, "already expired on arrival");
        refusal = &expired;
    }
    if (refusal)
        return refuse(commands, row, refusal, err);
    if (lf_journal_command_count(commands->context->journal, LF_COMMAND_ACCEPTED) >= max_waiting())
        return refuse_when_full(commands, row, err);
    row->state = LF_COMMAND_ACCEPTED;
    lf_journal_after_commit(commands->context->journal, kick_worker, &commands->worker, 0, NULL);
    enum lf_status status = lf_journal_command_add(commands->context->journal, row, err);
    if (status == LF_OK)
        status = audit_command(commands, row, NULL, err);
    return status == LF_OK ? queue_answer(commands, row, LF_VERB_ACCEPTED, NULL, err) : status;
}

/* For whom nobody waits at a reply topic: people see it in `needs`. */
static enum lf_status tell_people(struct lf_commands *commands, const char *about, const char *text,
                                  const char *todo, struct lf_error *err)
{
    struct lf_concern concern = {.source = "commands", .about = about, .text = text, .todo = todo};
    lf_log_warning("commands", "%s", text);
    return lf_journal_concern(commands->context->journal, &concern, err);
}

/* Without an id nothing is stored; the sender gets an answer if there is a response topic. */
static enum lf_status refuse_nameless(struct lf_commands *commands, const struct lf_command_row *row,
                                      const struct lf_error *refusal, struct lf_error *err)
{
    char text[LF_ERROR_TEXT + 80];
    snprintf(text, sizeof text, "a message on the command topic is not a command: %s", refusal->text);
    if (!row->reply)
        return tell_people(commands, "not a command", text,
                           "correct the program that sent it (labferry help mqtt)", err);
    lf_log_warning("commands", "%s", text);
    return queue_answer(commands, row, LF_VERB_FAILED, refusal, err);
}

static enum lf_status ignore_retained(struct lf_commands *commands, const char *topic, struct lf_error *err)
{
    char text[400];
    snprintf(text, sizeof text, "a retained message on %.300s is ignored: commands must not be retained",
             topic);
    return tell_people(commands, "retained", text,
                       "remove it with an empty retained message, and correct the program that sent it", err);
}

enum lf_status lf_commands_take(struct lf_commands *commands, const struct lf_message *message,
                                struct lf_error *err)
{
    struct lf_command_row row, known;
    struct lf_error refusal = {0};
    if (message->retained)
        return ignore_retained(commands, message->topic, err);
    if (!message->payload.len && !message->too_large)
        return LF_OK; /* somebody removes a retained message */
    enum lf_status status = control__command_read(message, commands->context->config->link.base, &row,
                                                  &refusal);
    bool bad = status != LF_OK;
    if (status == LF_NO_MEMORY) {
        *err = refusal;
    } else if (!row.id) {
        status = refuse_nameless(commands, &row, &refusal, err);
    } else {
        status = lf_journal_command_get(commands->context->journal, row.id, &known, err);
        if (status == LF_OK) {
            status = repeat(commands, &known, &row, err);
            lf_command_row_free(&known);
        } else if (status == LF_NOT_FOUND) {
            status = accept_new(commands, &row, bad ? &refusal : NULL, err);
        }
    }
    lf_command_row_free(&row);
    return status;
}

int64_t lf_commands_refused(struct lf_commands *commands)
{
    return atomic_load(&commands->refused);
}

/* ---- performing ---- */

struct performing {
    struct lf_commands *commands;
    struct lf_command_row *row;
    bool atomic;
};

/* The state in the row and the answer. An atomic verb has no running row: it is undone or done. */
static enum lf_status record_state(void *context, enum lf_verb_state state, const cJSON *result,
                                   const struct lf_error *why, struct lf_error *err)
{
    const struct performing *performing = context;
    struct lf_commands *commands = performing->commands;
    struct lf_command_row *row = performing->row;
    if (state != LF_VERB_RUNNING)
        return finish(commands, row, result, why, err);
    if (!performing->atomic) {
        row->state = LF_COMMAND_RUNNING;
        enum lf_status status = lf_journal_command_save(commands->context->journal, row, err);
        if (status != LF_OK)
            return status;
    }
    return queue_answer(commands, row, state, NULL, err);
}

static enum lf_status commit_refusal(struct lf_commands *commands, struct lf_command_row *row,
                                     const struct lf_error *why, struct lf_error *err)
{
    struct lf_journal *journal = commands->context->journal;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    return lf_journal_end(journal, refuse(commands, row, why, err), err);
}

/* An error means that the command is still waiting. */
static enum lf_status perform_row(struct lf_commands *commands, struct lf_command_row *row,
                                  struct lf_error *err)
{
    const struct lf_verb *verb = lf_verb_find(row->verb);
    struct performing performing = {commands, row, verb && verb->flags & LF_VERB_ATOMIC};
    cJSON *args = NULL, *result = NULL;
    char who[WHO_ROOM];
    bool settled;
    if (control__command_expired(row)) {
        struct lf_error why;
        control__command_fail_expired(&why, "expired while queued");
        return commit_refusal(commands, row, &why, err);
    }
    enum lf_status status = parse_args(row, &args, err);
    if (status != LF_OK)
        return status == LF_NO_MEMORY ? status : commit_refusal(commands, row, err, err);
    struct lf_verb_request request = {.verb = row->verb,
                                      .args = args,
                                      .who = sender(row, who),
                                      .record = record_state,
                                      .context = &performing,
                                      .cancel = &commands->worker.cancel};
    status = lf_verb_perform(commands->context, &request, &settled, &result, err);
    cJSON_Delete(result);
    cJSON_Delete(args);
    return settled ? LF_OK : status;
}

/* Performs the next command; returns when to be called again. */
static int64_t perform_next(void *context)
{
    struct lf_commands *commands = context;
    struct lf_command_row row;
    struct lf_error err = {0};
    enum lf_status status = lf_journal_command_next(commands->context->journal, LF_COMMAND_ACCEPTED, &row,
                                                    &err);
    if (status == LF_NOT_FOUND)
        return LF_NEVER;
    if (status == LF_OK) {
        status = perform_row(commands, &row, &err);
        lf_command_row_free(&row);
    }
    if (status == LF_OK)
        return 0;
    lf_log_error("commands", "cannot perform commands, trying again: %s", err.text);
    return lf_deadline_in(RETRY_MS);
}

/* ---- opening and closing ---- */

/* A command that a crash interrupted: looking can be repeated, acting cannot. */
static enum lf_status recover_one(struct lf_commands *commands, struct lf_command_row *row,
                                  struct lf_error *err)
{
    const struct lf_verb *verb = lf_verb_find(row->verb);
    if (verb && !(verb->flags & LF_VERB_CHANGES)) {
        row->state = LF_COMMAND_ACCEPTED;
        return lf_journal_command_save(commands->context->journal, row, err);
    }
    struct lf_error why;
    lf_fail(&why, LF_CANCELLED, LF_UNKNOWN_OUTCOME,
            "the agent stopped while it performed this command. It is not known whether it was done, and it "
            "will not be retried. Check the instrument, and send a new command if it is still needed");
    return refuse(commands, row, &why, err);
}

static enum lf_status recover(struct lf_commands *commands, struct lf_error *err)
{
    struct lf_journal *journal = commands->context->journal;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    for (struct lf_command_row row; status == LF_OK;) {
        status = lf_journal_command_next(journal, LF_COMMAND_RUNNING, &row, err);
        if (status == LF_OK) {
            status = recover_one(commands, &row, err);
            lf_command_row_free(&row);
        }
    }
    return lf_journal_end(journal, status == LF_NOT_FOUND ? LF_OK : status, err);
}

enum lf_status lf_commands_open(struct lf_context *context, struct lf_commands **out, struct lf_error *err)
{
    struct lf_commands *commands = calloc(1, sizeof *commands);
    if (!commands)
        return lf_fail_memory(err, "opening commands");
    commands->context = context;
    enum lf_status status = lf_worker_open(&commands->worker, err);
    if (status == LF_OK)
        status = recover(commands, err);
    if (status == LF_OK)
        status = lf_worker_start(&commands->worker, "commands", perform_next, commands, err);
    if (status != LF_OK) {
        lf_commands_close(commands);
        return status;
    }
    *out = commands;
    return LF_OK;
}

void lf_commands_stop(struct lf_commands *commands)
{
    if (!commands)
        return;
    lf_worker_stop(&commands->worker);
    lf_worker_join(&commands->worker);
}

void lf_commands_close(struct lf_commands *commands)
{
    if (commands)
        lf_worker_close(&commands->worker);
    free(commands);
}
