/* Private to src/config: what the files of the loader share. The loader walks the parsed file once, group by
 * group, and continues after every problem, so that a person sees all of them at once. Single-threaded.
 */
#ifndef LF_CONFIG_LOAD_H
#define LF_CONFIG_LOAD_H

#include "config/config.h"

#include "base/digest.h"

#include <libconfig.h>

struct lf_load {
    const char *path; /* of the file, as the user gave it */
    char *folder;     /* its folder: relative paths and includes start there */
    const struct lf_config_hooks *hooks;
    struct lf_config *config;
    struct lf_config_report *report;
    struct lf_digest *digest;
    config_t file;
    /* Same as config->instruments and routes, but writable. Entry i belongs to entry i of the file's list,
     * even if something is wrong with it; its texts are NULL then. */
    struct lf_config_instrument *instruments;
    struct lf_config_route *routes;
    bool no_memory; /* loading ends in LF_NO_MEMORY, whatever problems were found */
    size_t passing; /* errors that are not in the file, and may be over without a change of it */
};

/* ---- memory.c: everything lives as long as the configuration ---- */

/* Hands ptr over to the configuration, which releases it in the end. NULL, with no_memory set, if ptr is NULL
 * or can't be kept (ptr is released then). */
void *config__load_keep(struct lf_load *load, void *ptr, void (*release)(void *));
void *config__load_alloc(struct lf_load *load, size_t count, size_t size); /* zeroed */
const char *config__load_format(struct lf_load *load, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct lf_values *config__load_new_values(struct lf_load *load, const struct lf_setting *table,
                                          const char *where);
/* Appends to a list that was empty, or made by this call. */
void config__load_append(struct lf_load *load, struct lf_texts *list, const char *text);

/* ---- report.c ---- */

/* Adds a problem at a setting of the file (NULL: the file as a whole). */
void config__load_problem(struct lf_load *load, enum lf_config_severity severity, const config_setting_t *at,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));
#define config__load_error(load, ...) config__load_problem(load, LF_CONFIG_ERROR, __VA_ARGS__)
#define config__load_warning(load, ...) config__load_problem(load, LF_CONFIG_WARNING, __VA_ARGS__)
/* The same for a place that is not a setting. */
void config__load_error_in(struct lf_load *load, const char *file, int line, const char *text);
/* To be called with every error from below before it is reported: LF_NO_MEMORY is not a problem of the file.
 */
void config__load_note(struct lf_load *load, const struct lf_error *err);
void config__report_sort(struct lf_config_report *report, const char *path);

/* ---- source.c ---- */

/* Reads and parses the file. False: failed, and the report says why. */
bool config__load_source(struct lf_load *load);
/* The file that a setting is in, and its "file:line". */
const char *config__load_file_of(const struct lf_load *load, const config_setting_t *setting);
const char *config__load_at(struct lf_load *load, const config_setting_t *setting);

/* ---- value.c ---- */

/* Reads the members of a group that are rows of `table`, checks types and files, fills in defaults, and
 * writes the values into the struct that the rows belong to (NULL: none). Members that are not rows are
 * ignored. *values (may be NULL) is kept by the configuration; NULL when out of memory. True: no problem was
 * found. */
bool config__load_values(struct lf_load *load, config_setting_t *group, const char *where,
                         const struct lf_setting *table, void *into, struct lf_values **values);
/* Reports members that are rows of neither table; `other` may be NULL. */
void config__load_known(struct lf_load *load, const config_setting_t *group, const char *where,
                        const struct lf_setting *table, const struct lf_setting *other);
/* Both, for a group with one table. */
bool config__load_group(struct lf_load *load, config_setting_t *group, const char *where,
                        const struct lf_setting *table, void *into);
/* Any nested value as JSON, owned; NULL with an error reported. */
cJSON *config__load_json(struct lf_load *load, const config_setting_t *setting, const char *where);
/* Reads and parses a JSON file named by a setting. Returns owned; NULL with an error reported. */
cJSON *config__load_json_file(struct lf_load *load, const config_setting_t *at, const char *path);
/* { name = "text"; ... } */
const struct lf_config_map *config__load_map(struct lf_load *load, config_setting_t *setting,
                                             const char *where, size_t *count);

/* ---- agent.c, instrument.c, route.c ---- */

void config__load_agent(struct lf_load *load, config_setting_t *group);
void config__load_cloud(struct lf_load *load, config_setting_t *group);
void config__load_link(struct lf_load *load, config_setting_t *group);
void config__load_topics(struct lf_load *load); /* after the routes */
void config__load_instruments(struct lf_load *load, config_setting_t *list);
void config__load_routes(struct lf_load *load, config_setting_t *list);

/* Checks the procedure of a route, and the names in its inputs and outputs. */
void config__load_names(struct lf_load *load, const config_setting_t *group, const char *where,
                        const struct lf_config_route *route, const struct lf_config_instrument *instrument);

/* ---- start.c ---- */

/* Checks what the start needs, when everything has been read. */
void config__load_start(struct lf_load *load);
/* False, with the reason: others can change the file. Always true when the start is not checked. */
bool config__load_trusted(struct lf_load *load, const char *path, struct lf_error *err);

/* A group's member, or the group itself: where to show a problem with it. */
const config_setting_t *config__load_member(const config_setting_t *group, const char *name);
/* An entry of the list of instruments or routes for messages: `instrument "balance-1"`, or `instrument 3`.
 * Reports a name that is unfit or taken. */
const char *config__load_entry(struct lf_load *load, const config_setting_t *group, const char *kind);

/* ---- url.c ---- */

struct lf_url {
    char scheme[16];
    char host[256]; /* without brackets */
    int port;       /* 0: not given */
    bool loopback;  /* localhost, 127.x.x.x, ::1 */
};
/* Splits SCHEME://HOST[:PORT][/]; refuses a path, a query and a user (secrets belong in files). Returns NULL,
 * or what is wrong: "has no valid host name". */
const char *config__url_split(const char *text, struct lf_url *url);

#endif
