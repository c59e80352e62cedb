/* The groups agent, cloud and link, and the topics that follow from the routes. */
#include "config/load.h"
#include "config/settings.h"

#include <ctype.h>
#include <stdlib.h>
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

/* Reports a name that is unfit for an MQTT topic. NULL is fine: already reported. */
static void check_name(struct lf_load *load, const config_setting_t *at, const char *where, const char *name)
{
    if (name && (!*name || strlen(name) > NAME_MAX_LEN || !fits_topic(name, "_.-")))
        config__load_error(load, at,
                           "%s: \"%.70s\" cannot be a name: it becomes part of MQTT topics; use 1 to %d of "
                           "A-Z a-z 0-9 _ . -",
                           where, name, NAME_MAX_LEN);
}

const char *config__load_entry(struct lf_load *load, const config_setting_t *group, const char *kind)
{
    const config_setting_t *list = config_setting_parent(group), *at = config__load_member(group, "name");
    const char *name = NULL, *other = NULL;
    int index = config_setting_index(group);
    if (config_setting_lookup_string(group, "name", &name) != CONFIG_TRUE)
        return config__load_format(load, "%s %d", kind, index + 1);
    check_name(load, at, kind, name);
    for (int i = 0; i < index; i++) {
        const config_setting_t *earlier = config_setting_get_elem(list, (unsigned)i);
        if (config_setting_lookup_string(earlier, "name", &other) == CONFIG_TRUE && !strcmp(other, name)) {
            const char *place = config__load_at(load, earlier);
            config__load_error(load, at, "%s \"%.70s\" already exists (%s); give each its own name", kind,
                               name, place ? place : "?");
            break;
        }
    }
    return config__load_format(load, "%s \"%.70s\"", kind, name);
}

const config_setting_t *config__load_member(const config_setting_t *group, const char *name)
{
    const config_setting_t *member = config_setting_get_member(group, name);
    return member ? member : group;
}

/* In all three groups: what is set is checked even if something else of the group is wrong. */

void config__load_agent(struct lf_load *load, config_setting_t *group)
{
    struct lf_config_agent *agent = &load->config->agent;
    config__load_group(load, group, "agent", config__settings_agent, agent);
    if (!agent->spool_dir)
        agent->spool_dir = config__load_format(load, "%s/spool", agent->state_dir ? agent->state_dir : "");
    check_name(load, config__load_member(group, "name"), "agent: \"name\"", agent->name);
    check_name(load, config__load_member(group, "site"), "agent: \"site\"", agent->site);
}

static bool has(const config_setting_t *group, const char *name)
{
    return config_setting_get_member(group, name) != NULL;
}

static void needs(struct lf_load *load, const config_setting_t *group, const char *name, const char *other)
{
    if (has(group, name) && !has(group, other))
        config__load_error(load, config__load_member(group, name), "%s: \"%s\" also needs \"%s\"",
                           config_setting_name(group), name, other);
}

/* ---- cloud ---- */

static void check_credentials(struct lf_load *load, const config_setting_t *group)
{
    bool key = has(group, "api_key_file"), app = has(group, "client_id") || has(group, "client_secret_file");
    if (key && app)
        config__load_error(load, config__load_member(group, "api_key_file"),
                           "cloud: there are two ways to sign in; keep either \"api_key_file\" or "
                           "\"client_id\" with \"client_secret_file\"");
    if (!key && !app)
        config__load_error(load, group,
                           "cloud: there is no way to sign in; add \"client_id\" with "
                           "\"client_secret_file\" (an app of your tenant), or \"api_key_file\"");
    if (!key) {
        needs(load, group, "client_id", "client_secret_file");
        needs(load, group, "client_secret_file", "client_id");
    }
}

/* Credentials go to this host: so https, except to a simulator on this machine. */
static const char *check_tenant(struct lf_load *load, const config_setting_t *at, const char *text)
{
    struct lf_url url;
    if (!text)
        return NULL; /* already reported */
    const char *why = config__url_split(text, &url);
    if (why) {
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

/* A proxy may have a user and a password in front of its host: there is no other place for them. */
static void check_proxy(struct lf_load *load, const config_setting_t *at, const char *text)
{
    static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
    const char *sep = text ? strstr(text, "://") : NULL, *user_end = sep ? strrchr(sep, '@') : NULL;
    struct lf_url url = {0};
    if (!text || !*text)
        return;
    const char *bare = user_end
                           ? config__load_format(load, "%.*s%s", (int)(sep + 3 - text), text, user_end + 1)
                           : text;
    const char *why = bare ? config__url_split(bare, &url) : NULL;
    bool known = why != NULL;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        known = known || !strcasecmp(url.scheme, schemes[i]);
    if (why || !known)
        config__load_error(load, at, "cloud: \"proxy\" %s; write it like \"http://proxy.example:3128\"",
                           why ? why : "has a scheme that is not one of a proxy");
}

void config__load_cloud(struct lf_load *load, config_setting_t *group)
{
    struct lf_config_cloud *cloud = &load->config->cloud;
    config__load_group(load, group, "cloud", config__settings_cloud, cloud);
    cloud->tenant = check_tenant(load, config__load_member(group, "tenant"), cloud->tenant);
    check_credentials(load, group);
    check_proxy(load, config__load_member(group, "proxy"), cloud->proxy);
}

/* ---- link ---- */

static void read_broker(struct lf_load *load, const config_setting_t *at, struct lf_config_link *link)
{
    struct lf_url url;
    if (!link->broker)
        return; /* already reported */
    const char *why = config__url_split(link->broker, &url);
    if (why) {
        config__load_error(load, at, "link: \"broker\" %s; write it like \"mqtts://broker.example:8883\"",
                           why);
        return;
    }
    link->tls = !strcasecmp(url.scheme, "mqtts");
    if (!strcasecmp(url.scheme, "wss") || !strcasecmp(url.scheme, "ws")) {
        config__load_error(
            load, at,
            "link: \"broker\" asks for MQTT over WebSocket, which the MQTT library here does not "
            "have. Where only port 443 is open, use 443 with ALPN: broker = "
            "\"mqtts://%s:443\"; alpn = \"x-amzn-mqtt-ca\" (AWS IoT Core), or link.proxy",
            url.host);
        return;
    }
    if (!link->tls && strcasecmp(url.scheme, "mqtt") != 0)
        config__load_error(load, at, "link: \"broker\" must begin with mqtts:// (or mqtt://), not %s://",
                           url.scheme);
    else if (!link->tls && !url.loopback)
        config__load_warning(
            load, at, "link: events and commands travel unencrypted; use mqtts:// if the broker supports it");
    link->host = config__load_format(load, "%s", url.host);
    link->port = url.port ? url.port : link->tls ? 8883 : 1883;
}

static void read_proxy(struct lf_load *load, const config_setting_t *group, struct lf_config_link *link)
{
    static const char form[] =
        "write it like \"http://proxy.example:3128\" or \"socks5://proxy.example:1080\"";
    const config_setting_t *at = config__load_member(group, "proxy");
    struct lf_url url;
    needs(load, group, "proxy_username", "proxy");
    needs(load, group, "proxy_password_file", "proxy_username");
    if (!link->proxy)
        return;
    const char *why = config__url_split(link->proxy, &url);
    if (why) {
        config__load_error(load, at, "link: \"proxy\" %s; %s", why, form);
        return;
    }
    link->proxy_socks = !strcasecmp(url.scheme, "socks5");
    if (!link->proxy_socks && strcasecmp(url.scheme, "http") != 0)
        config__load_error(load, at, "link: \"proxy\" must begin with http:// or socks5://, not %s://; %s",
                           url.scheme, form);
    else if (!url.port)
        config__load_error(load, at, "link: \"proxy\" has no port number; %s", form);
    link->proxy_host = config__load_format(load, "%s", url.host);
    link->proxy_port = url.port;
}

static void check_alpn(struct lf_load *load, const config_setting_t *at, const char *alpn)
{
    if (alpn && (!*alpn || strlen(alpn) > 200))
        config__load_error(load, at, "link: \"alpn\" must be the name of a protocol, such as x-amzn-mqtt-ca");
}

static void check_link_files(struct lf_load *load, const config_setting_t *group,
                             const struct lf_config_link *link)
{
    static const char *const tls_only[] = {"ca_file", "cert_file", "key_file", "alpn"};
    for (size_t i = 0; link->host && !link->tls && i < 4; i++) {
        if (has(group, tls_only[i]))
            config__load_error(load, config__load_member(group, tls_only[i]),
                               "link: \"%s\" has no effect without TLS; write mqtts:// in \"broker\"",
                               tls_only[i]);
    }
    needs(load, group, "cert_file", "key_file");
    needs(load, group, "key_file", "cert_file");
    needs(load, group, "password_file", "username");
}

static void check_prefix(struct lf_load *load, const config_setting_t *at, const char *prefix)
{
    size_t len = prefix ? strlen(prefix) : 1;
    if (prefix
        && (len == 0 || len > 200 || !fits_topic(prefix, "_.-/") || *prefix == '/' || prefix[len - 1] == '/'
            || strstr(prefix, "//")))
        config__load_error(
            load, at,
            "link: \"topic_prefix\" must be one or more names with '/' between, of A-Z a-z 0-9 _ . -");
}

static void make_topics(struct lf_load *load, struct lf_config_link *link)
{
    const char *site = load->config->agent.site, *name = load->config->agent.name;
    if (!site || !name || !link->topic_prefix)
        return; /* already reported */
    link->site_topic = config__load_format(load, "%s/%s", link->topic_prefix, site);
    link->base = config__load_format(load, "%s/%s/agents/%s", link->topic_prefix, site, name);
    if (!link->client_id)
        link->client_id = config__load_format(load, "labferry-%s-%s", site, name);
    if (!link->base)
        return;
    link->status_topic = config__load_format(load, "%s/status", link->base);
    link->audit_topic = config__load_format(load, "%s/audit", link->base);
    link->routes_topic = config__load_format(load, "%s/routes", link->base);
    link->command_topic = link->commands ? config__load_format(load, "%s/command", link->base) : NULL;
}

void config__load_link(struct lf_load *load, config_setting_t *group)
{
    struct lf_config_link *link = &load->config->link;
    link->used = true;
    config__load_group(load, group, "link", config__settings_link, link);
    check_prefix(load, config__load_member(group, "topic_prefix"), link->topic_prefix);
    if (link->client_id && !*link->client_id)
        config__load_error(
            load, config__load_member(group, "client_id"),
            "link: \"client_id\" is empty, but the broker keeps events under this name; leave it out for "
            "labferry-SITE-NAME");
    make_topics(load, link);
    read_broker(load, config__load_member(group, "broker"), link);
    read_proxy(load, group, link);
    check_alpn(load, config__load_member(group, "alpn"), link->alpn);
    check_link_files(load, group, link);
}

/* ---- topics ---- */

static void add_event_type(void *context, const char *type)
{
    struct lf_load *load = context;
    struct lf_texts *types = &load->config->event_types;
    const char *copy = lf_texts_have(types, type) ? NULL : config__load_format(load, "%s", type);
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

/* '#' only as the last level, '+' only as a complete level. */
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

static void check_given_topics(struct lf_load *load, const struct lf_texts *topics)
{
    const config_setting_t *at = config_lookup(&load->file, "link.topics");
    for (size_t i = 0; i < topics->count; i++)
        if (!is_filter(topics->items[i]))
            config__load_error(
                load, at,
                "link: \"topics\": \"%.100s\" is not an MQTT topic filter: '+' replaces one level, '#' all "
                "levels at the end",
                topics->items[i]);
}

static bool takes_tasks(const struct lf_load *load)
{
    for (size_t i = 0; i < load->config->route_count; i++)
        if (load->routes[i].kind && load->routes[i].kind->claims)
            return true;
    return false;
}

void config__load_topics(struct lf_load *load)
{
    struct lf_config *config = load->config;
    struct lf_texts *topics = &config->link.topics;
    if (config->link.base && takes_tasks(load))
        config->link.others_filter = config__load_format(load, "%s/agents/+/routes", config->link.site_topic);
    for (size_t i = 0; load->hooks->on_types && i < config->route_count; i++)
        for (size_t j = 0; j < load->routes[i].on.count; j++)
            load->hooks->on_types(load->routes[i].on.items[j], add_event_type, load);
    if (load->hooks->on_types && waits_for_processing(load))
        load->hooks->on_types("automationOutputProcessor.completed", add_event_type, load);
    check_given_topics(load, topics);
    if (config->cloud.events == LF_SOURCE_POLL)
        *topics = (struct lf_texts){0};
    else if (config->link.base && topics->count == 0)
        for (size_t i = 0; i < config->event_types.count; i++) {
            const char *topic = config__load_format(load, "%s/%s/events/%s", config->link.topic_prefix,
                                                    config->agent.site, config->event_types.items[i]);
            if (topic)
                config__load_append(load, topics, topic);
        }
}
