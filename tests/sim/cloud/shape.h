/* Checks what a client sends against a short description of its shape, so that a client's mistakes show.
 *
 * A shape is a list of members: "name:s1000!, type:RAW_FILE|VISUALIZATION!, parts:[o]". After the colon:
 *   s    text (a number after it: longest length)
 *   b    true or false
 *   i    whole number (iA..B: range)
 *   n    any number
 *   d    date "YYYY-MM-DD"
 *   o    any object
 *   f    fields: {name: {"value": ...}}
 *   [s]  array of text, [o] array of objects
 *   A|B  one of these words
 * then '!' for required and '?' for "may be null". Members that are not named are refused, always: the vendor
 * does so for most bodies, and for the others an unknown member is a mistake that should not pass in silence.
 */
#ifndef LF_SIM_SHAPE_H
#define LF_SIM_SHAPE_H

#include "sim.h"

/* True when it fits; otherwise problem says what and where. */
bool sim_shape_check(const char *shape, const cJSON *object, char *problem, size_t problem_size);
/* A query's text as the JSON that sim_shape_check expects ("5" for i, "true" for b). Returns owned. */
cJSON *sim_shape_query_value(const char *shape, const char *name, const char *value);

#endif
