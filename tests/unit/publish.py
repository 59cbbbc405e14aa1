#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sysgenidctl publish, and programs that read its page file: on a real tmpfs, with the real kernel RNG.

Runs in a mount namespace of its own, where /run is empty; this takes root.

usage: publish.py SYSGENIDCTL
"""
import errno
import fcntl
import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import time

TOOL = sys.argv[1]
FOLDER = "/run/sysgenid"
PAGE = f"{FOLDER}/page"
failures = 0
cases = 0


def check(what, right, detail=""):
    global failures, cases
    cases += 1
    if not right:
        failures += 1
        print(f"FAIL: {what} {detail}")


def run(*args, **more):
    return subprocess.run([TOOL, *args], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, **more)


class Publisher:
    """One that has said that its page is there."""

    def __init__(self, *args, first=0, umask=0o22):
        self.process = subprocess.Popen([TOOL, "publish", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, umask=umask)
        self.first = self.line()
        if not args:
            check("first generation", self.first == f"{first}\n", self.first)

    def line(self):
        return self.process.stdout.readline()

    def tell(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(10)
        return code, self.process.stderr.read()


def generation():
    r = run("get", "--soft")
    return r.stdout.strip() or r.returncode


def mapped():
    """As a program that only looks at its mapping."""
    with open(PAGE, "rb") as f:
        return mmap.mmap(f.fileno(), 4096, mmap.MAP_SHARED, mmap.PROT_READ)


def word(page, at=0):
    return struct.unpack_from("=I", page, at)[0]


def refused(what, code, text, **more):
    r = run("publish", **more)
    check(what, r.returncode == code and text in r.stderr and r.stderr.count("\n") == 1, r)


def life():
    p = Publisher(umask=0o77)
    page, folder = os.stat(PAGE), os.stat(FOLDER)
    check("mode of the page", page.st_mode & 0o7777 == 0o644 and page.st_size == 4096, oct(page.st_mode))
    check("mode of the directory", folder.st_mode & 0o7777 == 0o755, oct(folder.st_mode))
    m = mapped()
    magic, size, seq = struct.unpack_from("=4sII", m, 4)
    check("layout", magic == b"SGID" and size == 80 and seq == 0)
    check("get", generation() == "0")
    check("only with --soft", os.path.exists("/dev/sysgenid") or run("get").returncode == 3)
    check("for everybody", run("get", "--soft", user=65534, group=65534, extra_groups=[]).stdout == "0\n")
    refused("one at a time", 1, "EBUSY")

    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    p.tell("bytes of this clone\n")
    check("a line", p.line() == "1\n" and word(m) == 1 and generation() == "1")
    (got,) = [json.loads(line) for line in run("get", "--soft", "--json").stdout.splitlines()]
    check("get --json", got["soft"] and not got["exact"] and not got["writable"] and got["source"] == "software"
          and got["sources"] == ["software"] and got["features"] == [], got)
    check("time", before <= got["time_ns"] <= time.clock_gettime_ns(time.CLOCK_BOOTTIME), got)
    check("seq is even", word(m, 12) == 2)
    p.tell("first half,")
    time.sleep(0.1)
    check("half a line is none", word(m) == 1)
    p.tell(" second half\na\nb\n")
    check("lines", [p.line() for _ in range(3)] == ["2\n", "3\n", "4\n"])
    p.tell("x" * 100000 + "\n")
    check("a long line", p.line() == "5\n")
    p.tell("\n")
    check("an empty line", p.line() == "6\n")
    # Long enough for the second reseed.
    time.sleep(1.2)

    waiting = subprocess.Popen([TOOL, "wait", "--soft", "--seen", "6"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    watching = subprocess.Popen([TOOL, "watch", "--soft", "--seen", "6", "--count", "1", "--exec",
                                 "echo for $SYSGENID_GENERATION"], stdout=subprocess.PIPE, text=True)
    p.tell("c\n")
    check("wait", waiting.communicate(timeout=10)[0] == "7\n")
    check("watch --exec", watching.communicate(timeout=10)[0] == "for 7\n7\n" and watching.returncode == 0)

    waiting = subprocess.Popen([TOOL, "wait", "--soft", "--seen", "7"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    time.sleep(0.1)
    code, said = p.end()
    check("SIGTERM", code == 0 and said.count("\n") == 1 and "no bytes" in said, said)
    check("the page is gone", not os.path.exists(PAGE) and generation() == 3)
    check("who still has it mapped sees a change", word(m) == 8)
    waiting.communicate(timeout=10)
    check("who waits is told", waiting.returncode == 3)


def succession():
    p = Publisher()
    m = mapped()
    p.tell("a\n")
    p.line()
    code, _ = p.end(signal.SIGKILL)
    check("killed", code == -signal.SIGKILL and os.path.exists(PAGE))
    check("a page without a publisher is none", generation() == 3)
    doctor = run("doctor")
    check("doctor sees it", doctor.returncode == 1 and "has no living publisher" in doctor.stdout, doctor)
    # The numbers go on, and those who still have the page from before find out.
    p = Publisher(first=2)
    check("the page from before", word(m) == 2)
    check("the new page", generation() == "2")
    os.rename(f"{FOLDER}/lock", f"{FOLDER}/elsewhere")
    refused("the page is kept, whatever became of the lock", 1, "EBUSY")
    p.process.stdin.close()
    check("standard input ends", p.process.wait(10) == 0 and not os.path.exists(PAGE))
    check("and it says so", "standard input has ended" in p.process.stderr.read())
    p = Publisher("--json")
    check("publish --json", json.loads(p.first) == {"generation": 0, "reseed_failed": False}, p.first)
    p.process.stdout.close()
    for n in range(5):
        p.tell("nobody reads what it says\n")
    deadline = time.monotonic() + 10
    while generation() != "5" and time.monotonic() < deadline:
        time.sleep(0.01)
    check("output is for people", generation() == "5")
    check("SIGINT", p.end(signal.SIGINT)[0] == 0)


def refusals():
    refused("not root", 4, "try it as root", user=65534, group=65534, extra_groups=[])
    os.chmod(FOLDER, 0o775)
    refused("a directory that others write to", 1, "chmod 0755")
    os.chmod(FOLDER, 0o755)
    os.chown(FOLDER, 65534, 0)
    refused("a directory of somebody else", 1, "chown root")
    os.chown(FOLDER, 0, 0)
    os.rename(FOLDER, "/run/real")
    os.symlink("/run/real", FOLDER)
    refused("a symbolic link", 1, "Not a directory")
    os.unlink(FOLDER)
    os.rename("/run/real", FOLDER)
    # One that is about to begin.
    with open(f"{FOLDER}/lock", "r+", encoding="ascii") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        refused("two at the same time", 1, "EBUSY")
    # Leftovers of anybody.
    os.mkdir(f"{FOLDER}/page.new")
    refused("a directory in its way", 1, "Is a directory")
    os.rmdir(f"{FOLDER}/page.new")
    os.symlink("/etc/passwd", f"{FOLDER}/page.new")
    os.symlink("/etc/passwd", PAGE)
    refused("a link instead of the page", 1, "ymbolic link")  # the word of glibc, or of musl
    os.unlink(PAGE)
    with open(PAGE, "wb") as f:
        f.write(b"short")
    Publisher().end()
    check("leftovers", sorted(os.listdir(FOLDER)) == ["elsewhere", "lock"], os.listdir(FOLDER))
    subprocess.run(["mount", "-t", "ramfs", "-o", "mode=755", "ramfs", FOLDER], check=True)
    refused("not on a tmpfs", 1, "not on a tmpfs")
    subprocess.run(["umount", FOLDER], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=755", "tmpfs", FOLDER], check=True)
    with open(f"{FOLDER}/fill", "wb") as f:
        f.write(b"x" * 4096)
    refused("no memory", 1, "No space left")
    subprocess.run(["umount", FOLDER], check=True)


def external_generator():
    """FIPS mode: RNDRESEEDCRNG works, and reaches nothing."""
    fips, symbols = "/proc/sys/crypto/fips_enabled", "/run/kallsyms"
    entropy = ["reseed", "--entropy", "/run/bytes"]
    with open("/run/bytes", "w", encoding="ascii") as f:
        f.write("bytes of the host")
    is_told = "generator that cannot be reseeded (FIPS mode)"
    check("reseed", run(*entropy).returncode == 0)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/proc/sys"], check=True)
    r = run(*entropy)
    check("reseed where /proc hides the mode", r.returncode == 1 and is_told in r.stderr, r)
    os.mkdir("/proc/sys/crypto")
    for mode, names, external in (
        ("0", "0 T random_register_extrng", False),
        ("1", "0 T random_register_extrng", True),
        ("1", "0 T random_ready", False),
        ("1", "", True),
        ("", "0 T random_register_extrng", True),
    ):
        for path, text in ((fips, mode), (symbols, names)):
            with open(path, "w", encoding="ascii") as f:
                f.write(f"{text}\n" if text else "")
        subprocess.run(["mount", "--bind", symbols, "/proc/kallsyms"], check=True)
        r = run(*entropy)
        check(f"reseed with {mode!r} and {names!r}",
              r.returncode == external and (is_told in r.stderr) == external, r)
        p = Publisher("--json")
        p.tell("bytes of this clone\n")
        said = [json.loads(p.first), json.loads(p.line())]
        check(f"publish with {mode!r} and {names!r}", [s["reseed_failed"] for s in said] == [external] * 2, said)
        check("publish says why", (is_told in p.end()[1]) == external)
        subprocess.run(["umount", "/proc/kallsyms"], check=True)
    # The last of these modes could not be read. What the module says comes first.
    subprocess.run(["mount", "--bind", symbols, "/proc/kallsyms"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/sys/class"], check=True)
    os.makedirs("/sys/class/misc/sysgenid")
    for error, code in ((0, 0), (errno.EOPNOTSUPP, 1), (errno.ENOENT, 1)):
        with open("/sys/class/misc/sysgenid/reseed_error", "w", encoding="ascii") as f:
            f.write(f"{error}\n")
        r = run(*entropy)
        check(f"reseed where the module says {error}", r.returncode == code and (is_told in r.stderr) == bool(code), r)
    with open(fips, "w", encoding="ascii") as f:
        f.write("0\n")
    check("reseed in no FIPS mode, where the module failed otherwise", run(*entropy).returncode == 0)
    subprocess.run(["umount", "/proc/kallsyms"], check=True)
    subprocess.run(["umount", "/sys/class"], check=True)
    subprocess.run(["umount", "/proc/sys"], check=True)


def storm():
    """Readers ask without pause while generations come: each sees them all in order."""
    p = Publisher()
    m = mapped()
    readers = [subprocess.Popen([TOOL, "watch", "--soft", "--seen", "0", "--json"], stdout=subprocess.PIPE, text=True)
               for _ in range(3)]
    p.tell("".join(f"{n}\n" for n in range(2000)))
    for n in range(2000):
        if p.line() != f"{n + 1}\n":
            check("order", False, n)
    for r in readers:
        last = 0
        while last != 2000:
            got = json.loads(r.stdout.readline())
            if got["generation"] <= last or got["source"] not in ("software", "none"):
                check("grows", False, got)
            last = got["generation"]
        r.kill()
        r.wait()
    check("seq", word(m, 12) == 4000)
    p.end()


if os.environ.get("SYSGENID_OWN_RUN") is None:
    if os.geteuid() != 0:
        print("takes root")
        sys.exit(77)
    script = 'mount -t tmpfs -o mode=755 tmpfs /run && exec "$0" "$@"'
    env = {**os.environ, "SYSGENID_OWN_RUN": "yes"}
    os.execvpe("unshare", ["unshare", "--mount", "sh", "-c", script, sys.executable, *sys.argv], env)

if os.path.exists("/dev/sysgenid"):
    refused("there is a device", 1, "promises more")
    sys.exit(77)
life()
succession()
refusals()
external_generator()
storm()
print(f"{cases} checks, {failures} failures")
sys.exit(bool(failures) or cases < 60)
