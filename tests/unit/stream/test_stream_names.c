// The names of streams, and the list of ports: nothing here opens a device.
#include "drivers/stream/stream.h"
#include "unit.h"

#include <libserialport.h>

#include <string.h>
#include <unistd.h>

static void refuse(const char *spec, const char *because)
{
    struct lf_error err = {0};
    CHECK_INT(lf_stream_check(spec, NULL, 0, &err), LF_INVALID);
    CHECK_INT(err.class, LF_PERMANENT);
    CHECK_HAS(err.text, because);
}

static void accept_as(const char *spec, const char *resource)
{
    struct lf_error err = {0};
    char name[512] = "";
    CHECK_INT(lf_stream_check(spec, name, sizeof name, &err), LF_OK);
    CHECK_STR(name, resource);
}

static void good_names(void)
{
    accept_as("serial:/dev/nothing-here", "serial /dev/nothing-here");
    accept_as("serial:/dev/nothing-here?", "serial /dev/nothing-here");
    accept_as("serial:/dev/nothing-here?baud=250000&bits=7&parity=mark&stop=2&flow=rtscts&dtr=off",
              "serial /dev/nothing-here");
    accept_as("serial:/dev/nothing-here?flow=xonxoff&rts=off", "serial /dev/nothing-here");
    accept_as("tcp:192.0.2.7:8001", "tcp 192.0.2.7:8001");
    accept_as("tcp:[2001:db8::7]:23", "tcp [2001:db8::7]:23");
    accept_as("tcp:balance.lab.example:65535", "tcp balance.lab.example:65535");
    accept_as("unix:/run/balance.sock", "unix /run/balance.sock");
}

static void links_resolve(void)
{
    char link[256], spec[300], resource[256];
    struct lf_error err;
    snprintf(link, sizeof link, "%s/by-id", unit_folder());
    CHECK_INT(symlink("/dev/null", link), 0);
    snprintf(spec, sizeof spec, "serial:%s", link);
    CHECK_INT(lf_stream_check(spec, resource, sizeof resource, &err), LF_OK);
    CHECK_STR(resource, "serial /dev/null");
}

static void bad_names(void)
{
    refuse("", "is not the name of a stream");
    refuse("/dev/ttyUSB0", "serial:PATH");
    refuse("seriall:/dev/ttyUSB0", "serial:/dev/serial/by-id");
    refuse("tpc:192.0.2.7:8001", "tcp:192.0.2.7:8001");
    refuse("serial:", "names no device or address");
    refuse("serial:?baud=9600", "names no device or address");
    refuse("serial:ttyUSB0", "not an absolute path");
    refuse("serial:/dev/tty\nUSB0", "control character at byte 16");
    refuse("unix:run/x.sock", "absolute path");

    char longest[4096];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    refuse(longest, "longer than");
    memcpy(longest, "unix:/", 6);
    longest[6 + 120] = '\0';
    refuse(longest, "has 121");
}

static void bad_options(void)
{
    refuse("serial:/dev/x?bauds=9600", "baud");
    refuse("serial:/dev/x?baud", "name=value");
    refuse("serial:/dev/x?=9600", "name=value");
    refuse("serial:/dev/x?baud=", "baud");
    refuse("serial:/dev/x?baud=fast", "baud");
    refuse("serial:/dev/x?baud=0", "baud");
    refuse("serial:/dev/x?baud=9600&baud=1200", "twice");
    refuse("serial:/dev/x?bits=9", "bits");
    refuse("serial:/dev/x?stop=3", "stop");
    refuse("serial:/dev/x?parity=evn", "even");
    refuse("serial:/dev/x?flow=both", "xonxoff");
    refuse("serial:/dev/x?dtr=maybe", "off");
    refuse("serial:/dev/x?flow=rtscts&rts=on", "controls RTS");
    refuse("tcp:127.0.0.1:80?baud=9600", "baud");
    refuse("unix:/run/x?mode=1", "mode");
}

static void bad_addresses(void)
{
    refuse("tcp:localhost", "port is missing");
    refuse("tcp::80", "host is missing");
    refuse("tcp:localhost:", "not a number");
    refuse("tcp:localhost:0", "1 to 65535");
    refuse("tcp:localhost:65536", "1 to 65535");
    refuse("tcp:localhost:99999999999999999999", "1 to 65535");
    refuse("tcp:localhost:http", "1 to 65535");
    refuse("tcp:localhost:-1", "1 to 65535");
    refuse("tcp:2001:db8::7:80", "brackets");
    refuse("tcp:[2001:db8::7]", "missing");
    refuse("tcp:[2001:db8::7:80", "missing");
    refuse("tcp:[]:80", "host is missing");
    refuse("tcp:a b:80", "not a host name");
}

static void ports(void)
{
    struct lf_port *list = NULL;
    size_t count = 0;
    struct lf_error err = {0};
    enum lf_status status = lf_ports_list(&list, &count, &err);
    CHECK_INT(status, LF_OK);
    for (size_t i = 0; i < count; i++) {
        CHECK(list[i].path && list[i].path[0] == '/');
        CHECK(list[i].description != NULL);
    }
    lf_ports_free(list, count);
    lf_ports_free(NULL, 0);
}

// What libserialport answers in place of looking; NULL: it looks.
static const enum sp_return *answer;
enum sp_return __real_sp_list_ports(struct sp_port ***list);
enum sp_return __wrap_sp_list_ports(struct sp_port ***list);

enum sp_return __wrap_sp_list_ports(struct sp_port ***list)
{
    if (!answer)
        return __real_sp_list_ports(list);
    *list = NULL;
    return *answer;
}

static void no_list_of_ports(void)
{
    static const struct {
        enum sp_return answer;
        enum lf_status status;
    } cases[] = {{SP_OK, LF_NO_MEMORY}, {SP_ERR_MEM, LF_NO_MEMORY}, {SP_ERR_FAIL, LF_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lf_port *list = NULL;
        size_t count = 1;
        struct lf_error err = {0};
        answer = &cases[i].answer;
        CHECK_INT(lf_ports_list(&list, &count, &err), cases[i].status);
        CHECK_INT(err.class, LF_TRANSIENT);
        CHECK(!list && count == 0);
    }
    answer = NULL;
}

UNIT_TESTS("stream names",
           {"a well-formed name is accepted and gives the resource that only one instrument may use",
            good_names},
           {"two links to the same port give the same resource", links_resolve},
           {"a malformed name is refused with a correct example", bad_names},
           {"an unknown or invalid option is refused by name", bad_options},
           {"a wrong network address is refused with the reason", bad_addresses},
           {"the ports of this machine can be listed, even when there are none", ports},
           {"ports that cannot be listed are an error, even where libserialport reports none",
            no_list_of_ports}, )
