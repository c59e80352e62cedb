#include "cloud/api.h"

#include "cloud/http_error.h"

#include <stdlib.h>
#include <string.h>

/* Appends "name=<encoded value>" with '?' or '&' in front. */
static bool add_query(struct lf_buffer *url, char before, const char *name, const char *value)
{
    char *encoded = lf_url_encode(value);
    bool added = encoded && lf_buffer_format(url, "%c%s=%s", before, name, encoded) == LF_OK;
    free(encoded);
    return added;
}

enum lf_status cloud__api_url(const struct lf_cloud *cloud, const struct lf_api_request *request, char **url,
                              struct lf_error *err)
{
    const char *id = request->id;
    char shown[80], before = '?';
    struct lf_buffer text = {0};
    *url = NULL;
    lf_text_show(id ? id : "", shown, sizeof shown);
    /* An empty id would ask for a list, "." and ".." for another path. */
    if (request->after
        && (!id || !*id || strlen(id) > LF_API_ID_MAX || !strcmp(id, ".") || !strcmp(id, "..")))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "'%s' is not a valid id", shown);
    char *encoded = request->after ? lf_url_encode(id) : strdup("");
    bool made = encoded
                && lf_buffer_format(&text, "%s%s%s%s", cloud->base, request->path, encoded,
                                    request->after ? request->after : "")
                       == LF_OK;
    free(encoded);
    for (int i = 0; made && request->query[i].name; i++) {
        if (!request->query[i].value)
            continue;
        made = add_query(&text, before, request->query[i].name, request->query[i].value);
        before = '&';
    }
    if (made)
        *url = lf_buffer_take(&text);
    lf_buffer_free(&text);
    return *url ? LF_OK : lf_fail_memory(err, "building a request");
}

/* Health is about the cloud, not about one request: a cloud that refuses this request (permanently, or until
 * a person grants access) works. */
void cloud__api_note(struct lf_cloud *cloud, const struct lf_error *err)
{
    struct lf_api_health *health = &cloud->health;
    bool own_end = err && err->status == LF_CANCELLED;
    bool failing = err && !own_end && err->class != LF_PERMANENT && err->class != LF_NEEDS_PERSON;
    lf_mutex_lock(&health->lock);
    health->calls++;
    if (err && !own_end) {
        health->failures++;
        health->last = *err;
        health->last_at = lf_clock_wall_ms();
    }
    if (!own_end && (failing != health->failing || !health->since)) {
        health->failing = failing;
        health->since = lf_clock_wall_ms();
    }
    lf_mutex_unlock(&health->lock);
}

enum lf_status cloud__api_perform(struct lf_cloud *cloud, struct lf_request *request, bool counted,
                                  const struct lf_call *call, struct lf_answer *answer, bool *sent,
                                  struct lf_error *err)
{
    enum lf_status status = LF_OK;
    *sent = false;
    for (int attempt = 0; status == LF_OK; attempt++) {
        char *authorization = NULL;
        bool was_sent = false;
        status = cloud__credential_get(&cloud->credential, call, &authorization, err);
        if (status == LF_OK && counted)
            status = cloud__rate_take(&cloud->rate, request->deadline, call->cancel, err);
        if (status == LF_OK) {
            request->authorization = authorization;
            status = lf_transfer_perform(cloud->transfer, request, answer, &was_sent, err);
            request->authorization = NULL;
        }
        if (status == LF_OK)
            cloud__credential_hide(authorization, &answer->text);
        if (status == LF_OK && !answer->redirected)
            lf_clock_learn(answer->date_ms);
        *sent = was_sent; /* a 401 before this attempt means that nothing was done */
        if (status == LF_OK && counted)
            cloud__rate_learn(&cloud->rate, answer->rate_limit, answer->rate_remaining, answer->rate_reset_s);
        bool again = status == LF_OK && answer->status == 401 && !answer->redirected && attempt == 0;
        if (status == LF_OK && answer->status == 401 && !answer->redirected)
            cloud__credential_drop(&cloud->credential, authorization); /* expired early, or revoked */
        cloud__credential_forget(authorization);
        if (!again)
            break;
        lf_answer_free(answer);
        if (request->body && !request->body->rewind(request->body->context))
            status = lf_fail(err, LF_IO, LF_TRANSIENT, "cannot send the body a second time");
    }
    return status;
}

/* The JSON of a 2xx answer, checked. Anything else may come from a proxy in between, and one such answer must
 * not fail a workflow task permanently: transient. If it persists, `labferry status` shows it. */
static enum lf_status read_answer(const struct lf_answer *answer, const struct cloud_field *shape,
                                  cJSON **out, struct lf_error *err)
{
    enum lf_status status = cloud__http_error_judge(answer, err);
    if (status != LF_OK)
        return status;
    if (lf_json_parse(lf_buffer_slice(&answer->text), out, err) != LF_OK) {
        err->status = LF_PROTOCOL;
        err->class = LF_TRANSIENT;
        return lf_error_prefix(err, "cannot parse the answer (%d)", answer->status);
    }
    status = cloud__schema_check(*out, shape, err);
    if (status != LF_OK) {
        err->class = LF_TRANSIENT;
        cJSON_Delete(*out);
        *out = NULL;
    }
    return status;
}

/* For requests that must not be repeated: only a clear refusal means that nothing was done. */
static bool in_doubt(bool sent, int http_status)
{
    bool refused = http_status >= 300 && http_status < 500;
    return sent && !refused;
}

enum lf_status cloud__api_call(struct lf_cloud *cloud, const struct lf_api_request *request,
                               const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    struct lf_answer answer = {0};
    bool sent = false;
    char *url, *text = NULL;
    *out = NULL;
    enum lf_status status = cloud__api_url(cloud, request, &url, err);
    if (status == LF_INVALID)
        return status; /* not a failure of the cloud */
    if (status == LF_OK && request->json && !(text = lf_json_print(request->json)))
        status = lf_fail_memory(err, "building a request");
    int64_t request_timeout = lf_deadline_in(cloud->config->request_timeout_ms);
    struct lf_request wire = {
        .method = request->method,
        .url = url,
        .content_type = text || request->body ? "application/json" : NULL,
        .text = lf_slice_text(text),
        .body = request->body,
        .once = request->once,
        .max_answer = request->max_answer ? request->max_answer : LF_API_ANSWER_MAX,
        .deadline = request->body ? call->deadline : lf_deadline_sooner(call->deadline, request_timeout),
        .cancel = call->cancel,
    };
    if (status == LF_OK)
        status = cloud__api_perform(cloud, &wire, true, call, &answer, &sent, err);
    if (status == LF_OK)
        status = read_answer(&answer, request->shape, out, err);
    free(url);
    free(text);
    cloud__api_note(cloud, status == LF_OK ? NULL : err);
    if (status != LF_OK)
        lf_error_prefix(err, "%s", request->doing);
    if (status != LF_OK && request->once && in_doubt(sent, answer.status))
        lf_fail(err, status, LF_UNKNOWN_OUTCOME, "it may or may not have been done: %s", err->text);
    lf_answer_free(&answer);
    return status;
}

enum lf_status cloud__api_send(struct lf_cloud *cloud, struct lf_api_request *request, cJSON *body, bool made,
                               const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    *out = NULL;
    request->json = body;
    enum lf_status status = made ? cloud__api_call(cloud, request, call, out, err)
                                 : lf_fail_memory(err, request->doing);
    cJSON_Delete(body);
    return status;
}

/* Moves the items of one page to the array. */
static enum lf_status take_items(cJSON *page, const char *key, const struct cloud_field *shape, cJSON *array,
                                 struct lf_error *err)
{
    cJSON *items = cJSON_GetObjectItemCaseSensitive(page, key);
    if (!cJSON_IsArray(items))
        return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT, "the answer's field '%s' is not a list", key);
    while (items->child) {
        cJSON *item = cJSON_DetachItemFromArray(items, 0);
        if (cloud__schema_check(item, shape, err) != LF_OK) {
            cJSON_Delete(item);
            err->class = LF_TRANSIENT; /* as in read_answer */
            return lf_error_prefix(err, "in '%s'", key);
        }
        cJSON_AddItemToArray(array, item);
    }
    return LF_OK;
}

/* The request for the page after `token`; NULL: for the first. */
static struct lf_api_request page_request(const struct lf_api_request *list, const char *token)
{
    struct lf_api_request page = *list;
    int last = 0;
    while (page.query[last].name)
        last++;
    page.shape = NULL;
    page.query[last].name = "nextToken";
    page.query[last].value = token;
    return page;
}

enum lf_status cloud__api_list(struct lf_cloud *cloud, const struct lf_api_request *request, const char *key,
                               const struct lf_call *call, cJSON **array, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    char *token = NULL;
    *array = cJSON_CreateArray();
    if (!*array)
        return lf_fail_memory(err, request->doing);
    for (int pages = 1; status == LF_OK; pages++) {
        cJSON *page = NULL;
        struct lf_api_request next_page = page_request(request, token);
        status = cloud__api_call(cloud, &next_page, call, &page, err);
        if (status == LF_OK && (status = take_items(page, key, request->shape, *array, err)) != LF_OK)
            lf_error_prefix(err, "%s", request->doing);
        const char *next = lf_json_text_or(page, "nextToken", "");
        bool last = status != LF_OK || !*next;
        if (!last && (pages == LF_API_PAGES_MAX || (token && !strcmp(token, next))))
            status = lf_fail(err, LF_PROTOCOL, LF_PERMANENT, "%s: the list does not end (page %d)",
                             request->doing, pages);
        free(token);
        token = last ? NULL : strdup(next);
        cJSON_Delete(page);
        if (last)
            break;
        if (!token)
            status = lf_fail_memory(err, request->doing);
    }
    free(token);
    *array = lf_json_made(*array, status == LF_OK);
    return status;
}
