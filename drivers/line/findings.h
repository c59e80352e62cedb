/* Lines that an instrument said unasked, made into findings for the host and kept until the host has them.
 * One thread. */
#ifndef LABFERRY_LINE_FINDINGS_H
#define LABFERRY_LINE_FINDINGS_H

#include "drivers/line/profile.h"

struct lf_line_findings {
    const char *instrument; /* borrowed */
    struct lf_finding_item *first, **last;
    size_t count;
    uint64_t number; /* of the next one; with the time it makes the id */
};

void line__findings_init(struct lf_line_findings *findings, const char *instrument);
void line__findings_free(struct lf_line_findings *findings);

/* Makes a finding of a line. LF_FULL (transient) when too many wait for the host: the line stays with the
 * instrument. */
enum lf_status line__findings_add(struct lf_line_findings *findings, const struct lf_line_listen *listen,
                                  struct lf_slice line, const struct lf_outcome *values,
                                  struct lf_error *err);
/* Hands all that wait to the host, oldest first. Stops at the first that the host cannot take. */
enum lf_status line__findings_tell(struct lf_line_findings *findings, const struct lf_host *host,
                                   struct lf_error *err);

#endif
