/* The list of routes, and whether each one fits its instrument. */
#include "base/units.h"
#include "config/load.h"
#include "config/settings.h"
#include "os/file.h"

#include <stdlib.h>
#include <string.h>

static bool takes(const struct lf_config_kind *kind, const char *setting)
{
    for (const char *const *name = kind->settings; name && *name; name++)
        if (!strcmp(*name, setting))
            return true;
    return false;
}

/* The kind that `job` names; NULL: there is none (reported). */
static const struct lf_config_kind *find_kind(struct lf_load *load, config_setting_t *group,
                                              const char *where, const char *name)
{
    char known[200] = "";
    const struct lf_config_kind *kind;
    for (size_t i = 0; (kind = load->hooks->kind_at(i)); i++) {
        if (!strcmp(kind->name, name))
            return kind;
        lf_list_add(known, sizeof known, kind->name);
    }
    config__load_error(load, config__load_member(group, "job"),
                       "%s: \"job\": there is no kind of job \"%.40s\"; use one of: %s", where, name, known);
    return NULL;
}

/* ---- events and patterns ---- */

/* "v2.workflowTask.created" is about a workflowTask; anything is about NULL. */
static bool is_about(const char *on, const char *resource)
{
    const char *at = resource ? strstr(on, resource) : NULL;
    return !resource || (at && (at == on || at[-1] == '.') && at[strlen(resource)] == '.');
}

static void check_on(struct lf_load *load, const config_setting_t *at, const char *where,
                     const struct lf_config_route *route)
{
    for (size_t i = 0; i < route->on.count; i++) {
        const char *on = route->on.items[i];
        struct lf_error err;
        if (load->hooks->on_check && load->hooks->on_check(on, &err) != LF_OK) {
            config__load_note(load, &err);
            config__load_error(load, at, "%s: \"on\": %s", where, err.text);
        } else if (!is_about(on, route->kind->resource)) {
            config__load_error(load, at, "%s: a %s job needs events of %s; \"%.80s\" cannot make one", where,
                               route->kind->name, route->kind->resource, on);
        }
    }
}

static void release_json(void *json)
{
    cJSON_Delete(json);
}

/* `where` covers the detail only: turns it into a pattern over the complete envelope. */
static cJSON *pattern_from_where(struct lf_load *load, const config_setting_t *setting, const char *where)
{
    if (!config_setting_is_group(setting)) {
        config__load_error(load, setting, "%s: \"where\" must be a group { }, like the event's detail",
                           where);
        return NULL;
    }
    size_t errors = load->report->errors;
    cJSON *pattern = cJSON_CreateObject();
    if (lf_json_set(pattern, "detail", config__load_json(load, setting, where)))
        return pattern;
    cJSON_Delete(pattern);
    load->no_memory = load->no_memory || load->report->errors == errors;
    return NULL;
}

/* Where a problem with the pattern is shown. */
struct pattern_place {
    struct lf_load *load;
    const config_setting_t *setting; /* `where` or `pattern_file` */
    const char *where;
};

/* `where` begins inside the detail, and has a line for each member. */
static void report_name(void *context, const char *path, const char *text, bool certain)
{
    static const char detail[] = "detail.";
    const struct pattern_place *place = context;
    const config_setting_t *at = NULL;
    if (config_setting_is_group(place->setting) && !strncmp(path, detail, sizeof detail - 1)) {
        path += sizeof detail - 1;
        at = config_setting_lookup((config_setting_t *)place->setting, path);
    }
    config__load_problem(place->load, certain ? LF_CONFIG_ERROR : LF_CONFIG_WARNING, at ? at : place->setting,
                         "%s: \"%s\": %.200s: %s", place->where, config_setting_name(place->setting), path,
                         text);
}

static void read_pattern(struct lf_load *load, config_setting_t *group, const char *where,
                         struct lf_config_route *route)
{
    const config_setting_t *inline_pattern = config_setting_get_member(group, "where");
    const config_setting_t *file = config_setting_get_member(group, "pattern_file");
    if (inline_pattern && file) {
        config__load_error(load, file, "%s: both \"where\" and \"pattern_file\" are given; keep one", where);
        return;
    }
    const config_setting_t *at = inline_pattern ? inline_pattern : file;
    struct lf_error err;
    cJSON *pattern = NULL;
    if (inline_pattern)
        pattern = pattern_from_where(load, inline_pattern, where);
    else if (route->pattern_file
             && lf_path_check_readable(route->pattern_file, &err) == LF_OK) /* else already reported */
        pattern = config__load_json_file(load, file, route->pattern_file);
    route->pattern = pattern ? config__load_keep(load, pattern, release_json) : NULL;
    struct pattern_place place = {load, at, where};
    if (route->pattern && load->hooks->pattern_check
        && load->hooks->pattern_check(route->pattern, &route->on, report_name, &place, &err) != LF_OK) {
        config__load_note(load, &err);
        config__load_error(load, at, "%s: \"%s\": %s", where, config_setting_name(at), err.text);
    }
}

/* Benchling cannot give a task to one agent only: two that see it may both do it. So each route takes the
 * tasks of its own agent. */
static void check_selection(struct lf_load *load, const config_setting_t *group, const char *where,
                            const struct lf_config_route *route)
{
    if (!route->kind->selectors || route->only_agent)
        return;
    if (route->pattern && load->hooks->pattern_asks
        && load->hooks->pattern_asks(route->pattern, route->kind->selectors))
        return;
    config__load_error(
        load, config_setting_get_member(group, "where") ? config__load_member(group, "where") : group,
        "%s: nothing says which tasks are for this agent, and two agents that see the same task "
        "would both do it. Select its tasks in \"where\" by a field, the assignee or the name of a "
        "status, as in workflowTask = { fields = { Bench = { textValue = [ \"%.60s\" ]; }; }; }; or "
        "write only_agent = true if no other agent of the tenant takes these tasks",
        where, load->config->agent.name ? load->config->agent.name : "bench-3");
}

/* ---- the instrument's side ---- */

static void check_instrument(struct lf_load *load, config_setting_t *group, const char *where,
                             const struct lf_config_route *route)
{
    if (!route->instrument) {
        if (!route->kind->no_instrument)
            config__load_error(load, group, "%s: \"instrument\" is missing: a %s job needs one", where,
                               route->kind->name);
        return;
    }
    const config_setting_t *at = config__load_member(group, "instrument");
    const struct lf_config_instrument *instrument = lf_config_instrument(load->config, route->instrument);
    if (!instrument) {
        struct lf_nearest nearest = {.word = route->instrument};
        char hint[LF_HINT];
        for (size_t i = 0; i < load->config->instrument_count; i++)
            lf_nearest_try(&nearest, load->instruments[i].name);
        config__load_error(load, at, "%s: there is no instrument \"%.70s\"%s", where, route->instrument,
                           lf_nearest_hint(&nearest, "; add it to \"instruments\"", hint));
        return;
    }
    if (!instrument->driver)
        return; /* already reported */
    if (load->hooks->driver_can && !load->hooks->driver_can(instrument->driver, route->kind->ability)) {
        config__load_error(load, at, "%s: instrument \"%s\" cannot do a %s job: its driver \"%s\" cannot",
                           where, route->instrument, route->kind->name, instrument->driver);
        return;
    }
    if (route->procedure && takes(route->kind, "procedure") && instrument->settings
        && load->hooks->procedure_check)
        config__load_names(load, group, where, route, instrument);
    if (route->report == LF_REPORT_FILE && instrument->collect_count == 0) {
        config__load_error(
            load, config__load_member(group, "report"),
            "%s: the file is handled like the instrument's results: add \"collect\" to instrument \"%s\"",
            where, route->instrument);
    }
}

/* One that is unknown was reported. */
static bool knows_procedure(const struct lf_load *load, const struct lf_config_instrument *instrument,
                            const char *procedure)
{
    struct lf_error ignored;
    return !load->hooks->procedure_check
           || load->hooks->procedure_check(instrument->driver, instrument->settings, procedure, NULL,
                                           &ignored)
                  == LF_OK;
}

/* One load weighed for three samples is a wrong result that nobody notices. */
static void check_start(struct lf_load *load, config_setting_t *group, const char *where,
                        const struct lf_config_route *route)
{
    const struct lf_config_instrument *instrument = route->instrument
                                                        ? lf_config_instrument(load->config,
                                                                               route->instrument)
                                                        : NULL;
    if (!route->kind->claims || !route->procedure || !instrument || !instrument->driver
        || !instrument->settings || !load->hooks->procedure_signs
        || !knows_procedure(load, instrument, route->procedure)
        || load->hooks->procedure_signs(instrument->driver, instrument->settings, route->procedure))
        return;
    if (route->start == LF_START_SIGN)
        config__load_error(load, config__load_member(group, "start"),
                           "%s: \"start\": the procedure \"%.80s\" of %s has no sign; use \"operator\" or "
                           "\"at-once\"",
                           where, route->procedure, instrument->name);
    if (route->start == LF_START_AUTO)
        config__load_warning(
            load, group,
            "%s: %s cannot show that a person has changed the sample, so tasks that wait are "
            "done one right after the other. Write start = \"operator\" if a person changes "
            "samples, or start = \"at-once\" if nobody has to",
            where, instrument->name);
}

static bool any_kind_takes(const struct lf_load *load, const char *setting)
{
    const struct lf_config_kind *kind;
    for (size_t i = 0; (kind = load->hooks->kind_at(i)); i++)
        if (takes(kind, setting))
            return true;
    return false;
}

static void refuse_other_settings(struct lf_load *load, const config_setting_t *group, const char *where,
                                  const struct lf_config_kind *kind)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(member);
        if (!takes(kind, name) && any_kind_takes(load, name))
            config__load_error(load, member, "%s: \"%s\" is not for job = \"%s\"; remove it", where, name,
                               kind->name);
    }
}

static bool any_about(const struct lf_texts *on, const char *resource)
{
    for (size_t i = 0; i < on->count; i++)
        if (is_about(on->items[i], resource))
            return true;
    return false;
}

/* The paths of an event's inputs start inside its resource; in `where` they start with its name. */
static void check_paths(struct lf_load *load, const config_setting_t *inputs, const char *where,
                        const struct lf_config_route *route)
{
    char first[80];
    for (size_t i = 0; i < route->input_count; i++) {
        const char *path = route->inputs[i].field;
        size_t len = strcspn(path, ".");
        snprintf(first, sizeof first, "%.*s", (int)len, path);
        if (path[len] && any_about(&route->on, first))
            config__load_error(load, inputs, "%s: \"inputs\": paths start inside %s: \"%.80s\"", where, first,
                               path + len + 1);
    }
}

static void read_kind_settings(struct lf_load *load, config_setting_t *group, const char *where,
                               struct lf_config_route *route)
{
    config_setting_t *inputs = config_setting_get_member(group, "inputs");
    config_setting_t *outputs = config_setting_get_member(group, "outputs");
    if (inputs)
        route->inputs = config__load_map(load, inputs, where, &route->input_count);
    if (!route->kind->claims)
        check_paths(load, inputs, where, route);
    if (outputs)
        route->outputs = config__load_map(load, outputs, where, &route->output_count);
    if (!config_setting_get_member(group, "procedure"))
        config__load_error(load, group,
                           "%s: \"procedure\" is missing: a %s job runs a procedure of the instrument", where,
                           route->kind->name);
    if (route->report == LF_REPORT_FILE && !route->run_field)
        config__load_error(load, config__load_member(group, "report"),
                           "%s: \"run_field\" is missing: report = \"file\" needs the run that the file "
                           "belongs to",
                           where);
    if (route->report == LF_REPORT_OUTPUT && route->run_field)
        config__load_error(load, config__load_member(group, "run_field"),
                           "%s: \"run_field\" goes with report = \"file\"; add that or remove this", where);
}

/* ---- other routes ---- */

static bool shares_event(const struct lf_config_route *one, const struct lf_config_route *other)
{
    for (size_t i = 0; i < one->on.count; i++)
        for (size_t k = 0; k < other->on.count; k++)
            if (!strcmp(one->on.items[i], other->on.items[k]))
                return true;
    return false;
}

/* Does every task that one takes make a second job, for the other? */
static bool takes_same_tasks(const struct lf_config_route *one, const struct lf_config_route *other)
{
    return one->kind == other->kind && one->name && one->instrument && one->procedure
           && (strcmp(one->instrument, other->instrument) != 0
               || strcmp(one->procedure, other->procedure) != 0) /* else it is the same job */
           && shares_event(one, other)
           && (one->pattern ? cJSON_Compare(one->pattern, other->pattern, true) : !other->pattern);
}

/* Hardly ever meant: the second job finds the task taken. */
static void warn_same_tasks(struct lf_load *load, config_setting_t *group, const char *where,
                            const struct lf_config_route *route)
{
    if (!route->name || !route->instrument || !route->procedure || !route->kind->claims)
        return;
    for (const struct lf_config_route *other = load->routes; other < route; other++)
        if (takes_same_tasks(other, route))
            config__load_warning(load, group,
                                 "%s matches the same tasks as route \"%s\": only the job of \"%s\" will "
                                 "work on each task; that of \"%s\" will be cancelled. Tell them apart with "
                                 "\"where\", or remove one",
                                 where, other->name, other->name, route->name);
}

/* ---- one route ---- */

static void read_route(struct lf_load *load, config_setting_t *group, struct lf_config_route *route)
{
    const char *where = config__load_entry(load, group, "route");
    route->at = config__load_at(load, group);
    if (!where || !route->at)
        return;
    struct lf_values *values;
    const config_setting_t *only_agent = config_setting_get_member(group, "only_agent");
    config__load_known(load, group, where, config__settings_route, NULL);
    config__load_values(load, group, where, config__settings_route, route, &values);
    size_t errors = load->report->errors;
    read_pattern(load, group, where, route);
    bool pattern_wrong = load->report->errors != errors;
    if (values && lf_values_given(values, "job"))
        route->kind = find_kind(load, group, where, route->job);
    if (!route->kind) {
        load->report->more = true; /* the other checks depend on it */
        return;
    }
    if (!lf_values_given(values, "not_after"))
        route->not_after_ms = load->config->agent.not_after_ms;
    refuse_other_settings(load, group, where, route->kind);
    if (takes(route->kind, "procedure"))
        read_kind_settings(load, group, where, route);
    check_on(load, config__load_member(group, "on"), where, route);
    if (pattern_wrong || (only_agent && config_setting_type(only_agent) != CONFIG_TYPE_BOOL))
        load->report->more = true; /* the selection of tasks depends on them */
    else
        check_selection(load, group, where, route);
    check_instrument(load, group, where, route);
    check_start(load, group, where, route);
    warn_same_tasks(load, group, where, route);
}

/* Does it have results, found by its driver or made by a task? */
static bool has_results(const struct lf_load *load, const struct lf_config_instrument *instrument)
{
    const struct lf_config_kind *kind;
    for (size_t i = 0; (kind = load->hooks->kind_at(i)); i++)
        if (kind->collects && load->hooks->driver_can(instrument->driver, kind->ability))
            return true;
    for (size_t i = 0; i < load->config->route_count; i++) {
        const struct lf_config_route *route = &load->routes[i];
        if (route->report == LF_REPORT_FILE && route->instrument
            && !strcmp(route->instrument, instrument->name))
            return true;
    }
    return false;
}

static void check_collects(struct lf_load *load, const config_setting_t *instruments)
{
    for (size_t i = 0; load->hooks->driver_can && i < load->config->instrument_count; i++) {
        const struct lf_config_instrument *instrument = &load->instruments[i];
        const config_setting_t *group = config_setting_get_elem(instruments, (unsigned)i);
        if (instrument->driver && instrument->name && instrument->collect_count
            && !has_results(load, instrument))
            config__load_error(load, config__load_member(group, "collect"),
                               "instrument \"%s\": its driver \"%s\" finds no results; remove \"collect\"",
                               instrument->name, instrument->driver);
    }
}

void config__load_routes(struct lf_load *load, config_setting_t *list)
{
    int count = list ? config_setting_length(list) : 0;
    load->routes = config__load_alloc(load, (size_t)count, sizeof *load->routes);
    if (!load->routes)
        return;
    load->config->routes = load->routes;
    load->config->route_count = (size_t)count;
    for (int i = 0; i < count; i++) {
        config_setting_t *group = config_setting_get_elem(list, (unsigned)i);
        if (config_setting_is_group(group))
            read_route(load, group, &load->routes[i]);
        else
            config__load_error(load, group, "route %d must be a group { } of settings", i + 1);
    }
    const config_setting_t *instruments = config_lookup(&load->file, "instruments");
    if (instruments)
        check_collects(load, instruments);
}
