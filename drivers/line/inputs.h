/* Inputs: values from outside on their way into the bytes of a command. Nothing gets in that could end the
 * command early or begin another one. */
#ifndef LABFERRY_LINE_INPUTS_H
#define LABFERRY_LINE_INPUTS_H

#include "drivers/line/profile.h"

/* The values that are available, all borrowed. `fixed` (the instrument's configuration, each as "name=value")
 * takes precedence over `given` (the action). */
struct lf_line_input_set {
    const struct lf_input *given;
    size_t given_count;
    struct lf_texts fixed;
};

/* The rule of an input: its own, else the profile's; NULL: there is none. */
const struct lf_line_input_rule *line__input_rule(const struct lf_line_profile *profile,
                                                  const struct lf_line_input_rules *own, const char *name);

/* Checks a value against its rule and the profile, and appends it to `out` in the form the instrument
 * expects. `next` is the character that follows in the command (0: none): a text must not contain it.
 * LF_INVALID (permanent) says what is wrong. `out` NULL, here and below: only checks. */
enum lf_status line__input_append(const struct lf_line_profile *profile,
                                  const struct lf_line_input_rule *rule, const char *value,
                                  unsigned char next, struct lf_buffer *out, struct lf_error *err);

/* The value of an input: fixed, given, or the default; NULL (and err filled) when there is none. Borrowed. */
const char *line__input_value(const struct lf_line_input_rule *rule, const struct lf_line_input_set *set,
                              struct lf_error *err);

/* The bytes of a command without its line end. Class of errors: permanent; nothing was sent. */
enum lf_status line__command_bytes(const struct lf_line_profile *profile,
                                   const struct lf_line_command *command, const struct lf_line_input_set *set,
                                   struct lf_buffer *out, struct lf_error *err);

/* Fills the text of a template from inputs as they are, unchecked: for arguments of steps, which are
 * checked with the command. */
enum lf_status line__template_fill(const struct lf_line_pattern *template,
                                   const struct lf_line_input_rules *rules,
                                   const struct lf_line_input_set *set, struct lf_buffer *out,
                                   struct lf_error *err);

/* Refuses a given value that has a rule neither here nor in the profile, and suggests the nearest name.
 * LF_INVALID. */
enum lf_status line__inputs_known(const struct lf_line_profile *profile,
                                  const struct lf_line_input_rules *rules,
                                  const struct lf_line_input_set *set, struct lf_error *err);

/* Checks the inputs that one instrument sets for its profile, each as "name=value", and that none is missing.
 * LF_INVALID. */
enum lf_status line__inputs_fixed(const struct lf_line_profile *profile, const struct lf_texts *fixed,
                                  struct lf_error *err);

#endif
