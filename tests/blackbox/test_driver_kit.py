"""A third party builds a driver from what is installed, and from nothing else, and the agent works with it."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import stat
import tempfile
import unittest
from unittest import mock

from whole import Lab, config

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
        """What pkg-config says; and the sanitizers of this build, if it has any."""
        pc = next(self.prefix.rglob("labferry-driver.pc"))
        flags = run("pkg-config", "--cflags", "--libs", "labferry-driver",
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


PRINTER = """\
    { name = "printer-1"; driver = "stamp"; paper = "%(home)s/paper"; }"""


class Loaded(unittest.TestCase):
    """drivers/README.md, "A driver outside this tree", word for word"""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        prefix = self.folder / "installed"
        run("cmake", "--install", BUILD, "--prefix", prefix)
        library = next(prefix.rglob("liblf_kit.a"))
        tools = self.folder / "tools"
        tools.mkdir()
        if "__gcov_init" in run("nm", "--undefined-only", library):  # the one kind of build that a driver has to share
            (tools / "cc").write_text(f'#!/bin/sh\nexec {shutil.which("cc")} --coverage "$@"\n')
            (tools / "cc").chmod(0o755)
        pc = next(prefix.rglob("labferry-driver.pc"))
        environment = {"PKG_CONFIG_PATH": str(pc.parent), "PATH": f"{tools}:{os.environ['PATH']}",
                       "LABFERRY_DRIVER_PATH": f"/nothing/here:{self.folder}"}
        patch = mock.patch.dict(os.environ, environment)
        patch.start()
        self.addCleanup(patch.stop)

    def build(self, name="stamp", old="", new="", more=""):
        """The template as driver NAME, with a change, by the README's command. Returns the file."""
        text = (SOURCE / "drivers/template/template.c").read_text().replace("template", name)
        self.assertIn(old, text)
        (self.folder / f"{name}.c").write_text(text.replace(old, new) + more)
        readme = (SOURCE / "drivers/README.md").read_text()
        command = re.search(r"^    (cc -shared .*)$", readme, re.M)[1].replace("NAME", name)
        run("sh", "-c", command, cwd=self.folder)
        file = self.folder / f"{name}.so"
        file.chmod(0o755)
        return file

    def labferry(self, *words):
        done = subprocess.run([BUILD / "bin/labferry", *map(str, words)], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def refused(self, *parts, name="stamp"):
        code, text = self.labferry("drivers", name)
        self.assertEqual(code, 1, text)
        for part in parts:
            self.assertIn(str(part), text)
        self.assertIn("Puts worklists into a folder", self.labferry("drivers")[1], "the others are listed all the same")
        broken = [driver for driver in json.loads(self.labferry("drivers", "--json")[1]) if "error" in driver]
        if (self.folder / f"{name}.so").exists():
            self.assertEqual([driver["name"] for driver in broken], [name])

    def test_job(self):
        """the agent checks, lists and uses a driver that is not built in, and knows its procedures"""
        file = self.build()
        self.assertIn("pretend label printer", self.labferry("drivers")[1])
        self.assertIn("paper", self.labferry("drivers", "stamp")[1])
        shutil.copy(file, self.folder / "folder.so")  # what is built in stays so
        self.assertEqual([driver["name"] for driver in json.loads(self.labferry("drivers", "--json")[1])], ["folder", "line", "stamp"])
        with Lab() as lab:
            (lab.home / "paper.keys").write_text("")
            lab.start_all(config(instruments=(PRINTER,), routes=()), hamilton=None, balance=None)
            code, text = self.labferry("check", lab.home / "labferry.conf")
            self.assertEqual(code, 0, text)
            file.unlink()  # it stays loaded
            job = lab.ask("run", instrument="printer-1", procedure="print", inputs={"label": "tube 7"})["id"]
            lab.wait_state(job, "done")
            self.assertEqual((lab.home / "paper").read_text(), f"job {job}: tube 7\n")
            self.assertEqual(lab.stop("agent"), 0, lab.log("agent")[-4000:])
            code, text = self.labferry("check", lab.home / "labferry.conf")
            self.assertEqual(code, 1, text)
            self.assertRegex(text, r'labferry.conf:\d+: error: instrument "printer-1": there is no driver "stamp"')
            self.assertIn(f"Built in: folder, line; no stamp.so in /nothing/here:{self.folder}", text)

    def test_streams(self):
        """a driver outside the tree can use the byte connections"""
        self.build(more='#include "drivers/stream/stream.h"\nvoid *const stamp_uses[] = {lf_stream_open, lf_stream_read};\n')
        self.assertEqual(self.labferry("drivers", "stamp")[0], 0)

    def test_not_a_driver(self):
        """what is not a driver of that name and version is refused with what to do"""
        file = self.build(old="LF_DRIVER_ABI", new="LF_DRIVER_ABI + 7")
        self.refused(file, "was built for version 7 of the driver contract", "rebuild")
        file = self.build(old='.name = "stamp"', new='.name = "stomp"')
        self.refused(file, '"stomp"', "must be the same")
        file = self.build(more="void missing(void);\nvoid (*stamp_needs)(void) = missing;\n")
        self.refused(file, "undefined symbol: missing")
        file.write_text("no library")
        self.refused(file, "cannot load")
        file.unlink()
        self.refused("there is no driver", "folder, line", self.folder)
        self.refused("cannot be the name of a driver", name="st/amp")
        shutil.copy(self.build(), self.folder / "other.so")
        self.refused(self.folder / "other.so", 'no symbol "lf_driver_other"', name="other")

    def test_written_by_others(self):
        """a file that others could have put there is not loaded"""
        file = self.build(more='__attribute__((constructor)) static void load(void) { puts("loaded"); }\n')
        self.assertIn("loaded", self.labferry("drivers", "stamp")[1])
        for path, mode in ((file, 0o775), (file, 0o757), (self.folder, 0o770), (self.folder, 0o1777)):
            before = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode)
            self.refused(f"others may write {path}", f"chmod go-w {path}")
            self.assertNotIn("loaded\n", self.labferry("drivers", "stamp")[1])
            path.chmod(before)
        above = self.folder.parent
        before = stat.S_IMODE(above.stat().st_mode)
        above.chmod(0o777)
        self.refused(f"others may replace what is in {above}", "use another folder")
        self.assertNotIn("loaded\n", self.labferry("drivers", "stamp")[1])
        above.chmod(before)
        file.rename(self.folder / "elsewhere")
        file.symlink_to(self.folder / "elsewhere")
        self.refused(file, "not a link")
        if os.geteuid() == 0:
            file.unlink()
            (self.folder / "elsewhere").rename(file)
            os.chown(file, 12345, -1)
            self.refused("owner 12345", f"chown root {file}")


if __name__ == "__main__":
    unittest.main()
