/* The settings of a serial line: from text, onto the line, and read back. */
#include "drivers/stream/serial.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

static const char *const parities[] = {"none", "even", "odd", "mark", "space", NULL};
static const char *const flows[] = {"none", "xonxoff", "rtscts", NULL};
static const char *const levels[] = {"on", "off", NULL};

enum { BAUD_TOLERANCE_PER_MILLE = 25 }; /* what a UART's divider may be off and still be understood */

const struct lf_setting stream__line_table[] = {
    {.name = "baud",
     .type = LF_INT,
     .fallback = "9600",
     .min = 50,
     .max = 12000000,
     .help = "Bits a second, any rate."},
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
     .help = "The RTS signal while open; not with flow=rtscts, which drives it."},
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

enum lf_status stream__line_from_values(const struct lf_values *values, struct lf_line_settings *line,
                                        struct lf_error *err)
{
    *line = (struct lf_line_settings){
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
                       "flow=rtscts drives RTS itself: take rts= out, or use another flow");
    return LF_OK;
}

void stream__line_text(const struct lf_line_settings *line, char *text, size_t room)
{
    static const char letters[] = "NEOMS";
    snprintf(text, room, "%u %d%c%d%s%s", line->baud, line->bits, letters[line->parity], line->stop,
             line->flow == LF_FLOW_NONE ? "" : " ", line->flow == LF_FLOW_NONE ? "" : flows[line->flow]);
}

static tcflag_t wanted_cflag(const struct lf_line_settings *line)
{
    static const tcflag_t sizes[] = {CS5, CS6, CS7, CS8};
    static const tcflag_t parity[] = {0, PARENB, PARENB | PARODD, PARENB | PARODD | CMSPAR, PARENB | CMSPAR};
    return sizes[line->bits - 5] | parity[line->parity] | (line->stop == 2 ? CSTOPB : 0)
           | (line->flow == LF_FLOW_RTSCTS ? CRTSCTS : 0);
}

static const tcflag_t line_cflags = CSIZE | PARENB | PARODD | CMSPAR | CSTOPB | CRTSCTS;

/* Sets the flags that libserialport would: the rest is stream__line_tidy's. */
enum lf_status stream__line_apply(int fd, const struct lf_line_settings *line, const char *name,
                                  struct lf_error *err)
{
    struct termios now;
    if (tcgetattr(fd, &now))
        return lf_fail_errno(err, "%s: cannot read the line settings", name);
    cfmakeraw(&now);
    now.c_cflag = (now.c_cflag & ~line_cflags) | wanted_cflag(line);
    if (tcsetattr(fd, TCSANOW, &now))
        return lf_fail_errno(err, "%s: cannot set the line", name);
    if (stream__termios2_set_baud(fd, line->baud))
        return lf_fail_errno(err, "%s: cannot set %u baud", name, line->baud);
    return LF_OK;
}

enum lf_status stream__line_tidy(int fd, const struct lf_line_settings *line, const char *name,
                                 struct lf_error *err)
{
    struct termios now;
    if (tcgetattr(fd, &now))
        return lf_fail_errno(err, "%s: cannot read the line settings", name);
    now.c_iflag = INPCK; /* a byte with a parity or frame error is read as NUL, never as a wrong digit */
    if (line->flow == LF_FLOW_XONXOFF)
        now.c_iflag |= IXON | IXOFF;
    now.c_cc[VSTART] = 0x11;
    now.c_cc[VSTOP] = 0x13;
    now.c_cflag |= CLOCAL | CREAD;
    now.c_cflag &= ~(tcflag_t)(HUPCL | CRTSCTS); /* DTR falling at close resets many boards */
    if (line->flow == LF_FLOW_RTSCTS)
        now.c_cflag |= CRTSCTS;
    now.c_cc[VMIN] = 1; /* with 0, read() gives 0 for "nothing yet" as for "hung up" */
    now.c_cc[VTIME] = 0;
    if (tcsetattr(fd, TCSANOW, &now))
        return lf_fail_errno(err, "%s: cannot set the line", name);
    return LF_OK;
}

/* The first setting that reads back other than wanted; NULL if all are right. */
static const char *difference(int fd, const struct lf_line_settings *line)
{
    struct termios now;
    unsigned baud;
    if (tcgetattr(fd, &now) || stream__termios2_get_baud(fd, &baud))
        return "anything (it cannot be read back)";
    tcflag_t differs = (now.c_cflag ^ wanted_cflag(line)) & line_cflags;
    int64_t off = llabs((long long)baud - (long long)line->baud);
    if (off * 1000 > (int64_t)line->baud * BAUD_TOLERANCE_PER_MILLE)
        return "baud";
    if (differs & CSIZE)
        return "bits";
    if (differs & (tcflag_t)(PARENB | PARODD | CMSPAR))
        return "parity";
    if (differs & CSTOPB)
        return "stop";
    if (differs & (tcflag_t)CRTSCTS || !(now.c_iflag & IXON) != (line->flow != LF_FLOW_XONXOFF))
        return "flow";
    return NULL;
}

enum lf_status stream__line_verify(int fd, const struct lf_line_settings *line, bool pseudo, const char *name,
                                   struct lf_error *err)
{
    const char *setting = difference(fd, line);
    if (!setting)
        return LF_OK;
    if (pseudo) {
        lf_log_debug("stream", "%s is a pseudo terminal and did not keep the setting of %s", name, setting);
        return LF_OK;
    }
    return lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT,
                   "%s: the port did not take the setting of %s; this adapter or its driver cannot do it",
                   name, setting);
}

static int set_signal(int fd, int signal, bool on)
{
    return ioctl(fd, on ? TIOCMBIS : TIOCMBIC, &signal);
}

enum lf_status stream__line_signals(int fd, const struct lf_line_settings *line, bool pseudo,
                                    const char *name, struct lf_error *err)
{
    int failed = set_signal(fd, TIOCM_DTR, line->dtr);
    if (!failed && line->flow != LF_FLOW_RTSCTS)
        failed = set_signal(fd, TIOCM_RTS, line->rts);
    if (!failed)
        return LF_OK;
    if (pseudo || (line->dtr && line->rts)) { /* an adapter without these wires, and nobody asked for them */
        lf_log_debug("stream", "%s has no DTR and RTS signals", name);
        return LF_OK;
    }
    return lf_fail_errno(err, "%s: cannot set DTR and RTS as asked", name);
}
