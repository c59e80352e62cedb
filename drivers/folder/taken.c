/* What was taken, to compare it with what is archived, and when to look at that for the last time. */
#include "folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROWS_BY = 50 };

struct lf_taken *folder__taken(const struct lf_folder *folder, const char *id, const char *version)
{
    for (size_t i = 0; i < folder->taken.count; i++)
        if (!strcmp(folder->taken.items[i].id, id) && !strcmp(folder->taken.items[i].version, version))
            return &folder->taken.items[i];
    return NULL;
}

/* It may have something in the archive: that is looked at before it is forgotten. */
static void leave(struct lf_folder *folder, struct lf_taken *taken)
{
    struct lf_taken_list *list = &folder->taken;
    size_t after = list->count - (size_t)(taken - list->items) - 1;
    if (taken->archived)
        folder__archive_check(folder, taken);
    free(taken->id);
    free(taken->archived);
    memmove(taken, taken + 1, after * sizeof *taken);
    list->count--;
}

static bool make_room(struct lf_folder *folder)
{
    struct lf_taken_list *list = &folder->taken;
    if (list->count == list->room && list->room < LF_TAKEN_MAX) {
        struct lf_taken *grown = realloc(list->items, (list->room + GROWS_BY) * sizeof *grown);
        list->items = grown ? grown : list->items;
        list->room += grown ? GROWS_BY : 0;
    }
    if (list->count == list->room && list->count)
        leave(folder, list->items);
    return list->count < list->room;
}

struct lf_taken *folder__taken_add(struct lf_folder *folder, const char *id, const char *version,
                                   const char *sha256)
{
    struct lf_taken *known = folder__taken(folder, id, version);
    if (known)
        leave(folder, known);
    char *copy = strdup(id);
    if (!copy || !make_room(folder)) {
        free(copy);
        return NULL;
    }
    struct lf_taken *taken = &folder->taken.items[folder->taken.count++];
    *taken = (struct lf_taken){.id = copy};
    snprintf(taken->version, sizeof taken->version, "%s", version);
    snprintf(taken->sha256, sizeof taken->sha256, "%s", sha256);
    return taken;
}

void folder__taken_check(struct lf_folder *folder)
{
    for (size_t i = folder->taken.count; i-- > 0;) {
        struct lf_taken *taken = &folder->taken.items[i];
        if (taken->archived && lf_deadline_passed(taken->look_again))
            leave(folder, taken);
    }
}

void folder__taken_free(struct lf_folder *folder)
{
    for (size_t i = 0; i < folder->taken.count; i++) {
        free(folder->taken.items[i].id);
        free(folder->taken.items[i].archived);
    }
    free(folder->taken.items);
    folder->taken = (struct lf_taken_list){0};
}
