/* Who has a device open? Looked up in /proc: complete for root, else only for our own processes. */
#include "drivers/stream/serial.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void process_name(const char *pid, char *name, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%.16s/comm", pid);
    snprintf(name, room, "a program");
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    char line[64];
    if (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, room, "%s", line);
    }
    fclose(file);
}

bool stream__port_holder(const char *device, char *who, size_t room)
{
    bool found = false;
    DIR *proc = opendir("/proc");
    if (!proc)
        return false;
    for (struct dirent *entry = readdir(proc); entry && !found; entry = readdir(proc)) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !process_has(entry->d_name, device))
            continue;
        char name[64];
        process_name(entry->d_name, name, sizeof name);
        if (strtol(entry->d_name, NULL, 10) == (long)getpid())
            snprintf(who, room, "this program itself (two instruments on one port?)");
        else
            snprintf(who, room, "%s (pid %.16s)", name, entry->d_name);
        found = true;
    }
    closedir(proc);
    return found;
}
