/* Captured values as JSON, in jobs and in answers: [{"name": "weight", "value": "100.00", "type": "real"}].
 */
#ifndef LF_JOB_CAPTURES_H
#define LF_JOB_CAPTURES_H

#include "base/json.h"
#include "drivers/driver.h"

/* Returns owned; NULL when out of memory. */
cJSON *lf_captures_list(const struct lf_outcome *outcome);
/* One entry of the list, whose texts are borrowed from it. False: it is not a captured value. */
bool lf_captures_read(const cJSON *entry, struct lf_capture *capture);

#endif
