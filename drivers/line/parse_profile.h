/* Private to the profile parser. */
#ifndef LABFERRY_LINE_PARSE_PROFILE_H
#define LABFERRY_LINE_PARSE_PROFILE_H

#include "drivers/line/profile_parts.h"

/* Checks the complete profile when all lines have been read: fills in what [line] gives to commands, and
 * reports what is missing or contradicts itself. */
void line__check_profile(struct lf_line_scan *scan);

#endif
