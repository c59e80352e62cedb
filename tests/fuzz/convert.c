/* Worklists on their way to an instrument: line ends and encodings. The first byte chooses both, the rest is
 * the file. */
#include "fuzz.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "drivers/folder/convert.h"
#include "os/linux/native.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int from = -1, to = -1;

static void put(int fd, struct lf_slice bytes)
{
    fuzz_need(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0
                  && write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len,
              "cannot write");
}

static enum lf_status convert(struct lf_slice bytes, enum lf_eol eol, enum folder_encoding encoding,
                              struct lf_buffer *out, struct lf_error *err)
{
    char sha256[LF_SHA256_HEX] = "", expected[LF_SHA256_HEX];
    int64_t size = -1;
    put(from, bytes);
    put(to, lf_slice("", 0));
    enum lf_status status = folder__convert_copy(&(struct lf_file){os__handle(from)},
                                                 &(struct lf_file){os__handle(to)}, eol, encoding, NULL,
                                                 sha256, &size, err);
    fuzz_check_error(status, err);
    if (status != LF_OK)
        return status;
    MUST(size == lseek(to, 0, SEEK_END), "%lld bytes were counted", (long long)size);
    lseek(to, 0, SEEK_SET);
    char *room = lf_buffer_reserve(out, (size_t)size + 1);
    fuzz_need(room && read(to, room, (size_t)size) == size, "cannot read");
    out->len = (size_t)size;
    fuzz_need(lf_digest_bytes(LF_SHA256, out->data, out->len, expected) == LF_OK, "no digest");
    MUST(!strcmp(sha256, expected), "the digest does not match the file");
    return LF_OK;
}

static void check_ends(enum lf_eol eol, struct lf_slice out)
{
    for (size_t i = 0; i < out.len; i++) {
        bool after_cr = i && out.data[i - 1] == '\r';
        if (out.data[i] == '\n')
            MUST(eol == LF_EOL_CRLF ? after_cr : !after_cr, "the line end at byte %zu", i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (from < 0) {
        from = memfd_create("from", MFD_CLOEXEC);
        to = memfd_create("to", MFD_CLOEXEC);
        fuzz_need(from >= 0 && to >= 0, "no files");
    }
    struct fuzz_input input = fuzz_input(data, size);
    uint8_t which = fuzz_byte(&input);
    enum lf_eol eol = which % 3 == 0 ? LF_EOL_KEEP : which % 3 == 1 ? LF_EOL_CRLF : LF_EOL_LF;
    enum folder_encoding encoding = which / 3 % 3 == 0   ? LF_ENCODING_KEEP
                                    : which / 3 % 3 == 1 ? LF_ENCODING_UTF8_BOM
                                                         : LF_ENCODING_WINDOWS_1252;
    struct lf_slice bytes = fuzz_rest(&input);
    struct lf_buffer out = {0}, again = {0};
    struct lf_error err = {0};
    enum lf_status status = convert(bytes, eol, encoding, &out, &err);
    if (eol == LF_EOL_LF && bytes.len && memmem(bytes.data, bytes.len, "\r\r", 2))
        status = LF_INVALID; /* CR CR LF becomes CR LF, as the other CR stays: nothing more can be checked */
    if (encoding != LF_ENCODING_KEEP && bytes.len)
        MUST(status != LF_OK || lf_utf8_valid(bytes), "text that is not UTF-8 was converted");
    if (status == LF_OK && eol != LF_EOL_KEEP)
        check_ends(eol, lf_buffer_slice(&out));
    if (status == LF_OK && eol == LF_EOL_KEEP && encoding == LF_ENCODING_KEEP)
        MUST(lf_slice_equal(lf_buffer_slice(&out), bytes), "changed without a conversion");
    if (status == LF_OK && encoding == LF_ENCODING_UTF8_BOM)
        MUST(out.len >= 3 && !memcmp(out.data, "\xEF\xBB\xBF", 3), "no byte order mark");
    /* Converting twice changes nothing more. (Not from Windows-1252.) */
    if (status == LF_OK && encoding != LF_ENCODING_WINDOWS_1252)
        MUST(convert(lf_buffer_slice(&out), eol, encoding, &again, &err) == LF_OK
                 && lf_slice_equal(lf_buffer_slice(&out), lf_buffer_slice(&again)),
             "another result the second time");
    lf_buffer_free(&again);
    lf_buffer_free(&out);
    return 0;
}
