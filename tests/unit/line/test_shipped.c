/* The shipped profiles against the bytes that manuals print. */
#include "drivers/line/reply_match.h"

#include "peer.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

struct exchange {
    const char *command, *sent;
    size_t sent_len;
    const char *reply;
    size_t reply_len;
    const char *expected; /* "name=value ..." or the class of the error */
    struct lf_input input;
};

static struct lf_line_profile *shipped(const char *name)
{
    struct lf_line_profile *profile = NULL;
    struct lf_error err = {0};
    setenv("LABFERRY_PROFILE_PATH", unit_source("etc/profiles"), 1);
    lf_profile_load(name, &profile, &err);
    CHECK_STR(err.text, "");
    return profile;
}

static void check_one(struct lf_line_dialogue *dialogue, const struct exchange *exchange)
{
    struct lf_outcome values = {0};
    struct lf_error err = {0};
    char got[300] = "";
    struct lf_line_input_set set = {.given = &exchange->input, .given_count = exchange->input.name ? 1 : 0};
    const struct lf_line_command *command = line__profile_command(dialogue->profile, exchange->command);
    NEED(command != NULL);
    dialogue->doubt = false;
    if (line__dialogue_command(dialogue, command, &set, LF_NEVER, &values, &err) != LF_OK)
        snprintf(got, sizeof got, "%s", lf_class_name(err.class));
    for (size_t i = 0; i < values.count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s=%s", i ? " " : "",
                 values.captures[i].name, values.captures[i].value);
    CHECK_STR(got, exchange->expected);
    lf_outcome_free(&values);
}

static void check_all(const char *name, const struct exchange *exchanges, size_t count)
{
    struct peer_step steps[64];
    struct peer peer;
    struct lf_line_dialogue dialogue = {0};
    struct lf_line_profile *profile = shipped(name);
    NEED(profile != NULL && count <= 64);
    for (size_t i = 0; i < count; i++)
        steps[i] = (struct peer_step){.expect = exchanges[i].sent,
                                      .expect_len = exchanges[i].sent_len,
                                      .reply = exchanges[i].reply,
                                      .reply_len = exchanges[i].reply_len};
    peer_start(&peer, steps, count);
    need_dialogue(&dialogue, profile, &peer);
    for (size_t i = 0; i < count; i++)
        check_one(&dialogue, &exchanges[i]);
    line__dialogue_close(&dialogue);
    peer_stop(&peer);
    CHECK_INT(peer.done, count);
    size_t sent = 0;
    for (size_t i = 0; i < count; i++)
        sent += exchanges[i].sent_len;
    CHECK_INT(peer.received_len, sent);
    lf_profile_free(profile);
}

#define CHECK_ALL(name, ...)                                                                                 \
    static const struct exchange exchanges[] = {__VA_ARGS__};                                                \
    check_all(name, exchanges, sizeof exchanges / sizeof *exchanges)

static void mt_sics(void)
{
    CHECK_ALL(
        "mt-sics", {"weigh", B("S\r\n"), B("S S     100.00 g\r\n"), "value=100.00 unit=g", {0}},
        {"weigh", B("S\r\n"), B("S S    -100.00 g\r\n"), "value=-100.00 unit=g", {0}},
        {"weigh", B("S\r\n"), B("S I\r\n"), "transient", {0}},
        {"weigh", B("S\r\n"), B("S +\r\n"), "needs a person", {0}},
        {"weigh", B("S\r\n"), B("S -\r\n"), "needs a person", {0}},
        {"weigh", B("S\r\n"), B("ES\r\n"), "permanent", {0}},
        {"weigh", B("S\r\n"), B("ET\r\n"), "transient", {0}},
        {"weigh", B("S\r\n"), B("EL\r\n"), "permanent", {0}},
        {"weigh-now", B("SI\r\n"), B("S D     129.07 g\r\n"), "stability=dynamic value=129.07 unit=g", {0}},
        {"weigh-now", B("SI\r\n"), B("S S     129.07 g\r\n"), "stability=stable value=129.07 unit=g", {0}},
        {"weigh-now", B("SI\r\n"), B("SI S     129.07 g\r\n"), "stability=stable value=129.07 unit=g", {0}},
        {"tare", B("T\r\n"), B("T S     100.00 g\r\n"), "value=100.00 unit=g", {0}},
        {"tare", B("T\r\n"), B("T I\r\n"), "transient", {0}},
        {"tare", B("T\r\n"), B("ES\r\n"), "permanent", {0}}, {"zero", B("Z\r\n"), B("Z A\r\n"), "", {0}},
        {"clear-tare", B("TAC\r\n"), B("TAC A\r\n"), "", {0}},
        {"display", B("D \"hello\"\r\n"), B("D A\r\n"), "", {"text", "hello"}},
        {"cancel-all", B("C\r\n"), B("C B\r\nC A\r\n"), "", {0}},
        {"serial-number", B("I4\r\n"), B("I4 A \"B021002593\"\r\n"), "serial=B021002593", {0}},
        {"list-commands",
         B("I0\r\n"),
         B("I0 B 0 \"I0\"\r\nI0 A 1 \"SIR\"\r\n"),
         "level=0 name=I0 level=1 name=SIR",
         {0}});
}

/* A weight that is not stable does not answer "S", even if the instrument sends one. */
static void mt_sics_unstable(void)
{
    struct lf_line_profile *profile = shipped("mt-sics");
    NEED(profile != NULL);
    static const struct peer_step steps[] = {{E("S\r\n"), R("S D     129.07 g\r\nS S     129.09 g\r\n")}};
    struct peer peer;
    struct lf_line_dialogue dialogue = {0};
    struct lf_outcome values;
    struct lf_error err;
    peer_start(&peer, steps, 1);
    need_dialogue(&dialogue, profile, &peer);
    CHECK_INT(ask(&dialogue, "weigh", &values, &err), LF_OK);
    CHECK_INT(values.count, 2);
    CHECK_STR(value_of(&values, "value"), "129.09");
    line__dialogue_close(&dialogue);
    peer_stop(&peer);
    lf_outcome_free(&values);
    lf_profile_free(profile);
}

static void scpi(void)
{
    CHECK_ALL(
        "scpi",
        {"idn", B("*IDN?\n"), B("ACME,DMM-1,0,1.02\n"), "maker=ACME model=DMM-1 serial=0 version=1.02", {0}},
        {"clear", B("*CLS\n"), NULL, 0, "", {0}},
        {"next-error", B("SYST:ERR?\n"), B("0,\"No error\"\n"), "code=0 message=No error", {0}},
        {"next-error",
         B("SYST:ERR?\n"),
         B("-113,\"Undefined header\"\n"),
         "code=-113 message=Undefined header",
         {0}},
        {"check-errors", B("SYST:ERR?\n"), B("+0,\"No error\"\n"), "code=0 message=No error", {0}},
        {"check-errors", B("SYST:ERR?\n"), B("-113,\"Undefined header\"\n"), "permanent", {0}},
        {"check-errors", B("SYST:ERR?\n"), B("+540,\"Cannot use\"\n"), "permanent", {0}},
        {"operation-complete", B("*OPC?\n"), B("1\n"), "", {0}},
        {"measure-voltage", B("MEAS:VOLT:DC?\n"), B("+1.23456E-03\n"), "value=1.23456E-03", {0}},
        {"measure-voltage", B("MEAS:VOLT:DC?\n"), B("+9.90000000E+37\n"), "needs a person", {0}},
        {"measure-voltage", B("MEAS:VOLT:DC?\n"), B("-9.9E37\n"), "needs a person", {0}},
        {"read", B("READ?\n"), B("9.91E37\n"), "needs a person", {0}},
        {"fetch", B("FETC?\n"), B("NAN\n"), "needs a person", {0}});
}

static void sartorius(void)
{
    CHECK_ALL("sartorius-sbi", {"weigh", B("\x1bP\r\n"), B("+   100.00 g  \r\n"), "value=100.00 unit=g", {0}},
              {"weigh", B("\x1bP\r\n"), B("-     0.50 mg \r\n"), "value=-0.50 unit=mg", {0}},
              {"weigh", B("\x1bP\r\n"), B("+   100.00    \r\n"), "transient", {0}},
              {"weigh", B("\x1bP\r\n"), B("        H     \r\n"), "needs a person", {0}},
              {"weigh", B("\x1bP\r\n"), B("        C     \r\n"), "transient", {0}},
              {"weigh", B("\x1bP\r\n"), B("  Err 54      \r\n"), "permanent", {0}},
              {"weigh-now", B("\x1bP\r\n"), B("+   100.00    \r\n"), "value=100.00", {0}},
              {"weigh", B("\x1bP\r\n"), B("      High     \r\n"), "needs a person", {0}},
              {"weigh", B("\x1bP\r\n"), B("Stat        H      \r\n"), "needs a person", {0}},
              {"weigh", B("\x1bP\r\n"), B("N     +  12.3456 g  \r\n"), "value=12.3456 unit=g", {0}},
              {"weigh", B("\x1bP\r\n"), B("N     +  12.3456    \r\n"), "transient", {0}},
              {"weigh-now", B("\x1bP\r\n"), B("G     -   0.5000    \r\n"), "value=-0.5000", {0}},
              {"tare", B("\x1bU\r\n"), NULL, 0, "", {0}});
}

static void and_balance(void)
{
    CHECK_ALL(
        "and-balance",
        {"weigh-now", B("Q\r\n"), B("ST,+001.2346 kg\r\n"), "stability=stable value=1.2346 unit=kg", {0}},
        {"weigh-now", B("Q\r\n"), B("US,-0012.346  g\r\n"), "stability=unstable value=-12.346 unit=g", {0}},
        {"weigh-now", B("Q\r\n"), B("OL,+9999999E+19\r\n"), "needs a person", {0}},
        {"tare", B("T\r\n"), B("\x06\x06"), "", {0}}, {"tare", B("T\r\n"), B("EC,E2\r\n"), "transient", {0}},
        {"zero", B("Z\r\n"), B("EC,E1\r\n"), "permanent", {0}});
}

/* Any one character of the number is lost, or its point: the line must not be read as another weight. */
static void lost_character(void)
{
    static const struct {
        const char *profile, *command, *line;
        size_t from, to; /* where the number is */
    } cases[] = {{"mt-sics", "weigh", "S S     100.00 g", 4, 14},
                 {"mt-sics", "tare", "T S     100.00 g", 4, 14},
                 {"mt-sics", "weigh-now", "S D     -10.05 g", 4, 14},
                 {"sartorius-sbi", "weigh", "+ 112.3456 g", 0, 10},
                 {"sartorius-sbi", "weigh", "N     + 112.3456 g", 6, 16},
                 {"and-balance", "weigh-now", "ST,+001.2346 kg", 3, 12},
                 {"and-balance", "weigh-now", "ST,+00123.45  g", 3, 12}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lf_line_profile *profile = shipped(cases[i].profile);
        NEED(profile != NULL);
        const struct lf_line_command *command = line__profile_command(profile, cases[i].command);
        struct lf_outcome values = {0};
        struct lf_error err;
        char line[60];
        NEED(command != NULL);
        CHECK_INT(line__reply_first_match(profile, &command->expects, lf_slice_text(cases[i].line), &values,
                                          &err),
                  LF_OK);
        for (size_t lost = cases[i].from; lost < cases[i].to; lost++) {
            snprintf(line, sizeof line, "%.*s%s", (int)lost, cases[i].line, cases[i].line + lost + 1);
            CHECK_INT(line__reply_first_match(profile, &command->expects, lf_slice_text(line), NULL, &err),
                      LF_MISMATCH);
        }
        lf_outcome_free(&values);
        lf_profile_free(profile);
    }
}

static void new_era(void)
{
    CHECK_ALL("new-era",
              {"state",
               B("00\r"),
               B("\x02"
                 "00S\x03"),
               "state=stopped",
               {0}},
              {"state",
               B("07\r"),
               B("\x02"
                 "07I\x03"),
               "state=infusing",
               {"address", "7"}},
              {"state",
               B("00\r"),
               B("\x02"
                 "00A?R\x03"),
               "needs a person",
               {0}},
              {"run",
               B("00RUN\r"),
               B("\x02"
                 "00I\x03"),
               "state=infusing",
               {0}},
              {"run",
               B("00RUN\r"),
               B("\x02"
                 "00S?NA\x03"),
               "permanent",
               {0}},
              {"set-volume",
               B("00VOL2.5\r"),
               B("\x02"
                 "00S\x03"),
               "",
               {"volume", "2.5"}},
              {"dispensed",
               B("00DIS\r"),
               B("\x02"
                 "00SI2.500W0.000ML\x03"),
               "infused=2.500 withdrawn=0.000 unit=ML",
               {0}});
}

static void ismatec(void)
{
    CHECK_ALL("ismatec", {"start", B("1H\r"), B("*"), "", {0}},
              {"start", B("2H\r"), B("#"), "permanent", {"channel", "2"}},
              {"is-running", B("1E\r"), B("-"), "running=false", {0}},
              {"speed", B("1S\r"), B("100.00\r\n"), "speed=100.00", {0}},
              {"speed", B("1S\r"), B("#"), "permanent", {0}});
}

static void metrohm(void)
{
    CHECK_ALL("metrohm", {"state", B("$D\r\n"), B("Ready;0\r\n"), "state=ready code=0", {0}},
              {"state", B("$D\r\n"), B("Busy;117\r\n"), "state=busy code=117", {0}},
              {"start", B("$G\r\n"), NULL, 0, "", {0}},
              {"query",
               B("&Config.Aux.Language $Q\r\n"),
               B("english\r\n"),
               "value=english",
               {"path", "Config.Aux.Language"}});
}

static void classes(void)
{
    static const char *const profiles[] = {"mt-sics", "sartorius-sbi", "and-balance"};
    for (size_t i = 0; i < 3; i++) {
        struct lf_line_profile *profile = shipped(profiles[i]);
        NEED(profile != NULL);
        NEED(profile != NULL);
        CHECK_INT(line__profile_command(profile, "tare")->repeat, LF_ONCE);
        CHECK_INT(line__profile_command(profile, "zero")->repeat, LF_ONCE);
        CHECK_INT(line__profile_command(profile, "weigh-now")->repeat, LF_SAFE);
        CHECK_INT(line__profile_procedure(profile, "weigh")->repeat, LF_SAFE);
        lf_profile_free(profile);
    }
    struct lf_line_profile *pump = shipped("new-era");
    NEED(pump != NULL);
    CHECK_INT(line__profile_procedure(pump, "dispense")->repeat, LF_ONCE);
    lf_profile_free(pump);
}

static void missing_profile(void)
{
    struct lf_line_profile *profile;
    struct lf_error err;
    setenv("LABFERRY_PROFILE_PATH", unit_source("etc/profiles"), 1);
    CHECK_INT(lf_profile_load("mt-siks", &profile, &err), LF_NOT_FOUND);
    CHECK_HAS(err.text, "scpi");
    CHECK_INT(lf_profile_load("/nowhere/x.profile", &profile, &err), LF_NOT_FOUND);
}

UNIT_TESTS("shipped profiles", {"MT-SICS: the bytes of the manuals", mt_sics},
           {"MT-SICS: a moving weight is never taken for a stable one", mt_sics_unstable},
           {"SCPI: the bytes of the standard", scpi}, {"Sartorius SBI: the bytes of the manuals", sartorius},
           {"A&D: the bytes of the manuals", and_balance},
           {"a weight that lost any one character is not read as another", lost_character},
           {"New Era: the bytes of the manuals", new_era}, {"Ismatec: the bytes of the manuals", ismatec},
           {"Metrohm: the bytes of the manuals", metrohm},
           {"commands that move something have class once, commands that read are safe", classes},
           {"an unknown profile is refused with the list of those installed", missing_profile}, )
