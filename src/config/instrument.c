/* The list of instruments, with their drivers' settings and what to do with their results. */
#include "base/units.h"
#include "config/load.h"
#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

/* What only one instrument may use. */
struct claim {
    const char *resource;
    size_t owner;
};

struct claims {
    struct lf_load *load;
    const config_setting_t *list;
    struct claim *claims;
    size_t count, owner;
};

/* ---- collect ---- */

static void read_collect(struct lf_load *load, config_setting_t *group, const char *where,
                         struct lf_config_collect *collect)
{
    if (!config_setting_is_group(group)) {
        config__load_error(load, group, "%s must be a group { } of settings", where);
        return;
    }
    if (!config__load_group(load, group, where, config__settings_collect, collect)) {
        load->report->more = true;
        return;
    }
    bool named = collect->config || !load->hooks->match_check;
    for (size_t i = 0; load->hooks->match_check && i < collect->match.count; i++) {
        bool names_config = false;
        struct lf_error err;
        if (load->hooks->match_check(collect->match.items[i], &names_config, &err) != LF_OK) {
            config__load_note(load, &err);
            config__load_error(load, config__load_member(group, "match"), "%s: \"match\": %s", where,
                               err.text);
        }
        named = named || names_config;
    }
    if (!named)
        config__load_error(load, group,
                           "%s: the output file configuration is missing; add \"config\" with its name in "
                           "the run schema",
                           where);
}

static void read_collects(struct lf_load *load, config_setting_t *group, const char *where,
                          struct lf_config_instrument *instrument)
{
    config_setting_t *member = config_setting_get_member(group, "collect");
    if (!member || !config_setting_is_aggregate(member))
        return; /* a wrong type was reported by config__load_values */
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

static void claim(void *context, const char *resource)
{
    struct claims *claims = context;
    struct lf_load *load = claims->load;
    const struct lf_config_instrument *other = NULL;
    for (size_t i = 0; i < claims->count; i++) {
        if (strcmp(claims->claims[i].resource, resource) != 0)
            continue;
        if (claims->claims[i].owner == claims->owner)
            return; /* a driver may name a resource twice */
        other = other ? other : &load->instruments[claims->claims[i].owner];
    }
    if (other)
        config__load_error(load, config_setting_get_elem(claims->list, (unsigned)claims->owner),
                           "%s is already used by instrument \"%s\" (%s); each instrument needs its own",
                           resource, other->name ? other->name : "?", other->at);
    struct claim *grown = realloc(claims->claims, (claims->count + 1) * sizeof *grown);
    const char *copy = config__load_format(load, "%s", resource);
    load->no_memory = load->no_memory || !grown;
    claims->claims = grown ? grown : claims->claims;
    if (grown && copy)
        grown[claims->count++] = (struct claim){copy, claims->owner};
}

/* A driver may begin with the place of the setting that it objects to ("labferry.conf:12: "). */
static void report_objection(struct lf_load *load, const config_setting_t *group, const char *where,
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
                                 const struct lf_setting *rows, struct lf_config_instrument *instrument)
{
    struct lf_load *load = claims->load;
    struct lf_values *values;
    struct lf_error err;
    bool good = config__load_values(load, group, where, rows, NULL, &values);
    if (good && load->hooks->driver_check
        && load->hooks->driver_check(instrument->driver, values, claim, claims, &err) != LF_OK) {
        config__load_note(load, &err);
        report_objection(load, group, where, values, rows, err.text);
        good = false;
    }
    if (good)
        instrument->settings = values;
    else
        load->report->more = true; /* settings that are wrong are not used for further checks */
}

/* ---- one instrument ---- */

static void read_instrument(struct claims *claims, config_setting_t *group,
                            struct lf_config_instrument *instrument)
{
    struct lf_load *load = claims->load;
    const char *where = config__load_entry(load, group, "instrument");
    instrument->at = config__load_at(load, group);
    if (!where || !instrument->at)
        return;
    config__load_values(load, group, where, config__settings_instrument, instrument, NULL);
    struct lf_error err;
    const struct lf_setting *rows = instrument->driver
                                        ? load->hooks->driver_settings(instrument->driver, &err)
                                        : NULL;
    /* Without the driver's rows we can't know which of its settings are unknown. */
    if (rows) {
        config__load_known(load, group, where, config__settings_instrument, rows);
        read_driver_settings(claims, group, where, rows, instrument);
    } else if (instrument->driver) {
        config__load_note(load, &err);
        config__load_error(load, config__load_member(group, "driver"), "%s: %s", where, err.text);
        instrument->driver = NULL;
        load->report->more = true;
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
            read_instrument(&claims, group, &load->instruments[i]);
        else
            config__load_error(load, group, "instrument %d must be a group { } of settings", i + 1);
    }
    free(claims.claims);
}
