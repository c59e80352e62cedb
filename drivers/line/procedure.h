/* Running a procedure: its steps, and the values that are its result. */
#ifndef LABFERRY_LINE_PROCEDURE_H
#define LABFERRY_LINE_PROCEDURE_H

#include "drivers/line/dialogue.h"

/* Refuses inputs that the procedure does not take, that are missing, or whose values a command would not
 * take. Nothing is sent. */
enum lf_status line__procedure_accept(const struct lf_line_dialogue *dialogue,
                                      const struct lf_line_procedure *procedure,
                                      const struct lf_line_input_set *inputs, struct lf_error *err);

/* Checks all inputs before anything is sent; then runs step by step. The class of an error covers the whole
 * procedure: once a command of class once has been done, a later failure is LF_UNKNOWN_OUTCOME, since
 * repeating would do it twice. `progress` (may be NULL) is called with `self` before each step. */
enum lf_status line__procedure_run(struct lf_line_dialogue *dialogue,
                                   const struct lf_line_procedure *procedure,
                                   const struct lf_line_input_set *inputs,
                                   void (*progress)(void *self, const char *text), void *self,
                                   struct lf_outcome *result, struct lf_error *err);

#endif
