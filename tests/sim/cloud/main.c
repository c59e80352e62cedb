/* labferry-sim-cloud: starts the parts, waits for a signal, ends them in the opposite order. */
#include "auth.h"
#include "blob.h"
#include "event.h"
#include "http.h"
#include "options.h"
#include "relay.h"
#include "requests.h"
#include "scenario.h"
#include "timer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void load_scenario(struct sim *sim)
{
    char problem[300];
    cJSON *scenario = sim->options.scenario ? sim_scenario_read(sim->options.scenario)
                                            : sim_scenario_builtin();
    bool good = sim_scenario_load(sim, scenario, problem, sizeof problem);
    cJSON_Delete(scenario);
    if (!good)
        sim_die("%s", problem);
}

static void write_port(const char *path, int port)
{
    FILE *file = fopen(path, "we");
    if (!file || fprintf(file, "%d\n", port) < 0 || fclose(file) != 0)
        sim_die("cannot write --port-file %s: %s", path, strerror(errno));
}

static void announce(const struct sim *sim, int port)
{
    printf("listening http%s://%s:%d\n", sim->options.cert ? "s" : "", sim->options.listen, port);
    fflush(stdout);
    if (sim->options.port_file)
        write_port(sim->options.port_file, port);
}

static void free_tables(struct sim *sim)
{
    struct sim_table *const tables[] = {&sim->run_schemas,  &sim->runs,        &sim->generators,
                                        &sim->processors,   &sim->transforms,  &sim->results,
                                        &sim->task_schemas, &sim->task_groups, &sim->tasks,
                                        &sim->outputs,      &sim->async_tasks};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        sim_table_free(tables[i]);
}

static void stop(struct sim *sim, struct MHD_Daemon *daemon, const char *temporary)
{
    sim_faults_hurry(sim);
    MHD_stop_daemon(daemon);
    sim_timers_stop(sim);
    sim_relay_stop(sim);
    free_tables(sim);
    sim_requests_free(sim->requests);
    sim_faults_free(sim->faults);
    sim_events_free(sim->events);
    sim_blobs_free(sim->blobs);
    sim_auth_free(sim->auth);
    pthread_mutex_destroy(&sim->mutex);
    if (temporary)
        rmdir(temporary);
}

int main(int argc, char **argv)
{
    struct sim sim = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    char temporary[] = "/tmp/labferry-sim-XXXXXX";
    sigset_t signals;
    int caught, port;
    sim_memory_init();
    sim_options_read(&sim.options, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread starts, so that all inherit it */
    if (!sim.options.data_dir && !mkdtemp(temporary))
        sim_die("cannot make a temporary folder: %s", strerror(errno));
    sim.blobs = sim_blobs_new(sim.options.data_dir ? sim.options.data_dir : temporary);
    sim.auth = sim_auth_new();
    sim.events = sim_events_new();
    sim.faults = sim_faults_new();
    sim.requests = sim_requests_new();
    sim_timers_start(&sim);
    sim_relay_start(&sim);
    sim_lock(&sim); /* early requests wait until the tenant is furnished */
    struct MHD_Daemon *daemon = sim_http_start(&sim, &port);
    load_scenario(&sim);
    sim_unlock(&sim);
    announce(&sim, port);
    sigwait(&signals, &caught);
    stop(&sim, daemon, sim.options.data_dir ? NULL : temporary);
    return 0;
}
