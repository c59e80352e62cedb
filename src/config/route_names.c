/* Names in a route that point into other places: the procedure, its inputs and its values. */
#include "base/units.h"
#include "config/load.h"

#include <string.h>

/* What the instrument says about the procedure. */
struct terms {
    struct lf_load *load;
    struct lf_texts takes, needs, gives;
    struct lf_texts always; /* gives, whatever the instrument answers */
    bool unknown;
};

static void add(struct terms *terms, struct lf_texts *list, const char *name)
{
    const char *copy = lf_texts_have(list, name) ? NULL : config__load_format(terms->load, "%s", name);
    if (copy)
        config__load_append(terms->load, list, copy);
}

static void takes(void *context, const char *input, bool needed)
{
    struct terms *terms = context;
    add(terms, &terms->takes, input);
    if (needed)
        add(terms, &terms->needs, input);
}

static void gives(void *context, const char *value, bool always)
{
    struct terms *terms = context;
    add(terms, &terms->gives, value);
    if (always)
        add(terms, &terms->always, value);
}

static void unknown(void *context)
{
    struct terms *terms = context;
    terms->unknown = true;
}

static bool maps(const struct lf_config_map *map, size_t count, const char *name)
{
    while (count && strcmp(map[count - 1].name, name) != 0)
        count--;
    return count != 0;
}

/* Refuses the names of a map that are not among those known. */
static void check_map(struct lf_load *load, const config_setting_t *at, const char *where,
                      const struct lf_config_map *map, size_t count, const struct lf_texts *known,
                      const char *what)
{
    for (size_t i = 0; i < count; i++) {
        struct lf_nearest nearest = {.word = map[i].name};
        char hint[LF_HINT], list[200] = "";
        if (lf_texts_have(known, map[i].name))
            continue;
        for (size_t k = 0; k < known->count; k++) {
            lf_nearest_try(&nearest, known->items[k]);
            lf_list_add(list, sizeof list, known->items[k]);
        }
        config__load_error(load, config_setting_get_member(at, map[i].name),
                           "%s: \"%s\": the procedure has no %s \"%.80s\"%s It has: %s", where,
                           config_setting_name(at), what, map[i].name, lf_nearest_hint(&nearest, ".", hint),
                           *list ? list : "none");
    }
}

static void check_inputs(struct lf_load *load, const config_setting_t *group, const char *where,
                         const struct lf_config_route *route, const struct terms *terms)
{
    const config_setting_t *inputs = config_setting_get_member(group, "inputs");
    if (inputs)
        check_map(load, inputs, where, route->inputs, route->input_count, &terms->takes, "input");
    for (size_t i = 0; i < terms->needs.count; i++)
        if (!maps(route->inputs, route->input_count, terms->needs.items[i]))
            config__load_error(
                load, inputs ? inputs : group,
                "%s: the procedure \"%s\" needs the input \"%.80s\"; add it to \"inputs\" with "
                "where its value comes from",
                where, route->procedure, terms->needs.items[i]);
}

/* A task is not completed without a value that its route names. */
static void warn_sometimes(struct lf_load *load, const config_setting_t *outputs, const char *where,
                           const struct lf_config_route *route, const struct terms *terms)
{
    for (size_t i = 0; i < route->output_count; i++) {
        const char *name = route->outputs[i].name;
        if (lf_texts_have(&terms->gives, name) && !lf_texts_have(&terms->always, name))
            config__load_warning(
                load, config_setting_get_member(outputs, name),
                "%s: \"outputs\": the procedure \"%s\" does not always give \"%.80s\"; a task that "
                "ends without it is held for a person. Map only values that always come",
                where, route->procedure, name);
    }
}

static void check_outputs(struct lf_load *load, const config_setting_t *group, const char *where,
                          const struct lf_config_route *route, const struct terms *terms)
{
    const config_setting_t *outputs = config_setting_get_member(group, "outputs");
    if (!outputs)
        return;
    if (route->report == LF_REPORT_FILE)
        config__load_error(
            load, outputs,
            "%s: \"outputs\" has no effect with report = \"file\", whose columns have the names "
            "of the values; remove one of the two",
            where);
    check_map(load, outputs, where, route->outputs, route->output_count, &terms->gives, "value");
    if (route->report != LF_REPORT_FILE)
        warn_sometimes(load, outputs, where, route, terms);
}

/* Two values for one field: only one of them would arrive. */
static void check_fields(struct lf_load *load, const config_setting_t *group, const char *where,
                         const struct lf_config_route *route)
{
    const config_setting_t *outputs = config_setting_get_member(group, "outputs");
    for (size_t i = 0; i < route->output_count; i++)
        for (size_t k = 0; k < i; k++)
            if (!strcmp(route->outputs[i].field, route->outputs[k].field))
                config__load_error(load, config_setting_get_member(outputs, route->outputs[i].name),
                                   "%s: \"outputs\": \"%.80s\" and \"%.80s\" both go to the field \"%.80s\"; "
                                   "give each its own",
                                   where, route->outputs[k].name, route->outputs[i].name,
                                   route->outputs[i].field);
}

void config__load_names(struct lf_load *load, const config_setting_t *group, const char *where,
                        const struct lf_config_route *route, const struct lf_config_instrument *instrument)
{
    struct terms terms = {.load = load};
    struct lf_config_terms told = {&terms, takes, gives, unknown};
    struct lf_error err;
    if (load->hooks->procedure_check(instrument->driver, instrument->settings, route->procedure, &told, &err)
        != LF_OK) {
        config__load_note(load, &err);
        config__load_error(load, config__load_member(group, "procedure"), "%s: \"procedure\": %s", where,
                           err.text);
    } else if (!terms.unknown) {
        check_inputs(load, group, where, route, &terms);
        check_outputs(load, group, where, route, &terms);
    }
    check_fields(load, group, where, route);
}
