/* Where things are by default. */
#ifndef LF_OS_LINUX_PLACES_H
#define LF_OS_LINUX_PLACES_H

#define LF_CONFIG_PATH "/etc/labferry/labferry.conf"
#define LF_STATE_PATH "/var/lib/labferry"
#define LF_SOCKET_PATH "/run/labferry/control.sock"

#endif
