/* Only the places of control socket and journal: for the command line, whose user need not be able to read the
 * secrets that a whole configuration is checked with. */
#include "config/config.h"
#include "config/settings.h"

#include "base/file.h"

#include <libconfig.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Relative paths start at the folder of the configuration. */
static enum lf_status place_of(config_t *file, const char *folder, const char *setting, char **place, struct lf_error *err)
{
    const char *text = NULL;
    const config_setting_t *group = config_lookup(file, "agent");
    if (!group || config_setting_lookup_string(group, setting, &text) != CONFIG_TRUE || !*text)
        *place = strdup(lf_setting_find(lf_settings_agent, setting)->fallback);
    else
        *place = text[0] == '/' ? strdup(text) : lf_format("%s/%s", folder, text);
    return *place ? LF_OK : lf_fail_memory(err, "reading the configuration");
}

static enum lf_status find_place(const char *path, const char *setting, char **place, struct lf_error *err)
{
    struct stat st;
    *place = NULL;
    if (stat(path, &st) != 0)
        return lf_fail_errno(err, "cannot open %s", path);
    if (!S_ISREG(st.st_mode) || st.st_size > LF_CONFIG_FILE_MAX) /* libconfig ends the program for a folder */
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "%s is no configuration file", path);
    char *copy = strdup(path);
    if (!copy)
        return lf_fail_memory(err, "reading the configuration");
    const char *folder = dirname(copy);
    config_t file;
    config_init(&file);
    config_set_include_dir(&file, folder);
    enum lf_status status;
    if (config_read_file(&file, path) == CONFIG_TRUE)
        status = place_of(&file, folder, setting, place, err);
    else if (config_error_type(&file) == CONFIG_ERR_FILE_IO)
        status = lf_fail_errno(err, "cannot read %s", path);
    else
        status = lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "%s:%d: %s. `labferry check %s` says more", path,
                         config_error_line(&file), config_error_text(&file), path);
    config_destroy(&file);
    free(copy);
    return status;
}

enum lf_status lf_config_socket(const char *path, char **socket, struct lf_error *err)
{
    return find_place(path, "socket", socket, err);
}

enum lf_status lf_config_state_dir(const char *path, char **folder, struct lf_error *err)
{
    return find_place(path, "state_dir", folder, err);
}
