"""A third party builds a driver from what is installed, and from nothing else."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["LF_SOURCE"])
BUILD = pathlib.Path(os.environ["LF_BUILD"])

# A host that loads a driver as a file and works with it once.
HOST_C = r"""
#include "drivers/driver.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static enum lf_status found(void *self, const struct lf_finding *finding, struct lf_error *err)
{
    (void)self, (void)err;
    printf("found %.*s", (int)finding->len, (const char *)finding->data);
    return LF_OK;
}

static enum lf_status identity(void *self, const char *identity, struct lf_error *err)
{
    (void)self, (void)err;
    printf("identity %s\n", identity);
    return LF_OK;
}

static void progress(void *self, const char *text) { (void)self, (void)text; }

static void need(enum lf_status status, const struct lf_error *err)
{
    if (status != LF_OK) {
        printf("failed: %s\n", err->text);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct lf_error err = {0};
    struct lf_cancel cancel = {0};
    struct lf_wake wake = {0};
    struct lf_host host = {.instrument = "printer-1", .cancel = &cancel, .wake = &wake,
                           .found = found, .identity = identity, .progress = progress};
    struct lf_input label = {"label", "tube 7"};
    struct lf_action print = {.kind = LF_ACTION_RUN, .job = 1, .name = "print", .inputs = &label, .input_count = 1};
    struct lf_outcome outcome = {0};
    enum lf_repeat repeat;
    void *device;
    void *file = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    const struct lf_driver *driver = file ? dlsym(file, "lf_driver_template") : NULL;
    if (!driver) {
        printf("not loaded: %s\n", dlerror());
        return 1;
    }
    need(lf_driver_check(driver, &err), &err);
    need(lf_cancel_open(&cancel, &err), &err);
    need(lf_wake_open(&wake, &err), &err);
    struct lf_values *values = lf_values_new(driver->settings, "printer-1");
    need(lf_values_set(values, "paper", argv[2], NULL, &err), &err);
    need(lf_values_finish(values, &err), &err);
    need(driver->check(values, NULL, NULL, &err), &err);
    need(driver->open(values, &host, &device, &err), &err);
    need(driver->connect(device, &err), &err);
    need(driver->repeat(device, &print, &repeat, &err), &err);
    need(driver->act(device, &print, &outcome, &err), &err);
    printf("%s: %s = %s\n", lf_repeat_name(repeat), outcome.captures[0].name, outcome.captures[0].value);
    lf_outcome_free(&outcome);
    printf("verdict %d\n", driver->verify(device, &print, &outcome, &err) == LF_VERDICT_DONE);
    lf_outcome_free(&outcome);
    driver->disconnect(device);
    driver->close(device);
    lf_values_free(values);
    lf_wake_close(&wake);
    lf_cancel_close(&cancel);
    return 0;
}
"""


def run(*command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, **more)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


class DriverKit(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.prefix = self.folder / "installed"
        run("cmake", "--install", BUILD, "--prefix", self.prefix, "--component", "driver-kit")

    def flags(self):
        """What pkg-config says, with the prefix of this installation; and the sanitizers of this build, if it has any."""
        pc = next(self.prefix.rglob("labferry-driver.pc"))
        flags = run("pkg-config", "--define-variable=prefix=" + str(self.prefix), "--cflags", "--libs", "labferry-driver",
                    env={**os.environ, "PKG_CONFIG_PATH": str(pc.parent)}).split()
        library = next(self.prefix.rglob("liblf_kit.a"))
        wanted = run("nm", "--undefined-only", library)
        sanitizers = [name for name, mark in (("address", "__asan_init"), ("undefined", "__ubsan_"), ("thread", "__tsan_init"))
                      if mark in wanted]
        return flags, ["-fsanitize=" + name for name in sanitizers] + (["--coverage"] if "__gcov_init" in wanted else [])

    def test_third_party(self):
        """the template builds as a loadable file from the installed headers and library alone, and works"""
        flags, build = self.flags()
        shutil.copy(SOURCE / "drivers/template/template.c", self.folder / "printer.c")
        (self.folder / "host.c").write_text(HOST_C)
        cc = ["cc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", *build]
        run(*cc, "-fPIC", "-shared", "-Wl,--no-undefined", "printer.c", "-o", "printer.so", *flags, cwd=self.folder)
        run(*cc, "host.c", "-o", "host", *flags, "-ldl", cwd=self.folder)

        needed = re.findall(r"\(NEEDED\).*\[(\S+)\]", run("readelf", "-d", self.folder / "printer.so"))
        allowed = r"libc\.|ld-linux|libm\.|libgcc_s\.|libasan\.|libubsan\.|libtsan\."
        self.assertEqual([name for name in needed if not re.match(allowed, name)], [], "it loads other libraries")
        symbols = run("nm", "-D", "--defined-only", self.folder / "printer.so").split()
        self.assertEqual([name for name in symbols if name.startswith("lf_")], ["lf_driver_template"])

        paper = self.folder / "paper"
        (self.folder / "paper.keys").write_text("")
        self.assertEqual(run(self.folder / "host", self.folder / "printer.so", paper).splitlines(),
                         ["identity template printer", "once: label = tube 7", "verdict 1"])
        self.assertEqual(paper.read_text(), "job 1: tube 7\n")

    def test_headers_alone(self):
        """each installed header compiles by itself"""
        flags, _ = self.flags()
        for header in sorted((self.prefix / "include/labferry").rglob("*.h")):
            with self.subTest(header=header.name):
                run("cc", "-std=gnu17", "-fsyntax-only", "-Wall", "-Werror", *[flag for flag in flags if flag[1] == "I"], header)


if __name__ == "__main__":
    unittest.main()
