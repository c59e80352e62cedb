/* labferry-sim-balance: a laboratory balance that speaks MT-SICS, levels 0 and 1.
 *
 * States: idle; waiting (S, Z or T waits for a stable weight until its own time is up; only @ and C are heard
 * meanwhile); streaming (SIR, SR, SNR until @, S, SI or C). Formats: MT-SICS reference manual, Excellence
 * series.
 */
#include "scale.h"
#include "stage.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum wait_for { WAIT_NOTHING, WAIT_WEIGHT, WAIT_ZERO, WAIT_TARE };
enum stream { STREAM_OFF, STREAM_ALL, STREAM_CHANGES, STREAM_CHANGES_STABLE };
enum { NAME_ROOM = 40 };

struct balance {
    struct scale scale;
    char serial[NAME_ROOM], model[NAME_ROOM], software[NAME_ROOM], display[64];
    bool emulator_style; /* replies to SI begin with SI, as some emulators have it */
    int64_t patience_ms, interval_ms;

    enum wait_for waiting;
    int64_t give_up_at;
    enum stream stream;
    int64_t next_line_at;
    double step, last_sent; /* of SR and SNR */
    bool moving;            /* SR: the change was reported as dynamic, its stable end not yet */

    int64_t zeroed, tared, tare_set, tare_cleared, resets;
};

#define AT(field) offsetof(struct balance, field)

static const struct stage_row rows[] = {
    {"weight", "GRAMS", "put this load on the pan (0)", {0}},
    {"settle", "MS", "how long a new load swings (500)", {VALUE_MS, AT(scale.settle_ms), 0, 0}},
    {"noise", "GRAMS", "noise of a stable weight, +- (0)", {VALUE_NUMBER, AT(scale.noise), 0, 1e6}},
    {"drift", "GRAMS", "drift of a stable weight, a second (0)", {VALUE_NUMBER, AT(scale.drift), -1e6, 1e6}},
    {"restless", "off|on", "never stable (off)", {VALUE_CHOICE, AT(scale.restless), 0, 0}},
    {"capacity",
     "GRAMS",
     "above is overload, 2 % of it below zero underload (220)",
     {VALUE_NUMBER, AT(scale.capacity), 1e-3, 1e6}},
    {"decimals", "N", "digits after the point, 0 to 5 (2)", {VALUE_WHOLE32, AT(scale.decimals), 0, 5}},
    {"serial", "TEXT", "serial number (B021002593)", {VALUE_TEXT, AT(serial), 0, NAME_ROOM}},
    {"model", "TEXT", "model (XS204)", {VALUE_TEXT, AT(model), 0, NAME_ROOM}},
    {"patience",
     "MS",
     "how long S, Z and T wait for a stable weight (10000)",
     {VALUE_MS, AT(patience_ms), 0, 0}},
    {"interval", "MS", "between the lines of SIR (200)", {VALUE_MS, AT(interval_ms), 0, 0}},
    {"si-style",
     "manual|emulator",
     "does the reply to SI begin with 'S' or with 'SI'? (manual)",
     {VALUE_CHOICE, AT(emulator_style), 0, 0}},
    {"seed", "N", "start of the random noise (1)", {VALUE_WHOLE32, AT(scale.random), 0, UINT32_MAX}},
    {0},
};

static const struct fault_kind faults[] = {
    {"overload", "the weight is above the range: '+'", 0},
    {"underload", "the weight is below the range: '-'", 0},
    {"busy", "the command cannot be carried out: 'I'", 0},
    {"es", "the answer is ES (syntax error), nothing is done", 0},
    {"et", "the answer is ET (transmission error), nothing is done", 0},
    {"el", "the answer is EL (logical error), nothing is done", 0},
    {0},
};

/* ---- replies ---- */

static void say_weight(struct balance *self, struct stage *stage, const char *command, const char *id,
                       char status, double value)
{
    stage_sayf(stage, command, "%s %c %10.*f g\r\n", id, status, self->scale.decimals, value);
}

static void say_status(struct stage *stage, const char *command, char status)
{
    stage_sayf(stage, command, "%s %c\r\n", command, status);
}

/* Answers with '+', '-' or 'I' when the weight is out of range or a fault says so. */
static bool out_of_range(struct balance *self, struct stage *stage, const char *command, const char *id)
{
    enum scale_range range = scale_range(&self->scale, lf_clock_mono_ms());
    char status = range == SCALE_OVER ? '+' : range == SCALE_UNDER ? '-' : 0;
    if (fault_strikes(stage_faults(stage), "overload", command, NULL))
        status = '+';
    if (fault_strikes(stage_faults(stage), "underload", command, NULL))
        status = '-';
    if (fault_strikes(stage_faults(stage), "busy", command, NULL))
        status = 'I';
    if (status)
        stage_sayf(stage, command, "%s %c\r\n", id, status);
    return status != 0;
}

static void weight_now(struct balance *self, struct stage *stage, const char *command, const char *id)
{
    int64_t now = lf_clock_mono_ms();
    if (!out_of_range(self, stage, command, id))
        say_weight(self, stage, command, id, scale_stable(&self->scale, now) ? 'S' : 'D',
                   scale_net(&self->scale, now));
}

/* ---- what moves the balance ---- */

static void do_zero(struct balance *self, struct stage *stage, const char *command, char status)
{
    double gross = scale_gross(&self->scale, lf_clock_mono_ms()), limit = self->scale.capacity * 0.02;
    if (gross + self->scale.zero > limit || gross + self->scale.zero < -limit) {
        say_status(stage, command, gross > 0 ? '+' : '-');
        return;
    }
    self->scale.zero += gross;
    self->scale.tare = 0;
    self->zeroed++;
    stage_note(stage, "zeroed");
    say_status(stage, command, status);
}

static void do_tare(struct balance *self, struct stage *stage, const char *command, char status)
{
    double digits = pow(10, self->scale.decimals);
    double gross = round(scale_gross(&self->scale, lf_clock_mono_ms()) * digits) / digits;
    if (gross < 0) {
        say_status(stage, command, '-');
        return;
    }
    self->scale.tare = gross;
    self->tared++;
    stage_note(stage, "tared");
    say_weight(self, stage, command, command, status, gross);
}

static const char *const waiting_command[] = {"", "S", "Z", "T"};

static void finish_wait(struct balance *self, struct stage *stage, int64_t now)
{
    enum wait_for what = self->waiting;
    const char *command = waiting_command[what];
    self->waiting = WAIT_NOTHING;
    if (!scale_stable(&self->scale, now))
        say_status(stage, command, 'I');
    else if (what == WAIT_WEIGHT)
        weight_now(self, stage, "S", "S");
    else if (!out_of_range(self, stage, command, command))
        what == WAIT_ZERO ? do_zero(self, stage, command, 'A') : do_tare(self, stage, command, 'S');
}

static void begin_wait(struct balance *self, struct stage *stage, enum wait_for what)
{
    int64_t now = lf_clock_mono_ms();
    self->waiting = what;
    self->give_up_at = now + self->patience_ms;
    if (scale_stable(&self->scale, now))
        finish_wait(self, stage, now);
}

/* ---- commands ---- */

static void cmd_reset(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    self->waiting = WAIT_NOTHING;
    self->stream = STREAM_OFF;
    self->display[0] = '\0';
    self->resets++;
    stage_sayf(stage, "@", "I4 A \"%s\"\r\n", self->serial);
}

static void cmd_cancel(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    self->waiting = WAIT_NOTHING;
    self->stream = STREAM_OFF;
    stage_sayf(stage, "C", "C B\r\nC A\r\n");
}

static void cmd_i1(struct balance *self, struct stage *stage, const char *args)
{
    (void)self;
    (void)args;
    stage_sayf(stage, "I1", "I1 A \"01\" \"2.00\" \"2.20\" \"\" \"\"\r\n");
}

static void cmd_i2(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    stage_sayf(stage, "I2", "I2 A \"%s %.*f g\"\r\n", self->model, self->scale.decimals,
               self->scale.capacity);
}

static void cmd_i3(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    stage_sayf(stage, "I3", "I3 A \"%s\"\r\n", self->software);
}

static void cmd_i4(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    stage_sayf(stage, "I4", "I4 A \"%s\"\r\n", self->serial);
}

static void cmd_s(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    self->stream = STREAM_OFF;
    begin_wait(self, stage, WAIT_WEIGHT);
}

static void cmd_si(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    self->stream = STREAM_OFF;
    weight_now(self, stage, "SI", self->emulator_style ? "SI" : "S");
}

static void cmd_sir(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    (void)stage;
    self->stream = STREAM_ALL;
    self->next_line_at = lf_clock_mono_ms();
}

/* "10.00 g": false if it is none. */
static bool parse_weight(const char *args, double *value)
{
    char *rest;
    *value = strtod(args, &rest);
    bool number = rest != args && isfinite(*value);
    rest += strspn(rest, " ");
    return number && *rest++ == 'g' && rest[strspn(rest, " \r\n")] == '\0';
}

static void begin_changes(struct balance *self, struct stage *stage, const char *args, enum stream stream)
{
    double step = 0;
    if (*args && (!parse_weight(args, &step) || step <= 0)) {
        say_status(stage, stream == STREAM_CHANGES ? "SR" : "SNR", 'L');
        return;
    }
    self->stream = stream;
    self->step = step;
    self->last_sent = NAN;
    self->moving = false;
    self->next_line_at = lf_clock_mono_ms();
}

static void cmd_sr(struct balance *self, struct stage *stage, const char *args)
{
    begin_changes(self, stage, args, STREAM_CHANGES);
}

static void cmd_snr(struct balance *self, struct stage *stage, const char *args)
{
    begin_changes(self, stage, args, STREAM_CHANGES_STABLE);
}

static void cmd_z(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    begin_wait(self, stage, WAIT_ZERO);
}

static void cmd_zi(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    char status = scale_stable(&self->scale, lf_clock_mono_ms()) ? 'S' : 'D';
    if (!out_of_range(self, stage, "ZI", "ZI"))
        do_zero(self, stage, "ZI", status);
}

static void cmd_t(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    begin_wait(self, stage, WAIT_TARE);
}

static void cmd_ti(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    char status = scale_stable(&self->scale, lf_clock_mono_ms()) ? 'S' : 'D';
    if (!out_of_range(self, stage, "TI", "TI"))
        do_tare(self, stage, "TI", status);
}

static void cmd_ta(struct balance *self, struct stage *stage, const char *args)
{
    double value = 0;
    if (*args && (!parse_weight(args, &value) || value < 0 || value > self->scale.capacity)) {
        say_status(stage, "TA", 'L');
        return;
    }
    if (*args) {
        self->scale.tare = value;
        self->tare_set++;
        stage_note(stage, "tare memory set");
    }
    say_weight(self, stage, "TA", "TA", 'A', self->scale.tare);
}

static void cmd_tac(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    self->scale.tare = 0;
    self->tare_cleared++;
    stage_note(stage, "tare memory cleared");
    say_status(stage, "TAC", 'A');
}

static void cmd_d(struct balance *self, struct stage *stage, const char *args)
{
    size_t len = strlen(args);
    if (len < 2 || args[0] != '"' || args[len - 1] != '"' || len - 2 >= sizeof self->display) {
        say_status(stage, "D", 'L');
        return;
    }
    snprintf(self->display, sizeof self->display, "%.*s", (int)(len - 2), args + 1);
    say_status(stage, "D", 'A');
}

static void cmd_dw(struct balance *self, struct stage *stage, const char *args)
{
    (void)args;
    self->display[0] = '\0';
    say_status(stage, "DW", 'A');
}

static void cmd_i0(struct balance *self, struct stage *stage, const char *args);

static const struct command {
    const char *name;
    int level;
    bool args, urgent; /* takes parameters; is heard also while another command waits */
    void (*run)(struct balance *self, struct stage *stage, const char *args);
} commands[] = {
    {"I0", 0, false, false, cmd_i0},   {"I1", 0, false, false, cmd_i1},   {"I2", 0, false, false, cmd_i2},
    {"I3", 0, false, false, cmd_i3},   {"I4", 0, false, false, cmd_i4},   {"S", 0, false, false, cmd_s},
    {"SI", 0, false, false, cmd_si},   {"SIR", 0, false, false, cmd_sir}, {"Z", 0, false, false, cmd_z},
    {"ZI", 0, false, false, cmd_zi},   {"@", 0, false, true, cmd_reset},  {"C", 1, false, true, cmd_cancel},
    {"D", 1, true, false, cmd_d},      {"DW", 1, false, false, cmd_dw},   {"SR", 1, true, false, cmd_sr},
    {"SNR", 1, true, false, cmd_snr},  {"T", 1, false, false, cmd_t},     {"TA", 1, true, false, cmd_ta},
    {"TAC", 1, false, false, cmd_tac}, {"TI", 1, false, false, cmd_ti},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static void cmd_i0(struct balance *self, struct stage *stage, const char *args)
{
    char text[1024] = "";
    size_t used = 0;
    (void)self;
    (void)args;
    for (size_t i = 0; i < COMMANDS; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "I0 %c %d \"%s\"\r\n",
                                 i + 1 < COMMANDS ? 'B' : 'A', commands[i].level, commands[i].name);
    stage_say(stage, "I0", text, used);
}

static const struct command *find_command(const char *text, const char **args)
{
    size_t len = strcspn(text, " ");
    *args = text[len] ? text + len + 1 : "";
    for (size_t i = 0; i < COMMANDS; i++)
        if (strlen(commands[i].name) == len && !strncmp(commands[i].name, text, len))
            return &commands[i];
    return NULL;
}

/* An error that a fault asks for; NULL for none. */
static const char *asked_error(struct stage *stage, const char *command)
{
    static const char *const names[][2] = {{"es", "ES\r\n"}, {"et", "ET\r\n"}, {"el", "EL\r\n"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fault_strikes(stage_faults(stage), names[i][0], command, NULL))
            return names[i][1];
    return NULL;
}

static bool hear(void *context, struct stage *stage, const char *line, size_t len)
{
    struct balance *self = context;
    const char *args = "";
    char text[128] = "";
    bool whole = len >= 3 && len - 2 < sizeof text && !memcmp(line + len - 2, "\r\n", 2)
                 && !memchr(line, 0, len);
    if (whole)
        memcpy(text, line, len - 2);
    const struct command *command = whole ? find_command(text, &args) : NULL;
    if (self->waiting != WAIT_NOTHING && (!command || !command->urgent))
        return false;
    const char *error = command ? asked_error(stage, command->name) : "ES\r\n";
    if (error)
        stage_say(stage, command ? command->name : "?", error, strlen(error));
    else if (*args && !command->args)
        say_status(stage, command->name, 'L');
    else
        command->run(self, stage, args);
    return true;
}

/* ---- time ---- */

/* SR and SNR: is there something to report? Manual: without a preset, a change of 12.5 % of the last stable
 * weight, at least 30 digits. */
static void tell_change(struct balance *self, struct stage *stage, int64_t now)
{
    bool stable = scale_stable(&self->scale, now);
    double value = scale_net(&self->scale, now), digit = pow(10, -self->scale.decimals);
    double step = self->step > 0 ? self->step : fmax(0.125 * fabs(self->last_sent), 30 * digit);
    bool changed = isnan(self->last_sent) || fabs(value - self->last_sent) >= step;
    const char *command = self->stream == STREAM_CHANGES ? "SR" : "SNR";
    if (stable && (changed || self->moving)) {
        say_weight(self, stage, command, "S", 'S', value);
        self->last_sent = value;
        self->moving = false;
    } else if (!stable && changed && self->stream == STREAM_CHANGES && !self->moving
               && !isnan(self->last_sent)) {
        say_weight(self, stage, command, "S", 'D', value);
        self->moving = true;
    }
}

static int64_t tick(void *context, struct stage *stage, int64_t now)
{
    struct balance *self = context;
    int64_t next = LF_NEVER;
    if (self->waiting != WAIT_NOTHING) {
        int64_t due = lf_deadline_sooner(scale_stable_at(&self->scale), self->give_up_at);
        if (due <= now)
            finish_wait(self, stage, now);
        else
            next = due;
    }
    if (self->stream != STREAM_OFF && self->next_line_at <= now) {
        if (self->stream == STREAM_ALL)
            weight_now(self, stage, "SIR", "S");
        else
            tell_change(self, stage, now);
        self->next_line_at = now + self->interval_ms;
    }
    return self->stream == STREAM_OFF ? next : lf_deadline_sooner(next, self->next_line_at);
}

static void print(void *context, struct stage *stage)
{
    weight_now(context, stage, NULL, "S");
}

/* ---- settings ---- */

/* "weight": the one that is not only kept. */
static enum lf_status set(void *context, struct stage *stage, const char *name, const char *value,
                          struct lf_error *err)
{
    struct balance *self = context;
    double load = 0;
    (void)stage;
    enum lf_status status = value_number(name, value, -1e6, 1e6, &load, err);
    if (status == LF_OK)
        scale_put(&self->scale, load, lf_clock_mono_ms());
    return status;
}

static void describe(void *context, cJSON *state)
{
    struct balance *self = context;
    cJSON *moved = cJSON_CreateObject();
    lf_json_set_text(state, "serial", self->serial);
    lf_json_set(state, "weight", cJSON_CreateNumber(self->scale.load));
    lf_json_set(state, "tare", cJSON_CreateNumber(self->scale.tare));
    lf_json_set(state, "zero", cJSON_CreateNumber(self->scale.zero));
    lf_json_set_text(state, "display", self->display);
    lf_json_set_int(moved, "zero", self->zeroed);
    lf_json_set_int(moved, "tare", self->tared);
    lf_json_set_int(moved, "tare_set", self->tare_set);
    lf_json_set_int(moved, "tare_cleared", self->tare_cleared);
    lf_json_set_int(moved, "reset", self->resets);
    lf_json_set(state, "moved", moved);
}

int main(int argc, char **argv)
{
    static const struct stage_instrument instrument = {
        .program = "labferry-sim-balance",
        .about = "A laboratory balance that speaks MT-SICS (levels 0 and 1).",
        .rows = rows,
        .faults = faults,
        .set = set,
        .hear = hear,
        .tick = tick,
        .print = print,
        .describe = describe,
    };
    static struct balance balance = {
        .scale = {.settle_ms = 500, .capacity = 220, .decimals = 2, .random = 1},
        .serial = "B021002593",
        .model = "XS204",
        .software = "2.10 10.28.0.493.142",
        .patience_ms = 10000,
        .interval_ms = 200,
    };
    balance.scale.changed = lf_clock_mono_ms() - balance.scale.settle_ms; /* settled at the start */
    return stage_run(argc, argv, &instrument, &balance);
}
