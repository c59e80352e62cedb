/* Files with secrets, which no one else may read. */
#ifndef LF_OS_SECRET_H
#define LF_OS_SECRET_H

#include "os/file.h"

/* Opens a file that holds a secret. LF_DENIED when others may read it, LF_INVALID when it is not a regular
 * file; both need a person, and the text names the file and the remedy. Never waits. */
enum lf_status lf_secret_open(const char *path, struct lf_file *file, struct lf_error *err);

#endif
