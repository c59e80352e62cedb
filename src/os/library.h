/* Shared libraries: code that is loaded by name while the program runs. */
#ifndef LF_OS_LIBRARY_H
#define LF_OS_LIBRARY_H

#include "base/error.h"

/* Loads the library at `path`, which stays loaded until the program ends, and finds a symbol in it. The
 * symbols of a library are not visible to others. Nothing is loaded when someone other than the administrator
 * and the user who runs this program could have written it, or could exchange it in its folder: LF_DENIED.
 * LF_INVALID: a link or not a regular file. LF_UNSUPPORTED: it cannot be loaded here. LF_NOT_FOUND: it has no
 * such symbol, or there is no such file. */
enum lf_status lf_library_symbol(const char *path, const char *name, const void **symbol,
                                 struct lf_error *err);

#endif
