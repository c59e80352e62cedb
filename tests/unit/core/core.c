#include "core.h"

#include "event/event.h"
#include "event/pattern.h"
#include "fake_device.h"
#include "job/kinds.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct lf_setting *settings_of(const char *driver, struct lf_error *err)
{
    if (!strcmp(driver, fake_driver.name))
        return fake_driver.settings;
    lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "no driver \"%s\"", driver);
    return NULL;
}

static enum lf_status pattern_check(const cJSON *json, const struct lf_texts *on,
                                    void (*problem)(void *context, const char *path, const char *text,
                                                    bool certain),
                                    void *context, struct lf_error *err)
{
    struct lf_pattern *pattern = NULL;
    (void)on, (void)problem, (void)context;
    enum lf_status status = lf_pattern_compile(json, &pattern, err);
    lf_pattern_free(pattern);
    return status;
}

static const struct lf_config_hooks hooks = {
    .driver_settings = settings_of,
    .kind_at = lf_job_kind_at,
    .on_check = lf_event_on_check,
    .on_types = lf_event_on_types,
    .pattern_check = pattern_check,
};

struct lf_config *core_config(const char *more)
{
    static const char head[] =
        "agent = { name = \"bench-1\"; site = \"lab\"; state_dir = \"%s/state\"; socket = \"%s/socket\"; "
        "disk_reserve = \"1MB\"; "
        "couriers = 2; };\n"
        "cloud = { tenant = \"http://127.0.0.1:1\"; client_id = \"app\"; client_secret_file = \"%s/secret\"; "
        "events = \"poll\"; };\n%s\n";
    char path[512], secret[512], text[8192], state[512];
    const char *folder = unit_folder();
    snprintf(path, sizeof path, "%s/labferry.conf", folder);
    snprintf(secret, sizeof secret, "%s/secret", folder);
    snprintf(state, sizeof state, "%s/state", folder);
    mkdir(state, 0700);
    NEED(snprintf(text, sizeof text, head, folder, folder, folder, more) < (int)sizeof text);
    unit_write(secret, "secret\n");
    unit_write(path, text);
    struct lf_config *config = NULL;
    struct lf_config_report report = {0};
    struct lf_error err = {0};
    if (lf_config_load(path, &hooks, &config, &report, &err) != LF_OK)
        lf_config_report_print(&report, stdout);
    lf_config_report_free(&report);
    CHECK_STR(err.text, "");
    NEED(config != NULL);
    mkdir(config->agent.spool_dir, 0700);
    return config;
}

struct lf_journal *core_journal(void)
{
    char path[512];
    struct lf_journal *journal = NULL;
    struct lf_error err = {0};
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    lf_journal_open(path, &journal, &err);
    CHECK_STR(err.text, "");
    NEED(journal != NULL);
    return journal;
}

void core_sql(const char *sql)
{
    char path[600];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    NEED(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_busy_timeout(db, UNIT_SOON_MS) == SQLITE_OK);
    NEED(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
}

void core_move_journal(bool away)
{
    char path[600], aside[620];
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    snprintf(aside, sizeof aside, "%s.away", path);
    NEED(rename(away ? path : aside, away ? aside : path) == 0);
}

int64_t core_spool_bytes(void)
{
    char path[512];
    int64_t total = 0;
    struct stat st;
    snprintf(path, sizeof path, "%s/state/spool", unit_folder());
    DIR *dir = opendir(path);
    NEED(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            total += st.st_size;
    closedir(dir);
    return total;
}

struct lf_journal *core_reopen(struct lf_journal *journal)
{
    lf_journal_close(journal);
    return core_journal();
}

struct lf_job core_job(struct lf_journal *journal, int64_t id)
{
    struct lf_job job;
    NEED(lf_journal_job_get(journal, id, &job, UNIT_ERROR) == LF_OK);
    return job;
}

struct lf_event_row core_event(struct lf_journal *journal, const char *id)
{
    struct lf_event_row row;
    NEED(lf_journal_event_get(journal, id, &row, UNIT_ERROR) == LF_OK);
    return row;
}

int64_t core_count(cJSON *counts, const char *name)
{
    const cJSON *count = cJSON_GetObjectItemCaseSensitive(counts, name);
    int64_t number = count ? (int64_t)count->valuedouble : 0;
    cJSON_Delete(counts);
    return number;
}

struct search {
    const char *text;
    bool found;
};

static void look(void *context, int64_t at_ms, const char *who, const char *text)
{
    struct search *search = context;
    (void)at_ms;
    (void)who;
    search->found = search->found || strstr(text, search->text);
}

bool core_history_has(struct lf_journal *journal, int64_t job, const char *text)
{
    struct search search = {.text = text};
    lf_journal_history_list(journal, job, look, &search, UNIT_ERROR);
    return search.found;
}
