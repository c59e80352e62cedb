/* labferryd: the daemon. Reads the configuration, starts the agent, and waits for a signal to end. */
#include "agent/daemon/wiring.h"
#include "base/log.h"
#include "config/config.h"
#include "control/config_hooks.h"
#include "drivers/driver.h"
#include "os/path.h"
#include "os/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_CANNOT_START = 1, EXIT_USAGE_WRONG = 2, EXIT_CONFIG_WRONG = 78, LOG_WINDOW_MS = 60 * 1000 };

/* What is open at once at most: 200 instruments fit into the usual 1024. */
enum { FILES_OF_AGENT = 96, FILES_OF_INSTRUMENT = 4 };

static struct lf_cancel stop;

static int usage(FILE *out, int code)
{
    fputs("usage: labferryd [--config FILE]\n"
          "\n"
          "The Labferry agent: brings files and tasks from Benchling to instruments, and results back.\n"
          "It runs in the foreground and logs to standard error; SIGTERM shuts it down cleanly. SIGHUP does\n"
          "nothing: a changed configuration is used from the next start.\n"
          "\n"
          "  -c, --config FILE   configuration (default " LF_CONFIG_PATH ")\n"
          "  -V, --version       print the version\n"
          "  -h, --help          print this\n"
          "\n"
          "Exit status: 0 shut down cleanly, 1 could not start, 2 wrong arguments, 78 wrong configuration.\n"
          "Check a configuration with `labferry check FILE`; speak to the running agent with `labferry "
          "status`.\n",
          out);
    return code;
}

/* Returns an exit status. A supervisor does not restart what ends with EXIT_CONFIG_WRONG, which only a person
 * can correct; a disk may work again. */
static int load(const char *path, struct lf_config **config)
{
    struct lf_config_report report = {0};
    struct lf_error err = {0};
    enum lf_status status = lf_config_load(path, lf_control_config_hooks(), config, &report, &err);
    if (status != LF_OK && err.class != LF_TRANSIENT && report.count == 0)
        fprintf(stderr, "%s\n", err.text);
    if (status != LF_NO_MEMORY) /* else nothing was found out about the file */
        lf_config_report_print(&report, stderr);
    lf_config_report_free(&report);
    if (status == LF_OK)
        return EXIT_SUCCESS;
    if (err.class != LF_TRANSIENT)
        return EXIT_CONFIG_WRONG;
    fprintf(stderr, "labferryd: cannot start: %s\n", err.text);
    return EXIT_CANNOT_START;
}

/* With fewer, work stops in the middle, and nobody could ask why: an answer needs a file, too. */
static int check_files(const struct lf_config *config, int64_t may_open)
{
    int64_t needed = FILES_OF_AGENT + FILES_OF_INSTRUMENT * (int64_t)config->instrument_count;
    if (may_open >= needed)
        return EXIT_SUCCESS;
    fprintf(
        stderr,
        "labferryd: cannot start: it may open %lld files at once, and needs %lld for %zu instruments. Raise "
        "the limit: LimitNOFILE in a systemd unit, else `ulimit -Hn`\n",
        (long long)may_open, (long long)needed, config->instrument_count);
    return EXIT_CANNOT_START;
}

static int serve(const struct lf_config *config, const char *path)
{
    struct lf_error err = {0};
    struct agent *agent = NULL;
    lf_log_setup(config->agent.log_level, config->agent.log_format);
    lf_log_info("agent", "labferryd " LF_VERSION " starts as %s at %s, configuration %s (%.12s)",
                config->agent.name, config->agent.site, path, config->digest);
    if (agent_open(config, &agent, &err) != LF_OK) {
        lf_log_error("agent", "cannot start: %s", err.text);
        return EXIT_CANNOT_START;
    }
    lf_service_notify(LF_SERVICE_READY);
    agent_run(agent, &stop);
    lf_service_notify(LF_SERVICE_STOPPING);
    lf_log_info("agent", "stopping");
    bool ended = agent_close(agent);
    lf_log_limit(0, LOG_WINDOW_MS); /* reports what was left out */
    lf_log_info("agent", "stopped cleanly%s",
                ended ? "" : "; an instrument does not answer, so its thread was abandoned");
    if (!ended)
        lf_service_over(EXIT_SUCCESS);
    return EXIT_SUCCESS;
}

static void look_at_resource(void *may_hang, const char *resource)
{
    static const char folder[] = "folder ";
    bool *may = may_hang;
    if (!strncmp(resource, folder, sizeof folder - 1))
        *may = *may || lf_path_may_hang(resource + sizeof folder - 1);
}

/* Does an instrument use a share? If its server is gone, nothing ends a thread that waits for it. */
static bool may_hang(const struct lf_config *config)
{
    bool may = false;
    struct lf_error ignored;
    for (size_t i = 0; i < config->instrument_count; i++) {
        const struct lf_driver *driver = lf_driver_find(config->instruments[i].driver, &ignored);
        if (driver && driver->check)
            driver->check(config->instruments[i].settings, look_at_resource, &may, &ignored);
    }
    return may;
}

struct start {
    const struct lf_config *config;
    const char *path;
};

static int work(void *context)
{
    const struct start *start = context;
    return serve(start->config, start->path);
}

int main(int argc, char **argv)
{
    const char *path = LF_CONFIG_PATH;
    if (!lf_service_begin())
        return EXIT_CANNOT_START;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (!strcmp(arg, "-V") || !strcmp(arg, "--version"))
            return puts("labferryd " LF_VERSION), EXIT_SUCCESS;
        if (!strcmp(arg, "-h") || !strcmp(arg, "--help"))
            return usage(stdout, EXIT_SUCCESS);
        if ((!strcmp(arg, "-c") || !strcmp(arg, "--config")) && i + 1 < argc)
            path = argv[++i];
        else if (!strncmp(arg, "--config=", 9))
            path = arg + 9;
        else
            return usage(stderr, EXIT_USAGE_WRONG);
    }
    struct lf_error err = {0};
    int64_t may_open = lf_service_open_files();
    if (lf_service_be_private(&err) != LF_OK || lf_service_stop_on_signals(&stop, false, &err) != LF_OK) {
        fprintf(stderr, "labferryd: %s\n", err.text);
        return EXIT_CANNOT_START;
    }
    struct lf_config *config = NULL;
    int code = load(path, &config);
    if (code == EXIT_SUCCESS)
        code = check_files(config, may_open);
    struct start start = {config, path};
    if (code == EXIT_SUCCESS)
        code = may_hang(config) ? lf_service_guard(work, &start, &err) : work(&start);
    if (err.status != LF_OK) {
        fprintf(stderr, "labferryd: %s\n", err.text);
        code = EXIT_CANNOT_START;
    }
    lf_config_free(config);
    lf_cancel_close(&stop);
    return code;
}
