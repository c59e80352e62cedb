/* Serial ports. libserialport finds the port and sets its line; reading and writing happen on the descriptor,
 * since libserialport's own reads spin at a hang-up. Ports that libserialport refuses (pseudo terminals, and
 * ports that report no bit rate) are opened with plain termios.
 *
 * An open port has two descriptors: `claim`, opened first and locked (flock), so that another agent's port is
 * never touched, not even its settings; and the one that libserialport opened. Plain termios uses the claim
 * itself for both. TIOCEXCL keeps other programs out of real ports. Pseudo terminals get the lock only: there
 * the mark outlives the process that set it for as long as the master side lives, and would lock out our own
 * restart.
 */
#include "os/linux/serial.h"

#include "base/log.h"
#include "os/linux/native.h"

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

struct lf_serial {
    int fd;             /* of libserialport, or the claim itself */
    int claim;          /* -1 when fd is the claim */
    struct sp_port *sp; /* NULL for plain termios */
};

enum lf_status lf_serial_device(const char *path, char device[LF_SERIAL_PATH], struct lf_error *err)
{
    char real[PATH_MAX];
    if (path[0] != '/')
        return lf_fail(
            err, LF_INVALID, LF_PERMANENT,
            "%.100s is not an absolute path; write /dev/serial/by-id/..., 'labferry ports' lists them", path);
    if (strlen(path) >= LF_SERIAL_PATH)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "the path of the serial port is too long: %.200s",
                       path);
    bool is_there = realpath(path, real) && strlen(real) < LF_SERIAL_PATH;
    strcpy(device, is_there ? real : path);
    return LF_OK;
}

/* ---- claiming ---- */

static enum lf_status busy(const char *device, struct lf_error *err)
{
    char who[128];
    if (os__port_holder(device, who, sizeof who))
        return lf_fail(err, LF_BUSY, LF_TRANSIENT,
                       "%s is in use by %s; stop that program, or configure another port", device, who);
    return lf_fail(err, LF_BUSY, LF_TRANSIENT,
                   "%s is in use by another program; run 'fuser -v %s' as root to find it", device, device);
}

static enum lf_status open_failed(const char *device, struct lf_error *err)
{
    switch (errno) {
    case ENOENT:
        return lf_fail(err, LF_NOT_FOUND, LF_TRANSIENT,
                       "%s does not exist; is the device plugged in? 'labferry ports' lists the ports",
                       device);
    case EBUSY: return busy(device, err);
    case EACCES:
    case EPERM:
        return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON,
                       "%s: permission denied; add the user to its group, usually 'dialout', and restart",
                       device);
    case EIO:
    case ENXIO:
    case ENODEV:
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "%s exists, but there is no device behind it",
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
    close(*fd); /* before looking for the holder, or we would find ourselves */
    *fd = -1;
    errno = number;
    if (number == ENOTTY || number == EINVAL)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s is not a serial port; 'labferry ports' lists them",
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
static enum lf_status sp_set_line(struct sp_port *sp, const struct lf_serial_settings *line,
                                  const char *device, struct lf_error *err)
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

/* The port as libserialport opens it; NULL if it refuses the port (then plain termios must do). */
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

static enum lf_status take_sp(struct lf_serial *serial, const char *device,
                              const struct lf_serial_settings *line, struct lf_error *err)
{
    if (sp_get_port_handle(serial->sp, &serial->fd) != SP_OK)
        return lf_fail(err, LF_IO, LF_TRANSIENT, "%s: libserialport returned no descriptor", device);
    fcntl(serial->fd, F_SETFD, FD_CLOEXEC);
    fcntl(serial->fd, F_SETFL, O_NONBLOCK);
    return sp_set_line(serial->sp, line, device, err);
}

/* ---- open and close ---- */

void lf_serial_close(struct lf_serial *serial)
{
    if (!serial)
        return;
    if (serial->fd >= 0)
        tcflush(serial->fd, TCIOFLUSH); /* else close waits for bytes that flow control holds back */
    if (serial->sp) {
        sp_close(serial->sp);
        sp_free_port(serial->sp);
    } else if (serial->fd >= 0) {
        close(serial->fd);
    }
    if (serial->claim >= 0)
        close(serial->claim);
    free(serial);
}

static enum lf_status set_up(struct lf_serial *serial, const char *device,
                             const struct lf_serial_settings *line, bool pseudo, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    serial->sp = pseudo ? NULL : sp_try_open(device);
    if (serial->sp) {
        status = take_sp(serial, device, line, err);
    } else {
        serial->fd = serial->claim;
        serial->claim = -1;
        status = os__line_apply(serial->fd, line, device, err);
    }
    if (status == LF_OK)
        status = os__line_tidy(serial->fd, line, device, err);
    if (status == LF_OK)
        status = os__line_verify(serial->fd, line, pseudo, device, err);
    if (status == LF_OK)
        status = os__line_signals(serial->fd, line, pseudo, device, err);
    if (status == LF_OK && !pseudo && ioctl(serial->fd, TIOCEXCL))
        lf_log_debug("serial", "%s cannot be locked against other programs", device);
    return status;
}

enum lf_status lf_serial_open(const char *path, const struct lf_serial_settings *settings,
                              struct lf_serial **out, struct lf_error *err)
{
    char device[LF_SERIAL_PATH]; /* libserialport 0.1.1 refuses links, and by-id names are links */
    int claim = -1;
    bool pseudo = false;
    *out = NULL;
    enum lf_status status = lf_serial_device(path, device, err);
    if (status == LF_OK)
        status = claim_port(device, &claim, &pseudo, err);
    if (status != LF_OK)
        return status;
    struct lf_serial *serial = calloc(1, sizeof *serial);
    if (!serial) {
        close(claim);
        return lf_fail_memory(err, "a serial port");
    }
    *serial = (struct lf_serial){.fd = -1, .claim = claim};
    status = set_up(serial, device, settings, pseudo, err);
    if (status != LF_OK) {
        lf_serial_close(serial);
        return status;
    }
    tcflush(serial->fd, TCIOFLUSH); /* what came before we listened belongs to nobody */
    *out = serial;
    return LF_OK;
}

struct lf_waitable lf_serial_waitable(const struct lf_serial *serial)
{
    return os__waitable(serial->fd);
}

/* ---- bytes ---- */

enum lf_status lf_serial_read(struct lf_serial *serial, void *data, size_t room, size_t *count,
                              struct lf_error *err)
{
    return os__moved(read(serial->fd, data, room), count, err);
}

enum lf_status lf_serial_write(struct lf_serial *serial, const void *data, size_t len, size_t *count,
                               struct lf_error *err)
{
    return os__moved(write(serial->fd, data, len), count, err);
}

size_t lf_serial_unsent(const struct lf_serial *serial)
{
    int queued = 0;
    return ioctl(serial->fd, TIOCOUTQ, &queued) || queued < 0 ? 0 : (size_t)queued;
}

void lf_serial_drop_unsent(struct lf_serial *serial)
{
    tcflush(serial->fd, TCOFLUSH);
}
