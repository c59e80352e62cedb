/* Writes etc/labferry.conf.example: helps and defaults come from the rows, the entries are what a first site
 * would write. */
#include "example.h"

#include "config/config.h"
#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

/* What to write for a setting; active ones without '#' in front. */
struct sample {
    const char *name, *value;
    bool active;
};

static const struct sample agent_samples[] = {
    {"name", "\"bench-3\"", true},
    {"site", "\"boston\"", true},
    {"spool_dir", "\"/var/lib/labferry/spool\"", false},
    {"operators", "\"labferry\"", false},
    {0},
};

static const struct sample cloud_samples[] = {
    {"tenant", "\"https://acme.benchling.com\"", true},
    {"client_id", "\"8a1d2c3e-0000-4000-8000-000000000000\"", true},
    {"client_secret_file", "\"/etc/labferry/client_secret\"", true},
    {"api_key_file", "\"/etc/labferry/api_key\"", false},
    {"ca_file", "\"/etc/labferry/cloud-ca.pem\"", false},
    {"proxy", "\"http://proxy.example:3128\"", false},
    {0},
};

static const struct sample link_samples[] = {
    {"broker", "\"mqtts://broker.example:8883\"", true},
    {"client_id", "\"labferry-boston-bench-3\"", false},
    {"username", "\"bench-3\"", false},
    {"password_file", "\"/etc/labferry/broker_password\"", false},
    {"ca_file", "\"/etc/labferry/broker-ca.pem\"", true},
    {"cert_file", "\"/etc/labferry/bench-3.crt\"", true},
    {"key_file", "\"/etc/labferry/bench-3.key\"", true},
    {"topics", "[ \"benchling/events/#\" ]", false},
    {0},
};

static const char head[] =
    "# Configuration of Labferry. Lines that begin with # are comments; a setting behind a # shows its "
    "default or an\n"
    "# example. Times take a unit (ms s m h d), sizes too (KB MB GB, KiB MiB GiB). Relative paths "
    "start at the\n"
    "# folder of this file. Parts can be kept in files of their own: @include \"instruments.conf\"\n"
    "#\n"
    "# After every change: labferry check\n";

static const char instruments_text[] =
    "instruments = (\n"
    "    {\n"
    "        name = \"hamilton-1\";\n"
    "        driver = \"folder\";\n"
    "        inbox = \"/srv/hamilton/worklists\";\n"
    "        outbox = \"/srv/hamilton/results\";\n"
    "        collect = (\n"
    "            { files = \"*.csv\"; match = [ \"filename:^(?<run>[0-9a-f-]{36})_\" ];\n"
    "              config = \"Plate reader results\"; }\n"
    "        );\n"
    "    },\n"
    "    {\n"
    "        name = \"balance-1\";\n"
    "        driver = \"line\";\n"
    "        stream = \"serial:/dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0?baud=9600\";\n"
    "        profile = \"mt-sics\";\n"
    "    }\n"
    ");\n";

static const char routes_text[] =
    "routes = (\n"
    "    {\n"
    "        name = \"worklists\";\n"
    "        on = \"automationInputGenerator.completed\";\n"
    "        where = { automationInputGenerator = { automationFileConfig = { name = [ \"Hamilton\" ]; }; }; "
    "};\n"
    "        job = \"deliver\";\n"
    "        instrument = \"hamilton-1\";\n"
    "        not_after = \"12h\";\n"
    "    },\n"
    "    {\n"
    "        name = \"weigh\";\n"
    "        on = \"workflowTask.updated.status\";\n"
    "        where = { workflowTask = { schema = { name = [ \"Weighing\" ]; };\n"
    "                                   status = { statusType = [ \"PENDING\" ]; };\n"
    "                                   fields = { Bench = { textValue = [ \"bench-3\" ]; }; }; }; };\n"
    "        job = \"task\";\n"
    "        instrument = \"balance-1\";\n"
    "        procedure = \"weigh\";\n"
    "        outputs = { weight = \"Mass\"; };\n"
    "    }\n"
    ");\n";

/* A row as lf_config_print_rows prints it, with the sample in place of the last line. */
static void print_row(const struct lf_setting *row, const struct sample *samples, FILE *out)
{
    struct lf_setting rows[] = {*row, {0}};
    char *text = NULL;
    size_t size = 0;
    FILE *one = open_memstream(&text, &size);
    lf_config_print_rows(rows, 4, one);
    fclose(one);
    while (samples->name && strcmp(samples->name, row->name) != 0)
        samples++;
    if (samples->name) {
        char *last = strstr(text, "\n    #");
        for (char *next; (next = strstr(last + 1, "\n    #"));)
            last = next;
        fprintf(out, "%.*s    %s%s = %s;\n", (int)(last + 1 - text), text, samples->active ? "" : "#",
                row->name, samples->value);
    } else {
        fputs(text, out);
    }
    free(text);
}

static void print_title(const char *name, FILE *out)
{
    fprintf(out, "\n# %s\n", lf_setting_find(config__settings_file, name)->help);
}

static void print_group(const char *name, const struct lf_setting *rows, const struct sample *samples,
                        FILE *out)
{
    print_title(name, out);
    fprintf(out, "%s = {\n", name);
    for (const struct lf_setting *row = rows; row->name; row++) {
        if (row != rows && row->type != LF_REMOVED)
            fputc('\n', out);
        print_row(row, samples, out);
    }
    fputs("};\n", out);
}

static void print_reference(const char *title, const struct lf_setting *rows, FILE *out)
{
    fprintf(out, "\n# %s\n#\n", title);
    lf_config_print_rows(rows, 0, out);
}

void example_print(FILE *out)
{
    fputs(head, out);
    print_group("agent", config__settings_agent, agent_samples, out);
    print_group("cloud", config__settings_cloud, cloud_samples, out);
    print_group("link", config__settings_link, link_samples, out);
    print_title("instruments", out);
    fputs(instruments_text, out);
    print_title("routes", out);
    fputs(routes_text, out);
    fputs("\n# ---- Settings of an instrument, of its collect entries and of a route ----\n", out);
    print_reference("An instrument, with any driver:", config__settings_instrument, out);
    print_reference("An entry of collect:", config__settings_collect, out);
    print_reference("A route:", config__settings_route, out);
}
