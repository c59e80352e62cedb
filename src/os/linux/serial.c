/* Serial ports. libserialport lists them (serial_list.c); opening and setting them is done here, since
 * libserialport 0.1.1 refuses links, pseudo terminals and ports that report no bit rate, spins at a hang-up,
 * and puts some flags into the wrong word.
 *
 * A port is locked (flock) before anything is changed, so that another agent's port is never touched, not
 * even its settings. TIOCEXCL keeps other programs out of real ports. Pseudo terminals get the lock only:
 * there the mark outlives the process that set it for as long as the master side lives, and would lock out
 * our own restart.
 */
#include "os/linux/serial.h"

#include "base/log.h"
#include "os/linux/native.h"

#include <errno.h>
#include <fcntl.h>
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
    int fd;
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
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "%s exists, but no device is connected to it",
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

/* ---- open and close ---- */

void lf_serial_close(struct lf_serial *serial)
{
    if (!serial)
        return;
    tcflush(serial->fd, TCIOFLUSH); /* else close waits for bytes that flow control holds back */
    close(serial->fd);
    free(serial);
}

static enum lf_status set_up(int fd, const char *device, const struct lf_serial_settings *line, bool pseudo,
                             struct lf_error *err)
{
    enum lf_status status = os__line_set(fd, line, device, err);
    if (status == LF_OK)
        status = os__line_verify(fd, line, pseudo, device, err);
    if (status == LF_OK)
        status = os__line_signals(fd, line, pseudo, device, err);
    if (status == LF_OK && !pseudo && ioctl(fd, TIOCEXCL))
        lf_log_debug("serial", "%s cannot be locked against other programs", device);
    return status;
}

enum lf_status lf_serial_open(const char *path, const struct lf_serial_settings *settings,
                              struct lf_serial **out, struct lf_error *err)
{
    char device[LF_SERIAL_PATH];
    int fd = -1;
    bool pseudo = false;
    *out = NULL;
    enum lf_status status = lf_serial_device(path, device, err);
    if (status == LF_OK)
        status = claim_port(device, &fd, &pseudo, err);
    if (status != LF_OK)
        return status;
    struct lf_serial *serial = malloc(sizeof *serial);
    if (!serial) {
        close(fd);
        return lf_fail_memory(err, "a serial port");
    }
    serial->fd = fd;
    status = set_up(fd, device, settings, pseudo, err);
    if (status != LF_OK) {
        lf_serial_close(serial);
        return status;
    }
    tcflush(fd, TCIOFLUSH); /* what came before we listened belongs to nobody */
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
