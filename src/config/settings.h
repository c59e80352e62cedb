/* The rows of everything that can be set in labferry.conf, by group. A driver's rows are with the driver. */
#ifndef LF_CONFIG_SETTINGS_H
#define LF_CONFIG_SETTINGS_H

#include "base/setting.h"

extern const struct lf_setting config__settings_file[]; /* the groups themselves */
extern const struct lf_setting config__settings_agent[];
extern const struct lf_setting config__settings_cloud[];
extern const struct lf_setting config__settings_link[];
extern const struct lf_setting config__settings_instrument[]; /* common to all drivers */
extern const struct lf_setting config__settings_collect[];    /* an entry of an instrument's `collect` */
extern const struct lf_setting config__settings_route[];

#endif
