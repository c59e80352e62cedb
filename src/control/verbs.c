/* The list of verbs, finding one, and checking a request against it. */
#include "control/verbs.h"

#include "base/setting.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

static const struct lf_verb *const tables[] = {control__verbs_status, control__verbs_look,
                                               control__verbs_audit, control__verbs_act, control__verbs_jobs};

const struct lf_verb *lf_verb_at(size_t index)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct lf_verb *verb = tables[i]; verb->name; verb++)
            if (index-- == 0)
                return verb;
    return NULL;
}

const struct lf_verb *lf_verb_remote_at(size_t index)
{
    const struct lf_verb *verb;
    for (size_t i = 0; (verb = lf_verb_at(i)); i++)
        if (lf_verb_is_remote(verb) && index-- == 0)
            return verb;
    return NULL;
}

/* "audit-verify" may also be written as "audit_verify" or as two words. */
static bool is_same_name(const char *name, const char *given)
{
    for (; *name && (*name == *given || (*name == '-' && (*given == '_' || *given == ' '))); name++)
        given++;
    return !*name && !*given;
}

const struct lf_verb *lf_verb_find_in(lf_verb_list *list, const char *name)
{
    const struct lf_verb *verb;
    for (size_t i = 0; name && (verb = list(i)); i++)
        if (is_same_name(verb->name, name))
            return verb;
    return NULL;
}

const struct lf_verb *lf_verb_find(const char *name)
{
    return lf_verb_find_in(lf_verb_at, name);
}

enum lf_status lf_verb_refuse(lf_verb_list *list, const char *name, struct lf_error *err)
{
    char names[400] = "";
    struct lf_nearest nearest = {.word = name};
    const struct lf_verb *verb;
    for (size_t i = 0; (verb = list(i)); i++) {
        lf_list_add(names, sizeof names, verb->name);
        lf_nearest_try(&nearest, verb->name);
    }
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "there is no verb \"%.40s\"%s%s%s The verbs are %s", name,
                   nearest.name ? ": did you mean \"" : "", nearest.name ? nearest.name : "",
                   nearest.name ? "\"?" : ".", names);
}

const struct lf_arg *lf_verb_file(const struct lf_verb *verb)
{
    for (const struct lf_arg *arg = verb->args; arg && arg->name; arg++)
        if (arg->type == LF_ARG_FILE)
            return arg;
    return NULL;
}

bool lf_verb_is_remote(const struct lf_verb *verb)
{
    return verb->perform && !lf_verb_file(verb);
}

enum lf_status control__parse(struct lf_slice text, cJSON **out, struct lf_error *err)
{
    for (size_t i = 0; i + 5 < text.len; i += text.data[i] == '\\' ? 2 : 1)
        if (!memcmp(text.data + i, "\\u0000", 6))
            return lf_fail(err, LF_INVALID, LF_PERMANENT, "\\u0000 at byte %zu: a text cannot hold it", i);
    return lf_json_parse(text, out, err);
}

enum lf_status control__check_keys(const cJSON *json, const char *const *known, const char *example,
                                   struct lf_error *err)
{
    const cJSON *member;
    cJSON_ArrayForEach (member, json) {
        size_t i = 0;
        while (known[i] && strcmp(member->string, known[i]) != 0)
            i++;
        if (!known[i] || lf_json_repeats(json, member))
            return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s \"%.40s\"; a request looks like %s",
                           known[i] ? "there are two members" : "there is no member", member->string,
                           example);
    }
    return LF_OK;
}

enum lf_status lf_verb_check(lf_verb_list *list, const char *name, const cJSON *args,
                             const struct lf_verb **out, struct lf_error *err)
{
    const struct lf_verb *verb = lf_verb_find_in(list, name);
    *out = NULL;
    if (!name || !*name)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "the verb is missing: {\"verb\": \"status\"}");
    if (!verb)
        return lf_verb_refuse(list, name, err);
    enum lf_status status = control__check_args(verb, args, err);
    if (status == LF_OK)
        *out = verb;
    return status;
}
