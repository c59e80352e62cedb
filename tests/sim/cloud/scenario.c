#include "scenario.h"

#include "automation.h"
#include "shape.h"
#include "workflow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario_builtin.h" /* made from tests/sim/scenarios/plate-prep.json when building */

enum { SCENARIO_MOST = 8 * 1024 * 1024 };

static const char run_schema_shape[] =
    "name:s!, systemName:s, fields:[o], inputFileConfigs:[o], outputFileConfigs:[o]";
static const char input_shape[] = "name:s!, fileExtension:s, delimiter:s1, rows:i0..1000000, columns:[o]";
static const char output_shape[] = "name:s!, delimiter:s1, transform:b, columns:[o]";
static const char field_shape[] =
    "name:s!, type:text|long_text|float|integer|boolean|date|datetime|json, required:b";
static const char column_shape[] = "name:s!, value:s, type:text|float|integer, required:b";
static const char task_schema_shape[] =
    "name:s!, prefix:s, fields:[o], outputFields:[o], statuses:[o]!, transitions:[o]!";
static const char status_shape[] = "name:s!, type:PENDING|IN_PROGRESS|FAILED|CANCELLED|INVALID|COMPLETED";
static const char transition_shape[] = "from:s!, to:s!";
static const char run_shape[] = "schema:s!, id:s, fields:f";
static const char task_shape[] = "schema:s!, group:s, fields:f";

struct loader {
    struct sim *sim;
    char *problem;
    size_t size;
};

static bool check(struct loader *loader, const char *what, const char *shape, const cJSON *object)
{
    char problem[160];
    if (sim_shape_check(shape, object, problem, sizeof problem))
        return true;
    snprintf(loader->problem, loader->size, "scenario, %s \"%.60s\": %s", what,
             lf_json_text_or(object, "name", lf_json_text_or(object, "schema", "?")), problem);
    return false;
}

static bool check_all(struct loader *loader, const char *what, const char *shape, const cJSON *list)
{
    const cJSON *object;
    cJSON_ArrayForEach (object, list)
        if (!check(loader, what, shape, object))
            return false;
    return true;
}

static bool fail(struct loader *loader, const char *what, const char *name)
{
    snprintf(loader->problem, loader->size, "scenario: %s \"%.100s\"", what, name);
    return false;
}

/* ---- schemas ---- */

static void add_definition(cJSON *list, const cJSON *field)
{
    char id[SIM_ID];
    cJSON *definition = cJSON_CreateObject();
    const char *type = lf_json_text_or(field, "type", "text");
    sim_new_id(id, "tsf");
    sim_set_text(definition, "id", id);
    sim_set_text(definition, "name", lf_json_text_or(field, "name", ""));
    sim_set_text(definition, "type", type);
    sim_set_bool(definition, "isMulti", false);
    sim_set_bool(definition, "isRequired", lf_json_bool(field, "required", false));
    sim_set(definition, "archiveRecord", cJSON_CreateNull());
    if (!strcmp(type, "float") || !strcmp(type, "integer")) {
        sim_set(definition, "numericMin", cJSON_CreateNull());
        sim_set(definition, "numericMax", cJSON_CreateNull());
    }
    cJSON_AddItemToArray(list, definition);
}

static cJSON *schema_json(const char *prefix, const char *name, const char *type, const cJSON *fields)
{
    char id[SIM_ID];
    const cJSON *field;
    cJSON *json = cJSON_CreateObject();
    sim_new_id(id, prefix);
    sim_set_text(json, "id", id);
    sim_set_text(json, "name", name);
    sim_set_text(json, "type", type);
    sim_set(json, "archiveRecord", cJSON_CreateNull());
    cJSON *definitions = sim_array(json, "fieldDefinitions");
    cJSON_ArrayForEach (field, fields)
        add_definition(definitions, field);
    return json;
}

static cJSON *organization(void)
{
    cJSON *json = cJSON_CreateObject();
    sim_set_text(json, "id", "org_simulate");
    sim_set_text(json, "handle", "simulator");
    sim_set_text(json, "name", "Simulator");
    return json;
}

/* The names of the file configs, which is all that the API shows of them. */
static void show_configs(cJSON *json, const char *key, const cJSON *configs)
{
    const cJSON *config;
    cJSON *list = sim_array(json, key);
    cJSON_ArrayForEach (config, configs) {
        cJSON *shown = cJSON_CreateObject();
        sim_set_text(shown, "name", lf_json_text_or(config, "name", ""));
        cJSON_AddItemToArray(list, shown);
    }
}

static bool check_configs(struct loader *loader, const cJSON *schema, const char *key, const char *shape)
{
    const cJSON *config, *configs = lf_json_at(schema, key);
    if (!check_all(loader, key, shape, configs))
        return false;
    cJSON_ArrayForEach (config, configs)
        if (!check_all(loader, "column", column_shape, lf_json_at(config, "columns")))
            return false;
    return true;
}

static bool load_run_schema(struct loader *loader, const cJSON *schema)
{
    const char *name = lf_json_text_or(schema, "name", "");
    if (!check(loader, "run schema", run_schema_shape, schema)
        || !check_all(loader, "field", field_shape, lf_json_at(schema, "fields"))
        || !check_configs(loader, schema, "inputFileConfigs", input_shape)
        || !check_configs(loader, schema, "outputFileConfigs", output_shape))
        return false;
    if (sim_table_named(&loader->sim->run_schemas, name))
        return fail(loader, "there is a run schema already with the name", name);
    cJSON *json = schema_json("assaysch", name, "assay_run", lf_json_at(schema, "fields"));
    sim_set_text(json, "derivedFrom", NULL);
    sim_set(json, "organization", organization());
    sim_set_text(json, "systemName", lf_json_text_or(schema, "systemName", name));
    sim_stamp(json, "modifiedAt");
    show_configs(json, "automationInputFileConfigs", lf_json_at(schema, "inputFileConfigs"));
    show_configs(json, "automationOutputFileConfigs", lf_json_at(schema, "outputFileConfigs"));
    sim_table_add(&loader->sim->run_schemas, json, cJSON_Duplicate(schema, true));
    return true;
}

/* ---- lifecycles ---- */

static cJSON *lifecycle_json(const cJSON *schema)
{
    char id[SIM_ID];
    const cJSON *entry;
    cJSON *json = cJSON_CreateObject(), *statuses = sim_array(json, "statuses");
    sim_new_id(id, "prstswf");
    sim_set_text(json, "id", id);
    sim_set_text(json, "name", lf_json_text_or(schema, "name", ""));
    cJSON_ArrayForEach (entry, lf_json_at(schema, "statuses")) {
        cJSON *status = cJSON_CreateObject();
        sim_new_id(id, "wfts");
        sim_set_text(status, "id", id);
        sim_set_text(status, "displayName", lf_json_text_or(entry, "name", ""));
        sim_set_text(status, "statusType", lf_json_text_or(entry, "type", "PENDING"));
        cJSON_AddItemToArray(statuses, status);
    }
    sim_set(json, "initialStatus", cJSON_Duplicate(cJSON_GetArrayItem(statuses, 0), true));
    sim_array(json, "transitions");
    return json;
}

static bool add_transitions(struct loader *loader, struct sim_item *schema, const cJSON *transitions)
{
    const cJSON *entry;
    cJSON *lifecycle = cJSON_GetObjectItemCaseSensitive(schema->json, "statusLifecycle");
    cJSON *list = sim_array(lifecycle, "transitions");
    cJSON_ArrayForEach (entry, transitions) {
        const cJSON *from = sim_status_find(schema, lf_json_text(entry, "from"));
        const cJSON *to = sim_status_find(schema, lf_json_text(entry, "to"));
        if (!from || !to) {
            return fail(loader, "a transition names an unknown status",
                        lf_json_text_or(entry, from ? "to" : "from", ""));
        }
        cJSON *transition = cJSON_CreateObject();
        sim_set(transition, "from", cJSON_Duplicate(from, true));
        sim_set(transition, "to", cJSON_Duplicate(to, true));
        cJSON_AddItemToArray(list, transition);
    }
    return true;
}

static void set_task_schema_rest(cJSON *json, const cJSON *schema)
{
    char name[200];
    const char *prefix = lf_json_text_or(schema, "prefix", "T");
    sim_set_text(json, "prefix", prefix);
    snprintf(name, sizeof name, "%.20sG", prefix);
    sim_set_text(json, "taskGroupPrefix", name);
    sim_set_bool(json, "canSetAssigneeOnTaskCreation", true);
    sim_set_bool(json, "isPropagateWatchersEnabled", false);
    sim_set_text(json, "defaultCreationFolderId", NULL);
    sim_set_text(json, "defaultEntryExecutionFolderId", NULL);
    sim_set_text(json, "defaultResponsibleTeam", NULL);
    sim_set_text(json, "entryTemplateId", NULL);
    sim_set_text(json, "executionType", "DIRECT");
    sim_array(json, "defaultResponsibleParties");
    sim_stamp(json, "modifiedAt");
    sim_set(json, "statusLifecycle", lifecycle_json(schema));
    const cJSON *fields = lf_json_at(schema, "outputFields");
    cJSON *output = cJSON_CreateNull();
    if (cJSON_GetArraySize(fields) > 0) {
        cJSON_Delete(output);
        snprintf(name, sizeof name, "%.150s output", lf_json_text_or(schema, "name", ""));
        output = schema_json("wfoutsch", name, "workflow_output", fields);
        sim_set_text(output, "prefix", "O");
    }
    sim_set(json, "workflowOutputSchema", output);
}

static bool load_task_schema(struct loader *loader, const cJSON *schema)
{
    const char *name = lf_json_text_or(schema, "name", "");
    if (!check(loader, "task schema", task_schema_shape, schema)
        || !check_all(loader, "field", field_shape, lf_json_at(schema, "fields"))
        || !check_all(loader, "output field", field_shape, lf_json_at(schema, "outputFields"))
        || !check_all(loader, "status", status_shape, lf_json_at(schema, "statuses"))
        || !check_all(loader, "transition", transition_shape, lf_json_at(schema, "transitions")))
        return false;
    if (cJSON_GetArraySize(lf_json_at(schema, "statuses")) == 0)
        return fail(loader, "a lifecycle needs statuses; this task schema has none:", name);
    if (sim_table_named(&loader->sim->task_schemas, name))
        return fail(loader, "there is a task schema already with the name", name);
    cJSON *json = schema_json("prstsch", name, "workflow_task", lf_json_at(schema, "fields"));
    set_task_schema_rest(json, schema);
    struct sim_item *item = sim_table_add(&loader->sim->task_schemas, json, NULL);
    return add_transitions(loader, item, lf_json_at(schema, "transitions"));
}

/* ---- runs and tasks ---- */

static bool load_run(struct loader *loader, const cJSON *run)
{
    if (!check(loader, "run", run_shape, run))
        return false;
    const char *name = lf_json_text_or(run, "schema", ""), *id = lf_json_text(run, "id");
    const struct sim_item *schema = sim_table_named(&loader->sim->run_schemas, name);
    if (!schema)
        return fail(loader, "a run names an unknown run schema:", name);
    if (sim_table_find(&loader->sim->runs, id))
        return fail(loader, "there is a run already with the id", id);
    sim_run_make(loader->sim, schema, id, lf_json_at(run, "fields"));
    return true;
}

static bool load_task(struct loader *loader, const cJSON *task)
{
    char why[200];
    if (!check(loader, "task", task_shape, task))
        return false;
    const char *name = lf_json_text_or(task, "schema", "");
    const struct sim_item *schema = sim_table_named(&loader->sim->task_schemas, name);
    if (!schema)
        return fail(loader, "a task names an unknown task schema:", name);
    if (sim_fields_check(lf_json_at(schema->json, "fieldDefinitions"), lf_json_at(task, "fields"), why,
                         sizeof why))
        return fail(loader, why, name);
    const char *group_name = lf_json_text_or(task, "group", name);
    struct sim_item *group = sim_table_named(&loader->sim->task_groups, group_name);
    if (!group)
        group = sim_group_make(loader->sim, schema, group_name, "lib_simulate");
    sim_workflow_task_make(loader->sim, group, lf_json_at(task, "fields"));
    return true;
}

static bool load_each(struct loader *loader, const cJSON *scenario, const char *key,
                      bool (*load)(struct loader *, const cJSON *))
{
    const cJSON *entry;
    cJSON_ArrayForEach (entry, lf_json_at(scenario, key))
        if (!load(loader, entry))
            return false;
    return true;
}

bool sim_scenario_load(struct sim *sim, const cJSON *scenario,
                       char *problem, // NOLINT(readability-non-const-parameter): filled
                       size_t problem_size)
{
    struct loader loader = {.sim = sim, .problem = problem, .size = problem_size};
    return check(&loader, "whole", "name:s, about:s, runSchemas:[o], taskSchemas:[o], runs:[o], tasks:[o]",
                 scenario)
           && load_each(&loader, scenario, "runSchemas", load_run_schema)
           && load_each(&loader, scenario, "taskSchemas", load_task_schema)
           && load_each(&loader, scenario, "runs", load_run)
           && load_each(&loader, scenario, "tasks", load_task);
}

/* ---- where scenarios come from ---- */

static cJSON *parse(const char *name, const char *text, size_t len)
{
    struct lf_error error = {0};
    cJSON *json = NULL;
    if (lf_json_parse(lf_slice(text, len), &json, &error) != LF_OK)
        sim_die("scenario %s: %s", name, error.text);
    return json;
}

cJSON *sim_scenario_builtin(void)
{
    return parse("(built in)", (const char *)scenario_builtin, sizeof scenario_builtin);
}

cJSON *sim_scenario_read(const char *path)
{
    char *text = sim_alloc(SCENARIO_MOST);
    FILE *file = fopen(path, "re");
    if (!file)
        sim_die("cannot open --scenario %s: %s", path, strerror(errno));
    size_t len = fread(text, 1, SCENARIO_MOST, file);
    fclose(file);
    cJSON *json = parse(path, text, len);
    free(text);
    return json;
}
