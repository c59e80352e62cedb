#include "ground.h"

#include "base/clock.h"
#include "journal/audit.h"
#include "journal/concern.h"
#include "link/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPIC "labferry/lab/agents/bench-1/command"
#define RUN(id)                                                                                              \
    "{\"id\": \"" id                                                                                         \
    "\", \"verb\": \"run\", \"args\": {\"instrument\": \"balance-1\", \"procedure\": \"weigh\"}}"

static struct ground ground;
static struct lf_commands *commands;
static int64_t heard; /* sequence number of the last answer that was looked at */

static void open_commands(void)
{
    struct lf_error err = {0};
    ground_open(&ground);
    commands = NULL;
    NEED(lf_commands_open(&ground.context, &commands, &err) == LF_OK);
}

static void close_commands(void)
{
    lf_commands_close(commands);
    ground_close(&ground);
}

static void take(const struct lf_message *message)
{
    struct lf_error err = {0};
    NEED(lf_journal_begin(ground.context.journal, &err) == LF_OK);
    NEED(lf_commands_take(commands, message, &err) == LF_OK);
    NEED(lf_journal_end(ground.context.journal, LF_OK, &err) == LF_OK);
}

static void send_text(const char *text)
{
    struct lf_message message = {.topic = TOPIC, .payload = lf_slice_text(text), .expiry_s = -1};
    take(&message);
}

// The next answer in the outbox (reports of jobs are passed over); waits for it. Returns owned; NULL: none
// came.
static cJSON *answer_on(const char *topic, const char *correlation)
{
    for (int64_t end = lf_deadline_in(UNIT_SOON_MS); !lf_deadline_passed(end);
         lf_sleep_until(lf_deadline_in(5), NULL)) {
        struct lf_outbox_row row;
        while (lf_journal_outbox_next(ground.context.journal, heard, &row, UNIT_ERROR) == LF_OK) {
            heard = row.seq;
            cJSON *json = strstr(row.topic, "/jobs/") || strstr(row.topic, "/instruments/")
                              ? NULL
                              : cJSON_Parse(row.payload);
            if (json) {
                CHECK_STR(row.topic, topic);
                CHECK(lf_slice_is(row.correlation, correlation));
            }
            lf_outbox_row_free(&row);
            if (json)
                return json;
        }
    }
    CHECK(false);
    return NULL;
}

static void expect(const char *topic, const char *correlation, const char *id, const char *state,
                   const char *part)
{
    cJSON *answer = answer_on(topic, correlation);
    CHECK_STR(lf_json_text(answer, "id"), id);
    CHECK_STR(lf_json_text(answer, "state"), state);
    if (part)
        CHECK_HAS(lf_json_text_or(answer, "error.text", ""), part);
    cJSON_Delete(answer);
}

#define REPLY(id) "labferry/lab/agents/bench-1/reply/" id

// Commands are done in order: what came before would be answered before another one.
static void expect_nothing(void)
{
    static const char *const states[] = {"accepted", "running", "succeeded"};
    static int number;
    char id[20], text[80], reply[100];
    snprintf(id, sizeof id, "end-%d", ++number);
    snprintf(text, sizeof text, "{\"id\": \"%s\", \"verb\": \"events\"}", id);
    snprintf(reply, sizeof reply, REPLY("%s"), id);
    send_text(text);
    for (int i = 0; i < 3; i++)
        expect(reply, "", id, states[i], NULL);
}

static void three_answers(void)
{
    heard = 0;
    open_commands();
    struct lf_message message = {.topic = TOPIC,
                                 .payload = lf_slice_text(RUN("c1")),
                                 .expiry_s = 60,
                                 .response_topic = "me/answers",
                                 .correlation = {"\0\1x", 3}};
    take(&message);
    static const char *const states[] = {"accepted", "running", "succeeded"};
    for (int i = 0; i < 3; i++) {
        struct lf_outbox_row row = {0};
        int64_t end = lf_deadline_in(UNIT_SOON_MS);
        while (!row.topic || strstr(row.topic, "/jobs/")) {
            lf_outbox_row_free(&row);
            while (lf_journal_outbox_next(ground.context.journal, heard, &row, UNIT_ERROR) != LF_OK) {
                NEED(!lf_deadline_passed(end));
                lf_sleep_until(lf_deadline_in(5), NULL);
            }
            heard = row.seq;
        }
        cJSON *answer = cJSON_Parse(row.payload);
        CHECK_STR(row.topic, "me/answers");
        CHECK_BYTES(row.correlation.data, row.correlation.len, "\0\1x", 3);
        CHECK_STR(lf_json_text(answer, "state"), states[i]);
        CHECK_STR(lf_json_text(answer, "id"), "c1");
        if (i == 2)
            CHECK_STR(lf_json_text(answer, "result.instrument"), "balance-1");
        cJSON_Delete(answer);
        lf_outbox_row_free(&row);
    }
    CHECK_INT(ground_jobs(&ground), 1);
    close_commands();
}

static void count_who(void *context, const struct lf_audit_entry *entry)
{
    const char *const *who = context;
    CHECK_STR(entry->who, *who);
}

static void names_who_asks(void)
{
    static const struct {
        const char *user, *who;
    } rows[] = {
        {NULL, "mqtt:c0"},
        {"", "mqtt:c1"},
        {"Maria Sk\xc5\x82odowska", "mqtt:Maria Sk\xc5\x82odowska (c2)"},
        {"agent\n(c9)\x1b[2J", "mqtt:agent__c9___2J (c3)"},
        {"\xe2\x80\xae"
         "root\xff",
         "mqtt:___root_ (c4)"},
        {"0123456789012345678901234567890123456789012345678901234567890123456789",
         "mqtt:0123456789012345678901234567890123456789012345678901234567890123 (c5)"},
        {"max\xd8\x9c", "mqtt:max__ (c6)"},           // U+061C
        {"max\xf3\xa0\x81\xa1", "mqtt:max____ (c7)"}, // U+E0061
        {"\xe5\xbc\xa0\xe4\xb8\x89", "mqtt:\xe5\xbc\xa0\xe4\xb8\x89 (c8)"},
    };
    heard = 0;
    open_commands();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "{\"id\": \"c%zu\", \"verb\": \"pause\", \"args\": {\"instrument\": \"balance-1\"}}", i);
        struct lf_message message = {.topic = TOPIC,
                                     .payload = lf_slice_text(text),
                                     .expiry_s = -1,
                                     .user = rows[i].user};
        struct lf_audit_head head;
        NEED(lf_journal_audit_head(ground.context.journal, &head, UNIT_ERROR) == LF_OK);
        struct lf_audit_filter newer = {.what = "command", .from = head.seq + 1, .limit = 10};
        take(&message);
        char reply[100], id[] = {'c', (char)('0' + i), '\0'};
        snprintf(reply, sizeof reply, REPLY("%s"), id);
        expect(reply, "", id, "accepted", NULL);
        expect(reply, "", id, "running", NULL);
        expect(reply, "", id, "succeeded", NULL);
        const char *who = rows[i].who;
        CHECK_INT(lf_journal_audit_list(ground.context.journal, &newer, count_who, &who, UNIT_ERROR), LF_OK);
    }
    close_commands();
}

static void once_whatever_happens(void)
{
    heard = 0;
    open_commands();
    send_text(RUN("c1"));
    expect(REPLY("c1"), "", "c1", "accepted", NULL);
    expect(REPLY("c1"), "", "c1", "running", NULL);
    expect(REPLY("c1"), "", "c1", "succeeded", NULL);
    send_text(RUN("c1"));
    expect(REPLY("c1"), "", "c1", "succeeded", NULL);
    close_commands();
    open_commands();
    struct lf_message message = {.topic = TOPIC,
                                 .payload = lf_slice_text(RUN("c1")),
                                 .expiry_s = -1,
                                 .response_topic = "elsewhere",
                                 .correlation = {"abc", 3}};
    take(&message);
    expect("elsewhere", "abc", "c1", "succeeded", NULL);
    expect_nothing();
    CHECK_INT(ground_jobs(&ground), 1);
    close_commands();
}

static void refused_with_what_would_be_right(void)
{
    heard = 0;
    open_commands();
    send_text("{\"id\": \"a\", \"verb\": \"runn\"}");
    expect(REPLY("a"), "", "a", "failed", "did you mean \"run\"");
    static const char *const twice[] = {
        "{\"id\": \"t0\", \"verb\": \"jobs\", \"verb\": \"run\"}",
        "{\"id\": \"t1\", \"verb\": \"retry\", \"args\": {\"job\": 1, \"job\": 2}}",
        "{\"id\": \"t2\", \"verb\": \"confirm\", \"args\": {\"job\": 1, \"values\": {\"a\": \"1\", \"a\": \"2\"}}}",
    };
    for (int i = 0; i < 3; i++) {
        char id[] = {'t', (char)('0' + i), '\0'}, reply[100];
        snprintf(reply, sizeof reply, REPLY("%s"), id);
        send_text(twice[i]);
        expect(reply, "", id, "failed", i ? "given twice" : "two members \"verb\"");
    }
    send_text("{\"id\": \"b\", \"verb\": \"retry\"}");
    expect(REPLY("b"), "", "b", "failed", "\"job\"");
    send_text("{\"id\": \"g\", \"verb\": \"sent\"}");
    cJSON *answer = answer_on(REPLY("g"), "");
    CHECK_HAS(lf_json_text_or(answer, "error.text", ""), "there is no verb \"sent\". The verbs are status");
    CHECK(!strstr(lf_json_text_or(answer, "error.text", ""), "send"));
    cJSON_Delete(answer);
    send_text("{\"id\": \"c\", \"verb\": \"send\"}");
    expect(REPLY("c"), "", "c", "failed", "MQTT");
    send_text("{\"id\": \"d\", \"verb\": \"jobs\", \"arguments\": {}}");
    expect(REPLY("d"), "", "d", "failed", "arguments");
    send_text("{\"id\": \"e\", \"verb\": \"jobs\", \"expires\": \"tomorrow\"}");
    expect(REPLY("e"), "", "e", "failed", "RFC 3339");
    send_text("{\"id\": \"f/#+\", \"verb\": \"x\"}");
    expect(REPLY("f___"), "", "f/#+", "failed", NULL);
    send_text("{\"id\": \"a\", \"verb\": \"jobs\"}"); /* the id is used up */
    expect(REPLY("a"), "", "a", "failed", "another command");
    send_text("{\"id\": \"a\", \"verb\": \"runn\"}");
    expect(REPLY("a"), "", "a", "failed", "did you mean \"run\"");
    close_commands();
}

static void same_id_other_content(void)
{
    static const char *const others[] = {
        "{\"id\": \"c1\", \"verb\": \"jobs\"}",
        "{\"id\": \"c1\", \"verb\": \"run\"}",
        "{\"id\": \"c1\", \"verb\": \"run\", \"args\": {\"instrument\": \"balance-1\", \"procedure\": \"tare\"}}",
    };
    struct lf_message first = {.topic = TOPIC, .payload = lf_slice_text(RUN("c1")), .expiry_s = -1};
    struct lf_message other = {.topic = TOPIC, .expiry_s = -1, .response_topic = "elsewhere"};
    heard = 0;
    open_commands();
    NEED(lf_journal_begin(ground.context.journal, UNIT_ERROR) == LF_OK);
    NEED(lf_commands_take(commands, &first, UNIT_ERROR) == LF_OK);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) { /* before it is begun */
        other.payload = lf_slice_text(others[i]);
        NEED(lf_commands_take(commands, &other, UNIT_ERROR) == LF_OK);
    }
    NEED(lf_journal_end(ground.context.journal, LF_OK, UNIT_ERROR) == LF_OK);
    expect(REPLY("c1"), "", "c1", "accepted", NULL);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        expect("elsewhere", "", "c1", "failed", "another command");
    expect(REPLY("c1"), "", "c1", "running", NULL);
    expect(REPLY("c1"), "", "c1", "succeeded", NULL);
    take(&other);
    expect("elsewhere", "", "c1", "failed", "another command");
    send_text("{\"args\": {\"procedure\": \"weigh\", \"instrument\": \"balance-1\"}, \"verb\": \"run\", "
              "\"id\": \"c1\", \"expires\": \"2999-01-01T00:00:00Z\"}");
    expect(REPLY("c1"), "", "c1", "succeeded", NULL);
    CHECK_INT(ground_jobs(&ground), 1);
    close_commands();
}

/* The concern that is noted; only one is expected. */
static struct lf_concern told;
static char told_text[600];

static void note_concern(void *context, const struct lf_concern *concern)
{
    CHECK(context == NULL && told.times == 0);
    told = *concern;
    snprintf(told_text, sizeof told_text, "%s", concern->text);
}

static void people_know(const char *text, int64_t times)
{
    told = (struct lf_concern){0};
    CHECK_INT(lf_journal_concern_list(ground.context.journal, note_concern, NULL, UNIT_ERROR), LF_OK);
    CHECK_INT(told.times, times);
    CHECK(times == 0 || strstr(told_text, text) != NULL);
}

static void nothing_to_answer(void)
{
    static const char *const texts[] = {"x",
                                        "[]",
                                        "{}",
                                        "{\"verb\": \"status\"}",
                                        "{\"id\": 5}",
                                        "{\"id\": \"\"}",
                                        "{\"id\": \"a\\nb\", \"verb\": \"jobs\"}"};
    heard = 0;
    open_commands();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        send_text(texts[i]);
    char *large = lf_format("{\"id\": \"%0200d\", \"verb\": \"jobs\"}", 7);
    send_text(large);
    free(large);
    expect_nothing();
    people_know("a message on the command topic is not a command", sizeof texts / sizeof *texts + 1);
    struct lf_message message = {.topic = TOPIC,
                                 .payload = lf_slice_text("x"),
                                 .expiry_s = -1,
                                 .response_topic = "me",
                                 .correlation = {"k", 1}};
    take(&message);
    expect("me", "k", NULL, "failed", "JSON");
    message = (struct lf_message){.topic = TOPIC,
                                  .expiry_s = -1,
                                  .response_topic = "me",
                                  .too_large = true,
                                  .too_large_size = 1000000};
    take(&message);
    expect("me", "", NULL, "failed", "1000000");
    CHECK_INT(ground_jobs(&ground), 0);
    close_commands();
}

static void good_ways_back(void)
{
    static const char *const topics[] = {REPLY("x"), "labferry/lab/agents/cli-7/reply/x",
                                         "labferry/lab/clients/x", "labferry/lab2/events/x", "events/x"};
    heard = 0;
    open_commands();
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"id\": \"g%zu\", \"verb\": \"jobs\"}", i);
        struct lf_message message = {.topic = TOPIC,
                                     .payload = lf_slice_text(text),
                                     .expiry_s = -1,
                                     .response_topic = topics[i]};
        take(&message);
        snprintf(text, sizeof text, "g%zu", i);
        expect(topics[i], "", text, "accepted", NULL);
        expect(topics[i], "", text, "running", NULL);
        expect(topics[i], "", text, "succeeded", NULL);
    }
    close_commands();
}

static void bad_ways_back(void)
{
    static const char *const topics[] = {"",
                                         "a/+/b",
                                         "a/#",
                                         "$SYS/x",
                                         "a\nb",
                                         "\xff\xfe",
                                         TOPIC,
                                         "labferry/lab/agents/bench-1/status",
                                         "labferry/lab/agents/bench-2/command",
                                         "labferry/lab/agents/bench-2",
                                         "labferry/lab/events/v2.x"};
    heard = 0;
    open_commands();
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        char id[8], text[200], reply[100];
        snprintf(id, sizeof id, "w%zu", i);
        snprintf(text, sizeof text, "{\"id\": \"%s\", \"verb\": \"jobs\"}", id);
        snprintf(reply, sizeof reply, REPLY("%s"), id);
        struct lf_message message = {.topic = TOPIC,
                                     .payload = lf_slice_text(text),
                                     .expiry_s = -1,
                                     .response_topic = topics[i]};
        take(&message);
        expect(reply, "", id, "failed", "response topic");
    }
    close_commands();
}

static void too_late(void)
{
    heard = 0;
    open_commands();
    send_text("{\"id\": \"a\", \"verb\": \"run\", \"expires\": \"2020-01-01T00:00:00Z\", "
              "\"args\": {\"instrument\": \"balance-1\", \"procedure\": \"weigh\"}}");
    expect(REPLY("a"), "", "a", "failed", "expired");
    send_text("{\"id\": \"z\", \"verb\": \"run\", \"expires\": \"1970-01-01T00:00:00Z\", "
              "\"args\": {\"instrument\": \"balance-1\", \"procedure\": \"weigh\"}}");
    expect(REPLY("z"), "", "z", "failed", "expired");
    struct lf_message message = {.topic = TOPIC, .payload = lf_slice_text(RUN("b")), .expiry_s = 0};
    take(&message);
    expect(REPLY("b"), "", "b", "failed", "expired");
    send_text("{\"id\": \"c\", \"verb\": \"jobs\", \"expires\": \"2999-01-01T00:00:00+01:00\"}");
    expect(REPLY("c"), "", "c", "accepted", NULL);
    CHECK_INT(ground_jobs(&ground), 0);
    close_commands();
}

static void lying_about(void)
{
    heard = 0;
    open_commands();
    struct lf_message message = {.topic = TOPIC,
                                 .payload = lf_slice_text(RUN("c1")),
                                 .expiry_s = -1,
                                 .retained = true};
    take(&message);
    expect_nothing();
    CHECK_INT(ground_jobs(&ground), 0);
    people_know("a retained message on " TOPIC " is ignored", 1);
    close_commands();
}

static void removed(void)
{
    heard = 0;
    open_commands();
    send_text("");
    expect_nothing();
    people_know("", 0);
    close_commands();
}

/* ---- crashes ---- */

// What a killed agent has left in the journal.
static void leave(const char *id, const char *verb, const char *args, enum lf_command_state state,
                  int64_t expires_ms)
{
    struct lf_error err = {0};
    struct lf_command_row row = {.id = (char *)id,
                                 .verb = (char *)verb,
                                 .args = (char *)args,
                                 .reply = "back",
                                 .state = state,
                                 .expires_ms = expires_ms};
    NEED(lf_journal_command_add(ground.context.journal, &row, &err) == LF_OK);
}

static const char run_args[] = "{\"instrument\": \"balance-1\", \"procedure\": \"weigh\"}";
static const char ask_args[] = "{\"instrument\": \"balance-1\", \"command\": \"tare\", \"once\": true}";

static void after_a_crash(void)
{
    heard = 0;
    ground_open(&ground);
    leave("asked", "ask", ask_args, LF_COMMAND_RUNNING, 0);
    leave("looked", "jobs", NULL, LF_COMMAND_RUNNING, 0);
    leave("late", "run", run_args, LF_COMMAND_ACCEPTED, 1000);
    leave("waiting", "run", run_args, LF_COMMAND_ACCEPTED, 0);
    ground_close(&ground);
    open_commands();
    cJSON *answer = answer_on("back", "");
    CHECK_STR(lf_json_text(answer, "id"), "asked");
    CHECK_STR(lf_json_text(answer, "state"), "failed");
    CHECK_STR(lf_json_text(answer, "error.class"), lf_class_name(LF_UNKNOWN_OUTCOME));
    cJSON_Delete(answer);
    expect("back", "", "looked", "running", NULL);
    expect("back", "", "looked", "succeeded", NULL);
    expect("back", "", "late", "failed", "expired");
    expect("back", "", "waiting", "running", NULL);
    expect("back", "", "waiting", "succeeded", NULL);
    CHECK_INT(ground_jobs(&ground), 1);
    close_commands();
}

static void failed_leaves_no_trace(void)
{
    heard = 0;
    open_commands();
    send_text("{\"id\": \"a\", \"verb\": \"cancel\", \"args\": {\"job\": 99}}");
    expect(REPLY("a"), "", "a", "accepted", NULL);
    expect(REPLY("a"), "", "a", "failed", "99");
    send_text(RUN("b")); /* and the next is done */
    expect(REPLY("b"), "", "b", "accepted", NULL);
    expect(REPLY("b"), "", "b", "running", NULL);
    expect(REPLY("b"), "", "b", "succeeded", NULL);
    close_commands();
}

static void undone_with_its_transaction(void)
{
    struct lf_error err = {0};
    heard = 0;
    open_commands();
    struct lf_message message = {.topic = TOPIC, .payload = lf_slice_text(RUN("c1")), .expiry_s = -1};
    NEED(lf_journal_begin(ground.context.journal, &err) == LF_OK);
    NEED(lf_commands_take(commands, &message, &err) == LF_OK);
    lf_journal_rollback(
        ground.context.journal); /* the batch could not be committed: the broker sends it again */
    expect_nothing();
    CHECK_INT(ground_jobs(&ground), 0);
    send_text(RUN("c1"));
    expect(REPLY("c1"), "", "c1", "accepted", NULL);
    close_commands();
}

// An error would leave its batch without acknowledgement, and the batch would come again and again.
static void damaged_in_the_journal(void)
{
    struct lf_command_row row = {.id = (char[]){"c1"},
                                 .verb = (char[]){"run"},
                                 .args = (char[]){"{\"instrument\": "},
                                 .reply = (char[]){REPLY("c1")},
                                 .state = LF_COMMAND_FINISHED,
                                 .answer = (char[]){"{\"id\": \"c1\"}"}};
    heard = 0;
    open_commands();
    NEED(lf_journal_command_add(ground.context.journal, &row, UNIT_ERROR) == LF_OK);
    send_text(RUN("c1"));
    expect(REPLY("c1"), "", "c1", "failed", "another command");
    expect_nothing();
    CHECK_INT(ground_jobs(&ground), 0);
    close_commands();
}

/* They are taken in one batch, before the first of them is begun. */
static void too_many(void)
{
    heard = 0;
    open_commands();
    setenv("LF_COMMANDS_MAX", "2", 1);
    NEED(lf_journal_begin(ground.context.journal, UNIT_ERROR) == LF_OK);
    static const char *const texts[] = {RUN("c1"), RUN("c2"), RUN("c3")};
    for (int i = 0; i < 3; i++) {
        struct lf_message message = {.topic = TOPIC, .payload = lf_slice_text(texts[i]), .expiry_s = -1};
        NEED(lf_commands_take(commands, &message, UNIT_ERROR) == LF_OK);
    }
    NEED(lf_journal_end(ground.context.journal, LF_OK, UNIT_ERROR) == LF_OK);
    expect(REPLY("c1"), "", "c1", "accepted", NULL);
    expect(REPLY("c2"), "", "c2", "accepted", NULL);
    cJSON *answer = answer_on(REPLY("c3"), "");
    CHECK_STR(lf_json_text(answer, "state"), "failed");
    CHECK_HAS(lf_json_text_or(answer, "error.text", ""), "2 commands are already waiting");
    CHECK_STR(lf_json_text(answer, "error.class"), "transient");
    cJSON_Delete(answer);
    CHECK_INT(lf_commands_refused(commands), 1);
    for (int i = 1; i <= 2; i++) {
        expect(i == 1 ? REPLY("c1") : REPLY("c2"), "", i == 1 ? "c1" : "c2", "running", NULL);
        expect(i == 1 ? REPLY("c1") : REPLY("c2"), "", i == 1 ? "c1" : "c2", "succeeded", NULL);
    }
    CHECK_INT(ground_jobs(&ground), 2);
    send_text(RUN("c3")); /* the same id again: now there is room */
    expect(REPLY("c3"), "", "c3", "accepted", NULL);
    expect(REPLY("c3"), "", "c3", "running", NULL);
    expect(REPLY("c3"), "", "c3", "succeeded", NULL);
    CHECK_INT(ground_jobs(&ground), 3);
    unsetenv("LF_COMMANDS_MAX");
    close_commands();
}

UNIT_TESTS(
    "commands",
    {"a command is accepted, running and succeeded, on its response topic with its correlation data",
     three_answers},
    {"the audit trail names who sent a command, as its user property says, in signs that mislead nobody",
     names_who_asks},
    {"a repeated id gets the stored answer and no second action, also after a restart",
     once_whatever_happens},
    {"the same id with another verb or other arguments is refused, and the first command is done as asked",
     same_id_other_content},
    {"a command with the id of one that is damaged in the journal is refused, and its batch is not blocked",
     damaged_in_the_journal},
    {"a command that cannot be performed fails, and the error says how to correct it",
     refused_with_what_would_be_right},
    {"a message without an id does nothing, and is answered if it has a response topic", nothing_to_answer},
    {"a response topic that cannot be used, or that has another meaning, is refused", bad_ways_back},
    {"a response topic may be one for replies, or of the client itself", good_ways_back},
    {"a command that arrives too late fails as expired and is not performed", too_late},
    {"a retained command is ignored, with a concern", lying_about},
    {"an empty message, which removes a retained one, is no command", removed},
    {"after a crash, interrupted actions have an unknown outcome, reading verbs are repeated, and accepted ones "
     "are performed in order",
     after_a_crash},
    {"a failed verb is answered as failed, and the next is performed", failed_leaves_no_trace},
    {"a command whose batch was not committed leaves no trace", undone_with_its_transaction},
    {"while too many commands wait, another is refused; sent again later, it is accepted", too_many}, )
