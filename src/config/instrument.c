/* The list of instruments, with their drivers' settings and what to do with their results. */
#include "config/load.h"
#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

/* What only one instrument may use. */
struct claim {
    char *resource;
    size_t owner;
};

struct claims {
    struct lf_load *load;
    const config_setting_t *list;
    struct claim *claims;
    size_t count, owner;
};

static const char *label(struct lf_load *load, const config_setting_t *group, const char *kind, int index)
{
    const char *name = NULL;
    config_setting_lookup_string(group, "name", &name);
    return name ? config__load_format(load, "%s \"%.70s\"", kind, name)
                : config__load_format(load, "%s %d", kind, index + 1);
}

/* ---- collect ---- */

static bool starts_with(const char *text, const char *start)
{
    return !strncmp(text, start, strlen(start));
}

static void check_match(struct lf_load *load, const config_setting_t *at, const char *where, const char *rule)
{
    struct lf_error err;
    bool regex = starts_with(rule, "filename:") || starts_with(rule, "content:");
    if (!regex && strcmp(rule, "last-job") != 0 && strcmp(rule, "sidecar") != 0) {
        config__load_error(load, at,
                           "%s: \"match\": \"%.80s\" is no way to find a run; there are \"filename:REGEX\", "
                           "\"content:REGEX\", \"last-job\" and \"sidecar\"",
                           where, rule);
    } else if (load->hooks->match_check && load->hooks->match_check(rule, &err) != LF_OK) {
        config__load_note(load, &err);
        config__load_error(load, at, "%s: \"match\": \"%.80s\": %s", where, rule, err.text);
    }
}

/* Can one of the ways to find the run also tell the output configuration? */
static bool match_tells_config(const struct lf_config_list *match)
{
    for (size_t i = 0; i < match->count; i++)
        if (!strcmp(match->items[i], "sidecar") || strstr(match->items[i], "(?<config>"))
            return true;
    return false;
}

static void read_collect(struct lf_load *load, config_setting_t *group, const char *where,
                         struct lf_config_collect *collect)
{
    if (!config_setting_is_group(group)) {
        config__load_error(load, group, "%s must be a group { } of settings", where);
        return;
    }
    struct lf_values *v = config__load_new_values(load, config__settings_collect, where);
    if (!v || !config__load_values(load, group, where, v, config__settings_collect, NULL, true))
        return;
    *collect = (struct lf_config_collect){
        .files = lf_values_text(v, "files"),
        .match = config__load_list(load, v, "match"),
        .config = lf_values_text(v, "config"),
        .process = lf_values_bool(v, "process"),
        .complete_with_errors = lf_values_bool(v, "complete_with_errors"),
        .type = lf_values_text(v, "type"),
        .folder_id = lf_values_text(v, "folder_id"),
        .location_id = lf_values_text(v, "location_id"),
        .timezone = lf_values_text(v, "timezone"),
    };
    for (size_t i = 0; i < collect->match.count; i++)
        check_match(load, config__load_member(group, "match"), where, collect->match.items[i]);
    if (!collect->config && !match_tells_config(&collect->match)) {
        config__load_error(
            load, group,
            "%s: nothing tells the output file configuration; add \"config\" with its name in the run schema",
            where);
    }
}

static void read_collects(struct lf_load *load, config_setting_t *group, const char *where,
                          struct lf_config_instrument *instrument)
{
    config_setting_t *member = config_setting_get_member(group, "collect");
    if (!member || !config_setting_is_aggregate(member))
        return; /* a wrong type was told by config__load_values */
    bool one = config_setting_is_group(member);
    size_t count = one ? 1 : (size_t)config_setting_length(member);
    struct lf_config_collect *collect = config__load_alloc(load, count, sizeof *collect);
    for (size_t i = 0; collect && i < count; i++) {
        config_setting_t *entry = one ? member : config_setting_get_elem(member, (unsigned)i);
        const char *entry_where = config__load_format(load, "%s: collect %zu", where, i + 1);
        if (entry_where)
            read_collect(load, entry, entry_where, &collect[i]);
    }
    instrument->collect = collect;
    instrument->collect_count = collect ? count : 0;
}

/* ---- the driver's own settings ---- */

static const char *nearest_driver(const struct lf_load *load, const char *name)
{
    const char *nearest = NULL;
    size_t best = 3; /* nothing farther is meant */
    for (size_t i = 0; load->hooks->drivers && load->hooks->drivers[i]; i++) {
        size_t distance = lf_edit_distance(load->hooks->drivers[i], name);
        if (distance < best) {
            best = distance;
            nearest = load->hooks->drivers[i];
        }
    }
    return nearest;
}

static void tell_unknown_driver(struct lf_load *load, const config_setting_t *at, const char *where,
                                const char *name)
{
    const char *near = nearest_driver(load, name);
    config__load_error(load, at, "%s: there is no driver \"%.60s\"%s%s%s; list them with: labferry drivers",
                       where, name, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static void claim(void *context, const char *resource)
{
    struct claims *claims = context;
    for (size_t i = 0; i < claims->count; i++)
        if (!strcmp(claims->claims[i].resource, resource) && claims->claims[i].owner == claims->owner)
            return;
    for (size_t i = 0; i < claims->count; i++) {
        const struct claim *taken = &claims->claims[i];
        if (!strcmp(taken->resource, resource) && taken->owner != claims->owner) {
            struct lf_load *load = claims->load;
            const struct lf_config_instrument *owner = &load->instruments[taken->owner];
            config__load_error(load, config_setting_get_elem(claims->list, (unsigned)claims->owner),
                               "%s is already used by instrument \"%s\" (%s); each instrument needs its own",
                               resource, owner->name ? owner->name : "?", owner->at);
            break;
        }
    }
    struct claim *grown = realloc(claims->claims, (claims->count + 1) * sizeof *grown);
    char *copy = strdup(resource);
    if (grown)
        claims->claims = grown;
    if (!grown || !copy) {
        free(copy);
        claims->load->no_memory = true;
        return;
    }
    grown[claims->count++] = (struct claim){copy, claims->owner};
}

/* A driver may put the place of the setting that it objects to in front ("labferry.conf:12: "). */
static void tell_objection(struct lf_load *load, const config_setting_t *group, const char *where,
                           const struct lf_values *values, const struct lf_setting *rows, const char *text)
{
    for (const struct lf_setting *row = rows; row->name; row++) {
        const char *at = lf_values_at(values, row->name);
        size_t len = at ? strlen(at) : 0;
        if (len && !strncmp(text, at, len) && !strncmp(text + len, ": ", 2)) {
            config__load_error(load, config__load_member(group, row->name), "%s: %s", where, text + len + 2);
            return;
        }
    }
    config__load_error(load, group, "%s: %s", where, text);
}

static void read_driver_settings(struct claims *claims, config_setting_t *group, const char *where,
                                 const char *driver, const struct lf_setting *rows,
                                 struct lf_config_instrument *instrument)
{
    struct lf_load *load = claims->load;
    struct lf_values *v = config__load_new_values(load, rows, where);
    if (!v || !config__load_values(load, group, where, v, rows, config__settings_instrument, false))
        return;
    struct lf_error err;
    if (load->hooks->driver_check && load->hooks->driver_check(driver, v, claim, claims, &err) != LF_OK) {
        config__load_note(load, &err);
        tell_objection(load, group, where, v, rows, err.text);
        return; /* nothing more is asked of settings that are wrong */
    }
    instrument->settings = v;
}

/* ---- one instrument ---- */

static void check_duplicate(struct lf_load *load, const config_setting_t *group, size_t index,
                            const char *name)
{
    for (size_t i = 0; i < index; i++) {
        if (load->instruments[i].name && !strcmp(load->instruments[i].name, name)) {
            config__load_error(load, config__load_member(group, "name"),
                               "instrument \"%.70s\" is there already (%s); give each its own name", name,
                               load->instruments[i].at);
            return;
        }
    }
}

static void read_instrument(struct claims *claims, config_setting_t *group, int index)
{
    struct lf_load *load = claims->load;
    struct lf_config_instrument *instrument = &load->instruments[index];
    const char *where = label(load, group, "instrument", index);
    struct lf_values *v = where ? config__load_new_values(load, config__settings_instrument, where) : NULL;
    instrument->at = config__load_at(load, group);
    if (!v || !instrument->at)
        return;
    const char *driver = NULL;
    config_setting_lookup_string(group, "driver", &driver);
    const struct lf_setting *rows = driver ? load->hooks->driver_settings(driver) : NULL;
    /* Without the driver's rows nobody can say which of its settings are unknown. */
    bool whole = config__load_values(load, group, where, v, config__settings_instrument, rows, rows != NULL);
    if (driver && !rows)
        tell_unknown_driver(load, config__load_member(group, "driver"), where, driver);
    instrument->name = lf_values_text(v, "name");
    if (instrument->name) {
        config__load_check_name(load, config__load_member(group, "name"), "instrument", instrument->name);
        check_duplicate(load, group, (size_t)index, instrument->name);
    }
    if (whole) {
        instrument->paused = lf_values_bool(v, "paused");
        instrument->expect_identity = lf_values_text(v, "expect_identity");
    }
    if (rows) {
        instrument->driver = lf_values_text(v, "driver");
        read_driver_settings(claims, group, where, driver, rows, instrument);
    }
    read_collects(load, group, where, instrument);
}

void config__load_instruments(struct lf_load *load, config_setting_t *list)
{
    struct claims claims = {.load = load, .list = list};
    int count = config_setting_length(list);
    load->instruments = config__load_alloc(load, (size_t)count, sizeof *load->instruments);
    if (!load->instruments)
        return;
    load->config->instruments = load->instruments;
    load->config->instrument_count = (size_t)count;
    for (int i = 0; i < count; i++) {
        config_setting_t *group = config_setting_get_elem(list, (unsigned)i);
        claims.owner = (size_t)i;
        if (config_setting_is_group(group))
            read_instrument(&claims, group, i);
        else
            config__load_error(load, group, "instrument %d must be a group { } of settings", i + 1);
    }
    for (size_t i = 0; i < claims.count; i++)
        free(claims.claims[i].resource);
    free(claims.claims);
}
