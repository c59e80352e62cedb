/* Reading a journal file without an agent, read-only, in any state. One thread. */
#ifndef LF_JOURNAL_INSPECT_H
#define LF_JOURNAL_INSPECT_H

#include "base/json.h"

#include <stdio.h>

/* Checks a file: *report (owned; set whenever the file could be opened) is
 * {"file", "version", "problems": [...], "rows": {table: count}, "audit": {"entries", "head"}}.
 * LF_OK: no problems. LF_CORRUPT: there are some. */
enum lf_status lf_journal_check_file(const char *path, cJSON **report, struct lf_error *err);

struct lf_journal_export {
    int64_t rows; /* written */
    int64_t gaps; /* places where rows could not be read; each is a line as well */
};

/* Writes everything readable as JSON lines: {"table", "row": {...}}, and {"table", "lost": "what and why"}
 * for a gap. Bytes that are not text become {"base64": ...}. LF_OK even with gaps. */
enum lf_status lf_journal_export_file(const char *path, FILE *out, struct lf_journal_export *done,
                                      struct lf_error *err);

#endif
