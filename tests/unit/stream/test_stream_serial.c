// Serial ports, on pseudo terminals: what they can show of hang-ups, deadlines, locks and flow control.
#include "drivers/stream/stream.h"
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { SHORT_MS = 60 };

struct line {
    int device; // the instrument's end
    char path[64], spec[160];
};

static void make_line(struct line *line, const char *options)
{
    // Not /dev/ptmx: an emulator would take the one of its sysroot, which leads nowhere.
    line->device = open("/proc/self/root/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    NEED(line->device >= 0 && unlockpt(line->device) == 0);
    NEED(ptsname_r(line->device, line->path, sizeof line->path) == 0);
    snprintf(line->spec, sizeof line->spec, "serial:%s?%s", line->path, options);
}

static struct lf_stream *open_line(struct line *line, const struct lf_cancel *cancel)
{
    struct lf_stream *stream = NULL;
    struct lf_error err = {0};
    CHECK_INT(lf_stream_open(line->spec, NULL, lf_deadline_in(UNIT_SOON_MS), cancel, &stream, &err), LF_OK);
    if (!stream)
        fprintf(stderr, "%s\n", err.text);
    NEED(stream != NULL);
    return stream;
}

static void say(const struct line *line, const char *text)
{
    CHECK_INT(write(line->device, text, strlen(text)), (int64_t)strlen(text));
}

static void hear(const struct line *line, const char *text)
{
    char got[256] = "";
    size_t len = 0, want = strlen(text);
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
    while (len < want && !lf_deadline_passed(deadline)) {
        struct pollfd poller = {.fd = line->device, .events = POLLIN};
        poll(&poller, 1, 100);
        ssize_t count = read(line->device, got + len, want - len);
        len += count > 0 ? (size_t)count : 0;
    }
    CHECK_BYTES(got, len, text, want);
}

static enum lf_status read_once(struct lf_stream *stream, int64_t ms, char *data, size_t room, size_t *got,
                                struct lf_error *err)
{
    return lf_stream_read(stream, data, room, lf_deadline_in(ms), got, err);
}

// CPU seconds of this thread: spinning shows in them.
static double cpu(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void both_ways(void)
{
    struct line line;
    char data[256];
    size_t got, written = 0;
    struct lf_error err;
    make_line(&line, "baud=9600&flow=xonxoff");
    struct lf_stream *stream = open_line(&line, NULL);
    CHECK_INT(lf_stream_write(stream, "S\r\n", 3, lf_deadline_in(UNIT_SOON_MS), &written, &err), LF_OK);
    CHECK_INT(written, 3);
    hear(&line, "S\r\n");
    say(&line, "S S     100.00 g\r\n");
    CHECK_INT(read_once(stream, UNIT_SOON_MS, data, sizeof data, &got, &err), LF_OK);
    CHECK_BYTES(data, got, "S S     100.00 g\r\n", 18);
    CHECK_HAS(lf_stream_name(stream), "at 9600 8N1 xonxoff");
    CHECK_HAS(lf_stream_name(stream), line.path);
    lf_stream_close(stream);
    close(line.device);
}

static void every_byte(void)
{
    struct line line;
    unsigned char all[256], back[256];
    size_t got, len = 0;
    struct lf_error err;
    make_line(&line, "");
    struct lf_stream *stream = open_line(&line, NULL);
    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    CHECK_INT(lf_stream_write(stream, all, sizeof all, lf_deadline_in(UNIT_SOON_MS), NULL, &err), LF_OK);
    usleep(1000);
    while (len < sizeof back) {
        struct pollfd poller = {.fd = line.device, .events = POLLIN};
        if (poll(&poller, 1, UNIT_SOON_MS) <= 0)
            break;
        ssize_t count = read(line.device, back + len, sizeof back - len);
        NEED(count > 0);
        len += (size_t)count;
    }
    CHECK_BYTES(back, len, all, sizeof all);
    CHECK_INT(write(line.device, all, sizeof all), sizeof all);
    for (len = 0; len < sizeof back; len += got)
        NEED(lf_stream_read(stream, back + len, sizeof back - len, lf_deadline_in(UNIT_SOON_MS), &got, &err)
             == LF_OK);
    CHECK_BYTES(back, len, all, sizeof all);
    lf_stream_close(stream);
    close(line.device);
}

static void silence(void)
{
    struct line line;
    char data[8];
    size_t got = 99;
    struct lf_error err;
    make_line(&line, "");
    struct lf_stream *stream = open_line(&line, NULL);
    int64_t before = lf_clock_mono_ms();
    double burnt = cpu();
    CHECK_INT(read_once(stream, SHORT_MS, data, sizeof data, &got, &err), LF_TIMEOUT);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_INT(got, 0);
    int64_t waited = lf_clock_mono_ms() - before;
    CHECK(waited >= SHORT_MS && waited < UNIT_SOON_MS);
    CHECK(cpu() - burnt < 0.03);
    lf_stream_close(stream);
    close(line.device);
}

struct puller {
    int fd;
    int64_t after_ms;
    struct lf_cancel *cancel;
};

static void *pull(void *arg)
{
    struct puller *puller = arg;
    lf_sleep_until(lf_deadline_in(puller->after_ms), NULL);
    if (puller->cancel)
        lf_cancel_set(puller->cancel);
    else
        close(puller->fd);
    return NULL;
}

static void unplug(void)
{
    struct line line;
    char data[8];
    size_t got;
    struct lf_error err;
    make_line(&line, "");
    struct lf_stream *stream = open_line(&line, NULL);
    struct puller puller = {.fd = line.device, .after_ms = 50};
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, pull, &puller) == 0);
    double burnt = cpu();
    CHECK_INT(read_once(stream, UNIT_SOON_MS, data, sizeof data, &got, &err), LF_DISCONNECTED);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "unplugged");
    pthread_join(thread, NULL);
    for (int i = 0; i < 3; i++) { // and stays so
        bool readable = true;
        CHECK_INT(read_once(stream, UNIT_SOON_MS, data, sizeof data, &got, &err), LF_DISCONNECTED);
        CHECK_INT(lf_stream_write(stream, "S\r\n", 3, lf_deadline_in(UNIT_SOON_MS), NULL, &err),
                  LF_DISCONNECTED);
        CHECK_INT(lf_stream_drain(stream, &err), LF_DISCONNECTED);
        enum lf_status status = lf_stream_wait(stream, NULL, lf_deadline_in(UNIT_SOON_MS), &readable, &err);
        CHECK(status == LF_DISCONNECTED || (status == LF_OK && readable));
    }
    CHECK(cpu() - burnt < 0.1);
    lf_stream_close(stream);
}

static void cancelled(void)
{
    struct line line;
    char data[8];
    size_t got;
    struct lf_error err;
    struct lf_cancel cancel;
    make_line(&line, "");
    NEED(lf_cancel_open(&cancel, &err) == LF_OK);
    struct lf_stream *stream = open_line(&line, &cancel);
    struct puller puller = {.cancel = &cancel, .after_ms = 50};
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, pull, &puller) == 0);
    CHECK_INT(lf_stream_read(stream, data, sizeof data, LF_NEVER, &got, &err), LF_CANCELLED);
    pthread_join(thread, NULL);
    bool readable;
    say(&line, "late");
    CHECK_INT(lf_stream_read(stream, data, sizeof data, LF_NEVER, &got, &err), LF_CANCELLED);
    CHECK_INT(lf_stream_wait(stream, NULL, LF_NEVER, &readable, &err), LF_CANCELLED);
    CHECK_INT(lf_stream_write(stream, "S", 1, LF_NEVER, NULL, &err), LF_CANCELLED);
    lf_stream_close(stream);
    CHECK_INT(lf_stream_open(line.spec, NULL, LF_NEVER, &cancel, &stream, &err), LF_CANCELLED);
    CHECK(stream == NULL);
    lf_cancel_close(&cancel);
    close(line.device);
}

static void one_owner(void)
{
    struct line line;
    struct lf_error err = {0};
    struct lf_stream *second = NULL;
    make_line(&line, "");
    struct lf_stream *first = open_line(&line, NULL);
    CHECK_INT(lf_stream_open(line.spec, NULL, lf_deadline_in(UNIT_SOON_MS), NULL, &second, &err), LF_BUSY);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "in use by this program itself");
    CHECK(second == NULL);
    lf_stream_close(first);
    second = open_line(&line, NULL);
    lf_stream_close(second);
    close(line.device);
}

// Another process holds the port: the message names it; once it is killed, the port is free.
static void other_owner(void)
{
    struct line line;
    struct lf_error err = {0};
    struct lf_stream *stream = NULL;
    char pid[32], ready;
    int pipe_fds[2];
    make_line(&line, "");
    NEED(pipe(pipe_fds) == 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(line.path, O_RDWR | O_NOCTTY);
        flock(fd, LOCK_EX);
        ssize_t ignored = write(pipe_fds[1], "!", 1);
        (void)ignored;
        pause();
        _exit(0);
    }
    CHECK_INT(read(pipe_fds[0], &ready, 1), 1);
    snprintf(pid, sizeof pid, "(pid %d)", (int)child);
    CHECK_INT(lf_stream_open(line.spec, NULL, lf_deadline_in(UNIT_SOON_MS), NULL, &stream, &err), LF_BUSY);
    CHECK_HAS(err.text, pid);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    lf_stream_close(open_line(&line, NULL));
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    close(line.device);
}

// The mark of TIOCEXCL on a pseudo terminal outlives the process that set it, and would lock out our own
// restart.
static void no_mark_left(void)
{
    struct line line;
    int marked = 0;
    make_line(&line, "");
    lf_stream_close(open_line(&line, NULL));
    int fd = open(line.path, O_RDWR | O_NOCTTY);
    CHECK(ioctl(fd, TIOCGEXCL, &marked) != 0 || marked == 0); // emulators do not know TIOCGEXCL
    close(fd);
    close(line.device);
}

static void held_by_xoff(void)
{
    struct line line;
    struct lf_error err = {0};
    size_t written = 99;
    char data[64];
    make_line(&line, "flow=xonxoff");
    struct lf_stream *stream = open_line(&line, NULL);
    say(&line, "\x13");
    usleep(20000); // the kernel handles ^S on its own, without an event
    CHECK_INT(lf_stream_write(stream, "T\r\n", 3, lf_deadline_in(SHORT_MS), &written, &err), LF_TIMEOUT);
    CHECK_INT(written, 0);
    CHECK_HAS(err.text, "0 of 3 bytes");
    CHECK_HAS(err.text, "flow control");
    say(&line, "\x11");
    usleep(20000);
    CHECK(read(line.device, data, sizeof data) <= 0); // the tare must not come late
    CHECK_INT(lf_stream_write(stream, "SI\r\n", 4, lf_deadline_in(UNIT_SOON_MS), &written, &err), LF_OK);
    hear(&line, "SI\r\n");
    lf_stream_close(stream);
    close(line.device);
}

static void reader_too_slow(void)
{
    struct line line;
    struct lf_error err = {0};
    size_t written = 0, len = 1024 * 1024;
    char *data = calloc(1, len);
    NEED(data != NULL);
    make_line(&line, "");
    struct lf_stream *stream = open_line(&line, NULL);
    int64_t before = lf_clock_mono_ms();
    CHECK_INT(lf_stream_write(stream, data, len, lf_deadline_in(SHORT_MS), &written, &err), LF_TIMEOUT);
    CHECK(written < len);
    before = lf_clock_mono_ms();
    lf_stream_close(stream);
    CHECK(lf_clock_mono_ms() - before < 1000);
    free(data);
    close(line.device);
}

static void drain(void)
{
    struct line line;
    struct lf_error err;
    size_t got;
    char data[8];
    make_line(&line, "");
    struct lf_stream *stream = open_line(&line, NULL);
    CHECK_INT(lf_stream_drain(stream, &err), LF_OK);
    say(&line, "S S  old\r\n");
    bool readable = false;
    CHECK_INT(lf_stream_wait(stream, NULL, lf_deadline_in(UNIT_SOON_MS), &readable, &err), LF_OK);
    CHECK(readable);
    CHECK_INT(lf_stream_drain(stream, &err), LF_OK);
    CHECK_INT(read_once(stream, 1, data, sizeof data, &got, &err), LF_TIMEOUT);
    lf_stream_close(stream);
    close(line.device);
}

static void waiting(void)
{
    struct line line;
    struct lf_error err;
    struct lf_wake wake;
    bool readable = true;
    make_line(&line, "");
    struct lf_stream *stream = open_line(&line, NULL);
    NEED(lf_wake_open(&wake, &err) == LF_OK);
    CHECK_INT(lf_stream_wait(stream, &wake, lf_deadline_in(SHORT_MS), &readable, &err), LF_TIMEOUT);
    CHECK(!readable);
    lf_wake_up(&wake);
    CHECK_INT(lf_stream_wait(stream, &wake, LF_NEVER, &readable, &err), LF_OK);
    CHECK(!readable);
    lf_wake_close(&wake);
    lf_stream_close(stream);
    close(line.device);
}

static void stale_input(void)
{
    struct line line;
    struct lf_error err;
    size_t got;
    char data[64];
    make_line(&line, "");
    int held = open(line.path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    struct termios raw;
    tcgetattr(held, &raw);
    cfmakeraw(&raw);
    tcsetattr(held, TCSANOW, &raw);
    say(&line, "reply to somebody else\r\n");
    struct lf_stream *stream = open_line(&line, NULL);
    CHECK_INT(read_once(stream, SHORT_MS, data, sizeof data, &got, &err), LF_TIMEOUT);
    lf_stream_close(stream);
    close(held);
    close(line.device);
}

static void settings_on_the_line(void)
{
    struct line line;
    struct termios now;
    make_line(&line, "baud=19200&flow=rtscts&stop=2");
    int fd = open(line.path, O_RDWR | O_NOCTTY);
    CHECK_INT(tcgetattr(fd, &now), 0);
    now.c_cflag |= HUPCL | PARODD; // as another program may have left it
    now.c_cflag &= ~(tcflag_t)CLOCAL;
    now.c_iflag |= IXON | IXANY | IGNPAR;
    now.c_cc[VMIN] = 0;
    CHECK_INT(tcsetattr(fd, TCSANOW, &now), 0);
    struct lf_stream *stream = open_line(&line, NULL);
    CHECK_INT(tcgetattr(fd, &now), 0);
    CHECK_INT(now.c_cc[VMIN], 1);
    CHECK_INT(cfgetospeed(&now), B19200);
    CHECK(now.c_cflag & CLOCAL);
    CHECK(!(now.c_cflag & HUPCL));
    CHECK(now.c_cflag & CRTSCTS);
    CHECK(now.c_cflag & CSTOPB);
    CHECK(!(now.c_lflag & (ICANON | ECHO | ISIG)));
    CHECK(!(now.c_iflag & (IXON | IXOFF | IXANY | ICRNL | IGNPAR)));
    CHECK(!(now.c_oflag & OPOST));
    close(fd);
    lf_stream_close(stream);
    close(line.device);
}

static void strange_rate(void)
{
    struct line line;
    if (getenv("LF_EMULATED"))
        return;                                        // QEMU's user emulation knows no TCSETS2
    make_line(&line, "baud=74880&bits=7&parity=even"); // a PTY ignores bits and parity; it must open anyway
    struct lf_stream *stream = open_line(&line, NULL);
    CHECK_HAS(lf_stream_name(stream), "at 74880 7E1");
    lf_stream_close(stream);
    close(line.device);
}

static void settings_of_the_profile(void)
{
    struct line line;
    struct lf_stream *stream;
    struct lf_error err;
    make_line(&line, "baud=1200");
    NEED(lf_stream_open(line.spec, "baud=4800&stop=2", LF_NEVER, NULL, &stream, &err) == LF_OK);
    CHECK_HAS(lf_stream_name(stream), "at 1200 8N2");
    lf_stream_close(stream);
    close(line.device);
}

static void not_there(void)
{
    struct lf_stream *stream;
    struct lf_error err = {0};
    CHECK_INT(lf_stream_open("serial:/dev/ttyUSB-none", NULL, LF_NEVER, NULL, &stream, &err), LF_NOT_FOUND);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "plugged in");
    CHECK_INT(lf_stream_open("serial:/dev/null", NULL, LF_NEVER, NULL, &stream, &err), LF_INVALID);
    CHECK_HAS(err.text, "not a serial port");
    CHECK(stream == NULL);
}

UNIT_TESTS(
    "serial stream", {"bytes pass both ways unchanged, and the name says how the line is set", both_ways},
    {"every byte value passes, none acts as a control character", every_byte},
    {"silence ends at the deadline without burning the processor", silence},
    {"an unplugged device is noticed at once, stays gone, and nothing spins", unplug},
    {"a wait without a deadline can be cancelled from another thread", cancelled},
    {"a port that this agent has open is refused a second time, and free after close", one_owner},
    {"a port locked by another program is refused with the name of that program, and free once it is killed",
     other_owner},
    {"a pseudo terminal can be opened again by a restarted agent that is not root", no_mark_left},
    {"a command held back by flow control is discarded, not sent late", held_by_xoff},
    {"a write to a device that does not read ends at the deadline, and the stream closes at once",
     reader_too_slow},
    {"draining discards what has arrived", drain},
    {"waiting ends with data, at the deadline, and with a wake", waiting},
    {"input from before the port was opened is not taken for a reply", stale_input},
    {"the line is raw, ignores modem lines, keeps DTR at close, and has the requested settings",
     settings_on_the_line},
    {"any bit rate is accepted, and a setting that a pseudo terminal ignores is not an error", strange_rate},
    {"the stream's own settings win over those of the profile", settings_of_the_profile},
    {"a missing port and a file that is not a port give different errors", not_there}, )
