/* Benchling cannot reserve a task for one agent, so of two agents with the same task route both may do a
 * task. A route is compared by the digest of its events and its pattern; which instrument does the work does
 * not matter. Routes that overlap without being equal are not seen.
 */
#include "agent/daemon/neighbours.h"

#include "base/digest.h"
#include "base/log.h"
#include "config/config.h"
#include "journal/concern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* False: out of memory. */
static bool digest_of(const struct lf_config_route *route, char hex[LF_SHA256_HEX])
{
    struct lf_buffer text = {0};
    bool good = true;
    for (size_t i = 0; good && i < route->on.count; i++)
        good = lf_buffer_format(&text, "%s\n", route->on.items[i]) == LF_OK;
    char *pattern = route->pattern ? lf_json_print(route->pattern) : NULL;
    good = good && (pattern || !route->pattern) && lf_buffer_text(&text, pattern ? pattern : "") == LF_OK
           && lf_digest_bytes(LF_SHA256, text.data, text.len, hex) == LF_OK;
    free(pattern);
    lf_buffer_free(&text);
    return good;
}

static bool add_route(cJSON *list, const struct lf_config_route *route)
{
    char hex[LF_SHA256_HEX];
    cJSON *entry = cJSON_CreateObject();
    bool good = digest_of(route, hex) && lf_json_set_text(entry, "route", route->name)
                && lf_json_set_text(entry, "digest", hex);
    lf_json_add(&list, lf_json_made(entry, good));
    return list != NULL && good;
}

void neighbours_queue(struct lf_context *context)
{
    const struct lf_config *config = context->config;
    struct lf_error err = {0};
    cJSON *note = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(note, "tasks");
    bool good = list != NULL;
    for (size_t i = 0; good && i < config->route_count; i++)
        if (config->routes[i].kind->claims)
            good = add_route(list, &config->routes[i]);
    char *text = good ? lf_json_print(note) : NULL;
    if (!text)
        lf_fail_memory(&err, "listing the task routes");
    if (!text
        || lf_journal_outbox_add(context->journal, config->link.routes_topic, text, true, &err) != LF_OK)
        lf_log_warning("agent", "the list of task routes could not be queued: %s", err.text);
    free(text);
    cJSON_Delete(note);
}

/* The name of their route with this digest; NULL: none. */
static const char *their_route(const cJSON *list, const char *hex)
{
    const cJSON *entry;
    cJSON_ArrayForEach (entry, lf_json_at(list, "tasks"))
        if (!strcmp(lf_json_text_or(entry, "digest", ""), hex))
            return lf_json_text_or(entry, "route", "?");
    return NULL;
}

/* The routes that both have: `"weigh", "dose" (there "dispense")`; "": none. */
static void list_shared(const struct lf_config *config, const cJSON *list, char *text, size_t room)
{
    char hex[LF_SHA256_HEX];
    for (size_t i = 0; i < config->route_count; i++) {
        const struct lf_config_route *route = &config->routes[i];
        const char *theirs = route->kind->claims && digest_of(route, hex) ? their_route(list, hex) : NULL;
        size_t used = strlen(text);
        if (!theirs)
            continue;
        snprintf(text + used, room - used, "%s\"%.60s\"", used ? ", " : "", route->name);
        used = strlen(text);
        if (strcmp(theirs, route->name) != 0)
            snprintf(text + used, room - used, " (there \"%.60s\")", theirs);
    }
}

void neighbours_seen(struct lf_context *context, const char *name, struct lf_slice text)
{
    char shared[300] = "", about[100], what[500], todo[500];
    cJSON *list = NULL;
    struct lf_error err = {0};
    lf_json_parse(text, &list, &(struct lf_error){0}); /* what is not a list names no route */
    list_shared(context->config, list, shared, sizeof shared);
    cJSON_Delete(list);
    snprintf(about, sizeof about, "tasks of %.80s", name);
    snprintf(
        what, sizeof what,
        "the agent \"%.80s\" of this site takes the same tasks, by the route %s: Benchling cannot reserve a "
        "task, so both may do one",
        name, shared);
    snprintf(
        todo, sizeof todo,
        "have each of the two select its own tasks in \"where\", or remove the route from one; if that agent is "
        "gone, publish an empty retained message on %.200s/agents/%.80s/routes",
        context->config->link.site_topic, name);
    struct lf_concern concern = {.source = "agent",
                                 .about = about,
                                 .stands = true,
                                 .text = what,
                                 .todo = todo};
    enum lf_status status = *shared ? lf_journal_concern(context->journal, &concern, &err)
                                    : lf_journal_concern_over(context->journal, "agent", about, &err);
    if (status != LF_OK)
        lf_log_warning("agent", "that another agent takes the same tasks cannot be noted: %s", err.text);
    else if (*shared)
        lf_log_error("agent", "%s", what);
}
