/* What an HTTP answer of the API means: status, class, and the vendor's words made fit for a message. */
#ifndef LF_CLOUD_HTTP_ERROR_H
#define LF_CLOUD_HTTP_ERROR_H

#include "transfer/transfer.h"

/* The table of answers. LF_OK for 2xx with JSON (text that starts like an object); otherwise the error that
 * the status and the body tell of, retry_after_ms set where the server said when. */
enum lf_status cloud__http_error_judge(const struct lf_answer *answer, struct lf_error *err);

#endif
