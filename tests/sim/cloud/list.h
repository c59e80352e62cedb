/* Lists in pages, and the filters many of them share. */
#ifndef LF_SIM_LIST_H
#define LF_SIM_LIST_H

#include "http.h"

/* One kind of list: where the items are, which of them are wanted, how each is shown (NULL: as it is stored).
 * */
struct sim_list {
    const char *key;
    const struct sim_table *table;
    bool (*wanted)(const struct sim_request *request, const struct sim_item *item);
    cJSON *(*show)(struct sim *sim, const struct sim_item *item);
};

struct sim_reply sim_list_reply(struct sim_request *request, const struct sim_list *list);

/* The position a nextToken stands for; false with reply filled when it is none of ours. 0 without a token. */
bool sim_list_start(const struct sim_request *request, int64_t *position, struct sim_reply *reply);
/* Sets nextToken: to `position` when there is more, else to "". */
void sim_list_finish(cJSON *json, bool more, int64_t position);

/* RFC 3339 time or a bare date. */
bool sim_list_time(const char *text, int64_t *wall_ms);
/* Filters; true when the query does not have them. */
bool sim_list_has_id(const struct sim_request *request, const char *query, const char *id);
bool sim_list_equals(const struct sim_request *request, const char *query, const char *value);
bool sim_list_modified(const struct sim_request *request, const struct sim_item *item);
bool sim_list_archive(const struct sim_request *request, const struct sim_item *item);

#endif
