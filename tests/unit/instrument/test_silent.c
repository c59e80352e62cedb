/* An instrument counts as not answering when a call into its folder or device does not return, and for no
 * other wait. */
#include "core.h"
#include "fake_device.h"
#include "instrument/host.h"

#include <string.h>

static int64_t stuck_ms; /* as the hook saw it */

static void changed(void *context, struct lf_instrument *instrument)
{
    (void)context;
    stuck_ms = lf_pulse_stuck_ms(&instrument->pulse);
}

static struct lf_instrument *open_with(struct lf_journal *journal)
{
    struct lf_instrument *instrument = NULL;
    struct lf_instrument_options options = {.name = "robot", .driver = &fake_driver, .journal = journal};
    struct lf_instrument_hooks hooks = {.changed = changed};
    NEED(lf_instrument_open(&options, &hooks, &instrument, UNIT_ERROR) == LF_OK);
    return instrument;
}

/* The newest call of the driver began an hour ago. */
static void get_stuck(struct lf_instrument *instrument)
{
    instrument->pulse.began = lf_clock_mono_ms() - 3600000;
}

static void what_the_host_does(void)
{
    struct lf_journal *journal = core_journal();
    struct lf_instrument *instrument = open_with(journal);
    const struct lf_host *host = &instrument->host;
    get_stuck(instrument);
    host->concern(host->self, "result x", true, "is odd", "look");
    CHECK_INT(lf_pulse_stuck_ms(&instrument->pulse), 0);
    get_stuck(instrument);
    stuck_ms = -1;
    host->way(host->self, "by a lease");
    CHECK_INT(stuck_ms, 0);
    instrument__leave(instrument);
    lf_instrument_close(instrument);
    lf_journal_close(journal);
    fake_devices_free();
}

static void noted(void *context, const struct lf_concern *concern)
{
    CHECK_STR(concern->source, "instrument/robot");
    CHECK_STR(concern->about, "not answering");
    ++*(int *)context;
}

static int concerns(struct lf_journal *journal)
{
    int count = 0;
    NEED(lf_journal_concern_list(journal, noted, &count, UNIT_ERROR) == LF_OK);
    return count;
}

static void told_until_it_answers(void)
{
    struct lf_journal *journal = core_journal();
    struct lf_instrument *instrument = open_with(journal);
    get_stuck(instrument);
    lf_instrument_watch(instrument);
    CHECK_INT(concerns(journal), 1);
    instrument__leave(instrument);
    lf_instrument_watch(instrument);
    CHECK_INT(concerns(journal), 0);
    lf_instrument_close(instrument);
    lf_journal_close(journal);
    fake_devices_free();
}

static int64_t writes;
static bool flood_told;

static void count_times(void *context, const struct lf_concern *concern)
{
    (void)context;
    writes += concern->times;
    flood_told = flood_told || strstr(concern->text, "more than 60 things within a minute") != NULL;
}

static int64_t written(struct lf_journal *journal)
{
    writes = 0;
    NEED(lf_journal_concern_list(journal, count_times, NULL, UNIT_ERROR) == LF_OK);
    return writes;
}

/* Each report is a commit, and the names of what comes over a bad line are many. */
static void floods(void)
{
    struct lf_journal *journal = core_journal();
    struct lf_instrument *instrument = open_with(journal);
    const struct lf_host *host = &instrument->host;
    UNIT_TIME_PASSES(0);
    get_stuck(instrument);
    for (int i = 0; i < 500; i++)
        host->concern(host->self, i % 2 ? "line a" : "line b", false, "is odd", "look");
    CHECK_INT(written(journal), 61);
    CHECK(flood_told);
    host->concern(host->self, "result x", true, "is a state", "look"); /* it is never left out */
    CHECK_INT(written(journal), 62);
    UNIT_TIME_PASSES(60000);
    host->concern(host->self, "line a", false, "is odd", "look");
    CHECK_INT(written(journal), 63);
    instrument__leave(instrument);
    lf_instrument_close(instrument);
    lf_journal_close(journal);
    fake_devices_free();
}

static void without_a_journal(void)
{
    struct lf_instrument *instrument = open_with(NULL);
    get_stuck(instrument);
    lf_instrument_watch(instrument);
    CHECK_INT(lf_instrument_state(instrument), LF_INSTRUMENT_SILENT);
    instrument__leave(instrument);
    lf_instrument_close(instrument);
    fake_devices_free();
}

UNIT_TESTS(
    "instrument, silence",
    {"what the driver has the host do takes none of the instrument's time", what_the_host_does},
    {"a concern stands until the instrument answers again", told_until_it_answers},
    {"of an instrument that reports without end sixty reports a minute are kept, and a concern says so",
     floods},
    {"without a journal the state alone shows it", without_a_journal}, )
