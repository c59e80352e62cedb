/* The stage: one loop, one thread.
 *
 * Order within a turn: lines are heard and carried out, then the state file is written, then the replies
 * leave. So a host that has a reply finds its action in the state file, and a test that kills its agent can
 * count what really moved.
 */
#include "stage.h"

#include "base/buffer.h"
#include "control.h"
#include "options.h"
#include "os/linux/native.h"
#include "os/wait.h"
#include "outlet.h"
#include "record.h"
#include "replace.h"
#include "values.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUT_BOUND = 64 * 1024,
    LINE_BOUND = 4096,
    ROWS_MAX = 64,
    PULL_AFTER_MS = 20,
    XON = 0x11,
    XOFF = 0x13
};

struct stage {
    const struct stage_instrument *instrument;
    void *self;
    struct wire wire;
    struct outlet outlet;
    struct faults faults;
    struct control control;
    struct record record;
    struct lf_buffer input;
    char *state_path;
    const char *control_path;
    int64_t replug_ms, replug_at, chatter_at;
    int64_t commands, replies, clients, unplugs;
    bool changed, quit;
    bool offered; /* the first waiting line was shown to the instrument already, which was busy */
};

static struct lf_cancel stop; /* set by signals */

/* ---- rows that every instrument has ---- */

const struct stage_row stage_common[] = {
    {"replug", "MS", "how long an unplugged line stays away; 0: until 'plug' (1000)", {0}},
    {"fault", "FAULT", "something goes wrong, see below", {0}},
    {"clear", NULL, "clear all faults", {0}},
    {"print", NULL, "send a line that nobody asked for (print key)", {0}},
    {"unplug", NULL, "pull the cable", {0}},
    {"plug", NULL, "put it in again", {0}},
    {0},
};

static void set_changed(struct stage *stage, const char *event)
{
    record_add(&stage->record, "event", event, strlen(event));
    stage->changed = true;
}

static void pull(struct stage *stage)
{
    if (!stage->wire.plugged)
        return;
    wire_unplug(&stage->wire);
    outlet_clear(&stage->outlet);
    lf_buffer_clear(&stage->input);
    stage->offered = false;
    stage->unplugs++;
    stage->replug_at = stage->replug_ms > 0 ? lf_deadline_in(stage->replug_ms) : LF_NEVER;
    set_changed(stage, "unplugged");
}

static enum lf_status plug(struct stage *stage, struct lf_error *err)
{
    stage->replug_at = LF_NEVER;
    if (stage->wire.plugged)
        return LF_OK;
    enum lf_status status = wire_plug(&stage->wire, err);
    if (status == LF_OK)
        set_changed(stage, "plugged in");
    return status;
}

static enum lf_status set_common(struct stage *stage, const char *name, const char *value,
                                 struct lf_error *err)
{
    if (!strcmp(name, "fault"))
        return fault_add(&stage->faults, value, err);
    if (!strcmp(name, "clear"))
        fault_clear(&stage->faults);
    else if (!strcmp(name, "print"))
        stage->instrument->print(stage->self, stage);
    else if (!strcmp(name, "unplug"))
        pull(stage);
    else if (!strcmp(name, "plug"))
        return plug(stage, err);
    else
        return value_ms(name, value, &stage->replug_ms, err);
    return LF_OK;
}

static const struct stage_row *find_row(const struct stage_row *rows, const char *name)
{
    for (; rows->name; rows++)
        if (!strcmp(rows->name, name))
            return rows;
    return NULL;
}

/* Sets a row by name: from the command line and from the control socket. */
static enum lf_status set_row(struct stage *stage, const char *name, const char *value, struct lf_error *err)
{
    const struct stage_row *row = find_row(stage_common, name);
    bool own = !row;
    if (own)
        row = find_row(stage->instrument->rows, name);
    if (!row)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "'%s' is not a command; 'help' lists them", name);
    if (row->value && !*value)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "'%s' needs a value: %s", name, row->value);
    if (!row->value && *value)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "'%s' takes no value", name);
    stage->changed = true;
    if (!own)
        return set_common(stage, name, value, err);
    if (row->keep.kind == VALUE_OWN)
        return stage->instrument->set(stage->self, stage, name, value, err);
    return value_set(&row->keep, name, row->value, stage->self, value, err);
}

/* ---- state ---- */

static cJSON *describe(const struct stage *stage, bool transcript)
{
    char name[320];
    cJSON *state = cJSON_CreateObject(), *faults = cJSON_CreateArray();
    wire_stream_name(&stage->wire, name, sizeof name);
    lf_json_set_text(state, "program", stage->instrument->program);
    lf_json_set_text(state, "stream", name);
    lf_json_set_bool(state, "plugged", stage->wire.plugged);
    lf_json_set_int(state, "clients", stage->clients);
    lf_json_set_int(state, "commands", stage->commands);
    lf_json_set_int(state, "replies", stage->replies);
    lf_json_set_int(state, "unplugs", stage->unplugs);
    for (size_t i = 0; i < stage->faults.count; i++)
        cJSON_AddItemToArray(faults, cJSON_CreateString(stage->faults.list[i].kind->name));
    lf_json_set(state, "faults", faults);
    stage->instrument->describe(stage->self, state);
    if (transcript)
        lf_json_set(state, "transcript", record_json(&stage->record));
    return state;
}

static void write_state(struct stage *stage)
{
    stage->changed = false;
    if (!stage->state_path)
        return;
    cJSON *state = describe(stage, true);
    char *text = lf_json_print(state);
    if (text && !sim_replace_file(stage->state_path, text))
        fprintf(stderr, "%s: cannot write %s: %s\n", stage->instrument->program, stage->state_path,
                strerror(errno));
    free(text);
    cJSON_Delete(state);
}

/* ---- control socket ---- */

static void list_rows(struct lf_buffer *reply, const struct stage_row *rows)
{
    for (; rows->name; rows++)
        lf_buffer_format(reply, "%s%s%s, ", rows->name, rows->value ? " " : "",
                         rows->value ? rows->value : "");
}

static void answer(void *context, const char *line, struct lf_buffer *reply)
{
    struct stage *stage = context;
    struct lf_error err = {0};
    char name[32] = "";
    sscanf(line, "%31s", name);
    const char *value = line + strspn(line, " ") + strlen(name);
    value += strspn(value, " ");
    if (!strcmp(name, "state") || !strcmp(name, "transcript")) {
        cJSON *json = name[0] == 's' ? describe(stage, false) : record_json(&stage->record);
        char *text = lf_json_print(json);
        lf_buffer_text(reply, text ? text : "error: out of memory");
        free(text);
        cJSON_Delete(json);
    } else if (!strcmp(name, "help")) {
        list_rows(reply, stage->instrument->rows);
        list_rows(reply, stage_common);
        lf_buffer_text(reply, "state, transcript, quit");
    } else if (!strcmp(name, "quit")) {
        stage->quit = true;
        lf_buffer_text(reply, "ok");
    } else if (set_row(stage, name, value, &err)) {
        lf_buffer_format(reply, "error: %s", err.text);
    } else {
        lf_buffer_text(reply, "ok");
    }
    if (stage->changed)
        write_state(stage);
}

/* ---- what the instrument says ---- */

void stage_say(struct stage *stage, const char *command, const void *data, size_t len)
{
    struct faults *faults = &stage->faults;
    int64_t now = lf_clock_mono_ms(), due = now, gap = 0;
    char noise[256];
    long value;
    stage->replies += command != NULL;
    if (fault_strikes(faults, "silence", command, NULL))
        return set_changed(stage, "fault: silence");
    if (fault_strikes(faults, "garbage", command, &value)) {
        len = (size_t)value < sizeof noise ? (size_t)value : sizeof noise;
        for (size_t i = 0; i < len; i++)
            noise[i] = (char)(128 + lf_random_below(128));
        data = noise;
    }
    if (fault_strikes(faults, "delay", command, &value))
        due += value;
    if (fault_strikes(faults, "slow", command, &value))
        gap = value;
    if (fault_strikes(faults, "cut", command, &value))
        len = (size_t)value < len ? (size_t)value : len;
    if (fault_strikes(faults, "twice", command, NULL))
        outlet_add(&stage->outlet, data, len, due, gap);
    bool cable = fault_strikes(faults, "unplug", command, &value);
    if (cable)
        len = (size_t)value < len ? (size_t)value : len;
    outlet_add(&stage->outlet, data, len, due, gap);
    if (cable) /* a hang-up throws away what the host has not read yet */
        outlet_add_pull(&stage->outlet, due + PULL_AFTER_MS);
}

void stage_sayf(struct stage *stage, const char *command, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len > 0)
        stage_say(stage, command, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

struct faults *stage_faults(struct stage *stage)
{
    return &stage->faults;
}

bool stage_more_waiting(const struct stage *stage)
{
    const char *first = stage->input.len ? memchr(stage->input.data, '\n', stage->input.len) : NULL;
    size_t used = first ? (size_t)(first - stage->input.data) + 1 : stage->input.len;
    return used < stage->input.len;
}

bool stage_forget_replies(struct stage *stage)
{
    bool some = stage->outlet.head != NULL;
    outlet_clear(&stage->outlet);
    return some;
}

void stage_note(struct stage *stage, const char *text)
{
    set_changed(stage, text);
}

/* ---- the loop ---- */

static void command_word(const char *line, size_t len, char *word, size_t room)
{
    size_t used = 0;
    while (used < len && used + 1 < room && !strchr(" \t\r\n", line[used]) && line[used])
        used++;
    memcpy(word, line, used);
    word[used] = '\0';
}

static void hear_lines(struct stage *stage)
{
    while (stage->input.len) {
        char word[64];
        const char *end = memchr(stage->input.data, '\n', stage->input.len);
        if (!end && stage->input.len < LINE_BOUND)
            return;
        size_t len = end ? (size_t)(end - stage->input.data) + 1 : stage->input.len;
        command_word(stage->input.data, len, word, sizeof word);
        if (!stage->offered)
            record_add(&stage->record, "host", stage->input.data, len);
        if (!stage->offered && fault_strikes(&stage->faults, "deaf", word, NULL)) {
            set_changed(stage, "fault: deaf");
        } else if (stage->instrument->hear(stage->self, stage, stage->input.data, len)) {
            stage->commands++;
            stage->changed = true;
        } else {
            stage->offered = true;
            return;
        }
        stage->offered = false;
        lf_buffer_consume(&stage->input, len);
    }
}

static void take_bytes(struct stage *stage)
{
    char data[4096];
    size_t kept = 0;
    ssize_t count = wire_read(&stage->wire, data, sizeof data);
    if (count == 0) {
        wire_drop_client(&stage->wire);
        outlet_clear(&stage->outlet);
        return;
    }
    for (ssize_t i = 0; i < count; i++) {
        bool flow = stage->wire.kind == WIRE_PTY && (data[i] == XON || data[i] == XOFF);
        if (flow)
            stage->outlet.held = data[i] == XOFF;
        else
            data[kept++] = data[i];
    }
    if (lf_buffer_append(&stage->input, data, kept)) {
        lf_buffer_clear(&stage->input);
        stage->offered = false;
        set_changed(stage, "input overrun: lost");
    }
}

static void take_client(struct stage *stage)
{
    if (!wire_accept(&stage->wire))
        return;
    stage->clients++;
    outlet_clear(&stage->outlet);
    lf_buffer_clear(&stage->input);
    stage->offered = false;
    if (stage->instrument->greet)
        stage->instrument->greet(stage->self, stage);
    set_changed(stage, "client connected");
}

static void push_replies(struct stage *stage)
{
    for (;;) {
        enum outlet_event event = outlet_push(&stage->outlet, &stage->wire, lf_clock_mono_ms());
        if (event == OUTLET_IDLE)
            return;
        if (event == OUTLET_PULL) {
            pull(stage);
            write_state(stage);
            return;
        }
        record_add(&stage->record, "device", stage->outlet.head->data, stage->outlet.head->len);
        outlet_drop(&stage->outlet);
    }
}

/* Does what is due. Returns when something is due next. */
static int64_t act(struct stage *stage)
{
    struct lf_error err = {0};
    const struct fault *chatter = fault_find(&stage->faults, "chatter");
    int64_t now = lf_clock_mono_ms();
    if (stage->replug_at <= now && plug(stage, &err))
        fprintf(stderr, "%s: %s\n", stage->instrument->program, err.text);
    int64_t next = stage->instrument->tick(stage->self, stage, now);
    hear_lines(stage);
    if (!chatter) {
        stage->chatter_at = LF_NEVER;
    } else if (stage->chatter_at == LF_NEVER || stage->chatter_at <= now) {
        stage->instrument->print(stage->self, stage);
        stage->chatter_at = now + (chatter->value > 0 ? chatter->value : 1);
    }
    next = lf_deadline_sooner(next, stage->instrument->tick(stage->self, stage, now));
    if (stage->changed)
        write_state(stage);
    push_replies(stage);
    next = lf_deadline_sooner(next, lf_deadline_sooner(stage->chatter_at, stage->replug_at));
    return lf_deadline_sooner(next, outlet_due(&stage->outlet));
}

static void play(struct stage *stage)
{
    while (!stage->quit && !lf_cancel_is_set(&stop)) {
        int64_t next = act(stage);
        struct pollfd polls[3 + CONTROL_CLIENTS + 1];
        short want = (short)(POLLIN | (stage->outlet.blocked ? POLLOUT : 0));
        polls[0] = (struct pollfd){.fd = os__fd(stop.wake.event), .events = POLLIN};
        polls[1] = (struct pollfd){.fd = stage->wire.fd, .events = want};
        /* one client at a time: the others wait in the queue */
        polls[2] = (struct pollfd){.fd = stage->wire.fd < 0 ? stage->wire.listener : -1, .events = POLLIN};
        size_t count = 3 + control_polls(&stage->control, polls + 3);
        if (poll(polls, (nfds_t)count, os__poll_ms(next)) < 0 && errno != EINTR)
            return;
        if (polls[1].revents & (POLLIN | POLLHUP | POLLERR))
            take_bytes(stage);
        if (polls[2].revents)
            take_client(stage);
        control_serve(&stage->control, answer, stage);
    }
}

/* ---- main ---- */

static void on_signal(int number)
{
    (void)number;
    lf_cancel_set(&stop);
}

struct where {
    enum wire_kind kind;
    const char *place;
    bool help;
};

struct starting {
    struct stage *stage;
    struct where where;
};

static enum lf_status take_option(void *context, const char *name, const char *value, struct lf_error *err)
{
    struct starting *starting = context;
    struct stage *stage = starting->stage;
    struct where *where = &starting->where;
    enum wire_kind kind = !strcmp(name, "pty")    ? WIRE_PTY
                          : !strcmp(name, "tcp")  ? WIRE_TCP
                          : !strcmp(name, "unix") ? WIRE_UNIX
                                                  : WIRE_NONE;
    if (kind != WIRE_NONE && where->kind != WIRE_NONE)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "give one of --pty, --tcp and --unix, not two");
    if (kind != WIRE_NONE)
        *where = (struct where){.kind = kind, .place = value, .help = where->help};
    else if (!strcmp(name, "control"))
        stage->control_path = value;
    else if (!strcmp(name, "state"))
        stage->state_path = strdup(value);
    else if (!strcmp(name, "verbose"))
        stage->record.loud = true;
    else if (!strcmp(name, "help"))
        where->help = true;
    else
        return set_row(stage, name, value, err);
    return LF_OK;
}

static enum lf_status start(struct stage *stage, const struct where *where, struct lf_error *err)
{
    char name[320];
    enum lf_status status = wire_open(&stage->wire, where->kind, where->place, err);
    if (status == LF_OK)
        status = control_open(&stage->control, stage->control_path, err);
    if (status)
        return status;
    write_state(stage);
    wire_stream_name(&stage->wire, name, sizeof name);
    printf("ready %s\n", name);
    fflush(stdout);
    return LF_OK;
}

int stage_run(int argc, char **argv, const struct stage_instrument *instrument, void *self)
{
    struct lf_error err = {0};
    struct starting starting = {0};
    struct sigaction action = {.sa_handler = on_signal};
    if (argc >= 4 && !strcmp(argv[1], "--tell"))
        return control_tell(argv[2], argc - 3, argv + 3);
    struct stage *stage = calloc(1, sizeof *stage);
    if (!stage)
        return 1;
    *stage = (struct stage){.instrument = instrument,
                            .self = self,
                            .replug_ms = 1000,
                            .replug_at = LF_NEVER,
                            .chatter_at = LF_NEVER,
                            .input = {.max = INPUT_BOUND},
                            .faults = {.own = instrument->faults},
                            .control = {.listener = -1},
                            .wire = {.fd = -1, .listener = -1, .slave = -1}};
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        stage->control.clients[i] = -1;
    enum lf_status status = lf_cancel_open(&stop, &err);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    starting.stage = stage;
    if (status == LF_OK)
        status = options_take(argc, argv, instrument, take_option, &starting, &err);
    if (status == LF_OK && starting.where.help) {
        options_help(instrument);
    } else if (status == LF_OK && starting.where.kind == WIRE_NONE) {
        status = lf_fail(&err, LF_INVALID, LF_PERMANENT,
                         "say where to speak: --pty, --tcp or --unix; see --help");
    } else if (status == LF_OK) {
        status = start(stage, &starting.where, &err);
        if (status == LF_OK)
            play(stage);
    }
    if (status)
        fprintf(stderr, "%s: %s\n", instrument->program, err.text);
    wire_unplug(&stage->wire);
    control_close(&stage->control);
    outlet_clear(&stage->outlet);
    lf_buffer_free(&stage->input);
    free(stage->state_path);
    lf_cancel_close(&stop);
    free(stage);
    return status ? 2 : 0;
}
