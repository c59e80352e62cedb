/* The audit trail and the journal as files. */
#include "agent/cli/cli.h"

#include "base/clock.h"
#include "config/config.h"
#include "journal/audit.h"
#include "journal/inspect.h"
#include "os/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000 };

/* ---- audit verify ---- */

/* Takes verdict. */
static enum cli_exit report_verdict(const struct cli *cli, const char *where, cJSON *verdict)
{
    int64_t entries = lf_json_int(verdict, "entries", 0), first = lf_json_int(verdict, "first", 0);
    if (cli->json) {
        lf_json_set_bool(verdict, "ok", true);
        return cli_print_json(cli, verdict);
    }
    printf("%s: complete and unchanged, %" PRId64 " entr%s", where, entries, entries == 1 ? "y" : "ies");
    if (first > 1)
        printf(" from %" PRId64 " on (older ones were removed after agent.audit_keep)", first);
    printf(
        "\nhead: %s\nKeep a note of this head elsewhere: `labferry audit-verify --noted HEAD` then proves that "
        "nothing was rewritten.\n",
        lf_json_text_or(verdict, "head", ""));
    cJSON_Delete(verdict);
    return CLI_DONE;
}

static enum cli_exit verify_file(const struct cli *cli, const char *path, const struct lf_audit_head *noted)
{
    struct lf_audit_verdict verdict;
    struct lf_error err = {0};
    if (lf_audit_verify_file(path, noted, &verdict, &err) != LF_OK)
        return cli_failed(cli, &err);
    return report_verdict(cli, path, cli_must(lf_audit_verdict_json(&verdict)));
}

static enum cli_exit verify_running(struct cli *cli, const char *noted)
{
    cJSON *answer, *args = cJSON_CreateObject();
    if (noted)
        lf_json_set_text(args, "noted", noted);
    enum cli_exit code = cli_ask(cli, "audit-verify", args, NULL, lf_deadline_in(CLI_SLOW_MS), &answer);
    return code == CLI_DONE ? report_verdict(cli, "the agent's audit trail", answer) : code;
}

static enum cli_exit verify_audit(struct cli *cli)
{
    struct lf_audit_head head;
    const char *path = cli_text(cli, "file"), *noted = cli_text(cli, "noted");
    if (noted && !lf_audit_head_parse(noted, &head))
        return cli_misuse(cli, "--noted must be a chain head as printed by audit-verify: NUMBER:DIGEST");
    return path ? verify_file(cli, path, noted ? &head : NULL) : verify_running(cli, noted);
}

/* ---- exports ---- */

/* An export goes to a new file that only its owner may read, or to standard output. NULL: reported. */
static FILE *create(const struct cli *cli, const char *path)
{
    struct lf_error err;
    if (!path || !strcmp(path, "-"))
        return stdout;
    struct lf_file file;
    FILE *out = NULL;
    enum lf_status status = lf_file_open(path, LF_FILE_CREATE, LF_PRIVATE, &file, &err);
    if (status == LF_OK)
        out = lf_file_stream(&file, &err);
    if (out)
        return out;
    if (status == LF_EXISTS)
        lf_fail(&err, LF_EXISTS, LF_PERMANENT, "%s already exists; an export never overwrites a file", path);
    else
        lf_error_prefix(&err, "cannot create %s", path);
    cli_failed(cli, &err);
    return NULL;
}

/* An export is on disk before it is reported as done; an incomplete file is removed. */
static enum cli_exit finish(const struct cli *cli, FILE *out, const char *path, enum cli_exit code)
{
    struct lf_error err;
    if (code == CLI_DONE && lf_stream_sync(out, &err) != LF_OK) {
        lf_error_prefix(&err, "cannot write the export");
        code = cli_failed(cli, &err);
    }
    if (out != stdout) {
        fclose(out);
        if (code != CLI_DONE)
            remove(path);
    }
    return code;
}

/* Takes json. */
static bool put_line(FILE *out, cJSON *json)
{
    char *text = json ? lf_json_print(json) : NULL;
    bool good = text && fprintf(out, "%s\n", text) > 0;
    free(text);
    cJSON_Delete(json);
    return good;
}

/* Writes a page of entries and notes the last. False: it could not be written. */
static bool put_page(FILE *out, const cJSON *page, struct lf_audit_head *head)
{
    const cJSON *entry;
    cJSON_ArrayForEach (entry, page) {
        head->seq = lf_json_int(entry, "seq", 0);
        snprintf(head->hash, sizeof head->hash, "%s", lf_json_text_or(entry, "hash", ""));
        if (!put_line(out, cJSON_Duplicate(entry, true)))
            return false;
    }
    return true;
}

static enum cli_exit export_running(struct cli *cli, FILE *out, struct lf_audit_head *head)
{
    enum cli_exit code = CLI_DONE;
    struct lf_error err;
    bool written = true;
    for (int count = PAGE; code == CLI_DONE && written && count == PAGE;) {
        cJSON *page, *args = cJSON_CreateObject();
        lf_json_set_int(args, "from", head->seq + 1);
        lf_json_set_int(args, "limit", PAGE);
        code = cli_ask(cli, "audit", args, NULL, lf_deadline_in(CLI_ASK_MS), &page);
        count = cJSON_GetArraySize(page);
        written = code != CLI_DONE || put_page(out, page, head);
        cJSON_Delete(page);
    }
    if (code == CLI_DONE && (!written || !put_line(out, lf_audit_end_json(head)))) {
        lf_fail_errno(&err, "cannot write the export");
        code = cli_failed(cli, &err);
    }
    return code;
}

static enum cli_exit export_audit(struct cli *cli)
{
    const char *path = cli_text(cli, "file"), *journal = cli_text(cli, "journal");
    struct lf_audit_head head = {0};
    struct lf_error err = {0};
    FILE *out = create(cli, path);
    if (!out)
        return CLI_REFUSED;
    enum cli_exit code = !journal ? export_running(cli, out, &head)
                         : lf_audit_export_file(journal, out, &head, &err) == LF_OK ? CLI_DONE
                                                                                    : cli_failed(cli, &err);
    code = finish(cli, out, path, code);
    if (code == CLI_DONE)
        fprintf(stderr, "labferry: the head of the export is %" PRId64 ":%s\n", head.seq, head.hash);
    return code;
}

/* ---- journal ---- */

/* The file that is named, or the journal of the configuration. Returns owned; NULL: reported. */
static char *journal_path(const struct cli *cli, const char *named)
{
    struct lf_error err = {0};
    char *folder = NULL, *path;
    if (!named
        && lf_config_place(cli->config ? cli->config : LF_CONFIG_PATH, "state_dir", &folder, &err) != LF_OK) {
        cli_failed(cli, &err);
        return NULL;
    }
    path = named ? strdup(named) : lf_format("%s/journal.db", folder);
    free(folder);
    if (!path) {
        lf_fail_memory(&err, "finding the journal");
        cli_failed(cli, &err);
    }
    return path;
}

static void print_report(const struct cli *cli, const cJSON *report)
{
    const cJSON *item;
    int problems = cJSON_GetArraySize(lf_json_at(report, "problems"));
    cli_print(cli, CLI_BOLD, lf_json_text(report, "file"));
    printf(": a journal of version %" PRId64 "\n", lf_json_int(report, "version", 0));
    cJSON_ArrayForEach (item, lf_json_at(report, "rows"))
        printf("  %-10s %" PRId64 " rows\n", item->string, lf_json_int(item, "", 0));
    if (lf_json_at(report, "audit") && !lf_json_at(report, "audit.wrong"))
        printf("  audit head %s\n", lf_json_text_or(report, "audit.head", ""));
    cJSON_ArrayForEach (item, lf_json_at(report, "problems")) {
        fputs("  problem: ", stdout);
        cli_print(cli, CLI_RED, cJSON_GetStringValue(item));
        putchar('\n');
    }
    if (problems && lf_json_int(report, "version", 0))
        puts("Keep the file as it is. `labferry journal-export` writes out what can be read.");
    else if (!problems)
        puts("No problems found.");
}

static enum cli_exit check_journal(struct cli *cli)
{
    struct lf_error err = {0};
    cJSON *report = NULL;
    char *path = journal_path(cli, cli_text(cli, "file"));
    if (!path)
        return CLI_REFUSED;
    enum lf_status status = lf_journal_check_file(path, &report, &err);
    free(path);
    if (!report)
        return cli_failed(cli, &err);
    enum cli_exit code = status == LF_OK ? CLI_DONE : CLI_REFUSED;
    if (cli->json) {
        lf_json_set_bool(report, "ok", status == LF_OK);
        return cli_print_json(cli, report) == CLI_DONE ? code : CLI_REFUSED;
    }
    print_report(cli, report);
    cJSON_Delete(report);
    return code;
}

static enum cli_exit export_journal(struct cli *cli)
{
    const char *to = cli_text(cli, "file");
    struct lf_journal_export done = {0};
    struct lf_error err = {0};
    char *path = journal_path(cli, cli_text(cli, "journal"));
    FILE *out = path ? create(cli, to) : NULL;
    enum cli_exit code = CLI_REFUSED;
    if (out) {
        code = lf_journal_export_file(path, out, &done, &err) == LF_OK ? CLI_DONE : cli_failed(cli, &err);
        code = finish(cli, out, to, code);
    }
    free(path);
    if (code != CLI_DONE)
        return code;
    fprintf(stderr, "labferry: %" PRId64 " rows written", done.rows);
    if (done.gaps)
        fprintf(stderr, "; %" PRId64 " place%s could not be read: the lines with \"lost\" say where and why",
                done.gaps, done.gaps == 1 ? "" : "s");
    fputc('\n', stderr);
    return done.gaps ? CLI_REFUSED : CLI_DONE;
}

/* ---- the table ---- */

#define ARG_OUTPUT                                                                                           \
    {                                                                                                        \
        "file", LF_ARG_TEXT, LF_ARG_POSITIONAL, .help = "a new file", .fallback = "standard output"          \
    }
#define ARG_JOURNAL(default_help)                                                                            \
    {                                                                                                        \
        "journal", LF_ARG_TEXT, 0, .help = "this journal; an agent may be running on it",                    \
                                   .fallback = default_help, .value = "FILE"                                 \
    }

const struct cli_command cli_record_commands[] = {
    {{.name = "audit-verify"}, .run = verify_audit},
    {{.name = "audit-export",
      .summary = "Write the audit trail as JSON lines, with its digests.",
      .about = "`labferry audit-verify FILE` checks an export.",
      .args = LF_ARGS(ARG_OUTPUT, ARG_JOURNAL("the running agent is asked")),
      .examples = "labferry audit-export audit-2026.jsonl\nlabferry audit-export | gzip > audit.jsonl.gz"},
     .run = export_audit,
     .needs = "a running agent, or --journal FILE"},
    {{.name = "journal-check",
      .summary = "Check a journal: its pages, its version, its rows, its audit trail.",
      .about = "Nothing is changed.",
      .args = LF_ARGS({"file", LF_ARG_TEXT, LF_ARG_POSITIONAL, .help = "the journal",
                       .fallback = "that of the configuration"}),
      .examples = "labferry journal-check\nlabferry journal-check /var/lib/labferry/journal.db --json"},
     .run = check_journal},
    {{.name = "journal-export",
      .summary = "Write everything that a journal holds as JSON lines, as far as it can be read.",
      .about =
          "This also works for damaged journals: lines with \"lost\" stand for what cannot be read, and the\n"
          "exit status is 1 then.",
      .args = LF_ARGS(ARG_OUTPUT, ARG_JOURNAL("that of the configuration")),
      .examples = "labferry journal-export journal.jsonl\n"
                  "labferry journal-export --journal ./damaged.db | less"},
     .run = export_journal},
    {.verb.name = NULL},
};
