// What a good configuration becomes.
#include "config_case.h"

#include <stdlib.h>
#include <string.h>

static void plain_fields_are_filled(void)
{
    struct lf_config *config = case_load(
        "agent = { name = \"bench-3\"; site = \"boston\"; couriers = 5; not_after = \"2h\"; file_max = "
        "\"1GiB\";\n"
        "  log_level = \"debug\"; log_format = \"json\"; keep = \"7d\"; operators = \"lab\"; disk_reserve = "
        "5000000; };\n"
        "cloud = { tenant = \"https://acme.benchling.com/\"; client_id = \"app\"; client_secret_file = "
        "\"secret\";\n"
        "  proxy = \"\"; events = \"both\"; poll_interval = \"5s\"; request_timeout = "
        "\"10s\"; };\n"
        "link = { broker = \"mqtts://broker.example:8884\"; keepalive = \"45s\"; session_expiry = \"1d\";\n"
        "  commands = false; client_id = \"me\"; username = \"u\"; };\n" INSTRUMENTS ROUTES);
    CHECK_STR(config->agent.name, "bench-3");
    CHECK_STR(config->agent.site, "boston");
    CHECK_INT(config->agent.couriers, 5);
    CHECK_INT(config->agent.not_after_ms, 2 * 3600 * 1000);
    CHECK_INT(config->agent.keep_ms, INT64_C(7) * 24 * 3600 * 1000);
    CHECK_INT(config->agent.file_max, 1024 * 1024 * 1024);
    CHECK_INT(config->agent.disk_reserve, 5000000);
    CHECK_INT(config->agent.log_level, LF_LOG_DEBUG);
    CHECK_INT(config->agent.log_format, LF_LOG_JSON);
    CHECK_STR(config->agent.operators, "lab");
    CHECK_STR(config->cloud.tenant, "https://acme.benchling.com");
    CHECK_STR(config->cloud.client_id, "app");
    CHECK_STR(config->cloud.proxy, "");
    CHECK_INT(config->cloud.events, LF_SOURCE_BOTH);
    CHECK_INT(config->cloud.poll_interval_ms, 5000);
    CHECK_INT(config->cloud.request_timeout_ms, 10000);
    CHECK(config->link.used);
    CHECK(config->link.tls);
    CHECK_STR(config->link.host, "broker.example");
    CHECK_INT(config->link.port, 8884);
    CHECK_INT(config->link.keepalive_ms, 45000);
    CHECK_INT(config->link.session_expiry_ms, 86400000);
    CHECK(!config->link.commands);
    CHECK_STR(config->link.client_id, "me");
    CHECK_STR(config->link.username, "u");
    lf_config_free(config);
}

static void left_out_has_defaults(void)
{
    struct lf_config *config = case_load(GOOD);
    CHECK_STR(config->agent.state_dir, "/var/lib/labferry");
    CHECK_STR(config->agent.spool_dir, "/var/lib/labferry/spool");
    CHECK_STR(config->agent.socket, "/run/labferry/control.sock");
    CHECK_INT(config->agent.couriers, 3);
    CHECK_INT(config->agent.not_after_ms, 24 * 3600 * 1000);
    CHECK_INT(config->agent.log_level, LF_LOG_INFO);
    CHECK_INT(config->agent.log_format, LF_LOG_AUTO);
    CHECK_STR(config->agent.operators, NULL);
    CHECK_STR(config->cloud.proxy, NULL);
    CHECK_STR(config->cloud.api_key_file, NULL);
    CHECK_INT(config->cloud.events, LF_SOURCE_MQTT);
    CHECK_INT(config->link.port, 8883);
    CHECK(config->link.commands);
    CHECK_STR(config->link.client_id, "labferry-boston-bench-3");
    CHECK_STR(config->link.base, "labferry/boston/agents/bench-3");
    CHECK_INT(config->routes[0].not_after_ms, 24 * 3600 * 1000);
    CHECK(config->routes[0].pattern == NULL);
    CHECK_STR(config->routes[1].claim_status, "IN_PROGRESS");
    CHECK_STR(config->routes[1].done_status, "COMPLETED");
    CHECK_STR(config->routes[1].failed_status, "FAILED");
    CHECK_INT(config->routes[1].report, LF_REPORT_OUTPUT);
    CHECK_INT(case_report.count, 0);
    lf_config_free(config);
}

static void instruments_have_driver_settings(void)
{
    struct lf_config *config = case_load(HEAD "instruments = (\n"
                                              "  { name = \"balance-1\"; driver = \"line\"; port = "
                                              "\"/dev/a\"; baud = 19200; expect_identity = \"123\";\n"
                                              "    paused = true; },\n" HANDLER ");\n");
    CHECK_INT(config->instrument_count, 2);
    const struct lf_config_instrument *balance = lf_config_instrument(config, "balance-1");
    NEED(balance == &config->instruments[0]);
    CHECK_STR(balance->driver, "line");
    CHECK_STR(balance->expect_identity, "123");
    CHECK(balance->paused);
    struct case_options options = {0};
    lf_values_fill(balance->settings, &options);
    CHECK_STR(options.port, "/dev/a");
    CHECK_INT(options.baud, 19200);
    CHECK_HAS(balance->at, "labferry.conf:5");
    lf_values_fill(config->instruments[1].settings, &options);
    CHECK_INT(options.keep, 24 * 3600 * 1000);
    CHECK(!config->instruments[1].paused);
    CHECK(lf_config_instrument(config, "nobody") == NULL);
    lf_config_free(config);
}

static void collect_rules_are_kept_in_order(void)
{
    struct lf_config *config = case_load(
        HEAD "instruments = ( { name = \"reader\"; driver = \"folder\"; inbox = \"/a\"; collect = (\n"
             " { files = \"*.csv\"; match = [ \"filename:(?<run>x)\", \"last-job\" ]; config = \"Plate\";\n"
             "   complete_with_errors = true; folder_id = \"lib_1\"; timezone = \"UTC\"; },\n"
             " { match = \"sidecar\"; process = false; type = \"VISUALIZATION\"; } ); } );\n");
    const struct lf_config_instrument *reader = &config->instruments[0];
    NEED(reader->collect_count == 2);
    CHECK_STR(reader->collect[0].files, "*.csv");
    CHECK_INT(reader->collect[0].match.count, 2);
    CHECK_STR(reader->collect[0].match.items[0], "filename:(?<run>x)");
    CHECK_STR(reader->collect[0].match.items[1], "last-job");
    CHECK_STR(reader->collect[0].config, "Plate");
    CHECK(reader->collect[0].process);
    CHECK(reader->collect[0].complete_with_errors);
    CHECK_STR(reader->collect[0].type, "RAW_FILE");
    CHECK_STR(reader->collect[0].folder_id, "lib_1");
    CHECK_STR(reader->collect[0].location_id, NULL);
    CHECK_STR(reader->collect[0].timezone, "UTC");
    CHECK_STR(reader->collect[1].files, "*");
    CHECK_STR(reader->collect[1].config, NULL);
    CHECK(!reader->collect[1].process);
    CHECK_STR(reader->collect[1].type, "VISUALIZATION");
    lf_config_free(config);
}

static void one_collect_rule_needs_no_list(void)
{
    struct lf_config *config = case_load(
        HEAD "instruments = ( { name = \"reader\"; driver = \"folder\"; inbox = \"/a\"; "
             "collect = { match = \"last-job\"; config = \"Plate\"; }; } );\n");
    NEED(config->instruments[0].collect_count == 1);
    CHECK_STR(config->instruments[0].collect[0].config, "Plate");
    lf_config_free(config);
}

static void check_pattern(const struct lf_config_route *route, const char *expected)
{
    char *text = route->pattern ? cJSON_PrintUnformatted(route->pattern) : NULL;
    CHECK_STR(text, expected);
    free(text);
}

static void where_becomes_a_pattern(void)
{
    struct lf_config *config = case_load(
        HEAD INSTRUMENTS
        "routes = ( { name = \"w\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; procedure = \"weigh\";\n"
        "instrument = \"balance-1\"; not_after = \"5m\"; where = {\n"
        "  workflowTask = { n = ( { numeric = ( \">\", 5, \"<=\", 7.5 ); } ); s = [ \"a\", \"b\" ];\n"
        "    anything-but = 123456789012L; ok = true; none = ( ); }; }; } );\n");
    check_pattern(
        &config->routes[0],
        "{\"detail\":{\"workflowTask\":{\"n\":[{\"numeric\":[\">\",5,\"<=\",7.5]}],\"s\":[\"a\",\"b\"],"
        "\"anything-but\":123456789012,\"ok\":true,\"none\":[]}}}");
    CHECK_INT(config->routes[0].not_after_ms, 300000);
    CHECK(lf_config_route(config, "w") == &config->routes[0]);
    CHECK(lf_config_route(config, "x") == NULL);
    lf_config_free(config);
}

static void pattern_file_is_taken_as_it_is(void)
{
    case_file("p.json",
              "{\"detail-type\": [{\"prefix\": \"v2.\"}], \"$or\": [{\"a\": [null]}, {\"b\": [1]}]}", 0644);
    struct lf_config *config = case_load(
        HEAD INSTRUMENTS
        "routes = ( { name = \"w\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; "
        "procedure = \"weigh\"; instrument = \"balance-1\"; pattern_file = \"p.json\"; } );\n");
    check_pattern(&config->routes[0],
                  "{\"detail-type\":[{\"prefix\":\"v2.\"}],\"$or\":[{\"a\":[null]},{\"b\":[1]}]}");
    lf_config_free(config);
}

static void task_maps_are_read(void)
{
    struct lf_config *config = case_load(
        HEAD
        "instruments = ( { name = \"b\"; driver = \"line\"; port = \"/dev/a\"; collect = { match = "
        "\"last-job\"; "
        "config = \"C\"; }; } );\n"
        "routes = ( { name = \"w\"; on = [ \"workflowTask.created\", \"workflowTask.updated.status\" ];\n"
        "  job = \"task\"; only_agent = true; procedure = \"weigh\"; instrument = \"b\"; inputs = { target = \"Target Mass\"; "
        "};\n"
        "  outputs = { weight = \"Mass (g)\"; unit = \"Unit\"; }; claim_status = \"Running\"; },\n"
        "  { name = \"f\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; procedure = \"silent\"; instrument = "
        "\"b\";\n"
        "  report = \"file\"; run_field = \"Run\"; } );\n");
    const struct lf_config_route *route = &config->routes[0];
    CHECK_STR(route->kind->name, "task");
    CHECK_INT(route->on.count, 2);
    CHECK_STR(route->on.items[1], "workflowTask.updated.status");
    NEED(route->input_count == 1 && route->output_count == 2);
    CHECK_STR(route->inputs[0].name, "target");
    CHECK_STR(route->inputs[0].field, "Target Mass");
    CHECK_STR(route->outputs[1].name, "unit");
    CHECK_STR(route->outputs[0].field, "Mass (g)");
    CHECK_STR(route->claim_status, "Running");
    CHECK_INT(route->report, LF_REPORT_OUTPUT);
    CHECK_INT(config->routes[1].report, LF_REPORT_FILE);
    CHECK_STR(config->routes[1].run_field, "Run");
    lf_config_free(config);
}

static void topics_follow_from_routes(void)
{
    struct lf_config *config = case_load(GOOD);
    CHECK_INT(config->event_types.count, 4);
    NEED(config->link.topics.count == 4);
    CHECK_STR(config->event_types.items[0], "v2.automationInputGenerator.completed");
    CHECK_STR(config->link.topics.items[0], "labferry/boston/events/v2.automationInputGenerator.completed");
    CHECK_STR(config->link.topics.items[3], "labferry/boston/events/v2-beta.workflowTask.updated.status");
    lf_config_free(config);
}

static void topics_are_named_once(void)
{
    struct lf_config *config = case_load(
        HEAD INSTRUMENTS
        "routes = ( " TASK
        ", { name = \"again\"; on = \"workflowTask.updated.status\"; job = \"task\"; only_agent = true; "
        "instrument = \"balance-1\"; procedure = \"weigh\"; } );\n");
    CHECK_INT(config->link.topics.count, 2);
    lf_config_free(config);
}

static void collecting_listens_for_processing(void)
{
    struct lf_config *config = case_load(
        HEAD "instruments = ( { name = \"r\"; driver = \"folder\"; inbox = \"/a\"; "
             "collect = { match = \"last-job\"; config = \"Plate\"; }; } );\n");
    NEED(config->event_types.count == 2);
    CHECK_STR(config->event_types.items[0], "v2.automationOutputProcessor.completed");
    lf_config_free(config);
}

static void topics_and_prefix_can_be_given(void)
{
    struct lf_config *config = case_load(
        AGENT CLOUD "link = { broker = \"mqtts://b\"; topic_prefix = \"acme/lab\"; topics "
                    "= [ \"events/#\", \"x/+/y\" ]; };\n" INSTRUMENTS ROUTES);
    CHECK_INT(config->link.topics.count, 2);
    CHECK_STR(config->link.topics.items[1], "x/+/y");
    CHECK_STR(config->link.base, "acme/lab/boston/agents/bench-3");
    lf_config_free(config);
}

static void polling_needs_no_broker(void)
{
    struct lf_config *config = case_load(
        AGENT
        "cloud = { tenant = \"https://a\"; api_key_file = \"secret\"; events = \"poll\"; };\n" INSTRUMENTS
            ROUTES);
    CHECK(!config->link.used);
    CHECK_INT(config->link.topics.count, 0);
    CHECK_INT(config->event_types.count, 4);
    lf_config_free(config);
}

static void polling_with_a_link_subscribes_to_no_events(void)
{
    struct lf_config *config = case_load(
        AGENT "cloud = { tenant = \"https://a\"; api_key_file = \"secret\"; events = \"poll\"; };\n" LINK
            INSTRUMENTS ROUTES);
    CHECK(config->link.used);
    CHECK_INT(config->link.topics.count, 0);
    lf_config_free(config);
}

static void rehearsal_on_loopback_needs_no_tls(void)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1:8080", "[::1]:8080"};
    for (size_t i = 0; i < 3; i++) {
        char text[1000];
        snprintf(text, sizeof text,
                 AGENT "cloud = { tenant = \"http://%s\"; api_key_file = \"secret\"; };\n"
                       "link = { broker = \"mqtt://%s\"; };\n" INSTRUMENTS,
                 hosts[i], hosts[i]);
        struct lf_config *config = case_load(text);
        CHECK(!config->link.tls);
        CHECK_INT(config->link.port, i == 0 ? 1883 : 8080);
        CHECK_INT(case_report.count, 0);
        lf_config_free(config);
    }
}

static void plain_broker_elsewhere_is_warned_of(void)
{
    struct lf_config *config = case_load(AGENT CLOUD
                                         "link = { broker = \"mqtt://broker.example\"; };\n" INSTRUMENTS);
    NEED(case_report.count == 1);
    CHECK_INT(case_report.errors, 0);
    CHECK_INT(case_report.problems[0].severity, LF_CONFIG_WARNING);
    CHECK_INT(case_report.problems[0].line, 3);
    CHECK_HAS(case_report.problems[0].text, "mqtts://");
    lf_config_free(config);
}

static void second_job_for_one_task_is_warned_of(void)
{
#define TASK_ON(event, name, where, instrument, procedure)                                                   \
    "{ name = \"" name "\"; on = \"" event "\"; job = \"task\"; only_agent = true; procedure = \"" procedure \
    "\"; " where " instrument = \"" instrument "\"; }"
#define TASK_RUNS(name, where, instrument, procedure)                                                        \
    TASK_ON("workflowTask.created", name, where, instrument, procedure)
#define TASK_ROUTE(name, where, instrument) TASK_RUNS(name, where, instrument, "weigh")
#define WEIGHING "where = { workflowTask = { schema = { name = [ \"Weighing\" ]; }; }; };"
    static const struct {
        const char *one, *other;
        size_t warnings;
    } cases[] = {
        {TASK_ROUTE("w1", WEIGHING, "b1"), TASK_ROUTE("w2", WEIGHING, "b2"), 1},
        {TASK_ROUTE("w1", "", "b1"), TASK_ROUTE("w2", "", "b2"), 1},
        {TASK_RUNS("w1", WEIGHING, "b1", "weigh"), TASK_RUNS("w2", WEIGHING, "b1", "tare"), 1},
        {TASK_ROUTE("w1", WEIGHING, "b1"), TASK_ROUTE("w2", WEIGHING, "b1"), 0},
        {TASK_ROUTE("w1", WEIGHING, "b1"), TASK_ROUTE("w2", "", "b2"), 0},
        {TASK_ROUTE("w1", "", "b1"), TASK_ON("workflowTask.updated.status", "w2", "", "b2", "weigh"), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[4000];
        snprintf(text, sizeof text,
                 HEAD "instruments = ( { name = \"b1\"; driver = \"line\"; port = \"/dev/a\"; },\n"
                      "{ name = \"b2\"; driver = \"line\"; port = \"/dev/b\"; } );\nroutes = ( %s,\n%s );\n",
                 cases[i].one, cases[i].other);
        struct lf_config *config = case_load(text);
        CHECK_INT(case_report.count, cases[i].warnings);
        for (size_t k = 0; k < case_report.count; k++) {
            CHECK_INT(case_report.problems[k].line, 7);
            CHECK_HAS(case_report.problems[k].text,
                      "route \"w2\" matches the same tasks as route \"w1\": only the job of \"w1\" will work "
                      "on each task; that of \"w2\" will be cancelled");
        }
        lf_config_free(config);
    }
}

UNIT_TESTS("config",
           {"every setting of agent, cloud and link arrives in the unit of its member",
            plain_fields_are_filled},
           {"a setting that is left out has the documented default", left_out_has_defaults},
           {"an instrument has its common settings and its driver's", instruments_have_driver_settings},
           {"collect rules keep their order, and run, config and options", collect_rules_are_kept_in_order},
           {"a single collect rule needs no list", one_collect_rule_needs_no_list},
           {"where, in any form, becomes an EventBridge pattern over the detail", where_becomes_a_pattern},
           {"a pattern file is used as it is", pattern_file_is_taken_as_it_is},
           {"a task route has its maps, statuses and report", task_maps_are_read},
           {"the agent subscribes only to events that routes name", topics_follow_from_routes},
           {"two routes on one event subscribe once", topics_are_named_once},
           {"collecting with processing subscribes to its completion", collecting_listens_for_processing},
           {"topics and prefix can be given", topics_and_prefix_can_be_given},
           {"polling needs no broker and knows its event types", polling_needs_no_broker},
           {"polling with a link subscribes to no events", polling_with_a_link_subscribes_to_no_events},
           {"a rehearsal on this machine needs no TLS", rehearsal_on_loopback_needs_no_tls},
           {"a broker on another machine without TLS causes a warning with its line",
            plain_broker_elsewhere_is_warned_of},
           {"two task routes with equal patterns cause a warning: only the first will work",
            second_job_for_one_task_is_warned_of}, )
