/* Looking at a journal file without an agent: read only, whatever its state. One thread. */
#ifndef LF_JOURNAL_INSPECT_H
#define LF_JOURNAL_INSPECT_H

#include "base/json.h"

#include <stdio.h>

/* Checks a file: *report (owned; set whenever the file could be opened) is
 * {"file", "version", "problems": [...], "rows": {table: count}, "audit": {"entries", "head"}}.
 * LF_OK: nothing is wrong. LF_CORRUPT: there are problems. */
enum lf_status lf_journal_check_file(const char *path, cJSON **report, struct lf_error *err);

struct lf_journal_export {
    int64_t rows; /* written */
    int64_t gaps; /* places where rows could not be read; each is a line, too */
};

/* Writes all that can be read as JSON lines: {"table", "row": {...}}, and {"table", "lost": "what and why"}
 * where something could not. Bytes that are no text are {"base64": ...}. LF_OK also with gaps. */
enum lf_status lf_journal_export_file(const char *path, FILE *out, struct lf_journal_export *done,
                                      struct lf_error *err);

#endif
