/* The settings of a serial line: onto the line, and read back. */
#include "os/linux/serial.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

enum { BAUD_TOLERANCE_PER_MILLE = 25 }; /* how far a UART's rate may be off and still be understood */

static tcflag_t wanted_cflag(const struct lf_serial_settings *line)
{
    static const tcflag_t sizes[] = {CS5, CS6, CS7, CS8};
    static const tcflag_t parity[] = {0, PARENB, PARENB | PARODD, PARENB | PARODD | CMSPAR, PARENB | CMSPAR};
    return sizes[line->bits - 5] | parity[line->parity] | (line->stop == 2 ? CSTOPB : 0)
           | (line->flow == LF_FLOW_RTSCTS ? CRTSCTS : 0);
}

static const tcflag_t line_cflags = CSIZE | PARENB | PARODD | CMSPAR | CSTOPB | CRTSCTS;

enum lf_status os__line_set(int fd, const struct lf_serial_settings *line, const char *name,
                            struct lf_error *err)
{
    struct termios now;
    if (tcgetattr(fd, &now))
        return lf_fail_errno(err, "%s: cannot read the line settings", name);
    cfmakeraw(&now);
    now.c_iflag = INPCK; /* a byte with a parity or frame error is read as NUL, never as a wrong digit */
    if (line->flow == LF_FLOW_XONXOFF)
        now.c_iflag |= IXON | IXOFF;
    now.c_cc[VSTART] = 0x11;
    now.c_cc[VSTOP] = 0x13;
    now.c_cflag &= ~(line_cflags | HUPCL); /* DTR falling at close resets many boards */
    now.c_cflag |= wanted_cflag(line) | CLOCAL | CREAD;
    now.c_cc[VMIN] = 1; /* with 0, read() gives 0 for "nothing yet" as for "hung up" */
    now.c_cc[VTIME] = 0;
    if (tcsetattr(fd, TCSANOW, &now))
        return lf_fail_errno(err, "%s: cannot set the line", name);
    if (os__rate_set(fd, line->baud))
        return lf_fail_errno(err, "%s: cannot set %u baud", name, line->baud);
    return LF_OK;
}

/* The first setting that reads back with another value; NULL if all are right. */
static const char *difference(int fd, const struct lf_serial_settings *line)
{
    struct termios now;
    unsigned baud;
    if (tcgetattr(fd, &now) || os__rate_get(fd, &baud))
        return "the line (it cannot be read back)";
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

enum lf_status os__line_verify(int fd, const struct lf_serial_settings *line, bool pseudo, const char *name,
                               struct lf_error *err)
{
    const char *setting = difference(fd, line);
    if (!setting)
        return LF_OK;
    if (pseudo) {
        lf_log_debug("serial", "%s is a pseudo terminal and ignored the setting of %s", name, setting);
        return LF_OK;
    }
    return lf_fail(
        err, LF_UNSUPPORTED, LF_PERMANENT,
        "%s: the port did not accept the setting of %s; the adapter or its driver does not support it", name,
        setting);
}

static int set_signal(int fd, int signal, bool on)
{
    return ioctl(fd, on ? TIOCMBIS : TIOCMBIC, &signal);
}

enum lf_status os__line_signals(int fd, const struct lf_serial_settings *line, bool pseudo, const char *name,
                                struct lf_error *err)
{
    int failed = set_signal(fd, TIOCM_DTR, line->dtr);
    if (!failed && line->flow != LF_FLOW_RTSCTS)
        failed = set_signal(fd, TIOCM_RTS, line->rts);
    if (!failed)
        return LF_OK;
    if (pseudo
        || (line->dtr && line->rts)) { /* an adapter without these lines, and the defaults were asked for */
        lf_log_debug("serial", "%s has no DTR and RTS signals", name);
        return LF_OK;
    }
    return lf_fail_errno(err, "%s: cannot set DTR and RTS", name);
}
