/* Who can change a file or folder? What decides about physical work must not be in the hands of others.
 */
#ifndef LF_OS_TRUST_H
#define LF_OS_TRUST_H

#include "base/error.h"

#include <stdbool.h>

/* LF_DENIED (needs a person), with who can change it, by which permissions, and the remedy: a user other than
 * root and ours owns what `path` leads to, its group or everybody may write to it, or everybody may replace
 * it in one of the folders above. Where nothing is yet, only the folders above are judged; a path that cannot
 * be looked at is accepted: using it will fail. With `any_owner`, any owner is trusted. */
enum lf_status lf_trust_check(const char *path, bool any_owner, struct lf_error *err);

/* Does this program run as root? */
bool lf_trust_is_root(void);

#endif
