/* The driver as the host sees it. */
#include "drivers/driver.h"

#include "drivers/line/profile.h"
#include "peer.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

extern const struct lf_driver lf_driver_line;

/* A host that remembers what the driver has reported. */
struct host {
    struct lf_host host;
    struct lf_cancel cancel;
    struct lf_wake wake;
    char identity[100];
    bool refuse_identity, refuse_found;
    int found;
    char ids[8][100], names[8][200], data[8][300];
};

static enum lf_status on_found(void *self, const struct lf_finding *finding, struct lf_error *err)
{
    struct host *host = self;
    if (host->refuse_found)
        return lf_fail(err, LF_FULL, LF_TRANSIENT, "disk full");
    snprintf(host->ids[host->found], sizeof host->ids[0], "%s", finding->id);
    snprintf(host->names[host->found], sizeof host->names[0], "%s", finding->name);
    snprintf(host->data[host->found++], sizeof host->data[0], "%.*s", (int)finding->len,
             (const char *)finding->data);
    return LF_OK;
}

static enum lf_status on_identity(void *self, const char *identity, struct lf_error *err)
{
    struct host *host = self;
    snprintf(host->identity, sizeof host->identity, "%s", identity);
    return host->refuse_identity ? lf_fail(err, LF_MISMATCH, LF_NEEDS_PERSON, "another") : LF_OK;
}

static void on_progress(void *self, const char *text)
{
    (void)self, (void)text;
}

static void on_concern(void *self, const char *about, bool stands, const char *text, const char *todo)
{
    (void)self, (void)about, (void)stands, (void)text, (void)todo;
}

struct device {
    struct host host;
    struct peer peer;
    struct lf_values *values;
    void *device;
    struct lf_error err;
};

static struct lf_values *values_for(const char *stream, const char *profile, const char *input)
{
    struct lf_error err = {0};
    struct lf_values *values = lf_values_new(lf_driver_line.settings, "test");
    NEED(values != NULL);
    lf_values_set(values, "stream", stream, NULL, &err);
    lf_values_set(values, "profile", profile, NULL, &err);
    if (input)
        lf_values_set(values, "inputs", input, NULL, &err);
    lf_values_finish(values, &err);
    CHECK_STR(err.text, "");
    return values;
}

static void begin(struct device *device, const char *profile, const struct peer_step *steps, size_t count)
{
    memset(device, 0, sizeof *device);
    setenv("LABFERRY_PROFILE_PATH", unit_source("etc/profiles"), 1);
    struct host *host = &device->host;
    NEED(lf_cancel_open(&host->cancel, UNIT_ERROR) == LF_OK
         && lf_wake_open(&host->wake, UNIT_ERROR) == LF_OK);
    host->host = (struct lf_host){.self = host,
                                  .instrument = "balance 1",
                                  .cancel = &host->cancel,
                                  .wake = &host->wake,
                                  .found = on_found,
                                  .identity = on_identity,
                                  .progress = on_progress,
                                  .concern = on_concern};
    peer_start(&device->peer, steps, count);
    device->peer.cancel = &host->cancel;
    device->values = values_for(device->peer.spec, profile, NULL);
    NEED(lf_driver_line.open(device->values, &host->host, &device->device, &device->err) == LF_OK);
}

static void end(struct device *device)
{
    lf_driver_line.disconnect(device->device);
    peer_stop(&device->peer);
    lf_driver_line.close(device->device);
    lf_values_free(device->values);
    lf_cancel_close(&device->host.cancel);
    lf_wake_close(&device->host.wake);
}

#define DEVICE(profile, ...)                                                                                 \
    static const struct peer_step steps[] = {__VA_ARGS__};                                                   \
    struct device d;                                                                                         \
    begin(&d, profile, steps, sizeof steps / sizeof *steps)

#define HELLO                                                                                                \
    {                                                                                                        \
        E("@\r\n"), R("I4 A \"B021002593\"\r\n")                                                             \
    }

static enum lf_status connect_device(struct device *d)
{
    return lf_driver_line.connect(d->device, &d->err);
}

static enum lf_status act(struct device *d, enum lf_action_kind kind, const char *name,
                          struct lf_outcome *outcome)
{
    struct lf_action action = {.kind = kind, .name = name};
    memset(&d->err, 0, sizeof d->err);
    return lf_driver_line.act(d->device, &action, outcome, &d->err);
}

static void weighs(void)
{
    DEVICE("mt-sics", HELLO, {E("S\r\n"), R("S S     100.00 g\r\n"), .pieces = true});
    struct lf_outcome outcome = {0};
    CHECK_INT(connect_device(&d), LF_OK);
    CHECK_STR(d.host.identity, "B021002593");
    struct lf_action action = {.kind = LF_ACTION_RUN, .name = "weigh"};
    enum lf_repeat repeat = LF_ONCE;
    CHECK_INT(lf_driver_line.repeat(d.device, &action, &repeat, &d.err), LF_OK);
    CHECK_INT(repeat, LF_SAFE);
    CHECK_INT(act(&d, LF_ACTION_RUN, "weigh", &outcome), LF_OK);
    CHECK_STR(value_of(&outcome, "weight"), "100.00");
    CHECK_STR(value_of(&outcome, "unit"), "g");
    lf_outcome_free(&outcome);
    end(&d);
}

static void wrong_balance(void)
{
    DEVICE("mt-sics", HELLO);
    d.host.refuse_identity = true;
    CHECK_INT(connect_device(&d), LF_MISMATCH);
    CHECK_INT(d.err.class, LF_NEEDS_PERSON);
    end(&d);
}

static void nobody_there(void)
{
    DEVICE("mt-sics", {E("never")});
    CHECK_INT(connect_device(&d), LF_TIMEOUT);
    CHECK_HAS(d.err.text, "cable, power, baud rate");
    end(&d);
}

static void unknown_actions(void)
{
    DEVICE("mt-sics", HELLO);
    struct lf_outcome outcome = {0};
    CHECK_INT(act(&d, LF_ACTION_RUN, "wiegh", &outcome), LF_NOT_FOUND);
    CHECK_HAS(d.err.text, "did you mean \"weigh\"?");
    CHECK_INT(act(&d, LF_ACTION_ASK, "tara", &outcome), LF_NOT_FOUND);
    CHECK_HAS(d.err.text, "did you mean \"tare\"?");
    CHECK_INT(act(&d, LF_ACTION_RUN, "weigh-now", &outcome), LF_NOT_FOUND); /* provisional: no result */
    CHECK_INT(act(&d, LF_ACTION_DELIVER, "weigh", &outcome), LF_UNSUPPORTED);
    CHECK_INT(act(&d, LF_ACTION_ASK, "tare", &outcome), LF_DISCONNECTED); /* known, but not connected */
    CHECK_INT(d.err.class, LF_TRANSIENT);
    CHECK_INT(connect_device(&d), LF_OK);
    end(&d);
}

static void print_key(void)
{
    DEVICE("mt-sics", HELLO,
           {R("S S      12.34 g\r\nS D      12.35 g\r\nS S      12.36 g\r\n"), .cue = true});
    CHECK_INT(connect_device(&d), LF_OK);
    peer_cue(&d.peer);
    d.host.refuse_found = true; /* the disk is full for a while: nothing is lost */
    CHECK_INT(lf_driver_line.listen(d.device, lf_deadline_in(5000), &d.err), LF_OK);
    CHECK_INT(d.host.found, 0);
    d.host.refuse_found = false;
    CHECK_INT(lf_driver_line.listen(d.device, lf_deadline_in(5000), &d.err), LF_OK);
    CHECK_INT(d.host.found, 2);
    CHECK_HAS(d.host.data[0], "received,value,unit\r\n");
    CHECK_HAS(d.host.data[0], ",12.34,g\r\n");
    CHECK_HAS(d.host.data[1], ",12.36,g\r\n");
    CHECK(strcmp(d.host.ids[0], d.host.ids[1]) != 0);
    CHECK_HAS(d.host.names[0], "balance_1-printed-");
    CHECK_HAS(d.host.names[0], ".csv");
    end(&d);
}

static void unplugged(void)
{
    DEVICE("mt-sics", HELLO, {E("T\r\n"), .hang_up = true});
    struct lf_outcome outcome = {0};
    CHECK_INT(connect_device(&d), LF_OK);
    CHECK_INT(act(&d, LF_ACTION_ASK, "tare", &outcome), LF_DISCONNECTED);
    CHECK_INT(d.err.class, LF_UNKNOWN_OUTCOME);
    CHECK_INT(lf_driver_line.listen(d.device, lf_deadline_in(5000), &d.err), LF_DISCONNECTED);
    end(&d);
}

static void cancelled(void)
{
    DEVICE("mt-sics", HELLO, {E("S\r\n"), .cancel = true});
    struct lf_outcome outcome = {0};
    CHECK_INT(connect_device(&d), LF_OK);
    CHECK_INT(act(&d, LF_ACTION_RUN, "weigh", &outcome), LF_CANCELLED);
    CHECK_INT(lf_driver_line.listen(d.device, LF_NEVER, &d.err), LF_OK);
    end(&d);
}

static void checks(void)
{
    struct lf_error err = {0};
    setenv("LABFERRY_PROFILE_PATH", unit_source("etc/profiles"), 1);
    static const struct {
        const char *stream, *profile, *input, *says;
    } cases[] = {
        {"tcp:192.0.2.7:8001", "mt-sics", NULL, ""},
        {"tcp:192.0.2.7:8001", "new-era", "address=3", ""},
        {"tcp:192.0.2.7:8001", "new-era", "adress=3", "did you mean \"address\"?"},
        {"tcp:192.0.2.7:8001", "new-era", "address=300", "out of bounds"},
        {"tcp:192.0.2.7:8001", "new-era", "address", "name=value"},
        {"tcp:192.0.2.7:8001", "mt-siks", NULL, "LABFERRY_PROFILE_PATH names other folders"},
        {"tpc:192.0.2.7:8001", "mt-sics", NULL, "stream"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lf_values *values = values_for(cases[i].stream, cases[i].profile, cases[i].input);
        memset(&err, 0, sizeof err);
        enum lf_status status = lf_driver_line.check(values, NULL, NULL, &err);
        CHECK_INT(status == LF_OK, !*cases[i].says);
        CHECK_HAS(err.text, cases[i].says);
        lf_values_free(values);
    }
}

static void try_session(void)
{
    static const struct peer_step steps[] = {HELLO,
                                             {E("S\r\n"), R("S S     100.00 g\r\n")},
                                             {E("D \"hello world\"\r\n"), R("D A\r\n")},
                                             {E("raw\r\n"), R("ES\r\n")}};
    static char input[] = "weigh\ndisplay text='hello world'\nnonsense\n> raw<CR><LF>\nquit\n";
    struct peer peer;
    struct lf_line_profile *profile;
    struct lf_error err = {0};
    char *text = NULL;
    size_t size = 0;
    setenv("LABFERRY_PROFILE_PATH", unit_source("etc/profiles"), 1);
    NEED(lf_profile_load("mt-sics", &profile, &err) == LF_OK);
    peer_start(&peer, steps, 4);
    FILE *in = fmemopen(input, sizeof input - 1, "r"), *out = open_memstream(&text, &size);
    CHECK_INT(lf_profile_try(profile, peer.spec, &(struct lf_texts){0}, in, out, NULL, &err), LF_REFUSED);
    CHECK_HAS(err.text, "1 of what was asked failed");
    fclose(in);
    fclose(out);
    CHECK_HAS(text, "identity: B021002593");
    CHECK_HAS(text, "->   S<CR><LF>");
    CHECK_HAS(text, "<-   S S     100.00 g<CR><LF>");
    CHECK_HAS(text, "value = 100.00 (real)");
    CHECK_HAS(text, "unknown command 'nonsense'");
    CHECK_HAS(text, "<-   ES<CR><LF>");
    free(text);
    peer_stop(&peer);
    CHECK_INT(peer.done, 4);
    lf_profile_free(profile);
}

UNIT_TESTS("line", {"a procedure reads a weight", weighs},
           {"a balance other than the expected one is refused", wrong_balance},
           {"an instrument that does not answer is an error that says what to check", nobody_there},
           {"unknown commands and procedures are refused, with the nearest name", unknown_actions},
           {"lines of the Print key are findings, kept while the host cannot store them", print_key},
           {"a cable unplugged during a once command leaves its outcome unknown", unplugged},
           {"a cancel ends a long wait", cancelled},
           {"a wrong configuration is refused without opening a device", checks},
           {"a person can try a profile from a terminal", try_session}, )
