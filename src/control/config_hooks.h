/* What `labferry check` and the daemon know beyond the configuration file itself: drivers, events,
 * patterns, matching. Both load the configuration with these, so that what passes the check also starts.
 */
#ifndef LF_CONTROL_CONFIG_HOOKS_H
#define LF_CONTROL_CONFIG_HOOKS_H

#include "config/config.h"

/* All checks. Static. They touch no instrument and no network. */
const struct lf_config_hooks *lf_control_config_hooks(void);

#endif
