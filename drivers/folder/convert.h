/* Text conversion on the way to the instrument: line ends and encoding, exactly as configured. */
#ifndef LF_FOLDER_CONVERT_H
#define LF_FOLDER_CONVERT_H

#include "folder.h"

/* Copies `from` to `to` (empty), converted. sha256 and size are of what was written. With an encoding the
 * input must be UTF-8, with or without a byte order mark; a character that the target cannot hold is refused
 * with its line (LF_INVALID, needs a person). crlf turns every lone LF into CR LF, lf every CR LF into LF;
 * other CRs stay. */
enum lf_status folder__convert_copy(const struct lf_file *from, const struct lf_file *to, enum lf_eol eol,
                                    enum folder_encoding encoding, const struct lf_cancel *cancel,
                                    char *sha256, int64_t *size, struct lf_error *err);

#endif
