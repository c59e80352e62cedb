/* Bit rates by number (BOTHER), which the C library's termios cannot say. The kernel's <asm/termbits.h> and <termios.h>
 * define the same structs, so that this has to be a file of its own. */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>

/* As in serial.h, which cannot be included here. */
int lf_termios2_set_baud(int fd, unsigned baud);
int lf_termios2_get_baud(int fd, unsigned *baud);

int lf_termios2_set_baud(int fd, unsigned baud)
{
    struct termios2 now;
    if (ioctl(fd, TCGETS2, &now))
        return -1;
    now.c_cflag &= ~(tcflag_t)(CBAUD | CBAUD << IBSHIFT);
    now.c_cflag |= BOTHER | BOTHER << IBSHIFT;
    now.c_ospeed = now.c_ispeed = baud;
    return ioctl(fd, TCSETS2, &now);
}

int lf_termios2_get_baud(int fd, unsigned *baud)
{
    struct termios2 now;
    if (ioctl(fd, TCGETS2, &now))
        return -1;
    *baud = now.c_ospeed;
    return 0;
}
