/* The known types and the names in `on`. Sources: Benchling events reference; the OpenAPI `Event`
 * discriminator; the webhook types of the SDK.
 */
#include "event/kind.h"
#include "base/setting.h"
#include "base/units.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const struct lf_event_kind event__kinds[] = {
    {"automationInputGenerator.completed", "automationInputGenerator", LF_STATE_FILE},
    {"automationOutputProcessor.completed", "automationOutputProcessor", LF_STATE_FILE},
    {"automationOutputProcessor.uploaded", "automationOutputProcessor", LF_STATE_FILE},
    {"automationFileTransform.updated.status.pending", "automationFileTransform", LF_STATE_MOMENT},
    {"automationFileTransform.updated.status.running", "automationFileTransform", LF_STATE_MOMENT},
    {"automationFileTransform.updated.status.succeeded", "automationFileTransform", LF_STATE_MOMENT},
    {"automationFileTransform.updated.status.failed", "automationFileTransform", LF_STATE_MOMENT},
    {"assayRun.created", "assayRun", LF_STATE_ONCE},
    {"assayRun.updated.fields", "assayRun", LF_STATE_MOMENT},
    {"run.created", "run", LF_STATE_ONCE}, /* v3 */
    {"workflowTask.created", "workflowTask", LF_STATE_ONCE},
    {"workflowTask.updated.assignee", "workflowTask", LF_STATE_MOMENT},
    {"workflowTask.updated.fields", "workflowTask", LF_STATE_MOMENT},
    {"workflowTask.updated.scheduledOn", "workflowTask", LF_STATE_MOMENT},
    {"workflowTask.updated.status", "workflowTask", LF_STATE_STATUS},
    {"workflowTaskGroup.created", "workflowTaskGroup", LF_STATE_ONCE},
    {"workflowTaskGroup.mappingCompleted", "workflowTaskGroup", LF_STATE_MOMENT},
    {"workflowTaskGroup.updated.watchers", "workflowTaskGroup", LF_STATE_MOMENT},
    {"workflowOutput.created", "workflowOutput", LF_STATE_ONCE},
    {"workflowOutput.updated.fields", "workflowOutput", LF_STATE_MOMENT},
    {"entity.registered", "entity", LF_STATE_MOMENT}, /* can be unregistered and registered again */
    {"entry.created", "entry", LF_STATE_ONCE},
    {"entry.updated.fields", "entry", LF_STATE_MOMENT},
    {"entry.updated.reviewRecord", "entry", LF_STATE_MOMENT},
    {"request.created", "request", LF_STATE_ONCE},
    {"request.updated.fields", "request", LF_STATE_MOMENT},
    {"request.updated.status", "request", LF_STATE_MOMENT},
    {"stageEntry.created", "stageEntry", LF_STATE_ONCE},
    {"stageEntry.updated.fields", "stageEntry", LF_STATE_MOMENT},
    {"stageEntry.updated.reviewRecord", "stageEntry", LF_STATE_MOMENT},
    {"app.activateRequested", "app", LF_STATE_MOMENT},
    {"app.deactivated", "app", LF_STATE_MOMENT},
    {"app.installed", "app", LF_STATE_MOMENT},
    {"app.configuration.updated", "app", LF_STATE_MOMENT},
    {"canvas.created", "canvas", LF_STATE_ONCE},
    {"canvas.initialized", "canvas", LF_STATE_MOMENT},
    {"canvas.userInteracted", "canvas", LF_STATE_MOMENT},
    {NULL, NULL, LF_STATE_ONCE},
};

/* The versions that a name without one covers. */
static const char *const versions[] = {"v2", "v2-beta", "v2-alpha"};
enum { VERSIONS = sizeof versions / sizeof *versions };

const char *event__name_of(const char *type)
{
    const char *p = type;
    if (*p++ != 'v' || !isdigit((unsigned char)*p))
        return type;
    while (isdigit((unsigned char)*p))
        p++;
    if (*p == '-')
        for (p++; isalnum((unsigned char)*p);)
            p++;
    return *p == '.' && p[1] ? p + 1 : type;
}

const struct lf_event_kind *event__kind_find(const char *name)
{
    for (const struct lf_event_kind *kind = event__kinds; kind->name; kind++)
        if (!strcmp(kind->name, name))
            return kind;
    return NULL;
}

/* A trailing '*' matches any rest. */
static bool names(const char *pattern, const char *name)
{
    size_t len = strlen(pattern);
    if (len > 0 && pattern[len - 1] == '*')
        return !strncmp(pattern, name, len - 1);
    return !strcmp(pattern, name);
}

/* Does `on` cover this version? Without a version it covers those of v2. */
static bool asks_version(const char *on, const char *version, size_t len)
{
    const char *name = event__name_of(on);
    if (name != on)
        return (size_t)(name - on) == len + 1 && !strncmp(on, version, len);
    for (size_t i = 0; i < VERSIONS; i++)
        if (strlen(versions[i]) == len && !strncmp(versions[i], version, len))
            return true;
    return false;
}

bool lf_event_is_on(const struct lf_event *event, const char *on)
{
    if (event->name == event->type)
        return names(on, event->name);
    return asks_version(on, event->type, (size_t)(event->name - event->type) - 1)
           && names(event__name_of(on), event->name);
}

bool event__covers(const char *on, const struct lf_event_kind *kind)
{
    const char *name = event__name_of(on);
    return *name && names(name, kind->name);
}

enum lf_status lf_event_on_check(const char *on, struct lf_error *err)
{
    const char *name = event__name_of(on);
    struct lf_nearest nearest = {.word = name};
    for (const struct lf_event_kind *kind = event__kinds; kind->name; kind++) {
        if (*name && names(name, kind->name))
            return LF_OK;
        lf_nearest_try(&nearest, kind->name);
    }
    if (nearest.name)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "unknown event \"%.100s\"; did you mean \"%.*s%s\"?",
                       on, (int)(name - on), on, nearest.name);
    return lf_fail(err, LF_INVALID, LF_PERMANENT,
                   "unknown event \"%.100s\"; names look like "
                   "\"automationInputGenerator.completed\" or \"workflowTask.updated.*\"",
                   on);
}

void lf_event_on_types(const char *on, void (*each)(void *context, const char *type), void *context)
{
    const char *name = event__name_of(on);
    char type[160];
    for (const struct lf_event_kind *kind = event__kinds; kind->name; kind++)
        for (size_t i = 0; names(name, kind->name) && i < (name == on ? VERSIONS : 1); i++) {
            if (name == on)
                snprintf(type, sizeof type, "%s.%s", versions[i], kind->name);
            else
                snprintf(type, sizeof type, "%.*s%s", (int)(name - on), on, kind->name);
            each(context, type);
        }
}
