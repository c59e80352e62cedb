#include "agent/daemon/filters.h"

#include "base/log.h"
#include "journal/journal.h"

#include <stdlib.h>
#include <string.h>

/* Sessions belong to a client id at a broker. Returns owned. */
static char *name_of(const struct lf_config_link *link)
{
    return lf_format("subscribed.%s.%s:%d", link->client_id, link->host, link->port);
}

static bool has(const cJSON *list, const char *filter)
{
    const cJSON *item;
    cJSON_ArrayForEach (item, list)
        if (cJSON_IsString(item) && !strcmp(item->valuestring, filter))
            return true;
    return false;
}

/* *list is owned: the filters that the configuration names. */
static enum lf_status configured(const struct lf_config_link *link, cJSON **list, struct lf_error *err)
{
    *list = cJSON_CreateArray();
    bool good = *list != NULL;
    for (size_t i = 0; good && i < link->topics.count; i++)
        good = cJSON_AddItemToArray(*list, cJSON_CreateString(link->topics.items[i]));
    if (good && link->command_topic)
        good = cJSON_AddItemToArray(*list, cJSON_CreateString(link->command_topic));
    return good ? LF_OK : lf_fail_memory(err, "noting subscriptions");
}

static enum lf_status store(struct lf_journal *journal, const struct lf_config_link *link, const cJSON *list,
                            struct lf_error *err)
{
    char *name = name_of(link), *text = lf_json_print(list);
    enum lf_status status = name && text ? lf_journal_set(journal, name, text, err)
                                         : lf_fail_memory(err, "noting subscriptions");
    free(name);
    free(text);
    return status;
}

/* *list is owned; NULL: none is known. */
static enum lf_status load(struct lf_journal *journal, const struct lf_config_link *link, cJSON **list,
                           struct lf_error *err)
{
    char *text = NULL, *name = name_of(link);
    enum lf_status status = name ? lf_journal_get(journal, name, &text, err)
                                 : lf_fail_memory(err, "noting subscriptions");
    *list = text ? cJSON_Parse(text) : NULL;
    free(text);
    free(name);
    return status;
}

void filters_free(struct lf_texts *former)
{
    for (size_t i = 0; i < former->count; i++)
        free((char *)former->items[i]);
    free((void *)former->items);
    *former = (struct lf_texts){0};
}

/* Those of `known` that are not wanted, which then join the wanted ones. */
static bool find_former(const cJSON *known, cJSON *wanted, struct lf_texts *former)
{
    const cJSON *item;
    const char **items = calloc((size_t)cJSON_GetArraySize(known) + 1, sizeof *items);
    bool good = items != NULL;
    former->items = items;
    cJSON_ArrayForEach (item, known) {
        if (!good || !cJSON_IsString(item) || has(wanted, item->valuestring))
            continue;
        items[former->count] = strdup(item->valuestring);
        good = items[former->count] && cJSON_AddItemToArray(wanted, cJSON_CreateString(item->valuestring));
        former->count += items[former->count] != NULL;
    }
    return good;
}

enum lf_status filters_note(struct lf_journal *journal, const struct lf_config_link *link,
                            struct lf_texts *former, struct lf_error *err)
{
    cJSON *known = NULL, *wanted = NULL;
    enum lf_status status = load(journal, link, &known, err);
    if (status == LF_OK)
        status = configured(link, &wanted, err);
    if (status == LF_OK && !find_former(known, wanted, former))
        status = lf_fail_memory(err, "noting subscriptions");
    if (status == LF_OK)
        status = store(journal, link, wanted, err);
    cJSON_Delete(known);
    cJSON_Delete(wanted);
    return status;
}

void filters_settle(struct lf_journal *journal, const struct lf_config_link *link)
{
    struct lf_error err = {0};
    cJSON *wanted = NULL;
    enum lf_status status = configured(link, &wanted, &err);
    if (status == LF_OK)
        status = store(journal, link, wanted, &err);
    if (status != LF_OK) /* they are unsubscribed once more */
        lf_log_warning("link", "cannot note what is subscribed: %s", err.text);
    cJSON_Delete(wanted);
}
