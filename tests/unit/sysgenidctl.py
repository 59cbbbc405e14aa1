#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sysgenidctl: what it prints, and how it ends.

usage: sysgenidctl.py SYSGENIDCTL SYSGENIDCTL_WITH_FAKE_DEVICE VERSION MAN_PAGE COMPLETION
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

REAL, FAKE, VERSION, PAGE, COMPLETION = sys.argv[1:]
failures = 0
cases = 0


def check(what, right, detail=""):
    global failures, cases
    cases += 1
    if not right:
        failures += 1
        print(f"FAIL: {what} {detail}")


def run(*args, state=None, program=FAKE, stdin=b"", **more):
    env = dict(os.environ)
    if state:
        env["FAKE"] = state
    return subprocess.run([program, *args], input=stdin, env=env, timeout=20,
                          stdout=more.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE)


def expect(args, code, out=None, err=None, **more):
    r = run(*args, **more)
    what = " ".join([*args, str(more or "")])
    check(what, r.returncode == code,
          f"ended with {r.returncode}, not {code}: {r.stderr.decode()}")
    if out is not None:
        check(what, r.stdout.decode() == out, f"printed {r.stdout.decode()!r}")
    text = r.stderr.decode()
    check(what, text.count("\n") <= 1, f"more than one line: {text!r}")
    if err is None:
        check(what, not text, f"complained: {text!r}")
    else:
        check(what, err in text, f"{err!r} is not in {text!r}")
    return r.stdout.decode()


def expect_json(args, code=0, err=None, **more):
    lines = expect([*args, "--json"], code, err=err, **more).splitlines()
    return [json.loads(line) for line in lines]


# Without a device of any kind.
expect(["--version"], 0, f"sysgenidctl {VERSION}\n", program=REAL)
text = expect(["--help"], 0, program=REAL)
check("help has every command",
      all(f"sysgenidctl {c}" in text
          for c in ("get", "watch", "wait", "trigger", "reseed", "watchers", "gate", "doctor", "publish", "openssl", "status", "metrics", "quiesce",
                    "resume", "prepare", "simulate")))
check("help goes for a command, too",
      expect(["wait", "--help"], 0, program=REAL) == text)
page = open(PAGE, encoding="utf-8").read()
for option in set(re.findall(r"--([a-z-]+)", text)):
    check("man page", f"Fl -{option}" in page or f"| -{option}" in page,
          f"does not have --{option}")
for wrong in ([], ["frobnicate"], ["get", "now"], ["get", "--frobnicate"],
              ["wait", "--seen"], ["wait", "--seen", "-1"],
              ["wait", "--seen", "4294967296"], ["wait", "--seen", "5x"],
              ["wait", "--seen", ""], ["wait", "--timeout", "soon"],
              ["wait", "--timeout", "-1"], ["wait", "--timeout", "1e99"],
              ["wait", "--timeout", "nan"], ["wait", "--timeout", "0x1p3"], ["wait", "--timeout", " 5"],
              ["wait", "--timeout", "-0"], ["wait", "--timeout", "+1"], ["wait", "--timeout", "1e-9"], ["wait", "--timeout", "."],
              ["wait", "--timeout", "1.2.3"], ["wait", "--timeout", ""], ["wait", "--seen", " 5"], ["wait", "--seen", "0x"],
              ["wait", "--seen", "0x-1"], ["wait", "--seen", "+5"], ["wait", "--seen", "0b1"],
              ["watch", "--count", "x"],
              ["trigger", "--expected", "x"], ["trigger", "--least", "x"], ["watchers", "x"],
              ["watch", "--exec"], ["reseed"], ["reseed", "x"], ["publish", "x"], ["doctor", "--x"],
              ["gate"], ["gate", "close"], ["gate", "get", "x"], ["gate", "open", "--open"], ["gate", "get", "--generation", "1"],
              ["gate", "shut", "--exceptions", "x"], ["gate", "arm", "--generation", "1"], ["gate", "open", "--generation", "x"],
              ["prepare"], ["prepare", "--json"], ["prepare", "--check", "x"], ["prepare", "--x"],
              ["simulate"], ["simulate", "--json", "--", "true"], ["simulate", "--every", "0", "--", "true"],
              ["simulate", "--every", "x", "--", "true"], ["simulate", "--clone", "--", "x"], ["simulate", "--clone", "--every", "1"]):
    expect(wrong, 2, "", "sysgenidctl: ", program=REAL)
for command, package in (("openssl", "sysgenid-openssl-provider"), ("status", "sysgenid-overseer"), ("metrics", "sysgenid-overseer"),
                         ("quiesce", "sysgenid-overseer"), ("resume", "sysgenid-overseer")):
    if not glob.glob("/usr/lib/*/sysgenid/*"):
        expect([command], 1, "", f"is not there; install the package {package}", program=REAL)
if not os.path.exists("/dev/sysgenid"):
    expect(["get"], 3, "", "modprobe sysgenid", program=REAL)

def completed(*words):
    """What bash offers for the last word."""
    script = ('source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
              '_sysgenidctl; printf "%s\n" "${COMPREPLY[@]}"')
    out = subprocess.run(["bash", "-c", script, COMPLETION, "sysgenidctl", *words],
                         check=True, capture_output=True, text=True).stdout
    return set(out.split())


if shutil.which("bash"):
    usage = {}
    for line in text.splitlines():
        found = re.match(r"  sysgenidctl ([a-z]+)", line)
        if found:
            usage[found[1]] = {f"--{o}" for o in re.findall(r"--([a-z-]+)", line)}
    check("completion", completed("") == set(usage) | {"--help", "--version"})
    for command, options in usage.items():
        check("completion", completed(command, "--") == options | {"--json"}, command)
    check("completion", "/etc" in completed("trigger", "--entropy", "/et"))

# No luck with the device.
expect(["get"], 3, "", "modprobe sysgenid", state="none")
expect(["get"], 3, "", "not a sysgenid device", state="stranger")
expect(["get"], 4, "", "readable", state="unreadable")
expect(["get"], 4, "", "DeviceAllow=", state="sandbox")

# get
expect(["get"], 0, "5\n")
text = expect(["get", "--verbose"], 0)
for line in ("generation  5", "source      vmgenid", "time        12.345 s after boot",
             "sources     vmgenid software", "features    calls truthful exact",
             "check       exact", "instance    010203ff000000000000000000000000", "watchers    300, of them outdated 2"):
    check("get --verbose", line in text.splitlines(), f"lacks {line!r}")
check("get", "check       counter" in expect(["get", "--verbose"], 0, state="user"))
check("get", "FAILED" in expect(["get", "--verbose"], 0, state="unseeded"))
check("get", "instance    none" in expect(["get", "--verbose"], 0, state="unseeded"))
check("get --json", expect_json(["get"], state="unseeded")[0]["instance_id"] is None)
check("get", "pending" in expect(["get", "--verbose"], 0, state="pending"))
check("get --json", expect_json(["get"], state="pending")[0]["reseed_pending"])
expect(["get"], 0, "5\n", state="old")
check("get", "older" in expect(["get", "--verbose"], 0, state="old"))
(got,) = expect_json(["get"])
check("get --json", got == {
    "generation": 5, "source": "vmgenid", "time_ns": 12345678901,
    "sources": ["vmgenid", "software"],
    "features": ["calls", "truthful", "exact"], "exact": True,
    "writable": True, "old_driver": False, "exact_by_vmclock": False, "soft": False, "reseed_failed": False, "reseed_pending": False,
    "instance_id": "010203ff000000000000000000000000", "watchers": 300, "outdated": 2}, got)
(got,) = expect_json(["get"], state="user")
check("get --json", not got["exact"] and not got["writable"])
with open("/dev/full", "w", encoding="ascii") as full:
    check("a full disk", run("get", stdout=full).returncode == 1)

# gate
expect(["gate", "get"], 0, "disarmed\n")
check("gate get --verbose", "gate        disarmed" in expect(["gate", "get", "--verbose"], 0))
expect(["gate", "open"], 1, "", "not armed")
expect(["gate", "arm"], 4, "", "CAP_NET_ADMIN", state="user")
expect(["gate", "get"], 1, "", "older", state="old")
(got,) = expect_json(["gate", "arm"])
check("gate arm --json", got == {
    "state": "shut", "reason": "not opened since it was armed", "generation": 5, "opened": 0, "devices": 0, "dropped_in": 0, "dropped_out": 0,
    "excepted_devices": 0, "excepted_marks": 0, "filter_instructions": 0, "without_id": False, "triggers_pass": False,
    "ip_only": False, "off": False}, got)
has_pcap = "libpcap" not in run("gate", "arm", "--exceptions", "/dev/stdin", stdin=b"filter ip\n").stderr.decode()
print("filters of pcap-filter(7):", "yes" if has_pcap else "no libpcap, not tested")
bytecode = b"bytecode 2,40 0 0 0,6 0 0 1"
for lines, devices, marks, instructions in (
        (b"# none\n\n", 0, 0, 0), (b"device eth0\n  device ens3  \nmark 7\nmark 0x10\nmark 0010", 2, 3, 0), (bytecode, 0, 0, 2),
        (bytecode + b",\nmark 1\n", 0, 1, 2), (b"device d\n" * 32, 32, 0, 0)):
    (got,) = expect_json(["gate", "arm", "--exceptions", "/dev/stdin"], stdin=lines)
    check(f"exceptions {lines[:40]!r}", (got["excepted_devices"], got["excepted_marks"], got["filter_instructions"])
          == (devices, marks, instructions), got)
refused = [(b"device", "nothing follows"), (b"device a/b", "no name of a device"), (b"device sixteen-letters-", "no name"),
           (b"device ..", "no name"), (b"mark -1", "not a number"), (b"mark 0", "not a number"), (b"mark 4294967296", "not a number"),
           (b"mark 1x", "not a number"), (b"port 5", '"port" is neither'), (b"bytecode x", "does not begin"),
           (b"bytecode 0", "does not begin"), (b"bytecode 4097,6 0 0 1", "does not begin"), (b"bytecode 2,6 0 0 1", "instruction 2"),
           (b"bytecode 1,65536 0 0 1", "instruction 1"), (b"bytecode 1,6 0 0 1,6 0 0 1", "more than 1"), (b"mark\0 1", "0 byte"),
           (bytecode + b"\n" + bytecode, "there is a filter"), (b"device d\n" * 33, "more than 32"), (b"mark 1\n" * 33, "more than 32")]
if has_pcap:
    refused += [(b"filter udp prot 5", "filter: "), (b"filter ip) or (ip", "filter: "), (b"filter ip\n" + bytecode, "there is a filter"),
                (bytecode + b"\nfilter ip", "there is a bytecode"), (b"filter ether host 1:2:3:4:5:6", "filter: ")]
    filters = []
    for lines in (b"filter udp port 7000", b"filter udp port 7000\nfilter icmp", b"filter tcp or udp\nfilter not host 10.0.0.1"):
        (got,) = expect_json(["gate", "arm", "--exceptions", "/dev/stdin"], stdin=lines)
        filters.append(got["filter_instructions"])
    check("filters", filters[0] > 5 and filters[1] > filters[0] and filters[2] > 5, filters)
for lines, why in refused:
    last = lines.count(b"\n") + (not lines.endswith(b"\n"))
    text = run("gate", "arm", "--exceptions", "/dev/stdin", stdin=b"# a comment\n" + lines)
    check(f"exceptions {lines[:40]!r}", text.returncode == 1 and not text.stdout and why in text.stderr.decode()
          and f"/dev/stdin:{last + 1}: " in text.stderr.decode(), text)
expect(["gate", "arm", "--exceptions", "/nonexistent"], 1, "", "/nonexistent: No such file")

# watch, wait
expect(["watch", "--count", "3"], 0, "6\n7\n8\n")
expect(["watch", "--count", "2", "--seen", "4"], 0, "5\n6\n")
expect(["watch", "--count", "1"], 0, "6\n", state="old")
got = expect_json(["watch", "--count", "2"])
check("watch --json", [g["generation"] for g in got] == [6, 7] and
      got[0]["source"] == "vmgenid" and got[0]["time_ns"] == 12345678901, got)
expect(["wait"], 0, "6\n")
expect(["wait", "--seen", "5"], 0, "6\n")
expect(["wait", "--seen", "0x4"], 0, "5\n")
expect(["wait", "--timeout", "0"], 5, "", "no new generation")
expect(["wait", "--timeout", "2.5"], 5, "", "no new generation")
expect(["wait", "--seen", "08", "--timeout", "0"], 0, "5\n")
expect(["wait", "--seen", "005", "--timeout", "0"], 5, "", "no new generation")
expect(["wait", "--timeout", ".5"], 5, "", "no new generation")
expect(["wait", "--timeout", "0.000000001"], 5, "", "no new generation")
expect(["wait", "--timeout", "0", "--seen", "4"], 0, "5\n")
check("wait --json", expect_json(["wait"]) == [{"generation": 6, "timed_out": False}])
check("wait --json", expect_json(["wait", "--timeout", "1"], 5, "no new") ==
      [{"generation": 5, "timed_out": True}])

# --soft
for command in ("get", "watch", "wait"):
    expect([command], 3, "", "modprobe sysgenid", state="soft")
    expect([command, "--soft"], 3, "", "sysgenidctl publish", state="none")
    expect([command, "--soft"], 3, "", "living publisher", state="stale")
expect(["get", "--soft"], 0, "5\n")
expect(["get", "--soft"], 0, "5\n", state="soft")
check("get --soft", "publisher " in expect(["get", "--soft", "--verbose"], 0, state="soft"))
(got,) = expect_json(["get", "--soft"], state="soft")
check("get --soft --json", got["soft"] and got["sources"] == ["software"] and not got["exact"], got)
expect(["wait", "--soft"], 0, "6\n", state="soft")
expect(["wait", "--soft", "--timeout", "0.02"], 5, "", "no new", state="soft")
expect(["watch", "--soft", "--count", "2"], 0, "6\n7\n", state="soft")
expect(["watch", "--soft", "--count", "1", "--exec", "true"], 0, "6\n", state="soft")

# A publisher that runs alone is told by its standard input.
expect(["trigger"], 3, "", "standard input", state="soft")
expect(["trigger"], 3, "", "modprobe sysgenid", state="none")
expect(["trigger"], 3, "", "modprobe sysgenid", state="stale")

# watch --exec
expect(["watch", "--count", "2", "--exec", "echo +$SYSGENID_GENERATION"], 0, "+6\n6\n+7\n7\n")
check("watch --exec --json", [(g["generation"], g["exit_status"], g["confirmed"])
      for g in expect_json(["watch", "--count", "2", "--exec", "true"])] == [(6, 0, True), (7, 0, True)])
expect(["watch", "--count", "1", "--exec", "exit 3"], 1, "6\n", "ended with 3; generation 6 is not confirmed")
(got,) = expect_json(["watch", "--count", "1", "--exec", "kill -9 $$"], 1, "ended with 137")
check("watch --exec --json", got["exit_status"] == 137 and not got["confirmed"], got)
# The tool goes on, and what counts is the last.
r = run("watch", "--count", "3", "--exec", "test $SYSGENID_GENERATION != 7")
check("watch --exec", r.returncode == 0 and r.stdout == b"6\n7\n8\n" and
      r.stderr.count(b"generation 7 is not confirmed") == 1, r)
expect(["watch", "--count", "1", "--exec", "true"], 0, "6\n", "not writable", state="user")
expect(["watch", "--count", "1", "--exec", "true"], 0, "6\n", state="old")
expect(["watch", "--count", "1", "--seen", "4", "--exec", "echo +$SYSGENID_GENERATION"], 0, "+5\n5\n")

# doctor: of the machine that this runs on only that it gets to the end
OF_PROCESSES = "programs", "generators", "containers"
for state, about, level, text in (
        (None, "sources", "ok", "generation 5; the VM generation id is compared"),
        (None, "check", "ok", "exact"),
        (None, "watchers", "note", "2 of 300 have not confirmed generation 5"),
        (None, "guard, interrupts", "note", "does not tell whether it is on: it cannot be read"),
        ("user", "check", "note", "late by some milliseconds"),
        ("unseeded", "reseed", "problem", "could not be reseeded"),
        ("old", "device", "note", "an older driver"),
        ("stranger", "device", "problem", "not a sysgenid device"),
        ("sandbox", "device", "problem", "a sandbox or container"),
        ("unreadable", "device", "problem", "Permission denied"),
        ("soft", "page file", "note", "a publisher keeps")):
    r = run("doctor", "--json", state=state)
    got = json.loads(r.stdout)
    problems = [f for f in got["findings"] if f["level"] == "problem"]
    check("doctor", got["problems"] == len(problems) and r.returncode == bool(problems) and not r.stderr, r)
    check("doctor", all(f["fix"] for f in problems), problems)
    check("doctor", any(f["about"] == about and f["level"] == level and text in f["text"]
                        for f in got["findings"]), (state, about, got))
    # Which processes there are changes while other tests run.
    plain = [line for line in run("doctor", state=state).stdout.decode().splitlines()
             if not any(f" {about}: " in line for about in OF_PROCESSES)]
    levels = [f["level"] for f in got["findings"] if f["about"] not in OF_PROCESSES]
    check("doctor", [line.split()[0] for line in plain] == levels, plain)

# trigger
expect(["trigger"], 0, "6\n", "equal random bytes")
expect(["trigger", "--entropy", "-"], 0, "6\n", stdin=b"x" * 512)
expect(["trigger", "--entropy", "/dev/urandom"], 0, "6\n")
expect(["trigger", "--entropy", "-"], 1, "", "longer than 512", stdin=b"x" * 513)
expect(["trigger", "--entropy", "-"], 1, "", "empty")
expect(["trigger", "--entropy", "/"], 1, "", "read")
expect(["trigger", "--entropy", "/nonexistent"], 1, "", "No such file")
with tempfile.NamedTemporaryFile() as f:
    f.write(b"x" * 512)
    f.flush()
    expect(["trigger", "--entropy", f.name, "--expected", "5"], 0, "6\n")
    f.write(b"x")
    f.flush()
    expect(["trigger", "--entropy", f.name], 1, "", "longer than 512")
expect(["trigger", "--expected", "4", "--entropy", "-"], 0, "5\n", stdin=b"x")
check("trigger --json", expect_json(["trigger", "--expected", "4"]) ==
      [{"generation": 5, "published": False}])
check("trigger --json", expect_json(["trigger", "--entropy", "-"], stdin=b"x") ==
      [{"generation": 6, "published": True}])
expect(["trigger", "--entropy", "-"], 0, "7\n", state="busy", stdin=b"x")
expect(["trigger", "--entropy", "-", "--expected", "5"], 0, "6\n", stdin=b"x")
expect(["trigger", "--least", "9", "--entropy", "-"], 0, "9\n", stdin=b"x")
expect(["trigger", "--least", "3", "--entropy", "-"], 0, "6\n", stdin=b"x")
expect(["trigger", "--least", "4294967295", "--entropy", "-"], 1, "", "--least 4294967295 is 4294967295, or 2147483648", stdin=b"x")
expect(["trigger", "--least", "9", "--entropy", "-"], 1, "", "does not have --least", state="earlier", stdin=b"x")
expect(["trigger"], 4, "", "CAP_SYS_ADMIN", state="user")
expect(["trigger"], 1, "", "older", state="old")

# watchers
text = expect(["watchers"], 0).splitlines()
check("watchers", len(text) == 301 and text[0].split() ==
      ["PID", "CONFIRMED", "STATE", "NAME"], text[:2])
check("watchers", text[1].split() == ["1000", "4", "outdated", 'na"m?'], text[1])
check("watchers", text[3].split() == ["1002", "5", "current", 'na"m?'], text[3])
text = expect(["watchers", "--outdated"], 0).splitlines()
check("watchers --outdated", len(text) == 3)
(got,) = expect_json(["watchers"])
check("watchers --json", got["generation"] == 5 and got["tracked"] == 300 and
      got["outdated"] == 2 and len(got["watchers"]) == 300)
check("watchers --json", got["watchers"][0] == {
    "pid": 1000, "comm": 'na"m\x1b', "state": "outdated", "confirmed": 4,
    "start_time_ns": 0, "cgroup_id": 0}, got["watchers"][0])
check("watchers are all there", [w["pid"] for w in got["watchers"]] ==
      list(range(1000, 1300)))
(got,) = expect_json(["watchers", "--outdated"])
check("watchers --outdated --json", len(got["watchers"]) == 2)
expect(["watchers"], 1, "", "older", state="old")

print(f"{cases} checks, {failures} failures")
sys.exit(bool(failures) or cases < 100)
