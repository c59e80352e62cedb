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
 * repeating would do it twice. `progress` (may be NULL) is called with `self` before each step.
 *
 * Once anything was sent, the rows of `finally` are done at the end, after an error and after a cancel too.
 * *unfinished: a row of `finally` could not be done; then call line__procedure_finish once the
 * instrument is there again. */
enum lf_status line__procedure_run(struct lf_line_dialogue *dialogue,
                                   const struct lf_line_procedure *procedure,
                                   const struct lf_line_input_set *inputs,
                                   void (*progress)(void *self, const char *text), void *self,
                                   struct lf_outcome *result, bool *unfinished, struct lf_error *err);

/* Does the rows of `finally` of a procedure that was interrupted by a crash or a lost connection, but none of
 * class once. LF_UNKNOWN_OUTCOME (the class) when one could not be done; LF_CANCELLED and LF_DISCONNECTED
 * keep their status. */
enum lf_status line__procedure_finish(struct lf_line_dialogue *dialogue,
                                      const struct lf_line_procedure *procedure,
                                      const struct lf_line_input_set *inputs, struct lf_error *err);

#endif
