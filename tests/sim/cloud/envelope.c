#include "envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *print_and_delete(cJSON *json)
{
    char *text = lf_json_print(json);
    if (!text)
        sim_die("out of memory (an envelope)");
    cJSON_Delete(json);
    return text;
}

static char *eventbridge(const struct sim *sim, const struct sim_event *event)
{
    char time[LF_TIME_TEXT], source[200];
    cJSON *json = cJSON_CreateObject();
    lf_time_format(event->wall_ms, time);
    snprintf(strchr(time, '.'), 8, "Z"); /* whole seconds, unlike detail.createdAt */
    snprintf(source, sizeof source, "aws.partner/benchling.com/%s/simulator", sim->options.site);
    sim_set_text(json, "version", "0");
    sim_set_text(json, "id", event->aws_id);
    sim_set_text(json, "detail-type", event->type);
    sim_set_text(json, "source", source);
    sim_set_text(json, "account", "123456789012");
    sim_set_text(json, "time", time);
    sim_set_text(json, "region", "us-west-2");
    sim_array(json, "resources");
    sim_set(json, "detail", cJSON_CreateRaw(event->detail));
    return print_and_delete(json);
}

/* The resource is the one member that is an object and not the schema. */
static const char *resource_id(const cJSON *detail)
{
    const cJSON *member;
    cJSON_ArrayForEach (member, detail)
        if (cJSON_IsObject(member) && strcmp(member->string, "schema") != 0)
            return lf_json_text_or(member, "id", "");
    return "";
}

/* A webhook's message is thin: it names the resource instead of carrying it. */
static cJSON *thin_message(const struct sim_event *event)
{
    static const char *const kept[] = {"id",     "createdAt", "deprecated", "excludedProperties",
                                       "schema", "updates"};
    cJSON *detail = NULL, *message = cJSON_CreateObject();
    if (lf_json_parse(lf_slice_text(event->detail), &detail, &(struct lf_error){0}) != LF_OK)
        return message;
    sim_set_text(message, "type", event->type);
    sim_set_text(message, "resourceId", resource_id(detail));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const cJSON *member = cJSON_GetObjectItemCaseSensitive(detail, kept[i]);
        if (member)
            sim_set(message, kept[i], cJSON_Duplicate(member, true));
    }
    cJSON_Delete(detail);
    return message;
}

static char *webhook(const struct sim *sim, const struct sim_event *event)
{
    cJSON *json = cJSON_CreateObject(), *app = cJSON_CreateObject(), *definition = cJSON_CreateObject();
    sim_set_text(json, "version", "0");
    sim_set_text(json, "baseURL", sim->base_url);
    sim_set_text(json, "tenantId", "ten_simulate");
    sim_set_text(app, "id", "app_simulate");
    sim_set(json, "app", app);
    sim_set_text(definition, "id", "appdef_simulate");
    sim_set_text(definition, "versionNumber", "0.0.1");
    sim_set(json, "appDefinition", definition);
    sim_set_text(json, "channel", "events");
    sim_set(json, "message", thin_message(event));
    return print_and_delete(json);
}

char *sim_envelope(const struct sim *sim, const struct sim_event *event)
{
    if (!strcmp(sim->options.envelope, "bare"))
        return sim_text(event->detail);
    return !strcmp(sim->options.envelope, "webhook") ? webhook(sim, event) : eventbridge(sim, event);
}
