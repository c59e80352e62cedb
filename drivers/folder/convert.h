/* Text conversion on the way to the instrument: line ends and encoding, exactly as asked for and never
 * otherwise. */
#ifndef LF_FOLDER_CONVERT_H
#define LF_FOLDER_CONVERT_H

#include "folder.h"

/* Can this system convert to it? */
enum lf_status folder__convert_check(enum folder_encoding encoding, struct lf_error *err);

/* Copies `from` (from its start on) to `to`, converted. sha256 is of what was written. The input must be
 * UTF-8 when an encoding is asked for, with or without byte order mark; a character without a place in the
 * target is refused with its line (LF_INVALID, needs a person). crlf turns every lone LF into CR LF, lf every
 * CR LF into LF; other CRs stay. */
enum lf_status folder__convert_copy(int from, int to, enum lf_eol eol, enum folder_encoding encoding,
                                    const struct lf_cancel *cancel, char *sha256, int64_t *size,
                                    struct lf_error *err);

#endif
