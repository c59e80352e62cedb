/* A program that has nothing but a link, for tests/blackbox/test_link.py: it commits messages to a file, and
 * can be told to die or to refuse at the moments that matter. Options are NAME=VALUE; commands come on
 * standard input; what happens is reported as JSON lines on standard output.
 *
 *   host port client_id tls=1 ca cert key username password_file keepalive (seconds)
 *   will_topic will_payload goodbye_payload duplicate_payload max_message receive_maximum
 *   filter=...           may be given many times
 *   journal=FILE         append "topic<tab>payload" of every message, and fsync, before the batch is answered
 *   die=before | after   kill this process when the first batch comes, before or after it is committed
 *   refuse=N             refuse the first N batches (N < 0: all)
 *   wait=FILE            a batch waits until this file exists
 *   proxy=http:PORT | socks5:PORT   proxy_username proxy_password_file alpn
 *   folder=FOLDER        for the way through the proxy
 *   given_up=ABOUT       noted in an earlier run, as a concern
 *   base=TOPIC           under which the agent's own topics are
 *   correlation=N        bytes of correlation data in place of "corr-1"
 *   clock=1              for "pass": each wait looks at the clock every few milliseconds, so it does not rest
 *
 * Commands: publish TICKET QOS RETAIN TOPIC PAYLOAD | health | pass MS (time passes) | close
 */
#include "link/link.h"

#include "base/failpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct probe {
    int journal;
    const char *die, *wait, *given_up;
    int refuse, correlation;
};

enum { CORRELATION_MAX = 100000 };

static void tell(cJSON *line)
{
    char *text = lf_json_print(line);
    cJSON_Delete(line);
    if (!text)
        abort();
    printf("%s\n", text);
    fflush(stdout);
    free(text);
}

static cJSON *line_of(const char *what)
{
    cJSON *line = cJSON_CreateObject();
    lf_json_set_text(line, "what", what);
    return line;
}

static void commit(const struct probe *probe, const struct lf_message *messages, size_t count)
{
    struct lf_buffer text = {0};
    for (size_t i = 0; i < count; i++)
        lf_buffer_format(&text, "%s\t%.*s\n", messages[i].topic, (int)messages[i].payload.len,
                         messages[i].payload.data);
    if (write(probe->journal, text.data, text.len) != (ssize_t)text.len || fsync(probe->journal) != 0)
        abort();
    lf_buffer_free(&text);
}

static void tell_message(const struct lf_message *message)
{
    cJSON *line = line_of("message");
    char *correlation = lf_format("%.*s", (int)message->correlation.len,
                                  message->correlation.data ? message->correlation.data : "");
    char *payload = lf_format("%.*s", (int)message->payload.len, message->payload.data);
    lf_json_set_text(line, "topic", message->topic);
    lf_json_set_text(line, "payload", payload);
    lf_json_set_text(line, "response_topic", message->response_topic);
    lf_json_set_text(line, "user", message->user);
    lf_json_set_text(line, "correlation", correlation);
    lf_json_set_bool(line, "retained", message->retained);
    lf_json_set_bool(line, "too_large", message->too_large);
    lf_json_set_int(line, "too_large_size", message->too_large_size);
    lf_json_set_int(line, "expiry_s", message->expiry_s);
    tell(line);
    free(correlation);
    free(payload);
}

static enum lf_status batch(void *context, const struct lf_message *messages, size_t count,
                            struct lf_error *err)
{
    struct probe *probe = context;
    cJSON *line = line_of("batch");
    lf_json_set_int(line, "count", (int64_t)count);
    tell(line);
    while (probe->wait && access(probe->wait, F_OK) != 0)
        usleep(10000);
    if (probe->die && !strcmp(probe->die, "before"))
        raise(SIGKILL);
    if (probe->refuse != 0) {
        probe->refuse -= probe->refuse > 0;
        return lf_fail(err, LF_FULL, LF_TRANSIENT, "the disk is full");
    }
    if (probe->journal >= 0)
        commit(probe, messages, count);
    if (probe->die)
        raise(SIGKILL);
    for (size_t i = 0; probe->journal < 0 && i < count; i++)
        tell_message(&messages[i]);
    return LF_OK;
}

static void online(void *context)
{
    (void)context;
    tell(line_of("online"));
}

static void offline(void *context, const struct lf_error *why)
{
    (void)context;
    cJSON *line = line_of("offline");
    lf_json_set_text(line, "why", why->text);
    lf_json_set_text(line, "class", lf_class_name(why->class));
    tell(line);
}

static void published(void *context, int64_t ticket, enum lf_publish_outcome outcome)
{
    static const char *const names[] = {"taken", "later", "aside", "dropped"};
    (void)context;
    cJSON *line = line_of("published");
    lf_json_set_int(line, "ticket", ticket);
    lf_json_set_text(line, "outcome", names[outcome]);
    tell(line);
}

static void concern(void *context, const char *about, bool stands, const char *text, const char *todo)
{
    (void)context;
    cJSON *line = line_of("concern");
    lf_json_set_text(line, "about", about);
    lf_json_set_bool(line, "stands", stands);
    lf_json_set_text(line, "text", text);
    lf_json_set_text(line, "do", todo);
    tell(line);
}

static bool given_up(void *context, const char *about)
{
    const struct probe *probe = context;
    return probe->given_up && !strcmp(probe->given_up, about);
}

static void publish(const struct probe *probe, struct lf_link *link, char *args)
{
    static char long_one[CORRELATION_MAX];
    struct lf_error err = {0};
    struct lf_publication publication = {0};
    publication.ticket = atoll(strsep(&args, " "));
    publication.qos = atoi(strsep(&args, " "));
    publication.retain = atoi(strsep(&args, " "));
    publication.topic = strsep(&args, " ");
    publication.payload = lf_slice_text(args);
    publication.correlation = probe->correlation > 0 && probe->correlation <= CORRELATION_MAX
                                  ? lf_slice(long_one, (size_t)probe->correlation)
                                  : lf_slice_text("corr-1");
    if (lf_link_publish(link, &publication, &err)) {
        cJSON *line = line_of("not published");
        lf_json_set_int(line, "ticket", publication.ticket);
        lf_json_set_text(line, "status", lf_status_name(err.status));
        tell(line);
    }
}

static bool obey(const struct probe *probe, struct lf_link *link, char *command)
{
    char *word = strsep(&command, " ");
    if (!strcmp(word, "publish")) {
        publish(probe, link, command);
    } else if (!strcmp(word, "health")) {
        cJSON *line = line_of("health");
        lf_json_set(line, "health", lf_link_health(link));
        tell(line);
    } else if (!strcmp(word, "pass")) {
        lf_test_time_passes(atoll(command));
    }
    return strcmp(word, "close") != 0;
}

static void set(struct lf_config_link *config, struct lf_link_options *options, struct probe *probe,
                const char **filters, char *argument)
{
    struct {
        const char *name;
        const char **text;
        int *number;
        int64_t *large;
        int64_t unit;
    } table[] = {
        {"host", .text = &config->host},
        {"port", .number = &config->port},
        {"client_id", .text = &config->client_id},
        {"ca", .text = &config->ca_file},
        {"cert", .text = &config->cert_file},
        {"key", .text = &config->key_file},
        {"username", .text = &config->username},
        {"password_file", .text = &config->password_file},
        {"will_topic", .text = &config->status_topic},
        {"will_payload", .text = &options->will_payload},
        {"goodbye_payload", .text = &options->goodbye_payload},
        {"duplicate_payload", .text = &options->duplicate_payload},
        {"keepalive", .large = &config->keepalive_ms, .unit = 1000},
        {"max_message", .large = &options->max_message, .unit = 1},
        {"receive_maximum", .number = &options->receive_maximum},
        {"die", .text = &probe->die},
        {"wait", .text = &probe->wait},
        {"folder", .text = &options->folder},
        {"alpn", .text = &config->alpn},
        {"proxy_username", .text = &config->proxy_username},
        {"proxy_password_file", .text = &config->proxy_password_file},
        {"given_up", .text = &probe->given_up},
        {"base", .text = &config->base},
        {"refuse", .number = &probe->refuse},
        {"correlation", .number = &probe->correlation},
    };
    char *value = argument;
    const char *name = strsep(&value, "=");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].name, name) != 0)
            continue;
        if (table[i].text)
            *table[i].text = value;
        else if (table[i].number)
            *table[i].number = atoi(value);
        else
            *table[i].large = atoll(value) * table[i].unit;
        return;
    }
    if (!strcmp(name, "filter"))
        filters[config->topics.count++] = value;
    else if (!strcmp(name, "proxy")) {
        config->proxy = strsep(&value, ":");
        config->proxy_socks = !strcmp(config->proxy, "socks5");
        config->proxy_host = "127.0.0.1";
        config->proxy_port = atoi(value);
    } else if (!strcmp(name, "tls"))
        config->tls = true;
    else if (!strcmp(name, "clock"))
        lf_test_time_passes(0); /* before the link's first wait */
    else if (!strcmp(name, "journal"))
        probe->journal = open(value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    else
        abort();
}

int main(int argc, char **argv)
{
    const char *filters[64];
    struct probe probe = {.journal = -1};
    struct lf_config_link config = {.host = "localhost",
                                    .client_id = "probe",
                                    .keepalive_ms = 30 * 1000,
                                    .session_expiry_ms = 7 * 24 * 3600 * INT64_C(1000),
                                    .topics.items = filters};
    struct lf_link_options options = {0};
    struct lf_link_hooks hooks = {.context = &probe,
                                  .batch = batch,
                                  .online = online,
                                  .offline = offline,
                                  .published = published,
                                  .concern = concern,
                                  .given_up = given_up};
    struct lf_error err = {0};
    struct lf_link *link;
    char *line = NULL;
    size_t room = 0;
    for (int i = 1; i < argc && i < 60; i++)
        set(&config, &options, &probe, filters, argv[i]);
    if (!options.duplicate_payload)
        options.duplicate_payload = options.will_payload;
    if (lf_link_open(&config, &options, &hooks, &link, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    while (getline(&line, &room, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (!obey(&probe, link, line))
            break;
    }
    free(line);
    lf_link_close(link);
    tell(line_of("closed"));
    return 0;
}
