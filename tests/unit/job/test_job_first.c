/* Results that lay on an instrument before the agent was connected to it for the first time. */
#include "job_case.h"

#include "instrument/host.h"
#include "job/steps.h"

#include <string.h>

static struct job_case c;

static void find(const char *name)
{
    struct lf_finding finding = {.id = name, .version = "1", .name = name, .early = true};
    CHECK_INT(lf_jobs_found(c.jobs, c.robot, &finding, UNIT_ERROR), LF_OK);
}

static int64_t newest_job(void)
{
    int64_t id = 0;
    CHECK_INT(lf_journal_job_newest(c.journal, &id, UNIT_ERROR), LF_OK);
    return id;
}

static void connected(int64_t times)
{
    c.robot->connections = times;
    c.robot->connected = true;
    lf_jobs_instrument_changed(c.jobs, c.robot);
}

static void left_alone(void)
{
    case_open(&c);
    connected(1);
    find("R-run_1.csv");
    CHECK_INT(newest_job(), 0);
    find("R-run_1.csv");
    CHECK_INT(newest_job(), 0);
    case_close(&c);
}

static void taken_later(void)
{
    case_open(&c);
    connected(1);
    connected(2); /* what came while the share was away */
    find("R-run_1.csv");
    CHECK_INT(newest_job(), 1);
    case_restart(&c);
    connected(1);
    find("R-run_2.csv");
    CHECK_INT(newest_job(), 2);
    case_close(&c);
}

/* The folder's server hangs when it is looked at for the first time. */
static void hung_at_first(void)
{
    case_open(&c);
    c.robot->pulse.began = lf_clock_mono_ms() - 3600000;
    lf_instrument_watch(c.robot);
    CHECK_INT(lf_instrument_state(c.robot), LF_INSTRUMENT_SILENT);
    lf_pulse_rest(&c.robot->pulse);
    lf_instrument_watch(c.robot);
    CHECK_INT(lf_instrument_state(c.robot), LF_INSTRUMENT_OFFLINE);
    case_restart(&c);
    connected(1);
    find("R-run_1.csv");
    CHECK_INT(newest_job(), 0);
    case_close(&c);
}

UNIT_TESTS("job, the first connection",
           {"results that lay there at the first connection are left alone", left_alone},
           {"results that are found at a later connection are taken, also after a restart", taken_later},
           {"an instrument that hung before its first connection has not been connected", hung_at_first}, )
