/* Loading, from the file to the finished struct: parse -> agent, cloud, link -> instruments -> routes ->
 * topics. */
#include "config/config.h"

#include "config/load.h"
#include "config/settings.h"
#include "os/file.h"

#include <stdlib.h>
#include <string.h>

/* NULL if it is missing or of another type (reported). */
static config_setting_t *top(struct lf_load *load, const char *name, int type)
{
    config_setting_t *setting = config_lookup(&load->file, name);
    if (!setting || config_setting_type(setting) == type)
        return setting;
    if (type == CONFIG_TYPE_GROUP)
        config__load_error(load, setting, "\"%s\" must be a group: %s = { ... };", name, name);
    else
        config__load_error(load, setting, "\"%s\" must be a list of groups: %s = ( { ... }, { ... } );", name,
                           name);
    return NULL;
}

static void need_group(struct lf_load *load, const char *name, const char *why)
{
    if (!config_lookup(&load->file, name))
        config__load_error(load, NULL, "the group \"%s\" is missing: add %s = { ... };%s", name, name, why);
}

static void load_groups(struct lf_load *load)
{
    config__load_known(load, config_root_setting(&load->file), "top level", config__settings_file, NULL);
    need_group(load, "agent", "");
    need_group(load, "cloud", "");
    config_setting_t *agent = top(load, "agent", CONFIG_TYPE_GROUP);
    config_setting_t *cloud = top(load, "cloud", CONFIG_TYPE_GROUP);
    config_setting_t *link = top(load, "link", CONFIG_TYPE_GROUP);
    config_setting_t *instruments = top(load, "instruments", CONFIG_TYPE_LIST);
    config_setting_t *routes = top(load, "routes", CONFIG_TYPE_LIST);
    if (agent)
        config__load_agent(load, agent);
    if (cloud)
        config__load_cloud(load, cloud);
    if (link)
        config__load_link(load, link);
    else if (cloud && load->config->cloud.events != LF_SOURCE_POLL)
        need_group(load, "link", " or set events = \"poll\" in \"cloud\" to work without a broker");
    else if (cloud && load->hooks->check_start)
        config__load_warning(
            load, NULL,
            "without a broker nobody outside keeps the head of the audit trail: after the state folder was restored "
            "from a backup, the agent can only learn of deliveries that a share remembers. If you restore it, check "
            "the open jobs before you resume work");
    if (instruments)
        config__load_instruments(load, instruments);
    config__load_routes(load, routes);
    config__load_topics(load);
    if (load->hooks->check_start)
        config__load_start(load);
    if (load->config->instrument_count == 0)
        config__load_warning(
            load, NULL, "there are no instruments: the agent will do nothing; add some to \"instruments\"");
}

/* ---- start and end ---- */

/* Absolute, also if the file was named by a relative path: drivers take no other paths. */
static char *folder_of(const char *path)
{
    char *parent = lf_path_parent(path);
    char *real = parent && !lf_path_is_absolute(parent) ? lf_path_real(parent) : NULL;
    if (!real)
        return parent;
    free(parent);
    return real;
}

static bool start(struct lf_load *load)
{
    config_init(&load->file);
    load->digest = lf_digest_new(LF_SHA256);
    load->config = calloc(1, sizeof *load->config);
    load->folder = folder_of(load->path);
    return load->digest && load->config && load->folder;
}

static void end(struct lf_load *load)
{
    lf_config_free(load->config);
    lf_digest_free(load->digest);
    config_destroy(&load->file);
    free(load->folder);
}

static enum lf_status final_status(const struct lf_load *load, struct lf_error *err)
{
    const struct lf_config_report *report = load->report;
    const struct lf_config_problem *first = NULL;
    for (size_t i = 0; i < report->count && !first; i++)
        first = report->problems[i].severity == LF_CONFIG_ERROR ? &report->problems[i] : NULL;
    if (load->no_memory || (report->errors && !first))
        return lf_fail_memory(err, "reading the configuration");
    if (!first)
        return LF_OK;
    char line[16] = "", more[64] = "";
    if (first->line > 0)
        snprintf(line, sizeof line, ":%d", first->line);
    if (report->errors > 1)
        snprintf(more, sizeof more, " (and %zu more; list them with: labferry check)", report->errors - 1);
    return lf_fail(err, LF_INVALID, load->passing == report->errors ? LF_TRANSIENT : LF_NEEDS_PERSON,
                   "%.100s%s: %.300s%s", first->file, line, first->text, more);
}

enum lf_status lf_config_load(const char *path, const struct lf_config_hooks *hooks,
                              struct lf_config **config, struct lf_config_report *report,
                              struct lf_error *err)
{
    struct lf_config_report own = {0};
    struct lf_load load = {.path = path, .hooks = hooks, .report = report ? report : &own};
    *config = NULL;
    if (!start(&load))
        load.no_memory = true;
    else if (config__load_source(&load))
        load_groups(&load);
    config__report_sort(load.report, path);
    enum lf_status status = final_status(&load, err);
    if (status == LF_OK) {
        lf_digest_finish(load.digest, load.config->digest);
        load.digest = NULL;
        *config = load.config;
        load.config = NULL;
    }
    end(&load);
    lf_config_report_free(&own);
    return status;
}

/* ---- one place, without the rest ---- */

/* Relative paths start at the folder of the configuration. */
static char *place_of(struct lf_load *load, const char *setting)
{
    const char *text = NULL;
    const config_setting_t *group = config_lookup(&load->file, "agent");
    if (!group || config_setting_lookup_string(group, setting, &text) != CONFIG_TRUE || !*text)
        return strdup(lf_setting_find(config__settings_agent, setting)->fallback);
    return lf_path_join(load->folder, text);
}

enum lf_status lf_config_place(const char *path, const char *setting, char **place, struct lf_error *err)
{
    struct lf_config_report report = {0};
    struct lf_load load = {.path = path, .report = &report};
    *place = NULL;
    if (lf_path_check_readable(path, err) != LF_OK)
        return lf_error_prefix(err, "cannot open %s", path);
    bool good = start(&load) && config__load_source(&load);
    if (good)
        *place = place_of(&load, setting);
    load.no_memory = load.no_memory || (!*place && report.errors == 0);
    enum lf_status status = final_status(&load, err);
    end(&load);
    lf_config_report_free(&report);
    return status;
}

/* ---- lookups ---- */

const struct lf_config_instrument *lf_config_instrument(const struct lf_config *config, const char *name)
{
    for (size_t i = 0; i < config->instrument_count; i++)
        if (config->instruments[i].name && !strcmp(config->instruments[i].name, name))
            return &config->instruments[i]; /* while loading, a name may be missing */
    return NULL;
}

const struct lf_config_route *lf_config_route(const struct lf_config *config, const char *name)
{
    for (size_t i = 0; i < config->route_count; i++)
        if (!strcmp(config->routes[i].name, name))
            return &config->routes[i];
    return NULL;
}
