/* Arguments of verbs: reading them from the words of a command line, and checking them whichever way they
 * came. */
#include "control/verbs.h"

#include "base/clock.h"
#include "base/setting.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_ROOM = 400 };

static const struct lf_arg no_args[] = {{0}};

static const struct lf_arg *args_of(const struct lf_verb *verb)
{
    return verb->args ? verb->args : no_args;
}

static const struct lf_arg *find_arg(const struct lf_arg *args, const char *name, size_t len)
{
    for (; args->name; args++)
        if (strlen(args->name) == len && !strncmp(args->name, name, len))
            return args;
    return NULL;
}

/* In the verb's own arguments, then in the common ones. */
static const struct lf_arg *arg_named(const struct lf_verb *verb, const struct lf_arg *common,
                                      const char *name, size_t len)
{
    const struct lf_arg *arg = find_arg(args_of(verb), name, len);
    return arg ? arg : find_arg(common, name, len);
}

/* ---- refusing ---- */

/* `dashes` is "--" on a command line. */
static enum lf_status refuse_arg(const struct lf_verb *verb, const struct lf_arg *common, const char *name,
                                 size_t len, const char *dashes, struct lf_error *err)
{
    char list[LIST_ROOM] = "", given[48];
    struct lf_nearest nearest = {.word = given};
    bool local = *dashes != '\0';
    snprintf(given, sizeof given, "%.*s", (int)(len < 40 ? len : 40), name);
    for (int i = 0; i < 2; i++)
        for (const struct lf_arg *arg = i ? common : args_of(verb); arg->name; arg++) {
            if ((arg->flags & LF_ARG_LOCAL && !local) || (arg->flags & LF_ARG_POSITIONAL && local))
                continue;
            lf_list_add(list, sizeof list, arg->name);
            lf_nearest_try(&nearest, arg->name);
        }
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s has no %s \"%s%s\"%s%s%s%s It takes %s", verb->name,
                   local ? "option" : "argument", dashes, given, nearest.name ? ": did you mean \"" : "",
                   nearest.name ? dashes : "", nearest.name ? nearest.name : "", nearest.name ? "\"?" : ".",
                   *list ? list : "no arguments");
}

static enum lf_status refuse_second(const struct lf_verb *verb, const char *name, struct lf_error *err)
{
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: \"%.40s\" is given twice", verb->name, name);
}

/* ---- checking ---- */

static enum lf_status check_members(const struct lf_verb *verb, const struct lf_arg *arg, const cJSON *value,
                                    struct lf_error *err)
{
    const cJSON *member;
    if (cJSON_GetArraySize(value) > ARG_MEMBERS_MAX)
        return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "%s: \"%s\" has more than %d members", verb->name,
                       arg->name, ARG_MEMBERS_MAX);
    cJSON_ArrayForEach (member, value) {
        if (lf_json_repeats(value, member))
            return refuse_second(verb, member->string, err);
        if (!cJSON_IsString(member) || strlen(member->valuestring) > ARG_TEXT_MAX)
            return lf_fail(err, LF_INVALID, LF_PERMANENT,
                           "%s: \"%.40s\" in \"%s\" must be a string of at most %d bytes; write numbers "
                           "in quotes: \"50\"",
                           verb->name, member->string, arg->name, ARG_TEXT_MAX);
    }
    return LF_OK;
}

static enum lf_status check_choice(const struct lf_verb *verb, const struct lf_arg *arg, const char *word,
                                   struct lf_error *err)
{
    char list[LIST_ROOM], hint[LF_HINT];
    struct lf_nearest nearest = {.word = word};
    for (int i = 0; arg->choice(i); i++) {
        if (!strcmp(arg->choice(i), word))
            return LF_OK;
        lf_nearest_try(&nearest, arg->choice(i));
    }
    lf_arg_choices(arg, list, sizeof list);
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: \"%s\" must be one of %s, not \"%.40s\"%s", verb->name,
                   arg->name, list, word, lf_nearest_hint(&nearest, "", hint));
}

void lf_arg_choices(const struct lf_arg *arg, char *list, size_t room)
{
    *list = '\0';
    for (int i = 0; arg->choice(i); i++)
        lf_list_add(list, room, arg->choice(i));
}

bool control__parse_time(const char *text, int64_t *ms)
{
    int64_t ago;
    if (lf_time_parse(text, ms) == LF_OK)
        return true;
    if (lf_duration_parse(text, &ago) != LF_OK || ago < 0)
        return false;
    *ms = lf_clock_wall_ms() - ago;
    return true;
}

static bool fits_type(const struct lf_arg *arg, const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);
    bool is_text = text && *text && strlen(text) <= ARG_TEXT_MAX;
    int64_t ms, max = arg->max ? arg->max : INT64_MAX;
    switch (arg->type) {
    case LF_ARG_TEXT:
    case LF_ARG_FILE: return is_text;
    case LF_ARG_INT: return lf_json_int(value, "", -1) > 0 && lf_json_int(value, "", -1) <= max;
    case LF_ARG_BOOL: return cJSON_IsBool(value);
    case LF_ARG_TIME: return is_text && control__parse_time(text, &ms);
    case LF_ARG_DURATION: return is_text && lf_duration_parse(text, &ms) == LF_OK && ms >= 0 && ms <= max;
    case LF_ARG_OBJECT: return cJSON_IsObject(value);
    }
    return false;
}

static enum lf_status check_one(const struct lf_verb *verb, const struct lf_arg *arg, const cJSON *value,
                                struct lf_error *err)
{
    static const char *const wanted[] = {
        [LF_ARG_TEXT] = "a string",
        [LF_ARG_INT] = "a whole number above 0",
        [LF_ARG_BOOL] = "true or false",
        [LF_ARG_TIME] = "a time like 2026-11-22T06:00:00Z, or how long ago: 2h",
        [LF_ARG_DURATION] = "a duration like 30s, 5m or 2h",
        [LF_ARG_OBJECT] = "an object of strings, like {\"volume\": \"50\"}",
        [LF_ARG_FILE] = "a path",
    };
    char bound[LF_ARG_SHOWN];
    if (!fits_type(arg, value)) {
        lf_arg_bound(arg, bound);
        if (arg->type == LF_ARG_TEXT || arg->type == LF_ARG_FILE)
            snprintf(bound, sizeof bound, " of 1 to %d bytes", ARG_TEXT_MAX);
        const char *text = cJSON_GetStringValue(value);
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: \"%s\" (%s) must be %s%s%s%.40s%s", verb->name,
                       arg->name, arg->help, wanted[arg->type], bound, text ? ", not \"" : "",
                       text ? text : "", text ? "\"" : "");
    }
    if (arg->choice)
        return check_choice(verb, arg, value->valuestring, err);
    return arg->type == LF_ARG_OBJECT ? check_members(verb, arg, value, err) : LF_OK;
}

static enum lf_status check_value(const struct lf_verb *verb, const struct lf_arg *arg, const cJSON *value,
                                  struct lf_error *err)
{
    const cJSON *item;
    int count = cJSON_GetArraySize(value);
    enum lf_status status = LF_OK;
    if (!(arg->flags & LF_ARG_MANY) || !cJSON_IsArray(value))
        return check_one(verb, arg, value, err);
    if (count < 1 || count > LF_ARG_MANY_MAX)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: \"%s\" (%s) must have 1 to %d values, not %d",
                       verb->name, arg->name, arg->help, LF_ARG_MANY_MAX, count);
    cJSON_ArrayForEach (item, value)
        if (status == LF_OK)
            status = check_one(verb, arg, item, err);
    return status;
}

/* A flag that is false is as good as left out. */
static bool is_given(const cJSON *args, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(args, name);
    return value && !cJSON_IsFalse(value);
}

enum lf_status lf_verb_check_complete(const struct lf_verb *verb, const cJSON *args, struct lf_error *err)
{
    for (const struct lf_arg *arg = args_of(verb); arg->name; arg++) {
        bool given = is_given(args, arg->name), replaced = false;
        for (int i = 0; i < 2 && arg->not_with[i]; i++) {
            replaced = replaced || is_given(args, arg->not_with[i]);
            if (given && is_given(args, arg->not_with[i]))
                return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: give \"%s\" or \"%s\", not both",
                               verb->name, arg->not_with[i], arg->name);
        }
        if (arg->flags & LF_ARG_REQUIRED && !given && !replaced)
            return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s needs the argument \"%s\": %s", verb->name,
                           arg->name, arg->help);
        if (given && arg->only_with && !is_given(args, arg->only_with))
            return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: \"%s\" goes with \"%s\"", verb->name,
                           arg->name, arg->only_with);
    }
    return LF_OK;
}

enum lf_status control__check_args(const struct lf_verb *verb, const cJSON *args, struct lf_error *err)
{
    const cJSON *value;
    if (args && !cJSON_IsNull(args) && !cJSON_IsObject(args))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: \"args\" must be an object", verb->name);
    cJSON_ArrayForEach (value, args) {
        const struct lf_arg *arg = find_arg(args_of(verb), value->string, strlen(value->string));
        enum lf_status status = arg && !(arg->flags & LF_ARG_LOCAL)
                                    ? check_value(verb, arg, value, err)
                                    : refuse_arg(verb, no_args, value->string, strlen(value->string), "",
                                                 err);
        if (status == LF_OK && lf_json_repeats(args, value))
            status = refuse_second(verb, value->string, err);
        if (status != LF_OK)
            return status;
    }
    return lf_verb_check_complete(verb, args, err);
}

/* ---- words ---- */

struct reading {
    const struct lf_verb *verb;
    const struct lf_arg *common;
    const char *const *words;
    int count, at;
    cJSON *args;
};

/* What a word means as a value of this type: a number if it is one; anything else is checked as text. */
static cJSON *value_of(const struct lf_arg *arg, const char *word)
{
    char *end;
    long long number = arg->type == LF_ARG_INT ? strtoll(word, &end, 10) : 0;
    if (arg->type == LF_ARG_INT && *word >= '1' && *word <= '9' && !*end && number <= (1LL << 53))
        return cJSON_CreateNumber((double)number);
    return arg->type == LF_ARG_BOOL ? cJSON_CreateTrue() : cJSON_CreateString(word);
}

static enum lf_status store(struct reading *reading, const struct lf_arg *arg, const char *word,
                            struct lf_error *err)
{
    cJSON *value = lf_utf8_valid(lf_slice_text(word)) ? value_of(arg, word) : NULL;
    if (!lf_utf8_valid(lf_slice_text(word)))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: \"%s\" is not valid UTF-8", reading->verb->name,
                       arg->name);
    enum lf_status status = value ? check_value(reading->verb, arg, value, err)
                                  : lf_fail_memory(err, "reading arguments");
    if (status == LF_OK)
        return lf_json_set(reading->args, arg->name, value) ? LF_OK
                                                            : lf_fail_memory(err, "reading arguments");
    cJSON_Delete(value);
    return status;
}

/* One more value of an argument that takes many; the second makes it a list. */
static enum lf_status store_more(struct reading *reading, const struct lf_arg *arg, const char *word,
                                 struct lf_error *err)
{
    cJSON *before = cJSON_DetachItemFromObjectCaseSensitive(reading->args, arg->name);
    enum lf_status status = store(reading, arg, word, err);
    if (!before || status != LF_OK) {
        cJSON_Delete(before);
        return status;
    }
    cJSON *list = cJSON_IsArray(before) ? before : cJSON_CreateArray();
    bool good = list && (list == before || cJSON_AddItemToArray(list, before))
                && cJSON_AddItemToArray(list,
                                        cJSON_DetachItemFromObjectCaseSensitive(reading->args, arg->name))
                && lf_json_set(reading->args, arg->name, list);
    return good ? LF_OK : lf_fail_memory(err, "reading arguments");
}

/* name=value */
static enum lf_status add_pair(struct reading *reading, const struct lf_arg *arg, const char *word,
                               struct lf_error *err)
{
    cJSON *object = cJSON_GetObjectItemCaseSensitive(reading->args, arg->name);
    const char *equals = strchr(word, '=');
    if (!equals || equals == word || !lf_utf8_valid(lf_slice_text(word)))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: \"%.60s\" must look like name=value",
                       reading->verb->name, word);
    if (!object && (!(object = cJSON_CreateObject()) || !lf_json_set(reading->args, arg->name, object)))
        return lf_fail_memory(err, "reading arguments");
    char *name = lf_format("%.*s", (int)(equals - word), word);
    bool ok = name && cJSON_AddStringToObject(object, name, equals + 1);
    free(name);
    return ok ? check_value(reading->verb, arg, object, err) : lf_fail_memory(err, "reading arguments");
}

static enum lf_status read_option(struct reading *reading, struct lf_error *err)
{
    const char *word = reading->words[reading->at], *name = word + 2;
    size_t len = strcspn(name, "=");
    const char *value = word[1] == '-' && name[len] == '=' ? name + len + 1 : NULL;
    const struct lf_arg *arg = word[1] == '-' ? arg_named(reading->verb, reading->common, name, len) : NULL;
    char shown[LF_ARG_SHOWN];
    if (!arg || arg->flags & LF_ARG_POSITIONAL)
        return word[1] == '-' ? refuse_arg(reading->verb, reading->common, name, len, "--", err)
                              : lf_fail(err, LF_INVALID, LF_PERMANENT, "%s has no option \"%.40s\"",
                                        reading->verb->name, word);
    if (arg->type == LF_ARG_BOOL)
        return value ? lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: --%s takes no value", reading->verb->name,
                               arg->name)
                     : store(reading, arg, "", err);
    if (arg->type != LF_ARG_OBJECT && cJSON_GetObjectItemCaseSensitive(reading->args, arg->name))
        return refuse_second(reading->verb, arg->name, err);
    if (!value && reading->at + 1 < reading->count)
        value = reading->words[++reading->at];
    if (!value || !*value)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: --%s needs a value: --%s %s", reading->verb->name,
                       arg->name, arg->name, lf_arg_value(arg, shown));
    return arg->type == LF_ARG_OBJECT ? add_pair(reading, arg, value, err) : store(reading, arg, value, err);
}

/* The last text may have several words: cancel 12 plate was dropped. */
static enum lf_status add_word(struct reading *reading, const struct lf_arg *arg, const char *word,
                               struct lf_error *err)
{
    const char *before = lf_json_text(reading->args, arg->name);
    char *joined = before ? lf_format("%s %s", before, word) : strdup(word);
    enum lf_status status = joined ? store(reading, arg, joined, err)
                                   : lf_fail_memory(err, "reading arguments");
    free(joined);
    return status;
}

static enum lf_status read_positional(struct reading *reading, struct lf_error *err)
{
    const char *word = reading->words[reading->at];
    const struct lf_arg *last = NULL;
    for (const struct lf_arg *arg = args_of(reading->verb); arg->name; arg++) {
        if (!(arg->flags & LF_ARG_POSITIONAL))
            continue;
        last = arg;
        if (arg->type == LF_ARG_OBJECT)
            return add_pair(reading, arg, word, err);
        if (arg->flags & LF_ARG_MANY)
            return store_more(reading, arg, word, err);
        if (!cJSON_GetObjectItemCaseSensitive(reading->args, arg->name))
            return store(reading, arg, word, err);
    }
    if (last && last->flags & LF_ARG_REST)
        return add_word(reading, last, word, err);
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: unexpected argument \"%.60s\"", reading->verb->name,
                   word);
}

enum lf_status lf_verb_read_words(const struct lf_verb *verb, const struct lf_arg *common, int count,
                                  const char *const *words, cJSON **args, struct lf_error *err)
{
    struct reading reading = {verb, common ? common : no_args, words, count, 0, cJSON_CreateObject()};
    enum lf_status status = reading.args ? LF_OK : lf_fail_memory(err, "reading arguments");
    bool options = true;
    for (; status == LF_OK && reading.at < count; reading.at++) {
        const char *word = words[reading.at];
        if (options && !strcmp(word, "--"))
            options = false;
        else
            status = options && word[0] == '-' && word[1] ? read_option(&reading, err)
                                                          : read_positional(&reading, err);
    }
    *args = status == LF_OK ? reading.args : NULL;
    if (status != LF_OK)
        cJSON_Delete(reading.args);
    return status;
}
