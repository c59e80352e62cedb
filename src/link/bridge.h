/* Inside the link: the way through a proxy. libmosquitto connects to a socket of ours; behind it a thread
 * carries the bytes, through TLS of its own, to the broker at the other end of the proxy.
 */
#ifndef LF_LINK_BRIDGE_H
#define LF_LINK_BRIDGE_H

#include "config/config.h"
#include "os/net.h"

#include <openssl/ssl.h>

struct lf_bridge;

/* Connects to the broker through config->proxy, TLS included (the host name, SNI and ALPN are the broker's),
 * and waits for libmosquitto in `folder`. *bridge is set whenever it has to be closed, for its TLS also after
 * an error. LF_DENIED with link__bridge_ssl set: TLS failed. */
enum lf_status link__bridge_open(const struct lf_config_link *config, const char *folder, int64_t deadline,
                                 const struct lf_cancel *cancel, struct lf_bridge **bridge,
                                 struct lf_error *err);
void link__bridge_close(struct lf_bridge *bridge); /* NULL is fine */
/* The socket for libmosquitto. */
const char *link__bridge_path(const struct lf_bridge *bridge);
/* NULL: without TLS. */
SSL *link__bridge_ssl(const struct lf_bridge *bridge);

/* proxy.c: asks the proxy at the other end of the socket for a connection to the broker. */
enum lf_status link__proxy_ask(const struct lf_config_link *config, const struct lf_socket *socket,
                               int64_t deadline, const struct lf_cancel *cancel, struct lf_error *err);

#endif
