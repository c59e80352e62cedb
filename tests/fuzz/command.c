/* Commands over MQTT: the first line is the response topic ("-": none), the second the correlation data, the
 * third the message expiry, the rest the payload. */
#include "fuzz.h"

#include "base/clock.h"
#include "control/commands.h"

#include <stdlib.h>
#include <string.h>

#define BASE "labferry/boston/agents/bench-3"

static void check_row(const struct lf_command_row *row, const struct lf_message *message)
{
    cJSON *args = NULL;
    const struct lf_verb *verb = lf_verb_find(row->verb);
    MUST(row->id && *row->id && strlen(row->id) <= LF_COMMAND_ID_MAX, "no id");
    MUST(verb && lf_verb_is_remote(verb), "a verb that cannot come over MQTT: %s", row->verb);
    MUST(row->reply, "no topic for the answer");
    MUST(row->correlation.len == message->correlation.len, "the correlation data has another length");
    if (row->args) {
        MUST(lf_json_parse(lf_slice_text(row->args), &args, &(struct lf_error){0}) == LF_OK,
             "args are no JSON: %s", row->args);
        MUST(lf_verb_check(lf_verb_remote_at, row->verb, args, &verb, &(struct lf_error){0}) == LF_OK,
             "%s with args %s is refused the second time", row->verb, row->args);
    }
    MUST(message->expiry_s < 0 || row->expires_ms, "the message expires, the command does not");
    control__command_expired(row);
    cJSON_Delete(args);
}

/* An answer goes to a topic that can be published to, and that is not the command topic itself. */
static void check_reply(const struct lf_command_row *row, const struct lf_message *message)
{
    if (!row->reply)
        return;
    MUST(*row->reply && !strpbrk(row->reply, "+#") && *row->reply != '$', "answers go to %s", row->reply);
    MUST(strcmp(row->reply, message->topic) != 0, "answers go to the command topic");
    MUST(lf_utf8_valid(lf_slice_text(row->reply)), "a topic that is not UTF-8");
    if (strcmp(row->reply, message->response_topic ? message->response_topic : "") != 0)
        MUST(!strncmp(row->reply, BASE "/reply/", strlen(BASE "/reply/"))
                 && !strchr(row->reply + strlen(BASE "/reply/"), '/'),
             "answers go to %s", row->reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    char *topic = fuzz_text(fuzz_until(&input, '\n'));
    struct lf_slice correlation = fuzz_until(&input, '\n');
    char *expiry = fuzz_text(fuzz_until(&input, '\n'));
    struct lf_message message = {
        .topic = BASE "/command",
        .correlation = correlation,
        .response_topic = strcmp(topic, "-") ? topic : NULL,
        .expiry_s = *expiry ? (int64_t)(uint32_t)strtoul(expiry, NULL, 10) : -1,
        .payload = fuzz_rest(&input),
    };
    struct lf_command_row row = {0};
    struct lf_error err = {0};
    enum lf_status status = control__command_read(&message, BASE, &row, &err);
    fuzz_check_error(status, &err);
    MUST(status == LF_OK || err.class == LF_PERMANENT, "a bad command is not permanent: %s", err.text);
    if (status == LF_OK)
        check_row(&row, &message);
    check_reply(&row, &message);
    lf_command_row_free(&row);
    free(expiry);
    free(topic);
    return 0;
}
