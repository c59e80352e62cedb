/* Between file.c and dir.c. */
#ifndef LF_OS_LINUX_FILE_H
#define LF_OS_LINUX_FILE_H

#include "os/file.h"
#include "os/linux/native.h"

#include <sys/stat.h>

void os__info(const struct stat *st, struct lf_file_info *info);
/* `flags` are added to those of the mode. */
enum lf_status os__open_file(int dir, const char *path, enum lf_file_mode mode, int flags, unsigned access,
                             struct lf_file *file, struct lf_error *err);
/* fsync; a file system that cannot sync is not an error. */
enum lf_status os__sync(int fd, struct lf_error *err);

#endif
