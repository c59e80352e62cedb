/* Bit rates by number (BOTHER), which the C library's termios cannot say. The kernel's <asm/termbits.h> and
 * <termios.h> define the same structs, so that this has to be a file of its own. */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <stddef.h>
#include <sys/ioctl.h>

/* As in serial.h, which cannot be included here. */
int os__rate_set(int fd, unsigned baud);
int os__rate_get(int fd, unsigned *baud);

/* Rates with a code of their own are set by it: every other program then reads the port's rate right, and it
 * works where the numbered interface is missing (emulators, old kernels). */
static const struct {
    unsigned baud;
    tcflag_t code;
} codes[] = {
    {50, B50},           {75, B75},           {110, B110},         {134, B134},         {150, B150},
    {200, B200},         {300, B300},         {600, B600},         {1200, B1200},       {1800, B1800},
    {2400, B2400},       {4800, B4800},       {9600, B9600},       {19200, B19200},     {38400, B38400},
    {57600, B57600},     {115200, B115200},   {230400, B230400},   {460800, B460800},   {500000, B500000},
    {576000, B576000},   {921600, B921600},   {1000000, B1000000}, {1152000, B1152000}, {1500000, B1500000},
    {2000000, B2000000}, {2500000, B2500000}, {3000000, B3000000}, {3500000, B3500000}, {4000000, B4000000},
};

enum { CODES = sizeof codes / sizeof *codes };

static int set_code(int fd, tcflag_t code)
{
    struct termios now;
    if (ioctl(fd, TCGETS, &now))
        return -1;
    now.c_cflag &= ~(tcflag_t)(CBAUD | CBAUD << IBSHIFT);
    now.c_cflag |= code; /* no input code: the same rate both ways */
    return ioctl(fd, TCSETS, &now);
}

int os__rate_set(int fd, unsigned baud)
{
    struct termios2 now;
    for (size_t i = 0; i < CODES; i++)
        if (codes[i].baud == baud)
            return set_code(fd, codes[i].code);
    if (ioctl(fd, TCGETS2, &now))
        return -1;
    now.c_cflag &= ~(tcflag_t)(CBAUD | CBAUD << IBSHIFT);
    now.c_cflag |= BOTHER | BOTHER << IBSHIFT;
    now.c_ospeed = now.c_ispeed = baud;
    return ioctl(fd, TCSETS2, &now);
}

int os__rate_get(int fd, unsigned *baud)
{
    struct termios2 numbered;
    struct termios coded;
    if (ioctl(fd, TCGETS2, &numbered) == 0) {
        *baud = numbered.c_ospeed;
        return 0;
    }
    if (ioctl(fd, TCGETS, &coded))
        return -1;
    for (size_t i = 0; i < CODES; i++) {
        if (codes[i].code == (coded.c_cflag & CBAUD)) {
            *baud = codes[i].baud;
            return 0;
        }
    }
    return -1;
}
