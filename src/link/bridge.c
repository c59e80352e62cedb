/* See bridge.h. Opened and closed on the link thread; between that, what is marked belongs to the thread.
 *
 *     libmosquitto ── near (Unix socket) ── [TLS] ── far (TCP, through the proxy) ── broker
 */
#include "link/bridge.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "os/local.h"
#include "os/thread.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK = 16 * 1024,
    PENDING_MAX = 256 * 1024, /* bytes on their way; beyond that the other side is not read */
    LIBRARY_COMES_MS = 30 * 1000,
    LAST_WORDS_MS = 1000, /* for what the library said last */
};

struct lf_bridge {
    char *path;
    struct lf_socket listener, far;
    SSL_CTX *context;
    SSL *ssl;      /* NULL: no TLS */
    BIO *in, *out; /* of ssl, owned by it: bytes from and to `far` */
    struct lf_thread thread;
    bool started;
    struct lf_cancel stop;

    /* the thread's */
    struct lf_socket near;
    struct lf_buffer to_near, to_far;
    bool near_ended;
};

const char *link__bridge_path(const struct lf_bridge *bridge)
{
    return bridge->path;
}

SSL *link__bridge_ssl(const struct lf_bridge *bridge)
{
    return bridge->ssl;
}

/* ---- TLS ---- */

static enum lf_status fail_tls(const struct lf_bridge *bridge, const struct lf_config_link *config,
                               const char *doing, struct lf_error *err)
{
    long verdict = bridge->ssl ? SSL_get_verify_result(bridge->ssl) : X509_V_OK;
    const char *why = ERR_reason_error_string(ERR_get_error());
    if (verdict != X509_V_OK)
        why = X509_verify_cert_error_string(verdict);
    ERR_clear_error();
    return lf_fail(
        err, LF_DENIED, LF_NEEDS_PERSON,
        "%s %s:%d: TLS failed%s%s. Check link.ca_file, link.cert_file and the certificate of the broker",
        doing, config->host, config->port, why ? ": " : "", why ? why : "");
}

/* An encrypted key fails to load; OpenSSL would prompt on the terminal. */
static int no_passphrase(char *to, int room, int writing, void *unused)
{
    (void)writing, (void)unused;
    if (room > 0)
        to[0] = '\0';
    return 0;
}

static bool load_files(SSL_CTX *context, const struct lf_config_link *config)
{
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    bool loaded = config->ca_file ? SSL_CTX_load_verify_file(context, config->ca_file) == 1
                                  : SSL_CTX_set_default_verify_paths(context) == 1;
    if (loaded && config->cert_file)
        loaded = SSL_CTX_use_certificate_chain_file(context, config->cert_file) == 1
                 && SSL_CTX_use_PrivateKey_file(context, config->key_file, SSL_FILETYPE_PEM) == 1
                 && SSL_CTX_check_private_key(context) == 1;
    return loaded;
}

/* The certificate must be for the broker's name, which also goes into the hello (SNI; not for numbers). */
static bool name_broker(SSL *ssl, const struct lf_config_link *config)
{
    unsigned char bytes[16], alpn[256];
    size_t number = lf_net_parse(config->host, bytes);
    bool named = number ? X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), bytes, number) == 1
                        : SSL_set1_host(ssl, config->host) == 1
                              && SSL_set_tlsext_host_name(ssl, config->host) == 1;
    if (!named || !config->alpn)
        return named;
    alpn[0] = (unsigned char)strlen(config->alpn);
    memcpy(alpn + 1, config->alpn, alpn[0]);
    return SSL_set_alpn_protos(ssl, alpn, alpn[0] + 1U) == 0;
}

static enum lf_status prepare_tls(struct lf_bridge *bridge, const struct lf_config_link *config,
                                  struct lf_error *err)
{
    bridge->context = SSL_CTX_new(TLS_client_method());
    if (!bridge->context)
        return lf_fail_memory(err, "preparing TLS");
    SSL_CTX_set_min_proto_version(bridge->context, TLS1_2_VERSION);
    SSL_CTX_set_verify(bridge->context, SSL_VERIFY_PEER, NULL);
    if (!load_files(bridge->context, config))
        return fail_tls(bridge, config, "cannot set up TLS for", err);
    bridge->ssl = SSL_new(bridge->context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (!bridge->ssl || !in || !out) {
        BIO_free(in);
        BIO_free(out);
        return lf_fail_memory(err, "preparing TLS");
    }
    SSL_set_bio(bridge->ssl, in, out);
    bridge->in = in;
    bridge->out = out;
    return name_broker(bridge->ssl, config) ? LF_OK : fail_tls(bridge, config, "cannot set up TLS for", err);
}

/* What TLS wants to send. */
static bool collect_out(struct lf_bridge *bridge)
{
    char *data;
    long len = bridge->ssl ? BIO_get_mem_data(bridge->out, &data) : 0;
    if (len <= 0)
        return true;
    bool kept = lf_buffer_append(&bridge->to_far, data, (size_t)len) == LF_OK;
    (void)BIO_reset(bridge->out);
    return kept;
}

/* ---- moving bytes ---- */

/* False: the other end is gone. */
static bool write_some(const struct lf_socket *socket, struct lf_buffer *from)
{
    struct lf_error ignored;
    size_t count;
    while (from->len) {
        enum lf_status status = lf_socket_write(socket, from->data, from->len, &count, &ignored);
        if (status == LF_BUSY)
            return true;
        if (status != LF_OK)
            return false;
        lf_buffer_consume(from, count);
    }
    return true;
}

/* False: the other end is gone. *count 0: nothing has come. */
static bool read_some(const struct lf_socket *socket, char data[CHUNK], size_t *count)
{
    struct lf_error ignored;
    enum lf_status status = lf_socket_read(socket, data, CHUNK, count, &ignored);
    if (status != LF_OK)
        *count = 0;
    return status == LF_OK || status == LF_BUSY;
}

/* From the broker. False: it is gone, or TLS or memory has failed. */
static bool read_far(struct lf_bridge *bridge)
{
    char data[CHUNK];
    size_t count;
    if (!read_some(&bridge->far, data, &count))
        return false;
    if (!count)
        return true;
    if (!bridge->ssl)
        return lf_buffer_append(&bridge->to_near, data, count) == LF_OK;
    if (BIO_write(bridge->in, data, (int)count) != (int)count)
        return false;
    int got;
    while ((got = SSL_read(bridge->ssl, data, sizeof data)) > 0)
        if (lf_buffer_append(&bridge->to_near, data, (size_t)got) != LF_OK)
            return false;
    return SSL_get_error(bridge->ssl, got) == SSL_ERROR_WANT_READ && collect_out(bridge);
}

/* From the library. False: TLS or memory has failed. */
static bool read_near(struct lf_bridge *bridge)
{
    char data[CHUNK];
    size_t count;
    if (!read_some(&bridge->near, data, &count)) {
        bridge->near_ended = true;
        if (bridge->ssl)
            SSL_shutdown(bridge->ssl);
        return collect_out(bridge);
    }
    if (!count)
        return true;
    if (!bridge->ssl)
        return lf_buffer_append(&bridge->to_far, data, count) == LF_OK;
    return SSL_write(bridge->ssl, data, (int)count) == (int)count && collect_out(bridge);
}

/* After the library's end, only until its last words are out and the broker has closed. */
static void carry(struct lf_bridge *bridge)
{
    int64_t deadline = LF_NEVER;
    bool alive = true;
    while (alive) {
        struct lf_wait_item items[] = {
            {.what = bridge->far.waitable,
             .events = (bridge->to_near.len < PENDING_MAX ? LF_READABLE : 0u)
                       | (bridge->to_far.len ? LF_WRITABLE : 0u)},
            {.what = bridge->near_ended ? (struct lf_waitable){0} : bridge->near.waitable,
             .events = (bridge->to_far.len < PENDING_MAX ? LF_READABLE : 0u)
                       | (bridge->to_near.len ? LF_WRITABLE : 0u)},
        };
        if (lf_wait_any(items, 2, deadline, &bridge->stop) != LF_OK)
            return;
        if (items[0].ready & (LF_READABLE | LF_HUNG_UP))
            alive = read_far(bridge);
        if (alive && items[1].ready & (LF_READABLE | LF_HUNG_UP))
            alive = read_near(bridge);
        if (bridge->near_ended && deadline == LF_NEVER)
            deadline = lf_deadline_in(LAST_WORDS_MS);
        alive = write_some(&bridge->far, &bridge->to_far) && alive;
        if (!bridge->near_ended)
            alive = write_some(&bridge->near, &bridge->to_near) && alive;
    }
}

/* The library comes right after the bridge was opened; nobody else may. */
static bool accept_library(struct lf_bridge *bridge)
{
    struct lf_error err = {0};
    struct lf_peer peer;
    bool came = lf_wait(bridge->listener.waitable, LF_READABLE, lf_deadline_in(LIBRARY_COMES_MS),
                        &bridge->stop, NULL)
                    == LF_OK
                && lf_local_accept(&bridge->listener, &bridge->near, &err) == LF_OK
                && bridge->near.waitable.os && lf_local_peer(&bridge->near, NULL, &peer, &err) == LF_OK
                && peer.self;
    lf_local_unlisten(bridge->path, &bridge->listener);
    return came;
}

static void *run(void *context)
{
    struct lf_bridge *bridge = context;
    if (accept_library(bridge))
        carry(bridge);
    lf_socket_close(&bridge->near);
    lf_socket_close(&bridge->far);
    return NULL;
}

/* ---- opening and closing ---- */

static enum lf_status shake_hands(struct lf_bridge *bridge, const struct lf_config_link *config,
                                  int64_t deadline, const struct lf_cancel *cancel, struct lf_error *err)
{
    char data[CHUNK];
    size_t count;
    int done;
    while ((done = SSL_connect(bridge->ssl)) != 1) {
        int why = SSL_get_error(bridge->ssl, done);
        bool sent = collect_out(bridge) && write_some(&bridge->far, &bridge->to_far); /* an alert too */
        if (why != SSL_ERROR_WANT_READ)
            return fail_tls(bridge, config, "cannot connect to", err);
        enum lf_status status = lf_wait(bridge->far.waitable, LF_READABLE, deadline, cancel, NULL);
        if (status == LF_OK)
            status = lf_socket_read(&bridge->far, data, sizeof data, &count, err);
        if (status == LF_CANCELLED)
            return status;
        if (!sent || (status != LF_OK && status != LF_BUSY))
            return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT,
                           "the connection to %s:%d through the proxy ended during the TLS handshake",
                           config->host, config->port);
        if (status == LF_OK && BIO_write(bridge->in, data, (int)count) != (int)count)
            return lf_fail_memory(err, "connecting to the broker");
    }
    return collect_out(bridge) ? LF_OK : lf_fail_memory(err, "connecting to the broker");
}

static enum lf_status connect_proxy(struct lf_bridge *bridge, const struct lf_config_link *config,
                                    int64_t deadline, const struct lf_cancel *cancel, struct lf_error *err)
{
    struct lf_addresses *addresses;
    char port[12], what[300];
    snprintf(port, sizeof port, "%d", config->proxy_port);
    snprintf(what, sizeof what, "the proxy %s:%d", config->proxy_host, config->proxy_port);
    enum lf_status status = lf_net_lookup(config->proxy_host, port, deadline, cancel, &addresses, err);
    if (status == LF_OK) {
        status = lf_socket_connect(&bridge->far, addresses, deadline, cancel, what, err);
        lf_addresses_free(addresses);
    }
    return status;
}

enum lf_status link__bridge_open(const struct lf_config_link *config, const char *folder, int64_t deadline,
                                 const struct lf_cancel *cancel, struct lf_bridge **out, struct lf_error *err)
{
    struct lf_bridge *bridge = calloc(1, sizeof *bridge);
    *out = bridge;
    if (!bridge || !(bridge->path = lf_format("%s/link.sock", folder)))
        return lf_fail_memory(err, "connecting to the broker");
    enum lf_status status = lf_cancel_open(&bridge->stop, err);
    if (status == LF_OK)
        status = connect_proxy(bridge, config, deadline, cancel, err);
    if (status == LF_OK)
        status = link__proxy_ask(config, &bridge->far, deadline, cancel, err);
    if (status == LF_OK && config->tls)
        status = prepare_tls(bridge, config, err);
    if (status == LF_OK && config->tls)
        status = shake_hands(bridge, config, deadline, cancel, err);
    if (status == LF_OK)
        status = lf_local_listen(bridge->path, NULL, &bridge->listener, err);
    if (status == LF_OK)
        status = lf_thread_start(&bridge->thread, "link-bridge", run, bridge, err);
    bridge->started = status == LF_OK;
    return status;
}

void link__bridge_close(struct lf_bridge *bridge)
{
    if (!bridge)
        return;
    if (bridge->started) {
        lf_cancel_set(&bridge->stop);
        lf_thread_join(&bridge->thread);
    }
    if (bridge->path)
        lf_local_unlisten(bridge->path, &bridge->listener);
    lf_socket_close(&bridge->far);
    SSL_free(bridge->ssl);
    SSL_CTX_free(bridge->context);
    lf_buffer_wipe(&bridge->to_near);
    lf_buffer_wipe(&bridge->to_far);
    lf_cancel_close(&bridge->stop);
    free(bridge->path);
    free(bridge);
}
