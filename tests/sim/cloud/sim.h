/* The cloud simulator's heart: its options, its state, and the small tools every part of it uses.
 *
 * One mutex guards all state. Every API handler, timer and relay step runs with it held; work on long files
 * gives it up in between with sim_unlock and sim_lock. Resources are kept as cJSON objects in exactly the
 * shape the vendor's API answers with; what only the simulator needs to know lives beside them in `hidden`.
 *
 * Running out of memory ends the program with a message: nothing in a simulator is worth saving. */
#ifndef LF_SIM_H
#define LF_SIM_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"

#include <pthread.h>

enum { SIM_ID = 48, SIM_PAGE_DEFAULT = 50, SIM_PAGE_MAX = 100 };

struct sim_options {
    const char *listen, *port_file, *base_path, *public_url, *download_host, *data_dir, *scenario;
    const char *cert, *key;
    const char *client_id, *client_secret, *api_key;
    const char *broker, *site, *ca, *mqtt_cert, *mqtt_key, *username, *password_file, *envelope;
    int64_t port;
    int64_t token_seconds, task_seconds, url_seconds;
    int64_t generate_ms, process_ms;
    int64_t app_limit, key_limit, window_seconds;
    int64_t max_body, max_single, min_part, max_events;
    bool twins, quiet;
};

/* A resource: id, the object as the API shows it, and what only the simulator knows (may be NULL). */
struct sim_item {
    char id[SIM_ID];
    cJSON *json;
    cJSON *hidden;
};

struct sim_table {
    struct sim_item **items;
    size_t count, room;
};

struct sim_auth;
struct sim_blobs;
struct sim_events;
struct sim_faults;
struct sim_relay;
struct sim_timers;
struct sim_requests;

struct sim {
    struct sim_options options;
    char base_url[300];     /* scheme, host and port without path */
    char download_url[300]; /* the same for download URLs */
    pthread_mutex_t mutex;
    struct sim_table run_schemas, runs, generators, processors, transforms, results;
    struct sim_table task_schemas, task_groups, tasks, outputs;
    struct sim_table async_tasks;
    struct sim_auth *auth;
    struct sim_blobs *blobs;
    struct sim_events *events;
    struct sim_faults *faults;
    struct sim_relay *relay; /* NULL without --broker */
    struct sim_timers *timers;
    struct sim_requests *requests;
};

void sim_lock(struct sim *sim);
void sim_unlock(struct sim *sim);

/* Says why and ends the program. */
void sim_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Memory that is there, or the program ends. Zeroed. */
void *sim_alloc(size_t size);
char *sim_text(const char *text);
/* Grows an array of `size`d elements so that one more fits; returns the array. */
void *sim_grow(void *array, size_t count, size_t *room, size_t size);
/* Makes cJSON allocate through the same rule. */
void sim_memory_init(void);

/* Tables keep the order of creation. sim_table_add takes json (which must have a text member "id") and
 * hidden. */
struct sim_item *sim_table_add(struct sim_table *table, cJSON *json, cJSON *hidden);
struct sim_item *sim_table_find(const struct sim_table *table, const char *id);
/* The first item whose "name" is that; NULL if none. */
struct sim_item *sim_table_named(const struct sim_table *table, const char *name);
void sim_table_free(struct sim_table *table);

/* "prefix_" and eight random letters and digits, as the vendor's ids look; or a random UUID. */
void sim_new_id(char id[SIM_ID], const char *prefix);
void sim_new_uuid(char id[SIM_ID]);

/* Now, as the API writes times; into object[key]. */
void sim_stamp(cJSON *object, const char *key);

/* Shorthands: set or replace a member. They cannot fail. */
void sim_set(cJSON *object, const char *key, cJSON *value);
void sim_set_text(cJSON *object, const char *key, const char *text); /* NULL sets null */
void sim_set_int(cJSON *object, const char *key, int64_t number);
void sim_set_bool(cJSON *object, const char *key, bool truth);
/* {"id","name"} of an object that has both, e.g. a schema. */
cJSON *sim_summary(const cJSON *object, const char *second);
/* An array member, made when missing. */
cJSON *sim_array(cJSON *object, const char *key);

/* '*' matches any run of characters, everything else itself. */
bool sim_glob(const char *pattern, const char *text);
/* Is `text` one of the comma-separated words? */
bool sim_in_list(const char *list, const char *text);

#endif
