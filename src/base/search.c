#include "base/search.h"

#include "os/dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_ROOM = 256 };

const char *lf_search_folders(const char *variable, const char *fallback)
{
    const char *given = getenv(variable);
    return given && *given ? given : fallback;
}

/* Copies the next folder of a ':' list; false at its end. */
static bool next_folder(const char **at, char room[LF_SEARCH_PATH])
{
    while (**at == ':')
        (*at)++;
    size_t len = strcspn(*at, ":");
    if (!len || len >= LF_SEARCH_PATH)
        return false;
    memcpy(room, *at, len);
    room[len] = '\0';
    *at += len;
    return true;
}

bool lf_search_find(const char *folders, const char *name, const char *suffix, char path[LF_SEARCH_PATH])
{
    char folder[LF_SEARCH_PATH];
    struct lf_file_info info;
    struct lf_error ignored;
    for (const char *at = folders; next_folder(&at, folder);) {
        int len = snprintf(path, LF_SEARCH_PATH, "%s/%s%s", folder, name, suffix);
        if (len > 0 && len < LF_SEARCH_PATH && lf_path_look(path, &info, &ignored) == LF_OK)
            return true;
    }
    return false;
}

void lf_search_list(const char *folders, const char *suffix, void (*each)(void *context, const char *name),
                    void *context)
{
    char folder[LF_SEARCH_PATH], found[NAME_ROOM];
    struct lf_error ignored;
    const char *name;
    for (const char *at = folders; next_folder(&at, folder);) {
        struct lf_dir dir;
        struct lf_dir_list *list = NULL;
        if (lf_dir_open(folder, &dir, &ignored) == LF_OK && lf_dir_list(&dir, &list, &ignored) == LF_OK)
            while ((name = lf_dir_next(list, NULL, &ignored))) {
                size_t len = strlen(name), tail = strlen(suffix);
                if (len <= tail || strcmp(name + len - tail, suffix) != 0)
                    continue;
                snprintf(found, sizeof found, "%.*s", (int)(len - tail), name);
                each(context, found);
            }
        lf_dir_list_close(list);
        lf_dir_close(&dir);
    }
}
