/* Serial ports. libserialport finds the port and sets its line; reading and writing happen on the descriptor,
 * in stream.c, since libserialport's own reads spin at a hang-up. What libserialport refuses (pseudo
 * terminals, and ports that report no bit rate) is opened with plain termios.
 *
 * An open port has two descriptors: `claim`, opened first and locked (flock), so that another agent's port is
 * never touched, not even its settings; and the one that libserialport opened. Plain termios uses the claim
 * itself for both. TIOCEXCL keeps other programs out of real ports. Pseudo terminals get the lock only: there
 * the mark outlives the process that set it for as long as the master side lives, and would lock out our own
 * restart.
 */
#include "drivers/stream/serial.h"

#include "base/log.h"
#include "drivers/stream/kind.h"

#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

enum { PTS_MAJOR_FIRST = 136, PTS_MAJOR_LAST = 143 }; /* Linux, Documentation/admin-guide/devices.txt */

struct port {
    int claim;          /* -1 when the stream's descriptor is the claim */
    struct sp_port *sp; /* NULL for plain termios */
};

/* ---- names ---- */

static enum lf_status check_serial(const char *place, const struct lf_values *values, char *resource,
                                   size_t room, struct lf_error *err)
{
    struct lf_line_settings line;
    char real[PATH_MAX];
    if (place[0] != '/')
        return lf_fail(
            err, LF_INVALID, LF_PERMANENT,
            "serial:%.100s is not a path; write serial:/dev/serial/by-id/..., 'labferry ports' shows them",
            place);
    if (strlen(place) >= LF_STREAM_NAME_MAX - 64)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "the path of the serial port is too long: %.200s",
                       place);
    enum lf_status status = stream__line_from_values(values, &line, err);
    if (status != LF_OK)
        return status;
    snprintf(resource, room, "serial %s",
             realpath(place, real) ? real : place); /* may be unplugged just now */
    return LF_OK;
}

/* ---- claiming ---- */

static enum lf_status busy(const char *device, struct lf_error *err)
{
    char who[128];
    if (stream__port_holder(device, who, sizeof who))
        return lf_fail(err, LF_BUSY, LF_TRANSIENT,
                       "%s is in use by %s; stop that program, or configure another port", device, who);
    return lf_fail(err, LF_BUSY, LF_TRANSIENT,
                   "%s is in use by another program; 'fuser -v %s' as root names it", device, device);
}

static enum lf_status open_failed(const char *device, struct lf_error *err)
{
    switch (errno) {
    case ENOENT:
        return lf_fail(err, LF_NOT_FOUND, LF_TRANSIENT,
                       "%s is not there; is the device plugged in? 'labferry ports' shows what is", device);
    case EBUSY: return busy(device, err);
    case EACCES:
    case EPERM:
        return lf_fail(
            err, LF_DENIED, LF_NEEDS_PERSON,
            "%s: this user may not open it; add the user to its group, mostly 'dialout', and start again",
            device);
    case EIO:
    case ENXIO:
    case ENODEV:
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "%s is there, but no device answers behind it",
                       device);
    default: return lf_fail_errno(err, "cannot open %s", device);
    }
}

static enum lf_status claim_port(const char *device, int *fd, bool *pseudo, struct lf_error *err)
{
    struct stat info;
    *fd = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return open_failed(device, err);
    if (isatty(*fd) && fstat(*fd, &info) == 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0) {
        *pseudo = major(info.st_rdev) >= PTS_MAJOR_FIRST && major(info.st_rdev) <= PTS_MAJOR_LAST;
        return LF_OK;
    }
    int number = errno;
    close(*fd); /* before looking for the holder, who would else be we */
    *fd = -1;
    errno = number;
    if (number == ENOTTY || number == EINVAL)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s is not a serial port; 'labferry ports' shows them",
                       device);
    return number == EWOULDBLOCK ? busy(device, err) : open_failed(device, err);
}

/* ---- libserialport ---- */

static enum lf_status sp_failed(const char *what, const char *device, enum sp_return result,
                                struct lf_error *err)
{
    char *message = result == SP_ERR_FAIL ? sp_last_error_message() : NULL;
    enum lf_status status = lf_fail(err, result == SP_ERR_MEM ? LF_NO_MEMORY : LF_UNSUPPORTED,
                                    result == SP_ERR_MEM || result == SP_ERR_FAIL ? LF_TRANSIENT
                                                                                  : LF_PERMANENT,
                                    "%s: cannot set %s: %s", device, what,
                                    message ? message : "the port does not support it");
    sp_free_error_message(message);
    return status;
}

/* One call for each setting, so that a refusal can name it. */
static enum lf_status sp_set_line(struct sp_port *sp, const struct lf_line_settings *line, const char *device,
                                  struct lf_error *err)
{
    static const enum sp_parity parities[] = {SP_PARITY_NONE, SP_PARITY_EVEN, SP_PARITY_ODD, SP_PARITY_MARK,
                                              SP_PARITY_SPACE};
    enum sp_return result = sp_set_baudrate(sp, (int)line->baud);
    if (result)
        return sp_failed("baud", device, result, err);
    if ((result = sp_set_bits(sp, line->bits)))
        return sp_failed("bits", device, result, err);
    if ((result = sp_set_parity(sp, parities[line->parity])))
        return sp_failed("parity", device, result, err);
    if ((result = sp_set_stopbits(sp, line->stop)))
        return sp_failed("stop", device, result, err);
    return LF_OK;
}

/* The port as libserialport opens it; NULL if it will not have it (then plain termios must do). */
static struct sp_port *sp_try_open(const char *device)
{
    struct sp_port *sp = NULL;
    if (sp_get_port_by_name(device, &sp) != SP_OK)
        return NULL;
    if (sp_open(sp, SP_MODE_READ_WRITE) == SP_OK)
        return sp;
    sp_free_port(sp);
    return NULL;
}

static enum lf_status take_sp(struct port *port, const char *device, const struct lf_line_settings *line,
                              int *fd, struct lf_error *err)
{
    if (sp_get_port_handle(port->sp, fd) != SP_OK)
        return lf_fail(err, LF_IO, LF_TRANSIENT, "%s: libserialport gives no descriptor", device);
    fcntl(*fd, F_SETFD, FD_CLOEXEC);
    fcntl(*fd, F_SETFL, O_NONBLOCK);
    return sp_set_line(port->sp, line, device, err);
}

/* ---- open and close ---- */

static void close_serial(struct lf_stream *stream)
{
    struct port *port = stream->port;
    if (stream->fd >= 0)
        tcflush(stream->fd, TCIOFLUSH); /* else close waits for bytes that flow control holds back */
    if (port && port->sp) {
        sp_close(port->sp);
        sp_free_port(port->sp);
    } else if (stream->fd >= 0) {
        close(stream->fd);
    }
    if (port && port->claim >= 0)
        close(port->claim);
    free(port);
    stream->port = NULL;
    stream->fd = -1;
}

static enum lf_status set_up(struct lf_stream *stream, const char *device,
                             const struct lf_line_settings *line, bool pseudo, struct lf_error *err)
{
    struct port *port = stream->port;
    enum lf_status status = LF_OK;
    port->sp = pseudo ? NULL : sp_try_open(device);
    if (port->sp) {
        status = take_sp(port, device, line, &stream->fd, err);
    } else {
        stream->fd = port->claim;
        port->claim = -1;
        status = stream__line_apply(stream->fd, line, device, err);
    }
    if (status == LF_OK)
        status = stream__line_tidy(stream->fd, line, device, err);
    if (status == LF_OK)
        status = stream__line_verify(stream->fd, line, pseudo, device, err);
    if (status == LF_OK)
        status = stream__line_signals(stream->fd, line, pseudo, device, err);
    if (status == LF_OK && !pseudo && ioctl(stream->fd, TIOCEXCL))
        lf_log_debug("stream", "%s cannot be kept from other programs", device);
    return status;
}

static enum lf_status open_serial(const char *place, const struct lf_values *values, int64_t deadline,
                                  struct lf_stream *stream, struct lf_error *err)
{
    struct lf_line_settings line;
    char device[PATH_MAX], text[64];
    int claim = -1;
    bool pseudo = false;
    (void)deadline; /* nothing here waits: O_NONBLOCK does not wait for a carrier */
    enum lf_status status = stream__line_from_values(values, &line, err);
    if (status != LF_OK)
        return status;
    if (!realpath(place, device)) /* libserialport 0.1.1 refuses links, and by-id names are links */
        return open_failed(place, err);
    status = claim_port(device, &claim, &pseudo, err);
    if (status != LF_OK)
        return status;
    struct port *port = calloc(1, sizeof *port);
    if (!port) {
        close(claim);
        return lf_fail_memory(err, "a serial port");
    }
    port->claim = claim;
    stream->port = port;
    stream__line_text(&line, text, sizeof text);
    snprintf(stream->name, sizeof stream->name, "%.250s at %s", device, text);
    status = set_up(stream, device, &line, pseudo, err);
    if (status != LF_OK)
        close_serial(stream);
    else
        tcflush(stream->fd, TCIOFLUSH); /* what came before we listened belongs to nobody */
    return status;
}

const struct lf_stream_kind stream__serial = {
    .name = "serial",
    .example = "serial:/dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0?baud=9600",
    .terminal = true,
    .settings = stream__line_table,
    .check = check_serial,
    .open = open_serial,
    .close = close_serial,
};

/* ---- listing ---- */

enum lf_status stream__serial_scan(enum lf_status (*each)(void *context, const struct lf_port_facts *facts,
                                                          struct lf_error *err),
                                   void *context, struct lf_error *err)
{
    struct sp_port **list = NULL;
    enum lf_status status = LF_OK;
    enum sp_return result = sp_list_ports(&list);
    if (result == SP_ERR_MEM)
        return lf_fail_memory(err, "the list of serial ports");
    if (result)
        return lf_fail(err, LF_IO, LF_TRANSIENT,
                       "the list of serial ports cannot be read (is /sys mounted?)");
    for (size_t i = 0; list[i] && status == LF_OK; i++) {
        struct lf_port_facts facts = {
            .path = sp_get_port_name(list[i]),
            .description = sp_get_port_description(list[i]),
            .usb = sp_get_port_transport(list[i]) == SP_TRANSPORT_USB,
        };
        if (facts.usb) {
            facts.usb = sp_get_port_usb_vid_pid(list[i], &facts.vendor, &facts.product) == SP_OK;
            facts.serial = sp_get_port_usb_serial(list[i]);
        }
        status = each(context, &facts, err);
    }
    sp_free_port_list(list);
    return status;
}
