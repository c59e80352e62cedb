/* What the agent needs at its start: folders, socket, group, certificates, and that nobody else can change
 * what it acts on. The daemon and `labferry check` refuse the same.
 */
#include "base/pem.h"
#include "config/load.h"
#include "os/dir.h"
#include "os/local.h"
#include "os/trust.h"

#include <stdlib.h>
#include <string.h>

/* Reports a failed check of the setting `group.name`, or of its group when it is left out. */
static void report(struct lf_load *load, const char *group, const char *name, const struct lf_error *err,
                   const char *remedy)
{
    const config_setting_t *place = config_lookup(&load->file, group);
    config__load_note(load, err);
    config__load_error(load, place ? config__load_member(place, name) : NULL, "%s: \"%s\": %s%s", group, name,
                       err->text, remedy);
}

/* ---- folders ---- */

/* Why nothing can be written into a folder. A disk that is read-only or fails is no mistake in the file. */
static void report_folder(struct lf_load *load, const char *name, const char *folder,
                          enum lf_config_severity severity, const struct lf_error *err)
{
    bool disk = err->class == LF_TRANSIENT;
    if (err->status != LF_DENIED)
        severity = LF_CONFIG_ERROR;
    config__load_note(load, err);
    load->passing += disk && severity == LF_CONFIG_ERROR;
    config__load_problem(load, severity, config__load_member(config_lookup(&load->file, "agent"), name),
                         "agent: \"%s\": this user cannot write into %s: %s; correct the path or %s", name,
                         folder, err->text, disk ? "see to the disk" : "its permissions");
}

/* Can this user write into the folder? If it does not exist yet, the nearest one above it is checked, which
 * is only worth a warning: systemd or another user may create the folder. */
static void check_folder(struct lf_load *load, const char *name, const char *path)
{
    struct lf_dir dir = {0};
    struct lf_error err = {0};
    enum lf_config_severity severity = LF_CONFIG_ERROR;
    char *folder = strdup(path);
    while (folder && lf_dir_open(folder, &dir, &err) == LF_NOT_FOUND) {
        char *above = lf_path_parent(folder);
        free(folder);
        folder = above;
        severity = LF_CONFIG_WARNING;
    }
    if (folder && (!lf_dir_is_open(&dir) || lf_dir_check_writable(&dir, &err) != LF_OK))
        report_folder(load, name, folder, severity, &err);
    load->no_memory = load->no_memory || !folder;
    lf_dir_close(&dir);
    free(folder);
}

/* What lies in a folder of the agent must be its own too: it may have been put there before. */
static void check_content(struct lf_load *load, const char *name, const char *path)
{
    struct lf_dir dir = {0};
    struct lf_dir_list *list = NULL;
    struct lf_error err = {0};
    const char *entry;
    bool good = lf_dir_open(path, &dir, &err) == LF_OK && lf_dir_list(&dir, &list, &err) == LF_OK;
    while (good && (entry = lf_dir_next(list, NULL, &err))) {
        const char *full = config__load_format(load, "%s/%s", path, entry);
        good = full && lf_trust_check(full, false, &err) == LF_OK;
        if (full && !good)
            report(load, "agent", name, &err, "");
    }
    lf_dir_list_close(list);
    lf_dir_close(&dir);
}

static void check_state(struct lf_load *load, const char *name, const char *path, bool content)
{
    struct lf_error err;
    check_folder(load, name, path);
    if (lf_trust_check(path, false, &err) != LF_OK)
        report(load, "agent", name, &err, "");
    else if (content)
        check_content(load, name, path);
}

static void check_socket(struct lf_load *load, const char *path)
{
    struct lf_error err;
    char *folder = lf_path_parent(path);
    if (lf_local_check_path(path, &err) != LF_OK)
        report(load, "agent", "socket", &err, "; choose a shorter one");
    else if (folder)
        check_folder(load, "socket", folder);
    load->no_memory = load->no_memory || !folder;
    free(folder);
}

/* ---- certificates ---- */

/* A file that cannot be read was reported with its setting. */
static bool readable(const char *path)
{
    struct lf_error ignored;
    return path && lf_path_check_readable(path, &ignored) == LF_OK;
}

static void check_authorities(struct lf_load *load, const char *group, const char *path)
{
    struct lf_error err;
    if (readable(path) && lf_pem_check_certificates(path, &err) != LF_OK)
        report(load, group, "ca_file", &err, "");
}

static void check_pair(struct lf_load *load, const struct lf_config_link *link)
{
    struct lf_error err;
    if (!readable(link->cert_file))
        return;
    if (lf_pem_check_certificates(link->cert_file, &err) != LF_OK)
        report(load, "link", "cert_file", &err, "");
    else if (readable(link->key_file) && lf_pem_check_pair(link->cert_file, link->key_file, &err) != LF_OK
             && err.status == LF_INVALID) /* else it was reported as a secret */
        report(load, "link", "key_file", &err, "");
}

/* ---- all of it ---- */

bool config__load_trusted(struct lf_load *load, const char *path, struct lf_error *err)
{
    if (!load->hooks || !load->hooks->check_start || lf_trust_check(path, false, err) == LF_OK)
        return true;
    config__load_note(load, err);
    return false;
}

void config__load_start(struct lf_load *load)
{
    const struct lf_config *config = load->config;
    const struct lf_config_agent *agent = &config->agent;
    struct lf_error err;
    if (agent->operators && lf_local_check_group(agent->operators, &err) != LF_OK)
        report(load, "agent", "operators", &err, "; create it or correct the name");
    if (agent->state_dir)
        check_state(load, "state_dir", agent->state_dir, true);
    if (agent->state_dir && config_lookup(&load->file, "agent.spool_dir"))
        check_state(load, "spool_dir", agent->spool_dir, false);
    if (agent->socket)
        check_socket(load, agent->socket);
    check_authorities(load, "cloud", config->cloud.ca_file);
    check_authorities(load, "link", config->link.ca_file);
    check_pair(load, &config->link);
    if (lf_trust_is_root())
        config__load_warning(
            load, config_lookup(&load->file, "agent"),
            "agent: this runs as root: whatever goes wrong then has all rights on this machine; give "
            "the agent a user of its own");
}
