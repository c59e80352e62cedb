/* What commands and procedures take and give, as the profile says. */
#ifndef LABFERRY_LINE_DESCRIBE_H
#define LABFERRY_LINE_DESCRIBE_H

#include "drivers/line/profile.h"

/* `fixed`: values from the instrument's configuration, each as "name=value"; those inputs need none. */
void line__describe_command(const struct lf_line_profile *profile, const struct lf_line_command *command,
                            const struct lf_texts *fixed, const struct lf_terms *terms);
void line__describe_procedure(const struct lf_line_procedure *procedure, const struct lf_texts *fixed,
                              const struct lf_terms *terms);

#endif
