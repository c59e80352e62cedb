/* The promises of the instrument host, with a device that does what the test says. */
#include "core.h"
#include "fake_device.h"
#include "instrument/host.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the hooks saw and do. */
static atomic_int works, changes;
static atomic_int work_left; /* so many calls of work say that they did something */
static atomic_bool act_in_work;

static bool work(void *context, struct lf_instrument *instrument, int64_t *next)
{
    (void)context;
    *next = LF_NEVER;
    works++;
    if (work_left <= 0)
        return false;
    work_left--;
    if (act_in_work) {
        struct lf_outcome outcome = {0};
        struct lf_error err = {0};
        struct lf_action action = {.kind = LF_ACTION_RUN, .job = 7, .name = "weigh"};
        lf_instrument_act(instrument, &action, &outcome, &err);
        lf_outcome_free(&outcome);
    }
    return true;
}

static enum lf_status found(void *context, struct lf_instrument *instrument, const struct lf_finding *finding,
                            struct lf_error *err)
{
    (void)context;
    (void)instrument;
    (void)finding;
    (void)err;
    return LF_OK;
}

static void changed(void *context, struct lf_instrument *instrument)
{
    (void)context;
    (void)instrument;
    changes++;
}

static struct lf_instrument *start_with(const char *name, const char *expect, bool paused)
{
    works = changes = 0;
    struct lf_instrument *instrument = NULL;
    struct lf_instrument_options options = {.name = name,
                                            .driver = &fake_driver,
                                            .expect_identity = expect,
                                            .paused = paused ? "configured so" : NULL};
    struct lf_instrument_hooks hooks = {.work = work, .found = found, .changed = changed};
    NEED(lf_instrument_open(&options, &hooks, &instrument, UNIT_ERROR) == LF_OK);
    NEED(lf_instrument_start(instrument, UNIT_ERROR) == LF_OK);
    return instrument;
}

static struct lf_instrument *start(const char *name)
{
    return start_with(name, NULL, false);
}

static void stop(struct lf_instrument *instrument)
{
    lf_instrument_stop(instrument);
    lf_instrument_close(instrument);
    work_left = 0;
    act_in_work = false;
}

static bool becomes(struct lf_instrument *instrument, enum lf_instrument_state state)
{
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
    while (lf_instrument_state(instrument) != state && !lf_deadline_passed(deadline))
        lf_sleep_until(lf_deadline_in(5), NULL);
    return lf_instrument_state(instrument) == state;
}

/* The bench has gone through its loop once more, with what was set before this call: what it was to do, it
 * has done. */
static void go_round(struct lf_instrument *instrument, struct fake_device *device)
{
    int listens = device->listens;
    lf_instrument_kick(instrument);
    CHECK(fake_reached(&device->listens, listens + 1));
}

/* A question waits for the bench. */
static bool asked(struct lf_instrument *instrument)
{
    for (int64_t end = lf_deadline_in(UNIT_SOON_MS);; lf_sleep_until(lf_deadline_in(2), NULL)) {
        lf_mutex_lock(&instrument->mutex);
        bool waits = instrument->question != NULL;
        lf_mutex_unlock(&instrument->mutex);
        if (waits || lf_deadline_passed(end))
            return waits;
    }
}

static const char *info_text(struct lf_instrument *instrument, const char *key)
{
    static char text[300];
    cJSON *info = lf_instrument_info(instrument, NULL);
    snprintf(text, sizeof text, "%s", lf_json_text_or(info, key, ""));
    cJSON_Delete(info);
    return text;
}

static void connects_with_back_off(void)
{
    struct fake_device *device = fake_device("a");
    device->connect_fails = 3;
    struct lf_instrument *instrument = start("a");
    CHECK(becomes(instrument, LF_INSTRUMENT_IDLE));
    CHECK_INT(device->connects, 4);
    CHECK_INT(device->disconnects, 3);
    CHECK_STR(info_text(instrument, "identity"), "fake 1.0");
    stop(instrument);
    CHECK_INT(device->disconnects, 4);
    CHECK_INT(device->open, 0);
    fake_devices_free();
}

static void heals_after_unplug(void)
{
    struct fake_device *device = fake_device("a");
    struct lf_instrument *instrument = start("a");
    NEED(becomes(instrument, LF_INSTRUMENT_IDLE));
    device->vanish = true;
    lf_instrument_kick(instrument);
    CHECK(fake_reached(&device->disconnects, 1));
    CHECK(fake_reached(&device->connects, 2));
    CHECK(becomes(instrument, LF_INSTRUMENT_IDLE));
    stop(instrument);
    fake_devices_free();
}

/* A device that connects and vanishes is not tried in a tight loop: a quarter of a second at least lies
 * between two tries. */
static void flapping_is_not_spun_on(void)
{
    struct fake_device *device = fake_device("a");
    device->act_status = LF_DISCONNECTED;
    device->act_class = LF_TRANSIENT;
    work_left = 1000000;
    act_in_work = true;
    int64_t begun = lf_clock_mono_ms();
    struct lf_instrument *instrument = start("a");
    CHECK(fake_reached(&device->connects, 4));
    CHECK(lf_clock_mono_ms() - begun >= 3 * 250);
    stop(instrument);
    fake_devices_free();
}

static void paused_starts_nothing(void)
{
    struct fake_device *device = fake_device("a");
    struct lf_instrument *instrument = start_with("a", NULL, true);
    NEED(becomes(instrument, LF_INSTRUMENT_PAUSED));
    CHECK(fake_reached(&device->listens, 1)); /* results are still found */
    CHECK_INT(works, 0);
    CHECK_STR(info_text(instrument, "note"), "configured so");
    work_left = 2;
    lf_instrument_resume(instrument);
    CHECK(fake_reached(&works, 3));
    CHECK(becomes(instrument, LF_INSTRUMENT_IDLE));
    lf_instrument_pause(instrument, "door is open");
    CHECK(becomes(instrument, LF_INSTRUMENT_PAUSED));
    CHECK_STR(info_text(instrument, "note"), "door is open");
    go_round(instrument, device);
    int seen = works;
    work_left = 1;
    go_round(instrument, device);
    CHECK_INT(works, seen);
    stop(instrument);
    fake_devices_free();
}

/* ---- pauses in the order of commits ---- */

/* What another thread may do between a commit and its effects. */
static void pause_meanwhile(void *instrument, int64_t number, const char *why)
{
    (void)number;
    lf_instrument_pause(instrument, why);
}

static const struct {
    struct unit_row row;
    const char *committed, *meanwhile; /* why it is paused; "": resumed */
} orders[] = {
    {{"a pause that takes effect after a later resume changes nothing"}, "door is open", ""},
    {{"a resume that takes effect after a later pause changes nothing"}, "", "door is open"},
    {{"of two pauses the later one says why, whichever takes effect first"}, "changing tips", "door is open"},
};

static void later_commit_wins(void)
{
    const typeof(*orders) *row = unit_row();
    fake_device("a");
    struct lf_journal *journal = core_journal();
    struct lf_instrument *instrument = NULL;
    struct lf_instrument_options options = {.name = "a",
                                            .driver = &fake_driver,
                                            .journal = journal,
                                            .paused = *row->committed ? NULL : "configured so"};
    struct lf_instrument_hooks hooks = {.work = work, .found = found, .changed = changed};
    NEED(lf_instrument_open(&options, &hooks, &instrument, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    lf_journal_after_commit(journal, pause_meanwhile, instrument, 0, row->meanwhile);
    lf_instrument_pause(instrument, row->committed);
    NEED(lf_journal_end(journal, LF_OK, UNIT_ERROR) == LF_OK);
    CHECK_STR(instrument->paused, row->meanwhile);
    lf_instrument_close(instrument);
    lf_journal_close(journal);
    fake_devices_free();
}

/* A job may have been made for another driver. */
/* One action of the device "a", without its bench. */
static enum lf_status act_with(const struct lf_driver *driver, struct lf_error *err)
{
    struct lf_instrument *instrument = NULL;
    struct lf_instrument_options options = {.name = "a", .driver = driver};
    struct lf_instrument_hooks hooks = {.work = work, .found = found, .changed = changed};
    struct lf_action action = {.kind = LF_ACTION_RUN, .name = "weigh"};
    struct lf_outcome outcome = {0};
    NEED(lf_instrument_open(&options, &hooks, &instrument, UNIT_ERROR) == LF_OK);
    instrument->connected = true;
    enum lf_status status = lf_instrument_act(instrument, &action, &outcome, err);
    instrument->connected = false;
    lf_outcome_free(&outcome);
    lf_instrument_close(instrument);
    fake_devices_free();
    return status;
}

static void no_act_is_no_success(void)
{
    struct lf_driver collects = fake_driver;
    struct lf_error err;
    collects.can = LF_CAN_COLLECT;
    collects.act = NULL;
    fake_device("a");
    CHECK_INT(act_with(&collects, &err), LF_UNSUPPORTED);
}

static void unexplained_failure_is_doubt(void)
{
    struct fake_device *device = fake_device("a");
    struct lf_error err = {.class = LF_TRANSIENT}; /* of an earlier call */
    device->act_status = LF_IO;
    device->act_mute = true;
    CHECK_INT(act_with(&fake_driver, &err), LF_IO);
    CHECK_INT(err.class, LF_UNKNOWN_OUTCOME);
}

static void cancels_what_runs(void)
{
    struct fake_device *device = fake_device("a");
    device->stuck = true;
    work_left = 1;
    act_in_work = true;
    struct lf_instrument *instrument = start("a");
    NEED(fake_reached(&device->acts, 1));
    CHECK(becomes(instrument, LF_INSTRUMENT_BUSY));
    CHECK(!lf_instrument_cancel(instrument, 8)); /* another job's cancel is not for this one */
    CHECK(lf_instrument_state(instrument) == LF_INSTRUMENT_BUSY);
    CHECK(lf_instrument_cancel(instrument, 7));
    CHECK(becomes(instrument, LF_INSTRUMENT_IDLE));
    /* Nothing runs: the caller learns it, and nothing later is hit. */
    CHECK(!lf_instrument_cancel(instrument, 7));
    device->stuck = false;
    work_left = 1;
    lf_instrument_kick(instrument);
    CHECK(fake_reached(&device->acts, 2));
    CHECK(becomes(instrument, LF_INSTRUMENT_IDLE));
    stop(instrument);
    fake_devices_free();
}

static enum lf_status ask(struct lf_instrument *instrument, const char *command, bool once, int64_t ms,
                          char *text)
{
    struct lf_outcome outcome = {0};
    struct lf_error err = {0};
    enum lf_status status = lf_instrument_ask(instrument, command, NULL, 0, once, lf_deadline_in(ms),
                                              &outcome, &err);
    snprintf(text, 200, "%s", status == LF_OK && outcome.count ? outcome.captures[0].value : err.text);
    lf_outcome_free(&outcome);
    return status;
}

static void asks(void)
{
    struct fake_device *device = fake_device("a");
    char text[200];
    device->says = "12.34";
    struct lf_instrument *instrument = start("a");
    NEED(becomes(instrument, LF_INSTRUMENT_IDLE));
    CHECK_INT(ask(instrument, "weight", false, UNIT_SOON_MS, text), LF_OK);
    CHECK_STR(text, "12.34");
    device->repeat = LF_ONCE;
    CHECK_INT(ask(instrument, "tare", false, UNIT_SOON_MS, text), LF_REFUSED);
    CHECK_HAS(text, "--once");
    CHECK_INT(device->acts, 1);
    CHECK_INT(ask(instrument, "tare", true, UNIT_SOON_MS, text), LF_OK);
    CHECK_INT(device->acts, 2);
    lf_instrument_pause(instrument, "paused by maria: changing tips");
    CHECK_INT(ask(instrument, "tare", true, UNIT_SOON_MS, text), LF_REFUSED);
    CHECK_HAS(text, "a is paused by maria: changing tips; resume it first");
    CHECK_INT(device->acts, 2);
    device->repeat = LF_SAFE;
    CHECK_INT(ask(instrument, "weight", true, UNIT_SOON_MS, text), LF_OK);
    stop(instrument);
    fake_devices_free();
}

static void question_withdrawn(void)
{
    struct fake_device *device = fake_device("a");
    char text[200];
    device->stuck = true;
    work_left = 1;
    act_in_work = true;
    struct lf_instrument *instrument = start("a");
    NEED(fake_reached(&device->acts, 1));
    int64_t begun = lf_clock_mono_ms();
    CHECK_INT(ask(instrument, "weight", false, 200, text), LF_BUSY);
    CHECK(lf_clock_mono_ms() - begun >= 190);
    CHECK_HAS(text, "not sent");
    device->stuck = false;
    CHECK(becomes(instrument, LF_INSTRUMENT_IDLE));
    go_round(instrument, device);
    CHECK_INT(device->acts, 1); /* it is not asked after all */
    stop(instrument);
    fake_devices_free();
}

struct asker {
    struct lf_instrument *instrument;
    int64_t ms;
    enum lf_status status;
    char text[200];
};

static void *ask_in_thread(void *arg)
{
    struct asker *asker = arg;
    asker->status = ask(asker->instrument, "weight", false, asker->ms, asker->text);
    return NULL;
}

/* The first question is withdrawn while the second waits for its place: the second must get its turn. */
static void second_question(void)
{
    struct fake_device *device = fake_device("a");
    device->stuck = true;
    device->says = "1";
    work_left = 1;
    act_in_work = true;
    struct lf_instrument *instrument = start("a");
    NEED(fake_reached(&device->acts, 1));
    struct asker first = {.instrument = instrument, .ms = 300},
                 second = {.instrument = instrument, .ms = UNIT_SOON_MS};
    pthread_t threads[2];
    NEED(pthread_create(&threads[0], NULL, ask_in_thread, &first) == 0);
    CHECK(asked(instrument) || first.status == LF_BUSY);
    NEED(pthread_create(&threads[1], NULL, ask_in_thread, &second) == 0);
    pthread_join(threads[0], NULL);
    CHECK_INT(first.status, LF_BUSY);
    device->stuck = false;
    pthread_join(threads[1], NULL);
    CHECK_INT(second.status, LF_OK);
    stop(instrument);
    fake_devices_free();
}

static void question_at_the_end(void)
{
    struct fake_device *device = fake_device("a");
    device->stuck = true;
    work_left = 1;
    act_in_work = true;
    struct lf_instrument *instrument = start("a");
    NEED(fake_reached(&device->acts, 1));
    struct asker asker = {.instrument = instrument, .ms = UNIT_SOON_MS};
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, ask_in_thread, &asker) == 0);
    CHECK(asked(instrument));
    lf_instrument_stop(instrument);
    pthread_join(thread, NULL);
    CHECK_INT(asker.status, LF_CANCELLED);
    stop(instrument);
    fake_devices_free();
}

static void offline_question(void)
{
    struct fake_device *device = fake_device("a");
    char text[200];
    device->connect_fails = 1000;
    struct lf_instrument *instrument = start("a");
    NEED(fake_reached(&device->connects, 1));
    CHECK_INT(ask(instrument, "weight", false, UNIT_SOON_MS, text), LF_DISCONNECTED);
    CHECK_HAS(text, "nobody there");
    stop(instrument);
    fake_devices_free();
}

static void wrong_identity(void)
{
    struct fake_device *device = fake_device("a");
    device->identity = "serial 666";
    struct lf_instrument *instrument = start_with("a", "B0210", false);
    NEED(fake_reached(&device->connects, 2));
    CHECK_INT(lf_instrument_state(instrument), LF_INSTRUMENT_OFFLINE);
    CHECK_HAS(info_text(instrument, "note"), "expects \"B0210\"");
    CHECK_HAS(info_text(instrument, "note"), "serial 666");
    CHECK_INT(works, 0);
    device->identity = "serial B021002593"; /* the right one is plugged in */
    CHECK(becomes(instrument, LF_INSTRUMENT_IDLE));
    stop(instrument);
    fake_devices_free();
}

static void hung_stops_nobody_else(void)
{
    struct fake_device *hung = fake_device("hung"), *other = fake_device("other");
    char text[200];
    hung->stuck = true;
    work_left = 1;
    act_in_work = true;
    struct lf_instrument *first = start("hung");
    NEED(fake_reached(&hung->acts, 1));
    struct lf_instrument *second = start("other");
    CHECK(becomes(second, LF_INSTRUMENT_IDLE));
    other->says = "5";
    CHECK_INT(ask(second, "weight", false, UNIT_SOON_MS, text), LF_OK);
    CHECK_INT(lf_instrument_state(first), LF_INSTRUMENT_BUSY);
    stop(first);
    stop(second);
    fake_devices_free();
}

/* A driver that fills only the slots it must. */
static struct lf_driver smallest(uint32_t can)
{
    struct lf_driver driver = {.abi = LF_DRIVER_ABI,
                               .name = "smallest",
                               .help = "For tests.",
                               .can = can,
                               .settings = fake_driver.settings,
                               .open = fake_driver.open,
                               .close = fake_driver.close,
                               .connect = fake_driver.connect,
                               .disconnect = fake_driver.disconnect};
    return driver;
}

static struct lf_error call_error;
static enum lf_status call_status[4];
static enum lf_verdict call_verdict;

static bool call_empty_slots(void *context, struct lf_instrument *instrument, int64_t *next)
{
    (void)context;
    struct lf_action action = {.kind = LF_ACTION_RUN, .name = "weigh"};
    struct lf_outcome outcome = {0};
    struct lf_error err = {0};
    enum lf_repeat repeat;
    *next = LF_NEVER;
    if (works++)
        return false;
    call_status[0] = lf_instrument_repeat(instrument, &action, &repeat, &call_error);
    call_status[1] = lf_instrument_act(instrument, &action, &outcome, &err);
    call_status[2] = lf_instrument_take(instrument, "a.csv", "1", NULL, 0, &err);
    call_status[3] = lf_instrument_archive(instrument, "a.csv", "1", &err);
    call_verdict = lf_instrument_verify(instrument, &action, &outcome, &err);
    return true;
}

static void empty_slots(void)
{
    struct lf_driver driver = smallest(0);
    struct lf_instrument_options options = {.name = "lamp", .driver = &driver};
    struct lf_instrument_hooks hooks = {.work = call_empty_slots, .found = found, .changed = changed};
    struct lf_instrument *instrument = NULL;
    struct lf_error err = {0};
    works = 0;
    NEED(lf_instrument_open(&options, &hooks, &instrument, &err) == LF_OK);
    NEED(lf_instrument_start(instrument, &err) == LF_OK);
    CHECK(fake_reached(&works, 2)); /* it listens now, by waiting */
    lf_instrument_kick(instrument);
    CHECK(fake_reached(&works, 3));
    lf_instrument_close(instrument);
    CHECK_INT(call_status[0], LF_UNSUPPORTED);
    CHECK_HAS(call_error.text, "only collects");
    CHECK_INT(call_status[1], LF_UNSUPPORTED);
    CHECK_INT(call_status[2], LF_NOT_FOUND);
    CHECK_INT(call_status[3], LF_OK);
    CHECK_INT(call_verdict, LF_VERDICT_UNKNOWN);
    fake_devices_free();
}

static void refused_at_the_door(void)
{
    struct lf_instrument *instrument = NULL;
    struct lf_error err = {0};
    struct lf_instrument_hooks hooks = {.work = work, .found = found};
    struct lf_driver driver = smallest(0);
    struct lf_instrument_options options = {.name = "lamp", .driver = &driver};
    driver.abi = LF_DRIVER_ABI + 7;
    CHECK_INT(lf_instrument_open(&options, &hooks, &instrument, &err), LF_UNSUPPORTED);
    CHECK(instrument == NULL);
    CHECK_HAS(err.text, "smallest");
}

UNIT_TESTS("instrument",
           {"a driver's empty slots are honoured: the host waits for it and answers for it", empty_slots},
           {"a driver built for another version of the contract is refused by name", refused_at_the_door},
           {"a device that is not there is tried again, and connected once it is", connects_with_back_off},
           {"an unplugged device is disconnected, and connected again when it is back", heals_after_unplug},
           {"a device that connects and vanishes is not tried in a tight loop", flapping_is_not_spun_on,
            UNIT_SLOW},
           {"a paused instrument starts nothing, listens on, and goes on when resumed",
            paused_starts_nothing},
           UNIT_ROWS(orders, later_commit_wins),
           {"an action is refused if the driver cannot act", no_act_is_no_success},
           {"if a driver fails without an error, what it did is in doubt, whatever the last error was",
            unexplained_failure_is_doubt},
           {"a cancel ends what runs for that job, and nothing else", cancels_what_runs},
           {"an operator's question is answered; one that moves something needs --once, and no pause", asks},
           {"a question that cannot be asked in time is withdrawn and never asked", question_withdrawn},
           {"a question that waits behind a withdrawn one gets its turn", second_question},
           {"a question is answered when the agent stops", question_at_the_end},
           {"a question to an instrument that is offline is answered with the reason", offline_question},
           {"the wrong instrument on the cable is recognised and not used", wrong_identity},
           {"an instrument that hangs stops no other one, and does not delay the end of the agent",
            hung_stops_nobody_else}, )
