/* Serial ports: serial:/dev/serial/by-id/...?baud=9600&parity=even. */
#include "drivers/stream/kind.h"

#include <stdio.h>
#include <string.h>

#define INTO(type, member) LF_INTO(type, struct lf_serial_settings, member)

static const struct lf_choice parities[] = {{"none", LF_PARITY_NONE},   {"even", LF_PARITY_EVEN},
                                            {"odd", LF_PARITY_ODD},     {"mark", LF_PARITY_MARK},
                                            {"space", LF_PARITY_SPACE}, {0}};
static const struct lf_choice flows[] = {{"none", LF_FLOW_NONE},
                                         {"xonxoff", LF_FLOW_XONXOFF},
                                         {"rtscts", LF_FLOW_RTSCTS},
                                         {0}};
static const struct lf_choice levels[] = {{"on", true}, {"off", false}, {0}};

static const struct lf_setting settings[] = {
    {"baud", INTO(LF_INT, baud), "9600", "Bits per second; any rate.", 50, 12000000},
    {"bits", INTO(LF_INT, bits), "8", "Data bits.", 5, 8},
    {"parity", INTO(LF_CHOICE, parity), "none", "Parity bit.", .choices = parities},
    {"stop", INTO(LF_INT, stop), "1", "Stop bits.", 1, 2},
    {"flow", INTO(LF_CHOICE, flow), "none", "Flow control.", .choices = flows},
    {"dtr", INTO(LF_CHOICE, dtr), "on", "The DTR signal while open.", .choices = levels},
    {"rts", INTO(LF_CHOICE, rts), "on", "The RTS signal while open; not with flow=rtscts, which controls it.",
     .choices = levels},
    {0},
};

/* What port this is, and how it is to be set. */
static enum lf_status read_options(const char *place, const struct lf_values *values,
                                   struct lf_serial_settings *line, char device[LF_SERIAL_PATH],
                                   struct lf_error *err)
{
    lf_values_fill(values, line);
    if (line->flow == LF_FLOW_RTSCTS && lf_values_given(values, "rts"))
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "flow=rtscts controls RTS itself; remove rts=, or choose another flow");
    return lf_serial_device(place, device, err);
}

static enum lf_status check_serial(const char *place, const struct lf_values *values, char *resource,
                                   size_t room, struct lf_error *err)
{
    struct lf_serial_settings line;
    char device[LF_SERIAL_PATH];
    enum lf_status status = read_options(place, values, &line, device, err);
    if (status == LF_OK)
        snprintf(resource, room, "serial %s", device);
    return status;
}

static enum lf_status open_serial(const char *place, const struct lf_values *values, int64_t deadline,
                                  struct lf_stream *stream, struct lf_error *err)
{
    static const char parity[] = "NEOMS";
    struct lf_serial_settings line;
    char device[LF_SERIAL_PATH];
    (void)deadline; /* nothing here waits */
    enum lf_status status = read_options(place, values, &line, device, err);
    if (status == LF_OK)
        status = lf_serial_open(place, &line, &stream->serial, err);
    if (status != LF_OK)
        return status;
    const char *flow = line.flow == LF_FLOW_NONE ? "" : lf_choice_name(flows, (int)line.flow);
    snprintf(stream->name, sizeof stream->name, "%s at %u %d%c%d%s%s", device, line.baud, line.bits,
             parity[line.parity], line.stop, *flow ? " " : "", flow);
    return LF_OK;
}

const struct lf_stream_kind stream__serial = {
    .name = "serial",
    .example = "serial:/dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0?baud=9600",
    .settings = settings,
    .check = check_serial,
    .open = open_serial,
};
