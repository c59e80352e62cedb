/* What the simulators share. */
#ifndef SIM_REPLACE_H
#define SIM_REPLACE_H

#include <stdbool.h>

/* Writes a file in such a way that a reader sees all of the text or what was there before. False: errno says
 * why. */
bool sim_replace_file(const char *path, const char *text);

#endif
