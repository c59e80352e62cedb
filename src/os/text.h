/* Text as the system sees it. Any thread. */
#ifndef LF_OS_TEXT_H
#define LF_OS_TEXT_H

#include <stdbool.h>

/* Shell-style match of a complete name: * ? [set]; case-sensitive unless ignore_case. */
bool lf_glob_match(const char *glob, const char *name, bool ignore_case);

#endif
