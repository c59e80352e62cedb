/* Memory of a configuration: a list of what to release with it, so that loading can stop anywhere. */
#include "config/load.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct kept {
    void *ptr;
    void (*release)(void *);
};

struct lf_config_memory {
    struct kept *kept;
    size_t count, room;
};

static bool make_room(struct lf_config_memory *memory)
{
    if (memory->count < memory->room)
        return true;
    size_t room = memory->room ? memory->room * 2 : 64;
    struct kept *kept = realloc(memory->kept, room * sizeof *kept);
    if (!kept)
        return false;
    memory->kept = kept;
    memory->room = room;
    return true;
}

void *config__load_keep(struct lf_load *load, void *ptr, void (*release)(void *))
{
    struct lf_config *config = load->config;
    if (!config->memory)
        config->memory = calloc(1, sizeof *config->memory);
    if (!ptr || !config->memory || !make_room(config->memory)) {
        load->no_memory = true;
        if (ptr)
            release(ptr);
        return NULL;
    }
    config->memory->kept[config->memory->count++] = (struct kept){ptr, release};
    return ptr;
}

void *config__load_alloc(struct lf_load *load, size_t count, size_t size)
{
    return config__load_keep(load, calloc(count ? count : 1, size), free);
}

const char *config__load_format(struct lf_load *load, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text;
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return config__load_keep(load, text, free);
}

static void release_values(void *values)
{
    lf_values_free(values);
}

struct lf_values *config__load_new_values(struct lf_load *load, const struct lf_setting *table,
                                          const char *where)
{
    return config__load_keep(load, lf_values_new(table, where), release_values);
}

/* A list grows by powers of two: it is copied whenever its count reaches one. Lists here are short. */
void config__load_append(struct lf_load *load, struct lf_texts *list, const char *text)
{
    const char **items = (const char **)list->items; /* ours: see load.h */
    if ((list->count & (list->count - 1)) == 0) {
        items = config__load_alloc(load, list->count ? list->count * 2 : 1, sizeof *items);
        if (!items)
            return;
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
    }
    items[list->count++] = text;
    list->items = items;
}

void lf_config_free(struct lf_config *config)
{
    if (!config)
        return;
    if (config->memory) {
        for (size_t i = config->memory->count; i > 0; i--)
            config->memory->kept[i - 1].release(config->memory->kept[i - 1].ptr);
        free(config->memory->kept);
        free(config->memory);
    }
    free(config);
}
