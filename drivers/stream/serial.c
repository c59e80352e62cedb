/* Serial ports: serial:/dev/serial/by-id/...?baud=9600&parity=even. */
#include "drivers/stream/kind.h"

#include <stdio.h>
#include <string.h>

static const char *const parities[] = {"none", "even", "odd", "mark", "space", NULL};
static const char *const flows[] = {"none", "xonxoff", "rtscts", NULL};
static const char *const levels[] = {"on", "off", NULL};

static const struct lf_setting settings[] = {
    {.name = "baud",
     .type = LF_INT,
     .fallback = "9600",
     .min = 50,
     .max = 12000000,
     .help = "Bits per second; any rate."},
    {.name = "bits", .type = LF_INT, .fallback = "8", .min = 5, .max = 8, .help = "Data bits."},
    {.name = "parity", .type = LF_CHOICE, .fallback = "none", .choices = parities, .help = "Parity bit."},
    {.name = "stop", .type = LF_INT, .fallback = "1", .min = 1, .max = 2, .help = "Stop bits."},
    {.name = "flow", .type = LF_CHOICE, .fallback = "none", .choices = flows, .help = "Flow control."},
    {.name = "dtr",
     .type = LF_CHOICE,
     .fallback = "on",
     .choices = levels,
     .help = "The DTR signal while open."},
    {.name = "rts",
     .type = LF_CHOICE,
     .fallback = "on",
     .choices = levels,
     .help = "The RTS signal while open; not with flow=rtscts, which controls it."},
    {0},
};

static int choice(const struct lf_values *values, const char *name, const char *const *choices)
{
    const char *text = lf_values_text(values, name);
    for (int i = 0; text && choices[i]; i++)
        if (!strcmp(text, choices[i]))
            return i;
    return 0;
}

static enum lf_status line_of(const struct lf_values *values, struct lf_serial_settings *line,
                              struct lf_error *err)
{
    *line = (struct lf_serial_settings){
        .baud = (unsigned)lf_values_int(values, "baud"),
        .bits = (int)lf_values_int(values, "bits"),
        .parity = (enum lf_parity)choice(values, "parity", parities),
        .stop = (int)lf_values_int(values, "stop"),
        .flow = (enum lf_flow)choice(values, "flow", flows),
        .dtr = choice(values, "dtr", levels) == 0,
        .rts = choice(values, "rts", levels) == 0,
    };
    if (line->flow == LF_FLOW_RTSCTS && lf_values_given(values, "rts"))
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "flow=rtscts controls RTS itself; remove rts=, or choose another flow");
    return LF_OK;
}

static void line_text(const struct lf_serial_settings *line, char *text, size_t room)
{
    static const char letters[] = "NEOMS";
    snprintf(text, room, "%u %d%c%d%s%s", line->baud, line->bits, letters[line->parity], line->stop,
             line->flow == LF_FLOW_NONE ? "" : " ", line->flow == LF_FLOW_NONE ? "" : flows[line->flow]);
}

static enum lf_status check_serial(const char *place, const struct lf_values *values, char *resource,
                                   size_t room, struct lf_error *err)
{
    struct lf_serial_settings line;
    char device[LF_SERIAL_PATH];
    enum lf_status status = line_of(values, &line, err);
    if (status == LF_OK)
        status = lf_serial_device(place, device, err);
    if (status == LF_OK)
        snprintf(resource, room, "serial %s", device);
    return status;
}

static enum lf_status open_serial(const char *place, const struct lf_values *values, int64_t deadline,
                                  struct lf_stream *stream, struct lf_error *err)
{
    struct lf_serial_settings line;
    char device[LF_SERIAL_PATH], text[64];
    (void)deadline; /* nothing here waits */
    enum lf_status status = line_of(values, &line, err);
    if (status == LF_OK)
        status = lf_serial_device(place, device, err);
    if (status == LF_OK)
        status = lf_serial_open(place, &line, &stream->serial, err);
    if (status != LF_OK)
        return status;
    line_text(&line, text, sizeof text);
    snprintf(stream->name, sizeof stream->name, "%s at %s", device, text);
    return LF_OK;
}

const struct lf_stream_kind stream__serial = {
    .name = "serial",
    .example = "serial:/dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0?baud=9600",
    .settings = settings,
    .check = check_serial,
    .open = open_serial,
};
