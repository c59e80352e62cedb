/* Messages on the command topic: everything in them is checked here. */
#include "control/commands.h"
#include "control/verbs.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { TOPIC_MAX = 1024, VERB_MAX = 64, WHO_MAX = 64 };

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* ---- where the answer goes ---- */

static bool good_topic(const char *topic)
{
    size_t len = strlen(topic);
    if (len == 0 || len > TOPIC_MAX || topic[0] == '$' || !lf_utf8_valid(lf_slice(topic, len)))
        return false;
    for (const char *at = topic; *at; at++)
        if (is_control(*at) || *at == '+' || *at == '#')
            return false;
    return true;
}

static bool begins(const char *text, const char *with, size_t len)
{
    return strncmp(text, with, len) == 0;
}

/* Events, and what agents say or take in, have topics with a meaning: someone who may only send commands must
 * not speak there in our name. base: PREFIX/SITE/agents/NAME. */
static bool has_a_meaning(const char *topic, const char *base)
{
    static const char agents[] = "agents/", events[] = "events/", reply[] = "/reply/";
    size_t tree = (size_t)(strrchr(base, '/') - base) + 1, site = tree - strlen(agents);
    if (begins(topic, base, tree)) {
        const char *kind = strchr(topic + tree, '/');
        return !kind || !begins(kind, reply, strlen(reply));
    }
    return begins(topic, base, site) && begins(topic + site, events, strlen(events));
}

static char *default_topic(const char *base, const char *id)
{
    char *topic = lf_format("%s/reply/%s", base, id);
    for (char *at = topic ? topic + strlen(base) + strlen("/reply/") : NULL; at && *at; at++)
        if (*at == '+' || *at == '#' || *at == '/')
            *at = '_';
    return topic;
}

static enum lf_status read_way_back(const struct lf_message *message, const char *base,
                                    struct lf_command_row *row, struct lf_error *err)
{
    const char *asked = message->response_topic;
    bool usable = asked && good_topic(asked) && strcmp(asked, message->topic) != 0
                  && !has_a_meaning(asked, base);
    if (usable || row->id) {
        row->reply = usable ? strdup(asked) : default_topic(base, row->id);
        char *copy = message->correlation.len ? malloc(message->correlation.len) : NULL;
        if (!row->reply || (message->correlation.len && !copy)) {
            free(copy);
            return lf_fail_memory(err, "taking a command");
        }
        if (copy) {
            memcpy(copy, message->correlation.data, message->correlation.len);
            row->correlation = (struct lf_slice){copy, message->correlation.len};
        }
    }
    if (asked && !usable)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "the response topic cannot be used: it must be a topic of 1 to %d bytes "
                       "without wildcards, and none for events or of an agent, except agents/NAME/reply/...",
                       TOPIC_MAX);
    return LF_OK;
}

/* ---- who asks ---- */

/* Nobody has checked the name: it must not be able to look like anything else in a list. So all that is not
 * a letter, a digit (in any script), or one of ".@_-" and blanks within, becomes '_'. */
static enum lf_status read_who(const struct lf_message *message, struct lf_command_row *row,
                               struct lf_error *err)
{
    if (!message->user || !*message->user)
        return LF_OK;
    row->who = lf_format("%.*s", WHO_MAX, message->user);
    if (!row->who)
        return lf_fail_memory(err, "taking a command");
    lf_utf8_repair(row->who);
    for (char *at = row->who; *at;) {
        uint32_t code;
        size_t length = lf_utf8_first(at, &code);
        unsigned char first = (unsigned char)*at;
        bool name = code < 0x80 ? isalnum(first) || strchr(".@_- ", *at)
                                : first != 0xc2 && first != 0xe2 && first != 0xef /* signs and symbols */
                                      && !lf_character_misleads(code);
        if (!name)
            memset(at, '_', length);
        at += length;
    }
    return LF_OK;
}

/* ---- what is asked ---- */

static enum lf_status read_id(const cJSON *json, struct lf_command_row *row, struct lf_error *err)
{
    const char *id = lf_json_text(json, "id");
    bool good = id && *id && strlen(id) <= LF_COMMAND_ID_MAX;
    for (const char *at = id; good && *at; at++)
        good = !is_control(*at);
    if (!good)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "a command needs its own \"id\": a string of 1 to %d bytes without "
                       "control characters",
                       LF_COMMAND_ID_MAX);
    row->id = strdup(id);
    return row->id ? LF_OK : lf_fail_memory(err, "taking a command");
}

static enum lf_status read_expiry(const struct lf_message *message, const cJSON *json,
                                  struct lf_command_row *row, struct lf_error *err)
{
    const cJSON *expires = lf_json_at(json, "expires");
    int64_t at = 0;
    if (expires && !cJSON_IsNull(expires)
        && (!cJSON_IsString(expires) || lf_time_parse(expires->valuestring, &at) != LF_OK))
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "\"expires\" must be a time like \"2026-11-22T06:09:34Z\" (RFC 3339)");
    row->expires_ms = expires && !cJSON_IsNull(expires) && at == 0 ? 1 : at; /* 0 would mean: never */
    if (message->expiry_s >= 0) {
        int64_t by_message = lf_clock_best_ms() + message->expiry_s * 1000;
        if (!row->expires_ms || by_message < row->expires_ms)
            row->expires_ms = by_message;
    }
    return LF_OK;
}

static enum lf_status check_verb(const cJSON *json, struct lf_error *err)
{
    const char *name = lf_json_text(json, "verb");
    const struct lf_verb *verb = lf_verb_find(name);
    const cJSON *args = lf_json_at(json, "args");
    if (verb && !lf_verb_is_remote(verb))
        return lf_fail(
            err, LF_UNSUPPORTED, LF_PERMANENT,
            "%s is not available over MQTT, because the file itself must come with it. Let Benchling "
            "generate the file, or use `labferry %s` on the agent's machine",
            verb->name, verb->name);
    return lf_verb_check(lf_verb_remote_at, name, args, &verb, err);
}

bool control__command_expired(const struct lf_command_row *row)
{
    return row->expires_ms && row->expires_ms <= lf_clock_best_ms();
}

void control__command_fail_expired(struct lf_error *err, const char *why)
{
    char clock[LF_CLOCK_TEXT];
    lf_clock_words(clock);
    lf_fail(err, LF_TIMEOUT, LF_PERMANENT, "%s, so it was not performed; %s", why, clock);
}

static enum lf_status read_rest(const struct lf_message *message, const cJSON *json,
                                struct lf_command_row *row, struct lf_error *err)
{
    static const char *const keys[] = {"id", "verb", "args", "expires", NULL};
    const char *verb = lf_json_text(json, "verb");
    const cJSON *args = lf_json_at(json, "args");
    bool has_args = args && !cJSON_IsNull(args);
    /* Whatever they are: the answer names the verb, and another command with this id must differ. */
    if ((verb && strlen(verb) <= VERB_MAX && !(row->verb = strdup(verb)))
        || (has_args && !(row->args = lf_json_print(args))))
        return lf_fail_memory(err, "taking a command");
    enum lf_status status = control__check_keys(
        json, keys, "{\"id\": \"...\", \"verb\": \"jobs\", \"args\": {}, \"expires\": \"...\"}", err);
    if (status == LF_OK)
        status = check_verb(json, err);
    if (status == LF_OK)
        status = read_expiry(message, json, row, err);
    return status;
}

enum lf_status control__command_read(const struct lf_message *message, const char *base,
                                     struct lf_command_row *row, struct lf_error *err)
{
    cJSON *json = NULL;
    struct lf_error way_err = {0};
    enum lf_status status;
    memset(row, 0, sizeof *row);
    if (message->too_large)
        status = lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "a command of %lld bytes is too large",
                         (long long)message->too_large_size);
    else
        status = control__parse(message->payload, &json, err);
    if (status == LF_OK && !cJSON_IsObject(json))
        status = lf_fail(err, LF_INVALID, LF_PERMANENT,
                         "a command is a JSON object like {\"id\": \"...\", \"verb\": \"status\"}");
    if (status == LF_OK)
        status = read_id(json, row, err);
    enum lf_status way = read_way_back(message, base, row, &way_err);
    if (way == LF_OK)
        way = read_who(message, row, &way_err);
    if (status == LF_OK)
        status = read_rest(message, json, row, err);
    if (way != LF_OK && (status == LF_OK || way == LF_NO_MEMORY)) {
        status = way;
        *err = way_err;
    }
    cJSON_Delete(json);
    return status;
}
