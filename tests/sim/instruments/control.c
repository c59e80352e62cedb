#include "control.h"

#include "base/file.h"
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_BOUND = 4096, ANSWER_BOUND = 4 * 1024 * 1024 };

enum lf_status control_open(struct control *control, const char *path, struct lf_error *err)
{
    control->listener = -1;
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        control->clients[i] = -1;
    if (!path)
        return LF_OK;
    control->listener = wire_listen_unix(path, err);
    if (control->listener < 0)
        return LF_IO;
    snprintf(control->path, sizeof control->path, "%s", path);
    return LF_OK;
}

static void drop(struct control *control, int index)
{
    if (control->clients[index] >= 0)
        close(control->clients[index]);
    control->clients[index] = -1;
    lf_buffer_free(&control->input[index]);
}

void control_close(struct control *control)
{
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        drop(control, i);
    if (control->listener >= 0) {
        close(control->listener);
        unlink(control->path);
    }
    control->listener = -1;
}

size_t control_polls(const struct control *control, struct pollfd *polls)
{
    size_t count = 0;
    if (control->listener >= 0)
        polls[count++] = (struct pollfd){.fd = control->listener, .events = POLLIN};
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        if (control->clients[i] >= 0)
            polls[count++] = (struct pollfd){.fd = control->clients[i], .events = POLLIN};
    return count;
}

static void take_clients(struct control *control)
{
    for (int i = 0; control->listener >= 0 && i < CONTROL_CLIENTS; i++) {
        if (control->clients[i] >= 0)
            continue;
        control->clients[i] = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (control->clients[i] < 0)
            return;
        control->input[i] = (struct lf_buffer){.max = LINE_BOUND};
    }
}

/* Answers are small beside the socket's buffer, but for the transcript: wait for a reader of that, not for
 * ever. */
static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t count = send(fd, data, len, MSG_NOSIGNAL);
        struct pollfd poller = {.fd = fd, .events = POLLOUT};
        if (count < 0 && (errno != EAGAIN || poll(&poller, 1, 1000) <= 0))
            return false;
        data += count > 0 ? count : 0;
        len -= count > 0 ? (size_t)count : 0;
    }
    return true;
}

static bool answer_lines(struct control *control, int index,
                         void (*answer)(void *context, const char *line, struct lf_buffer *reply),
                         void *context)
{
    struct lf_buffer *input = &control->input[index];
    for (char *end = input->data ? memchr(input->data, '\n', input->len) : NULL; end;
         end = memchr(input->data, '\n', input->len)) {
        struct lf_buffer reply = {.max = ANSWER_BOUND};
        size_t len = (size_t)(end - input->data) + 1;
        *end = '\0';
        answer(context, input->data, &reply);
        lf_buffer_text(&reply, "\n");
        bool sent = send_all(control->clients[index], reply.data ? reply.data : "\n",
                             reply.data ? reply.len : 1);
        lf_buffer_free(&reply);
        lf_buffer_consume(input, len);
        if (!sent)
            return false;
    }
    return true;
}

void control_serve(struct control *control,
                   void (*answer)(void *context, const char *line, struct lf_buffer *reply), void *context)
{
    take_clients(control);
    for (int i = 0; i < CONTROL_CLIENTS; i++) {
        char data[1024];
        if (control->clients[i] < 0)
            continue;
        ssize_t count = read(control->clients[i], data, sizeof data);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (count <= 0 || lf_buffer_append(&control->input[i], data, (size_t)count)
            || !answer_lines(control, i, answer, context))
            drop(control, i);
    }
}

int control_tell(const char *path, int count, char **words)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct lf_buffer line = {.max = LINE_BOUND}, reply = {.max = ANSWER_BOUND};
    char data[4096];
    int code = 1;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) {
        fprintf(stderr, "cannot reach a simulator at %s: %s\n", path, strerror(errno));
        goto done;
    }
    for (int i = 0; i < count; i++)
        lf_buffer_format(&line, "%s%s", i ? " " : "", words[i]);
    lf_buffer_text(&line, "\n");
    if (write(fd, line.data, line.len) != (ssize_t)line.len) {
        perror("cannot write to the simulator");
        goto done;
    }
    while (!reply.len || reply.data[reply.len - 1] != '\n') {
        ssize_t got = read(fd, data, sizeof data);
        if (got <= 0 || lf_buffer_append(&reply, data, (size_t)got))
            break;
    }
    if (reply.len)
        fwrite(reply.data, 1, reply.len, stdout);
    code = reply.len && strncmp(reply.data, "error", 5) != 0 ? 0 : 1;
done:
    if (fd >= 0)
        close(fd);
    lf_buffer_free(&line);
    lf_buffer_free(&reply);
    return code;
}
