/* Lines that an instrument said unasked, made into findings for the host and kept until the host has them.
 * One thread. */
#ifndef LABFERRY_LINE_FINDINGS_H
#define LABFERRY_LINE_FINDINGS_H

#include "drivers/line/profile.h"

struct lf_findings {
    const char *instrument; /* borrowed */
    struct lf_finding_item *first, **last;
    size_t count;
    uint64_t number; /* of the next one; with the time it makes the id */
};

void lf_findings_init(struct lf_findings *findings, const char *instrument);
void lf_findings_free(struct lf_findings *findings);

/* Makes a finding of a line. LF_FULL (transient) when too many wait for the host: the line stays with the
 * instrument. */
enum lf_status lf_findings_add(struct lf_findings *findings, const struct lf_listen *listen,
                               struct lf_slice line, const struct lf_outcome *values, struct lf_error *err);
/* Hands all that wait to the host, oldest first. Stops at the first that the host cannot take. */
enum lf_status lf_findings_tell(struct lf_findings *findings, const struct lf_host *host,
                                struct lf_error *err);

#endif
