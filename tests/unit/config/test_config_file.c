// The file itself: reading, includes, paths, the report as a whole, the digest and the example.
#include "config_case.h"
#include "example.h"

#include "base/buffer.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum lf_status load_path(const char *path)
{
    struct lf_config *config = NULL;
    lf_config_report_free(&case_report);
    lf_error_clear(&case_error);
    enum lf_status status = lf_config_load(path, &case_hooks, &config, &case_report, &case_error);
    lf_config_free(config);
    return status;
}

static void all_problems_in_one_go(void)
{
    CHECK(case_refused(
        "agent = { name = \"a b\"; };\n"
        "cloud = { tenant = \"acme\"; };\n"
        "link = { broker = \"b\"; colour = 1; };\n"
        "instruments = ( { name = \"x\"; driver = \"line\"; },\n"
        "  { name = \"x\"; driver = \"lime\"; } );\n"
        "routes = ( { name = \"r\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; instrument "
        "= \"y\"; } );\n"));
    CHECK_INT(case_report.errors, 11);
    int line = 0;
    for (size_t i = 0; i < case_report.count; i++) {
        CHECK(case_report.problems[i].line >= line);
        line = case_report.problems[i].line;
    }
    CHECK_INT(line, 6);
    CHECK_HAS(case_error.text, "labferry.conf:1");
    CHECK_HAS(case_error.text, "and 10 more");
    CHECK_HAS(case_error.text, "labferry check");
    CHECK_INT(case_error.status, LF_INVALID);
    CHECK_INT(case_error.class, LF_NEEDS_PERSON);
}

static void report_follows_the_file(void)
{
    CHECK(case_refused(
        "routes = ( { name = \"a b\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; } );\n"
        "instruments = ( { name = \"c d\"; driver = \"line\"; port = \"/a\"; } );\n" AGENT CLOUD
        "link = { };\n"));
    NEED(case_report.count > 0);
    int last = 0;
    for (size_t i = 0; i < case_report.count; i++) {
        CHECK(case_report.problems[i].line >= last);
        last = case_report.problems[i].line;
    }
    CHECK_INT(case_report.problems[0].line, 1);
    CHECK_INT(last, 5);
    CHECK_HAS(case_error.text, "labferry.conf:1");
}

static void report_is_bounded(void)
{
    struct lf_buffer text = {0};
    lf_buffer_text(&text, HEAD "instruments = (\n");
    for (int i = 0; i < 500; i++)
        lf_buffer_format(&text, "%s{ name = \"n%d\"; driver = \"zzz\"; }", i ? ",\n" : "", i);
    NEED(lf_buffer_text(&text, ");\n") == LF_OK);
    CHECK(case_refused(text.data));
    CHECK_INT(case_report.errors, 500);
    CHECK_INT(case_report.count, LF_CONFIG_PROBLEMS_MAX);
    lf_buffer_free(&text);
}

/* The report as `labferry check` prints it; owned. */
static char *printed_report(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    NEED(out != NULL);
    lf_config_report_print(&case_report, out);
    fclose(out);
    return text;
}

static void report_prints_as_editors_like(void)
{
    CHECK(case_refused(AGENT CLOUD "link = { broker = \"mqtts://b\"; x = 1; };\n" INSTRUMENTS));
    char *text = printed_report();
    CHECK_HAS(text, "labferry.conf:3: error: link: unknown setting \"x\"");
    free(text);
}

static void skipped_checks_are_mentioned(void)
{
    static const struct {
        const char *text;
        bool more;
    } cases[] = {
        {GOOD, false},
        {AGENT CLOUD "link = { broker = \"mqtts://b\"; x = 1; };\n" INSTRUMENTS, false},
        {HEAD "instruments = ( { name = \"a\"; driver = \"lime\"; } );\n", true},
        {HEAD "instruments = ( { name = \"a\"; driver = \"line\"; port = \"/dev/a\"; baud = 1; } );\n", true},
        {HEAD "instruments = ( { name = \"a\"; driver = \"line\"; port = \"/dev/wrong\"; } );\n", true},
        {HEAD "instruments = ( { name = \"a\"; driver = \"folder\"; inbox = \"/a\";\n"
              " collect = { match = \"by-luck\"; process = 1; }; } );\n",
         true},
        {HEAD INSTRUMENTS "routes = ( { name = \"r\"; on = \"workflowTask.created\"; job = \"brew\"; } );\n",
         true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        case_refused(cases[i].text);
        char *text = printed_report();
        CHECK((strstr(text, "\nmore may follow once these are fixed\n") != NULL) == cases[i].more);
        free(text);
    }
}

#define LONG "a-name-of-a-socket-that-is-long-enough-already/"

static struct lf_config_hooks checking(void)
{
    struct lf_config_hooks hooks = case_hooks;
    hooks.check_start = true;
    return hooks;
}

/* The problem that loading finds in `more`, the lines before the good rest. */
static void load_checked(const char *text)
{
    struct lf_config_hooks hooks = checking();
    struct lf_config *config = NULL;
    lf_config_report_free(&case_report);
    lf_error_clear(&case_error);
    case_file("secret", "hush\n", 0600);
    lf_config_load(case_file("labferry.conf", text, 0644), &hooks, &config, &case_report, &case_error);
    lf_config_free(config);
}

#define HERE "agent = { name = \"a\"; site = \"b\"; state_dir = \"state\"; socket = \"s\"; };\n"

static void certificates_are_checked(void)
{
    case_file("key.pem", "-----BEGIN PRIVATE KEY-----\n", 0600);
    load_checked(HERE CLOUD_HEAD " ca_file = \"key.pem\"; };\n" LINK INSTRUMENTS ROUTES);
    CHECK_HAS(case_error.text, "labferry.conf:2: cloud: \"ca_file\": ");
    CHECK_HAS(case_error.text, "has no certificate (PEM), but a private key");
    load_checked(
        HERE CLOUD
        "link = { broker = \"mqtts://b\";\n cert_file = \"key.pem\"; key_file = \"key.pem\"; };\n" INSTRUMENTS
            ROUTES);
    CHECK_HAS(case_error.text, "labferry.conf:4: link: \"cert_file\": ");
}

/* What others can change is refused, and nothing else is wrong. */
static void check_changeable(const char *name, unsigned mode)
{
    char path[4300];
    struct lf_config_hooks hooks = checking();
    struct lf_config *config = NULL;
    snprintf(path, sizeof path, "%s/%s", unit_folder(), name);
    struct stat before;
    NEED(stat(path, &before) == 0 && chmod(path, (mode_t)mode) == 0);
    char conf[4300];
    snprintf(conf, sizeof conf, "%s/labferry.conf", unit_folder());
    lf_config_report_free(&case_report);
    CHECK(lf_config_load(conf, &hooks, &config, &case_report, &case_error) != LF_OK);
    CHECK_INT(case_report.errors, 1);
    CHECK_HAS(case_error.text, "can be changed by every user of this machine");
    CHECK_HAS(case_error.text, path);
    CHECK_HAS(case_error.text, "run chmod go-w ");
    lf_config_free(config);
    NEED(chmod(path, before.st_mode) == 0);
}

static void others_can_change_it(void)
{
    char path[4300];
    case_file("more.conf", INSTRUMENTS, 0644);
    case_file("pattern.json", "{\"source\": [\"x\"]}", 0644);
    snprintf(path, sizeof path, "%s/state", unit_folder());
    NEED(mkdir(path, 0700) == 0);
    case_file("state/journal.db", "", 0600);
    load_checked(HERE CLOUD LINK
                 "@include \"more.conf\"\n"
                 "routes = ( { name = \"w\"; on = \"automationInputGenerator.completed\"; job = "
                 "\"deliver\"; instrument = \"hamilton-1\"; pattern_file = \"pattern.json\"; } );\n");
    CHECK_INT(case_report.errors, 0);
    check_changeable("labferry.conf", 0666);
    check_changeable("more.conf", 0646);
    check_changeable("pattern.json", 0666);
    check_changeable("state", 0777);
    check_changeable("state/journal.db", 0666);
}

static void root_is_warned_of(void)
{
    load_checked(HERE CLOUD LINK INSTRUMENTS ROUTES);
    CHECK_INT(case_report.errors, 0);
    NEED(case_report.count == (geteuid() == 0 ? 1 : 0));
    CHECK(!case_report.count || strstr(case_report.problems[0].text, "this runs as root"));
}

static void start_is_checked(void)
{
    static const struct {
        const char *more, *problem;
    } cases[] = {
        {"state_dir = \"new/state\";", NULL},
        {"state_dir = \"labferry.conf/state\";", "\"state_dir\": this user cannot write into "},
        {"state_dir = \"new\"; spool_dir = \"labferry.conf\";",
         "\"spool_dir\": this user cannot write into "},
        {"state_dir = \"new\"; operators = \"no-such-group\";",
         "\"operators\": the group \"no-such-group\" does not exist; create it"},
        {"state_dir = \"new\"; socket = \"" LONG LONG LONG "\";",
         "\"socket\": the path of a socket must have 1 to 103 bytes"},
        {"state_dir = \"new\"; socket = \"labferry.conf/socket\";",
         "\"socket\": this user cannot write into "},
    };
    struct lf_config_hooks hooks = checking();
    case_file("secret", "hush\n", 0600);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2000];
        struct lf_config *config = NULL;
        snprintf(text, sizeof text,
                 "agent = { name = \"a\"; site = \"b\";\n%s };\n" CLOUD LINK INSTRUMENTS ROUTES,
                 cases[i].more);
        lf_config_report_free(&case_report);
        lf_error_clear(&case_error);
        lf_config_load(case_file("labferry.conf", text, 0644), &hooks, &config, &case_report, &case_error);
        CHECK((config != NULL) == !cases[i].problem);
        CHECK_HAS(case_error.text, cases[i].problem ? cases[i].problem : "");
        CHECK(!cases[i].problem || strstr(case_error.text, "labferry.conf:2: "));
        lf_config_free(config);
    }
    char made[4300];
    snprintf(made, sizeof made, "%s/new", unit_folder());
    CHECK(access(made, F_OK) != 0);
}

static void missing_file(void)
{
    CHECK_INT(load_path("/nowhere/labferry.conf"), LF_INVALID);
    CHECK_HAS(case_error.text, "/nowhere/labferry.conf");
    CHECK_HAS(case_error.text, "No such file");
    NEED(case_report.count > 0);
    CHECK_INT(case_report.problems[0].line, 0);
}

static void not_a_plain_file(void)
{
    CHECK_INT(load_path(unit_folder()), LF_INVALID);
    CHECK_HAS(case_error.text, "not a regular file");
    CHECK_INT(load_path("/dev/zero"), LF_INVALID);
    char path[4300];
    snprintf(path, sizeof path, "%s/pipe", unit_folder());
    NEED(mkfifo(path, 0600) == 0);
    CHECK_INT(load_path(path), LF_INVALID);
}

static void too_large(void)
{
    char *text = malloc(LF_CONFIG_FILE_MAX + 2);
    NEED(text != NULL);
    memset(text, '#', LF_CONFIG_FILE_MAX + 1);
    text[LF_CONFIG_FILE_MAX + 1] = '\0';
    CHECK(case_refused(text));
    CHECK_HAS(case_error.text, "larger than 1048576 bytes");
    free(text);
}

static void nul_bytes(void)
{
    char path[4300];
    snprintf(path, sizeof path, "%s/binary.conf", unit_folder());
    FILE *file = fopen(path, "w");
    NEED(file != NULL);
    fwrite("agent = {\0};", 1, 12, file);
    fclose(file);
    CHECK_INT(load_path(path), LF_INVALID);
    CHECK_HAS(case_error.text, "NUL bytes");
}

static void syntax_error(void)
{
    MISTAKE("agent = { name = \"a\"; site = \"b\"; };\ncloud = { tenant = ;\n", 2,
            "syntax error|missing ';'");
    MISTAKE(HEAD INSTRUMENTS "routes = ( { where = { a = [ { prefix = \"x\"; } ]; }; } );\n", 5,
            "syntax error|a list of groups is written ( { ... } )|into [ ]");
    CHECK(case_report.more);
    MISTAKE(AGENT AGENT, 2, "duplicate|set twice");
    MISTAKE("agent = { name = \"a\"; name = \"b\"; };\n", 1, "duplicate|set twice");
    MISTAKE("agent = { x = [ 1, \"a\" ]; };\n", 1, "mismatched element type|( )");
}

static void includes_are_read(void)
{
    case_file("instruments.conf", "\n" INSTRUMENTS, 0644);
    struct lf_config *config = case_load(HEAD "@include \"instruments.conf\"\n" ROUTES);
    CHECK_INT(config->instrument_count, 2);
    CHECK_HAS(config->instruments[0].at, "instruments.conf:2");
    lf_config_free(config);
}

static void mistakes_in_includes_name_the_include(void)
{
    case_file("instruments.conf",
              "\n\ninstruments = ( { name = \"a\"; driver = \"line\"; port = \"p\"; bad = 1; } );\n", 0644);
    CHECK(case_refused(HEAD "@include \"instruments.conf\"\n"));
    NEED(case_report.count == 1);
    CHECK_HAS(case_report.problems[0].file, "instruments.conf");
    CHECK_INT(case_report.problems[0].line, 3);
}

static void bad_includes(void)
{
    MISTAKE(HEAD "@include \"gone.conf\"\n", 4, "gone.conf|folder of the main file");
    char path[4300];
    snprintf(path, sizeof path, "%s/folder", unit_folder());
    NEED(mkdir(path, 0700) == 0);
    MISTAKE(HEAD "@include \"folder\"\n", 4, "@include|not a regular file");
    MISTAKE(HEAD "@include \"\"\n", 4, "@include needs one file name");
    MISTAKE(HEAD " \t@include\t\"fold\\x65r\"\n", 4, "@include needs one file name");
    MISTAKE(HEAD "@include \"\n\"\n", 4, "@include needs one file name");
    MISTAKE(HEAD "@include \"./folder/.\"\n", 4, "not a regular file");
    case_file("self.conf", "@include \"self.conf\"\n", 0644);
    CHECK(case_refused(HEAD "@include \"self.conf\"\n"));
    CHECK(!case_refused("/*\n@include \"gone.conf\"\n*/\n" GOOD));
}

/* What the command line asks for, of files that make libconfig end the program. */
static void place_of_the_socket(void)
{
    char path[4200], expected[4300];
    char *socket = NULL;
    struct lf_error err = {0};
    snprintf(path, sizeof path, "%s/labferry.conf", unit_folder());
    case_file("labferry.conf", "agent = { socket = \"s.sock\"; };\n", 0644);
    CHECK_INT(lf_config_place(path, "socket", &socket, &err), LF_OK);
    snprintf(expected, sizeof expected, "%s/s.sock", unit_folder());
    CHECK_STR(socket, expected);
    free(socket);
    case_file("labferry.conf", "@include \"\"\n", 0644);
    CHECK_INT(lf_config_place(path, "socket", &socket, &err), LF_INVALID);
    CHECK_HAS(err.text, "labferry.conf:1: @include needs one file name");
    case_file("labferry.conf", "@include \".\"\n", 0644);
    CHECK_INT(lf_config_place(path, "socket", &socket, &err), LF_INVALID);
    CHECK(socket == NULL);
}

static void relative_paths_start_at_the_file(void)
{
    char expected[4300];
    struct lf_config *config = case_load(
        "agent = { name = \"a\"; site = \"b\"; state_dir = \"state\"; };\n" CLOUD LINK
        "instruments = ( { name = \"h\"; driver = \"folder\"; inbox = \"in\"; } );\n");
    snprintf(expected, sizeof expected, "%s/state/spool", unit_folder());
    CHECK_STR(config->agent.spool_dir, expected);
    snprintf(expected, sizeof expected, "%s/secret", unit_folder());
    CHECK_STR(config->cloud.client_secret_file, expected);
    snprintf(expected, sizeof expected, "%s/in", unit_folder());
    struct case_options options;
    lf_values_fill(config->instruments[0].settings, &options);
    CHECK_STR(options.inbox, expected);
    lf_config_free(config);
}

/* Drivers take absolute paths only. */
static void a_relative_file_gives_absolute_paths(void)
{
    char here[4300], expected[4300];
    struct lf_config *config = NULL;
    lf_config_free(case_load(HEAD INSTRUMENTS));
    NEED(getcwd(here, sizeof here) && chdir(unit_folder()) == 0);
    enum lf_status status = lf_config_load("./labferry.conf", &case_hooks, &config, NULL, UNIT_ERROR);
    NEED(chdir(here) == 0);
    NEED(status == LF_OK);
    NEED(realpath(unit_folder(), here) != NULL);
    snprintf(expected, sizeof expected, "%s/secret", here);
    CHECK_STR(config->cloud.client_secret_file, expected);
    lf_config_free(config);
}

static void credentials_of_systemd(void)
{
    static const char text[] = AGENT
        "cloud = { tenant = \"https://a\"; api_key_file = \"credential:secret\"; };\n" LINK INSTRUMENTS;
    struct lf_config *config = case_load(text);
    CHECK_INT(case_report.count, 1);
    CHECK_HAS(case_report.problems[0].text, "systemd");
    lf_config_free(config);
    NEED(setenv("CREDENTIALS_DIRECTORY", unit_folder(), 1) == 0);
    char expected[4300];
    snprintf(expected, sizeof expected, "%s/secret", unit_folder());
    config = case_load(text);
    CHECK_INT(case_report.count, 0);
    CHECK_STR(config->cloud.api_key_file, expected);
    lf_config_free(config);
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void digest_follows_content(void)
{
    char digests[4][65];
    case_file("i.conf", INSTRUMENTS, 0644);
    static const char text[] = HEAD "@include \"i.conf\"\n" ROUTES;
    struct lf_config *config = case_load(text);
    memcpy(digests[0], config->digest, 65);
    lf_config_free(config);
    config = case_load(text);
    memcpy(digests[1], config->digest, 65);
    lf_config_free(config);
    case_file("i.conf", "# new\n" INSTRUMENTS, 0644);
    config = case_load(text);
    memcpy(digests[2], config->digest, 65);
    lf_config_free(config);
    CHECK_INT(strlen(digests[0]), 64);
    CHECK_STR(digests[1], digests[0]);
    CHECK(strcmp(digests[2], digests[0]) != 0);
}

static void pattern_files_count_in_the_digest(void)
{
    static const char text[] = HEAD INSTRUMENTS
        "routes = ( { name = \"w\"; on = \"workflowTask.created\"; "
        "job = \"task\"; only_agent = true; procedure = \"weigh\"; instrument = "
        "\"balance-1\"; pattern_file = \"p.json\"; } );\n";
    case_file("p.json", "{\"a\":[1]}", 0644);
    struct lf_config *config = case_load(text);
    char before[65];
    memcpy(before, config->digest, 65);
    lf_config_free(config);
    case_file("p.json", "{\"a\":[2]}", 0644);
    config = case_load(text);
    CHECK(strcmp(config->digest, before) != 0);
    lf_config_free(config);
}

static void damaged_files_never_crash(void)
{
    static const char good[] = GOOD;
    size_t len = sizeof good - 1;
    char text[sizeof good];
    for (size_t i = 0; i < len; i++) {
        memcpy(text, good, sizeof good);
        text[i] = '\0';
        case_refused(text);
        static const char marks[] = "\"{}()[];=@#\\9\x80\n";
        memcpy(text, good, sizeof good);
        text[i] = marks[i % (sizeof marks - 1)];
        case_refused(text);
    }
}

static void deep_nesting_is_refused(void)
{
    struct lf_buffer text = {0};
    lf_buffer_text(
        &text, HEAD INSTRUMENTS
        "routes = ( { name = \"w\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; "
        "procedure = \"weigh\"; instrument = \"balance-1\"; where = { a = ");
    for (int i = 0; i < 1000; i++)
        lf_buffer_text(&text, "( ");
    for (int i = 0; i < 1000; i++)
        lf_buffer_text(&text, ")");
    lf_buffer_text(&text, "; }; } );\n");
    MISTAKE(text.data, 5, "nested more than");
    lf_buffer_free(&text);
}

static char *printed_example(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    NEED(out != NULL);
    example_print(out);
    fclose(out);
    return text;
}

static void example_is_up_to_date(void)
{
    char *text = printed_example();
    struct lf_buffer file = {0};
    CHECK_INT(lf_file_read(unit_source("etc/labferry.conf.example"), LF_CONFIG_FILE_MAX, &file, UNIT_ERROR),
              LF_OK);
    if (!file.data || strcmp(text, file.data) != 0)
        printf("\n      write it with: test_config_file --example > etc/labferry.conf.example\n");
    CHECK_STR(text, file.data);
    lf_buffer_free(&file);
    free(text);
}

static void example_lacks_only_files(void)
{
    char *text = printed_example();
    CHECK(case_refused(text));
    size_t others = 0;
    for (size_t i = 0; i < case_report.count; i++) {
        const char *what = case_report.problems[i].text;
        others += !strstr(what, "No such file") && !strstr(what, "\"outbox\"") && !strstr(what, "\"stream\"")
                  && !strstr(what, "\"profile\"") && !strstr(what, "\"port\"");
    }
    CHECK_INT(others, 0);
    free(text);
}

static const struct unit_test tests[] = {
    {"all problems are reported at once, in the order of the file", all_problems_in_one_go},
    {"problems are listed in the order of the file, in any order of its groups", report_follows_the_file},
    {"the report is bounded, and counts what it leaves out", report_is_bounded},
    {"the report prints file:line:, which editors can jump to", report_prints_as_editors_like},
    {"folders and group of the agent are checked as its start needs them, and nothing is made",
     start_is_checked},
    {"certificates are checked as TLS needs them", certificates_are_checked},
    {"a configuration, what it includes, and a state folder that others can change are refused",
     others_can_change_it},
    {"an agent that would run as root is warned of", root_is_warned_of},
    {"the report mentions that checks were skipped because of errors", skipped_checks_are_mentioned},
    {"a missing file is named", missing_file},
    {"a folder, a device and a pipe are refused at once", not_a_plain_file},
    {"a file that is too large is refused", too_large},
    {"a file with NUL bytes is refused", nul_bytes},
    {"a syntax error has line and remedy", syntax_error},
    {"included files are read", includes_are_read},
    {"a mistake in an included file names that file and line", mistakes_in_includes_name_the_include},
    {"an include that is missing, a folder or itself is refused", bad_includes},
    {"relative paths start at the folder of the file", relative_paths_start_at_the_file},
    {"relative paths become absolute, also when the file is named by a relative path",
     a_relative_file_gives_absolute_paths},
    {"the path of the control socket is found without checking the rest, and no include ends the program",
     place_of_the_socket},
    {"a systemd credential is found, or reported as unchecked", credentials_of_systemd},
    {"the digest is the same for the same files only", digest_follows_content},
    {"the digest covers pattern files", pattern_files_count_in_the_digest},
    {"a file that is cut or damaged anywhere crashes nothing", damaged_files_never_crash, UNIT_SLOW},
    {"endless nesting is refused", deep_nesting_is_refused},
    {"the example in etc matches the tables of settings", example_is_up_to_date},
    {"the example is valid but for its missing files", example_lacks_only_files},
};

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--example")) {
        example_print(stdout);
        return 0;
    }
    return unit_main(argc, argv, "config file", tests, sizeof tests / sizeof tests[0]);
}
