/* The serial ports of this machine, with the stable names and the warnings that a person needs to configure
 * one; and who has a port open, according to /proc: root sees every process, others only their own.
 */
#include "os/linux/serial.h"

#include "base/buffer.h"

#include <dirent.h>
#include <libserialport.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PORTS_MAX = 1024, PID_TEXT = 17 };

/* What libserialport knows of a port; borrowed, and NULL where unknown. */
struct facts {
    const char *path, *description, *serial;
    bool usb;
    int vendor, product;
};

struct port_list {
    struct lf_port *ports;
    size_t count;
    bool modem_manager, brltty;
};

/* ---- processes ---- */

static void process_name(const char *pid, char *name, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%.16s/comm", pid);
    snprintf(name, room, "a program");
    FILE *file = fopen(path, "re");
    if (file && fgets(name, (int)room, file))
        name[strcspn(name, "\n")] = '\0';
    if (file)
        fclose(file);
}

static bool is_called(const char *pid, const char *wanted)
{
    char name[64];
    process_name(pid, name, sizeof name);
    return !strcmp(name, wanted);
}

static bool process_has(const char *pid, const char *device)
{
    char folder[64], path[400], target[256];
    bool has = false;
    snprintf(folder, sizeof folder, "/proc/%.16s/fd", pid);
    DIR *dir = opendir(folder);
    if (!dir)
        return false;
    for (struct dirent *entry = readdir(dir); entry && !has; entry = readdir(dir)) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        ssize_t len = readlink(path, target, sizeof target - 1);
        if (len > 0) {
            target[len] = '\0';
            has = !strcmp(target, device);
        }
    }
    closedir(dir);
    return has;
}

/* The first process for which `is` is true. */
static bool find_process(bool (*is)(const char *pid, const char *text), const char *text, char pid[PID_TEXT])
{
    bool found = false;
    DIR *proc = opendir("/proc");
    if (!proc)
        return false;
    for (struct dirent *entry = readdir(proc); entry && !found; entry = readdir(proc)) {
        snprintf(pid, PID_TEXT, "%.16s", entry->d_name);
        found = pid[0] >= '1' && pid[0] <= '9' && is(pid, text);
    }
    closedir(proc);
    return found;
}

bool os__port_holder(const char *device, char *who, size_t room)
{
    char pid[PID_TEXT], name[64];
    if (!find_process(process_has, device, pid))
        return false;
    process_name(pid, name, sizeof name);
    if (strtol(pid, NULL, 10) == (long)getpid())
        snprintf(who, room, "this program itself (two instruments on one port?)");
    else
        snprintf(who, room, "%s (pid %s)", name, pid);
    return true;
}

/* ---- one port ---- */

/* Adapters that brltty mistakes for Braille displays: CH340, CP210x and FT232. */
static bool brltty_wants(int vendor, int product)
{
    return (vendor == 0x1a86 && product == 0x7523) || (vendor == 0x10c4 && product == 0xea60)
           || (vendor == 0x0403 && product == 0x6001);
}

/* The link in `folder` that leads to the device. Returns owned, NULL if there is none. */
static char *link_in(const char *folder, const char *device)
{
    char path[PATH_MAX], real[PATH_MAX];
    char *found = NULL;
    DIR *dir = opendir(folder);
    if (!dir)
        return NULL;
    for (struct dirent *entry = readdir(dir); entry && !found; entry = readdir(dir)) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (realpath(path, real) && !strcmp(real, device))
            found = strdup(path);
    }
    closedir(dir);
    return found;
}

/* By serial number if it has one, else by the socket it is plugged into. */
static char *stable_link(const struct facts *facts)
{
    bool named = facts->usb && facts->serial && *facts->serial;
    char *link = named ? link_in("/dev/serial/by-id", facts->path) : NULL;
    return link ? link : link_in("/dev/serial/by-path", facts->path);
}

/* Returns owned; NULL when there is nothing to warn about, or no memory. */
static char *hints(const struct port_list *list, const struct facts *facts)
{
    struct lf_buffer text = {.max = 1024};
    if (facts->usb && (!facts->serial || !*facts->serial))
        lf_buffer_text(&text,
                       "no serial number: identified by its USB socket, so keep it plugged in there; ");
    if (facts->usb && list->modem_manager)
        lf_buffer_text(
            &text,
            "ModemManager is running and may send AT commands to it: set ID_MM_DEVICE_IGNORE=1 in a udev rule; ");
    if (facts->usb && list->brltty && brltty_wants(facts->vendor, facts->product))
        lf_buffer_text(&text, "brltty is installed and may take the port: remove brltty; ");
    if (access(facts->path, R_OK | W_OK))
        lf_buffer_text(&text, "permission denied: add the user to the group 'dialout'; ");
    if (text.len >= 2)
        text.data[text.len - 2] = '\0';
    return text.len ? lf_buffer_take(&text) : NULL;
}

static char *usb_text(const struct facts *facts)
{
    if (!facts->usb)
        return NULL;
    if (facts->serial && *facts->serial)
        return lf_format("%04x:%04x serial %s", (unsigned)facts->vendor, (unsigned)facts->product,
                         facts->serial);
    return lf_format("%04x:%04x", (unsigned)facts->vendor, (unsigned)facts->product);
}

/* ---- the list ---- */

static enum lf_status add_port(struct port_list *list, const struct sp_port *found, struct lf_error *err)
{
    struct facts facts = {.path = sp_get_port_name(found), .description = sp_get_port_description(found)};
    if (!facts.path || list->count >= PORTS_MAX)
        return LF_OK;
    if (sp_get_port_transport(found) == SP_TRANSPORT_USB) {
        facts.usb = sp_get_port_usb_vid_pid(found, &facts.vendor, &facts.product) == SP_OK;
        facts.serial = sp_get_port_usb_serial(found);
    }
    struct lf_port *bigger = realloc(list->ports, (list->count + 1) * sizeof *bigger);
    if (!bigger)
        return lf_fail_memory(err, "the list of serial ports");
    list->ports = bigger;
    struct lf_port *port = &list->ports[list->count++];
    *port = (struct lf_port){
        .path = strdup(facts.path),
        .by_id = stable_link(&facts),
        .description = strdup(facts.description ? facts.description : "serial port"),
        .usb = usb_text(&facts),
        .hint = hints(list, &facts),
    };
    if (!port->path || !port->description || (facts.usb && !port->usb))
        return lf_fail_memory(err, "the list of serial ports");
    return LF_OK;
}

enum lf_status lf_ports_list(struct lf_port **ports, size_t *count, struct lf_error *err)
{
    char pid[PID_TEXT];
    struct sp_port **found = NULL;
    struct port_list list = {
        .modem_manager = find_process(is_called, "ModemManager", pid),
        .brltty = access("/usr/bin/brltty", X_OK) == 0 || access("/sbin/brltty", X_OK) == 0,
    };
    *ports = NULL;
    *count = 0;
    enum sp_return result = sp_list_ports(&found);
    if (result == SP_ERR_MEM || (result == SP_OK && !found)) /* 0.1.1 forgets to report that memory ran out */
        return lf_fail_memory(err, "listing the serial ports");
    if (result != SP_OK)
        return lf_fail(err, LF_IO, LF_TRANSIENT, "cannot list the serial ports; is /sys mounted?");
    enum lf_status status = LF_OK;
    for (size_t i = 0; found[i] && status == LF_OK; i++)
        status = add_port(&list, found[i], err);
    sp_free_port_list(found);
    if (status != LF_OK) {
        lf_ports_free(list.ports, list.count);
        return status;
    }
    *ports = list.ports;
    *count = list.count;
    return LF_OK;
}

void lf_ports_free(struct lf_port *ports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(ports[i].path);
        free(ports[i].by_id);
        free(ports[i].description);
        free(ports[i].usb);
        free(ports[i].hint);
    }
    free(ports);
}
