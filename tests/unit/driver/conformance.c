#include "conformance.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a host and a device ---- */

struct stand {
    struct lf_values *values;
    struct lf_host host;
    struct lf_cancel cancel;
    struct lf_wake wake;
    void *device;
    struct lf_error err;
    struct lf_outcome outcome;
    int refusals; /* so many findings are refused first */
    int reported, kept;
    bool refused_kept_its_id;
    char id[300], version[160], data[4000];
};

static enum lf_status on_found(void *self, const struct lf_finding *finding, struct lf_error *err)
{
    struct stand *stand = self;
    CHECK(finding->id && *finding->id && finding->version && *finding->version && finding->name);
    if (stand->reported++)
        stand->refused_kept_its_id = !strcmp(stand->id, finding->id)
                                     && !strcmp(stand->version, finding->version);
    snprintf(stand->id, sizeof stand->id, "%s", finding->id);
    snprintf(stand->version, sizeof stand->version, "%s", finding->version);
    snprintf(stand->data, sizeof stand->data, "%.*s", finding->data ? (int)finding->len : 0,
             finding->data ? (const char *)finding->data : "");
    if (stand->refusals-- > 0)
        return lf_fail(err, LF_FULL, LF_TRANSIENT, "the disk is full");
    stand->kept++;
    return LF_OK;
}

static enum lf_status on_identity(void *self, const char *identity, struct lf_error *err)
{
    (void)self, (void)err;
    CHECK(identity != NULL);
    return LF_OK;
}

static void on_progress(void *self, const char *text)
{
    (void)self;
    CHECK(text != NULL);
}

static void on_concern(void *self, const char *about, bool stands, const char *text, const char *todo)
{
    (void)self;
    CHECK(about && *about);
    CHECK(text ? *text && todo && *todo : stands);
}

/* It worked; otherwise the error's text is shown. */
#define CHECK_OK(status, err) CHECK_STR((status) == LF_OK ? "" : (err).text, "")

static struct lf_values *values_of(const char *const *settings)
{
    struct lf_error err = {0};
    struct lf_values *values = lf_values_new(fixture.driver->settings, "the test's instrument");
    NEED(values != NULL);
    for (; *settings; settings += 2)
        lf_values_set(values, settings[0], settings[1], NULL, &err);
    lf_values_finish(values, &err);
    CHECK_STR(err.text, "");
    return values;
}

/* A host with an open device; the fixture has begun. */
static void stand_open(struct stand *stand, const char *const *settings)
{
    memset(stand, 0, sizeof *stand);
    NEED(lf_cancel_open(&stand->cancel, &stand->err) == LF_OK);
    NEED(lf_wake_open(&stand->wake, &stand->err) == LF_OK);
    stand->host = (struct lf_host){.self = stand,
                                   .instrument = "instrument-1",
                                   .agent = "bench-1",
                                   .cancel = &stand->cancel,
                                   .wake = &stand->wake,
                                   .found = on_found,
                                   .identity = on_identity,
                                   .progress = on_progress,
                                   .way = on_progress,
                                   .concern = on_concern};
    stand->values = values_of(settings);
    CHECK_OK(fixture.driver->open(stand->values, &stand->host, &stand->device, &stand->err), stand->err);
    NEED(stand->device != NULL);
}

static enum lf_status stand_connect(struct stand *stand)
{
    memset(&stand->err, 0, sizeof stand->err);
    return fixture.driver->connect(stand->device, &stand->err);
}

static void stand_close(struct stand *stand)
{
    if (stand->device) {
        fixture.driver->disconnect(stand->device);
        fixture.driver->close(stand->device);
    }
    lf_outcome_free(&stand->outcome);
    lf_values_free(stand->values);
    lf_cancel_close(&stand->cancel);
    lf_wake_close(&stand->wake);
}

static void begin(struct stand *stand, bool patient)
{
    stand_open(stand, fixture.begin(patient));
    int64_t give_up = lf_deadline_in(UNIT_SOON_MS); /* a busy machine may be too slow for an impatient one */
    enum lf_status status;
    while ((status = stand_connect(stand)) != LF_OK && status != LF_NO_MEMORY
           && !lf_deadline_passed(give_up)) {
        fixture.driver->disconnect(stand->device);
        lf_sleep_until(lf_deadline_in(10), NULL);
    }
    CHECK_OK(status, stand->err);
}

static void end(struct stand *stand)
{
    stand_close(stand);
    fixture.end();
}

static enum lf_status act(struct stand *stand, int64_t job)
{
    memset(&stand->err, 0, sizeof stand->err);
    lf_outcome_free(&stand->outcome);
    return fixture.driver->act(stand->device, fixture.action(job), &stand->outcome, &stand->err);
}

/* An error is complete, and says what the contract asks for. */
static void check_error(const struct lf_error *err, enum lf_status status)
{
    CHECK(status != LF_OK);
    CHECK_INT(err->status, status);
    CHECK(err->class != LF_CLASS_NONE);
    CHECK(err->text[0] != '\0');
}

/* ---- the form ---- */

static void form(void)
{
    struct lf_error err = {0};
    CHECK_OK(lf_driver_check(fixture.driver, &err), err);
    CHECK(fixture.driver->name && fixture.driver->help);
    for (const struct lf_setting *row = fixture.driver->settings; row->name; row++) {
        CHECK(row->help && *row->help);
        CHECK(lf_setting_find(fixture.driver->settings, row->name) == row); /* no name twice */
    }
}

/* ---- refusing ---- */

static void refuse_action(struct stand *stand, struct lf_action action)
{
    struct lf_error err = {0};
    enum lf_repeat repeat;
    enum lf_status status = fixture.driver->repeat(stand->device, &action, &repeat, &err);
    check_error(&err, status);
    CHECK_INT(err.class, LF_PERMANENT);
    memset(&err, 0, sizeof err);
    check_error(&err, fixture.driver->act(stand->device, &action, &stand->outcome, &err));
    CHECK_INT(err.class, LF_PERMANENT);
}

static void refuses(void)
{
    const struct lf_driver *driver = fixture.driver;
    struct stand stand;
    begin(&stand, true);
    if (driver->repeat) {
        refuse_action(&stand, (struct lf_action){.kind = LF_ACTION_RUN, .name = "unheard-of"});
        refuse_action(&stand, (struct lf_action){.kind = LF_ACTION_ASK, .name = "unheard-of"});
        if (!(driver->can & LF_CAN_DELIVER))
            refuse_action(&stand, (struct lf_action){.kind = LF_ACTION_DELIVER});
    }
    if (driver->take) {
        struct lf_error err = {0};
        check_error(&err, driver->take(stand.device, "unheard-of", "1", NULL, 100, &err));
        CHECK_INT(err.status, LF_NOT_FOUND);
    }
    end(&stand);
}

static void refuses_settings(void)
{
    if (!fixture.refused)
        return;
    struct lf_error err = {0};
    struct lf_values *values = values_of(fixture.refused);
    check_error(&err, fixture.driver->check(values, NULL, NULL, &err));
    lf_values_free(values);
}

static void failed_open(void)
{
    const char *const *settings = fixture.begin(false);
    struct lf_values *values = values_of(settings);
    for (unsigned n = 1; unit_failing(n); n++) {
        struct lf_host host = {.instrument = "instrument-1", .agent = "bench-1"};
        struct lf_error err = {0};
        void *device = NULL;
        enum lf_status status = fixture.driver->open(values, &host, &device, &err);
        unit_failing_over();
        CHECK_INT(device != NULL, status == LF_OK);
        if (device)
            fixture.driver->close(device); /* never connected */
        else
            check_error(&err, status);
    }
    lf_values_free(values);
    fixture.end();
}

static void failed_connect(void)
{
    struct stand stand;
    begin(&stand, true);
    fixture.driver->disconnect(stand.device);
    fixture.power(false);
    for (int i = 0; i < 3; i++) {
        enum lf_status status = stand_connect(&stand);
        check_error(&stand.err, status);
        CHECK_INT(stand.err.class, LF_TRANSIENT);
        fixture.driver->disconnect(stand.device);
    }
    fixture.driver->disconnect(stand.device); /* once more does no harm */
    fixture.power(true);
    CHECK_OK(stand_connect(&stand), stand.err);
    if (fixture.action) {
        CHECK_OK(act(&stand, 1), stand.err);
        CHECK_INT(fixture.done(1), 1);
    }
    end(&stand);
}

/* ---- waiting ---- */

/* Whether the call waits already when the cancel comes, or only afterwards, its answer must be the same: a
 * busy machine changes nothing. */
static void *cancel_soon(void *cancel)
{
    lf_sleep_until(lf_deadline_in(50), NULL);
    lf_cancel_set(cancel);
    return NULL;
}

/* What a cancelled call of each kind says. A call that overlooks the cancel waits for a minute and then says
 * something else. */
static void cancel_call(struct stand *stand, enum lf_status (*call)(struct stand *stand),
                        enum lf_status expected)
{
    pthread_t thread;
    for (int early = 0; early < 2; early++) {
        if (early)
            lf_cancel_set(&stand->cancel);
        else
            NEED(pthread_create(&thread, NULL, cancel_soon, &stand->cancel) == 0);
        CHECK_INT(call(stand), expected);
        if (!early)
            pthread_join(thread, NULL);
        lf_cancel_reset(&stand->cancel);
    }
}

static enum lf_status listen_long(struct stand *stand)
{
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
    enum lf_status status = fixture.driver->listen(stand->device, deadline, &stand->err);
    CHECK(!lf_deadline_passed(deadline));
    return status;
}

static int64_t jobs;

static enum lf_status act_silent(struct stand *stand)
{
    enum lf_status status = act(stand, ++jobs);
    if (fixture.done(jobs))
        CHECK_INT(stand->err.class, LF_UNKNOWN_OUTCOME);
    return status;
}

static enum lf_status connect_silent(struct stand *stand)
{
    enum lf_status status = stand_connect(stand);
    fixture.driver->disconnect(stand->device);
    return status;
}

static void cancelled(void)
{
    struct stand stand;
    begin(&stand, true);
    if (fixture.driver->listen)
        cancel_call(&stand, listen_long, LF_OK);
    if (fixture.silent)
        fixture.silent(true);
    if (fixture.silent_act)
        cancel_call(&stand, act_silent, LF_CANCELLED);
    fixture.driver->disconnect(stand.device);
    if (fixture.silent_connect)
        cancel_call(&stand, connect_silent, LF_CANCELLED);
    if (fixture.silent)
        fixture.silent(false);
    CHECK_OK(stand_connect(&stand), stand.err); /* and it works again */
    CHECK_OK(fixture.action ? act(&stand, ++jobs) : LF_OK, stand.err);
    end(&stand);
}

static void woken(void)
{
    struct stand stand;
    begin(&stand, true);
    if (fixture.driver->listen) {
        lf_wake_up(&stand.wake);
        CHECK_INT(listen_long(&stand), LF_OK);
    }
    end(&stand);
}

static void deadlines(void)
{
    struct stand stand;
    begin(&stand, false);
    if (fixture.driver->listen) {
        int64_t deadline = lf_deadline_in(30);
        CHECK_INT(fixture.driver->listen(stand.device, deadline, &stand.err), LF_OK);
        CHECK(lf_deadline_passed(deadline));
    }
    if (fixture.silent)
        fixture.silent(true);
    if (fixture.silent_act) {
        CHECK_INT(act(&stand, 1), LF_TIMEOUT);
        if (fixture.done(1))
            CHECK_INT(stand.err.class, LF_UNKNOWN_OUTCOME);
    }
    fixture.driver->disconnect(stand.device);
    if (fixture.silent_connect) {
        check_error(&stand.err, stand_connect(&stand));
        CHECK(stand.err.class == LF_TRANSIENT);
    }
    end(&stand);
}

/* ---- findings ---- */

static void take(struct stand *stand, const char *text)
{
    char path[600], bytes[4000];
    snprintf(path, sizeof path, "%.500s/taken", unit_folder());
    FILE *file = fopen(path, "w+");
    NEED(file != NULL);
    CHECK_OK(fixture.driver->take(stand->device, stand->id, stand->version, UNIT_FILE(fileno(file)), 4000,
                                  &stand->err),
             stand->err);
    rewind(file);
    bytes[fread(bytes, 1, sizeof bytes - 1, file)] = '\0';
    CHECK_HAS(bytes, text);
    /* without a file: is that version still there? */
    CHECK_OK(fixture.driver->take(stand->device, stand->id, stand->version, NULL, 4000, &stand->err),
             stand->err);
    enum lf_status status = fixture.driver->take(stand->device, stand->id, stand->version,
                                                 UNIT_FILE(fileno(file)), 1, &stand->err);
    CHECK_INT(status, LF_TOO_LARGE);
    memset(&stand->err, 0, sizeof stand->err);
    status = fixture.driver->take(stand->device, stand->id, "another", UNIT_FILE(fileno(file)), 4000,
                                  &stand->err);
    CHECK_INT(status, LF_MISMATCH);
    CHECK_INT(stand->err.class, LF_TRANSIENT);
    fclose(file);
}

static void reported_until_stored(void)
{
    if (!fixture.produce)
        return;
    struct stand stand;
    begin(&stand, true);
    stand.refusals = 2;
    fixture.produce("result 42");
    enum lf_status status = LF_OK;
    for (int64_t give_up = lf_deadline_in(UNIT_SOON_MS);
         !stand.kept && status != LF_NO_MEMORY && !lf_deadline_passed(give_up);) {
        struct lf_error err = {0};
        status = fixture.driver->listen(stand.device, lf_deadline_in(100), &err);
        if (status == LF_DISCONNECTED) {
            fixture.driver->disconnect(stand.device);
            status = stand_connect(&stand);
            CHECK_OK(status, stand.err);
        }
    }
    CHECK_INT(stand.kept, 1);
    CHECK(stand.reported >= 3);
    CHECK(stand.refused_kept_its_id);
    if (fixture.driver->take)
        take(&stand, "result 42");
    else
        CHECK_HAS(stand.data, "result 42");
    for (int i = 0; i < 2 && fixture.driver->archive; i++) {
        CHECK_OK(fixture.driver->archive(stand.device, stand.id, stand.version, &stand.err), stand.err);
    }
    end(&stand);
}

/* ---- killed around an act ---- */

enum { CALLS_MAX = 2000 };

/* In a process of its own: stops before the action and after it, for the other to look and to let go on. */
static void act_traced(const char *const *settings, int64_t job)
{
    struct stand stand;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(77);
    stand_open(&stand, settings);
    if (stand_connect(&stand) != LF_OK)
        _exit(78);
    if (fixture.driver->prepare
        && fixture.driver->prepare(stand.device, fixture.action(job), &stand.err) != LF_OK)
        _exit(79);
    raise(SIGSTOP);
    act(&stand, job);
    raise(SIGSTOP);
    _exit(0);
}

/* Runs the action in another process and kills it at the n-th stop at a system call (each stops at its begin
 * and at its end). n 0: before the action. *over: the action was through before n. False: processes cannot be
 * traced here. */
static bool kill_at(const char *const *settings, int64_t job, int n, bool *over)
{
    int status = 0;
    pid_t pid = fork();
    NEED(pid >= 0);
    if (!pid)
        act_traced(settings, job);
    NEED(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status))
        CHECK_INT(WEXITSTATUS(status), 77);
    if (!WIFSTOPPED(status))
        return false;
    *over = false;
    for (int i = 0; i < n && !*over; i++) {
        NEED(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0);
        NEED(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
        *over = WSTOPSIG(status) == SIGSTOP && i > 0;
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return true;
}

/* What the next life finds: verify is asked, and is right or does not know. */
static void look_after(const char *const *settings, int64_t job, bool begun, bool over)
{
    struct stand stand;
    stand_open(&stand, settings);
    CHECK_OK(stand_connect(&stand), stand.err);
    enum lf_verdict verdict = fixture.driver->verify(stand.device, fixture.action(job), &stand.outcome,
                                                     &stand.err);
    int done = fixture.done(job);
    if (!begun)
        CHECK(done == 0 && verdict != LF_VERDICT_DONE);
    if (over)
        CHECK(done == 1 && verdict != LF_VERDICT_NOT_DONE);
    if (verdict == LF_VERDICT_DONE)
        CHECK_INT(done, 1);
    if (verdict == LF_VERDICT_UNKNOWN)
        CHECK(stand.err.text[0] != '\0');
    if (verdict == LF_VERDICT_NOT_DONE) {
        CHECK_INT(done, 0);
        CHECK_OK(act(&stand, job), stand.err);
        CHECK_INT(fixture.done(job), 1);
    }
    stand_close(&stand);
}

static void blind(void)
{
    struct stand stand;
    if (!fixture.blind)
        return;
    stand_open(&stand, fixture.begin(false));
    CHECK_OK(stand_connect(&stand), stand.err);
    fixture.blind(true);
    CHECK_INT(fixture.driver->verify(stand.device, fixture.action(1), &stand.outcome, &stand.err),
              LF_VERDICT_UNKNOWN);
    CHECK(stand.err.text[0] != '\0');
    fixture.blind(false);
    stand_close(&stand);
    fixture.end();
}

static void killed(void)
{
    if (!fixture.driver->verify)
        return; /* a person decides */
    const char *const *settings = fixture.begin(false);
    bool over = false;
    for (int n = 0; !over && n < CALLS_MAX && kill_at(settings, n + 1, n, &over); n++)
        look_after(settings, n + 1, n > 0, over);
    fixture.end();
}

UNIT_TESTS(
    "driver", {"it fills the slots that it needs, and explains each setting", form},
    {"it refuses what it does not know, and says why", refuses},
    {"settings that cannot work are refused before an instrument is touched", refuses_settings},
    {"an open that fails leaves nothing behind, and one that never connects is closed", failed_open},
    {"after a failed connect it is disconnected, and connected once the instrument is there", failed_connect},
    {"a cancel ends every wait, before and during it", cancelled},
    {"listening ends when the host wakes it", woken}, {"every wait ends at its deadline", deadlines},
    {"a result is reported until the host has stored it", reported_until_stored},
    {"if it cannot look whether an action was done, it answers unknown", blind},
    {"killed at any system call of an action, it knows afterwards whether it was done, or answers unknown",
     killed}, )
