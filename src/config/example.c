/* The commented example: the helps and defaults come from the rows, the entries are what a first site would
 * write. */
#include "config/config.h"

#include "config/settings.h"

#include <string.h>

enum { WIDTH = 100 };

/* What to write for a setting that has no default; active ones stand without '#'. */
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

static const struct sample no_samples[] = {{0}};

static const char head[] =
    "# Configuration of Labferry. Lines that begin with # are comments; settings behind a # show their "
    "default, or what\n"
    "# one could write. Times take a unit (ms s m h d), sizes too (KB MB GB, KiB MiB GiB). Relative paths "
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
    "            { files = \"*.csv\"; match = [ \"filename:^(?<run>[0-9a-f-]{36})_\", \"last-job\" ];\n"
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
    "                                   status = { statusType = [ \"PENDING\" ]; }; }; };\n"
    "        job = \"task\";\n"
    "        instrument = \"balance-1\";\n"
    "        procedure = \"weigh\";\n"
    "        outputs = { weight = \"Mass\"; };\n"
    "    }\n"
    ");\n";

static void indent_by(int indent, FILE *out)
{
    fprintf(out, "%*s", indent, "");
}

/* A comment, wrapped between words. */
static void print_comment(const char *text, int indent, FILE *out)
{
    int column = WIDTH;
    bool first = true;
    while (*text) {
        int len = (int)strcspn(text, " ");
        if (column + 1 + len > WIDTH) {
            if (!first)
                fputc('\n', out);
            indent_by(indent, out);
            fputc('#', out);
            column = indent + 1;
        }
        fprintf(out, " %.*s", len, text);
        column += 1 + len;
        text += len;
        text += *text == ' ';
        first = false;
    }
    fputc('\n', out);
}

static void print_bound(const struct lf_setting *row, int64_t bound, FILE *out)
{
    char text[40];
    if (row->type == LF_DURATION)
        lf_duration_format(bound, text, sizeof text);
    else if (row->type == LF_SIZE)
        lf_size_format(bound, text, sizeof text);
    else
        snprintf(text, sizeof text, "%lld", (long long)bound);
    fputs(text, out);
}

/* What it may be, as a second comment line. */
static void print_allowed(const struct lf_setting *row, int indent, FILE *out)
{
    if (row->choices) {
        indent_by(indent, out);
        fputs("# One of", out);
        for (size_t i = 0; row->choices[i]; i++)
            fprintf(out, "%s \"%s\"", i ? "," : "", row->choices[i]);
        fputs(".\n", out);
    } else if (row->min || row->max) {
        indent_by(indent, out);
        fputs("# From ", out);
        print_bound(row, row->min, out);
        fputs(" to ", out);
        print_bound(row, row->max, out);
        fputs(".\n", out);
    }
}

static bool is_quoted(enum lf_setting_type type)
{
    return type != LF_INT && type != LF_BOOL && type != LF_NESTED;
}

static const char *placeholder(enum lf_setting_type type)
{
    return type == LF_NESTED ? "{ ... }"
           : type == LF_LIST ? "[ \"...\" ]"
           : is_quoted(type) ? "\"...\""
                             : "...";
}

static void print_row(const struct lf_setting *row, const struct sample *samples, int indent, FILE *out)
{
    while (samples->name && strcmp(samples->name, row->name) != 0)
        samples++;
    print_comment(row->help, indent, out);
    print_allowed(row, indent, out);
    indent_by(indent, out);
    const char *hash = samples->active ? "" : "#";
    if (samples->name)
        fprintf(out, "%s%s = %s;\n", hash, row->name, samples->value);
    else if (row->fallback == LF_REQUIRED)
        fprintf(out, "#%s = %s; (required)\n", row->name, placeholder(row->type));
    else if (!row->fallback)
        fprintf(out, "#%s = %s;\n", row->name, placeholder(row->type));
    else if (is_quoted(row->type))
        fprintf(out, "#%s = \"%s\";\n", row->name, row->fallback);
    else
        fprintf(out, "#%s = %s;\n", row->name, row->fallback);
}

static void print_rows(const struct lf_setting *rows, const struct sample *samples, int indent, FILE *out)
{
    for (const struct lf_setting *row = rows; row->name; row++) {
        if (row != rows)
            fputc('\n', out);
        print_row(row, samples, indent, out);
    }
}

void lf_config_print_rows(const struct lf_setting *rows, int indent, FILE *out)
{
    print_rows(rows, no_samples, indent, out);
}

static void print_group(const char *name, const struct lf_setting *rows, const struct sample *samples,
                        FILE *out)
{
    fputc('\n', out);
    print_comment(lf_setting_find(config__settings_file, name)->help, 0, out);
    fprintf(out, "%s = {\n", name);
    print_rows(rows, samples, 4, out);
    fputs("};\n", out);
}

static void print_list(const char *name, const char *entries, FILE *out)
{
    fputc('\n', out);
    print_comment(lf_setting_find(config__settings_file, name)->help, 0, out);
    fputs(entries, out);
}

static void print_reference(const char *title, const struct lf_setting *rows, FILE *out)
{
    fprintf(out, "\n# %s\n#\n", title);
    print_rows(rows, no_samples, 0, out);
}

void lf_config_print_example(FILE *out)
{
    fputs(head, out);
    print_group("agent", config__settings_agent, agent_samples, out);
    print_group("cloud", config__settings_cloud, cloud_samples, out);
    print_group("link", config__settings_link, link_samples, out);
    print_list("instruments", instruments_text, out);
    print_list("routes", routes_text, out);
    fputs("\n# ---- Settings of an instrument, of its collect entries and of a route ----\n", out);
    print_reference("An instrument, with any driver:", config__settings_instrument, out);
    print_reference("An entry of collect:", config__settings_collect, out);
    print_reference("A route:", config__settings_route, out);
}
