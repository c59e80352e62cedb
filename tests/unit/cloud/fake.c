#include "fake.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void answer_token(struct fake *fake, struct server_call *call)
{
    char authorization[256], type[128], made[256];
    pthread_mutex_lock(&fake->lock);
    int number = ++fake->tokens;
    snprintf(fake->token_seen, sizeof fake->token_seen, "%s|%s|%s",
             server_header(call, "Authorization", authorization, sizeof authorization),
             server_header(call, "Content-Type", type, sizeof type), call->body);
    int status = fake->token_status ? fake->token_status : 200;
    snprintf(made, sizeof made, "{\"access_token\":\"token-%d\",\"expires_in\":%d,\"token_type\":\"Bearer\"}",
             number, fake->token_life_s);
    const char *body = fake->token_body ? fake->token_body : made;
    pthread_mutex_unlock(&fake->lock);
    while (fake->token_held)
        server_pause(call, 5);
    server_reply(call, status, "", body);
}

static struct fake_line next_line(struct fake *fake, struct server_call *call)
{
    char authorization[256];
    struct fake_line line = {500, NULL, "{\"error\":{\"message\":\"nothing is left in the script\"}}"};
    pthread_mutex_lock(&fake->lock);
    fake->calls++;
    size_t used = strlen(fake->asked);
    snprintf(fake->asked + used, sizeof fake->asked - used, "%s %s [%s]\n", call->method, call->target,
             server_header(call, "Authorization", authorization, sizeof authorization));
    free(fake->body);
    fake->body = call->body;
    fake->body_len = call->body_len;
    call->body = NULL;
    if (fake->line_at < fake->line_count)
        line = fake->lines[fake->line_at++];
    pthread_mutex_unlock(&fake->lock);
    return line;
}

static void answer(void *context, struct server_call *call)
{
    struct fake *fake = context;
    if (!strcmp(call->target, "/api/v2/token")) {
        answer_token(fake, call);
        return;
    }
    struct fake_line line = next_line(fake, call);
    char extra[1024];
    snprintf(extra, sizeof extra, "%s%s",
             line.extra && strstr(line.extra, "Content-Type:") ? "" : "Content-Type: application/json\r\n",
             line.extra ? line.extra : "");
    if (line.status > 0)
        server_reply(call, line.status, extra, line.body);
    else if (line.status == 0)
        server_reset(call);
    else if (line.status == -1)
        server_say(call, "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n%s", line.body);
    else
        server_pause(call, 60000);
    call->close = call->close || line.status <= 0;
}

void fake_write_secret(const struct fake *fake, const char *secret)
{
    int fd = open(fake->secret_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    NEED(fd >= 0);
    CHECK_INT(write(fd, secret, strlen(secret)), (int64_t)strlen(secret));
    close(fd);
}

void fake_open(struct fake *fake)
{
    memset(fake, 0, sizeof *fake);
    pthread_mutex_init(&fake->lock, NULL);
    fake->token_life_s = 900;
    snprintf(fake->secret_file, sizeof fake->secret_file, "%s/secret", unit_folder());
    fake_write_secret(fake, "hush\n");
    fake->server = server_open(answer, fake, SERVER_PLAIN, NULL);
    NEED(fake->server != NULL);
    struct lf_transfer_options transfer = {.proxy = "",
                                           .connect_timeout_ms = 10000,
                                           .stall_timeout_ms = 10000};
    NEED(lf_transfer_open(&transfer, &fake->transfer, &fake->err) == LF_OK);
    snprintf(fake->tenant, sizeof fake->tenant, "http://127.0.0.1:%d", server_port(fake->server));
    fake->config = (struct lf_config_cloud){.tenant = fake->tenant,
                                            .client_id = "the-client",
                                            .client_secret_file = fake->secret_file,
                                            .request_timeout_ms = 60000};
    NEED(lf_cloud_open(&fake->config, fake->transfer, &fake->cloud, &fake->err) == LF_OK);
    fake->cloud->part_size = 1000;
    fake->cloud->single_max = 2500;
    fake->call.deadline = lf_deadline_in(30000);
}

void fake_close(struct fake *fake)
{
    lf_cloud_close(fake->cloud);
    lf_transfer_close(fake->transfer);
    server_close(fake->server);
    pthread_mutex_destroy(&fake->lock);
    free(fake->body);
}

void fake_will(struct fake *fake, int status, const char *extra, const char *body)
{
    pthread_mutex_lock(&fake->lock);
    if (fake->line_count < FAKE_LINES)
        fake->lines[fake->line_count++] = (struct fake_line){status, extra, body};
    pthread_mutex_unlock(&fake->lock);
}

void fake_clear(struct fake *fake)
{
    pthread_mutex_lock(&fake->lock);
    fake->line_count = fake->line_at = 0;
    fake->calls = 0;
    fake->asked[0] = '\0';
    pthread_mutex_unlock(&fake->lock);
    memset(&fake->err, 0, sizeof fake->err);
}
