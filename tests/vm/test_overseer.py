# SPDX-License-Identifier: MIT
"""The overseer on a stock system with real nftables and systemd: nothing passes before the machine is ready."""

import json
import re
import signal
from dataclasses import dataclass
from typing import Any

from vmlib import VM, Context, Lab, State, overseer, vmtest, wait_until

CONFIG = "/etc/sysgenid/overseer.conf"
SOCKET = "/run/sysgenid/overseer.sock"
LIMIT = 240.0
ORDINARY = 1000
# What the host reads of a port of the guest.
TOLD = ("-device", "virtio-serial-pci", "-chardev", "ringbuf,id=told,size=65536")
TOLD += ("-device", "virtserialport,chardev=told,name=ready")
PORT = "/dev/virtio-ports/ready"

# The machine's end of the wire is w0; the other end, in a namespace of its own, has no gate.
WIRE = """
set -e
ip netns add peer
ip link add w0 address 02:00:00:00:00:01 type veth peer name w1 address 02:00:00:00:00:02
ip link set w1 netns peer
ip address add 10.9.0.1/24 dev w0
ip netns exec peer ip address add 10.9.0.2/24 dev w1
ip link set w0 up
ip netns exec peer ip link set w1 up
ip neighbour replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev w0
ip netns exec peer ip neighbour replace 10.9.0.1 lladdr 02:00:00:00:00:01 dev w1
"""

# An hour of adjusting, while packets pass on the port that is open: so many that were not let through were sent.
BUSY_HOOK = """#!/bin/sh
for side in inside outside; do
	was=$(grep -c open /run/$side)
	until [ $(($(grep -c open /run/$side) - was)) -ge 100 ]; do sleep 0.05; done
done
"""

# Lasts while there is a file, fails while there is another one.
HOOK = """#!/bin/sh
echo "$SYSGENID_STATE $SYSGENID_GENERATION" >>/run/hooked
while [ -e /run/stay ]; do sleep 0.1; done
[ ! -e /run/fail ]
"""


def sh(vm: VM, script: str) -> str:
    done = vm.run("sh", "-c", script, limit=LIMIT)
    assert done.ok, (script, done)
    return done.out


def hook(vm: VM, when: str, text: str = HOOK) -> None:
    sh(vm, f"mkdir -p /etc/sysgenid/{when}.d")
    vm.write(f"/etc/sysgenid/{when}.d/50-test", text)
    sh(vm, f"chmod 755 /etc/sysgenid/{when}.d/50-test")


def hooked(vm: VM) -> str:
    """What the hook was told. Its file is there a moment before anything is in it."""
    return wait_until(lambda: vm.read("/run/hooked") if vm.exists("/run/hooked") else "", LIMIT, "the hook")


def oversee(vm: VM, *lines: str) -> None:
    """Start the overseer with this configuration."""
    sh(vm, "mkdir -p /etc/sysgenid")
    vm.write(CONFIG, "\n".join(["[overseer]", "gate = nftables", "hook-timeout = 600", *lines, ""]))
    sh(vm, "systemctl restart sysgenid-overseer")


def booted(t: Lab) -> VM:
    return t.boot_system(overseer.root(t.kernel), extra=TOLD)


def status(vm: VM) -> dict[str, Any]:
    """Nothing while it does not run."""
    done = vm.run("sysgenidctl", "status", "--json")
    found: dict[str, Any] = json.loads(done.out) if done.ok else {}
    return found


def until(vm: VM, state: str, generation: int | None = None) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        now = status(vm)
        there = now.get("state") == state and generation in (None, now["generation"])
        return now if there else None

    return wait_until(look, LIMIT, f"{vm.name} to be {state}", interval=0.2)


def is_closed(vm: VM) -> bool:
    return "policy drop" in sh(vm, "nft list ruleset")


def is_active(vm: VM, unit: str) -> bool:
    return vm.run("systemctl", "is-active", unit).ok


def journal(vm: VM) -> str:
    return sh(vm, "journalctl --sync; journalctl -o cat -u sysgenid-overseer")


def wire(vm: VM) -> None:
    """A packet each millisecond in both directions, and who sees what arrives."""
    sh(vm, WIRE)
    ends = {"inside": ("", "w0", "10.9.0.2"), "outside": ("ip netns exec peer", "w1", "10.9.0.1")}
    for side, (inside, interface, _) in ends.items():
        vm.spawn(f"watch-{side}", "sh", "-c", f"exec {inside} packets watch {interface} >/run/{side}")
        sh(vm, f"until grep -q ready /run/{side}; do sleep 0.1; done")
    for side, (inside, interface, to) in ends.items():
        vm.spawn(f"send-{side}", "sh", "-c", f"exec {inside} packets send {interface} {to}")
    flows(vm, 1)


def packets(vm: VM, side: str, since: float, before: float = 1e18) -> list[tuple[int, str]]:
    """When each one arrived, and its kind."""
    lines = sh(vm, f"awk '$1 > {since:.0f} && $1 < {before:.0f}' /run/{side}").splitlines()
    return [(int(line.split()[0]), line.split()[1]) for line in lines if re.fullmatch(r"\d+ (udp|raw|open)", line)]


def closed_kinds(vm: VM, since: float, before: float) -> list[tuple[str, int, str]]:
    """The packets of that time that are no exception."""
    found = [(side, *packet) for side in ("inside", "outside") for packet in packets(vm, side, since, before)]
    return [(side, when, kind) for side, when, kind in found if kind != "open"]


def flows(vm: VM, since: float) -> None:
    """Everything passes, from then on."""
    for side in ("inside", "outside"):
        seen = f"awk 'NF == 2 && $1 > {since:.0f} {{ print $2 }}' /run/{side} | sort -u | wc -l"
        sh(vm, f'until [ "$({seen})" = 3 ]; do sleep 0.1; done')


@dataclass
class Times:
    """Of the way to ready; CLOCK_BOOTTIME in nanoseconds."""

    published: int
    closed: float
    opened: float


def times(vm: VM) -> Times:
    """The gate began to open no earlier than that."""
    published = int(json.loads(sh(vm, "sysgenidctl get --json"))["time_ns"])
    lines = re.findall(r"([\d.]+) ms after it was published: gate ([\d.]+),", journal(vm))
    assert lines, "it is ready, and the journal does not say after how long"
    ready, closed = (float(ms) * 1e6 for ms in lines[-1])
    return Times(published, published + closed + 1e5, published + ready - 1e5)


def one_clone(t: Context, state: State, quiesced: int) -> None:
    with t.cloned(state) as clone:
        until(clone, "ready", 1)
        at = times(clone)
        flows(clone, at.opened)
        passed = closed_kinds(clone, quiesced, at.opened)
        assert not passed, f"{len(passed)} packets before it was ready: {passed[:5]}"
        for side in ("inside", "outside"):
            assert packets(clone, side, at.published, at.opened), f"{side}: the exception was closed, too"


def quiesced_clones(t: Context, pairs: int) -> None:
    vm = booted(t)
    hook(vm, "adjust", BUSY_HOOK)
    oversee(vm, "except-ports = 7000/udp 7001/udp")
    wire(vm)
    assert "quiesced" in sh(vm, "sysgenidctl quiesce")
    quiesced = vm.ping()
    state = vm.snapshot()
    vm.close()
    t.parallel([lambda: one_clone(t, state, quiesced)] * (2 * pairs))


@vmtest("bookworm-cloud", cpus=2, timeout=1800)
def nothing_passes_before_ready(t: Context) -> None:
    """Neither what IP sends nor what a packet socket does; but the port that is an exception is open all the time."""
    quiesced_clones(t, 2)


@vmtest("bookworm-cloud", cpus=2, timeout=7200, full_only=True)
def nothing_passes_in_fifty_pairs(t: Context) -> None:
    quiesced_clones(t, 50)


@vmtest("bookworm-cloud", timeout=1800)
def without_quiesce(t: Context) -> None:
    """Some pass until the gate is closed, how many is written here; then none."""
    vm = booted(t)
    hook(vm, "adjust", BUSY_HOOK)
    oversee(vm, "except-ports = 7000/udp 7001/udp")
    wire(vm)
    before = vm.ping()
    state = vm.snapshot()
    vm.close()
    for _ in range(2):
        with t.cloned(state) as clone:
            until(clone, "ready", 1)
            at = times(clone)
            flows(clone, at.opened)
            early = closed_kinds(clone, before, at.closed)
            took = (at.closed - at.published) / 1e6
            t.log(f"{len(early)} packets passed; the gate was closed {took:.1f} ms after the generation was published")
            assert not closed_kinds(clone, at.closed, at.opened)


def enter(vm: VM, state: str) -> None:
    """From ready to this state, and it stays."""
    sh(vm, "rm -f /run/stay /run/fail /run/hooked")
    if state in ("quiescing", "adjusting"):
        vm.write("/run/stay", "")
    if state == "held":
        vm.write("/run/fail", "")
    if state in ("quiescing", "quiesced"):
        vm.spawn("quiesce", "sysgenidctl", "quiesce")
    if state in ("adjusting", "held"):
        sh(vm, "sysgenidctl trigger")
    until(vm, state)
    if state in ("quiescing", "adjusting", "held"):
        hooked(vm)


def leave(vm: VM, generation: int) -> None:
    """Back to ready."""
    sh(vm, "rm -f /run/stay /run/fail")
    if status(vm).get("state") in ("held", "quiesced"):
        vm.run("sysgenidctl", "resume", limit=LIMIT)
    until(vm, "ready", generation)


def ends_ready(t: Context, state: State, name: str, generation: int) -> None:
    with t.cloned(state) as clone:
        if name == "held":
            wait_until(lambda: f"held at generation {generation}" in journal(clone), LIMIT, "the hook to fail again")
        leave(clone, generation)
        assert f"generation {generation}: adjusting" in journal(clone)


STATES = {
    # What one finds who is started after kill -9.
    "ready": "ready",
    "quiescing": "ready",
    "quiesced": "quiesced",
    "adjusting": "adjusting",
    "held": "held",
}


@vmtest("bookworm-cloud", timeout=2400)
def killed_and_cloned_in_every_state(t: Context) -> None:
    """kill -9: the gate stays closed, the next one goes on. A snapshot: both clones end ready."""
    vm = booted(t)
    for when in ("adjust", "quiesce"):
        hook(vm, when)
    oversee(vm)
    for name, then in STATES.items():
        enter(vm, name)
        generation = status(vm)["generation"]
        state = vm.snapshot()
        t.parallel([lambda: ends_ready(t, state, name, generation + 1)] * 2, workers=1)
        state.discard()
        vm.resume()
        pid = sh(vm, "systemctl show --value -p MainPID sysgenid-overseer").strip()
        sh(vm, f"kill -9 {pid}")
        if name not in ("ready", "quiescing"):
            assert is_closed(vm), name
        wait_until(lambda: sh(vm, "systemctl show --value -p MainPID sysgenid-overseer").strip() not in ("0", pid), LIMIT, "it")
        until(vm, then)
        assert is_closed(vm) == (then != "ready"), name
        assert f"found {name} at generation {generation}" in journal(vm), journal(vm)
        leave(vm, generation)


@vmtest("bookworm-cloud", timeout=1800)
@vmtest("trixie-cloud", full_only=True, timeout=1800)
def gate_fails_closed(t: Context) -> None:
    """Who flushes all rules, adds an interface or restarts the overseer does not open it; "stop" and "--force" do."""
    vm = booted(t)
    hook(vm, "adjust")
    oversee(vm)
    wait_until(lambda: is_active(vm, "sysgenid-ready.target"), LIMIT, "the target to start")
    assert not is_closed(vm)
    sh(vm, "sysgenidctl quiesce")
    assert is_closed(vm)
    wait_until(lambda: not is_active(vm, "sysgenid-ready.target"), LIMIT, "the target to stop")

    sh(vm, "nft flush ruleset")
    wait_until(lambda: is_closed(vm), LIMIT, "the gate to be back")
    sh(vm, "ip link add later type veth peer name other")
    wait_until(lambda: 'ingress device "later"' in sh(vm, "nft list ruleset"), LIMIT, "the new interface to be closed")
    sh(vm, "systemctl restart sysgenid-overseer")
    assert is_closed(vm) and status(vm)["state"] == "quiesced"

    sh(vm, "systemctl stop sysgenid-overseer")
    assert not is_closed(vm) and "stopped while quiesced: the gate is opened" in journal(vm), journal(vm)
    assert "sysgenid" not in sh(vm, "nft list ruleset")

    sh(vm, "systemctl start sysgenid-overseer")
    enter(vm, "held")
    assert is_closed(vm)
    sh(vm, "sysgenidctl resume --force")
    assert not is_closed(vm) and status(vm)["state"] == "ready" and "opened by force" in journal(vm)

    sh(vm, "mkdir -p /run/systemd/system/sysgenid-overseer.service.d")
    vm.write("/run/systemd/system/sysgenid-overseer.service.d/once.conf", "[Service]\nRestart=no\n")
    sh(vm, "systemctl daemon-reload; sysgenidctl quiesce; systemctl kill -s KILL sysgenid-overseer")
    wait_until(lambda: not is_active(vm, "sysgenid-overseer"), LIMIT, "it to be gone")
    assert is_closed(vm)
    sh(vm, "sysgenid-overseer --open")
    assert not is_closed(vm)


ASK = r"""
my $s = IO::Socket::UNIX->new("/run/sysgenid/overseer.sock") or die;
for (@ARGV) { print $s "$_\n"; print scalar <$s>; }
"""
LONG = "x" * 4000


@vmtest("bookworm-cloud", timeout=1800)
def socket(t: Context) -> None:
    """A JSON object a line, errors that can be told apart, and root's alone."""
    vm = booted(t)
    hook(vm, "quiesce")
    oversee(vm)
    mode, uid, *_ = vm.stat(SOCKET)
    assert (mode & 0o077, uid) == (0, 0)
    assert vm.run("sysgenidctl", "status", uid=ORDINARY, gid=ORDINARY).code == 4

    def ask(*requests: str) -> list[dict[str, Any]]:
        done = vm.run("perl", "-MIO::Socket::UNIX", "-e", ASK, *requests, limit=LIMIT)
        return [json.loads(line) for line in done.out.splitlines()]

    fine, *wrong = ask(
        '{"request": "status", "scope": "system"}',
        '{"request": "status"}',
        '{"request": "status", "scope": "container"}',
        '{"request": "open", "scope": "system"}',
        '{"request": "resume", "scope": "system", "force": 1}',
        "open, please",
        LONG,
    )
    assert fine == {"ok": True, "scope": "system", "state": "ready", "generation": 0, "laggards": 0}
    assert [(e["error"], e["retry"]) for e in wrong] == [
        ("bad-scope", False), ("bad-scope", False), ("bad-request", False), ("bad-request", False),
        ("bad-request", False), ("too-long", False),
    ], wrong  # fmt: skip
    enter(vm, "quiescing")
    (busy,) = ask('{"request": "quiesce", "scope": "system"}')
    assert (busy["ok"], busy["error"], busy["retry"]) == (False, "not-ready", True)
    sh(vm, "rm /run/stay")
    until(vm, "quiesced")
    assert vm.wait("quiesce").ok


def watchers(vm: VM, count: int) -> None:
    def tracked() -> bool:
        return int(json.loads(sh(vm, "sysgenidctl watchers --json"))["tracked"]) == count

    wait_until(tracked, LIMIT, f"{count} watchers")


def ten_watchers(vm: VM) -> None:
    """They take up to half a second."""
    for i in range(10):
        vm.spawn(f"w{i}", "sysgenidctl", "watch", "--exec", f"sleep {i * 0.055:.3f}; cp /proc/uptime /run/adjusted-{i}")
    watchers(vm, 10)


def after_the_slowest(vm: VM) -> float:
    """How many milliseconds after the slowest of them had adjusted it was ready; they tell in hundredths of a second."""
    last = max(float(vm.read(f"/run/adjusted-{i}").split()[0]) for i in range(10))
    return times(vm).opened / 1e6 - last * 1e3


@vmtest("bookworm-cloud", timeout=1800)
def ready_after_the_slowest(t: Context) -> None:
    vm = booted(t)
    oversee(vm)
    ten_watchers(vm)
    sh(vm, "sysgenidctl quiesce")
    state = vm.snapshot()
    vm.close()
    with t.cloned(state) as clone:
        until(clone, "ready", 1)
        later = after_the_slowest(clone)
        t.log(f"ready {later:.0f} ms after the slowest had adjusted")
        assert later >= -10, later


# Asks to be waited for, gives the descriptor to a child, and lets go of it.
HANDED_ON = r"""
open(F, "+<", "/dev/sysgenid") or die; ioctl(F, 0xE401, 1) or die;
if (!fork) { sleep 100000 } close(F); $| = 1; print "ready\n"; sleep 100000;
"""


@vmtest("bookworm-cloud", timeout=1800)
def laggards(t: Context) -> None:
    """Who does not adjust is reported, held for or killed, as configured; and nobody is killed by mistake."""
    vm = booted(t)
    members = int(sh(vm, "getent group sysgenid").split(":")[2])

    def stuck(name: str) -> int:
        ignores = 'trap "" TERM; exec sysgenidctl watch --exec "sleep 100000"'
        return vm.spawn(name, "sh", "-c", ignores, uid=ORDINARY, gid=members)

    def restored(*lines: str) -> None:
        oversee(vm, "watcher-timeout = 1", "kill-timeout = 1", *lines)
        until(vm, "ready")
        sh(vm, "sysgenidctl trigger")

    pid = stuck("one")
    watchers(vm, 1)
    restored("laggards = report")
    now = until(vm, "ready", 1)
    assert now["laggards"] == 1 and f"({pid})" in now["about"], now
    assert f"not adjusted in time: sysgenidctl ({pid})" in journal(vm)

    restored("laggards = hold")
    now = until(vm, "held", 2)
    assert is_closed(vm) and f"({pid})" in now["about"], now
    # It comes round.
    vm.kill("one", signal.SIGKILL)
    until(vm, "ready", 2)

    pid = stuck("two")
    watchers(vm, 1)
    restored("laggards = kill")
    until(vm, "ready", 3)
    killed = vm.wait("two")
    assert (killed.status, killed.code) == ("signal", signal.SIGKILL), killed
    assert f"sent signal {signal.SIGTERM:d} to sysgenidctl ({pid})" in journal(vm)

    vm.spawn("handed", "perl", "-e", HANDED_ON, uid=ORDINARY, gid=members)
    vm.wait_output("handed", "^ready$", limit=LIMIT)
    watchers(vm, 1)
    restored("laggards = kill")
    until(vm, "held", 4)
    assert vm.out("handed").status == "running"
    vm.kill("handed", signal.SIGKILL)


# New ones as long as the quota allows, whatever becomes of the old.
BOMB = r"""
while (1) {
	my $pid = fork;
	if (defined $pid && !$pid) {
		for (1..40) { open($f[$_], "+<", "/dev/sysgenid") and ioctl($f[$_], 0xE401, 1) }
		sleep 100000;
	}
	select(undef, undef, undef, 0.02);
}
"""


@vmtest("bookworm-cloud", timeout=1800)
def fork_bomb(t: Context) -> None:
    """An ordinary user's watchers, and ever new ones, hold nobody up for longer than the deadlines."""
    vm = booted(t)
    oversee(vm, "watcher-timeout = 2", "kill-timeout = 2", "laggards = kill")
    members = int(sh(vm, "getent group sysgenid").split(":")[2])
    vm.spawn("bomb", "prlimit", "--nproc=60", "perl", "-e", BOMB, uid=ORDINARY, gid=members)
    wait_until(lambda: int(vm.read("/sys/class/misc/sysgenid/watchers")) > 1000, LIMIT, "the bomb", interval=0.2)
    state = vm.snapshot()
    vm.close()
    with t.cloned(state) as clone:
        until(clone, "ready", 1)
        assert clone.read("/sys/class/misc/sysgenid/outdated") == "0"
        assert "sent signal 15 to perl" in journal(clone)
        assert clone.out("bomb").status == "running"


BEATS = "systemd-run --unit=beats sh -c 'while :; do echo >>/run/beats; sleep 0.02; done'"
LISTEN = r"""
$| = 1; my $s = IO::Socket::INET->new(LocalPort => 7070, Listen => 5) or die; print "ready\n";
while (my $c = $s->accept) { push @c, $c }
"""
CONNECT = r'$| = 1; my $s = IO::Socket::INET->new("$ARGV[0]:7070") or die; print "ready\n"; <$s>; print "ended: $!\n"'


@vmtest("bookworm-cloud", timeout=1800)
def what_a_clone_goes_through(t: Context) -> None:
    """Frozen units, connections, hooks with what they are told and their deadline, the lines for the host."""
    vm = booted(t)
    hook(vm, "adjust")
    oversee(vm, "freeze = beats.service", f"announce = {PORT}")
    sh(vm, WIRE + BEATS)
    for name, end, to in (("far", "ip netns exec peer", "10.9.0.2"), ("near", "", "127.0.0.1")):
        vm.spawn(name, "sh", "-c", f"exec {end} perl -MIO::Socket::INET -e '{LISTEN}'")
        vm.wait_output(name, "^ready$", limit=LIMIT)
        vm.spawn(f"to-{name}", "perl", "-MIO::Socket::INET", "-e", CONNECT, to)
        vm.wait_output(f"to-{name}", "^ready$", limit=LIMIT)
    sh(vm, "sysgenidctl quiesce")
    assert sh(vm, "systemctl show --value -p FreezerState beats") == "frozen\n"
    assert vm.out("to-far").status == "running"
    vm.write("/run/stay", "")
    state = vm.snapshot()
    vm.close()

    with t.cloned(state) as clone:
        until(clone, "adjusting", 1)
        assert hooked(clone) == "adjusting 1"
        # Thawed when the hooks are done.
        assert sh(clone, "systemctl show --value -p FreezerState beats") == "frozen\n"
        assert "ended: " in clone.wait("to-far").out
        sh(clone, "rm /run/stay")
        until(clone, "ready", 1)
        before = clone.stat("/run/beats")[-1]
        wait_until(lambda: clone.stat("/run/beats")[-1] > before, LIMIT, "the unit to be thawed")
        assert clone.out("to-near").status == "running"
        told: list[str] = []

        def all_told() -> bool:
            told.append(str(clone.qmp.execute("ringbuf-read", {"device": "told", "size": 65536})))
            return '"ready"' in "".join(told)

        wait_until(all_told, LIMIT, "the line that says ready")
        lines = [json.loads(line) for line in "".join(told).splitlines()]
        assert [(line["state"], line["generation"]) for line in lines] == [("adjusting", 1), ("ready", 1)], lines
        assert lines[1]["ms"] > 0 and lines[1]["laggards"] == 0

        oversee(clone, "hook-timeout = 1")
        clone.write("/run/stay", "")
        sh(clone, "sysgenidctl trigger")
        now = until(clone, "held", 2)
        assert "/etc/sysgenid/adjust.d/50-test: not done in time" in now["about"], now
        left = "systemctl list-units --plain --no-legend 'sysgenid-hook-*'"
        wait_until(lambda: not sh(clone, left), LIMIT, "the hook to be gone")
