/* Inside intake: which route wants an event, and what job that makes. */
#ifndef LF_INTAKE_ROUTES_H
#define LF_INTAKE_ROUTES_H

#include "config/config.h"
#include "event/event.h"
#include "event/pattern.h"
#include "journal/journal.h"

struct routes {
    const struct lf_config *config;
    struct lf_pattern **patterns; /* one a route; NULL: every event that `on` names */
};

enum lf_status intake__routes_compile(const struct lf_config *config, struct routes *routes,
                                      struct lf_error *err);
void intake__routes_free(struct routes *routes);

/* Does the route want the event? */
bool intake__routes_match(const struct routes *routes, size_t index, const struct lf_event *event);
/* Does any route's `on` name it, whatever its pattern says? */
bool intake__routes_name(const struct routes *routes, const struct lf_event *event);

/* Fills a job (owned; lf_job_free) for the event. LF_INVALID when the event lacks what the job needs. */
enum lf_status intake__routes_job(const struct lf_config_route *route, const struct lf_event *event,
                                  struct lf_job *job, struct lf_error *err);

#endif
