/* What this client has subscribed at its broker, kept in the journal: a broker that keeps the session keeps
 * the filters, also those that the configuration no longer names. */
#ifndef AGENT_DAEMON_FILTERS_H
#define AGENT_DAEMON_FILTERS_H

#include "config/config.h"

struct lf_journal;

/* Notes the filters that will be subscribed beside those known, before the link opens. *former: those that
 * the configuration no longer names; free with filters_free. */
enum lf_status filters_note(struct lf_journal *journal, const struct lf_config_link *link,
                            struct lf_texts *former, struct lf_error *err);
/* The broker holds only those of the configuration. */
void filters_settle(struct lf_journal *journal, const struct lf_config_link *link);
void filters_free(struct lf_texts *former);

#endif
