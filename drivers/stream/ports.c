/* The serial ports of this machine, with the stable names and the warnings that a person needs to configure
 * one. */
#include "drivers/stream/serial.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PORTS_MAX = 1024 };

struct port_list {
    struct lf_port *ports;
    size_t count;
    bool modem_manager, brltty;
};

/* Adapters that brltty takes for Braille displays: CH340, CP210x and FT232. */
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
static char *stable_link(const struct lf_port_facts *facts)
{
    bool named = facts->usb && facts->serial && *facts->serial;
    char *link = named ? link_in("/dev/serial/by-id", facts->path) : NULL;
    return link ? link : link_in("/dev/serial/by-path", facts->path);
}

/* Returns owned; NULL when there is nothing to warn of or no memory for it. */
static char *hints(const struct port_list *list, const struct lf_port_facts *facts)
{
    struct lf_buffer text = {.max = 1024};
    if (facts->usb && (!facts->serial || !*facts->serial))
        lf_buffer_text(&text, "no serial number: named by its USB socket, keep it plugged in there; ");
    if (facts->usb && list->modem_manager)
        lf_buffer_text(
            &text,
            "ModemManager runs and may send AT commands to it: set ID_MM_DEVICE_IGNORE=1 by a udev rule; ");
    if (facts->usb && list->brltty && brltty_wants(facts->vendor, facts->product))
        lf_buffer_text(&text, "brltty is installed and may take it away: remove brltty; ");
    if (facts->path && access(facts->path, R_OK | W_OK))
        lf_buffer_text(&text, "this user may not open it: add the user to group 'dialout'; ");
    if (text.len >= 2)
        text.data[text.len - 2] = '\0';
    return text.len ? lf_buffer_take(&text) : NULL;
}

static char *usb_text(const struct lf_port_facts *facts)
{
    if (!facts->usb)
        return NULL;
    if (facts->serial && *facts->serial)
        return lf_format("%04x:%04x serial %s", (unsigned)facts->vendor, (unsigned)facts->product,
                         facts->serial);
    return lf_format("%04x:%04x", (unsigned)facts->vendor, (unsigned)facts->product);
}

static enum lf_status add(void *context, const struct lf_port_facts *facts, struct lf_error *err)
{
    struct port_list *list = context;
    if (!facts->path || list->count >= PORTS_MAX)
        return LF_OK;
    struct lf_port *bigger = realloc(list->ports, (list->count + 1) * sizeof *bigger);
    if (!bigger)
        return lf_fail_memory(err, "the list of serial ports");
    list->ports = bigger;
    struct lf_port *port = &list->ports[list->count++];
    *port = (struct lf_port){
        .path = strdup(facts->path),
        .by_id = stable_link(facts),
        .description = strdup(facts->description ? facts->description : "serial port"),
        .usb = usb_text(facts),
        .hint = hints(list, facts),
    };
    if (!port->path || !port->description || (facts->usb && !port->usb))
        return lf_fail_memory(err, "the list of serial ports");
    return LF_OK;
}

static bool is_running(const char *name)
{
    bool found = false;
    DIR *proc = opendir("/proc");
    if (!proc)
        return false;
    for (struct dirent *entry = readdir(proc); entry && !found; entry = readdir(proc)) {
        char path[300], comm[64] = "";
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        if (fgets(comm, sizeof comm, file)) {
            comm[strcspn(comm, "\n")] = '\0';
            found = !strcmp(comm, name);
        }
        fclose(file);
    }
    closedir(proc);
    return found;
}

enum lf_status lf_ports_list(struct lf_port **ports, size_t *count, struct lf_error *err)
{
    struct port_list list = {
        .modem_manager = is_running("ModemManager"),
        .brltty = access("/usr/bin/brltty", X_OK) == 0 || access("/sbin/brltty", X_OK) == 0,
    };
    *ports = NULL;
    *count = 0;
    enum lf_status status = stream__serial_scan(add, &list, err);
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
