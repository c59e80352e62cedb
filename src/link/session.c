/* One session.
 *
 * Acknowledge after commit: with mosquitto_threaded_set the library only queues acknowledgements while it
 * reads, and they leave in mosquitto_loop_write. So each round is: read what is there (up to a limit) -> hand
 * the batch over to be committed -> only then write. When the commit fails, the library's object is destroyed
 * with the acknowledgements still in it.
 *
 * A session's library object lives as long as its connection. Nothing in it needs to survive: the journal's
 * outbox is the durable queue, and the broker keeps the session by client id.
 */
#include "link/session.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "os/net.h"

#include <errno.h>
#include <mqtt_protocol.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_DEADLINE_MS = 30000,  /* from the first packet to CONNACK */
    MAX_PACKET = 4 * 1024 * 1024, /* the broker drops larger packets */
    BATCH_MAX = 2000,
    STEADY_MS = 60 * 1000, /* a session that lasted this long made progress */
    UNANSWERED_MAX = 3,    /* connections in a row that end before CONNACK, until the version is suspected */
};

/* Did the broker's certificate fail only because of its dates? That is transient: it ends once the clock is
 * set or the certificate is renewed. */
static bool fail_dates(struct lf_link *link, const char *doing, struct lf_error *err)
{
    SSL *ssl = link->bridge ? link__bridge_ssl(link->bridge)
               : link->mosq ? mosquitto_ssl_get(link->mosq)
                            : NULL;
    long verdict = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
    bool early = verdict == X509_V_ERR_CERT_NOT_YET_VALID || verdict == X509_V_ERR_CRL_NOT_YET_VALID;
    bool late = verdict == X509_V_ERR_CERT_HAS_EXPIRED || verdict == X509_V_ERR_CRL_HAS_EXPIRED;
    char clock[LF_CLOCK_TEXT];
    if (!early && !late)
        return false;
    lf_clock_words(clock);
    lf_fail(err, LF_DENIED, LF_TRANSIENT, "%s %s:%d: the broker's certificate %s: %s. %s", doing,
            link->config->host, link->config->port, early ? "is not yet valid" : "has expired", clock,
            early ? "It is probably wrong; set it, or start time synchronisation"
                  : "If the clock is right, the broker needs a new certificate; if not, set the clock");
    return true;
}

static enum lf_status no_answer(const struct lf_link *link, struct lf_error *err)
{
    return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "the broker %s:%d does not answer", link->config->host,
                   link->config->port);
}

static enum lf_status mosquitto_fail(struct lf_link *link, int code, const char *doing, struct lf_error *err)
{
    const char *why = code == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(code);
    bool more = link->detail[0] && strcmp(link->detail, why) != 0;
    switch (code) {
    case MOSQ_ERR_NOMEM: return lf_fail_memory(err, doing);
    case MOSQ_ERR_TLS:
        if (fail_dates(link, doing, err))
            return LF_DENIED;
        return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON,
                       "%s %s:%d: TLS failed%s%s. Check link.ca_file and the certificate of the broker",
                       doing, link->config->host, link->config->port, more ? ": " : "", link->detail);
    case MOSQ_ERR_KEEPALIVE:     /* the library has no text for it */
        if (!link->connected_at) /* only CONNECT was sent so far */
            return no_answer(link, err);
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT,
                       "%s %s:%d: the broker has been silent for %d s (link.keepalive)", doing,
                       link->config->host, link->config->port, (int)(link->config->keepalive_ms / 1000));
    default:
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "%s %s:%d: %s%s%s%s", doing, link->config->host,
                       link->config->port, why, more ? " (" : "", more ? link->detail : "", more ? ")" : "");
    }
}

/* ---- preparing ---- */

static enum lf_status set_credentials(struct lf_link *link, struct lf_error *err)
{
    struct lf_buffer password = {0};
    enum lf_status status = LF_OK;
    if (!link->config->username)
        return LF_OK;
    if (link->config->password_file)
        status = lf_file_read_secret(link->config->password_file, &password, err);
    if (status == LF_OK
        && mosquitto_username_pw_set(link->mosq, link->config->username, password.data) == MOSQ_ERR_NOMEM)
        status = lf_fail_memory(err, "setting the user name"); /* without it the broker would refuse us */
    lf_buffer_wipe(&password);
    return status;
}

/* An encrypted key fails to load. OpenSSL's own callback would prompt on the terminal and wait forever. */
static int no_passphrase(char *to, int room, int writing, void *context)
{
    (void)writing;
    (void)context;
    if (room > 0)
        to[0] = '\0';
    return 0;
}

/* Behind a proxy, TLS is the bridge's. */
static enum lf_status set_tls(struct lf_link *link, struct lf_error *err)
{
    if (!link->config->tls || link->config->proxy)
        return LF_OK;
    int code = link->config->ca_file ? MOSQ_ERR_SUCCESS
                                     : mosquitto_int_option(link->mosq, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    if (code == MOSQ_ERR_SUCCESS && (link->config->ca_file || link->config->cert_file))
        code = mosquitto_tls_set(link->mosq, link->config->ca_file,
                                 link->config->ca_file ? NULL : "/etc/ssl/certs", link->config->cert_file,
                                 link->config->key_file, no_passphrase);
    if (code == MOSQ_ERR_SUCCESS)
        code = mosquitto_tls_opts_set(link->mosq, 1, NULL,
                                      NULL); /* the broker's certificate is always verified */
    if (code == MOSQ_ERR_SUCCESS && link->config->alpn)
        code = mosquitto_string_option(link->mosq, MOSQ_OPT_TLS_ALPN, link->config->alpn);
    return code == MOSQ_ERR_SUCCESS ? LF_OK : mosquitto_fail(link, code, "cannot set up TLS for", err);
}

static enum lf_status connect_properties(const struct lf_link *link, mosquitto_property **properties,
                                         struct lf_error *err)
{
    uint32_t expiry_s = (uint32_t)(link->config->session_expiry_ms / 1000);
    if (mosquitto_property_add_int32(properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, expiry_s)
            == MOSQ_ERR_SUCCESS
        && mosquitto_property_add_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM,
                                        (uint16_t)link->options.receive_maximum)
               == MOSQ_ERR_SUCCESS
        && mosquitto_property_add_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, MAX_PACKET)
               == MOSQ_ERR_SUCCESS)
        return LF_OK;
    return lf_fail_memory(err, "connecting to the broker");
}

/* A broker without retained messages refuses a CONNECT whose will is to be retained. */
static enum lf_status set_will(struct lf_link *link, struct lf_error *err)
{
    const char *topic = link->config->status_topic;
    char about[TOPIC_ABOUT];
    if (!topic || link__topic_state(link, link__topic_about(link, topic, about)) == TOPIC_GIVEN_UP)
        return LF_OK;
    int code = mosquitto_will_set_v5(link->mosq, topic, (int)strlen(link->options.will_payload),
                                     link->options.will_payload, 1, !link->retain_refused, NULL);
    if (code == MOSQ_ERR_NOMEM)
        return lf_fail_memory(err, "setting the last will");
    return code == MOSQ_ERR_SUCCESS
               ? LF_OK
               : lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                         "the last will on %s is invalid: the MQTT library refuses it", topic);
}

static enum lf_status prepare(struct lf_link *link, struct lf_error *err)
{
    link->detail[0] = '\0';
    link->ended = link->out_of_memory = link->made_progress = link->yields = link->heard = false;
    link->doubts = false;
    link->blamed = link->answered = link->unfit = false;
    link->tags_seen = link->tags_sent;
    link->connected_at = 0;
    link->retries = 0;
    link->retry_at = LF_NEVER;
    link->asked_filter = NULL;
    link->tries_alone = false;
    link->mosq = mosquitto_new(link->config->client_id, false, link);
    if (!link->mosq)
        return lf_fail_memory(err, "connecting to the broker");
    link__session_callbacks(link);
    mosquitto_threaded_set(link->mosq, true);
    mosquitto_int_option(link->mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(link->mosq, MOSQ_OPT_RECEIVE_MAXIMUM, link->options.receive_maximum);
    mosquitto_int_option(link->mosq, MOSQ_OPT_TCP_NODELAY, 1);
    enum lf_status status = set_will(link, err);
    if (status == LF_OK)
        status = set_credentials(link, err);
    return status == LF_OK ? set_tls(link, err) : status;
}

static enum lf_status connect_now(struct lf_link *link, struct lf_error *err)
{
    mosquitto_property *properties = NULL;
    /* The library pings after this silence and gives up after as long again: one keepalive in all. It refuses
     * less than 5 s. */
    int ping_s = (int)(link->config->keepalive_ms / 2000);
    ping_s = ping_s > 5 ? ping_s : 5;
    enum lf_status status = connect_properties(link, &properties, err);
    if (status == LF_OK) {
        const char *host = link->bridge ? link__bridge_path(link->bridge) : link->config->host;
        int port = link->bridge ? 0 : link->config->port; /* 0: the host is the path of a Unix socket */
        int code = mosquitto_connect_bind_v5(link->mosq, host, port, ping_s, NULL, properties);
        if (code != MOSQ_ERR_SUCCESS)
            status = mosquitto_fail(link, code, "cannot connect to", err);
    }
    mosquitto_property_free_all(&properties);
    return status;
}

static enum lf_status open_way(struct lf_link *link, int64_t deadline, struct lf_error *err)
{
    if (!link->config->proxy)
        return link__preflight(link, deadline, err);
    enum lf_status status = link__bridge_open(link->config, link->options.folder, deadline,
                                              &link->worker.cancel, &link->bridge, err);
    if (status == LF_DENIED && link->bridge)
        fail_dates(link, "cannot connect to", err);
    return status;
}

/* ---- rounds ---- */

static struct lf_waitable broker(const struct lf_link *link)
{
    return lf_waitable_socket(mosquitto_socket(link->mosq));
}

static bool more_to_read(struct lf_link *link)
{
    SSL *ssl = mosquitto_ssl_get(link->mosq);
    if (ssl && SSL_pending(ssl) > 0) /* not SSL_has_pending: half a record cannot be read yet */
        return true;
    unsigned ready;
    lf_wait(broker(link), LF_READABLE, 0, NULL, &ready);
    return ready & LF_READABLE;
}

/* Reads until nothing is left, the batch is full, or the connection ends. */
static int read_batch(struct lf_link *link)
{
    int code = MOSQ_ERR_SUCCESS;
    for (int packets = 0;
         code == MOSQ_ERR_SUCCESS && packets < BATCH_MAX && link->batch_bytes < BATCH_BYTES_MAX
         && !link->out_of_memory && more_to_read(link);
         packets++)
        code = mosquitto_loop_read(link->mosq, 1);
    return code;
}

static enum lf_status commit_batch(struct lf_link *link, struct lf_error *err)
{
    if (link->out_of_memory)
        return lf_fail_memory(err, "reading messages");
    if (link->batch_count == 0)
        return LF_OK;
    struct lf_message messages[64];
    enum { STEP = sizeof messages / sizeof *messages };
    enum lf_status status = LF_OK;
    /* In steps of one transaction each. Messages that are committed and not acknowledged are redelivered and
     * recognised. */
    for (size_t at = 0; status == LF_OK && at < link->batch_count; at += STEP) {
        size_t count = link->batch_count - at < STEP ? link->batch_count - at : STEP;
        for (size_t i = 0; i < count; i++)
            messages[i] = link->batch[at + i].message;
        status = link->hooks.batch(link->hooks.context, messages, count, err);
        link->made_progress = link->made_progress || status == LF_OK;
    }
    link__batch_clear(link);
    if (status != LF_OK) {
        lf_mutex_lock(&link->mutex);
        link->refused_batches++;
        lf_mutex_unlock(&link->mutex);
    }
    /* From here on LF_CANCELLED and LF_BUSY mean something else, and LF_CANCELLED ends in a goodbye, with
     * which the acknowledgements of this batch would be sent. So the connection is dropped whatever the
     * reason. */
    return status == LF_OK ? LF_OK : lf_fail(err, LF_DISCONNECTED, err->class, "%s", err->text);
}

static enum lf_status wait_for_traffic(struct lf_link *link, struct lf_error *err)
{
    struct lf_wait_item items[] = {
        {.what = broker(link), .events = LF_READABLE | (mosquitto_want_write(link->mosq) ? LF_WRITABLE : 0u)},
        {.what = link->wake.event, .events = LF_READABLE},
    };
    if (mosquitto_socket(link->mosq) < 0)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the connection to %s:%d was lost",
                       link->config->host, link->config->port);
    int64_t until = lf_deadline_sooner(link->retry_at, lf_deadline_in(link->config->keepalive_ms / 4));
    until = lf_deadline_sooner(until, link__send_due(link));
    if (!more_to_read(link) && lf_wait_any(items, 2, until, &link->worker.cancel) == LF_IO)
        return lf_fail_errno(err, "cannot wait for the broker");
    if (items[1].ready)
        lf_wake_clear(&link->wake);
    return lf_cancel_is_set(&link->worker.cancel) ? LF_CANCELLED : LF_OK;
}

/* ---- why the broker ended the session ---- */

static enum lf_status fail_version(const struct lf_link *link, const char *saw, struct lf_error *err)
{
    return lf_fail(
        err, LF_UNSUPPORTED, LF_NEEDS_PERSON,
        "the broker %s:%d %s MQTT 5, which this agent needs. Use one that does (RabbitMQ from 3.13, "
        "mosquitto from 1.6), or enable it there",
        link->config->host, link->config->port, saw);
}

/* Refused with a reason, other than over a topic. */
static enum lf_status fail_reason(struct lf_link *link, int reason, struct lf_error *err)
{
    const char *why = mosquitto_reason_string(reason), *host = link->config->host;
    const char *status = link->config->status_topic;
    int port = link->config->port;
    switch (reason) {
    case MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION:
        link->unfit = true;
        return fail_version(link, "does not speak", err);
    case MQTT_RC_NOT_AUTHORIZED:
    case MQTT_RC_BAD_USERNAME_OR_PASSWORD:
    case MQTT_RC_BANNED:
        return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON,
                       "the broker %s:%d refuses this agent: %s. Check link.username, its password and "
                       "certificate%s%s",
                       host, port, why, status ? ", and that it may publish its last will on " : "",
                       status ? status : "");
    case MQTT_RC_QOS_NOT_SUPPORTED:
        link->unfit = true;
        return lf_fail(err, LF_UNSUPPORTED, LF_NEEDS_PERSON,
                       "the broker %s:%d offers no QoS 1, which this agent needs. Enable it there", host,
                       port);
    case MQTT_RC_RETAIN_NOT_SUPPORTED:
        return lf_fail(err, LF_UNSUPPORTED, LF_TRANSIENT,
                       "the broker %s:%d takes no retained messages: connecting again without", host, port);
    default:
        return lf_fail(err, LF_REFUSED, LF_TRANSIENT, "the broker %s:%d ended the session: %s", host, port,
                       why);
    }
}

static enum lf_status fail_blamed(const struct lf_link *link, int reason, struct lf_error *err)
{
    return lf_fail(
        err, LF_REFUSED, LF_TRANSIENT,
        "the broker %s:%d ended the session over what this agent sent%s%s. Connecting again without "
        "that",
        link->config->host, link->config->port, reason >= MQTT_RC_UNSPECIFIED ? ": " : "",
        reason >= MQTT_RC_UNSPECIFIED ? mosquitto_reason_string(reason) : "");
}

static enum lf_status explain_end(struct lf_link *link, struct lf_error *err)
{
    int reason = link->end_reason;
    if (reason == MQTT_RC_SESSION_TAKEN_OVER)
        return link__duplicate_fail(link, err);
    link->blamed = link__topics_blame(link, reason);
    if (link->blamed && reason != MQTT_RC_RETAIN_NOT_SUPPORTED)
        return fail_blamed(link, reason, err);
    if (reason >= MQTT_RC_UNSPECIFIED)
        return fail_reason(link, reason, err);
    enum lf_status status = mosquitto_fail(link, reason > 0 ? reason : MOSQ_ERR_CONN_LOST,
                                           "lost the connection to", err);
    if (!link->answered && reason == MOSQ_ERR_CONN_LOST && ++link->closed_unanswered >= UNANSWERED_MAX) {
        link->unfit = true;
        status = fail_version(link, "closes the connection without an answer and probably does not speak",
                              err);
    }
    /* mosquitto 2.0 does not report a takeover. */
    link__duplicate_count(link, link->connected_at && lf_clock_mono_ms() - link->connected_at < STEADY_MS);
    return status;
}

static enum lf_status one_round(struct lf_link *link, struct lf_error *err)
{
    enum lf_status status = wait_for_traffic(link, err);
    if (status != LF_OK)
        return status;
    int code = read_batch(link);
    status = commit_batch(link, err);
    if (status != LF_OK)
        return status;
    if (link->yields && !link->ended)
        return link__duplicate_fail(link, err);
    if (code == MOSQ_ERR_SUCCESS && !link->ended) {
        if (lf_deadline_passed(link->retry_at)) {
            link->retry_at = LF_NEVER;
            link__session_subscribe(link);
        }
        link__send_queued(link);
        if (mosquitto_want_write(link->mosq))
            code = mosquitto_loop_write(link->mosq, 1);
    }
    if (code == MOSQ_ERR_SUCCESS && !link->ended)
        code = mosquitto_loop_misc(link->mosq);
    if (link->ended)
        return explain_end(link, err);
    return code == MOSQ_ERR_SUCCESS ? LF_OK : mosquitto_fail(link, code, "lost the connection to", err);
}

/* ---- the end ---- */

/* If the connection is reset, what was written last may be lost, and the broker publishes the last will in
 * its place. So we linger until the broker has closed. Nothing that comes now is acknowledged. */
static void disconnect(struct lf_link *link, const char *payload, mosquitto_property *properties)
{
    int mid = 0;
    if (payload && link->config->status_topic)
        mosquitto_publish_v5(link->mosq, &mid, link->config->status_topic, (int)strlen(payload), payload, 1,
                             !link->retain_refused, properties);
    struct lf_socket socket = {0};
    enum lf_status shared = lf_socket_share(mosquitto_socket(link->mosq), &socket);
    mosquitto_disconnect_v5(link->mosq, payload ? 0 : MQTT_RC_DISCONNECT_WITH_WILL_MSG, NULL);
    int64_t deadline = lf_deadline_in(1000);
    while (mosquitto_want_write(link->mosq) && mosquitto_socket(link->mosq) >= 0
           && lf_wait(broker(link), LF_WRITABLE, deadline, NULL, NULL) == LF_OK
           && mosquitto_loop_write(link->mosq, 1) == MOSQ_ERR_SUCCESS)
        ;
    if (shared == LF_OK) /* the library has closed its own */
        lf_socket_linger(&socket, deadline);
}

/* The batch of this round is committed: its acknowledgements may be sent with the notice. */
static void yield_name(struct lf_link *link)
{
    mosquitto_property *properties = NULL;
    if (link__duplicate_tag(link, true, &properties) == LF_OK)
        disconnect(link, link->options.duplicate_payload, properties);
    mosquitto_property_free_all(&properties);
    link->tagged = false;
}

enum lf_status link__session_run(struct lf_link *link, bool *online, struct lf_error *err)
{
    enum lf_status status = prepare(link, err);
    int64_t deadline = lf_deadline_in(CONNECT_DEADLINE_MS);
    if (status == LF_OK)
        status = open_way(link, deadline, err);
    if (status == LF_OK)
        status = connect_now(link, err);
    *online = false;
    while (status == LF_OK) {
        status = one_round(link, err);
        link->made_progress = link->made_progress
                              || (link->connected_at && lf_clock_mono_ms() - link->connected_at > STEADY_MS);
        if (link->made_progress && lf_clock_mono_ms() - link->connected_at > STEADY_MS)
            link__duplicate_count(link, false);
        *online = *online || lf_link_state(link) == LF_LINK_ONLINE;
        if (status == LF_OK && !*online && lf_deadline_passed(deadline))
            status = no_answer(link, err);
    }
    if (status != LF_CANCELLED && !*online) /* a session that was lost early is brought up again soon */
        link__heard(link, LF_LINK_AWAY, (struct lf_slice){0});
    if (status == LF_CANCELLED && *online)
        disconnect(link, link->options.goodbye_payload, NULL);
    if (status == LF_BUSY && link->yields)
        yield_name(link);
    if (status == LF_BUSY)
        link__duplicate_seen(link);
    link__set_state(link, LF_LINK_WAITING, status == LF_CANCELLED ? "" : err->text);
    link__batch_clear(link);
    link__queue_clear(link);
    link__tickets_clear(link);
    mosquitto_destroy(link->mosq); /* with everything that was not written */
    link->mosq = NULL;
    link__bridge_close(link->bridge);
    link->bridge = NULL;
    return status;
}
