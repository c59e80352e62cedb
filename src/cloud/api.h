/* Inside cloud: one call of the API, with what all operations share: credentials, rate limit, errors, and the
 * check of the answer's fields. The other files here know paths, bodies and fields.
 */
#ifndef LF_CLOUD_API_H
#define LF_CLOUD_API_H

#include "cloud/cloud.h"
#include "cloud/credential.h"
#include "cloud/rate.h"
#include "cloud/schema.h"
#include "os/thread.h"
#include "transfer/transfer.h"

enum {
    LF_API_ANSWER_MAX = 8 * 1024 * 1024,
    LF_API_EVENTS_MAX = 40 * 1024 * 1024, /* a page of 100 events of up to 256 KB each, and some reserve */
    LF_API_PAGES_MAX = 200,
    LF_API_ID_MAX = 200,
};

struct lf_api_health {
    struct lf_mutex lock;
    bool failing;
    int64_t since, calls, failures; /* wall ms; counts */
    struct lf_error last;           /* the last failure */
    int64_t last_at;                /* wall ms, 0: there was none */
};

struct lf_cloud {
    struct lf_transfer *transfer;         /* borrowed */
    char *base;                           /* "https://acme.benchling.com/api/v2" */
    const struct lf_config_cloud *config; /* borrowed */
    int64_t part_size;  /* bytes of a part of an upload, unless the file needs larger ones */
    int64_t single_max; /* bytes of the largest upload in one request */
    struct lf_credential credential;
    struct lf_rate rate;
    struct lf_api_health health;
    struct lf_mutex schemas_lock;
    cJSON *schemas; /* task schemas by id, as the API gave them; under schemas_lock. See status.c */
};

struct lf_api_request {
    const char *doing; /* for messages: "reading the input generator" */
    const char *method;
    const char *path;       /* after /api/v2 */
    const char *id, *after; /* after not NULL: id, encoded, and `after` follow the path */
    struct {
        const char *name, *value;    /* value NULL: left out */
    } query[6];                      /* ends with name NULL */
    const cJSON *json;               /* body, borrowed; NULL: none */
    const struct lf_body *body;      /* or a streamed JSON body: bounded by the call's deadline alone */
    bool once;                       /* creates something: if it may have been done, the outcome is unknown */
    const struct cloud_field *shape; /* what a 2xx answer must have; NULL: any JSON object */
    int64_t max_answer;              /* 0: LF_API_ANSWER_MAX */
};

/* Performs it; *out (owned) is the JSON of a 2xx answer. */
enum lf_status cloud__api_call(struct lf_cloud *cloud, const struct lf_api_request *request,
                               const struct lf_call *call, cJSON **out, struct lf_error *err);

/* The same with a body, which it takes. made is false if there was no memory for all of it. */
enum lf_status cloud__api_send(struct lf_cloud *cloud, struct lf_api_request *request, cJSON *body, bool made,
                               const struct lf_call *call, cJSON **out, struct lf_error *err);

/* GET of all pages of a list. Collects the items of member `key`, each checked against the request's shape,
 * into *array (owned). */
enum lf_status cloud__api_list(struct lf_cloud *cloud, const struct lf_api_request *request, const char *key,
                               const struct lf_call *call, cJSON **array, struct lf_error *err);

/* base + path [+ encoded id + after] [+ query]; refuses ids that are not one path segment. *url is owned. */
enum lf_status cloud__api_url(const struct lf_cloud *cloud, const struct lf_api_request *request, char **url,
                              struct lf_error *err);

/* Authorises one request and learns the rate limit from the answer; used by cloud__api_call and the
 * download. */
enum lf_status cloud__api_perform(struct lf_cloud *cloud, struct lf_request *request, bool counted,
                                  const struct lf_call *call, struct lf_answer *answer, bool *sent,
                                  struct lf_error *err);

/* Remembers for the operator how a call went; err NULL: well. */
void cloud__api_note(struct lf_cloud *cloud, const struct lf_error *err);

#endif
