/* Reading the parts that profile lines are made of: patterns, texts to send, reply endings, inputs. Private
 * to the profile parser. Every function that takes a scan returns false after reporting a problem. */
#ifndef LABFERRY_LINE_PROFILE_PARTS_H
#define LABFERRY_LINE_PROFILE_PARTS_H

#include "drivers/line/scan.h"

/* A pattern of a reply, or a text to send, which has neither types nor runs of blanks. */
bool line__parse_pattern(struct lf_line_scan *scan, const char *what, bool reply,
                         struct lf_line_pattern *pattern);
bool line__parse_ending(struct lf_line_scan *scan, struct lf_line_ending *ending);
bool line__parse_input(struct lf_line_scan *scan, struct lf_line_input_rule *rule);
/* PATTERN says CLASS ['message'] */
bool line__parse_error_rule(struct lf_line_scan *scan, struct lf_line_error_rule *rule);
/* VALUE ['message'] */
bool line__parse_no_value(struct lf_line_scan *scan, struct lf_line_no_value *none);

/* One line `do = ...` of a procedure, and one line `result = ...`. */
bool line__parse_step(struct lf_line_scan *scan, struct lf_line_step *step);
bool line__parse_result(struct lf_line_scan *scan, struct lf_line_result *result);
/* After the last line: finds the commands that steps name, checks inputs and results, derives the classes.
 */
bool line__link_procedures(struct lf_line_scan *scan);

/* Does it have a value of that name? */
bool line__pattern_has(const struct lf_line_pattern *pattern, const char *name);
/* Does every success pattern capture this? */
bool line__command_always_captures(const struct lf_line_command *command, const char *name);

#endif
