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
    int concerns;
    bool stands;
    char about[100], concern[700];
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
    struct host *host = self;
    host->concerns++;
    host->stands = stands;
    CHECK((text == NULL) == (todo == NULL));
    snprintf(host->about, sizeof host->about, "%s", about);
    snprintf(host->concern, sizeof host->concern, "%s", text ? text : "over");
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
                                  .way = on_progress,
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

/* ---- concerns ---- */

static void lines_that_nothing_matches(void)
{
    DEVICE("mt-sics", HELLO, {R("S S     10.00 g\r\nhello\r\n"), .cue = true});
    CHECK_INT(connect_device(&d), LF_OK);
    peer_cue(&d.peer);
    CHECK_INT(lf_driver_line.listen(d.device, lf_deadline_in(5000), &d.err), LF_OK);
    CHECK_INT(d.host.found, 0);
    CHECK_INT(d.host.concerns, 2);
    CHECK_STR(d.host.about, "unmatched lines");
    CHECK(!d.host.stands);
    CHECK_HAS(d.host.concern, "2 lines came");
    CHECK_HAS(d.host.concern, "'hello'");
    end(&d);
}

/* The first lines are reported at once, the rest every few seconds: a million lines are no million writes. */
static void chatter(void)
{
    static char flood[1000 * 6];
    for (size_t i = 0; i < sizeof flood; i += 6)
        memcpy(flood + i, "noise\n", 6);
    for (size_t i = 4; i < sizeof flood; i += 6)
        flood[i] = '\r';
    static const struct peer_step steps[] = {HELLO, {.reply = flood, .reply_len = sizeof flood, .cue = true}};
    struct device d;
    begin(&d, "mt-sics", steps, 2);
    CHECK_INT(connect_device(&d), LF_OK);
    peer_cue(&d.peer);
    CHECK_INT(lf_driver_line.listen(d.device, lf_deadline_in(2000), &d.err), LF_OK);
    CHECK(d.host.concerns < 20);
    UNIT_TIME_PASSES(20000);
    CHECK_INT(lf_driver_line.listen(d.device, lf_deadline_in(1000), &d.err), LF_OK);
    CHECK_HAS(d.host.concern, "1000 lines came");
    end(&d);
}

static const char *profile_file(const char *name, const char *text)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s.profile", unit_folder(), name);
    FILE *file = fopen(path, "w");
    NEED(file && fputs(text, file) >= 0 && fclose(file) == 0);
    return path;
}

static const char *mute_profile(void)
{
    return profile_file("mute",
                        "[line]\nsend_end = '<CR>'\nreply = line '<CR>'\nquiet = 1s\n[command weigh]\n"
                        "class = safe\nsend = 'W'\nexpect = '{v:int}'\n");
}

/* One failure is ordinary; the second is a concern, which is over when it answers. */
static void does_not_answer(void)
{
    DEVICE("mt-sics", HELLO);
    char path[sizeof d.peer.path];
    snprintf(path, sizeof path, "%s.away", d.peer.path);
    NEED(rename(d.peer.path, path) == 0);
    CHECK(connect_device(&d) != LF_OK);
    CHECK_INT(d.host.concerns, 0);
    CHECK(connect_device(&d) != LF_OK);
    CHECK_STR(d.host.about, "connection");
    CHECK(d.host.stands);
    CHECK_STR(d.host.concern, d.err.text);
    NEED(rename(path, d.peer.path) == 0);
    CHECK_INT(connect_device(&d), LF_OK);
    CHECK_STR(d.host.concern, "over");
    end(&d);
}

/* Without a handshake an instrument that is switched off is connected all the same. */
static void connected_and_mute(void)
{
    DEVICE(mute_profile(), {E("W\r")}, {E("W\r")}, {E("W\r"), R("7\r")});
    struct lf_outcome outcome = {0};
    CHECK_INT(connect_device(&d), LF_OK);
    CHECK_INT(act(&d, LF_ACTION_ASK, "weigh", &outcome), LF_TIMEOUT);
    CHECK_INT(d.host.concerns, 0);
    CHECK_INT(act(&d, LF_ACTION_ASK, "weigh", &outcome), LF_TIMEOUT);
    CHECK_STR(d.host.about, "answers");
    CHECK(d.host.stands);
    CHECK_INT(act(&d, LF_ACTION_ASK, "weigh", &outcome), LF_OK);
    CHECK_STR(d.host.concern, "over");
    lf_outcome_free(&outcome);
    end(&d);
}

/* A late reply may look like a line of the Print key, so it is no result; but nothing is dropped in silence.
 */
static void dropped_while_out_of_step(void)
{
    DEVICE("mt-sics", {E("@\r\n"), R("S S      12.34 g\r\nI4 A \"1\"\r\n")});
    CHECK_INT(connect_device(&d), LF_OK);
    CHECK_INT(d.host.found, 0);
    CHECK_HAS(d.host.concern, "'S S      12.34 g'");
    CHECK_HAS(d.host.concern, "print it again");
    end(&d);
}

/* ---- what must not run on ---- */

static const char pump[] =
    "[line]\nsend_end = '<CR>'\nreply = line '<CR>'\nfirst_byte = 2s\nquiet = 1s\n"
    "[identify]\nsend = 'ID'\nexpect = 'ID {identity}'\n"
    "[command go]\nclass = once\nsend = 'GO'\nexpect = 'ok'\n"
    "[command beam]\nclass = idempotent\nsend = 'ON'\nexpect = 'ok'\n"
    "[command read]\nclass = safe\nsend = 'R'\nexpect = 'v {v:int}'\n"
    "[command stop]\nclass = idempotent\nsend = 'STOP {n}'\ninput = n int 1 to 4\nexpect = 'ok'\n"
    "[command off]\nclass = once\nsend = 'OFF'\nexpect = 'ok'\n"
    "[procedure pump]\ninput = n int 1 to 4\ndo = go\ndo = read\nfinally = stop n={n}\n"
    "[procedure scan]\ninput = n int 1 to 4\ndo = beam\ndo = read\nfinally = stop n={n}\n"
    "[procedure toggle]\ndo = beam\nfinally = off\n";

static const char *pump_profile(void)
{
    return profile_file("pump", pump);
}

#define ID                                                                                                   \
    {                                                                                                        \
        E("ID\r"), R("ID P\r")                                                                               \
    }

static const struct lf_input second = {"n", "2"};

static enum lf_verdict verify(struct device *d, const char *procedure)
{
    struct lf_action action = {.kind = LF_ACTION_RUN, .name = procedure, .inputs = &second, .input_count = 1};
    struct lf_outcome outcome = {0};
    enum lf_repeat repeat;
    CHECK_INT(lf_driver_line.repeat(d->device, &action, &repeat, &d->err), LF_OK);
    CHECK_INT(repeat, LF_ONCE); /* or the host would not ask after a crash */
    return lf_driver_line.verify(d->device, &action, &outcome, &d->err);
}

static void ended_after_a_crash(void)
{
    DEVICE(pump_profile(), ID, {E("STOP 2\r"), R("ok\r")}, {E("STOP 2\r"), R("ok\r")});
    CHECK_INT(connect_device(&d), LF_OK);
    CHECK_INT(verify(&d, "pump"), LF_VERDICT_UNKNOWN);
    CHECK_HAS(d.err.text, "'stop' was done now");
    CHECK_INT(verify(&d, "scan"), LF_VERDICT_NOT_DONE); /* it may be repeated */
    CHECK_INT(verify(&d, "toggle"), LF_VERDICT_UNKNOWN);
    CHECK_HAS(d.err.text, "is not done twice");
    CHECK_STR(d.host.about, "procedure toggle");
    end(&d);
    CHECK_INT(d.peer.done, 3);
}

/* The cable is pulled while the pump runs; at the next connection it is stopped, with the same inputs. */
static void ended_after_a_lost_connection(void)
{
    static const struct peer_step again[] = {ID, {E("STOP 2\r"), R("ok\r")}};
    DEVICE(pump_profile(), ID, {E("GO\r"), R("ok\r")}, {E("R\r"), .hang_up = true});
    struct lf_action action = {.kind = LF_ACTION_RUN, .name = "pump", .inputs = &second, .input_count = 1};
    struct lf_outcome outcome = {0};
    struct peer back;
    CHECK_INT(connect_device(&d), LF_OK);
    CHECK_INT(lf_driver_line.act(d.device, &action, &outcome, &d.err), LF_DISCONNECTED);
    CHECK_INT(d.err.class, LF_UNKNOWN_OUTCOME);
    CHECK_HAS(d.host.concern, "something may still run");
    lf_driver_line.disconnect(d.device);
    peer_start(&back, again, 2);
    NEED(rename(back.path, d.peer.path) == 0);
    CHECK_INT(connect_device(&d), LF_OK);
    CHECK_STR(d.host.about, "procedure pump");
    CHECK_STR(d.host.concern, "over");
    end(&d);
    peer_stop(&back);
    CHECK_INT(back.done, 2);
}

/* ---- signs, and another handshake ---- */

static void signs(void)
{
    DEVICE("mt-sics", {E("never")});
    struct lf_action weigh = {.kind = LF_ACTION_RUN, .name = "weigh"};
    struct lf_action sign = {.kind = LF_ACTION_RUN, .name = lf_driver_line.sign(d.device, &weigh)};
    enum lf_repeat repeat = LF_ONCE;
    CHECK_STR(sign.name, "reloaded");
    CHECK_INT(lf_driver_line.repeat(d.device, &sign, &repeat, &d.err), LF_OK);
    CHECK_INT(repeat, LF_SAFE);
    CHECK(lf_driver_line.sign(d.device, &sign) == NULL);
    NEED(connect_device(&d) != LF_OK);
    end(&d);
}

/* Weighed then, an empty pan would be the next sample's weight. */
static void the_next_load(void)
{
    static const char still[] = "S S     100.00 g\r\n", empty[] = "S S       0.00 g\r\n";
    DEVICE("mt-sics", HELLO, {E("SI\r\n"), R(still)}, {E("SI\r\n"), R(still)}, {E("SI\r\n"), R(empty)},
           {E("SI\r\n"), R(empty)}, {E("SI\r\n"), R("S D      50.00 g\r\n")});
    struct lf_outcome outcome = {0};
    NEED(connect_device(&d) == LF_OK);
    CHECK_INT(act(&d, LF_ACTION_RUN, "reloaded", &outcome), LF_TIMEOUT);
    CHECK_INT(d.err.class, LF_TRANSIENT);
    CHECK_INT(act(&d, LF_ACTION_RUN, "reloaded", &outcome), LF_OK);
    NEED(outcome.count == 1);
    CHECK_STR(outcome.captures[0].value, "50.00");
    lf_outcome_free(&outcome);
    end(&d);
    CHECK_INT(d.peer.done, 6);
}

static void other_handshake(void)
{
    static const char *const wrong[][2] = {{"send = 'I4'", "set"},
                                           {"sned = 'I4'", "identify:1:1: [identify] has"}};
    struct lf_error err;
    struct lf_line_profile *profile;
    setenv("LABFERRY_PROFILE_PATH", unit_source("etc/profiles"), 1);
    for (size_t i = 0; i < 2; i++) {
        NEED(lf_profile_load("mt-sics", &profile, &err) == LF_OK);
        const char *line = wrong[i][0];
        CHECK_INT(line__profile_identify(profile, &(struct lf_texts){&line, 1}, &err), LF_INVALID);
        if (i)
            CHECK_HAS(err.text, wrong[i][1]);
        lf_profile_free(profile);
    }
    static const char *const lines[] = {"send = 'I2'", "expect = 'I2 A \"{identity}\"'"};
    NEED(lf_profile_load("mt-sics", &profile, &err) == LF_OK);
    CHECK_INT(line__profile_identify(profile, &(struct lf_texts){lines, 2}, &err), LF_OK);
    CHECK_STR(profile->identify->send.source, "I2");
    CHECK_INT(profile->identify->expects.count, 1);
    CHECK(strstr(profile->name, "mt-sics") != NULL);
    lf_profile_free(profile);
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
           {"lines that nothing matches are a concern", lines_that_nothing_matches},
           {"an instrument that chatters updates its concern now and then, with the count", chatter},
           {"an instrument that cannot be reached is a concern from the second time on", does_not_answer},
           {"an instrument that is connected and does not answer is a concern", connected_and_mute},
           {"a result that is dropped while out of step is a concern", dropped_while_out_of_step},
           {"after a crash what must not run on is ended, before a person decides", ended_after_a_crash},
           {"after a lost connection what must not run on is ended at the next one",
            ended_after_a_lost_connection},
           {"a profile names the safe procedure that shows a changed sample", signs},
           {"the sign of a balance is that one load went and the next one came", the_next_load},
           {"the configuration can set another handshake", other_handshake},
           {"a cable unplugged during a once command leaves its outcome unknown", unplugged},
           {"a cancel ends a long wait", cancelled},
           {"a wrong configuration is refused without opening a device", checks},
           {"a person can try a profile from a terminal", try_session}, )
