#include "cloud/cloud.h"

#include "cloud/api.h"

#include <stdlib.h>
#include <string.h>

enum {
    PART_SIZE = 6000000, /* above the vendor's least of 5 MB; as base64 still below the 10 MB that many
                            proxies let pass */
    SINGLE_MAX = 10000000,
};

enum lf_status lf_cloud_open(const struct lf_config_cloud *config, struct lf_transfer *transfer,
                             struct lf_cloud **out, struct lf_error *err)
{
    *out = NULL;
    struct lf_cloud *cloud = calloc(1, sizeof *cloud);
    if (!cloud)
        return lf_fail_memory(err, "opening the cloud");
    cloud->transfer = transfer;
    cloud->config = config;
    cloud->part_size = PART_SIZE;
    cloud->single_max = SINGLE_MAX;
    lf_mutex_init(&cloud->health.lock);
    lf_mutex_init(&cloud->schemas_lock);
    lf_mutex_init(&cloud->credential.lock);
    cloud__rate_open(&cloud->rate);
    cloud->credential.config = config;
    cloud->credential.transfer = transfer;
    cloud->base = lf_format("%s/api/v2", config->tenant);
    cloud->credential.token_url = lf_format("%s/api/v2/token", config->tenant);
    if (!cloud->base || !cloud->credential.token_url) {
        lf_cloud_close(cloud);
        return lf_fail_memory(err, "opening the cloud");
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
    lf_mutex_lock(&health->lock);
    const char *state = !health->since ? "not asked yet" : health->failing ? "failing" : "ok";
    bool made = lf_json_set_text(object, "state", state) && lf_json_set_int(object, "calls", health->calls)
                && lf_json_set_int(object, "failures", health->failures)
                && lf_json_set_time(object, "since", health->since);
    if (made && health->last_at)
        made = lf_json_set_text(object, "last_error", health->last.text)
               && lf_json_set_text(object, "last_error_class", lf_class_name(health->last.class))
               && lf_json_set_time(object, "last_error_at", health->last_at);
    lf_mutex_unlock(&health->lock);
    return made;
}

static bool add_limits(cJSON *object, struct lf_cloud *cloud)
{
    int64_t limit, remaining, reset_ms, left = cloud__credential_left(&cloud->credential);
    bool good = lf_json_set_text(object, "credential",
                                 cloud->config->api_key_file ? "API key" : "client credentials");
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
    return lf_json_made(object, add_health(object, &cloud->health) && add_limits(object, cloud));
}
