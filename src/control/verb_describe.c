/* What a verb is, for programs and for help: everything comes from its row. */
#include "control/verbs.h"

#include "base/units.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {
    [LF_ARG_TEXT] = "text", [LF_ARG_INT] = "int",           [LF_ARG_BOOL] = "bool",
    [LF_ARG_TIME] = "time", [LF_ARG_DURATION] = "duration", [LF_ARG_OBJECT] = "object",
    [LF_ARG_FILE] = "file",
};

const char *lf_arg_value(const struct lf_arg *arg, char room[LF_ARG_SHOWN])
{
    const char *text = arg->value ? arg->value : arg->type == LF_ARG_OBJECT ? "NAME=VALUE ..." : arg->name;
    size_t i = 0;
    for (; text[i] && i + 1 < LF_ARG_SHOWN; i++)
        room[i] = (char)(arg->value ? text[i] : toupper((unsigned char)text[i]));
    room[i] = '\0';
    return room;
}

const char *lf_arg_bound(const struct lf_arg *arg, char room[LF_ARG_SHOWN])
{
    char max[LF_ARG_SHOWN / 2];
    *room = '\0';
    if (arg->type == LF_ARG_DURATION)
        lf_duration_format(arg->max, max, sizeof max);
    else
        snprintf(max, sizeof max, "%lld", (long long)arg->max);
    if (arg->max)
        snprintf(room, LF_ARG_SHOWN, ", at most %s", max);
    return room;
}

char *lf_verb_synopsis(const struct lf_verb *verb)
{
    struct lf_buffer text = {.max = 400};
    lf_buffer_format(&text, "%s", verb->name);
    for (const struct lf_arg *arg = verb->args; arg && arg->name; arg++) {
        char value[LF_ARG_SHOWN];
        bool required = arg->flags & LF_ARG_REQUIRED, positional = arg->flags & LF_ARG_POSITIONAL;
        lf_arg_value(arg, value);
        const char *more = arg->flags & LF_ARG_MANY ? "..." : "";
        if (positional)
            lf_buffer_format(&text, required ? " %s%s" : " [%s%s]", value, more);
        else if (required)
            lf_buffer_format(&text, " --%s %s", arg->name, value);
    }
    return text.data;
}

/* ---- examples ---- */

enum { WORDS_MAX = 16 };

/* Cuts a line of a shell into words, in place; text in double quotes is one word. */
static int cut_words(char *line, const char *words[WORDS_MAX])
{
    int count = 0;
    for (char *at = line; *at && count < WORDS_MAX;) {
        char end = ' ';
        if (*at == '"')
            end = *at++;
        words[count++] = at;
        at += strcspn(at, end == '"' ? "\"" : " ");
        if (*at)
            *at++ = '\0';
        at += strspn(at, " ");
    }
    return count;
}

static enum lf_status read_example(const struct lf_verb *verb, char *line, cJSON **args, struct lf_error *err)
{
    const char *words[WORDS_MAX];
    int count = cut_words(line, words);
    enum lf_status status = count < 2 || strcmp(words[0], "labferry") != 0
                                    || strcmp(words[1], verb->name) != 0
                                ? lf_fail(err, LF_INVALID, LF_PERMANENT, "not an example of %s", verb->name)
                                : lf_verb_read_words(verb, NULL, count - 2, words + 2, args, err);
    return status == LF_OK ? lf_verb_check_complete(verb, *args, err) : status;
}

enum lf_status lf_verb_example(const struct lf_verb *verb, cJSON **args, struct lf_error *err)
{
    char *line = lf_format("%.*s", (int)strcspn(verb->examples, "\n"), verb->examples);
    *args = NULL;
    enum lf_status status = line ? read_example(verb, line, args, err) : lf_fail_memory(err, "an example");
    free(line);
    if (status != LF_OK) {
        cJSON_Delete(*args);
        *args = NULL;
    }
    return status;
}

/* ---- as JSON ---- */

static cJSON *choices_json(const struct lf_arg *arg)
{
    cJSON *choices = cJSON_CreateArray();
    for (int i = 0; arg->choice(i); i++)
        lf_json_add(&choices, cJSON_CreateString(arg->choice(i)));
    return choices;
}

static cJSON *arg_json(const struct lf_arg *arg)
{
    cJSON *json = cJSON_CreateObject();
    bool made = lf_json_set_text(json, "name", arg->name)
                && lf_json_set_text(json, "type", type_names[arg->type])
                && lf_json_set_bool(json, "required", arg->flags & LF_ARG_REQUIRED)
                && lf_json_set_bool(json, "positional", arg->flags & LF_ARG_POSITIONAL)
                && lf_json_set_bool(json, "cli_only", arg->flags & LF_ARG_LOCAL)
                && lf_json_set_bool(json, "many", arg->flags & LF_ARG_MANY)
                && (!arg->choice || lf_json_set(json, "choices", choices_json(arg)))
                && (!arg->max || lf_json_set_int(json, arg->type == LF_ARG_INT ? "max" : "max_ms", arg->max))
                && (!arg->fallback || lf_json_set_text(json, "default", arg->fallback))
                && lf_json_set_text(json, "help", arg->help);
    return lf_json_made(json, made);
}

static cJSON *args_json(const struct lf_verb *verb)
{
    cJSON *list = cJSON_CreateArray();
    for (const struct lf_arg *arg = verb->args; arg && arg->name; arg++)
        lf_json_add(&list, arg_json(arg));
    return list;
}

static cJSON *lines_json(const char *text)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t len; *text; text += len + (text[len] == '\n')) {
        len = strcspn(text, "\n");
        char *line = lf_format("%.*s", (int)len, text);
        lf_json_add(&list, line ? cJSON_CreateString(line) : NULL);
        free(line);
    }
    return list;
}

cJSON *lf_verb_json(const struct lf_verb *verb)
{
    cJSON *json = cJSON_CreateObject(), *args = NULL;
    struct lf_error err = {0};
    bool remote = lf_verb_is_remote(verb);
    char *synopsis = lf_verb_synopsis(verb);
    bool ok = synopsis && lf_json_set_text(json, "name", verb->name)
              && lf_json_set_text(json, "summary", verb->summary) && lf_json_set_text(json, "usage", synopsis)
              && (!verb->about || lf_json_set_text(json, "about", verb->about))
              && lf_json_set_bool(json, "needs_agent", verb->perform != NULL)
              && lf_json_set_bool(json, "changes", verb->flags & LF_VERB_CHANGES)
              && lf_json_set_bool(json, "remote", remote)
              && lf_json_set_text(json, "permission", verb->flags & LF_VERB_CHANGES ? "operator" : "anyone")
              && lf_json_set_bool(json, "answers_job", verb->flags & LF_VERB_JOB)
              && lf_json_set(json, "args", args_json(verb))
              && lf_json_set(json, "examples", lines_json(verb->examples))
              && (!remote || lf_verb_example(verb, &args, &err) == LF_OK)
              && (!remote || lf_json_set(json, "example_args", args));
    free(synopsis);
    return lf_json_made(json, ok);
}
