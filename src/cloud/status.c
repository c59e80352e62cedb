/* Status ids: the API takes ids, which differ between tenants; people and profiles use names or types. The
 * life cycle of each task schema is cached. Before a status is refused the life cycle is read again, since
 * administrators change them.
 */
#include "cloud/api.h"
#include "cloud/http_error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SCHEMAS_MAX = 64 };

/* Owned copy of a cached life cycle; NULL if there is none. */
static cJSON *cached(struct lf_cloud *cloud, const char *schema_id)
{
    lf_mutex_lock(&cloud->schemas_lock);
    cJSON *cycle = cloud->schemas
                       ? cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(cloud->schemas, schema_id), true)
                       : NULL;
    lf_mutex_unlock(&cloud->schemas_lock);
    return cycle;
}

/* Caches a copy, if there is memory for it. */
static void cache(struct lf_cloud *cloud, const char *schema_id, const cJSON *cycle)
{
    cJSON *copy = cJSON_Duplicate(cycle, true);
    lf_mutex_lock(&cloud->schemas_lock);
    if (!cloud->schemas)
        cloud->schemas = cJSON_CreateObject();
    if (cloud->schemas && cJSON_GetArraySize(cloud->schemas) >= SCHEMAS_MAX)
        cJSON_DeleteItemFromArray(cloud->schemas, 0);
    if (!cloud->schemas)
        cJSON_Delete(copy);
    else if (copy)
        lf_json_set(cloud->schemas, schema_id, copy);
    lf_mutex_unlock(&cloud->schemas_lock);
}

static enum lf_status read_cycle(struct lf_cloud *cloud, const char *schema_id, const struct lf_call *call,
                                 cJSON **cycle, struct lf_error *err)
{
    cJSON *schema = NULL;
    enum lf_status status = lf_cloud_get(cloud, LF_CLOUD_TASK_SCHEMA, schema_id, call, &schema, err);
    if (status != LF_OK)
        return status;
    *cycle = cJSON_DetachItemFromObjectCaseSensitive(schema, "statusLifecycle");
    cJSON_Delete(schema);
    cache(cloud, schema_id, *cycle);
    return LF_OK;
}

static bool is_wanted(const cJSON *status, const char *wanted)
{
    return !strcasecmp(lf_json_text_or(status, "displayName", ""), wanted)
           || !strcasecmp(lf_json_text_or(status, "statusType", ""), wanted);
}

/* A life cycle without transitions allows all of them. */
static bool is_allowed(const cJSON *cycle, const char *from, const char *to)
{
    const cJSON *transitions = lf_json_at(cycle, "transitions"), *transition;
    if (!cJSON_IsArray(transitions))
        return true;
    cJSON_ArrayForEach (transition, transitions)
        if (!strcmp(lf_json_text_or(transition, "from.id", ""), from)
            && !strcmp(lf_json_text_or(transition, "to.id", ""), to))
            return true;
    return false;
}

/* "'In Progress', 'Cancelled'": the statuses of the life cycle, or those that can follow `from`. */
static void list_names(const cJSON *cycle, const char *from, char *names, size_t room)
{
    const cJSON *status;
    size_t used = 0;
    snprintf(names, room, "none");
    cJSON_ArrayForEach (status, lf_json_at(cycle, "statuses")) {
        char name[60];
        if (from && !is_allowed(cycle, from, lf_json_text_or(status, "id", "")))
            continue;
        lf_text_show(lf_json_text_or(status, "displayName", "?"), name, sizeof name);
        int added = snprintf(names + used, room - used, "%s'%s'", used ? ", " : "", name);
        if (added < 0 || (size_t)added >= room - used)
            return;
        used += (size_t)added;
    }
}

static enum lf_status refuse(const cJSON *cycle, const cJSON *task, const char *wanted, bool known,
                             struct lf_error *err)
{
    char names[240], now[60];
    lf_text_show(lf_json_text_or(task, "status.displayName", "?"), now, sizeof now);
    list_names(cycle, known ? lf_json_text_or(task, "status.id", "") : NULL, names, sizeof names);
    if (known)
        return lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON,
                       "the workflow does not lead from '%s' to '%s'; from there it leads to: %s. Change "
                       "the task's status in Benchling, or the status names in the configuration",
                       now, wanted, names);
    return lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON,
                   "the workflow has no status '%s'; it has: %s. Correct the configuration", wanted, names);
}

/* Of several statuses with the wanted type, takes the first that can be reached. */
static enum lf_status choose(const cJSON *cycle, const cJSON *task, const char *wanted, char **status_id,
                             struct lf_error *err)
{
    const char *from = lf_json_text_or(task, "status.id", "");
    const cJSON *status;
    bool known = false;
    if (is_wanted(lf_json_at(task, "status"), wanted))
        return lf_fail(err, LF_EXISTS, LF_PERMANENT, "the workflow task is already '%s'", wanted);
    cJSON_ArrayForEach (status, lf_json_at(cycle, "statuses")) {
        const char *id = lf_json_text(status, "id");
        if (!id || !is_wanted(status, wanted))
            continue;
        known = true;
        if (!is_allowed(cycle, from, id))
            continue;
        *status_id = strdup(id);
        return *status_id ? LF_OK : lf_fail_memory(err, "choosing a status");
    }
    return refuse(cycle, task, wanted, known, err);
}

enum lf_status lf_cloud_resolve_status(struct lf_cloud *cloud, const cJSON *task, const char *wanted,
                                       const struct lf_call *call, char **status_id, struct lf_error *err)
{
    *status_id = NULL;
    enum lf_status status = cloud__schema_check(task, cloud__schema_workflow_task, err);
    if (status != LF_OK)
        return status;
    const char *schema_id = lf_json_text(task, "schema.id");
    cJSON *cycle = cached(cloud, schema_id);
    if (cycle)
        status = choose(cycle, task, wanted, status_id, err);
    if (!cycle || status == LF_REFUSED) {
        cJSON_Delete(cycle);
        cycle = NULL;
        status = read_cycle(cloud, schema_id, call, &cycle, err);
        if (status == LF_OK)
            status = choose(cycle, task, wanted, status_id, err);
    }
    cJSON_Delete(cycle);
    return status;
}
