/* Every option is a row: from the rows come the defaults, the reading, and --help. */
#include "options.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, NUMBER, FLAG };

struct row {
    const char *name, *value, *fallback, *help;
    size_t offset;
    enum kind kind;
    int64_t low, high;
};

#define AT(field) offsetof(struct sim_options, field)

static const struct row rows[] = {
    {NULL, NULL, NULL, "Where it listens", 0, FLAG, 0, 0},
    {"listen", "ADDRESS", "127.0.0.1", "IPv4 address to listen on", AT(listen), TEXT, 0, 0},
    {"port", "N", "8080", "port; 0 picks a free one", AT(port), NUMBER, 0, 65535},
    {"port-file", "FILE", NULL, "write the port there once it listens", AT(port_file), TEXT, 0, 0},
    {"base-path", "PATH", "/api/v2", "prefix of the API; paths without it are served as well", AT(base_path),
     TEXT, 0, 0},
    {"public-url", "URL", NULL, "scheme, host and port to write into URLs, when behind a proxy",
     AT(public_url), TEXT, 0, 0},
    {"download-host", "HOST", NULL, "another host name in download URLs, e.g. localhost", AT(download_host),
     TEXT, 0, 0},
    {"cert", "FILE", NULL, "serve HTTPS with this certificate (PEM)", AT(cert), TEXT, 0, 0},
    {"key", "FILE", NULL, "its private key (PEM)", AT(key), TEXT, 0, 0},

    {NULL, NULL, NULL, "The tenant", 0, FLAG, 0, 0},
    {"scenario", "FILE", NULL,
     "schemas, runs and tasks to begin with; without it \"Plate prep and weighing\"", AT(scenario), TEXT, 0,
     0},
    {"data", "DIR", NULL, "where blobs lie; without it a temporary folder, removed at the end", AT(data_dir),
     TEXT, 0, 0},
    {"client-id", "ID", "labferry-sim", "OAuth client it accepts", AT(client_id), TEXT, 0, 0},
    {"client-secret", "TEXT", "sim-secret", "its (simulated) secret", AT(client_secret), TEXT, 0, 0},
    {"api-key", "TEXT", "sk_simulated", "API key it accepts", AT(api_key), TEXT, 0, 0},
    {"token-seconds", "N", "900", "life of an access token", AT(token_seconds), NUMBER, 1, 86400},
    {"task-seconds", "N", "1800", "how long a finished long-running task can be asked for", AT(task_seconds),
     NUMBER, 0, 86400},
    {"url-seconds", "N", "3600", "life of a download URL", AT(url_seconds), NUMBER, 1, 86400},
    {"generate-ms", "N", "300", "time :generate-input takes", AT(generate_ms), NUMBER, 0, 3600000},
    {"process-ms", "N", "500", "time :process-output takes", AT(process_ms), NUMBER, 0, 3600000},

    {NULL, NULL, NULL, "Limits", 0, FLAG, 0, 0},
    {"rate-limit", "N", "300", "requests in a window, for the OAuth client", AT(app_limit), NUMBER, 1,
     1000000},
    {"key-rate-limit", "N", "60", "requests in a window, for the API key", AT(key_limit), NUMBER, 1, 1000000},
    {"rate-window", "SECONDS", "30", "length of the window", AT(window_seconds), NUMBER, 1, 86400},
    {"max-body", "BYTES", "100000000", "largest request body; above it 413", AT(max_body), NUMBER, 1024,
     1000000000},
    {"max-single", "BYTES", "10000000", "largest blob in one request; above it upload in parts",
     AT(max_single), NUMBER, 1, 1000000000},
    {"min-part", "BYTES", "5242880", "smallest part of a multipart upload but the last", AT(min_part), NUMBER,
     1, 100000000},
    {"max-events", "N", "200000", "events kept for GET /events; then the oldest go", AT(max_events), NUMBER,
     100, 10000000},

    {NULL, NULL, NULL, "The relay (events over MQTT 5)", 0, FLAG, 0, 0},
    {"broker", "URL", NULL, "publish events to mqtt://HOST[:PORT] or mqtts://HOST[:PORT]", AT(broker), TEXT,
     0, 0},
    {"site", "NAME", "sim", "topics are labferry/NAME/events/<detail-type>", AT(site), TEXT, 0, 0},
    {"envelope", "KIND", "eventbridge", "eventbridge, bare (as GET /events) or webhook", AT(envelope), TEXT,
     0, 0},
    {"twins", NULL, NULL, "send v2-beta twins of the automation events as well", AT(twins), FLAG, 0, 0},
    {"ca", "FILE", NULL, "CA certificates of the broker", AT(ca), TEXT, 0, 0},
    {"mqtt-cert", "FILE", NULL, "client certificate for the broker", AT(mqtt_cert), TEXT, 0, 0},
    {"mqtt-key", "FILE", NULL, "its private key", AT(mqtt_key), TEXT, 0, 0},
    {"username", "NAME", NULL, "user at the broker", AT(username), TEXT, 0, 0},
    {"password-file", "FILE", NULL, "file whose first line is the password", AT(password_file), TEXT, 0, 0},

    {NULL, NULL, NULL, "Otherwise", 0, FLAG, 0, 0},
    {"quiet", NULL, NULL, "do not print the requests on standard error", AT(quiet), FLAG, 0, 0},
};

enum { ROWS = sizeof rows / sizeof *rows };

static void help(void)
{
    puts("labferry-sim-cloud: a Benchling tenant to test and rehearse against.\n"
         "\n"
         "usage: labferry-sim-cloud [options]\n"
         "\n"
         "Prints \"listening URL\" once it is ready. State lives in memory and ends with the program. GET "
         "/sim/state\n"
         "shows everything; tests/sim/cloud/README.md describes the control API under /sim/.");
    for (size_t i = 0; i < ROWS; i++) {
        if (!rows[i].name) {
            printf("\n%s\n", rows[i].help);
            continue;
        }
        char left[40];
        snprintf(left, sizeof left, "--%s %s", rows[i].name, rows[i].value ? rows[i].value : "");
        printf("  %-24s %s%s%s%s\n", left, rows[i].help, rows[i].fallback ? " [" : "",
               rows[i].fallback ? rows[i].fallback : "", rows[i].fallback ? "]" : "");
    }
    puts("  --help                   this text\n  --version                the version");
}

static void set(struct sim_options *options, const struct row *row, const char *value)
{
    char *field = (char *)options + row->offset, *rest;
    if (row->kind == FLAG) {
        memcpy(field, &(bool){true}, sizeof(bool));
    } else if (row->kind == TEXT) {
        memcpy(field, &value, sizeof value);
    } else {
        int64_t number = strtoll(value, &rest, 10);
        if (!isdigit((unsigned char)value[0]) || *rest || number < row->low || number > row->high) {
            sim_die("--%s %s: a whole number from %lld to %lld is wanted", row->name, value,
                    (long long)row->low, (long long)row->high);
        }
        memcpy(field, &number, sizeof number);
    }
}

static const struct row *find(const char *name, size_t len)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].name && strlen(rows[i].name) == len && !strncmp(rows[i].name, name, len))
            return &rows[i];
    return NULL;
}

static void read_arguments(struct sim_options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = !strncmp(argv[i], "--", 2) ? argv[i] + 2 : "";
        size_t len = strcspn(name, "=");
        const struct row *row = find(name, len);
        if (!row)
            sim_die("unknown argument \"%s\"; --help lists the options", argv[i]);
        const char *value = name[len] == '=' ? name + len + 1 : NULL;
        if (row->kind != FLAG && !value) {
            if (++i >= argc)
                sim_die("--%s needs a value (%s)", row->name, row->value);
            value = argv[i];
        } else if (row->kind == FLAG && value) {
            sim_die("--%s takes no value", row->name);
        }
        set(options, row, value);
    }
}

static void check_together(const struct sim_options *o)
{
    size_t base = strlen(o->base_path);
    if (!o->cert != !o->key)
        sim_die("--cert and --key belong together");
    if (!o->mqtt_cert != !o->mqtt_key)
        sim_die("--mqtt-cert and --mqtt-key belong together");
    if (base && (o->base_path[0] != '/' || o->base_path[base - 1] == '/')) {
        sim_die("--base-path %s: begin with a slash and do not end with one, or leave it empty",
                o->base_path);
    }
    if (strcmp(o->envelope, "eventbridge") != 0 && strcmp(o->envelope, "bare") != 0
        && strcmp(o->envelope, "webhook") != 0)
        sim_die("--envelope %s: eventbridge, bare or webhook", o->envelope);
    if (!o->site[0] || strpbrk(o->site, "/+#") || strlen(o->site) > 100)
        sim_die("--site \"%s\": up to 100 characters, without / + and #", o->site);
}

void sim_options_read(struct sim_options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help")) {
            help();
            exit(0);
        }
        if (!strcmp(argv[i], "--version")) {
            puts("labferry-sim-cloud " LF_VERSION);
            exit(0);
        }
    }
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].fallback)
            set(options, &rows[i], rows[i].fallback);
    read_arguments(options, argc, argv);
    check_together(options);
}
