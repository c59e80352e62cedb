/* Names here are what users write and what messages say: changing one breaks configurations in the field.
 */
#include "config/settings.h"
#include "os/path.h"

#include "config/config.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MB INT64_C(1000000)
#define TB INT64_C(1000000000000)

#define AGENT(type, member) LF_INTO(type, struct lf_config_agent, member)
#define CLOUD(type, member) LF_INTO(type, struct lf_config_cloud, member)
#define LINK(type, member) LF_INTO(type, struct lf_config_link, member)
#define INSTRUMENT(type, member) LF_INTO(type, struct lf_config_instrument, member)
#define COLLECT(type, member) LF_INTO(type, struct lf_config_collect, member)
#define ROUTE(type, member) LF_INTO(type, struct lf_config_route, member)
#define NESTED .type = LF_NESTED, .place = 0
#define REMOVED .type = LF_REMOVED, .place = 0

static const struct lf_choice log_levels[] = {{"error", LF_LOG_ERROR},
                                              {"warning", LF_LOG_WARNING},
                                              {"info", LF_LOG_INFO},
                                              {"debug", LF_LOG_DEBUG},
                                              {0}};
static const struct lf_choice log_formats[] = {{"auto", LF_LOG_AUTO},
                                               {"text", LF_LOG_TEXT},
                                               {"journald", LF_LOG_JOURNALD},
                                               {"json", LF_LOG_JSON},
                                               {0}};
static const struct lf_choice sources[] = {{"mqtt", LF_SOURCE_MQTT},
                                           {"poll", LF_SOURCE_POLL},
                                           {"both", LF_SOURCE_BOTH},
                                           {0}};
static const struct lf_choice firsts[] = {{"ignore", LF_FIRST_IGNORE},
                                          {"take", LF_FIRST_TAKE},
                                          {"ask", LF_FIRST_ASK},
                                          {0}};
static const struct lf_choice blob_types[] = {{"RAW_FILE", 0}, {"VISUALIZATION", 0}, {0}};
static const struct lf_choice starts[] = {{"auto", LF_START_AUTO},
                                          {"at-once", LF_START_AT_ONCE},
                                          {"sign", LF_START_SIGN},
                                          {"operator", LF_START_OPERATOR},
                                          {0}};
static const struct lf_choice reports[] = {{"output", LF_REPORT_OUTPUT}, {"file", LF_REPORT_FILE}, {0}};

const struct lf_setting config__settings_file[] = {
    {"agent", NESTED, NULL, "This agent: its name and where it keeps its data."},
    {"cloud", NESTED, NULL, "The Benchling tenant and how to sign in."},
    {"link", NESTED, NULL, "The MQTT broker that events and commands come from."},
    {"instruments", NESTED, NULL,
     "The instruments. Settings other than the common ones belong to the driver: labferry drivers NAME."},
    {"routes", NESTED, NULL,
     "Which event makes which job for which instrument; every route that matches makes one."},
    {0},
};

const struct lf_setting config__settings_agent[] = {
    {"name", AGENT(LF_TEXT, name), LF_REQUIRED,
     "Name of this agent, unique within the site; part of its MQTT topics."},
    {"site", AGENT(LF_TEXT, site), LF_REQUIRED, "Name of the laboratory or building; part of MQTT topics."},
    {"state_dir", AGENT(LF_PATH, state_dir), LF_STATE_PATH, "Folder of the journal."},
    {"spool_dir", AGENT(LF_PATH, spool_dir), NULL,
     "Folder for files on their way; default: spool in state_dir."},
    {"socket", AGENT(LF_PATH, socket), LF_SOCKET_PATH,
     "Socket through which the labferry command reaches the agent."},
    {"operators", AGENT(LF_TEXT, operators), NULL,
     "Unix group whose members may give commands, besides root and the agent's own user."},
    {"log_level", AGENT(LF_CHOICE, log_level), "info", "Least severe level that is logged.",
     .choices = log_levels},
    {"log_format", AGENT(LF_CHOICE, log_format), "auto",
     "Format of the log on standard error; auto detects journald.", .choices = log_formats},
    {"first_start", AGENT(LF_CHOICE, first_start), "ignore",
     "What to do with events from before the agent's first start, and with results that lie on an instrument "
     "when it connects for the first time: leave them alone, take them like any other, or make held jobs of "
     "them that a person retries or cancels.",
     .choices = firsts},
    {"couriers", AGENT(LF_INT, couriers), "3", "How many jobs may talk to the cloud at the same time.", 1,
     32},
    {"not_after", AGENT(LF_DURATION, not_after_ms), "24h",
     "A job that has not started on its instrument within this time expires.", MINUTE, 365 * DAY},
    {"keep", AGENT(LF_DURATION, keep_ms), "30d",
     "How long finished jobs and their events stay in the journal.", HOUR, 3650 * DAY},
    {"audit_keep", AGENT(LF_DURATION, audit_keep_ms), "0",
     "How long entries stay in the audit trail, about 3 kB per job; 0 keeps them forever.", 0, 36500 * DAY},
    {"file_max", AGENT(LF_SIZE, file_max), "5GB", "Largest file to carry, in either direction.", 1, TB},
    {"disk_reserve", AGENT(LF_SIZE, disk_reserve), "200MB",
     "Space to keep free on the disks of the journal and the spool; below it the agent takes no new work.",
     MB, TB},
    {"journal_max", AGENT(LF_SIZE, journal_max), "2GB",
     "Size limit of the journal; above it the agent takes no new work until old entries have been removed.",
     MB, TB},
    {"spool_max", AGENT(LF_SIZE, spool_max), "20GB",
     "Size limit of the spool; above it no more files are fetched or collected.", MB, 1000 * TB},
    {"unused_max", REMOVED, NULL, "events that make no job get a twentieth of journal_max"},
    {"outbox_max", REMOVED, NULL, "100,000 reports wait for the broker"},
    {"log_limit", REMOVED, NULL, "the log shows 200 lines of a kind per minute and counts the rest"},
    {0},
};

const struct lf_setting config__settings_cloud[] = {
    {"tenant", CLOUD(LF_TEXT, tenant), LF_REQUIRED, "Address of your Benchling tenant."},
    {"client_id", CLOUD(LF_TEXT, client_id), NULL,
     "Client id of the Benchling app that this agent signs in as."},
    {"client_secret_file", CLOUD(LF_SECRET_FILE, client_secret_file), NULL,
     "File with the client secret of the app (mode 600), or credential:NAME for a systemd credential."},
    {"api_key_file", CLOUD(LF_SECRET_FILE, api_key_file), NULL,
     "File with an API key (mode 600), instead of client_id and client_secret_file."},
    {"ca_file", CLOUD(LF_FILE, ca_file), NULL, "Certificates to trust (PEM), instead of the system's."},
    {"proxy", CLOUD(LF_TEXT, proxy), NULL,
     "HTTP proxy; \"\" for none. When left out, the environment decides."},
    {"connect_timeout", CLOUD(LF_DURATION, connect_timeout_ms), "15s", "How long connecting may take.",
     SECOND, 10 * MINUTE},
    {"request_timeout", CLOUD(LF_DURATION, request_timeout_ms), "60s",
     "How long a request without a file may take.", SECOND, HOUR},
    {"events", CLOUD(LF_CHOICE, events), "mqtt",
     "Where events come from: the MQTT broker, polling the cloud's event list (needs no broker), or both.",
     .choices = sources},
    {"poll_interval", CLOUD(LF_DURATION, poll_interval_ms), "30s",
     "How often to poll the event list when events is \"poll\" or \"both\".", SECOND, HOUR},
    {"stall_timeout", REMOVED, NULL, "a transfer that moves no byte for a minute is retried"},
    {"connections", REMOVED, NULL, "the agent opens at most 8 connections to the cloud"},
    {0},
};

const struct lf_setting config__settings_link[] = {
    {"broker", LINK(LF_TEXT, broker), LF_REQUIRED,
     "Address of the broker: mqtts://HOST[:8883] with TLS, mqtt://HOST[:1883] without."},
    {"client_id", LINK(LF_TEXT, client_id), NULL,
     "MQTT client id, which no other client may use; default: labferry-SITE-NAME."},
    {"username", LINK(LF_TEXT, username), NULL, "User name at the broker."},
    {"password_file", LINK(LF_SECRET_FILE, password_file), NULL, "File with the password (mode 600)."},
    {"ca_file", LINK(LF_FILE, ca_file), NULL, "Certificates to trust (PEM), instead of the system's."},
    {"cert_file", LINK(LF_FILE, cert_file), NULL,
     "This agent's certificate (PEM), if the broker asks for one."},
    {"key_file", LINK(LF_SECRET_FILE, key_file), NULL, "Private key of cert_file (PEM, mode 600)."},
    {"alpn", LINK(LF_TEXT, alpn), NULL,
     "TLS application protocol (ALPN) to ask for: x-amzn-mqtt-ca for AWS IoT Core on port 443."},
    {"proxy", LINK(LF_TEXT, proxy), NULL,
     "Proxy on the way to the broker: http://HOST:PORT (with CONNECT) or socks5://HOST:PORT."},
    {"proxy_username", LINK(LF_TEXT, proxy_username), NULL, "User name at the proxy."},
    {"proxy_password_file", LINK(LF_SECRET_FILE, proxy_password_file), NULL,
     "File with the password for the proxy (mode 600)."},
    {"keepalive", LINK(LF_DURATION, keepalive_ms), "30s",
     "A broker that has been silent for this long is considered gone.", 10 * SECOND, 18 * HOUR},
    {"session_expiry", LINK(LF_DURATION, session_expiry_ms), "7d",
     "How long the broker keeps events for this agent while it is offline.", MINUTE, 365 * DAY},
    {"commands", LINK(LF_BOOL, commands), "true", "Also take commands over MQTT."},
    {"topic_prefix", LINK(LF_TEXT, topic_prefix), "labferry", "First part of all topics."},
    {"topics", LINK(LF_LIST, topics), NULL,
     "Topic filters that events arrive on; default: PREFIX/SITE/events/TYPE for each type that routes name."},
    {"receive_maximum", REMOVED, NULL, "the broker may send 200 messages ahead of their acknowledgement"},
    {"commands_max", REMOVED, NULL, "1000 MQTT commands may wait; further ones are refused"},
    {0},
};

const struct lf_setting config__settings_instrument[] = {
    {"name", INSTRUMENT(LF_TEXT, name), LF_REQUIRED, "Name of the instrument; part of MQTT topics."},
    {"driver", INSTRUMENT(LF_TEXT, driver), LF_REQUIRED, "Driver that talks to it."},
    {"expect_identity", INSTRUMENT(LF_TEXT, expect_identity), NULL,
     "Identity that the instrument must report (a serial number); no work is done with any other."},
    {"paused", INSTRUMENT(LF_BOOL, paused), "false", "Start paused, until an operator resumes it."},
    {"collect", NESTED, NULL,
     "What to do with result files: a list. The first entry that matches the file name applies."},
    {0},
};

const struct lf_setting config__settings_collect[] = {
    {"files", COLLECT(LF_TEXT, files), "*",
     "Names of the result files that this entry is for (* ? [set]); case is ignored."},
    {"match", COLLECT(LF_LIST, match), LF_REQUIRED,
     "How to find the run, tried in order: \"filename:REGEX\" and \"content:REGEX\" with a group (?<run>...), "
     "\"last-job\" (the only run whose file the instrument received and that has no result yet; held if there "
     "are several), \"sidecar\" (a file beside the result that names it)."},
    {"config", COLLECT(LF_TEXT, config), NULL,
     "Name of the run's output file configuration; may be left out if a regex has a group (?<config>...) or a "
     "sidecar names it."},
    {"process", COLLECT(LF_BOOL, process), "true",
     "Have Benchling process the file, and wait for the outcome."},
    {"complete_with_errors", COLLECT(LF_BOOL, complete_with_errors), "false",
     "Accept the good rows even if others fail."},
    {"type", COLLECT(LF_TEXT, type), "RAW_FILE", "Type of the file in Benchling.", .choices = blob_types},
    {"folder_id", COLLECT(LF_TEXT, folder_id), NULL,
     "Folder for what processing creates (newer tenants only)."},
    {"location_id", COLLECT(LF_TEXT, location_id), NULL,
     "Location for what processing creates (newer tenants only)."},
    {"timezone", COLLECT(LF_TEXT, timezone), NULL, "Time zone of times in the file (newer tenants only)."},
    {0},
};

const struct lf_setting config__settings_route[] = {
    {"name", ROUTE(LF_TEXT, name), LF_REQUIRED, "Name of the route, for logs and commands."},
    {"on", ROUTE(LF_LIST, on), LF_REQUIRED,
     "Event or list of events; a name without a version means v2, v2-beta and v2-alpha."},
    {"where", NESTED, NULL,
     "EventBridge pattern over the event's detail; left out: every such event. Every route that matches makes its "
     "job; of two task jobs for one workflow task only the first works, and the other is cancelled."},
    {"pattern_file", ROUTE(LF_FILE, pattern_file), NULL,
     "File with an EventBridge pattern (JSON) over the complete event, instead of where."},
    {"job", ROUTE(LF_TEXT, job), LF_REQUIRED,
     "deliver: bring the generated file to the instrument; task: have it work on a workflow task; procedure: "
     "have it run a procedure; collect: follow a result that someone uploaded by hand."},
    {"instrument", ROUTE(LF_TEXT, instrument), NULL, "Instrument to work with; optional for collect only."},
    {"not_after", ROUTE(LF_DURATION, not_after_ms), NULL,
     "A job that has not started on its instrument within this time expires; default: the agent's.", MINUTE,
     365 * DAY},
    {"procedure", ROUTE(LF_TEXT, procedure), NULL,
     "task, procedure: procedure of the instrument's profile to run."},
    {"inputs", NESTED, NULL,
     "Inputs of the procedure. task: { its input = \"field of the task\"; }; procedure: { its input = \"path in "
     "the event's resource\"; }."},
    {"outputs", NESTED, NULL,
     "task: the output field for each value: { its value = \"field of the output\"; }; default: the field of "
     "the same name."},
    {"only_agent", ROUTE(LF_BOOL, only_agent), "false",
     "task: no other agent of the tenant takes these tasks. Otherwise \"where\" must select those of this agent, by "
     "a field, the assignee, or the name or id of the status: two agents that see one task would both do it."},
    {"claim_status", ROUTE(LF_TEXT, claim_status), "IN_PROGRESS",
     "task: status to set at the start, by its name or type."},
    {"done_status", ROUTE(LF_TEXT, done_status), "COMPLETED", "task: status to set after success."},
    {"failed_status", ROUTE(LF_TEXT, failed_status), "FAILED", "task: status to set after failure."},
    {"report", ROUTE(LF_CHOICE, report), "output",
     "task: where the values go. output: a workflow output; file: a CSV file for a run, through the "
     "instrument's collect.",
     .choices = reports},
    {"start", ROUTE(LF_CHOICE, start), "auto",
     "task: when it begins on its instrument. at-once: nobody has to change a sample for it; sign: once the "
     "procedure's sign shows that the sample was changed (the load was removed, a key was pressed); operator: once "
     "`labferry start` is given; auto: sign where the procedure has one, else at-once.",
     .choices = starts},
    {"run_field", ROUTE(LF_TEXT, run_field), NULL,
     "task: with report = \"file\", the field of the task that holds the id of the run."},
    {0},
};
