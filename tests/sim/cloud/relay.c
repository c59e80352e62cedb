/* One thread owns the MQTT client and runs its network by hand (poll on its socket and on an eventfd that
 * wakes it). The queue is guarded by the simulator's lock. A message leaves the queue when its PUBACK came.
 * After a lost connection the client is thrown away and everything still queued is sent again, in order:
 * duplicates are possible, gaps and reordering are not. */
#include "relay.h"

#include "envelope.h"
#include "os/linux/native.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WINDOW = 20, KEEPALIVE = 30, RETRY_FIRST_MS = 100, RETRY_MOST_MS = 3000, IDLE_MS = 1000 };

struct message {
    char *topic, *payload;
    size_t len;
    int mid; /* 0: not sent in this connection */
    bool acked;
    struct message *next;
};

struct sim_relay {
    struct sim *sim;
    struct mosquitto *client; /* the thread's own */
    char host[256], client_id[SIM_ID + 16], *password;
    int port;
    bool tls;
    struct message *first, *last;
    size_t queued, in_flight;
    int64_t published, connects;
    bool connected, paused, stop;
    int wake;
    pthread_t thread;
};

/* ---- queue (all with the lock held) ---- */

static void wake(struct sim_relay *relay)
{
    uint64_t one = 1;
    (void)!write(relay->wake, &one, sizeof one);
}

static void message_free(struct message *message)
{
    free(message->topic);
    free(message->payload);
    free(message);
}

/* Takes payload. */
static void enqueue(struct sim_relay *relay, const char *topic, char *payload, size_t len)
{
    struct message *message = sim_alloc(sizeof *message);
    message->topic = sim_text(topic);
    message->payload = payload;
    message->len = len;
    *(relay->last ? &relay->last->next : &relay->first) = message;
    relay->last = message;
    relay->queued++;
    wake(relay);
}

static void event_topic(const struct sim_relay *relay, const char *type, char *topic, size_t size)
{
    snprintf(topic, size, "labferry/%s/events/%s", relay->sim->options.site, type);
}

void sim_relay_push(struct sim *sim, const struct sim_event *event)
{
    char topic[300];
    if (sim->relay) {
        char *payload = sim_envelope(sim, event);
        event_topic(sim->relay, event->type, topic, sizeof topic);
        enqueue(sim->relay, topic, payload, strlen(payload));
    }
}

bool sim_relay_push_raw(struct sim *sim, const char *topic, const void *payload, size_t len)
{
    char own[300];
    if (!sim->relay)
        return false;
    event_topic(sim->relay, "raw", own, sizeof own);
    char *copy = sim_alloc(len + 1);
    memcpy(copy, payload, len);
    enqueue(sim->relay, topic ? topic : own, copy, len);
    return true;
}

void sim_relay_pause(struct sim *sim, bool paused)
{
    if (sim->relay) {
        sim->relay->paused = paused;
        wake(sim->relay);
    }
}

cJSON *sim_relay_state(const struct sim *sim)
{
    const struct sim_relay *relay = sim->relay;
    if (!relay)
        return cJSON_CreateNull();
    cJSON *json = cJSON_CreateObject();
    sim_set_bool(json, "connected", relay->connected);
    sim_set_bool(json, "paused", relay->paused);
    sim_set_int(json, "queued", (int64_t)relay->queued);
    sim_set_int(json, "inFlight", (int64_t)relay->in_flight);
    sim_set_int(json, "published", relay->published);
    sim_set_int(json, "connects", relay->connects);
    return json;
}

/* ---- the client's callbacks, on the relay's thread ---- */

static void on_connect(struct mosquitto *client, void *cls, int rc, int flags,
                       const mosquitto_property *props)
{
    (void)client, (void)flags, (void)props;
    struct sim_relay *relay = cls;
    if (rc != 0) {
        fprintf(stderr, "labferry-sim-cloud: the broker refuses: %s\n", mosquitto_reason_string(rc));
        return;
    }
    sim_lock(relay->sim);
    relay->connected = true;
    relay->connects++;
    sim_unlock(relay->sim);
}

static void pop_acked(struct sim_relay *relay)
{
    while (relay->first && relay->first->acked) {
        struct message *message = relay->first;
        relay->first = message->next;
        if (!relay->first)
            relay->last = NULL;
        message_free(message);
        relay->queued--;
        relay->published++;
    }
}

static void on_publish(struct mosquitto *client, void *cls, int mid, int reason,
                       const mosquitto_property *props)
{
    (void)client, (void)reason, (void)props;
    struct sim_relay *relay = cls;
    sim_lock(relay->sim);
    for (struct message *message = relay->first; message && message->mid; message = message->next) {
        if (message->mid == mid && !message->acked) {
            message->acked = true;
            relay->in_flight--;
            break;
        }
    }
    pop_acked(relay);
    sim_unlock(relay->sim);
}

/* ---- the thread ---- */

static void publish_more(struct sim_relay *relay)
{
    sim_lock(relay->sim);
    struct message *message = relay->first;
    while (message && message->mid)
        message = message->next;
    while (message && relay->connected && !relay->paused && relay->in_flight < WINDOW) {
        if (mosquitto_publish_v5(relay->client, &message->mid, message->topic, (int)message->len,
                                 message->payload, 1, false, NULL)
            != MOSQ_ERR_SUCCESS) {
            message->mid = 0;
            break;
        }
        relay->in_flight++;
        message = message->next;
    }
    sim_unlock(relay->sim);
}

static void forget_connection(struct sim_relay *relay)
{
    mosquitto_destroy(relay->client);
    relay->client = NULL;
    sim_lock(relay->sim);
    relay->connected = false;
    relay->in_flight = 0;
    for (struct message *message = relay->first; message && message->mid; message = message->next) {
        message->mid = 0;
        message->acked = false;
    }
    sim_unlock(relay->sim);
}

static struct mosquitto *new_client(struct sim_relay *relay)
{
    const struct sim_options *o = &relay->sim->options;
    struct mosquitto *client = mosquitto_new(relay->client_id, true, relay);
    if (!client)
        sim_die("out of memory (MQTT client)");
    mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_connect_v5_callback_set(client, on_connect);
    mosquitto_publish_v5_callback_set(client, on_publish);
    if (relay->tls
        && mosquitto_tls_set(client, o->ca, o->ca ? NULL : "/etc/ssl/certs", o->mqtt_cert, o->mqtt_key, NULL)
               != MOSQ_ERR_SUCCESS)
        sim_die("--ca, --mqtt-cert and --mqtt-key: a file cannot be read, or they do not belong together");
    mosquitto_username_pw_set(client, o->username, relay->password);
    return client;
}

/* Reads, writes, and waits until there is something to do. False when the connection is lost. */
static bool serve(struct sim_relay *relay)
{
    publish_more(relay);
    struct pollfd fds[2] = {{.fd = relay->wake, .events = POLLIN},
                            {.fd = mosquitto_socket(relay->client), .events = POLLIN}};
    if (mosquitto_want_write(relay->client))
        fds[1].events |= POLLOUT;
    if (fds[1].fd < 0 || (poll(fds, 2, IDLE_MS) < 0 && errno != EINTR))
        return false;
    if (fds[0].revents) {
        uint64_t count;
        (void)!read(relay->wake, &count, sizeof count);
    }
    if (fds[1].revents & (POLLIN | POLLERR | POLLHUP)
        && mosquitto_loop_read(relay->client, 1) != MOSQ_ERR_SUCCESS)
        return false;
    return mosquitto_loop_write(relay->client, 1) == MOSQ_ERR_SUCCESS
           && mosquitto_loop_misc(relay->client) == MOSQ_ERR_SUCCESS;
}

static bool stopping(struct sim_relay *relay)
{
    sim_lock(relay->sim);
    bool stop = relay->stop;
    sim_unlock(relay->sim);
    return stop;
}

/* Sleeps; a stop ends the sleep, news in the queue do not. */
static void pause_before_retry(struct sim_relay *relay, int64_t ms)
{
    int64_t deadline = lf_deadline_in(ms);
    while (!lf_deadline_passed(deadline) && !stopping(relay)) {
        struct pollfd fd = {.fd = relay->wake, .events = POLLIN};
        uint64_t count;
        if (poll(&fd, 1, os__poll_ms(deadline)) > 0)
            (void)!read(relay->wake, &count, sizeof count);
    }
}

static void *run(void *arg)
{
    struct sim_relay *relay = arg;
    int attempt = 0;
    while (!stopping(relay)) {
        relay->client = new_client(relay);
        int rc = mosquitto_connect_bind_v5(relay->client, relay->host, relay->port, KEEPALIVE, NULL, NULL);
        if (rc != MOSQ_ERR_SUCCESS && attempt == 0) {
            fprintf(stderr, "labferry-sim-cloud: broker %s:%d: %s; trying again until it is there\n",
                    relay->host, relay->port,
                    rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
        }
        while (rc == MOSQ_ERR_SUCCESS && !stopping(relay) && serve(relay))
            attempt = relay->connected ? 0 : attempt;
        if (relay->connected && stopping(relay)) {
            mosquitto_disconnect_v5(relay->client, 0, NULL);
            mosquitto_loop_write(relay->client, 1);
        }
        forget_connection(relay);
        pause_before_retry(relay,
                           RETRY_FIRST_MS
                               + (int64_t)lf_random_below(attempt++ < 5 ? RETRY_FIRST_MS : RETRY_MOST_MS));
    }
    return NULL;
}

/* ---- start and stop ---- */

static void parse_broker(struct sim_relay *relay, const char *url)
{
    const char *rest = !strncmp(url, "mqtt://", 7) ? url + 7 : !strncmp(url, "mqtts://", 8) ? url + 8 : NULL;
    if (!rest || strcspn(rest, ":/") == 0 || strcspn(rest, ":/") >= sizeof relay->host)
        sim_die("--broker %s: write mqtt://HOST[:PORT] or mqtts://HOST[:PORT]", url);
    relay->tls = url[4] == 's';
    size_t len = strcspn(rest, ":/");
    snprintf(relay->host, sizeof relay->host, "%.*s", (int)len, rest);
    relay->port = rest[len] == ':' ? (int)strtol(rest + len + 1, NULL, 10) : relay->tls ? 8883 : 1883;
    if (relay->port < 1 || relay->port > 65535)
        sim_die("--broker %s: the port must be between 1 and 65535", url);
}

static char *read_password(const char *path)
{
    char text[300] = "";
    FILE *file = fopen(path, "re");
    if (!file || !fgets(text, sizeof text, file))
        sim_die("cannot read --password-file %s: %s", path, file ? "it is empty" : strerror(errno));
    fclose(file);
    text[strcspn(text, "\r\n")] = '\0';
    return sim_text(text);
}

void sim_relay_start(struct sim *sim)
{
    if (!sim->options.broker)
        return;
    struct sim_relay *relay = sim_alloc(sizeof *relay);
    char uuid[SIM_ID];
    relay->sim = sim;
    relay->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    parse_broker(relay, sim->options.broker);
    if (sim->options.password_file)
        relay->password = read_password(sim->options.password_file);
    sim_new_uuid(uuid);
    snprintf(relay->client_id, sizeof relay->client_id, "sim-relay-%.8s", uuid);
    mosquitto_lib_init();
    sim->relay = relay;
    if (relay->wake < 0 || pthread_create(&relay->thread, NULL, run, relay) != 0)
        sim_die("cannot start the relay: %s", strerror(errno));
}

void sim_relay_stop(struct sim *sim)
{
    struct sim_relay *relay = sim->relay;
    if (!relay)
        return;
    sim_lock(sim);
    relay->stop = true;
    wake(relay);
    sim_unlock(sim);
    pthread_join(relay->thread, NULL);
    for (struct message *message = relay->first, *next; message; message = next) {
        next = message->next;
        message_free(message);
    }
    close(relay->wake);
    free(relay->password);
    free(relay);
    sim->relay = NULL;
    mosquitto_lib_cleanup();
}
