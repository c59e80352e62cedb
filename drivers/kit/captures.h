/* Captured values as text. */
#ifndef LABFERRY_KIT_CAPTURES_H
#define LABFERRY_KIT_CAPTURES_H

#include "drivers/driver.h"

/* All append to `out` and return LF_OK, LF_NO_MEMORY or LF_TOO_LARGE. On failure `out` may hold a part. */

/* One cell of RFC 4180, quoted where it must be; without a separator. */
enum lf_status lf_csv_cell(struct lf_buffer *out, const char *text);
/* Two lines: "received" and the names, then the stamp and the values. */
enum lf_status lf_captures_csv(struct lf_buffer *out, const char *stamp, const struct lf_outcome *values);

/* A JSON string with its quotes. `text` is UTF-8. */
enum lf_status lf_json_quote(struct lf_buffer *out, const char *text);
/* A JSON object of the values. Numbers keep the instrument's digits: 100.00 stays 100.00. */
enum lf_status lf_captures_json(struct lf_buffer *out, const struct lf_outcome *values);

#endif
