/* Inside control: what wants a person's attention. */
#ifndef LF_CONTROL_NEEDS_H
#define LF_CONTROL_NEEDS_H

#include "control/control.h"

/* Adds to the list `needs` of a status with all its other parts. What cannot be listed for lack of memory is
 * left out. */
void control__add_needs(struct lf_context *context, cJSON *status);

#endif
