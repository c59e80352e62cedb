#include "os/host.h"

#include "base/failpoint.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t lf_clock_mono_ms(void)
{
    return read_clock(CLOCK_BOOTTIME) + LF_TIME_PASSED();
}

int64_t lf_clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME) + LF_TIME_PASSED();
}

int64_t lf_clock_zone_ms(int64_t wall_ms)
{
    time_t when = (time_t)(wall_ms / 1000);
    struct tm local;
    return localtime_r(&when, &local) ? (int64_t)local.tm_gmtoff * 1000 : 0;
}

bool lf_boot_name(char name[LF_BOOT_TEXT])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, name, LF_BOOT_TEXT - 1);
    if (fd >= 0)
        close(fd);
    name[got > 0 ? got : 0] = '\0';
    name[strcspn(name, "\n")] = '\0';
    return name[0];
}

int64_t lf_process_id(void)
{
    return getpid();
}

bool lf_random_bytes(void *data, size_t len)
{
    return getrandom(data, len, 0) == (ssize_t)len;
}
