/* Names here are what users write and what messages say: changing one breaks configurations in the field. A
 * row whose name ends in _file names a file that must be there and readable.
 */
#include "config/settings.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MB INT64_C(1000000)
#define TB INT64_C(1000000000000)

static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const log_formats[] = {"auto", "text", "journald", "json", NULL};
static const char *const sources[] = {"mqtt", "poll", "both", NULL};
static const char *const jobs[] = {"deliver", "collect", "task", NULL};
static const char *const reports[] = {"output", "file", NULL};
static const char *const blob_types[] = {"RAW_FILE", "VISUALIZATION", NULL};

const struct lf_setting lf_settings_file[] = {
    {.name = "agent", .type = LF_NESTED, .help = "This agent: who it is and where it keeps its things."},
    {.name = "cloud", .type = LF_NESTED, .help = "The Benchling tenant and how to sign in to it."},
    {.name = "link", .type = LF_NESTED, .help = "The MQTT broker from which events and commands come."},
    {.name = "instruments", .type = LF_NESTED,
     .help = "The instruments; settings beside these are those of the driver (labferry drivers NAME)."},
    {.name = "routes", .type = LF_NESTED, .help = "Which event makes which job for which instrument."},
    {0},
};

const struct lf_setting lf_settings_agent[] = {
    {.name = "name", .type = LF_TEXT, .fallback = LF_REQUIRED,
     .help = "Name of this agent, unique within the site; becomes part of MQTT topics."},
    {.name = "site", .type = LF_TEXT, .fallback = LF_REQUIRED,
     .help = "Name of the laboratory or building; becomes part of MQTT topics."},
    {.name = "state_dir", .type = LF_PATH, .fallback = "/var/lib/labferry",
     .help = "Folder of the journal, in which everything promised is written down."},
    {.name = "spool_dir", .type = LF_PATH,
     .help = "Folder for files on their way; default is spool in state_dir."},
    {.name = "socket", .type = LF_PATH, .fallback = "/run/labferry/control.sock",
     .help = "Socket over which the labferry command speaks to the agent."},
    {.name = "operators", .type = LF_TEXT,
     .help = "Unix group whose members may give commands, beside root and the agent's own user."},
    {.name = "log_level", .type = LF_CHOICE, .fallback = "info", .choices = log_levels,
     .help = "What is worth a log line."},
    {.name = "log_format", .type = LF_CHOICE, .fallback = "auto", .choices = log_formats,
     .help = "Form of the log on standard error; auto finds out whether it goes to journald."},
    {.name = "couriers", .type = LF_INT, .fallback = "3", .min = 1, .max = 32,
     .help = "How many jobs may speak to the cloud at the same time."},
    {.name = "not_after", .type = LF_DURATION, .fallback = "24h", .min = MINUTE, .max = 365 * DAY,
     .help = "A job that could not start on its instrument within this time expires."},
    {.name = "keep", .type = LF_DURATION, .fallback = "30d", .min = HOUR, .max = 3650 * DAY,
     .help = "How long finished jobs and their events stay in the journal."},
    {.name = "audit_keep", .type = LF_DURATION, .fallback = "0", .min = 0, .max = 36500 * DAY,
     .help = "How long entries stay in the audit trail, about 3 kB a job; 0 is for ever."},
    {.name = "file_max", .type = LF_SIZE, .fallback = "5GB", .min = 1, .max = TB,
     .help = "Largest file that is carried, in either direction."},
    {.name = "disk_reserve", .type = LF_SIZE, .fallback = "200MB", .min = MB, .max = TB,
     .help = "Room that must stay free on the disks of journal and spool; below it no new work is taken in."},
    {.name = "journal_max", .type = LF_SIZE, .fallback = "2GB", .min = MB, .max = TB,
     .help = "What the journal may grow to; beyond it no new work is taken in until old entries have left it."},
    {.name = "unused_max", .type = LF_SIZE, .fallback = "100MB", .min = MB, .max = TB,
     .help = "Room in the journal for events that make no job, bad ones included; beyond it the oldest of them leave early."},
    {.name = "outbox_max", .type = LF_INT, .fallback = "100000", .min = 100, .max = 100000000,
     .help = "How many reports may wait for the broker; beyond it the oldest job reports are dropped."},
    {.name = "spool_max", .type = LF_SIZE, .fallback = "20GB", .min = MB, .max = 1000 * TB,
     .help = "What the spool may hold; beyond it no further file is fetched or collected."},
    {.name = "log_limit", .type = LF_INT, .fallback = "200", .min = 0, .max = 1000000,
     .help = "How many lines of one kind are logged in a minute, debug lines aside; the rest is counted. 0 is no limit."},
    {0},
};

const struct lf_setting lf_settings_cloud[] = {
    {.name = "tenant", .type = LF_TEXT, .fallback = LF_REQUIRED, .help = "Address of your Benchling tenant."},
    {.name = "client_id", .type = LF_TEXT,
     .help = "Client id of the Benchling app that this agent signs in as."},
    {.name = "client_secret_file", .type = LF_SECRET_FILE,
     .help = "File with the client secret of the app (mode 600), or credential:NAME for a systemd "
             "credential."},
    {.name = "api_key_file", .type = LF_SECRET_FILE,
     .help = "File with an API key (mode 600); instead of client_id and client_secret_file."},
    {.name = "ca_file", .type = LF_PATH, .help = "Certificates to trust (PEM), instead of the system's own."},
    {.name = "proxy", .type = LF_TEXT,
     .help = "HTTP proxy; \"\" for none, left out for what the environment says."},
    {.name = "connect_timeout", .type = LF_DURATION, .fallback = "15s", .min = SECOND, .max = 10 * MINUTE,
     .help = "How long connecting may take."},
    {.name = "request_timeout", .type = LF_DURATION, .fallback = "60s", .min = SECOND, .max = HOUR,
     .help = "How long a request without a file may take."},
    {.name = "stall_timeout", .type = LF_DURATION, .fallback = "60s", .min = SECOND, .max = HOUR,
     .help = "A transfer that moves no byte for this long is given up and tried again."},
    {.name = "connections", .type = LF_INT, .fallback = "8", .min = 1, .max = 64,
     .help = "Connections to the cloud at the same time."},
    {.name = "events", .type = LF_CHOICE, .fallback = "mqtt", .choices = sources,
     .help = "Where events come from: the MQTT broker, asking the cloud's event list (no broker needed), "
             "or both."},
    {.name = "poll_interval", .type = LF_DURATION, .fallback = "30s", .min = SECOND, .max = HOUR,
     .help = "How often the cloud is asked for new events when events is \"poll\" or \"both\"."},
    {0},
};

const struct lf_setting lf_settings_link[] = {
    {.name = "broker", .type = LF_TEXT, .fallback = LF_REQUIRED,
     .help = "Address of the broker: mqtts://HOST[:8883] with TLS, mqtt://HOST[:1883] without."},
    {.name = "client_id", .type = LF_TEXT,
     .help = "MQTT client id, which must be this agent's alone; default is labferry-SITE-NAME."},
    {.name = "username", .type = LF_TEXT, .help = "User name at the broker."},
    {.name = "password_file", .type = LF_SECRET_FILE, .help = "File with the password (mode 600)."},
    {.name = "ca_file", .type = LF_PATH, .help = "Certificates to trust (PEM), instead of the system's own."},
    {.name = "cert_file", .type = LF_PATH,
     .help = "This agent's certificate (PEM), if the broker asks for one."},
    {.name = "key_file", .type = LF_SECRET_FILE, .help = "Private key of cert_file (PEM, mode 600)."},
    {.name = "keepalive", .type = LF_DURATION, .fallback = "30s", .min = 10 * SECOND, .max = 18 * HOUR,
     .help = "A broker that has been silent for this long is taken for gone."},
    {.name = "session_expiry", .type = LF_DURATION, .fallback = "7d", .min = MINUTE, .max = 365 * DAY,
     .help = "How long the broker keeps events for this agent while it is away."},
    {.name = "receive_maximum", .type = LF_INT, .fallback = "200", .min = 1, .max = 65535,
     .help = "Events that the broker may send ahead of their acknowledgement; they are committed together."},
    {.name = "commands_max", .type = LF_INT, .fallback = "1000", .min = 1, .max = 1000000,
     .help = "How many MQTT commands may wait to be done; more are refused."},
    {.name = "commands", .type = LF_BOOL, .fallback = "true", .help = "Take commands over MQTT too."},
    {.name = "topic_prefix", .type = LF_TEXT, .fallback = "labferry", .help = "First part of all topics."},
    {.name = "topics", .type = LF_LIST,
     .help = "Topic filters on which events arrive; default is PREFIX/SITE/events/TYPE for each type that "
             "routes name."},
    {0},
};

const struct lf_setting lf_settings_instrument[] = {
    {.name = "name", .type = LF_TEXT, .fallback = LF_REQUIRED,
     .help = "Name of the instrument; becomes part of MQTT topics."},
    {.name = "driver", .type = LF_TEXT, .fallback = LF_REQUIRED, .help = "Which driver speaks to it."},
    {.name = "expect_identity", .type = LF_TEXT,
     .help = "What the instrument must say it is (a serial number); no work is done with another one."},
    {.name = "paused", .type = LF_BOOL, .fallback = "false",
     .help = "Start paused, until someone says resume."},
    {.name = "collect", .type = LF_NESTED,
     .help = "What to do with result files: a list, of which the first entry that fits the file's name "
             "counts."},
    {0},
};

const struct lf_setting lf_settings_collect[] = {
    {.name = "files", .type = LF_TEXT, .fallback = "*", .help = "Which results, by name (* ? [set])."},
    {.name = "match", .type = LF_LIST, .fallback = LF_REQUIRED,
     .help = "How the run is found, tried in order: \"filename:REGEX\" and \"content:REGEX\" with a group "
             "(?<run>...), \"last-job\" (the run whose file the instrument received last), \"sidecar\" (a "
             "file beside it that says)."},
    {.name = "config", .type = LF_TEXT,
     .help = "Name of the output file configuration of the run; may be left out if a regex has a group "
             "(?<config>...) or a sidecar tells it."},
    {.name = "process", .type = LF_BOOL, .fallback = "true",
     .help = "Let Benchling process the file and wait for the outcome."},
    {.name = "complete_with_errors", .type = LF_BOOL, .fallback = "false",
     .help = "Take the good rows even if others fail."},
    {.name = "type", .type = LF_CHOICE, .fallback = "RAW_FILE", .choices = blob_types,
     .help = "Kind of file for Benchling."},
    {.name = "folder_id", .type = LF_TEXT,
     .help = "Folder for what processing creates (newer tenants only)."},
    {.name = "location_id", .type = LF_TEXT,
     .help = "Location for what processing creates (newer tenants only)."},
    {.name = "timezone", .type = LF_TEXT, .help = "Time zone of times in the file (newer tenants only)."},
    {0},
};

const struct lf_setting lf_settings_route[] = {
    {.name = "name", .type = LF_TEXT, .fallback = LF_REQUIRED,
     .help = "Name of the route, for logs and commands."},
    {.name = "on", .type = LF_LIST, .fallback = LF_REQUIRED,
     .help = "Event, or list of events; without a version in front it means v2, v2-beta and v2-alpha."},
    {.name = "where", .type = LF_NESTED,
     .help = "EventBridge pattern over the event's detail; left out: every such event."},
    {.name = "pattern_file", .type = LF_PATH,
     .help = "File with an EventBridge pattern (JSON) over the whole event; instead of where."},
    {.name = "job", .type = LF_CHOICE, .fallback = LF_REQUIRED, .choices = jobs,
     .help = "deliver: bring the generated file to the instrument; task: let it work on a workflow task; "
             "collect: see a result through that someone uploaded by hand."},
    {.name = "instrument", .type = LF_TEXT, .help = "For which instrument; only collect does without."},
    {.name = "not_after", .type = LF_DURATION, .min = MINUTE, .max = 365 * DAY,
     .help = "A job that could not start on its instrument within this time expires; default is the "
             "agent's."},
    {.name = "procedure", .type = LF_TEXT,
     .help = "task: what the instrument shall do; a procedure of its profile."},
    {.name = "inputs", .type = LF_NESTED,
     .help = "task: what the procedure is told: { its input = \"field of the task\"; }."},
    {.name = "outputs", .type = LF_NESTED,
     .help = "task: where its values go: { its value = \"field of the output\"; }; default is each value's "
             "own name."},
    {.name = "claim_status", .type = LF_TEXT, .fallback = "IN_PROGRESS",
     .help = "task: status set at the beginning, by its name or type."},
    {.name = "done_status", .type = LF_TEXT, .fallback = "COMPLETED",
     .help = "task: status set after success."},
    {.name = "failed_status", .type = LF_TEXT, .fallback = "FAILED",
     .help = "task: status set after failure."},
    {.name = "report", .type = LF_CHOICE, .fallback = "output", .choices = reports,
     .help = "task: what becomes of the values: output: a workflow output; file: a CSV file for a run, by "
             "collect."},
    {.name = "run_field", .type = LF_TEXT,
     .help = "task: with report = \"file\", the field of the task that holds the id of the run."},
    {0},
};
