/* What an HTTP answer of the API means: status, class, and a message with the vendor's own words. */
#ifndef LF_CLOUD_HTTP_ERROR_H
#define LF_CLOUD_HTTP_ERROR_H

#include "transfer/transfer.h"

/* LF_OK for 2xx, unless it is a web page; otherwise the error of the status and the body, with retry_after_ms
 * where the server gave a time. */
enum lf_status cloud__http_error_judge(const struct lf_answer *answer, struct lf_error *err);

#endif
