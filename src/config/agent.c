/* The groups agent, cloud and link, and the topics that follow from the routes. */
#include "config/load.h"
#include "config/settings.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_LEN = 64, TOPIC_MAX_LEN = 1024 };

/* ---- names ---- */

static bool fits_topic(const char *name, const char *more)
{
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr(more, *name))
            return false;
    return true;
}

void config__load_check_name(struct lf_load *load, const config_setting_t *at, const char *where,
                             const char *name)
{
    if (!name)
        return; /* missing or of the wrong type: already told */
    if (!*name || strlen(name) > NAME_MAX_LEN || !fits_topic(name, "_.-")) {
        config__load_error(load, at,
                           "%s: \"%.70s\" cannot be a name: it becomes part of MQTT topics; use 1 to %d of "
                           "A-Z a-z 0-9 _ . -",
                           where, name, NAME_MAX_LEN);
    }
}

const config_setting_t *config__load_member(const config_setting_t *group, const char *name)
{
    const config_setting_t *member = config_setting_get_member(group, name);
    return member ? member : group;
}

/* The place of a choice in its row's list. */
static int choice_of(const struct lf_values *values, const struct lf_setting *table, const char *name)
{
    const char *text = lf_values_text(values, name);
    const struct lf_setting *row = lf_setting_find(table, name);
    int i = 0;
    while (text && row->choices[i] && strcmp(row->choices[i], text) != 0)
        i++;
    return i;
}

/* In all three groups: what is set is checked even if something else of the group is wrong. */

/* ---- agent ---- */

void config__load_agent(struct lf_load *load, config_setting_t *group)
{
    struct lf_values *v = config__load_new_values(load, config__settings_agent, "agent");
    if (!v)
        return;
    config__load_values(load, group, "agent", v, config__settings_agent, NULL, true);
    static const enum lf_log_format formats[] = {LF_LOG_AUTO, LF_LOG_TEXT, LF_LOG_JOURNALD, LF_LOG_JSON};
    static const enum lf_log_level levels[] = {LF_LOG_ERROR, LF_LOG_WARNING, LF_LOG_INFO, LF_LOG_DEBUG};
    const char *state_dir = lf_values_text(v, "state_dir");
    const char *spool_dir = lf_values_text(v, "spool_dir");
    load->config->agent = (struct lf_config_agent){
        .name = lf_values_text(v, "name"),
        .site = lf_values_text(v, "site"),
        .state_dir = state_dir,
        .spool_dir = spool_dir ? spool_dir
                               : config__load_format(load, "%s/spool", state_dir ? state_dir : ""),
        .socket = lf_values_text(v, "socket"),
        .operators = lf_values_text(v, "operators"),
        .log_level = levels[choice_of(v, config__settings_agent, "log_level")],
        .log_format = formats[choice_of(v, config__settings_agent, "log_format")],
        .couriers = (int)lf_values_int(v, "couriers"),
        .not_after_ms = lf_values_int(v, "not_after"),
        .keep_ms = lf_values_int(v, "keep"),
        .audit_keep_ms = lf_values_int(v, "audit_keep"),
        .file_max = lf_values_int(v, "file_max"),
        .disk_reserve = lf_values_int(v, "disk_reserve"),
        .journal_max = lf_values_int(v, "journal_max"),
        .unused_max = lf_values_int(v, "unused_max"),
        .outbox_max = lf_values_int(v, "outbox_max"),
        .spool_max = lf_values_int(v, "spool_max"),
        .log_limit = (int)lf_values_int(v, "log_limit"),
    };
    config__load_check_name(load, config__load_member(group, "name"), "agent: \"name\"",
                            load->config->agent.name);
    config__load_check_name(load, config__load_member(group, "site"), "agent: \"site\"",
                            load->config->agent.site);
}

static bool has(const config_setting_t *group, const char *name)
{
    return config_setting_get_member(group, name) != NULL;
}

static void needs(struct lf_load *load, const config_setting_t *group, const char *name, const char *other)
{
    if (has(group, name) && !has(group, other)) {
        config__load_error(load, config__load_member(group, name), "%s: \"%s\" needs \"%s\" beside it",
                           config_setting_name(group), name, other);
    }
}

/* ---- cloud ---- */

static void check_credentials(struct lf_load *load, const config_setting_t *group)
{
    bool key = has(group, "api_key_file"), app = has(group, "client_id") || has(group, "client_secret_file");
    if (key && app) {
        config__load_error(
            load, config__load_member(group, "api_key_file"),
            "cloud: there are two ways to sign in; keep either \"api_key_file\" or \"client_id\" "
            "with \"client_secret_file\"");
    } else if (!key && !app) {
        config__load_error(
            load, group,
            "cloud: there is no way to sign in; add \"client_id\" with \"client_secret_file\" (an "
            "app of your tenant), or \"api_key_file\"");
    } else {
        needs(load, group, "client_id", "client_secret_file");
        needs(load, group, "client_secret_file", "client_id");
    }
}

/* Credentials go to this host: so https, except on this very machine for rehearsals. */
static const char *check_tenant(struct lf_load *load, const config_setting_t *at, const char *text)
{
    struct lf_url url;
    const char *why;
    if (!text)
        return NULL; /* already told */
    if (!config__url_split(text, &url, &why)) {
        config__load_error(load, at, "cloud: \"tenant\" %s; write it like \"https://acme.benchling.com\"",
                           why);
        return text;
    }
    if (strcasecmp(url.scheme, "https") != 0 && !(!strcasecmp(url.scheme, "http") && url.loopback)) {
        config__load_error(
            load, at,
            "cloud: \"tenant\" must begin with https:// (http:// is for a simulator on this machine only)");
        return text;
    }
    size_t len = strlen(text);
    return text[len - 1] == '/' ? config__load_format(load, "%.*s", (int)len - 1, text) : text;
}

void config__load_cloud(struct lf_load *load, config_setting_t *group)
{
    struct lf_values *v = config__load_new_values(load, config__settings_cloud, "cloud");
    if (!v)
        return;
    config__load_values(load, group, "cloud", v, config__settings_cloud, NULL, true);
    static const enum lf_config_source sources[] = {LF_SOURCE_MQTT, LF_SOURCE_POLL, LF_SOURCE_BOTH};
    load->config->cloud = (struct lf_config_cloud){
        .tenant = check_tenant(load, config__load_member(group, "tenant"), lf_values_text(v, "tenant")),
        .client_id = lf_values_text(v, "client_id"),
        .client_secret_file = lf_values_text(v, "client_secret_file"),
        .api_key_file = lf_values_text(v, "api_key_file"),
        .ca_file = lf_values_text(v, "ca_file"),
        .proxy = lf_values_text(v, "proxy"),
        .connect_timeout_ms = lf_values_int(v, "connect_timeout"),
        .request_timeout_ms = lf_values_int(v, "request_timeout"),
        .stall_timeout_ms = lf_values_int(v, "stall_timeout"),
        .connections = (int)lf_values_int(v, "connections"),
        .events = sources[choice_of(v, config__settings_cloud, "events")],
        .poll_interval_ms = lf_values_int(v, "poll_interval"),
    };
    check_credentials(load, group);
}

/* ---- link ---- */

static void read_broker(struct lf_load *load, config_setting_t *group, struct lf_config_link *link)
{
    const config_setting_t *at = config__load_member(group, "broker");
    struct lf_url url;
    const char *why;
    const char *text = lf_values_text(load->link, "broker");
    if (!text)
        return; /* already told */
    if (!config__url_split(text, &url, &why)) {
        config__load_error(load, at, "link: \"broker\" %s; write it like \"mqtts://broker.example:8883\"",
                           why);
        return;
    }
    link->tls = !strcasecmp(url.scheme, "mqtts");
    if (!link->tls && strcasecmp(url.scheme, "mqtt") != 0) {
        config__load_error(load, at, "link: \"broker\" must begin with mqtts:// (or mqtt://), not %s://",
                           url.scheme);
    } else if (!link->tls && !url.loopback) {
        config__load_warning(load, at,
                             "link: events and commands travel unencrypted; use mqtts:// if the broker can");
    }
    link->host = config__load_format(load, "%s", url.host);
    link->port = url.port ? url.port : link->tls ? 8883 : 1883;
}

static void check_link_files(struct lf_load *load, const config_setting_t *group,
                             const struct lf_config_link *link)
{
    static const char *const tls_only[] = {"ca_file", "cert_file", "key_file"};
    for (size_t i = 0; link->host && !link->tls && i < 3; i++) {
        if (has(group, tls_only[i])) {
            config__load_error(load, config__load_member(group, tls_only[i]),
                               "link: \"%s\" does nothing without TLS; write mqtts:// in \"broker\"",
                               tls_only[i]);
        }
    }
    needs(load, group, "cert_file", "key_file");
    needs(load, group, "key_file", "cert_file");
    needs(load, group, "password_file", "username");
}

static void check_prefix(struct lf_load *load, const config_setting_t *at, const char *prefix)
{
    size_t len = strlen(prefix);
    bool good = len > 0 && len <= 200 && fits_topic(prefix, "_.-/") && *prefix != '/'
                && prefix[len - 1] != '/' && !strstr(prefix, "//");
    if (!good) {
        config__load_error(
            load, at,
            "link: \"topic_prefix\" must be one or more names with '/' between, of A-Z a-z 0-9 _ . -");
    }
}

void config__load_link(struct lf_load *load, config_setting_t *group)
{
    const struct lf_config_agent *agent = &load->config->agent;
    struct lf_config_link *link = &load->config->link;
    struct lf_values *v = config__load_new_values(load, config__settings_link, "link");
    if (!v)
        return;
    config__load_values(load, group, "link", v, config__settings_link, NULL, true);
    load->link = v;
    if (lf_values_text(v, "topic_prefix")) {
        load->topic_prefix = lf_values_text(v, "topic_prefix");
        check_prefix(load, config__load_member(group, "topic_prefix"), load->topic_prefix);
    }
    const char *site = agent->site ? agent->site : "", *name = agent->name ? agent->name : "";
    *link = (struct lf_config_link){
        .used = true,
        .client_id = lf_values_text(v, "client_id"),
        .username = lf_values_text(v, "username"),
        .password_file = lf_values_text(v, "password_file"),
        .ca_file = lf_values_text(v, "ca_file"),
        .cert_file = lf_values_text(v, "cert_file"),
        .key_file = lf_values_text(v, "key_file"),
        .keepalive_ms = lf_values_int(v, "keepalive"),
        .session_expiry_ms = lf_values_int(v, "session_expiry"),
        .commands_max = (int)lf_values_int(v, "commands_max"),
        .receive_maximum = (int)lf_values_int(v, "receive_maximum"),
        .commands = lf_values_bool(v, "commands"),
        .base = config__load_format(load, "%s/%s/agents/%s", load->topic_prefix, site, name),
    };
    link->status_topic = config__load_format(load, "%s/status", link->base ? link->base : "");
    if (link->commands)
        link->command_topic = config__load_format(load, "%s/command", link->base ? link->base : "");
    if (!link->client_id) {
        link->client_id = config__load_format(load, "labferry-%s-%s", site, name);
    } else if (!*link->client_id) {
        config__load_error(
            load, config__load_member(group, "client_id"),
            "link: \"client_id\" is empty, but the broker keeps events under this name; leave it out for "
            "labferry-SITE-NAME");
    }
    read_broker(load, group, link);
    check_link_files(load, group, link);
}

/* ---- topics ---- */

static void add_event_type(void *context, const char *type)
{
    struct lf_load *load = context;
    struct lf_config_list *types = &load->config->event_types;
    for (size_t i = 0; i < types->count; i++)
        if (!strcmp(types->items[i], type))
            return;
    const char *copy = config__load_format(load, "%s", type);
    if (copy)
        config__load_append(load, types, copy);
}

static bool waits_for_processing(const struct lf_load *load)
{
    for (size_t i = 0; i < load->config->instrument_count; i++) {
        for (size_t j = 0; j < load->instruments[i].collect_count; j++)
            if (load->instruments[i].collect[j].process)
                return true;
    }
    return false;
}

/* '#' only as the last level, '+' only as a whole level. */
static bool is_filter(const char *filter)
{
    size_t len = strlen(filter);
    if (len == 0 || len > TOPIC_MAX_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool starts = i == 0 || filter[i - 1] == '/';
        bool ends = i + 1 == len || filter[i + 1] == '/';
        if ((filter[i] == '+' && !(starts && ends)) || (filter[i] == '#' && !(starts && i + 1 == len)))
            return false;
    }
    return lf_utf8_valid(lf_slice_text(filter));
}

static void check_given_topics(struct lf_load *load, const struct lf_config_list *topics)
{
    const config_setting_t *at = config_lookup(&load->file, "link.topics");
    for (size_t i = 0; i < topics->count; i++) {
        if (!is_filter(topics->items[i])) {
            config__load_error(
                load, at,
                "link: \"topics\": \"%.100s\" is no MQTT topic filter: '+' stands for one whole level, '#' "
                "for all the rest at the end",
                topics->items[i]);
        }
    }
}

void config__load_topics(struct lf_load *load)
{
    struct lf_config *config = load->config;
    for (size_t i = 0; load->hooks->on_types && i < config->route_count; i++)
        for (size_t j = 0; j < load->routes[i].on.count; j++)
            load->hooks->on_types(load->routes[i].on.items[j], add_event_type, load);
    if (load->hooks->on_types && waits_for_processing(load))
        load->hooks->on_types("automationOutputProcessor.completed", add_event_type, load);
    if (!load->link || config->cloud.events == LF_SOURCE_POLL)
        return;
    if (lf_values_given(load->link, "topics")) {
        config->link.topics = config__load_list(load, load->link, "topics");
        check_given_topics(load, &config->link.topics);
        return;
    }
    for (size_t i = 0; i < config->event_types.count; i++) {
        const char *site = config->agent.site ? config->agent.site : "";
        const char *topic = config__load_format(load, "%s/%s/events/%s", load->topic_prefix, site,
                                                config->event_types.items[i]);
        if (topic)
            config__load_append(load, &config->link.topics, topic);
    }
}
