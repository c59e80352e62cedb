/* Our own folder for a folder of an instrument: its lock and the delivery marks lie there, on the same share,
 * and the instrument's software does not see them. */
#ifndef LF_FOLDER_OWN_H
#define LF_FOLDER_OWN_H

#include "os/dir.h"

/* Opens it for `dir`, which was opened at `path`; makes it if it is missing. It is
 *
 *     MARKS_DIR/<name of the folder>               where marks_dir is set (`configured`, else NULL)
 *     .labferry in the folder                      where that exists
 *     .labferry/<name of the folder> beside it     else
 *     .labferry in the folder                      where we may not write beside it, or another disk or share
 *                                                  begins there
 *
 * and stays where it is once it was made: two agents must find the same lock. */
enum lf_status folder__own_open(const char *path, const struct lf_dir *dir, const char *configured,
                                struct lf_dir *own, struct lf_error *err);

#endif
