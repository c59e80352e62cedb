// One mistake each: the report names the line, what is wrong, and what to do.
#include "config_case.h"

#include <stdio.h>
#include <string.h>

#define INSTRUMENT(more)                                                                                     \
    "instruments = ( { name = \"a\"; driver = \"line\"; port = \"/dev/a\"; " more " } );\n"
#define ROUTE(more)                                                                                                        \
    "routes = ( { name = \"r\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; procedure = \"weigh\"; " \
    "instrument = \"balance-1\"; " more " } );\n"
#define READER(collect)                                                                                      \
    "instruments = ( { name = \"r\"; driver = \"folder\"; inbox = \"/a\";\n  collect = " collect "; } );\n"

// ---- what can be wrong anywhere ----

static void unknown_key(void)
{
    MISTAKE("agent = { name = \"a\"; site = \"b\";\n courriers = 3; };\n" CLOUD LINK INSTRUMENTS, 2,
            "agent|\"courriers\"|did you mean \"couriers\"");
    MISTAKE(AGENT CLOUD "link = { broker_url = \"mqtts://b\"; broker = \"mqtts://b\"; };\n" INSTRUMENTS, 3,
            "link|unknown setting \"broker_url\"|did you mean \"broker\"");
    MISTAKE(HEAD INSTRUMENT("buad = 9600;"), 4, "instrument \"a\"|\"buad\"|\"baud\"");
    MISTAKE(HEAD INSTRUMENT("expect_idenity = \"x\";"), 4, "\"expect_identity\"");
    MISTAKE(HEAD INSTRUMENTS ROUTE("wehre = { };"), 5, "route \"r\"|\"wehre\"|\"where\"");
    MISTAKE(HEAD READER("( { match = \"last-job\"; config = \"c\"; proces = true; } )"), 5,
            "collect 1|\"proces\"|\"process\"");
    MISTAKE(HEAD INSTRUMENT("zzzzzzzz = 1;"), 4, "unknown setting \"zzzzzzzz\"|remove it");
}

static void unknown_group(void)
{
    MISTAKE(HEAD INSTRUMENTS "\nroute = ( );\n", 6, "\"route\"|did you mean \"routes\"");
}

static void wrong_type(void)
{
    MISTAKE("agent = { name = 5; site = \"b\"; };\n" CLOUD LINK INSTRUMENTS, 1,
            "\"name\" must be a text in quotes, not a whole number");
    MISTAKE("agent = { name = \"a\"; site = \"b\"; couriers = \"3\"; };\n" CLOUD LINK INSTRUMENTS, 1,
            "\"couriers\"|whole number without quotes|not a text");
    MISTAKE("agent = { name = \"a\"; site = \"b\"; couriers = 2.5; };\n" CLOUD LINK INSTRUMENTS, 1,
            "whole number");
    MISTAKE("agent = { name = \"a\"; site = \"b\"; keep = 30; };\n" CLOUD LINK INSTRUMENTS, 1,
            "\"keep\"|unit in quotes");
    MISTAKE(HEAD INSTRUMENT("paused = \"yes\";"), 4, "\"paused\"|true or false without quotes");
    MISTAKE(HEAD INSTRUMENT("collect = true;"), 4, "\"collect\"|group { } or list ( )");
    MISTAKE(HEAD INSTRUMENT("expect_identity = { };"), 4, "\"expect_identity\"|text in quotes|not a group");
    MISTAKE(HEAD INSTRUMENTS
            "routes = ( { name = \"r\"; on = ( 5 ); job = \"deliver\"; instrument = \"hamilton-1\"; } );\n",
            5, "\"on\"|text in quotes");
    MISTAKE("agent = [ 1, 2 ];\n" CLOUD LINK INSTRUMENTS, 1, "\"agent\" must be a group");
    MISTAKE(HEAD "instruments = { name = \"a\"; };\n", 4, "\"instruments\" must be a list of groups");
    MISTAKE(HEAD "instruments = ( 5 );\n", 4, "instrument 1 must be a group");
    MISTAKE(HEAD INSTRUMENTS "routes = ( \"r\" );\n", 5, "route 1 must be a group");
}

static void out_of_bounds(void)
{
    MISTAKE("agent = { name = \"a\"; site = \"b\"; couriers = 33; };\n" CLOUD LINK INSTRUMENTS, 1,
            "\"couriers\" must be between 1 and 32, not \"33\"");
    MISTAKE("agent = { name = \"a\"; site = \"b\"; couriers = 99999999999999L; };\n" CLOUD LINK INSTRUMENTS,
            1, "between 1 and 32");
    MISTAKE(AGENT CLOUD "link = { broker = \"mqtts://b\"; keepalive = \"1s\"; };\n" INSTRUMENTS, 3,
            "\"keepalive\" must be between 10 s and 18 h, not \"1s\"");
    MISTAKE(HEAD INSTRUMENT("baud = 1;"), 4, "instrument \"a\"|\"baud\" must be between 300 and 921600");
    MISTAKE("agent = { name = \"a\"; site = \"b\"; keep = \"3 weeks\"; };\n" CLOUD LINK INSTRUMENTS, 1,
            "\"keep\"|\"7d\"|not \"3 weeks\"");
    MISTAKE("agent = { name = \"a\"; site = \"b\"; log_level = \"loud\"; };\n" CLOUD LINK INSTRUMENTS, 1,
            "\"log_level\"|\"error\", \"warning\", \"info\", \"debug\"|not \"loud\"");
}

static void removed(void)
{
    static const char *const agent[] = {"log_limit = 200;", "outbox_max = 100;", "unused_max = \"1MB\";"};
    static const char *const cloud[] = {"stall_timeout = \"1m\";", "connections = [ 1, 2 ];"};
    static const char *const link[] = {"receive_maximum = 20;", "commands_max = { };"};
    char text[2000];
    for (size_t i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "agent = { name = \"a\"; site = \"b\";\n%s };\n" CLOUD LINK INSTRUMENTS,
                 agent[i]);
        MISTAKE(text, 2, "agent: |is no longer needed: |; remove it");
    }
    for (size_t i = 0; i < 2; i++) {
        snprintf(text, sizeof text, AGENT CLOUD_HEAD "\n%s };\n" LINK INSTRUMENTS, cloud[i]);
        MISTAKE(text, 3, "cloud: |is no longer needed: |; remove it");
        snprintf(text, sizeof text, AGENT CLOUD "link = { broker = \"mqtts://b\";\n%s };\n" INSTRUMENTS,
                 link[i]);
        MISTAKE(text, 4, "link: |is no longer needed: |; remove it");
    }
}

static void missing(void)
{
    MISTAKE("agent = { name = \"a\"; };\n" CLOUD LINK INSTRUMENTS, 1, "agent|\"site\" is missing; add it");
    MISTAKE(CLOUD LINK INSTRUMENTS, 0, "\"agent\" is missing|agent = { ... };");
    MISTAKE(AGENT CLOUD INSTRUMENTS, 0, "\"link\" is missing|events = \"poll\"");
    MISTAKE(HEAD "instruments = (\n { name = \"a\"; driver = \"line\"; } );\n", 5,
            "instrument \"a\"|\"port\" is missing");
    MISTAKE(HEAD "instruments = (\n { driver = \"line\"; port = \"/dev/a\"; } );\n", 5,
            "instrument 1|\"name\" is missing");
    MISTAKE(HEAD INSTRUMENTS
            "routes = (\n { name = \"r\"; job = \"deliver\"; instrument = \"hamilton-1\"; } );\n",
            6, "route \"r\"|\"on\" is missing");
}

static void empty_list(void)
{
    MISTAKE(AGENT CLOUD "link = { broker = \"mqtts://b\";\n topics = [ ]; };\n" INSTRUMENTS, 4,
            "\"topics\" is empty|leave it out");
}

static void bad_names(void)
{
    static const char *const names[] = {"a/b", "a+", "#", "", "a b", "caf\xc3\xa9"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[1500];
        snprintf(text, sizeof text,
                 HEAD "instruments = ( { name = \"%s\"; driver = \"line\"; port = \"/dev/a\"; } );\n",
                 names[i]);
        MISTAKE(text, 4, "cannot be a name|MQTT topics|A-Z a-z 0-9");
    }
    MISTAKE("agent = { name = \"a2345678901234567890123456789012345678901234567890123456789012345\"; site = "
            "\"b\"; "
            "};\n" CLOUD LINK INSTRUMENTS,
            1, "agent: \"name\"|1 to 64");
    CHECK(!case_refused(
        "agent = { name = \"a234567890123456789012345678901234567890123456789012345678901234\"; "
        "site = \"b\"; };\n" CLOUD LINK INSTRUMENTS));
    MISTAKE("agent = { name = \"a/b\"; site = \"b\"; };\n" CLOUD LINK INSTRUMENTS, 1, "agent: \"name\"|a/b");
    MISTAKE("agent = { name = \"a\";\n site = \"+\"; };\n" CLOUD LINK INSTRUMENTS, 2, "agent: \"site\"");
}

// ---- files ----

static void secrets(void)
{
    case_file("open", "hush\n", 0644);
    MISTAKE(AGENT "cloud = { tenant = \"https://a\"; api_key_file = \"open\"; };\n" LINK INSTRUMENTS, 2,
            "cloud: \"api_key_file\"|others may read|chmod 600");
    MISTAKE(AGENT "cloud = { tenant = \"https://a\"; api_key_file = \"gone\"; };\n" LINK INSTRUMENTS, 2,
            "\"api_key_file\"|gone|No such file|create it");
    case_file("empty", "\n", 0600);
    MISTAKE(AGENT "cloud = { tenant = \"https://a\"; api_key_file = \"empty\"; };\n" LINK INSTRUMENTS, 2,
            "cloud: \"api_key_file\"|empty is empty; it must contain the secret");
    MISTAKE(HEAD "instruments = ( { name = \"h\"; driver = \"folder\"; inbox = \"/a\";\n token_file = "
                 "\"open\"; } );\n",
            5, "instrument \"h\": \"token_file\"|chmod 600");
}

static void missing_files(void)
{
    MISTAKE(AGENT CLOUD "link = { broker = \"mqtts://b\"; ca_file = \"/nowhere/ca.pem\"; };\n" INSTRUMENTS, 3,
            "link: \"ca_file\"|/nowhere/ca.pem|No such file");
    MISTAKE(HEAD INSTRUMENTS ROUTE("pattern_file = \"none.json\";"), 5,
            "\"pattern_file\"|none.json|No such file");
    MISTAKE(HEAD "instruments = ( { name = \"h\"; driver = \"folder\"; inbox = \"/a\";\n table = "
                 "\"none.csv\"; } );\n",
            5, "instrument \"h\": \"table\"|none.csv|No such file");
}

// ---- agent, cloud, link ----

static void tenants(void)
{
    static const char *const tenants[] =
        {"acme.benchling.com", "http://acme.benchling.com", "https://a/api/v2", "https://me:pw@acme.com",
         "https://",           "https://a:99999",           "ftp://a",          "https://a b"};
    for (size_t i = 0; i < sizeof tenants / sizeof tenants[0]; i++) {
        char text[1500];
        snprintf(text, sizeof text,
                 AGENT "cloud = { tenant = \"%s\"; api_key_file = \"secret\"; };\n" LINK INSTRUMENTS,
                 tenants[i]);
        MISTAKE(text, 2, "cloud: \"tenant\"|https://");
    }
}

static void passwords_in_addresses(void)
{
    MISTAKE(AGENT
            "cloud = { tenant = \"https://me:pw@acme.com\"; api_key_file = \"secret\"; };\n" LINK INSTRUMENTS,
            2, "must not contain a user or password|their own settings");
    CHECK(strstr(case_error.text, "pw") == NULL);
}

static void sign_in(void)
{
    MISTAKE(AGENT "cloud = { tenant = \"https://a\"; };\n" LINK INSTRUMENTS, 2,
            "no way to sign in|\"client_id\"");
    MISTAKE(AGENT "cloud = { tenant = \"https://a\"; client_id = \"x\"; };\n" LINK INSTRUMENTS, 2,
            "\"client_id\" also needs \"client_secret_file\"");
    MISTAKE(AGENT "cloud = { tenant = \"https://a\"; client_secret_file = \"secret\"; };\n" LINK INSTRUMENTS,
            2, "\"client_secret_file\" also needs \"client_id\"");
    MISTAKE(AGENT "cloud = { tenant = \"https://a\"; client_id = \"x\"; client_secret_file = \"secret\";\n"
                  "api_key_file = \"secret\"; };\n" LINK INSTRUMENTS,
            3, "two ways to sign in|keep either");
}

static void brokers(void)
{
    static const char *const brokers[] = {"broker", "https://b", "mqtts://b/path", "mqtts://u@b",
                                          "mqtts://b:0"};
    for (size_t i = 0; i < sizeof brokers / sizeof brokers[0]; i++) {
        char text[1500];
        snprintf(text, sizeof text, AGENT CLOUD "link = { broker = \"%s\"; };\n" INSTRUMENTS, brokers[i]);
        MISTAKE(text, 3, "link: \"broker\"|mqtts://");
    }
}

static void link_credentials(void)
{
    MISTAKE(AGENT CLOUD "link = { broker = \"mqtts://b\"; password_file = \"secret\"; };\n" INSTRUMENTS, 3,
            "\"password_file\" also needs \"username\"");
    MISTAKE(AGENT CLOUD "link = { broker = \"mqtts://b\"; key_file = \"secret\"; };\n" INSTRUMENTS, 3,
            "\"key_file\" also needs \"cert_file\"");
    MISTAKE(AGENT CLOUD "link = { broker = \"mqtts://b\"; cert_file = \"secret\"; };\n" INSTRUMENTS, 3,
            "\"cert_file\" also needs \"key_file\"");
    MISTAKE(AGENT CLOUD "link = { broker = \"mqtt://localhost\";\n ca_file = \"secret\"; };\n" INSTRUMENTS, 4,
            "\"ca_file\" has no effect without TLS|mqtts://");
    MISTAKE(AGENT CLOUD
            "link = { broker = \"mqtt://localhost\";\n alpn = \"x-amzn-mqtt-ca\"; };\n" INSTRUMENTS,
            4, "\"alpn\" has no effect without TLS|mqtts://");
    MISTAKE(AGENT CLOUD "link = { broker = \"wss://b\"; };\n" INSTRUMENTS, 3,
            "WebSocket|use 443 with ALPN|mqtts://b:443|x-amzn-mqtt-ca");
}

static void proxies(void)
{
    static const struct {
        const char *proxy, *words;
    } rows[] = {
        {"proxy.example:3128", "\"proxy\" has no scheme|http://"},
        {"https://p:1", "must begin with http:// or socks5://, not https://"},
        {"http://me:secret@p:1", "must not contain a user or password"},
        {"http://p", "\"proxy\" has no port number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[1500];
        snprintf(text, sizeof text,
                 AGENT CLOUD "link = { broker = \"mqtts://b\"; proxy = \"%s\"; };\n" INSTRUMENTS,
                 rows[i].proxy);
        MISTAKE(text, 3, rows[i].words);
    }
    MISTAKE(AGENT CLOUD "link = { broker = \"mqtts://b\"; proxy_username = \"me\"; };\n" INSTRUMENTS, 3,
            "\"proxy_username\" also needs \"proxy\"");
}

static void topics(void)
{
    static const char *const filters[] = {"a/#/b", "a#", "a+/b", ""};
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        char text[1500];
        snprintf(text, sizeof text,
                 AGENT CLOUD
                 "link = { broker = \"mqtts://b\"; topics = [ \"ok/#\", \"%s\" ]; };\n" INSTRUMENTS,
                 filters[i]);
        MISTAKE(text, 3, "\"topics\"|not an MQTT topic filter");
    }
    MISTAKE(AGENT CLOUD "link = { broker = \"mqtts://b\"; topic_prefix = \"/a\"; };\n" INSTRUMENTS, 3,
            "\"topic_prefix\"");
}

// ---- instruments ----

static void unknown_driver(void)
{
    MISTAKE(HEAD "instruments = ( { name = \"a\"; driver = \"foldr\"; inbox = \"/a\"; } );\n", 4,
            "\"a\"|no driver \"foldr\"");
}

static void duplicate_instrument(void)
{
    MISTAKE(HEAD "instruments = ( { name = \"a\"; driver = \"line\"; port = \"/dev/a\"; },\n"
                 "{ name = \"a\"; driver = \"line\"; port = \"/dev/b\"; } );\n",
            5, "instrument \"a\" already exists|labferry.conf:4|own name");
}

static void shared_port(void)
{
    MISTAKE(HEAD "instruments = ( { name = \"a\"; driver = \"line\"; port = \"/dev/a\"; },\n"
                 "{ name = \"b\"; driver = \"line\"; port = \"/dev/a\"; } );\n",
            5, "/dev/a is already used by instrument \"a\"|labferry.conf:4|each instrument needs its own");
    MISTAKE(HEAD "instruments = ( { name = \"a\"; driver = \"line\"; port = \"/srv/x\"; },\n"
                 "{ name = \"b\"; driver = \"folder\"; inbox = \"/srv/x\"; } );\n",
            5, "/srv/x is already used");
}

static void driver_objects(void)
{
    MISTAKE(HEAD "instruments = ( { name = \"a\"; driver = \"line\";\n port = \"/dev/wrong\"; } );\n", 5,
            "instrument \"a\": port: /dev/wrong is wrong");
}

static void collects(void)
{
    MISTAKE(HEAD READER("( { config = \"c\"; } )"), 5, "collect 1|\"match\" is missing");
    MISTAKE(HEAD READER("( { match = \"last-job\"; } )"), 5,
            "the output file configuration is missing|\"config\"");
    MISTAKE(HEAD READER("( { match = \"by-luck\"; config = \"c\"; } )"), 5,
            "\"match\"|\"by-luck\" is not a way to find the run");
    MISTAKE(HEAD READER("( { match = \"content:((\"; config = \"c\"; } )"), 5,
            "\"match\"|a bracket is not closed");
    MISTAKE(HEAD READER("( 5 )"), 5, "collect 1 must be a group");
    MISTAKE(HEAD INSTRUMENT("collect = { match = \"last-job\"; config = \"c\"; };"), 4,
            "driver \"line\" finds no results|remove \"collect\"");
}

// ---- routes ----

static void route_to_nowhere(void)
{
    MISTAKE(
        HEAD INSTRUMENTS
        "routes = (\n { name = \"r\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; procedure = \"weigh\";\n"
        "instrument = \"balance-2\"; } );\n",
        7, "route \"r\"|no instrument \"balance-2\"|did you mean \"balance-1\"|add it");
}

static void duplicate_route(void)
{
    MISTAKE(HEAD INSTRUMENTS "routes = ( " TASK ",\n" TASK " );\n", 6,
            "route \"weigh\" already exists|labferry.conf:5");
}

static void job_beyond_the_driver(void)
{
    MISTAKE(HEAD INSTRUMENTS
            "routes = ( { name = \"r\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; "
            "instrument = \"balance-1\"; } );\n",
            5, "\"balance-1\" cannot do a deliver job|\"line\"");
    MISTAKE(HEAD INSTRUMENTS
            "routes = ( { name = \"r\"; on = \"workflowTask.created\"; job = \"brew\"; } );\n",
            5, "\"job\"|use one of: deliver, collect, task, procedure|\"brew\"");
}

static void instrument_left_out(void)
{
    MISTAKE(
        HEAD INSTRUMENTS
        "routes = ( { name = \"r\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; } );\n",
        5, "\"instrument\" is missing|deliver");
    CHECK(!case_refused(
        HEAD INSTRUMENTS
        "routes = ( { name = \"r\"; on = \"automationOutputProcessor.uploaded\"; job = \"collect\"; } );\n"));
}

static void procedures(void)
{
    MISTAKE(HEAD INSTRUMENTS
            "routes = ( { name = \"r\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; "
            "instrument = \"balance-1\"; } );\n",
            5, "\"procedure\" is missing");
    MISTAKE(HEAD INSTRUMENTS
            "routes = ( { name = \"r\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; "
            "instrument = \"balance-1\";\n procedure = \"fly\"; } );\n",
            6, "\"procedure\"|\"fly\"|there is \"weigh\"");
    MISTAKE(HEAD INSTRUMENTS
            "routes = ( { name = \"r\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; "
            "instrument = \"hamilton-1\";\n procedure = \"weigh\"; } );\n",
            6, "\"procedure\" is not for job = \"deliver\"");
    MISTAKE(HEAD INSTRUMENTS
            "routes = ( { name = \"r\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; "
            "instrument = \"hamilton-1\";\n outputs = { a = \"b\"; }; } );\n",
            6, "\"outputs\" is not for job = \"deliver\"");
}

static void events(void)
{
    MISTAKE(
        HEAD INSTRUMENTS
        "routes = ( { name = \"r\"; on = \"entry.made\"; job = \"task\"; only_agent = true; procedure = \"weigh\"; "
        "instrument = \"balance-1\"; } );\n",
        5, "\"on\"|no event \"entry.made\"");
    MISTAKE(HEAD INSTRUMENTS "routes = ( { name = \"r\"; on = \"workflowTask.created\"; job = \"deliver\"; "
                             "instrument = \"hamilton-1\"; } );\n",
            5, "deliver job needs events of automationInputGenerator|\"workflowTask.created\"");
}

static void patterns(void)
{
    case_file("p.json", "{}", 0644);
    case_file("broken.json", "{\"a\": [1,}", 0644);
    MISTAKE(HEAD INSTRUMENTS ROUTE("\nwhere = { bad = [ 1 ]; };"), 6, "\"where\"|detail.bad: makes no sense");
    MISTAKE(HEAD INSTRUMENTS ROUTE("where = [ 1 ];"), 5, "\"where\" must be a group");
    MISTAKE(HEAD INSTRUMENTS ROUTE("where = { a = [ 1 ]; };\n pattern_file = \"p.json\";"), 6, "keep one");
    MISTAKE(HEAD INSTRUMENTS ROUTE("pattern_file = \"broken.json\";"), 5,
            "\"pattern_file\"|broken.json|byte");
    MISTAKE(HEAD INSTRUMENTS ROUTE("where = { a = ( 9007199254740993L ); };"), 5,
            "9007199254740993|in quotes");
    MISTAKE(HEAD INSTRUMENTS ROUTE("where = { a = ( 1e999 ); };"), 5, "too large");
}

/* A task route without only_agent, and with this pattern. */
#define OPEN_ROUTE(where)                                                                                    \
    "routes = ( { name = \"r\"; on = \"workflowTask.created\"; job = \"task\"; procedure = \"weigh\"; "      \
    "instrument = \"balance-1\";\n" where " } );\n"

static void selection(void)
{
    MISTAKE(
        HEAD INSTRUMENTS OPEN_ROUTE(""), 5,
        "two agents that see the same task would both do it|textValue = [ \"bench-3\" ]|only_agent = true");
    MISTAKE(HEAD INSTRUMENTS OPEN_ROUTE("where = { workflowTask = { schema = { name = [ \"W\" ]; }; }; };"),
            6, "nothing says which tasks are for this agent");
    MISTAKE(HEAD INSTRUMENTS OPEN_ROUTE("only_agent = false;"), 5, "nothing says which tasks");
    CHECK(!case_refused(HEAD INSTRUMENTS OPEN_ROUTE("only_agent = true;")));
    CHECK(!case_refused(HEAD INSTRUMENTS OPEN_ROUTE(
        "where = { workflowTask = { fields = { Bench = { value = [ \"3\" ]; }; }; }; };")));
    MISTAKE(HEAD INSTRUMENTS
            "routes = (\n { name = \"r\"; on = \"automationInputGenerator.completed\"; job = "
            "\"deliver\"; instrument = \"hamilton-1\"; only_agent = true; } );\n",
            6, "\"only_agent\" is not for job = \"deliver\"");
}

static void names_in_where(void)
{
    MISTAKE(HEAD INSTRUMENTS ROUTE("where = { workflowTask = {\n shema = { name = [ \"W\" ]; }; }; };"), 6,
            "\"where\": workflowTask.shema: not a member");
    lf_config_free(
        case_load(HEAD INSTRUMENTS ROUTE("where = { workflowTask = {\n novel = [ \"W\" ]; }; };")));
    NEED(case_report.count == 1);
    CHECK_INT(case_report.problems[0].line, 6);
    CHECK_HAS(case_report.problems[0].text, "workflowTask.novel: perhaps a member");
}

static void maps(void)
{
    MISTAKE(HEAD INSTRUMENTS ROUTE("outputs = { weight = 5; };"), 5,
            "\"weight\" must be the name of a field");
    MISTAKE(HEAD INSTRUMENTS ROUTE("inputs = ( \"a\" );"), 5, "\"inputs\" must be a group");
}

static void names_of_the_procedure(void)
{
    MISTAKE(HEAD INSTRUMENTS ROUTE("outputs = { weight = \"Mass\";\n wieght = \"Gross\"; };"), 6,
            "\"outputs\"|no value \"wieght\"|did you mean \"weight\"|weight, unit");
    MISTAKE(HEAD INSTRUMENTS ROUTE("inputs = { wanted = \"Target\"; };"), 5,
            "\"inputs\"|no input \"wanted\"|It has: target");
    MISTAKE(HEAD INSTRUMENTS
            "routes = ( { name = \"r\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; "
            "instrument = \"balance-1\"; procedure = \"dose\"; } );\n",
            5, "\"dose\" needs the input \"amount\"|add it to \"inputs\"");
    MISTAKE(HEAD INSTRUMENTS ROUTE("outputs = { weight = \"Mass\"; unit = \"Mass\"; };"), 5,
            "\"weight\" and \"unit\" both go to the field \"Mass\"");
    MISTAKE(HEAD "instruments = ( { name = \"balance-1\"; driver = \"line\"; port = \"/dev/a\"; collect = { "
                 "match = \"last-job\"; config = \"c\"; }; } );\n" //
            ROUTE("report = \"file\"; run_field = \"Run\"; outputs = { weight = \"Mass\"; };"),
            5, "\"outputs\" has no effect with report = \"file\"");
}

static void a_value_that_may_not_come(void)
{
    CHECK(!case_refused(HEAD INSTRUMENTS ROUTE("outputs = { weight = \"Mass\"; };")));
    CHECK_INT(case_report.count, 0);
    CHECK(!case_refused(HEAD INSTRUMENTS ROUTE("outputs = { weight = \"Mass\";\n unit = \"Unit\"; };")));
    NEED(case_report.count == 1);
    CHECK_INT(case_report.problems[0].severity, LF_CONFIG_WARNING);
    CHECK_INT(case_report.problems[0].line, 6);
    CHECK_HAS(case_report.problems[0].text, "does not always give \"unit\"");
}

static void a_silent_driver(void)
{
    CHECK(!case_refused(
        HEAD INSTRUMENTS
        "routes = ( { name = \"r\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; instrument "
        "= \"balance-1\"; procedure = \"silent\"; inputs = { any = \"A\"; }; outputs = { other "
        "= \"B\"; }; } );\n"));
}

static void paths(void)
{
#define PROCEDURE(path)                                                                                       \
    "routes = ( { name = \"r\"; on = [ \"automationInputGenerator.completed\", \"workflowTask.created\" ];\n" \
    " inputs = { target = \"" path "\"; }; job = \"procedure\"; procedure = \"weigh\"; instrument = "         \
    "\"balance-1\"; } );\n"
    MISTAKE(HEAD INSTRUMENTS PROCEDURE("workflowTask.fields.Nope"), 6,
            "route \"r\": \"inputs\": paths start inside workflowTask: \"fields.Nope\"");
    CHECK(!case_refused(HEAD INSTRUMENTS PROCEDURE("fields.workflowTask.created")));
    CHECK(!case_refused(HEAD INSTRUMENTS PROCEDURE("workflowTask")));
    CHECK(!case_refused(HEAD INSTRUMENTS PROCEDURE("Task.name"))); /* not the end of another name */
    CHECK(!case_refused(HEAD INSTRUMENTS ROUTE("inputs = { target = \"workflowTask.Nope\"; };")));
}

static void reports(void)
{
    MISTAKE(HEAD INSTRUMENTS ROUTE("run_field = \"Run\";"), 5, "\"run_field\" goes with report = \"file\"");
    MISTAKE(
        HEAD
        "instruments = ( { name = \"balance-1\"; driver = \"line\"; port = \"/dev/a\"; collect = { match = "
        "\"last-job\"; config = \"c\"; }; } );\n" ROUTE("report = \"file\";"),
        5, "\"run_field\" is missing");
    MISTAKE(HEAD INSTRUMENTS ROUTE("report = \"file\"; run_field = \"Run\";"), 5,
            "add \"collect\"|\"balance-1\"");
}

UNIT_TESTS(
    "config mistakes", {"an unknown key is named with its line and the nearest known one", unknown_key},
    {"an unknown group is named with the nearest known one", unknown_group},
    {"for a value of the wrong type, the message shows how to write it", wrong_type},
    {"a value out of bounds is refused with the bounds", out_of_bounds},
    {"a missing setting is named, with the line of its group", missing},
    {"a removed setting is refused with the reason, whatever its value", removed},
    {"an empty list is refused", empty_list}, {"a name that MQTT topics cannot hold is refused", bad_names},
    {"a secret that others may read, that is gone or empty, is refused", secrets},
    {"a missing file is named with its setting", missing_files},
    {"a tenant that is not a plain https address is refused", tenants},
    {"a password in an address is refused, and not shown", passwords_in_addresses},
    {"there must be exactly one complete way to sign in", sign_in},
    {"a broker that is not a plain mqtt address is refused", brokers},
    {"link credentials need both files of a pair, and TLS; a WebSocket is refused with what to use",
     link_credentials},
    {"a proxy that cannot be used is refused, with the form that it needs", proxies},
    {"an invalid MQTT topic filter is refused", topics},
    {"an unknown driver is named with its instrument", unknown_driver},
    {"two instruments with one name are refused", duplicate_instrument},
    {"two instruments on one port or folder are refused", shared_port},
    {"a driver's objection is reported with the line of the setting", driver_objects},
    {"a collect rule must identify the run and the output configuration", collects},
    {"a route to an unknown instrument is refused", route_to_nowhere},
    {"two routes with one name are refused", duplicate_route},
    {"a job that the driver cannot do is refused", job_beyond_the_driver},
    {"only a collect route may leave out the instrument", instrument_left_out},
    {"a task needs a procedure that exists, and only a task has one", procedures},
    {"events must exist and fit the job", events},
    {"a pattern that is malformed, given twice or inexact is refused", patterns},
    {"a task route must select its agent, or say that it is the only one", selection},
    {"a name in where that events do not have is refused, and an unknown one warned of", names_in_where},
    {"maps go from names to fields", maps},
    {"an input or output that the procedure does not have is refused with those it has",
     names_of_the_procedure},
    {"a driver that does not describe its procedures is believed", a_silent_driver},
    {"a value that a procedure does not always give is warned of", a_value_that_may_not_come},
    {"a path that starts with the event's resource is refused, with the one that is right", paths},
    {"a report as a file needs a run and a collect rule", reports}, )
