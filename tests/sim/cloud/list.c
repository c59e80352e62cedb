#include "list.h"

#include "base/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sim_list_start(const struct sim_request *request, int64_t *position, struct sim_reply *reply)
{
    const char *token = sim_query(request, "nextToken");
    struct lf_buffer plain = {.max = 64};
    *position = 0;
    if (!token || !*token)
        return true;
    bool good = lf_base64_decode(lf_slice_text(token), &plain) == LF_OK && plain.data
                && !strncmp(plain.data, "at:", 3);
    if (good)
        *position = strtoll(plain.data + 3, NULL, 10);
    else
        *reply = sim_reply_error(400, "Invalid nextToken");
    lf_buffer_free(&plain);
    return good;
}

void sim_list_finish(cJSON *json, bool more, int64_t position)
{
    char text[40];
    struct lf_buffer token = {.max = 128};
    snprintf(text, sizeof text, "at:%lld", (long long)position);
    if (more && lf_base64_append(&token, text, strlen(text)) != LF_OK)
        sim_die("out of memory (a page's token)");
    sim_set_text(json, "nextToken", more ? token.data : "");
    lf_buffer_free(&token);
}

struct sim_reply sim_list_reply(struct sim_request *request, const struct sim_list *list)
{
    int64_t at, page = lf_json_int(request->query, "pageSize", SIM_PAGE_DEFAULT), taken = 0;
    int64_t count = (int64_t)list->table->count;
    struct sim_reply reply = {.fd = -1};
    if (!sim_list_start(request, &at, &reply))
        return reply;
    cJSON *json = cJSON_CreateObject(), *array = sim_array(json, list->key);
    for (at = at < 0 ? 0 : at; at < count; at++) {
        const struct sim_item *item = list->table->items[at];
        if (list->wanted && !list->wanted(request, item))
            continue;
        if (taken == page)
            break;
        taken++;
        cJSON_AddItemToArray(array,
                             list->show ? list->show(request->sim, item) : cJSON_Duplicate(item->json, true));
    }
    sim_list_finish(json, at < count, at);
    return sim_reply_json(200, json);
}

bool sim_list_time(const char *text, int64_t *wall_ms)
{
    char full[LF_TIME_TEXT];
    if (strlen(text) == 10) {
        snprintf(full, sizeof full, "%sT00:00:00Z", text);
        text = full;
    }
    return lf_time_parse(text, wall_ms) == LF_OK;
}

bool sim_list_has_id(const struct sim_request *request, const char *query, const char *id)
{
    const char *list = sim_query(request, query);
    return !list || sim_in_list(list, id ? id : "");
}

bool sim_list_equals(const struct sim_request *request, const char *query, const char *value)
{
    const char *wanted = sim_query(request, query);
    return !wanted || !strcmp(wanted, value ? value : "");
}

/* "> 2017-04-30", "< T", or both joined with AND. */
bool sim_list_modified(const struct sim_request *request, const struct sim_item *item)
{
    const char *filter = sim_query(request, "modifiedAt");
    int64_t modified = 0, bound;
    if (!filter || !sim_list_time(lf_json_text_or(item->json, "modifiedAt", ""), &modified))
        return true;
    while (*filter) {
        char sign = *filter, text[LF_TIME_TEXT];
        if (sign != '<' && sign != '>') {
            filter++;
            continue;
        }
        filter += 1 + strspn(filter + 1, " ");
        int len = (int)strcspn(filter, " <>");
        snprintf(text, sizeof text, "%.*s", len, filter);
        filter += len;
        if (sim_list_time(text, &bound) && (sign == '<' ? modified >= bound : modified <= bound))
            return false;
    }
    return true;
}

bool sim_list_archive(const struct sim_request *request, const struct sim_item *item)
{
    const char *wanted = sim_query(request, "archiveReason");
    const char *reason = lf_json_text(item->json, "archiveRecord.reason");
    if (!wanted || !strcmp(wanted, "NOT_ARCHIVED"))
        return !reason;
    if (!strcmp(wanted, "ANY_ARCHIVED"))
        return reason != NULL;
    return !strcmp(wanted, "ANY_ARCHIVED_OR_NOT_ARCHIVED") || (reason && !strcmp(reason, wanted));
}
