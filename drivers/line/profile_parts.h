/* Reading the parts that profile lines are made of: patterns, texts to send, reply endings, inputs. Private
 * to the profile parser. Every function returns false after reporting a problem. */
#ifndef LABFERRY_LINE_PROFILE_PARTS_H
#define LABFERRY_LINE_PROFILE_PARTS_H

#include "drivers/line/scan.h"

bool lf_parse_pattern(struct lf_scan *scan, struct lf_reply_pattern *pattern);
bool lf_parse_template(struct lf_scan *scan, const char *what, struct lf_template *template);
bool lf_parse_ending(struct lf_scan *scan, struct lf_ending *ending);
bool lf_parse_checksum(struct lf_scan *scan, struct lf_check *check);
bool lf_parse_input(struct lf_scan *scan, struct lf_input_rule *rule);
/* PATTERN says CLASS ['message'] */
bool lf_parse_error_rule(struct lf_scan *scan, struct lf_error_rule *rule);

/* One line `do = ...` of a procedure, and one line `result = ...`. */
bool lf_parse_step(struct lf_scan *scan, struct lf_step *step);
bool lf_parse_result(struct lf_scan *scan, struct lf_result *result);
/* When all has been read: finds the commands that steps name, checks inputs and results, derives the classes.
 */
bool lf_link_procedures(struct lf_scan *scan);

/* Does every success pattern capture this? */
bool lf_command_always_captures(const struct lf_command *command, const char *name);

const struct lf_input_rule *lf_input_rule_find(const struct lf_input_rule *rules, size_t count,
                                               const char *name);

#endif
