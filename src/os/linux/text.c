#include "os/text.h"

#include <fnmatch.h>

bool lf_glob_match(const char *glob, const char *name, bool ignore_case)
{
    return fnmatch(glob, name, FNM_NOESCAPE | (ignore_case ? FNM_CASEFOLD : 0)) == 0;
}
