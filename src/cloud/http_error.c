#include "cloud/http_error.h"

#include "base/json.h"
#include "cloud/rate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A row for each status that means more than its family. What blocks every request (credential, proxy, wrong
 * address) is not a problem of one job: transient, and `labferry status` shows it once. */
static const struct verdict {
    int status;
    enum lf_status means;
    enum lf_class class;
    const char *words;
} verdicts[] = {
    {400, LF_REFUSED, LF_PERMANENT, "refused the request"},
    {401, LF_DENIED, LF_TRANSIENT,
     "rejected our credentials: check cloud.client_id and its secret, or the API key"},
    {403, LF_DENIED, LF_NEEDS_PERSON,
     "denies access: give the app or user access to the project, team or registry"},
    {404, LF_NOT_FOUND, LF_PERMANENT, "does not have it (or the app may not see it)"},
    {407, LF_DENIED, LF_TRANSIENT, "is behind a proxy that requires credentials"},
    {408, LF_TIMEOUT, LF_TRANSIENT, "timed out waiting for our request"},
    {409, LF_REFUSED, LF_PERMANENT, "reports a conflict"},
    {410, LF_NOT_FOUND, LF_PERMANENT, "no longer has it"},
    {413, LF_TOO_LARGE, LF_PERMANENT, "says the request is too large"},
    {422, LF_REFUSED, LF_PERMANENT, "cannot process the request"},
    {425, LF_BUSY, LF_TRANSIENT, "asks for a retry"},
    {429, LF_BUSY, LF_TRANSIENT, "reports that the rate limit is used up"},
    {500, LF_IO, LF_TRANSIENT, "has an internal error"},
    {501, LF_UNSUPPORTED, LF_PERMANENT, "does not support this"},
    {502, LF_IO, LF_TRANSIENT, "could not be reached by its gateway"},
    {503, LF_BUSY, LF_TRANSIENT, "is not available"},
    {504, LF_TIMEOUT, LF_TRANSIENT, "did not answer its gateway in time"},
};

static const struct verdict families[] = {
    {300, LF_PROTOCOL, LF_TRANSIENT, "redirects elsewhere; check the tenant URL"},
    {400, LF_REFUSED, LF_PERMANENT, "refused the request"},
    {500, LF_IO, LF_TRANSIENT, "reports a server error"},
    {0, LF_PROTOCOL, LF_TRANSIENT, "answered with an invalid status"},
};

static struct verdict verdict_of(int status)
{
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        if (verdicts[i].status == status)
            return verdicts[i];
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (families[i].status == status / 100 * 100)
            return families[i];
    return families[sizeof families / sizeof *families - 1];
}

/* Adds "; label text" to the message being built. */
static void add_words(struct lf_buffer *said, const char *label, const char *text)
{
    char plain[160];
    if (!text || !*text)
        return;
    lf_text_show(text, plain, sizeof plain);
    if (said->data && strstr(said->data, plain))
        return; /* userMessage often repeats message */
    lf_buffer_format(said, "%s%s%s", said->len ? "; " : "", label, plain);
}

/* "errors": [{"index":0,"message":"..."}, {"global":["..."],"fields":{"Mass":"..."}}, "..."]: the first
 * few. */
static void add_errors(struct lf_buffer *said, const cJSON *errors)
{
    const cJSON *item;
    int count = 0;
    cJSON_ArrayForEach (item, errors) {
        if (++count > 3)
            break;
        const cJSON *global = lf_json_at(item, "global"), *field;
        if (cJSON_IsString(item))
            add_words(said, "", item->valuestring);
        add_words(said, "", lf_json_text(item, "message"));
        add_words(said, "",
                  cJSON_IsArray(global) ? cJSON_GetStringValue(cJSON_GetArrayItem(global, 0)) : NULL);
        cJSON_ArrayForEach (field, lf_json_at(item, "fields")) {
            char label[80];
            lf_text_show(field->string ? field->string : "", label, sizeof label - 3);
            strcat(label, ": ");
            add_words(said, label,
                      cJSON_IsArray(field) ? cJSON_GetStringValue(cJSON_GetArrayItem(field, 0))
                                           : cJSON_GetStringValue(field));
        }
    }
}

static void vendor_words(const cJSON *body, struct lf_buffer *said)
{
    const cJSON *invalid = lf_json_at(body, "invalidIds");
    add_words(said, "", lf_json_text(body, "error.message"));
    add_words(said, "", lf_json_text(body, "error.userMessage"));
    add_words(said, "", lf_json_text(body, "error")); /* RFC 6749's form, from a proxy or older host */
    add_words(said, "", lf_json_text(body, "message"));
    add_words(said, "", lf_json_text(body, "detail")); /* problem+json */
    add_words(said, "invalid id ", lf_json_text(body, "error.invalidId"));
    add_words(said, "invalid id ", cJSON_GetStringValue(cJSON_GetArrayItem(invalid, 0)));
    add_errors(said, lf_json_at(body, "error.errors"));
    add_errors(said, lf_json_at(body, "errors"));
}

static bool is_page(const struct lf_answer *answer)
{
    const char *text = answer->text.data ? answer->text.data : "";
    text += strspn(text, " \t\r\n\xEF\xBB\xBF");
    return !strncasecmp(answer->content_type, "text/html", 9) || !strncasecmp(text, "<!doctype", 9)
           || !strncasecmp(text, "<html", 5);
}

/* A web page instead of JSON: from a proxy, a maintenance page, or the wrong host. */
static enum lf_status judge_page(const struct lf_answer *answer, struct lf_error *err)
{
    return lf_fail(
        err, LF_PROTOCOL, LF_TRANSIENT,
        "got a web page instead of the API's answer (status %d): check the tenant URL, and for a proxy "
        "or a maintenance page in between",
        answer->status);
}

/* A header that is broken must not stop all work for as long as it says. */
static bool is_absurd(const struct lf_answer *answer)
{
    return answer->status == 429 && answer->retry_after_ms < 0 && answer->rate_reset_s > CLOUD_WINDOW_MAX_S;
}

static int64_t wait_asked_for(const struct lf_answer *answer)
{
    if (answer->retry_after_ms >= 0)
        return answer->retry_after_ms;
    bool told = answer->status == 429 && answer->rate_reset_s >= 0 && !is_absurd(answer);
    return told ? answer->rate_reset_s * 1000 : 0;
}

static enum lf_status judge_error(const struct lf_answer *answer, struct lf_error *err)
{
    struct verdict verdict = verdict_of(answer->status);
    struct lf_buffer said = {.max = 400};
    cJSON *body = NULL;
    lf_json_parse(lf_buffer_slice(&answer->text), &body, &(struct lf_error){0});
    vendor_words(body, &said);
    char absurd[120] = "";
    if (is_absurd(answer))
        snprintf(absurd, sizeof absurd,
                 "; its x-rate-limit-reset of %" PRId64 " s makes no sense and is ignored",
                 answer->rate_reset_s);
    lf_fail(err, verdict.means, verdict.class, "the cloud %s (%d%s%s)%s", verdict.words, answer->status,
            said.len ? ": " : "", said.len ? said.data : "", absurd);
    if (verdict.class == LF_TRANSIENT)
        err->retry_after_ms = wait_asked_for(answer);
    cJSON_Delete(body);
    lf_buffer_free(&said);
    return verdict.means;
}

enum lf_status cloud__http_error_judge(const struct lf_answer *answer, struct lf_error *err)
{
    int status = answer->status;
    bool page_matters = (status >= 200 && status < 300) || status == 401 || status == 403 || status == 404;
    if (page_matters && is_page(answer))
        return judge_page(answer, err);
    return status >= 200 && status < 300 ? LF_OK : judge_error(answer, err);
}
