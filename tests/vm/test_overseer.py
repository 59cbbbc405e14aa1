# SPDX-License-Identifier: MIT
"""The overseer in small guests, with real nftables and no systemd: nothing passes before the machine is ready."""

import json
import re
import signal
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from test_gate import ENOUGH, FILTERED, arrived, dropped, old_ids, state_of, up, wait_for_both_ways
from vmlib import VM, Context, Lab, State, overseer, vmtest, wait_until
from vmlib.extras import with_files
from vmlib.wire import Wire, options

CONFIG = "/etc/sysgenid/overseer.conf"
SOCKET = "/run/sysgenid/overseer.sock"
LIMIT = 240.0
ORDINARY = 1000
# The number of read(2) on x86_64.
READ = "0"
# Modules for sessions of the kernel; a stock system loads them for who uses them.
KEEPERS = ("wireguard", "macsec", "tls", "esp4", "xfrm_user")
# What the host reads of a port of the guest.
TOLD = ("-device", "virtio-serial-pci", "-chardev", "ringbuf,id=told,size=65536")
TOLD += ("-device", "virtserialport,chardev=told,name=ready")
PORT = "/dev/virtio-ports/ready"

PREPARE = """
for module in /modules/*; do insmod $module || exit; done
mkdir -p /run/sysgenid /var /dev/virtio-ports /sys/fs/cgroup/overseer
ln -s /run /var/run
for port in /sys/class/virtio-ports/*; do ln -s /dev/${port##*/} /dev/virtio-ports/$(cat $port/name); done
ip link set lo up
[ ! -e /dev/sysgenid ] || chmod 666 /dev/sysgenid
"""
# Starts it again until there is /run/stopped. /run/with is what it runs with.
SUPERVISE = """
echo 0 >/sys/fs/cgroup/overseer/cgroup.procs
cd /run
while [ ! -e stopped ]; do
	$(cat with 2>/dev/null) sysgenid-overseer 2>>log &
	echo $! >pid
	wait $!
	sleep 0.1
done
rm pid
"""
LOG = "/run/log"

# The agent of an image without an init: it finds all mounts but /tmp.
AGENT = "export PATH=/bin; mkdir -p /tmp; mount -t tmpfs tmp /tmp; exec /init"
FIRST = f'rdinit=/bin/sysgenid-overseer -- --init /bin/sh -c "{AGENT}"'

# By its path: busybox has an ip of its own. The machine's end of the wire is w0; the other end, in a namespace of its own, has no gate.
WIRE = """
set -e
/bin/ip netns add peer
/bin/ip link add w0 address 02:00:00:00:00:01 type veth peer name w1 address 02:00:00:00:00:02
/bin/ip link set w1 netns peer
/bin/ip address add 10.9.0.1/24 dev w0
/bin/ip netns exec peer ip address add 10.9.0.2/24 dev w1
/bin/ip link set w0 up
/bin/ip netns exec peer ip link set w1 up
/bin/ip neighbour replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev w0
/bin/ip netns exec peer ip neighbour replace 10.9.0.1 lladdr 02:00:00:00:00:01 dev w1
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


def configure(vm: VM, *lines: str) -> None:
    given = {line.split()[0] for line in lines}
    usual = [line for line in ("gate = nftables", "hook-timeout = 600", "quiesce-limit = none") if line.split()[0] not in given]
    vm.write(CONFIG, "\n".join(["[overseer]", *usual, *lines, ""]))


def oversee(vm: VM, *lines: str) -> None:
    """Start the overseer with this configuration."""
    sh(vm, "mkdir -p /etc/sysgenid")
    configure(vm, *lines)
    if main_pid(vm):
        restart(vm)
    else:
        start(vm)


def booted(t: Lab, *more: str, insmod: str | None = "") -> VM:
    """With insmod=None without the module."""
    vm = t.boot(insmod=insmod, extra=[*TOLD, *more, *with_files(t.initrd(), overseer.files(t.kernel))])
    sh(vm, PREPARE)
    return vm


def main_pid(vm: VM) -> str:
    """Nothing while none is to run."""
    return vm.read("/run/pid").strip() if vm.exists("/run/pid") else ""


def start(vm: VM) -> None:
    sh(vm, "rm -f /run/stopped")
    vm.spawn("supervisor", "sh", "-c", SUPERVISE)
    wait_until(lambda: main_pid(vm) and status(vm), LIMIT, "the overseer to run")


def restarted(vm: VM, pid: str) -> str:
    """The next overseer."""
    wait_until(lambda: main_pid(vm) not in ("", pid) and status(vm), LIMIT, f"an overseer after {pid}")
    return main_pid(vm)


def restart(vm: VM, signal_name: str = "USR2") -> str:
    pid = main_pid(vm)
    sh(vm, f"kill -{signal_name} {pid}")
    return restarted(vm, pid)


def end(vm: VM, signal_name: str) -> None:
    """There is no other one after it."""
    sh(vm, f"touch /run/stopped; kill -{signal_name} {main_pid(vm)}")
    assert vm.wait("supervisor", limit=LIMIT).ok


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
    return rules_close(sh(vm, "nft list ruleset")) or state_of(vm).startswith("shut;")


def rules_close(rules: str) -> bool:
    """The rules stay; one in each table opens them. An overseer of an older version takes them away."""
    opened = re.search(r"chain opening \{\s*accept", rules) and "sysgenid-on-top" not in rules
    return "policy drop" in rules and not opened


def journal(vm: VM) -> str:
    return vm.read(LOG) if vm.exists(LOG) else ""


def wire(vm: VM) -> None:
    """A packet each millisecond in both directions, and who sees what arrives."""
    sh(vm, WIRE)
    ends = {"inside": ("", "w0", "10.9.0.2"), "outside": ("/bin/ip netns exec peer", "w1", "10.9.0.1")}
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
    ready: float


def times(vm: VM) -> Times:
    """The gate began to open no earlier than that."""
    published = int(json.loads(sh(vm, "sysgenidctl get --json"))["time_ns"])
    lines = re.findall(r"([\d.]+) ms after it was published: gate ([\d.]+),.* opening ([\d.]+) ms", journal(vm))
    assert lines, "it is ready, and the journal does not say after how long"
    ready, closed, opening = (float(ms) * 1e6 for ms in lines[-1])
    return Times(published, published + closed + 1e5, published + ready - opening - 2e5, published + ready)


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


@vmtest("bookworm-cloud", cpus=2, timeout=1800, full_timeout=7200)
def nothing_passes_before_ready(t: Context) -> None:
    """Neither what IP sends nor what a packet socket does; but the port that is an exception is open all the time."""
    quiesced_clones(t, t.count(2, full=50))


def publishes(t: Context, vm: VM, restart_it: Callable[[], object], log: Callable[[VM], str]) -> None:
    """An overseer with publisher = trigger runs, without the module."""
    until(vm, "ready", 0)
    assert "no program is waited for" in log(vm)
    sh(vm, "sysgenidctl quiesce")
    # An upgrade: still quiesced, though its page is a new one.
    restart_it()
    until(vm, "quiesced", 1)
    vm.spawn("rng", "soft", uid=ORDINARY, gid=ORDINARY)
    vm.wait_output("rng", "^ready$", limit=60)
    snapshot, drawn = vm.snapshot(), []
    for name in ("A", "B"):
        with t.cloned(snapshot) as clone:
            clone.write("/run/seed", f"of clone {name}")
            assert sh(clone, "sysgenidctl trigger --entropy /run/seed") == "2\n"
            drawn.append(clone.wait_output("rng", "^mapped 2 ([0-9a-f]{64})$", limit=60)[1])
            # A busy machine's generators may differ without it.
            doubts = [line for line in log(clone).splitlines() if "clones" in line]
            assert not doubts, f"the agent's bytes were not mixed in: {doubts}"
            sh(clone, "sysgenidctl resume")
            assert status(clone)["state"] == "ready" and status(clone)["generation"] == 2
            refused = clone.run("sysgenidctl", "trigger", "--expected", "2")
            assert refused.code == 2 and "--expected" in refused.out, refused
            refused = clone.run("sysgenidctl", "trigger")
            assert refused.code == 2 and "--entropy FILE is needed" in refused.out, refused
            assert status(clone)["generation"] == 2, "a trigger that brings nothing makes no generation"
    assert drawn[0] != drawn[1], drawn


@vmtest("bookworm-cloud", timeout=1800)
def overseer_publishes(t: Context) -> None:
    """Without the module: the agent's trigger goes to the overseer, which reseeds, publishes and adjusts."""
    vm = booted(t, insmod=None)
    oversee(vm, "publisher = trigger")
    publishes(t, vm, lambda: restart(vm), journal)


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


def killed_and_cloned(t: Context, vm: VM, clones: int) -> None:
    for when in ("adjust", "quiesce"):
        hook(vm, when)
    for name, then in STATES.items():
        enter(vm, name)
        generation = status(vm)["generation"]
        if clones:
            state = vm.snapshot()
            t.parallel([lambda: ends_ready(t, state, name, generation + 1)] * clones, workers=1)
            state.discard()
            vm.resume()
        pid = main_pid(vm)
        sh(vm, f"kill -9 {pid}")
        if name not in ("ready", "quiescing"):
            assert is_closed(vm), name
        restarted(vm, pid)
        until(vm, then)
        assert is_closed(vm) == (then != "ready"), name
        # Hooks alone have run then, with the gate open.
        left = "ready" if name == "quiescing" else name
        assert f"found {left} at generation {generation}" in journal(vm), journal(vm)
        leave(vm, generation)


@vmtest("bookworm-cloud", timeout=2400)
def killed_and_cloned_in_every_state(t: Context) -> None:
    """kill -9: the gate stays closed, the next one goes on. A snapshot: both clones end ready."""
    vm = booted(t)
    oversee(vm)
    killed_and_cloned(t, vm, 2)


# As BUSY_HOOK, until the host has seen enough.
WAITING_HOOK = """#!/bin/sh
until [ -e /run/go ]; do sleep 0.05; done
"""
KERNEL_GATE = ("gate = kernel", "except-filter = udp port 7001")


def wired(t: Lab) -> VM:
    """A guest with a card: packets each millisecond in both directions, as in test_gate.py."""
    vm = booted(t, *options(0))
    up(vm, 0)
    hook(vm, "adjust", WAITING_HOOK)
    oversee(vm, *KERNEL_GATE)
    return vm


def opened_by_the_overseer(t: Lab, state: State, tag: int) -> None:
    """None but the exception passes in a clone before the overseer opens."""
    with t.cloned(state, paused=True) as clone, Wire(clone, 0, tag) as wire:

        def passed() -> set[str]:
            """By then, of what was sent since the resume."""
            return {kind for kind, id_ in wire.came if id_ not in old_ids(state)} | set(arrived(clone, 0, tag))

        def enough() -> bool:
            return min(now - was for now, was in zip(dropped(clone), start, strict=True)) >= ENOUGH

        clone.resume()
        start = dropped(clone)
        wait_until(lambda: enough() or passed() - FILTERED, LIMIT, "dropped packets, in and out")
        until(clone, "adjusting", 1)
        wait_until(lambda: passed() >= FILTERED, LIMIT, "what the filter takes")
        assert passed() == FILTERED and state_of(clone).startswith("shut;"), (passed(), state_of(clone))
        clone.write("/run/go", "")
        until(clone, "ready", 1)
        wait_for_both_ways(clone, (wire,))


@vmtest("bookworm-cloud", timeout=1800, full_timeout=7200)
def kernel_gate_lets_nothing_pass_before_ready(t: Context) -> None:
    """Neither quiesced nor not: no packet leaves or enters a clone but the exception. The machine itself goes on."""
    vm = wired(t)
    with Wire(vm, 0, 7) as wire:
        wait_for_both_ways(vm, (wire,))
        state = vm.snapshot()
        vm.resume()
        for i in range(t.count(1, full=50)):
            opened_by_the_overseer(t, state, 100 + i)
        state.discard()
        wait_for_both_ways(vm, (wire,))
        assert "quiesced" in sh(vm, "sysgenidctl quiesce")
        start = len(wire.came), arrived(vm, 0, 7)
        wait_until(lambda: wire.came[start[0] + 50 :], LIMIT, "the exception, while quiesced")
        # The first ones were in the queue.
        assert {kind for kind, _ in wire.came[start[0] + 20 :]} == FILTERED
        assert set(arrived(vm, 0, 7) - start[1]) <= FILTERED
        state = vm.snapshot()
        for i in range(t.count(1, full=50)):
            opened_by_the_overseer(t, state, 200 + i)
        vm.resume()
        sh(vm, "sysgenidctl resume")
        wait_for_both_ways(vm, (wire,))


@vmtest("bookworm-cloud", timeout=2400)
def kernel_gate_survives_its_overseer(t: Context) -> None:
    """kill -9 in every state, rules that are flushed, a gate that is disarmed, another kind of gate, and "--open"."""
    vm = booted(t, *options(0))
    oversee(vm, *KERNEL_GATE)
    until(vm, "ready", 0)
    assert state_of(vm).startswith("open; devices: 1;"), state_of(vm)
    killed_and_cloned(t, vm, t.count(0, full=2))
    generation = status(vm)["generation"]
    for number in ("USR2", "TERM"):
        sh(vm, "sysgenidctl quiesce")
        restart(vm, number)
        assert is_closed(vm) and status(vm)["state"] == "quiesced", number
    sh(vm, "nft flush ruleset; sysgenidctl gate disarm; sysgenidctl resume")
    assert "somebody disarmed the gate" in journal(vm) and state_of(vm).startswith("open;"), state_of(vm)
    # To rules and back, closed all the time.
    sh(vm, "sysgenidctl quiesce")
    for lines, rules in (((), True), (KERNEL_GATE, False)):
        configure(vm, *lines)
        sh(vm, f"kill -HUP {main_pid(vm)}")
        wait_until(lambda r=rules: ("policy drop" in sh(vm, "nft list ruleset")) == r, LIMIT, "the other kind")  # type: ignore[misc]
        wait_until(lambda r=rules: state_of(vm).startswith("disarmed;" if r else "shut;"), LIMIT, "no gate of the older kind")  # type: ignore[misc]
        assert status(vm)["state"] == "quiesced"
    sh(vm, "sysgenidctl trigger")
    until(vm, "ready", generation + 1)
    sh(vm, "sysgenidctl quiesce")
    end(vm, "KILL")
    assert is_closed(vm)
    sh(vm, "sysgenid-overseer --open")
    assert state_of(vm).startswith("disarmed;"), state_of(vm)
    # What an overseer did not arm is not its to open.
    sh(vm, "sysgenidctl gate arm; sysgenid-overseer --open")
    assert is_closed(vm)


@vmtest("bookworm-cloud", timeout=1800)
def kernel_gate_that_somebody_changes_is_put_right(t: Context) -> None:
    """Without a step of the machine: the kernel tells of each call."""
    vm = booted(t, *options(0))
    oversee(vm, *KERNEL_GATE)
    until(vm, "ready", 0)

    def put_right(*words: str, to: str, says: str) -> None:
        before = journal(vm).count(says)
        sh(vm, f"sysgenidctl gate {' '.join(words)}")
        wait_until(lambda: journal(vm).count(says) > before and state_of(vm).startswith(to), LIMIT, says)

    vm.write("/run/more", "device eth0\n")
    put_right("disarm", to="open; devices: 1;", says="somebody disarmed the gate: armed again")
    put_right("arm --exceptions /run/more", to="open;", says="somebody gave the gate other exceptions: armed again")
    assert json.loads(sh(vm, "sysgenidctl gate get --json"))["excepted_devices"] == 0, "an exception of somebody else"
    put_right("shut", to="shut;", says="somebody shut the gate: it stays shut")
    sh(vm, "sysgenidctl gate open; sysgenidctl quiesce")
    put_right("open", to="shut;", says="somebody opened the gate: shut again")
    put_right("disarm", to="shut;", says="somebody disarmed the gate: armed again")
    sh(vm, "sysgenidctl resume")
    assert state_of(vm).startswith("open;") and status(vm)["state"] == "ready"


@vmtest("bookworm-cloud", timeout=1800)
def kernel_gate_that_cannot_be_armed_holds(t: Context) -> None:
    vm = booted(t, insmod="gate=off")
    oversee(vm, *KERNEL_GATE)
    now = until(vm, "held", 0)
    assert "the network may be open" in now["about"] and "sysgenid.gate=off" in journal(vm), (now, journal(vm))
    assert resumed(vm).startswith("1 ")
    configure(vm)
    sh(vm, f"kill -HUP {main_pid(vm)}")
    until(vm, "ready", 0)


def reloads(vm: VM) -> None:
    """A quiesced machine takes a configuration as a whole or not at all, and stays quiesced."""
    pid = main_pid(vm)
    vm.write(CONFIG, "[overseer]\ngate = nftables\nexcept-ports = 7007/udp\nlaggards = forgive\n")
    assert not vm.run("sysgenid-overseer", "--check", limit=LIMIT).ok
    sh(vm, f"kill -HUP {pid}")
    wrong = wait_until(lambda: status(vm).get("configuration"), LIMIT, "the line that is wrong")
    assert "line 4: laggards" in wrong and "line 4: laggards" in journal(vm), wrong
    assert "line 4: laggards" in sh(vm, "sysgenidctl status")
    assert "7007" not in sh(vm, "nft list ruleset")
    vm.write(CONFIG, "[overseer]\ngate = nftables\nexcept-ports = 7007/udp\n")
    sh(vm, f"sysgenid-overseer --check; kill -HUP {pid}")
    wait_until(lambda: "7007" in sh(vm, "nft list ruleset"), LIMIT, "the new exception")
    assert is_closed(vm) and main_pid(vm) == pid
    now = status(vm)
    assert now["state"] == "quiesced" and "configuration" not in now, now


@vmtest("bookworm-cloud", timeout=1800)
@vmtest("trixie-cloud", full_only=True, timeout=1800)
def gate_fails_closed(t: Context) -> None:
    """Who flushes all rules, adds an interface, ends or restarts the overseer does not open it; "--open" and "--force" do."""
    vm = booted(t)
    hook(vm, "adjust")
    oversee(vm)
    until(vm, "ready", 0)
    assert not is_closed(vm)
    sh(vm, "sysgenidctl quiesce")
    assert is_closed(vm)

    sh(vm, "nft flush ruleset")
    wait_until(lambda: is_closed(vm), LIMIT, "the gate to be back")
    sh(vm, "/bin/ip link add later type veth peer name other")
    wait_until(lambda: 'ingress device "later"' in sh(vm, "nft list ruleset"), LIMIT, "the new interface to be closed")
    for number in ("USR2", "TERM", "INT", "ALRM"):
        restart(vm, number)
        assert is_closed(vm) and status(vm)["state"] == "quiesced", number
    assert "SIGTERM, and nobody here says who asked: the gate stays as it is" in journal(vm), journal(vm)
    reloads(vm)

    sh(vm, "sysgenidctl resume")
    until(vm, "ready", 0)
    enter(vm, "held")
    assert is_closed(vm)
    sh(vm, "sysgenidctl resume --force")
    assert not is_closed(vm) and status(vm)["state"] == "ready" and "opened by force" in journal(vm)

    sh(vm, "sysgenidctl quiesce")
    end(vm, "KILL")
    assert is_closed(vm)
    sh(vm, "nft flush ruleset")
    start(vm)
    until(vm, "quiesced")
    assert is_closed(vm)
    end(vm, "KILL")
    sh(vm, "sysgenid-overseer --open")
    assert not is_closed(vm)


# While it runs nobody else may change the table: not even the overseer.
OWN = "(echo 'delete table inet sysgenid; add table inet sysgenid { flags owner; }'; exec sleep 100000) | nft -i"
OWNED = "nft list table inet sysgenid 2>/dev/null | grep -q owner"


def resumed(vm: VM) -> str:
    """What "resume" says; that it says anything is half of the point."""
    done = vm.run("sysgenidctl", "resume", limit=LIMIT)
    return f"{done.code} {done.out}"


@vmtest("bookworm-cloud", timeout=1800)
def what_fails_holds_the_machine(t: Context) -> None:
    """A gate that cannot be closed, one that cannot be looked at, a wrong configuration, another kind of gate."""
    vm = booted(t)
    hook(vm, "adjust")
    oversee(vm)
    until(vm, "ready", 0)
    # Any name that an interface may have.
    sh(vm, "/bin/ip link add 'q\"x' type veth peer name 'w*'")

    owner = vm.spawn("owner", "sh", "-c", OWN)
    sh(vm, f"until {OWNED}; do sleep 0.1; done")
    now = until(vm, "held")
    assert "the gate cannot be closed" in now["about"], now
    sh(vm, "sysgenidctl trigger")
    now = until(vm, "held", 1)
    assert "the gate cannot be closed" in now["about"] and not vm.exists("/run/hooked"), now
    assert resumed(vm).startswith("1 ")
    vm.write("/run/stay", "")
    sh(vm, f"kill -9 -{owner}")
    until(vm, "adjusting", 1)
    assert hooked(vm) == "adjusting 1"
    rules = sh(vm, "nft list ruleset")
    for name in ('q"x', "w*"):
        for way in ("ingress", "egress"):
            assert f'hook {way} device "{name}"' in rules, (way, name, rules)
    sh(vm, "rm /run/stay")
    until(vm, "ready", 1)

    sh(vm, "sysgenidctl quiesce")
    vm.write("/run/with", "/bin/setpriv --bounding-set=-all --inh-caps=-all")
    restart(vm)
    now = until(vm, "held")
    assert "the gate cannot be used" in now["about"] and is_closed(vm), now
    assert resumed(vm).startswith("1 ")
    sh(vm, "rm /run/with")
    restart(vm)
    assert status(vm)["state"] == "quiesced" and is_closed(vm)

    vm.write(CONFIG, "[overseer]\ngait = nftables\n")
    pid = restart(vm)
    now = until(vm, "held")
    assert "line 2: gait" in now["about"] and is_closed(vm), now
    assert resumed(vm).startswith("1 ")
    vm.write(CONFIG, "[overseer]\ngate = none\n")
    until(vm, "quiesced", 1)
    assert main_pid(vm) == pid
    assert not is_closed(vm) and "sysgenid" not in sh(vm, "nft list ruleset")
    oversee(vm)
    now = status(vm)
    assert now["state"] == "quiesced" and is_closed(vm), now
    assert vm.read("/run/sysgenid/overseer.state").startswith(f"quiesced {now['generation']} ")
    assert resumed(vm).startswith("0 ready")


ASK = r"""
my $s = IO::Socket::UNIX->new("/run/sysgenid/overseer.sock") or die;
for (@ARGV) { $_ = "x" x 70_000 if $_ eq "long"; print $s "$_\n"; print scalar <$s>; }
"""


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
        "long",
    )
    assert (fine.pop("version"), "quiesce.until-resume" in fine.pop("features")) == (1, True)
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


def parser_pid(vm: VM) -> str:
    """The child that reads requests; hooks are others."""
    pid = main_pid(vm)
    find = f"for child in $(cat /proc/{pid}/task/{pid}/children); do grep -qx overseer-socket /proc/$child/comm && echo $child; done; :"
    return sh(vm, find).strip()


@vmtest("bookworm-cloud", timeout=1800)
def process_that_reads_requests_has_no_rights(t: Context) -> None:
    """No capability, no file but its sockets; killed or hung it is replaced, and the network stays closed."""
    vm = booted(t)
    oversee(vm)
    sh(vm, "sysgenidctl quiesce")
    pid = parser_pid(vm)

    def rights(of: str) -> dict[str, str]:
        return dict(re.findall(r"^(Cap\w+|NoNewPrivs|Seccomp):\s*(\w+)$", vm.read(f"/proc/{of}/status"), re.MULTILINE))

    has = rights(pid)
    assert {int(has[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}, has
    assert (has["NoNewPrivs"], has["Seccomp"]) == ("1", "2"), has
    assert int(rights(main_pid(vm))["CapEff"], 16), "the control: who acts has some"
    links = sh(vm, f"for fd in /proc/{pid}/fd/*; do readlink $fd; done").split()
    assert sorted(re.sub(r":.*|/run/log", "", link) for link in links) == ["", "anon_inode", "socket", "socket"], links

    for number in ("KILL", "STOP"):
        pid = parser_pid(vm)
        sh(vm, f"kill -{number} {pid}")
        wait_until(lambda pid=pid: parser_pid(vm) not in ("", pid), LIMIT, f"another one after SIG{number}", interval=0.5)  # type: ignore[misc]
        assert is_closed(vm) and status(vm)["state"] == "quiesced", number
    assert "the process that reads requests hangs" in journal(vm), journal(vm)
    assert resumed(vm).startswith("0 ready")
    assert not is_closed(vm)


@vmtest("bookworm-cloud", timeout=1800)
def generator_that_was_not_reseeded_holds_the_machine(t: Context) -> None:
    vm = booted(t)
    hook(vm, "adjust")
    assert vm.rmmod("sysgenid") == 0
    sh(vm, "mv /dev/urandom /dev/elsewhere")
    assert vm.insmod("") == 0
    oversee(vm)
    sh(vm, "sysgenidctl trigger")
    now = until(vm, "held")
    assert now["about"] == "the kernel's random generator could not be reseeded", now
    assert is_closed(vm) and not vm.exists("/run/hooked")
    assert not vm.run("sysgenidctl", "resume", limit=LIMIT).ok
    configure(vm, "reseed = warn")
    sh(vm, f"kill -HUP {main_pid(vm)}; mv /dev/elsewhere /dev/urandom")
    until(vm, "ready")


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


def clock_at_resume(clone: VM) -> int:
    """Let it run; returns the guest's CLOCK_BOOTTIME of that moment, by the clock that both have in common."""
    moment = clone.resume()
    tries = []
    for _ in range(10):
        asked = time.monotonic()
        guest = clone.ping()
        answered = time.monotonic()
        tries.append((answered - asked, guest - int(((asked + answered) / 2 - moment) * 1e9)))
    return min(tries)[1]


def read_generation(vm: VM) -> None:
    """A program sleeps in a bare read(2) of the device."""
    pid = vm.spawn("read", "reads")
    wait_until(lambda: vm.read(f"/proc/{pid}/syscall").split()[0] == READ, 60, "reads to sleep in read(2)")


def read_after(clone: VM, start: int) -> float:
    """Milliseconds after which that program had the generation."""
    return (int(clone.wait("read").out) - start) / 1e6


def ready_after(clone: VM, start: int) -> float:
    return (times(clone).ready - start) / 1e6


@vmtest("bookworm-cloud", timeout=1800)
def ready_as_soon_as_a_bare_read(t: Context) -> None:
    """In each clone, where nobody has to be waited for: the overseer comes before other programs, and does not sleep."""
    kinds = (("kernel", True), ("kernel", False), ("nftables", True), ("nftables", False))
    for gate, quiesced in kinds[: t.count(1, full=len(kinds))]:
        vm = booted(t)
        # What can keep sessions takes its time.
        sh(vm, f"rmmod {' '.join(KEEPERS)}")
        oversee(vm, f"gate = {gate}")
        until(vm, "ready", 0)
        if quiesced:
            sh(vm, "sysgenidctl quiesce")
        read_generation(vm)
        state = vm.snapshot()
        vm.close()
        ratios = []
        for _ in range(t.count(3, full=20)):
            with t.cloned(state, paused=True) as clone:
                start = clock_at_resume(clone)
                until(clone, "ready", 1)
                ratios.append(ready_after(clone, start) / read_after(clone, start))
        t.log(f"gate = {gate}, {'quiesced' if quiesced else 'not quiesced'}: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
        assert statistics.median(ratios) <= 1.2, ratios


@vmtest("bookworm-cloud", timeout=1800)
def overseer_is_the_first_process(t: Context) -> None:
    """The kernel starts it, and it starts the agent; the module comes later, and then clones adjust."""
    vm = t.boot(append=FIRST, extra=with_files(t.initrd(), overseer.files(t.kernel)), fresh=True)
    assert sh(vm, "readlink /proc/1/exe; cat /proc/1/comm").split() == ["/bin/sysgenid-overseer", "sysgenid-overse"]
    assert status(vm)["state"] == "held", status(vm)
    assert vm.insmod("") == 0
    until(vm, "ready", 0)
    hook(vm, "adjust", "#!/bin/sh\necho $SYSGENID_GENERATION >/run/hooked\n")
    # Orphans, and an overseer that is killed.
    sh(vm, "(sleep 0.1 &) ; (sleep 0.2 &)")
    # The parent of both is the first process; the agent is the other child of it.
    children = "cat /proc/1/task/1/children"
    wait_until(lambda: len(sh(vm, children).split()) == 2, LIMIT, "orphans to be reaped")
    (old,) = [pid for pid in sh(vm, children).split() if vm.read(f"/proc/{pid}/comm").startswith("sysgenid")]
    sh(vm, f"kill -KILL {old}")
    wait_until(lambda: old not in sh(vm, children).split() and status(vm), LIMIT, "the next overseer")
    until(vm, "ready", 0)
    state = vm.snapshot()
    vm.close()
    with t.cloned(state) as clone:
        until(clone, "ready", 1)
        assert clone.read("/run/hooked") == "1"


@vmtest("bookworm-cloud", timeout=1800)
def laggards(t: Context) -> None:
    """Who does not adjust is reported, held for or killed, as configured; and nobody is killed by mistake."""
    vm = booted(t)
    def stuck(name: str) -> int:
        ignores = 'trap "" TERM; exec sysgenidctl watch --exec "sleep 100000"'
        return vm.spawn(name, "sh", "-c", ignores, uid=ORDINARY, gid=ORDINARY)

    def restored(*lines: str) -> None:
        oversee(vm, "watcher-timeout = 1", *lines)
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
    # The laggard goes away.
    vm.kill("one", signal.SIGKILL)
    until(vm, "ready", 2)

    pid = stuck("two")
    watchers(vm, 1)
    restored("laggards = kill", "kill-timeout = 1")
    until(vm, "ready", 3)
    killed = vm.wait("two")
    assert (killed.status, killed.code) == ("signal", signal.SIGKILL), killed
    assert f"sent signal {signal.SIGTERM:d} to sysgenidctl ({pid})" in journal(vm)

    vm.spawn("handed", "perl", "-e", HANDED_ON, uid=ORDINARY, gid=ORDINARY)
    vm.wait_output("handed", "^ready$", limit=LIMIT)
    watchers(vm, 1)
    restored("laggards = kill", "kill-timeout = 1")
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
    vm.spawn("bomb", "prlimit", "--nproc=60", "perl", "-e", BOMB, uid=ORDINARY, gid=ORDINARY)
    wait_until(lambda: int(vm.read("/sys/class/misc/sysgenid/watchers")) > 1000, LIMIT, "the bomb", interval=0.2)
    state = vm.snapshot()
    vm.close()
    with t.cloned(state) as clone:
        until(clone, "ready", 1)
        assert clone.read("/sys/class/misc/sysgenid/outdated") == "0"
        assert "sent signal 15 to perl" in journal(clone)
        assert clone.out("bomb").status == "running"


@vmtest("bookworm-cloud", timeout=1800)
def quiesce_waits_until_nothing_is_on_its_way_out(t: Context) -> None:
    """Hooks run with the network open; then the gate shuts, and what waits for a device that leads out leaves first."""
    vm = booted(t, *options(0))
    up(vm, 0)
    hook(vm, "quiesce")
    oversee(vm, "gate = kernel")
    until(vm, "ready", 0)

    def waiting() -> int:
        found = re.search(r"backlog \S+ (\d+)p", sh(vm, "/bin/tc -s qdisc show dev eth0"))
        assert found
        return int(found[1])

    with Wire(vm, 0, 7) as wire:
        wait_for_both_ways(vm, (wire,))
        vm.write("/run/stay", "")
        vm.spawn("quiesce", "sysgenidctl", "quiesce")
        hooked(vm)
        assert status(vm)["state"] == "quiescing" and state_of(vm).startswith("open;")
        sh(vm, "/bin/tc qdisc replace dev eth0 root plug limit 1000000")
        wait_until(waiting, LIMIT, "packets that wait")
        sh(vm, "rm /run/stay")
        wait_until(lambda: state_of(vm).startswith("shut;"), LIMIT, "the gate to be shut")
        assert status(vm)["state"] == "quiescing" and waiting()
        sh(vm, "/bin/tc qdisc change dev eth0 root plug release_indefinite")
        assert vm.wait("quiesce", limit=LIMIT).ok
        assert status(vm)["state"] == "quiesced" and not waiting()
        sh(vm, "sysgenidctl resume; /bin/tc qdisc replace dev eth0 root plug limit 1000000; /bin/tc qdisc change dev eth0 root plug block")
        wait_until(waiting, LIMIT, "packets that wait")
        done = vm.run("sysgenidctl", "quiesce", limit=LIMIT)
        assert not done.ok and re.search(r"transmit queues: not done in time: \d+ packets wait to leave by eth0", done.out), done
        assert state_of(vm).startswith("open;") and status(vm)["state"] == "ready"
        # A device that is an exception may be busy.
        oversee(vm, "gate = kernel", "except-interfaces = eth0")
        assert waiting()
        sh(vm, "sysgenidctl quiesce")


COUNT = "while :; do echo >>/run/{name}; {pause} 0.02; done"
AGENT = "/sys/fs/cgroup/agent"
AS_AGENT = f"mkdir -p {AGENT}; echo 0 >{AGENT}/cgroup.procs; "


@vmtest("bookworm-cloud", timeout=1800)
def freeze_all_stops_every_program(t: Context) -> None:
    """Whatever cgroup a program is in, between quiesced and the end of adjusting it neither counts nor sends. What is exempt does."""
    vm = booted(t, *options(0))
    up(vm, 0)
    hook(vm, "adjust", WAITING_HOOK)
    places = {"root": "", "below": "/beats", "beside": "/overseer"}
    for name, cgroup in places.items():
        go = f"mkdir -p /sys/fs/cgroup{cgroup}; echo 0 >/sys/fs/cgroup{cgroup}/cgroup.procs; "
        vm.spawn(name, "sh", "-c", go + COUNT.format(name=name, pause="sleep"))
    # One that starts others as fast as it can.
    vm.spawn("forks", "sh", "-c", COUNT.format(name="forks", pause="/bin/true"))
    vm.spawn("agent", "sh", "-c", AS_AGENT + COUNT.format(name="agent", pause="sleep"))
    counters = (*places, "forks")

    def counts(of: VM) -> dict[str, str]:
        return {name: sh(of, f"wc -c </run/{name}").strip() for name in (*counters, "agent")}

    def running(of: VM) -> set[str]:
        first = counts(of)
        wait_until(lambda: counts(of)["agent"] != first["agent"], LIMIT, "the exempt program")
        of.run("sleep", "0.3")
        return {name for name, count in counts(of).items() if count != first[name]}

    oversee(vm, *KERNEL_GATE, "freeze = all", "freeze-except = /agent")
    until(vm, "ready", 0)
    with Wire(vm, 0, 7) as wire:
        wait_for_both_ways(vm, (wire,))
        wait_until(lambda: running(vm) >= {*counters, "agent"}, LIMIT, "all programs")
        done = vm.run("sysgenidctl", "quiesce", limit=LIMIT)
        assert not done.ok and "would be frozen, and never see the answer" in done.out, done
        assert status(vm)["state"] == "ready"
        sh(vm, AS_AGENT + "sysgenidctl quiesce")
        restart(vm)
        assert status(vm)["state"] == "quiesced"
        start = len(wire.came)
        assert running(vm) == {"agent"}
        # Those that passed before have arrived by now.
        assert not wire.came[start + 20 :], "packets while quiesced"
        before = counts(vm)
        state = vm.snapshot()
    with t.cloned(state, paused=True) as clone, Wire(clone, 0, 100) as wire:
        clone.resume()
        until(clone, "adjusting", 1)
        assert running(clone) == {"agent"}
        assert {name for name, count in counts(clone).items() if count != before[name]} == {"agent"}
        assert not wire.came, wire.came[:3]
        clone.write("/run/go", "")
        until(clone, "ready", 1)
        wait_until(lambda: running(clone) >= {*counters, "agent"}, LIMIT, "all programs")
        wait_for_both_ways(clone, (wire,))
        # Back where they were, and nothing is left of it.
        assert "sysgenid-frozen" not in sh(clone, "find /sys/fs/cgroup -type d; cat /proc/[0-9]*/cgroup 2>/dev/null || :")
        # A cgroup that is not there is no matter.
        configure(clone, *KERNEL_GATE, "freeze = all", "freeze-except = /agent /none")
        sh(clone, f"kill -HUP {main_pid(clone)}; {AS_AGENT} sysgenidctl quiesce; sysgenidctl resume")
        wait_until(lambda: running(clone) >= {*counters, "agent"}, LIMIT, "all programs")


BEATS = "/sys/fs/cgroup/beats"
BEAT = f"mkdir {BEATS}; echo 0 >{BEATS}/cgroup.procs; while :; do echo >>/run/beats; sleep 0.02; done"
FROZEN = f"grep -qx 'frozen 1' {BEATS}/cgroup.events"
LISTEN = r"""
$| = 1; my $s = IO::Socket::INET->new(LocalPort => 7070, Listen => 5) or die; print "ready\n";
while (my $c = $s->accept) { push @c, $c }
"""
CONNECT = r'$| = 1; my $s = IO::Socket::INET->new("$ARGV[0]:7070") or die; print "ready\n"; <$s>; print "ended: $!\n"'


@vmtest("bookworm-cloud", timeout=1800)
def what_a_clone_goes_through(t: Context) -> None:
    """Frozen programs, connections, hooks with what they are told and their deadline, the lines for the host."""
    vm = booted(t)
    hook(vm, "adjust")
    vm.spawn("beats", "sh", "-c", BEAT)
    wait_until(lambda: vm.exists("/run/beats"), LIMIT, "the program that is to be frozen")
    oversee(vm, "freeze = /beats", f"announce = {PORT}")
    sh(vm, WIRE)
    for name, end, to in (("far", "/bin/ip netns exec peer", "10.9.0.2"), ("near", "", "127.0.0.1")):
        vm.spawn(name, "sh", "-c", f"exec {end} perl -MIO::Socket::INET -e '{LISTEN}'")
        vm.wait_output(name, "^ready$", limit=LIMIT)
        vm.spawn(f"to-{name}", "perl", "-MIO::Socket::INET", "-e", CONNECT, to)
        vm.wait_output(f"to-{name}", "^ready$", limit=LIMIT)
    sh(vm, "sysgenidctl quiesce")
    sh(vm, FROZEN)
    assert vm.out("to-far").status == "running"
    vm.write("/run/stay", "")
    state = vm.snapshot()
    vm.close()

    with t.cloned(state) as clone:
        until(clone, "adjusting", 1)
        assert hooked(clone) == "adjusting 1"
        # Thawed when the hooks are done.
        sh(clone, FROZEN)
        assert "ended: " in clone.wait("to-far").out
        sh(clone, "rm /run/stay")
        until(clone, "ready", 1)
        before = clone.stat("/run/beats")[-1]
        wait_until(lambda: clone.stat("/run/beats")[-1] > before, LIMIT, "the program to be thawed")
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
        left = "ls /sys/fs/cgroup/overseer | grep hook || :"
        wait_until(lambda: not sh(clone, left), LIMIT, "the hook to be gone")
