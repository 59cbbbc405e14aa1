#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sysgenidctl simulate, as root and as nobody.

usage: simulate.py SYSGENIDCTL
"""
import os
import signal
import subprocess
import sys
import tempfile

NOBODY = 65534
# Holds the lock of the one who publishes, and lets it go.
HOLDER = """
import fcntl, subprocess, sys
with open("/run/sysgenid/simulated", "r+") as mark:
    fcntl.lockf(mark, fcntl.LOCK_EX)
    clone = subprocess.Popen([sys.argv[1], "simulate", "--clone"])
    try:
        clone.wait(0.3)
    except subprocess.TimeoutExpired:
        print("waits", flush=True)
clone.wait()
"""
failures = 0
cases = 0


def check(what, right, detail=""):
    global failures, cases
    cases += 1
    if not right:
        failures += 1
        print(f"FAIL: {what} {detail}")


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL, **more)


def everybody(tool, **who):
    """What holds for each user."""

    def inside(script, *options, more=""):
        return run(tool, "simulate", *options, "--", "sh", "-c", script, tool, more, **who)

    name = f"as {who.get('user', 'root')}:"
    before = sorted(os.listdir("/run"))
    done = inside('"$0" get --soft && "$0" simulate --clone && "$0" simulate --clone --json && "$0" get --soft')
    check(f"{name} --clone makes a generation", done.stdout == '0\n1\n{"generation": 2}\n2\n', done)
    check(f"{name} nothing is said", done.returncode == 0 and not done.stderr, done)
    done = inside('"$0" wait --soft --seen 1 --timeout 20', "--every", "0.05")
    check(f"{name} --every makes generations", done.returncode == 0 and int(done.stdout) != 1, done)
    done = inside(f"exec /usr/bin/python3 -I -c \"$1\" \"$0\"", more=HOLDER)
    check(f"{name} clones are made one at a time", done.stdout == "waits\n1\n", done)
    check(f"{name} a program without the flag has no device", inside('"$0" get').returncode == 3)
    check(f"{name} exit status", inside("exit 7").returncode == 7)
    check(f"{name} exit status after a signal", inside("kill -KILL $$").returncode == 128 + signal.SIGKILL)
    missing = run(tool, "simulate", "/nonexistent/x", **who)
    check(f"{name} no such command", missing.returncode == 127 and missing.stderr.count("\n") == 1, missing)
    listed = inside("ls -1A /run").stdout.split()
    check(f"{name} /run has what it had", sorted(listed) == sorted({*before, "sysgenid"}), listed)
    check(f"{name} /run outside is as before", sorted(os.listdir("/run")) == before)
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o777)
        inside(f"touch {work}/made")
        owner = os.stat(f"{work}/made").st_uid
        check(f"{name} files belong to the caller", owner == who.get("user", 0), owner)
    with subprocess.Popen([tool, "simulate", "sh", "-c", "trap 'exit 9' TERM; echo up; for i in 1 2 3 4 5 6 7 8 9; do sleep 1; done"],
                          stdout=subprocess.PIPE, text=True, **who) as process:
        process.stdout.readline()
        process.terminate()
        try:
            check(f"{name} SIGTERM is passed on", process.wait(5) == 9)
        except subprocess.TimeoutExpired:
            check(f"{name} SIGTERM is passed on", False)
            process.kill()
            # What is left of it has the pipe still.
            process.stdout = None
    script = 'echo up; read line; "$0" get --soft; echo $?'
    with subprocess.Popen([tool, "simulate", "sh", "-c", script, tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, **who) as process:
        process.stdout.readline()
        process.kill()
        process.wait(20)
        process.stdin.write("\n")
        process.stdin.flush()
        check(f"{name} a page that nobody keeps is none", process.stdout.readline() == "3\n")


def refusals(tool):
    done = run(tool, "simulate", "--clone")
    check("--clone outside", done.returncode == 1 and "no simulation" in done.stderr, done)
    # A user namespace within a chroot(2) is refused to everybody.
    with tempfile.TemporaryDirectory() as root:
        script = f'mount --rbind / {root} && exec chroot {root} "$0" simulate -- true'
        done = run("unshare", "--mount", "sh", "-c", script, tool)
        check("no user namespace", done.returncode == 4 and "kernel.unprivileged_userns_clone" in done.stderr, done)


def directory_is_there(tool):
    """Where a publisher of the machine has its page file."""
    script = ('mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/sysgenid && touch /run/sysgenid/theirs && '
              '"$0" simulate -- sh -c \'"$0" simulate --clone; ls -A /run/sysgenid\' "$0"; ls -A /run/sysgenid')
    done = run("unshare", "--mount", "sh", "-c", script, tool)
    check("own directory over theirs", done.stdout.split() == ["1", "lock", "page", "simulated", "theirs"], done)
    script = 'mount -t tmpfs -o mode=755 tmpfs /run && ln -s /tmp /run/sysgenid && exec "$0" simulate -- true'
    done = run("unshare", "--mount", "sh", "-c", script, tool)
    check("a link in its place", done.returncode == 1 and "Not a directory" in done.stderr, done)


def main():
    tool = os.path.abspath(sys.argv[1])
    if os.path.exists("/dev/sysgenid") or os.geteuid() != 0:
        print("takes root, and no device")
        return 77
    if run("unshare", "--user", "true").returncode:
        print("no user namespaces here")
        return 77
    everybody(tool)
    refusals(tool)
    directory_is_there(tool)
    if run(tool, "--version", user=NOBODY, group=NOBODY, extra_groups=[]).returncode == 0:
        everybody(tool, user=NOBODY, group=NOBODY, extra_groups=[])
    print(f"{cases} checks, {failures} failures")
    return failures or cases < 20


sys.exit(main())
