#include "sim.h"

#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sim_lock(struct sim *sim)
{
    pthread_mutex_lock(&sim->mutex);
}

void sim_unlock(struct sim *sim)
{
    pthread_mutex_unlock(&sim->mutex);
}

void sim_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("labferry-sim-cloud: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void *sim_alloc(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        sim_die("out of memory (%zu bytes); lower --max-body or --max-events", size);
    return memory;
}

char *sim_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(sim_alloc(size), text, size);
}

void *sim_grow(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    *room = *room ? *room * 2 : 16;
    void *grown = reallocarray(array, *room, size);
    if (!grown)
        sim_die("out of memory (%zu elements of %zu bytes)", *room, size);
    return grown;
}

void sim_memory_init(void)
{
    cJSON_Hooks hooks = {.malloc_fn = sim_alloc, .free_fn = free};
    cJSON_InitHooks(&hooks);
}

struct sim_item *sim_table_add(struct sim_table *table, cJSON *json, cJSON *hidden)
{
    struct sim_item *item = sim_alloc(sizeof *item);
    snprintf(item->id, sizeof item->id, "%s", lf_json_text_or(json, "id", ""));
    item->json = json;
    item->hidden = hidden;
    table->items = sim_grow(table->items, table->count, &table->room, sizeof(struct sim_item *));
    table->items[table->count++] = item;
    return item;
}

struct sim_item *sim_table_find(const struct sim_table *table, const char *id)
{
    /* From the newest back: that is what callers ask for most. */
    for (size_t i = table->count; id && i-- > 0;)
        if (!strcmp(table->items[i]->id, id))
            return table->items[i];
    return NULL;
}

struct sim_item *sim_table_named(const struct sim_table *table, const char *name)
{
    for (size_t i = 0; name && i < table->count; i++)
        if (!strcmp(lf_json_text_or(table->items[i]->json, "name", ""), name))
            return table->items[i];
    return NULL;
}

void sim_table_free(struct sim_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        cJSON_Delete(table->items[i]->json);
        cJSON_Delete(table->items[i]->hidden);
        free(table->items[i]);
    }
    free(table->items);
    *table = (struct sim_table){0};
}

void sim_new_id(char id[SIM_ID], const char *prefix)
{
    static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char tail[9] = {0};
    for (size_t i = 0; i < 8; i++)
        tail[i] = alphabet[lf_random_below(sizeof alphabet - 1)];
    snprintf(id, SIM_ID, "%s_%s", prefix, tail);
}

void sim_new_uuid(char id[SIM_ID])
{
    unsigned char b[16];
    if (RAND_bytes(b, sizeof b) != 1)
        sim_die("the system gives no random bytes");
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(id, SIM_ID, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

void sim_stamp(cJSON *object, const char *key)
{
    char text[LF_TIME_TEXT];
    lf_time_format(lf_clock_wall_ms(), text);
    sim_set_text(object, key, text);
}

void sim_set(cJSON *object, const char *key, cJSON *value)
{
    if (!lf_json_set(object, key, value))
        sim_die("out of memory (setting \"%s\")", key);
}

void sim_set_text(cJSON *object, const char *key, const char *text)
{
    sim_set(object, key, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

void sim_set_int(cJSON *object, const char *key, int64_t number)
{
    sim_set(object, key, cJSON_CreateNumber((double)number));
}

void sim_set_bool(cJSON *object, const char *key, bool truth)
{
    sim_set(object, key, cJSON_CreateBool(truth));
}

cJSON *sim_summary(const cJSON *object, const char *second)
{
    cJSON *summary = cJSON_CreateObject();
    sim_set_text(summary, "id", lf_json_text_or(object, "id", ""));
    sim_set_text(summary, second, lf_json_text_or(object, second, ""));
    return summary;
}

cJSON *sim_array(cJSON *object, const char *key)
{
    cJSON *array = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsArray(array)) {
        array = cJSON_CreateArray();
        sim_set(object, key, array);
    }
    return array;
}

bool sim_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool sim_in_list(const char *list, const char *text)
{
    size_t len = strlen(text);
    while (*list) {
        size_t word = strcspn(list, ",");
        if (word == len && !strncmp(list, text, len))
            return true;
        list += word + (list[word] == ',');
    }
    return false;
}
