// What the tests of the configuration share: a good configuration in one-line pieces (so that lines are
// known), two made-up drivers behind the hooks, and checks of the report.
#ifndef CONFIG_CASE_H
#define CONFIG_CASE_H

#include "config/config.h"
#include "unit.h"

#define AGENT "agent = { name = \"bench-3\"; site = \"boston\"; };\n"
#define CLOUD_HEAD                                                                                           \
    "cloud = { tenant = \"https://acme.benchling.com\"; client_id = \"app\"; client_secret_file = "          \
    "\"secret\";"
#define CLOUD CLOUD_HEAD " };\n"
#define LINK "link = { broker = \"mqtts://broker.example\"; };\n"
#define BALANCE "{ name = \"balance-1\"; driver = \"line\"; port = \"/dev/a\"; }"
#define HANDLER "{ name = \"hamilton-1\"; driver = \"folder\"; inbox = \"/srv/in\"; }"
#define DELIVER                                                                                              \
    "{ name = \"worklists\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; "               \
    "instrument = \"hamilton-1\"; }"
#define TASK                                                                                                                    \
    "{ name = \"weigh\"; on = \"workflowTask.updated.status\"; job = \"task\"; only_agent = true; instrument = \"balance-1\"; " \
    "procedure = \"weigh\"; }"
#define INSTRUMENTS "instruments = ( " BALANCE ", " HANDLER " );\n" /* line 4 */
#define ROUTES "routes = ( " DELIVER ", " TASK " );\n"              /* line 5 */
#define HEAD AGENT CLOUD LINK                                       /* lines 1 to 3 */
#define GOOD HEAD INSTRUMENTS ROUTES

// Drivers "folder" (delivers, collects; settings inbox, keep, table, token_file) and "line" (tasks; port,
// baud); events are known when they begin with a family that Benchling has; patterns with a key "bad"
// are refused.
extern const struct lf_config_hooks case_hooks;

// Writes text to NAME in the test's folder, with this mode. Borrowed path.
const char *case_file(const char *name, const char *text, unsigned mode);

// Loads text as labferry.conf, with a good secret beside it; must succeed. Free with lf_config_free.
struct lf_config *case_load(const char *text);

// Loads text and keeps the report until the next call. True if it was refused.
bool case_refused(const char *text);
/* Of the made-up drivers "folder" and "line". */
struct case_options {
    const char *inbox, *table, *token_file, *port;
    int64_t keep;
    int baud;
};

extern struct lf_config_report case_report;
extern struct lf_error case_error;

// The text must be refused with exactly one problem: at this line, with all these words in it.
void case_mistake(const char *text, int line, const char *words, const char *file, unsigned at);
#define MISTAKE(text, line, words) case_mistake(text, line, words, __FILE__, __LINE__)

#endif
