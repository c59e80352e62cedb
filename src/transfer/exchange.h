/* One request and its answer on the wire: how a request becomes a libcurl handle, what the handle's callbacks
 * do, and what its end means. Made, run and ended on the transfer thread only.
 */
#ifndef LF_TRANSFER_EXCHANGE_H
#define LF_TRANSFER_EXCHANGE_H

#include "base/digest.h"
#include "transfer/transfer.h"

#include <curl/curl.h>

/* Settings that all exchanges share; read-only once the engine runs. */
struct lf_exchange_common {
    struct lf_transfer_options options;
    CURLSH *share; /* TLS sessions */
};

struct lf_exchange {
    const struct lf_request *request; /* borrowed from the caller, who waits */
    const char *url;                  /* borrowed: the request's, or where a redirect led */
    bool authorize;                   /* false after a redirect */
    struct lf_answer *answer;         /* filled; owned by the caller */

    CURL *easy;
    struct curl_slist *headers;
    struct lf_digest *sha256, *md5;
    bool sent;             /* a connection stood and the request began */
    int64_t begun;         /* monotonic */
    bool enough;           /* we stopped reading an error page: not a failure */
    struct lf_error error; /* first failure; status LF_OK while there is none */
    char curl_text[CURL_ERROR_SIZE];
};

/* Makes the handle. False with exchange->error set when it cannot be made. */
bool transfer__exchange_begin(struct lf_exchange *exchange, const struct lf_exchange_common *common);
/* The handle has come to its end with `code`: fills answer or error. */
void transfer__exchange_end(struct lf_exchange *exchange, CURLcode code);
/* Frees what begin made. The handle must be out of its multi handle. */
void transfer__exchange_free(struct lf_exchange *exchange);

#endif
