/* What a libcurl failure means: status, class and text. */
#ifndef LF_TRANSFER_FAILURE_H
#define LF_TRANSFER_FAILURE_H

#include "transfer/exchange.h"

/* Fills exchange->error from the code, the handle's details and libcurl's own text. */
void transfer__failure(struct lf_exchange *exchange, CURLcode code);

#endif
