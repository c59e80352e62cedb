#include "drivers/driver.h"

#include "base/search.h"
#include "base/units.h"
#include "os/library.h"

#include <stdio.h>
#include <string.h>

extern const struct lf_driver lf_driver_folder, lf_driver_line;

static const struct lf_driver *const built_in[] = {&lf_driver_folder, &lf_driver_line, NULL};

enum { LOADED_MAX = 32, NAME_LONGEST = 60, NAMES_ROOM = 200 };

static const struct lf_driver *loaded[LOADED_MAX + 1]; /* those from files; NULL-terminated */
static const char suffix[] = ".so";

static const struct lf_driver *find(const struct lf_driver *const *drivers, const char *name)
{
    while (*drivers && strcmp((*drivers)->name, name) != 0)
        drivers++;
    return *drivers;
}

static const char *folders(void)
{
    return lf_search_folders("LABFERRY_DRIVER_PATH", LF_DRIVER_PATH);
}

/* ---- drivers in files ---- */

static enum lf_status fail_not_found(const char *name, struct lf_error *err)
{
    struct lf_nearest nearest = {.word = name};
    char names[NAMES_ROOM] = "", hint[LF_HINT];
    for (size_t i = 0; built_in[i]; i++) {
        lf_nearest_try(&nearest, built_in[i]->name);
        lf_list_add(names, sizeof names, built_in[i]->name);
    }
    return lf_fail(
        err, LF_NOT_FOUND, LF_PERMANENT,
        "there is no driver \"%.60s\"%s Built in: %s; no %.60s.so in %.150s. List them with: labferry "
        "drivers",
        name, lf_nearest_hint(&nearest, ".", hint), names, name, folders());
}

static enum lf_status open_file(const char *name, const struct lf_driver **driver, struct lf_error *err)
{
    char path[LF_SEARCH_PATH], symbol[NAME_LONGEST + 20];
    const void *found;
    size_t len = strlen(name);
    if (!len || len > NAME_LONGEST
        || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != len)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "\"%.80s\" cannot be the name of a driver: it has 1 to %d letters, digits and '_'",
                       name, NAME_LONGEST);
    if (!lf_search_find(folders(), name, suffix, path))
        return fail_not_found(name, err);
    snprintf(symbol, sizeof symbol, "lf_driver_%s", name);
    enum lf_status status = lf_library_symbol(path, symbol, &found, err);
    if (status != LF_OK)
        return status;
    *driver = found;
    if (!(*driver)->name || strcmp((*driver)->name, name) != 0)
        return lf_fail(
            err, LF_INVALID, LF_PERMANENT,
            "%s calls its driver \"%.60s\": the file, lf_driver_NAME and its name must be the same", path,
            (*driver)->name ? (*driver)->name : "");
    status = lf_driver_check(*driver, err);
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "%s", path);
}

/* ---- all drivers ---- */

const struct lf_driver *lf_driver_find(const char *name, struct lf_error *err)
{
    const struct lf_driver *driver = find(built_in, name);
    size_t count = 0;
    if (!driver)
        driver = find(loaded, name);
    if (driver)
        return driver;
    if (open_file(name, &driver, err) != LF_OK)
        return NULL;
    while (loaded[count])
        count++;
    if (count < LOADED_MAX)
        loaded[count] = driver; /* with more of them, the system still loads each once */
    return driver;
}

struct listing {
    void (*each)(void *context, const char *name);
    void *context;
};

static void list_file(void *context, const char *name)
{
    const struct listing *listing = context;
    if (!find(built_in, name))
        listing->each(listing->context, name);
}

void lf_driver_list(void (*each)(void *context, const char *name), void *context)
{
    struct listing listing = {each, context};
    for (size_t i = 0; built_in[i]; i++)
        each(context, built_in[i]->name);
    lf_search_list(folders(), suffix, list_file, &listing);
}
