/* URLs inside transfer: which are allowed, where a redirect leads, and how a URL is shown in messages. */
#ifndef LF_TRANSFER_URL_H
#define LF_TRANSFER_URL_H

#include "transfer/transfer.h"

enum { LF_URL_NAME = 200 };

/* For messages and logs: scheme, host and path, without user, query (a pre-signed query is a credential) and
 * fragment; control characters become '?'. */
void transfer__url_name(const char *url, char name[LF_URL_NAME]);

/* http to this host is allowed: "localhost", 127.0.0.0/8, ::1. */
enum lf_status transfer__url_is_loopback(const char *url, bool *loopback, struct lf_error *err);

/* Resolves `location` against `url`. LF_REFUSED (needs a person): it leaves https, or leads from another host
 * to plain http on loopback. *target is owned. */
enum lf_status transfer__url_redirect(const char *url, const char *location, char **target,
                                      struct lf_error *err);

#endif
