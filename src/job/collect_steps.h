/* Inside jobs: what the files of collect share. */
#ifndef LF_JOB_COLLECT_STEPS_H
#define LF_JOB_COLLECT_STEPS_H

#include "job/steps.h"

/* The first entry in the instrument's collect list whose glob matches this result; NULL: none. */
const struct lf_config_collect *job__collect_rule(const struct job_work *work);

/* The copy in the spool is damaged or gone: back to `spool`. The original is archived only at the end. */
enum lf_status job__collect_again(struct job_work *work, const struct lf_error *why);

/* Uploads the parcel as a blob. Large files go in parts whose receipts are kept in the journal, so that an
 * upload continues where it was after a restart. */
enum lf_status job__collect_upload(struct job_work *work, struct lf_error *err);

/* Attaches the blob to its run: to the processor of an earlier version that is not processed yet, else to a
 * new one. Can be repeated after a lost answer. */
enum lf_status job__collect_attach(struct job_work *work, struct lf_error *err);

#endif
