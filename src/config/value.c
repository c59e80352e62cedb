/* From libconfig's values to settings, maps and JSON. */
#include "config/load.h"

#include "base/file.h"
#include "base/units.h"
#include "os/file.h"
#include "os/path.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_DEPTH = 50 };
#define EXACT_INTEGER (INT64_C(1) << 53) /* the largest integer that all JSON readers represent exactly */

static const char *type_name(int type)
{
    switch (type) {
    case CONFIG_TYPE_GROUP: return "a group { }";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64: return "a whole number";
    case CONFIG_TYPE_FLOAT: return "a number with a fraction";
    case CONFIG_TYPE_STRING: return "a text";
    case CONFIG_TYPE_BOOL: return "true or false";
    case CONFIG_TYPE_ARRAY: return "an array [ ]";
    case CONFIG_TYPE_LIST: return "a list ( )";
    default: return "nothing";
    }
}

static bool is_whole(const config_setting_t *setting)
{
    int type = config_setting_type(setting);
    return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
}

/* How a row of this type must be written; NULL if the setting is. */
static const char *wanted_form(const config_setting_t *setting, enum lf_setting_type type)
{
    bool text = config_setting_type(setting) == CONFIG_TYPE_STRING;
    switch (type) {
    case LF_INT: return is_whole(setting) ? NULL : "a whole number without quotes";
    case LF_BOOL:
        return config_setting_type(setting) == CONFIG_TYPE_BOOL ? NULL : "true or false without quotes";
    case LF_DURATION: return text ? NULL : "a time with its unit in quotes, such as \"30s\" or \"5m\"";
    case LF_SIZE: return text || is_whole(setting) ? NULL : "a size in quotes, such as \"10MB\"";
    case LF_NESTED: return config_setting_is_aggregate(setting) ? NULL : "a group { } or list ( )";
    case LF_REMOVED: return NULL; /* refused whatever its form */
    case LF_LIST: return text ? NULL : "a text in quotes, or several in brackets: [ \"a\", \"b\" ]";
    default: return text ? NULL : "a text in quotes";
    }
}

/* A relative path starts at the folder of the configuration file. credential:NAME is a file in the folder
 * that systemd made for this service. Returns owned; NULL when out of memory. */
static char *resolve_path(const struct lf_load *load, enum lf_setting_type type, const char *path)
{
    static const char credential[] = "credential:";
    if (type == LF_SECRET_FILE && !strncmp(path, credential, sizeof credential - 1)) {
        const char *folder = getenv("CREDENTIALS_DIRECTORY");
        return folder ? lf_format("%s/%s", folder, path + sizeof credential - 1) : strdup(path);
    }
    return *path ? lf_path_join(load->folder, path) : strdup(path);
}

/* Files that must exist. */
static void check_file(struct lf_load *load, const config_setting_t *setting, const char *where,
                       const struct lf_setting *row, const char *path)
{
    struct lf_error err;
    struct lf_buffer secret = {0};
    if (row->type == LF_SECRET_FILE && !strncmp(path, "credential:", 11)) {
        config__load_warning(
            load, setting, "%s: \"%s\" cannot be checked here: systemd gives credentials to the service only",
            where, row->name);
    } else if (row->type == LF_SECRET_FILE && lf_file_read_secret(path, &secret, &err) != LF_OK) {
        const char *rest = err.status == LF_NOT_FOUND ? "; create it (chmod 600) or correct the path" : "";
        config__load_note(load, &err);
        config__load_error(load, setting, "%s: \"%s\": %s%s", where, row->name, err.text, rest);
    } else if (row->type == LF_FILE && lf_path_check_readable(path, &err) != LF_OK) {
        lf_error_prefix(&err, "cannot read %s", path);
        config__load_note(load, &err);
        config__load_error(load, setting, "%s: \"%s\": %s; correct the path or its permissions", where,
                           row->name, err.text);
    } else if ((row->type == LF_FILE || row->type == LF_SECRET_FILE)
               && !config__load_trusted(load, path, &err)) {
        config__load_error(load, setting, "%s: \"%s\": %s", where, row->name, err.text);
    }
    lf_buffer_wipe(&secret);
}

/* Texts of scalars, as lf_values_set wants them. */
static const char *scalar_text(const config_setting_t *setting, char room[32])
{
    if (config_setting_is_aggregate(setting) || config_setting_type(setting) == CONFIG_TYPE_FLOAT)
        return ""; /* only a removed setting can have these types here */
    if (is_whole(setting)) {
        snprintf(room, 32, "%lld", config_setting_get_int64(setting));
        return room;
    }
    if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
        return config_setting_get_bool(setting) ? "true" : "false";
    return config_setting_get_string(setting);
}

/* lf_values puts the place in front; the report keeps it separately. */
static void report_refusal(struct lf_load *load, const config_setting_t *setting, const char *at,
                           const struct lf_error *err)
{
    if (err->status == LF_NO_MEMORY) {
        load->no_memory = true;
        return;
    }
    size_t len = strlen(at);
    bool prefixed = !strncmp(err->text, at, len) && !strncmp(err->text + len, ": ", 2);
    config__load_error(load, setting, "%s", prefixed ? err->text + len + 2 : err->text);
}

static void set_one(struct lf_load *load, const config_setting_t *setting, const char *where,
                    const struct lf_setting *row, struct lf_values *values)
{
    const char *form = wanted_form(setting, row->type);
    if (form) {
        config__load_error(load, setting, "%s: \"%s\" must be %s, not %s", where, row->name, form,
                           type_name(config_setting_type(setting)));
        return;
    }
    char room[32];
    struct lf_error err;
    const char *text = scalar_text(setting, room);
    const char *at = config__load_at(load, setting);
    bool is_path = row->type == LF_PATH || row->type == LF_FILE || row->type == LF_SECRET_FILE;
    if (!at
        || (is_path && *text && !(text = config__load_keep(load, resolve_path(load, row->type, text), free))))
        return;
    if (lf_values_set(values, row->name, text, at, &err) != LF_OK)
        report_refusal(load, setting, at, &err);
    else if (is_path)
        check_file(load, setting, where, row, text);
}

static void set_member(struct lf_load *load, const config_setting_t *setting, const char *where,
                       const struct lf_setting *row, struct lf_values *values)
{
    int type = config_setting_type(setting);
    bool many = row->type == LF_LIST && (type == CONFIG_TYPE_ARRAY || type == CONFIG_TYPE_LIST);
    if (row->type == LF_NESTED && !wanted_form(setting, LF_NESTED))
        return; /* its owner reads it */
    if (!many) {
        set_one(load, setting, where, row, values);
        return;
    }
    int count = config_setting_length(setting);
    if (count == 0)
        config__load_error(load, setting, "%s: \"%s\" is empty; give at least one or leave it out", where,
                           row->name);
    for (int i = 0; i < count; i++)
        set_one(load, config_setting_get_elem(setting, (unsigned)i), where, row, values);
}

/* ---- groups ---- */

void config__load_known(struct lf_load *load, const config_setting_t *group, const char *where,
                        const struct lf_setting *table, const struct lf_setting *other)
{
    int count = config_setting_length(group);
    for (int i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        struct lf_nearest nearest = {.word = config_setting_name(setting)};
        char hint[LF_HINT];
        if (lf_setting_find(table, nearest.word) || (other && lf_setting_find(other, nearest.word)))
            continue;
        lf_nearest_setting(&nearest, table);
        if (other)
            lf_nearest_setting(&nearest, other);
        config__load_error(load, setting, "%s: unknown setting \"%.80s\"%s", where, nearest.word,
                           lf_nearest_hint(&nearest,
                                           other ? "; remove it (known settings: labferry drivers DRIVER)"
                                                 : "; remove it (known settings: labferry.conf.example)",
                                           hint));
    }
}

static void check_required(struct lf_load *load, config_setting_t *group, const char *where,
                           const struct lf_setting *table)
{
    for (const struct lf_setting *row = table; row->name; row++)
        if (row->fallback == LF_REQUIRED && !config_setting_get_member(group, row->name))
            config__load_error(load, group, "%s: \"%s\" is missing; add it. %s", where, row->name, row->help);
}

bool config__load_values(struct lf_load *load, config_setting_t *group, const char *where,
                         const struct lf_setting *table, void *into, struct lf_values **out)
{
    size_t errors = load->report->errors;
    struct lf_values *values = config__load_new_values(load, table, where);
    struct lf_error err;
    if (out)
        *out = values;
    if (!values)
        return false;
    for (const struct lf_setting *row = table; row->name; row++) {
        const config_setting_t *setting = config_setting_get_member(group, row->name);
        if (setting)
            set_member(load, setting, where, row, values);
    }
    check_required(load, group, where, table);
    if (!load->no_memory && load->report->errors == errors && lf_values_finish(values, &err) != LF_OK)
        report_refusal(load, group, "", &err);
    if (into)
        lf_values_fill(values, into);
    return !load->no_memory && load->report->errors == errors;
}

bool config__load_group(struct lf_load *load, config_setting_t *group, const char *where,
                        const struct lf_setting *table, void *into)
{
    config__load_known(load, group, where, table, NULL);
    return config__load_values(load, group, where, table, into, NULL);
}

const struct lf_config_map *config__load_map(struct lf_load *load, config_setting_t *setting,
                                             const char *where, size_t *count)
{
    *count = 0;
    if (!config_setting_is_group(setting)) {
        config__load_error(load, setting, "%s: \"%s\" must be a group: { name = \"field\"; }", where,
                           config_setting_name(setting));
        return NULL;
    }
    size_t length = (size_t)config_setting_length(setting);
    struct lf_config_map *map = config__load_alloc(load, length, sizeof *map);
    for (size_t i = 0; map && i < length; i++) {
        const config_setting_t *entry = config_setting_get_elem(setting, (unsigned)i);
        const char *field = config_setting_get_string(entry);
        if (!field || !*field) {
            config__load_error(load, entry, "%s: \"%s\" must be the name of a field, in quotes", where,
                               config_setting_name(entry));
            continue;
        }
        const char *name = config__load_format(load, "%s", config_setting_name(entry));
        field = config__load_format(load, "%s", field);
        if (name && field)
            map[(*count)++] = (struct lf_config_map){name, field};
    }
    return map;
}

/* ---- JSON ---- */

static cJSON *json_of(struct lf_load *load, const config_setting_t *setting, const char *where, int depth);

static cJSON *json_members(struct lf_load *load, const config_setting_t *setting, const char *where,
                           int depth)
{
    bool group = config_setting_is_group(setting);
    cJSON *json = group ? cJSON_CreateObject() : cJSON_CreateArray();
    int count = config_setting_length(setting);
    for (int i = 0; json && i < count; i++) {
        const config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
        cJSON *item = json_of(load, member, where, depth + 1);
        bool added = item
                     && (group ? cJSON_AddItemToObject(json, config_setting_name(member), item)
                               : cJSON_AddItemToArray(json, item));
        if (!added) {
            cJSON_Delete(item);
            cJSON_Delete(json);
            return NULL;
        }
    }
    return json;
}

static cJSON *json_number(struct lf_load *load, const config_setting_t *setting, const char *where)
{
    int64_t number = config_setting_get_int64(setting);
    if (number > EXACT_INTEGER || number < -EXACT_INTEGER) {
        config__load_error(load, setting, "%s: %" PRId64 " is too large to be exact; write it in quotes",
                           where, number);
        return NULL;
    }
    return cJSON_CreateNumber((double)number);
}

static cJSON *json_of(struct lf_load *load, const config_setting_t *setting, const char *where, int depth)
{
    if (depth > JSON_DEPTH) {
        config__load_error(load, setting, "%s: nested more than %d deep", where, JSON_DEPTH);
        return NULL;
    }
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64: return json_number(load, setting, where);
    case CONFIG_TYPE_FLOAT:
        if (!isfinite(config_setting_get_float(setting))) {
            config__load_error(load, setting, "%s: the number is too large", where);
            return NULL;
        }
        return cJSON_CreateNumber(config_setting_get_float(setting));
    case CONFIG_TYPE_BOOL: return cJSON_CreateBool(config_setting_get_bool(setting));
    case CONFIG_TYPE_STRING: return cJSON_CreateString(config_setting_get_string(setting));
    default: return json_members(load, setting, where, depth);
    }
}

cJSON *config__load_json(struct lf_load *load, const config_setting_t *setting, const char *where)
{
    size_t errors = load->report->errors;
    cJSON *json = json_of(load, setting, where, 0);
    if (!json && load->report->errors == errors)
        load->no_memory = true;
    return json;
}
