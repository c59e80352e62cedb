#include "cloud/cloud.h"

#include "cloud/api.h"

#include <stdlib.h>
#include <string.h>

enum {
    REQUEST_TIMEOUT_MS = 60000,
    PART_SIZE = 6000000, /* above the vendor's least of 5 MB; as base64 still below the 10 MB that many
                            proxies let pass */
    SINGLE_MAX = 10000000,
};

/* "https://acme.benchling.com[/][api/v2][/]" to "https://acme.benchling.com/api/v2". */
static enum lf_status make_base(const char *tenant, char **base, struct lf_error *err)
{
    if (!tenant || !*tenant)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "the cloud's tenant is not set: give its URL, such as https://acme.benchling.com");
    if (lf_url_check(tenant, err) != LF_OK)
        return lf_error_prefix(err, "the cloud's tenant");
    size_t len = strlen(tenant);
    while (len && tenant[len - 1] == '/')
        len--;
    if (len > 7 && !strncmp(tenant + len - 7, "/api/v2", 7))
        len -= 7;
    const char *host = strstr(tenant, "://");
    host = host ? host + 3 : tenant; /* "https:/host" is a URL to curl, too */
    if (strcspn(host, "/?#") < len - (size_t)(host - tenant))
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "the cloud's tenant is scheme and host alone, such as https://acme.benchling.com");
    *base = lf_format("%.*s/api/v2", (int)len, tenant);
    return *base ? LF_OK : lf_fail_memory(err, "opening the cloud");
}

enum lf_status lf_cloud_open(const struct lf_cloud_options *options, struct lf_transfer *transfer,
                             struct lf_cloud **out, struct lf_error *err)
{
    *out = NULL;
    struct lf_cloud *cloud = calloc(1, sizeof *cloud);
    if (!cloud)
        return lf_fail_memory(err, "opening the cloud");
    cloud->transfer = transfer;
    cloud->request_timeout_ms = options->request_timeout_ms > 0 ? options->request_timeout_ms
                                                                : REQUEST_TIMEOUT_MS;
    cloud->part_size = options->part_size > 0 ? options->part_size : PART_SIZE;
    cloud->single_max = options->single_max > 0 ? options->single_max : SINGLE_MAX;
    lf_mutex_init(&cloud->health.lock);
    lf_mutex_init(&cloud->schemas_lock);
    lf_mutex_init(&cloud->credential.lock);
    cloud__rate_open(&cloud->rate);
    struct lf_error own = {0};
    enum lf_status status = make_base(options->tenant, &cloud->base, &own);
    if (status == LF_OK)
        status = cloud__credential_open(&cloud->credential, transfer, cloud->base, options->client_id,
                                        options->client_secret_file, options->api_key_file, &own);
    if (status != LF_OK) {
        lf_cloud_close(cloud);
        if (err)
            *err = own;
        return status;
    }
    *out = cloud;
    return LF_OK;
}

void lf_cloud_close(struct lf_cloud *cloud)
{
    if (!cloud)
        return;
    cloud__credential_close(&cloud->credential);
    cloud__rate_close(&cloud->rate);
    cJSON_Delete(cloud->schemas);
    lf_mutex_destroy(&cloud->health.lock);
    lf_mutex_destroy(&cloud->schemas_lock);
    lf_mutex_destroy(&cloud->credential.lock);
    free(cloud->base);
    free(cloud);
}

static bool add_health(cJSON *object, struct lf_api_health *health)
{
    char at[LF_TIME_TEXT];
    bool good = true;
    lf_mutex_lock(&health->lock);
    const char *state = !health->since ? "not asked yet" : health->failing ? "failing" : "ok";
    good &= lf_json_set_text(object, "state", state);
    good &= lf_json_set_int(object, "calls", health->calls)
            && lf_json_set_int(object, "failures", health->failures);
    if (health->since) {
        lf_time_format(health->since, at);
        good &= lf_json_set_text(object, "since", at);
    }
    if (health->last_at) {
        lf_time_format(health->last_at, at);
        good &= lf_json_set_text(object, "last_error", health->last.text)
                && lf_json_set_text(object, "last_error_class", lf_class_name(health->last.class))
                && lf_json_set_text(object, "last_error_at", at);
    }
    lf_mutex_unlock(&health->lock);
    return good;
}

static bool add_limits(cJSON *object, struct lf_cloud *cloud)
{
    int64_t limit, remaining, reset_ms, left = cloud__credential_left(&cloud->credential);
    bool good = lf_json_set_text(object, "credential",
                                 cloud->credential.key_file ? "API key" : "client credentials");
    cloud__rate_read(&cloud->rate, &limit, &remaining, &reset_ms);
    if (limit >= 0)
        good &= lf_json_set_int(object, "rate_limit", limit)
                && lf_json_set_int(object, "rate_remaining", remaining)
                && lf_json_set_int(object, "rate_reset_ms", reset_ms);
    if (left >= 0 && left != LF_NEVER)
        good &= lf_json_set_int(object, "token_left_ms", left);
    return good;
}

cJSON *lf_cloud_health(struct lf_cloud *cloud)
{
    cJSON *object = cJSON_CreateObject();
    if (object && (!add_health(object, &cloud->health) || !add_limits(object, cloud))) {
        cJSON_Delete(object);
        object = NULL;
    }
    return object;
}
