/* Results that exist only in this process, such as a line that an instrument sent by itself: kept until the
 * host has stored them. One thread.
 *
 * A driver calls lf_findings_add when something arrives, and lf_findings_report right after it and at the
 * start of every later call, so that what the host could not store is reported again.
 */
#ifndef LABFERRY_KIT_FINDINGS_H
#define LABFERRY_KIT_FINDINGS_H

#include "drivers/driver.h"

/* What the file of a finding looks like. */
enum lf_form {
    LF_FORM_JSON, /* {"values":{...},"instrument":...,"kind":...,"received":...,"line":...} */
    LF_FORM_CSV,  /* a line of names and a line of values */
    LF_FORM_TEXT, /* the bytes as they came and a line feed */
    LF_FORM_NONE, /* nothing is kept */
};

struct lf_findings {
    const char *instrument;        /* borrowed */
    struct lf_finding_item *items; /* that wait, oldest first */
    size_t count;
    uint64_t number; /* of the next one; with the time it makes the id */
};

void lf_findings_init(struct lf_findings *findings, const char *instrument);
void lf_findings_free(struct lf_findings *findings);

/* Makes a finding of the bytes and of the values read from them, stamped with the time now. `kind` names the
 * sort of message, in its file name too. Copies everything. LF_FULL (transient): too many wait for the
 * host. */
enum lf_status lf_findings_add(struct lf_findings *findings, const char *kind, enum lf_form form,
                               struct lf_slice bytes, const struct lf_outcome *values, struct lf_error *err);
/* Reports all that wait to the host, oldest first; keeps the first that the host refuses and all after it. */
enum lf_status lf_findings_report(struct lf_findings *findings, const struct lf_host *host,
                                  struct lf_error *err);

#endif
