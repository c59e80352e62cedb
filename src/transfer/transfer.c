/* The engine: one thread with a libcurl multi handle.
 *
 * A caller puts a ticket (on its own stack) on the list, wakes the thread and waits for the ticket's wake.
 * The thread alone touches libcurl handles: it begins tickets that are new, ends those that finished or must
 * stop, takes them off the list, and wakes the caller, as its last touch of the ticket. A caller never leaves
 * before that: cancelled or late, it sets `stop` and waits on. So bodies, contexts and answers may live on
 * the caller's stack.
 *
 * States of a ticket: listed -> begun -> ended. `lock` guards the list, `stop` and `closing`.
 */
#include "transfer/transfer.h"
#include "os/thread.h"

#include "transfer/exchange.h"
#include "transfer/url.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { REDIRECTS_MAX = 5, CONNECTIONS_MAX = 8 };

struct ticket {
    struct lf_exchange exchange;
    struct lf_wake ended;
    bool begun;
    enum lf_status stop; /* LF_OK, or why to stop: LF_CANCELLED, LF_TIMEOUT */
    struct ticket *next;
};

struct lf_transfer {
    struct lf_exchange_common common;
    CURLM *multi;
    struct lf_thread thread;
    bool running; /* the thread was started */
    struct lf_mutex lock;
    struct lf_cond left; /* a caller has left lf_transfer_perform */
    struct ticket *tickets;
    int callers; /* inside lf_transfer_perform */
    bool closing;
};

static void explain_stop(struct lf_error *err, enum lf_status stop)
{
    lf_fail(err, stop, LF_TRANSIENT,
            stop == LF_TIMEOUT ? "not finished before its deadline" : "asked to stop");
}

/* With the lock held. The caller owns the ticket again once it is woken. */
static void end_ticket(struct lf_transfer *transfer, struct ticket *ticket)
{
    if (ticket->begun)
        curl_multi_remove_handle(transfer->multi, ticket->exchange.easy);
    transfer__exchange_free(&ticket->exchange);
    struct ticket **link = &transfer->tickets;
    while (*link != ticket)
        link = &(*link)->next;
    *link = ticket->next;
    lf_wake_up(&ticket->ended);
}

static void begin_ticket(struct lf_transfer *transfer, struct ticket *ticket)
{
    struct lf_exchange *exchange = &ticket->exchange;
    if (transfer__exchange_begin(exchange, &transfer->common)) {
        if (curl_multi_add_handle(transfer->multi, exchange->easy) == CURLM_OK) {
            ticket->begun = true;
            return;
        }
        lf_fail_memory(&exchange->error, "starting a request");
    }
    end_ticket(transfer, ticket);
}

/* Begins what is new, ends what must stop. True while there is a reason to go on. */
static bool tend_tickets(struct lf_transfer *transfer)
{
    lf_mutex_lock(&transfer->lock);
    for (struct ticket *ticket = transfer->tickets, *next; ticket; ticket = next) {
        next = ticket->next;
        if (transfer->closing && ticket->stop == LF_OK)
            ticket->stop = LF_CANCELLED;
        if (ticket->stop != LF_OK) {
            explain_stop(&ticket->exchange.error, ticket->stop);
            end_ticket(transfer, ticket);
        } else if (!ticket->begun) {
            begin_ticket(transfer, ticket);
        }
    }
    bool go_on = !transfer->closing || transfer->tickets;
    lf_mutex_unlock(&transfer->lock);
    return go_on;
}

static void collect_ended(struct lf_transfer *transfer)
{
    CURLMsg *message;
    int more;
    while ((message = curl_multi_info_read(transfer->multi, &more))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct lf_exchange *exchange = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
        transfer__exchange_end(exchange, code);
        lf_mutex_lock(&transfer->lock);
        end_ticket(transfer, (struct ticket *)((char *)exchange - offsetof(struct ticket, exchange)));
        lf_mutex_unlock(&transfer->lock);
    }
}

static void *run(void *arg)
{
    struct lf_transfer *transfer = arg;
    while (tend_tickets(transfer)) {
        int still = 0;
        curl_multi_perform(transfer->multi, &still);
        collect_ended(transfer);
        curl_multi_poll(transfer->multi, NULL, 0, INT_MAX, NULL); /* libcurl's own timers cut this short */
    }
    return NULL;
}

static bool open_curl(struct lf_transfer *transfer)
{
    transfer->multi = curl_multi_init();
    transfer->common.share = curl_share_init();
    return transfer->multi && transfer->common.share
           && curl_share_setopt(transfer->common.share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION)
                  == CURLSHE_OK
           && curl_multi_setopt(transfer->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX)
                  == CURLM_OK
           && curl_multi_setopt(transfer->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX) == CURLM_OK;
}

enum lf_status lf_transfer_open(const struct lf_transfer_options *options, struct lf_transfer **out,
                                struct lf_error *err)
{
    *out = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return lf_fail_memory(err, "starting libcurl");
    struct lf_transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer) {
        curl_global_cleanup();
        return lf_fail_memory(err, "starting the transfer engine");
    }
    lf_mutex_init(&transfer->lock);
    lf_cond_init(&transfer->left);
    transfer->common.options = *options;
    enum lf_status status = open_curl(transfer)
                                ? lf_thread_start(&transfer->thread, "transfer", run, transfer, err)
                                : lf_fail_memory(err, "starting the transfer engine");
    transfer->running = status == LF_OK;
    if (status == LF_OK)
        *out = transfer;
    else
        lf_transfer_close(transfer);
    return status;
}

static void stop_thread(struct lf_transfer *transfer)
{
    lf_mutex_lock(&transfer->lock);
    transfer->closing = true;
    lf_mutex_unlock(&transfer->lock);
    curl_multi_wakeup(transfer->multi);
    lf_thread_join(&transfer->thread);
    lf_mutex_lock(&transfer->lock);
    while (transfer->callers)
        lf_cond_wait(&transfer->left, &transfer->lock, LF_NEVER);
    lf_mutex_unlock(&transfer->lock);
}

void lf_transfer_close(struct lf_transfer *transfer)
{
    if (!transfer)
        return;
    if (transfer->running)
        stop_thread(transfer);
    curl_multi_cleanup(transfer->multi);
    curl_share_cleanup(transfer->common.share);
    lf_cond_destroy(&transfer->left);
    lf_mutex_destroy(&transfer->lock);
    free(transfer);
    curl_global_cleanup();
}

/* Refused once the engine is closing, so that no caller waits for a thread that has ended. */
static bool hand_over(struct lf_transfer *transfer, struct ticket *ticket)
{
    lf_mutex_lock(&transfer->lock);
    bool open = !transfer->closing;
    if (open) {
        ticket->next = transfer->tickets;
        transfer->tickets = ticket;
    }
    lf_mutex_unlock(&transfer->lock);
    if (open)
        curl_multi_wakeup(transfer->multi);
    return open;
}

/* Waits for the end of the ticket; late or cancelled, has it stopped first. */
static void wait_for(struct lf_transfer *transfer, struct ticket *ticket)
{
    const struct lf_request *request = ticket->exchange.request;
    enum lf_status waited = lf_wake_wait(&ticket->ended, request->deadline, request->cancel);
    if (waited != LF_OK) {
        lf_mutex_lock(&transfer->lock);
        ticket->stop = waited == LF_TIMEOUT ? LF_TIMEOUT : LF_CANCELLED;
        lf_mutex_unlock(&transfer->lock);
        curl_multi_wakeup(transfer->multi);
        while (lf_wake_wait(&ticket->ended, LF_NEVER, NULL) != LF_OK)
            ;
    }
    /* The thread woke us with the lock held: once we have had it, the thread has let go of the ticket. */
    lf_mutex_lock(&transfer->lock);
    lf_mutex_unlock(&transfer->lock);
}

/* One request to one URL, without redirects. */
static enum lf_status exchange_once(struct lf_transfer *transfer, const struct lf_request *request,
                                    const char *url, bool authorize, struct lf_answer *answer, bool *sent,
                                    struct lf_error *err)
{
    char name[LF_URL_NAME];
    struct ticket ticket = {
        .exchange = {.request = request, .url = url, .authorize = authorize, .answer = answer}};
    struct lf_error *error = &ticket.exchange.error;
    if (lf_wake_open(&ticket.ended, err) != LF_OK)
        return err->status;
    if (hand_over(transfer, &ticket))
        wait_for(transfer, &ticket);
    else
        explain_stop(error, LF_CANCELLED);
    lf_wake_close(&ticket.ended);
    *sent |= ticket.exchange.sent;
    if (error->status != LF_OK) {
        transfer__url_name(url, name);
        lf_error_prefix(error, "%s %s", request->method, name);
        *err = *error;
    }
    return error->status;
}

static bool is_redirect(const struct lf_request *request, const struct lf_answer *answer)
{
    int status = answer->status;
    return request->follow && !strcmp(request->method, "GET") && answer->location
           && (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

static void answer_clear(struct lf_answer *answer)
{
    lf_answer_free(answer);
    memset(answer, 0, sizeof *answer);
    answer->retry_after_ms = answer->rate_limit = answer->rate_remaining = answer->rate_reset_s =
        answer->date_ms = -1;
}

static enum lf_status follow(struct lf_transfer *transfer, const struct lf_request *request,
                             struct lf_answer *answer, bool *sent, struct lf_error *err)
{
    char *url = NULL, *next = NULL;
    enum lf_status status = LF_OK;
    for (int hops = 0; status == LF_OK && is_redirect(request, answer); hops++) {
        char name[LF_URL_NAME];
        transfer__url_name(url ? url : request->url, name);
        if (hops == REDIRECTS_MAX)
            status = lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON, "%s: more than %d redirects", name,
                             REDIRECTS_MAX);
        else if ((status = transfer__url_redirect(url ? url : request->url, answer->location, &next, err))
                 != LF_OK)
            lf_error_prefix(err, "%s", name);
        if (status != LF_OK)
            break;
        free(url);
        url = next;
        answer_clear(answer);
        answer->redirected = true;
        status = exchange_once(transfer, request, url, false, answer, sent, err);
    }
    free(url);
    return status;
}

enum lf_status lf_transfer_perform(struct lf_transfer *transfer, const struct lf_request *request,
                                   struct lf_answer *answer, bool *sent, struct lf_error *err)
{
    bool was_sent = false;
    memset(answer, 0, sizeof *answer);
    answer_clear(answer);
    lf_mutex_lock(&transfer->lock);
    transfer->callers++;
    lf_mutex_unlock(&transfer->lock);
    enum lf_status status = lf_url_check(request->url, err);
    if (status == LF_OK)
        status = exchange_once(transfer, request, request->url, true, answer, &was_sent, err);
    if (status == LF_OK)
        status = follow(transfer, request, answer, &was_sent, err);
    if (status != LF_OK)
        answer_clear(answer);
    if (sent)
        *sent = was_sent;
    lf_mutex_lock(&transfer->lock);
    transfer->callers--;
    lf_cond_signal(&transfer->left);
    lf_mutex_unlock(&transfer->lock);
    return status;
}

void lf_answer_free(struct lf_answer *answer)
{
    lf_buffer_free(&answer->text);
    lf_buffer_free(&answer->headers);
    free(answer->location);
    answer->location = NULL;
}
