/* Is there anything at the broker's address? libmosquitto's connect cannot be cancelled and blocks until the
 * system gives up, after about two minutes; so this tries first, with a deadline and a cancel. */
#include "link/session.h"

#include "os/net.h"

#include <stdio.h>

enum lf_status link__preflight(struct lf_link *link, int64_t deadline, struct lf_error *err)
{
    struct lf_addresses *addresses;
    struct lf_socket socket = {0};
    char port[12], what[300];
    snprintf(port, sizeof port, "%d", link->config->port);
    snprintf(what, sizeof what, "%s:%d", link->config->host, link->config->port);
    enum lf_status status = lf_net_lookup(link->config->host, port, deadline, &link->worker.cancel,
                                          &addresses, err);
    if (status == LF_OK) {
        status = lf_socket_connect(&socket, addresses, deadline, &link->worker.cancel, what, err);
        lf_addresses_free(addresses);
        lf_socket_close(&socket);
    }
    if (status == LF_OK || status == LF_CANCELLED || status == LF_NO_MEMORY)
        return status;
    err->class = LF_TRANSIENT; /* whatever it is, the network may change */
    return lf_error_prefix(err, "cannot reach the broker");
}
