/* labferry-sim-scpi: a bench instrument that speaks SCPI (IEEE 488.2, SCPI-1999): a voltmeter with a source
 * and a curve.
 *
 * A program message is one line, its units parted by ';' (each header from the root). All units are carried
 * out when the line comes; the reply, if one was asked for, leaves when everything it waits for is done. A
 * line that comes before that interrupts the query: the reply is thrown away and -410 goes into the error
 * queue.
 */
#include "mnemonic.h"
#include "stage.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    ERRORS_MAX = 20,
    UNIT_MAX = 512,
    IDENTITY_ROOM = 128,
    POINTS_MAX = 10000000,
    ESR_OPC = 1,
    ESR_QUERY = 4,
    ESR_EXEC = 16,
    ESR_COMMAND = 32
};

struct error {
    int code;
    const char *text; /* static */
};

struct device {
    char identity[IDENTITY_ROOM], display[64];
    double volts, noise, source;
    bool output, strict;
    int64_t measure_ms, acquire_ms, points;
    uint32_t random;

    struct error errors[ERRORS_MAX];
    size_t error_count;
    unsigned event_status;
    int64_t ready_at;     /* when the acquisition ends */
    bool fresh, tell_opc; /* there is an acquired value; *OPC waits for the end */
    double acquired;
    struct lf_buffer answer; /* of the line being carried out, or waiting for answer_at */
    int64_t answer_at;
    char asked[64]; /* which command the answer belongs to */

    int64_t measured, initiated, switched, sourced, beeped, resets;
};

#define AT(field) offsetof(struct device, field)

static const struct stage_row rows[] = {
    {"volts", "V", "what is measured (1.5)", {VALUE_NUMBER, AT(volts), -1e6, 1e6}},
    {"noise", "V", "noise of it, +- (0)", {VALUE_NUMBER, AT(noise), 0, 1e6}},
    {"measure", "MS", "how long a measurement takes (0)", {VALUE_MS, AT(measure_ms), 0, 0}},
    {"acquire", "MS", "how long INITiate takes (500)", {VALUE_MS, AT(acquire_ms), 0, 0}},
    {"points", "N", "bytes of the curve (1000)", {VALUE_WHOLE, AT(points), 0, POINTS_MAX}},
    {"identity",
     "TEXT",
     "reply to *IDN? (LABFERRY,SIM-DMM,SN0001,1.0)",
     {VALUE_TEXT, AT(identity), 0, IDENTITY_ROOM}},
    {"interrupt",
     "off|on",
     "does a new command throw away a reply not sent yet, with -410? (on)",
     {VALUE_CHOICE, AT(strict), 0, 0}},
    {"seed", "N", "start of the random noise (1)", {VALUE_WHOLE32, AT(random), 0, UINT32_MAX}},
    {0},
};

static const struct fault_kind faults[] = {
    {"error", "the command fails with this negative error code: error=222 puts -222 into the queue", 200},
    {0},
};

/* ---- error queue (SCPI-1999 volume 2, chapter 21) ---- */

static const struct error known_errors[] = {
    {-102, "Syntax error"},          {-104, "Data type error"},   {-108, "Parameter not allowed"},
    {-109, "Missing parameter"},     {-113, "Undefined header"},  {-200, "Execution error"},
    {-213, "Init ignored"},          {-222, "Data out of range"}, {-224, "Illegal parameter value"},
    {-230, "Data corrupt or stale"}, {-240, "Hardware error"},    {-350, "Queue overflow"},
    {-410, "Query INTERRUPTED"},
};

static void push_error(struct device *self, int code)
{
    struct error error = {code, "Device-specific error"};
    for (size_t i = 0; i < sizeof known_errors / sizeof *known_errors; i++)
        if (known_errors[i].code == code)
            error = known_errors[i];
    self->event_status |= code <= -400 ? ESR_QUERY : code <= -200 ? ESR_EXEC : ESR_COMMAND;
    if (self->error_count == ERRORS_MAX)
        self->errors[ERRORS_MAX - 1] = (struct error){-350, "Queue overflow"};
    else
        self->errors[self->error_count++] = error;
}

/* ---- answers ---- */

static void add(struct device *self, const char *text)
{
    lf_buffer_format(&self->answer, "%s%s", self->answer.len ? ";" : "", text);
}

static void add_number(struct device *self, double number)
{
    char text[32];
    snprintf(text, sizeof text, "%+.8E", number);
    add(self, text);
}

static void add_int(struct device *self, int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)number);
    add(self, text);
}

static void wait_until(struct device *self, int64_t when)
{
    if (when > self->answer_at)
        self->answer_at = when;
}

static double measure(struct device *self)
{
    self->random = self->random * 1664525u + 1013904223u;
    double shake = (double)(self->random >> 8) / (double)(1u << 23) - 1.0;
    return self->volts + shake * self->noise;
}

/* ---- parameters ---- */

static bool number_param(struct device *self, const char *args, double least, double most, double *number)
{
    char *end;
    if (!*args) {
        push_error(self, -109);
        return false;
    }
    double got = strtod(args, &end);
    if (end == args || *end) {
        push_error(self, -104);
        return false;
    }
    if (!(got >= least && got <= most)) {
        push_error(self, -222);
        return false;
    }
    *number = got;
    return true;
}

/* ---- commands ---- */

static void cmd_idn(struct device *self, const char *args)
{
    (void)args;
    add(self, self->identity);
}

static void cmd_cls(struct device *self, const char *args)
{
    (void)args;
    self->error_count = 0;
    self->event_status = 0;
    self->tell_opc = false;
}

static void cmd_rst(struct device *self, const char *args)
{
    (void)args;
    self->source = 0;
    self->output = self->fresh = self->tell_opc = false;
    self->ready_at = 0;
    self->display[0] = '\0';
    self->resets++;
}

static void cmd_opc(struct device *self, const char *args)
{
    (void)args;
    self->tell_opc = true;
}

static void ask_opc(struct device *self, const char *args)
{
    (void)args;
    wait_until(self, self->ready_at);
    add(self, "1");
}

static void cmd_wai(struct device *self, const char *args)
{
    (void)args;
    wait_until(self, self->ready_at);
}

static void ask_tst(struct device *self, const char *args)
{
    (void)args;
    add(self, "0");
}

static void ask_esr(struct device *self, const char *args)
{
    (void)args;
    add_int(self, self->event_status);
    self->event_status = 0;
}

static void ask_stb(struct device *self, const char *args)
{
    (void)args;
    add_int(self, self->error_count ? 4 : 0); /* bit 2: the error queue is not empty */
}

static void ask_error(struct device *self, const char *args)
{
    char text[80];
    (void)args;
    struct error first = self->error_count ? self->errors[0] : (struct error){0, "No error"};
    if (self->error_count)
        memmove(self->errors, self->errors + 1, --self->error_count * sizeof *self->errors);
    snprintf(text, sizeof text, "%d,\"%s\"", first.code, first.text);
    add(self, text);
}

static void ask_error_count(struct device *self, const char *args)
{
    (void)args;
    add_int(self, (int64_t)self->error_count);
}

static void ask_version(struct device *self, const char *args)
{
    (void)args;
    add(self, "1999.0");
}

static void cmd_beep(struct device *self, const char *args)
{
    (void)args;
    self->beeped++;
}

static void ask_measure(struct device *self, const char *args)
{
    (void)args;
    self->measured++;
    wait_until(self, lf_deadline_in(self->measure_ms));
    add_number(self, measure(self));
}

static void cmd_init(struct device *self, const char *args)
{
    (void)args;
    if (self->ready_at > lf_clock_mono_ms()) {
        push_error(self, -213);
        return;
    }
    self->initiated++;
    self->acquired = measure(self);
    self->fresh = true;
    self->ready_at = lf_deadline_in(self->acquire_ms);
}

static void cmd_abort(struct device *self, const char *args)
{
    (void)args;
    if (self->ready_at > lf_clock_mono_ms())
        self->fresh = false;
    self->ready_at = 0;
}

static void ask_fetch(struct device *self, const char *args)
{
    (void)args;
    if (!self->fresh) {
        push_error(self, -230);
        return;
    }
    wait_until(self, self->ready_at);
    add_number(self, self->acquired);
}

/* Any byte value may stand in a block, line ends and '#' too. */
static void ask_curve(struct device *self, const char *args)
{
    char digits[16], head[20];
    (void)args;
    snprintf(digits, sizeof digits, "%lld", (long long)self->points);
    snprintf(head, sizeof head, "#%zu%s", strlen(digits), digits);
    add(self, head);
    char *data = lf_buffer_reserve(&self->answer, (size_t)self->points);
    for (int64_t i = 0; data && i < self->points; i++)
        data[i] = (char)(i * 7);
    self->answer.len += data ? (size_t)self->points : 0;
}

static void cmd_points(struct device *self, const char *args)
{
    double number;
    if (number_param(self, args, 0, POINTS_MAX, &number))
        self->points = (int64_t)number;
}

static void ask_points(struct device *self, const char *args)
{
    (void)args;
    add_int(self, self->points);
}

static void cmd_source(struct device *self, const char *args)
{
    if (number_param(self, args, 0, 30, &self->source))
        self->sourced++;
}

static void ask_source(struct device *self, const char *args)
{
    (void)args;
    add_number(self, self->source);
}

static void cmd_output(struct device *self, const char *args)
{
    bool on = !strcasecmp(args, "ON") || !strcmp(args, "1");
    if (!on && strcasecmp(args, "OFF") != 0 && strcmp(args, "0") != 0) {
        push_error(self, *args ? -224 : -109);
        return;
    }
    self->output = on;
    self->switched++;
}

static void ask_output(struct device *self, const char *args)
{
    (void)args;
    add(self, self->output ? "1" : "0");
}

static void cmd_text(struct device *self, const char *args)
{
    size_t len = strlen(args);
    if (len < 2 || (args[0] != '"' && args[0] != '\'') || args[len - 1] != args[0]) {
        push_error(self, len ? -104 : -109);
        return;
    }
    snprintf(self->display, sizeof self->display, "%.*s", (int)(len - 2), args + 1);
}

static const struct command {
    const char *pattern;
    bool query, args;
    void (*run)(struct device *self, const char *args);
} commands[] = {
    {"*IDN", true, false, cmd_idn},
    {"*CLS", false, false, cmd_cls},
    {"*RST", false, false, cmd_rst},
    {"*OPC", false, false, cmd_opc},
    {"*OPC", true, false, ask_opc},
    {"*WAI", false, false, cmd_wai},
    {"*TST", true, false, ask_tst},
    {"*ESR", true, false, ask_esr},
    {"*STB", true, false, ask_stb},
    {"SYSTem:ERRor[:NEXT]", true, false, ask_error},
    {"SYSTem:ERRor:COUNt", true, false, ask_error_count},
    {"SYSTem:VERSion", true, false, ask_version},
    {"SYSTem:BEEPer[:IMMediate]", false, false, cmd_beep},
    {"MEASure:VOLTage[:DC]", true, false, ask_measure},
    {"READ", true, false, ask_measure},
    {"INITiate[:IMMediate]", false, false, cmd_init},
    {"ABORt", false, false, cmd_abort},
    {"FETCh", true, false, ask_fetch},
    {"CURVe", true, false, ask_curve},
    {"DATA", true, false, ask_curve},
    {"DATA:POINts", false, true, cmd_points},
    {"DATA:POINts", true, false, ask_points},
    {"SOURce:VOLTage[:LEVel]", false, true, cmd_source},
    {"SOURce:VOLTage[:LEVel]", true, false, ask_source},
    {"OUTPut[:STATe]", false, true, cmd_output},
    {"OUTPut[:STATe]", true, false, ask_output},
    {"DISPlay:TEXT", false, true, cmd_text},
};

static const struct command *find_command(const char *header, size_t len)
{
    bool query = len > 0 && header[len - 1] == '?';
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (commands[i].query == query && mnemonic_match(commands[i].pattern, header, len - query))
            return &commands[i];
    return NULL;
}

/* One unit of a program message: header, white space, parameters. */
static void run_unit(struct device *self, struct stage *stage, char *unit)
{
    long code = 0;
    unit += strspn(unit, " \t");
    size_t len = strlen(unit);
    while (len && isspace((unsigned char)unit[len - 1]))
        unit[--len] = '\0';
    if (!len)
        return;
    size_t header = strcspn(unit, " \t");
    const char *args = unit + header + strspn(unit + header, " \t");
    const struct command *command = find_command(unit, header);
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)header, unit);
    if (!self->asked[0])
        strcpy(self->asked, name);
    if (!command)
        push_error(self, -113);
    else if (fault_strikes(stage_faults(stage), "error", name, &code))
        push_error(self, (int)-code);
    else if (*args && !command->args)
        push_error(self, -108);
    else
        command->run(self, args);
}

/* Cuts at ';' outside of quotes. */
static void run_message(struct device *self, struct stage *stage, char *message)
{
    char quote = 0, *start = message;
    for (char *at = message;; at++) {
        if (quote ? *at == quote : *at == '"' || *at == '\'')
            quote = quote ? 0 : *at;
        if (*at && (*at != ';' || quote))
            continue;
        bool last = !*at;
        *at = '\0';
        run_unit(self, stage, start);
        if (last)
            return;
        start = at + 1;
    }
}

static void send_answer(struct device *self, struct stage *stage)
{
    if (self->answer.len) {
        lf_buffer_text(&self->answer, "\n");
        stage_say(stage, self->asked, self->answer.data, self->answer.len);
    }
    lf_buffer_clear(&self->answer);
    self->answer_at = 0;
}

static bool hear(void *context, struct stage *stage, const char *line, size_t len)
{
    struct device *self = context;
    char message[UNIT_MAX];
    if (self->answer_at && !self->strict)
        return false;
    if (self->strict && (stage_forget_replies(stage) || self->answer.len))
        push_error(self, -410);
    lf_buffer_clear(&self->answer);
    self->answer_at = 0;
    self->asked[0] = '\0';
    while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    if (len >= sizeof message || memchr(line, 0, len)) {
        push_error(self, -102);
        return true;
    }
    memcpy(message, line, len);
    message[len] = '\0';
    run_message(self, stage, message);
    if (self->answer.len && self->strict && stage_more_waiting(stage))
        return true; /* the next line finds the answer unsent */
    if (self->answer_at <= lf_clock_mono_ms())
        send_answer(self, stage);
    return true;
}

static int64_t tick(void *context, struct stage *stage, int64_t now)
{
    struct device *self = context;
    if (self->tell_opc && self->ready_at <= now) {
        self->event_status |= ESR_OPC;
        self->tell_opc = false;
    }
    if (self->answer_at && self->answer_at <= now)
        send_answer(self, stage);
    int64_t next = self->answer_at ? self->answer_at : LF_NEVER;
    return self->tell_opc ? lf_deadline_sooner(next, self->ready_at) : next;
}

static void print(void *context, struct stage *stage)
{
    stage_sayf(stage, NULL, "%+.8E\n", measure(context));
}

static void greet(void *context, struct stage *stage)
{
    struct device *self = context;
    (void)stage;
    lf_buffer_clear(&self->answer);
    self->answer_at = 0;
}

/* ---- the state ---- */

static void describe(void *context, cJSON *state)
{
    struct device *self = context;
    cJSON *moved = cJSON_CreateObject();
    lf_json_set_text(state, "identity", self->identity);
    lf_json_set(state, "volts", cJSON_CreateNumber(self->volts));
    lf_json_set(state, "source", cJSON_CreateNumber(self->source));
    lf_json_set_bool(state, "output", self->output);
    lf_json_set_text(state, "display", self->display);
    lf_json_set_int(state, "errors", (int64_t)self->error_count);
    lf_json_set_int(moved, "measured", self->measured);
    lf_json_set_int(moved, "initiated", self->initiated);
    lf_json_set_int(moved, "switched", self->switched);
    lf_json_set_int(moved, "sourced", self->sourced);
    lf_json_set_int(moved, "beeped", self->beeped);
    lf_json_set_int(moved, "reset", self->resets);
    lf_json_set(state, "moved", moved);
}

int main(int argc, char **argv)
{
    static const struct stage_instrument instrument = {
        .program = "labferry-sim-scpi",
        .about = "A bench instrument that speaks SCPI: a voltmeter with a source and a curve.",
        .rows = rows,
        .faults = faults,
        .hear = hear,
        .tick = tick,
        .print = print,
        .greet = greet,
        .describe = describe,
    };
    static struct device device = {
        .identity = "LABFERRY,SIM-DMM,SN0001,1.0",
        .volts = 1.5,
        .acquire_ms = 500,
        .points = 1000,
        .strict = true,
        .random = 1,
    };
    int code = stage_run(argc, argv, &instrument, &device);
    lf_buffer_free(&device.answer);
    return code;
}
