# SPDX-License-Identifier: MIT
"""The gate in the kernel: packets in clones, devices that come and go, and who may do what."""

import collections
import errno
import itertools
import re
from collections.abc import Mapping
from pathlib import Path

from vmlib import VM, Context, Lab, State, vmtest, wait_until
from vmlib.drivers import drivers
from vmlib.extras import with_files
from vmlib.overseer import files as nft_files
from vmlib.wire import KINDS, Wire, guest_address, guest_address6, host_address, host_address6, host_mac, options

# The first has a hook on the way out, the other one has none.
KERNELS = ["bookworm-cloud", "bullseye-cloud"]
ARM64 = "trixie-cloud-arm64"
DRIVERS = ("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "failover", "net_failover", "virtio_net", "veth")
LIMIT = 60.0
# "udp port 7001", by libpcap: what tests/guest/wire.c and vmlib/wire.py call "open".
EXCEPTION = (
    "23,48 0 0 0,84 0 0 240,21 0 6 96,48 0 0 6,21 0 17 17,40 0 0 40,21 14 0 7001,40 0 0 42,21 12 13 7001,48 0 0 0,84 0 0 240,"
    "21 0 10 64,48 0 0 9,21 0 8 17,40 0 0 6,69 6 0 8191,177 0 0 0,72 0 0 0,21 2 0 7001,72 0 0 2,21 0 1 7001,6 0 0 65535,6 0 0 0"
)
FILTERED = {"open", "open6"}
# SYSGENID_GATE_ARM, SYSGENID_GATE_OPEN
ARM, OPEN = "1", "4"
# Dropped packets in a clone, in each direction, before the gate is opened.
ENOUGH = 200


def gate(vm: VM, *words: str) -> None:
    result = vm.run("sysgenidctl", "gate", *words)
    assert result.ok, result


def state_of(vm: VM) -> str:
    return vm.read("/sys/class/misc/sysgenid/gate")


def dropped(vm: VM) -> tuple[int, int]:
    found = re.search(r"dropped: in (\d+), out (\d+);", state_of(vm))
    assert found
    return int(found[1]), int(found[2])


def conforms(vm: VM, *skipped: str) -> None:
    """All cases about the gate pass, or are skipped for that reason."""
    result = vm.run("conformance", "gate:", limit=100)
    assert result.ok, result
    reasons = re.findall(r"^skip  gate: .*: (.*)$", result.out, re.M)
    assert set(reasons) == set(skipped), result
    assert re.search(rf"^{0 if skipped else 4} passed, 0 failed", result.out, re.M), result


@vmtest(core=True, kernels=[*KERNELS, ARM64], full_kernels="all")
def gate_conforms_and_keeps_the_module_loaded(t: Context) -> None:
    vm = t.boot(insmod="")
    conforms(vm)
    gate(vm, "arm")
    assert vm.rmmod() == errno.EAGAIN
    assert state_of(vm).startswith("shut; devices: 0; dropped: in 0, out 0; out: ")
    found = vm.run("sysgenidctl", "doctor").out
    assert "the gate in the kernel is shut" in found, found
    assert ("packet sockets and ARP send" in found) == ("IP only" in state_of(vm)), found
    gate(vm, "open")
    assert "armed, and open" in vm.run("sysgenidctl", "doctor").out
    gate(vm, "disarm")
    assert "the gate" not in vm.run("sysgenidctl", "doctor").out
    assert vm.rmmod() == 0
    # For an administrator who is locked out.
    assert vm.insmod("gate=off") == 0
    conforms(vm, "gate=off")
    assert state_of(vm).endswith("; gate=off")


@vmtest(kernels=KERNELS[:1])
def gate_without_a_hardware_id_obeys_calls_and_triggers(t: Context) -> None:
    vm = t.boot(None, insmod="software=1")
    conforms(vm)


def load(vm: VM, files: list[str]) -> None:
    """Which module needs which is another matter in each kernel: one that lacks a symbol is tried again."""
    while files:
        left = [path for path in files if vm.insmod("", f"/{path}")]
        assert len(left) < len(files), f"not loaded: {left}"
        files = left


def up(vm: VM, number: int, inside: tuple[str, ...] = ()) -> None:
    """The card has its addresses, and packets flow."""
    name = f"eth{number}"
    assert vm.run(*inside, "ifconfig", name, guest_address(number), "up").ok
    assert vm.run(*inside, "ifconfig", name, "add", f"{guest_address6(number)}/64").ok
    vm.spawn(f"wire{number}", *inside, "wire", name, host_address(number), host_mac(number))
    vm.wait_output(f"wire{number}", "^ready$", limit=LIMIT)


def wired(t: Lab, insmod: str = "", patch: str | None = None, more: Mapping[str, Path] | None = None) -> VM:
    """A guest with two cards: eth0 is in the initial network namespace, eth1 in another one, where it was moved while the
    gate was armed. more: files in the guest."""
    files = drivers(t.kernel, DRIVERS)
    extra = (*with_files(t.initrd(True, patch), {**files, **(more or {})}), *options(0), *options(1))
    vm = t.boot(insmod=insmod, patch=patch, extra=extra)
    load(vm, list(files))
    vm.write("/tmp/exceptions", f"# what wire.c calls open\nbytecode {EXCEPTION}\n")
    gate(vm, "arm", "--exceptions", "/tmp/exceptions")
    assert state_of(vm).startswith("shut; devices: 2;"), state_of(vm)
    vm.spawn("other", "unshare", "-n", "sh", "-c", "echo $$; exec sleep 9999")
    pid = vm.wait_output("other", r"^(\d+)$", limit=LIMIT)[1]
    assert vm.run("ip", "link", "set", "eth1", "netns", pid).ok
    for number, inside in enumerate(((), ("nsenter", "-n", "-t", pid))):
        up(vm, number, inside)
    assert state_of(vm).startswith("shut; devices: 2;"), state_of(vm)
    return vm


def arrived(vm: VM, number: int, tag: int) -> collections.Counter[str]:
    """The packets with this tag that arrived in the guest, by kind."""
    lines = [line.split() for line in vm.out(f"wire{number}").out.splitlines()]
    return collections.Counter(line[0] for line in lines if len(line) == 2 and line[1] in (str(tag), str(tag & 0xFFF)))


def wait_for_both_ways(vm: VM, wires: tuple[Wire, ...], tag: int | None = None) -> None:
    for wire in wires:
        wire.wait_for_all(LIMIT, tag)
        wait_until(lambda w=wire: set(arrived(vm, w.number, w.tag)) >= set(KINDS), LIMIT, f"all kinds in by wire {wire.number}")


def flowing(vm: VM) -> tuple[State, tuple[int, int]]:
    """A snapshot amid traffic, without any quiesce; and how many packets had been dropped by then."""
    with Wire(vm, 0, 7) as first, Wire(vm, 1, 8) as second:
        gate(vm, "open")
        wait_for_both_ways(vm, (first, second))
        before = dropped(vm)
        return vm.snapshot(), before


def old_ids(state: State) -> set[int]:
    """What packets carry that were sent before the snapshot."""
    assert state.guid
    half = int.from_bytes(state.guid.bytes_le[:8], "little")
    return {half, half & 0xFFF}


def passed_in_a_clone(t: Context, state: State, tag: int, only_ip: bool) -> list[str]:
    """What passed before the gate was opened, but the exception; after that everything passes."""
    with t.cloned(state, paused=True) as clone, Wire(clone, 0, tag) as first, Wire(clone, 1, tag + 1) as second:
        wires = first, second
        clone.resume()
        wait_until(lambda: min(dropped(clone)) >= ENOUGH, LIMIT, "dropped packets, in and out")
        out = [(wire.number, *packet) for wire in wires for packet in wire.came]
        inside = {wire.number: arrived(clone, wire.number, wire.tag) for wire in wires}
        assert state_of(clone).startswith("shut; devices: 2;"), state_of(clone)
        assert clone.run("sysgenidctl", "gate", "get", "--json").out.count("opened for another generation") == 1
        gate(clone, "open")
        wait_for_both_ways(clone, wires)
    late = [f"out by wire {n}: {kind}" for n, kind, id_ in out if id_ in old_ids(state) and kind not in FILTERED]
    if late:
        t.log(f"sent before the snapshot, and past the gate then: {late}")
    # Without a hook on the way out packet sockets pass.
    expected = {*FILTERED, "packet"} if only_ip else FILTERED
    new = [(n, kind) for n, kind, id_ in out if id_ not in old_ids(state)]
    assert {kind for _, kind in new} >= {"open"}, "the exception was dropped, too"
    assert all(inside[wire.number]["open"] for wire in wires), f"the exception was dropped, too: {inside}"
    return [f"out by wire {n}: {kind}" for n, kind in new if kind not in expected] + [
        f"in by wire {n}: {kind}" for n, kinds in inside.items() for kind in kinds if kind not in FILTERED
    ]


def compare_clones(t: Context, count: int) -> None:
    vm = wired(t)
    only_ip = "out: IP only" in state_of(vm)
    state, before = flowing(vm)
    for i in range(count):
        passed = passed_in_a_clone(t, state, 100 + 2 * i, only_ip)
        assert not passed, f"clone {i}: {len(passed)} packets: {passed[:9]}"
    with t.cloned(state, "same", paused=True) as clone, Wire(clone, 0, 9) as first, Wire(clone, 1, 10) as second:
        clone.resume()
        wait_for_both_ways(clone, (first, second))
        assert state_of(clone).startswith("open;"), state_of(clone)
        assert dropped(clone) == before


@vmtest(core=True, kernels=KERNELS, full_kernels=[*KERNELS, "trixie-cloud", "backports-cloud"], timeout=900, full_timeout=14400)
def no_packet_passes_in_clones_before_the_gate_is_opened(t: Context) -> None:
    compare_clones(t, t.count(2, full=100))


@vmtest(kernels=KERNELS[:1], timeout=900)
def packets_pass_in_clones_where_the_id_is_not_compared(t: Context) -> None:
    """A gate that compares the generation alone is open until that is published."""
    vm = wired(t, "guard=0", "gate-late.patch")
    state, _ = flowing(vm)
    assert any(passed_in_a_clone(t, state, 100 + 2 * i, False) for i in range(5)), "no packet passed in five clones"


@vmtest(kernels=KERNELS[:1], timeout=900)
def devices_keep_the_gate_as_they_come_and_go(t: Context) -> None:
    vm = wired(t)
    with Wire(vm, 0, 7) as first, Wire(vm, 1, 8) as second:
        wait_until(lambda: min(dropped(vm)) >= ENOUGH, LIMIT, "dropped packets, in and out")
        assert not {kind for kind, _ in [*first.came, *second.came]} - FILTERED
        # The device vanishes, and comes back as a new one.
        card = vm.run("readlink", "/sys/class/net/eth0/device").out.strip().rpartition("/")[2]
        driver = "/sys/bus/virtio/drivers/virtio_net"
        vm.write(f"{driver}/unbind", card)
        assert state_of(vm).startswith("shut; devices: 1;"), state_of(vm)
        vm.kill("wire0", 9)
        vm.write(f"{driver}/bind", card)
        assert state_of(vm).startswith("shut; devices: 2;"), state_of(vm)
        up(vm, 0)
        start = len(first.came), sum(dropped(vm))
        wait_until(lambda: sum(dropped(vm)) >= start[1] + ENOUGH, LIMIT, "more dropped packets")
        assert {"open"} <= {kind for kind, _ in first.came[start[0] :]} <= FILTERED
        # A device in use keeps its hooks where it goes: back to the first namespace when the other one ends.
        vm.kill("wire1", 9)
        vm.kill("other", 9)
        # eth1 comes back closed: the name is there before the hooks are.
        wait_until(lambda: vm.exists("/sys/class/net/eth1"), LIMIT, "eth1 to come back")
        wait_until(lambda: state_of(vm).startswith("shut; devices: 2;"), LIMIT, "the hooks of eth1")
        gate(vm, "open")
        first.wait_for_all(LIMIT)
        # By name, in the initial namespace.
        vm.write("/tmp/exceptions", "device eth0\n")
        gate(vm, "arm", "--exceptions", "/tmp/exceptions")
        gate(vm, "shut")
        first.wait_for_all(LIMIT)
        # A wrong line takes nothing away.
        vm.write("/tmp/wrong", "device eth1\nbytecode 1,0\n")
        result = vm.run("sysgenidctl", "gate", "arm", "--exceptions", "/tmp/wrong")
        assert result.code == 1 and "/tmp/wrong:2: bytecode" in result.out, result
        first.wait_for_all(LIMIT)
        gate(vm, "disarm")
    assert state_of(vm).startswith("disarmed; devices: 0;"), state_of(vm)
    assert vm.rmmod() in (0, errno.EAGAIN)


class Watch:
    """What passes by a wire, out and in, since the last look."""

    def __init__(self, vm: VM, wire: Wire) -> None:
        self.vm, self.wire = vm, wire
        self.reset()

    def reset(self) -> None:
        self._out, self._in = len(self.wire.came), arrived(self.vm, self.wire.number, self.wire.tag)
        self._others = self.wire.others.copy()

    @property
    def out(self) -> set[str]:
        return {kind for kind, _ in self.wire.came[self._out :]}

    @property
    def inside(self) -> set[str]:
        return set(arrived(self.vm, self.wire.number, self.wire.tag) - self._in)

    @property
    def others(self) -> set[str]:
        return set(self.wire.others - self._others)


def settle(vm: VM, watches: tuple[Watch, ...]) -> None:
    """Until what was sent before has arrived, and as much again has been dropped."""
    for _ in range(2):
        start = dropped(vm)
        for watch in watches:
            watch.reset()
        wait_until(lambda s=start: all(now >= then + ENOUGH for now, then in zip(dropped(vm), s, strict=True)), LIMIT, "dropped packets")


def ask(vm: VM, number: int, last: int, inside: tuple[str, ...] = ()) -> None:
    """Have the kernel ask for an address of IPv4 that nobody has, and ping the host by IPv6. The address has to be new:
    the kernel asks at once for no other."""
    vm.run(*inside, "ping", "-c", "1", "-W", "1", f"10.9.{number}.{last}")
    vm.run(*inside, "ping6", "-c", "1", "-W", "1", host_address6(number))


def except_for(vm: VM, *lines: str) -> None:
    vm.write("/tmp/exceptions", "".join(f"{line}\n" for line in lines))
    gate(vm, "arm", "--exceptions", "/tmp/exceptions")


@vmtest(kernels=KERNELS[:1], full_kernels=[*KERNELS, "trixie-cloud"], timeout=900)
def exceptions_pass_where_they_are_meant_and_nothing_else(t: Context) -> None:
    vm = wired(t)
    only_ip = "out: IP only" in state_of(vm)
    passing = {"packet"} if only_ip else set()
    other = ("nsenter", "-n", "-t", vm.out("other").out.strip())
    with Wire(vm, 0, 7) as first, Wire(vm, 1, 8) as second:
        watches = here, there = Watch(vm, first), Watch(vm, second)
        nobody = itertools.count(10)

        def look() -> None:
            settle(vm, watches)
            ask(vm, 0, next(nobody))
            ask(vm, 1, next(nobody), other)

        # A filter is for everybody, both ways, and brings the discovery of neighbours.
        for watch in watches:
            wait_until(lambda w=watch: w.out >= FILTERED and w.inside >= FILTERED, LIMIT, "what the filter takes, by IPv4 and IPv6")
        look()
        for watch in watches:
            assert watch.out - passing == FILTERED == watch.inside, (watch.out, watch.inside)
            # The hooks of IP drop a packet before the kernel asks for its address.
            wait_until(lambda w=watch: only_ip or "arp" in w.others, LIMIT, "a question for an address")
            assert watch.others <= {"arp", "icmp6 135", "icmp6 136"}, watch.others
        # A mark is for the initial namespace, on the way out. A wrong mark is none.
        except_for(vm, "mark 0x52")
        look()
        assert not here.out - passing and not here.inside, (here.out, here.inside)
        except_for(vm, "mark 0x52", "mark 0x51")
        look()
        assert here.out - passing == {"marked"} and not here.inside, (here.out, here.inside)
        wait_until(lambda: only_ip or "arp" in here.others, LIMIT, "a question for an address")
        assert here.others <= {"arp", "icmp6 135", "icmp6 136"}, here.others
        assert not there.out - passing and not there.inside, (there.out, there.inside)
        assert not there.others or only_ip, there.others
        # A name is of the initial namespace.
        except_for(vm, "device eth1")
        look()
        for watch in watches:
            assert not watch.out - passing and not watch.inside and (only_ip or not watch.others), (watch.out, watch.inside, watch.others)
        except_for(vm, "device eth0")
        look()
        wait_until(lambda: here.out >= set(KINDS) <= here.inside and "icmp6 128" in here.others, LIMIT, "all by the device")
        assert not there.out - passing and not there.inside and (only_ip or not there.others), (there.out, there.inside, there.others)


@vmtest(kernels=KERNELS[:1], timeout=900)
def rulesets_containers_and_killed_programs_leave_the_gate_shut(t: Context) -> None:
    vm = wired(t, more=nft_files(t.kernel))
    assert vm.run("sh", "-c", "for m in /modules/*; do insmod $m 2>/dev/null; done; lsmod | grep -q nf_tables").ok
    other = ("nsenter", "-n", "-t", vm.out("other").out.strip())
    with Wire(vm, 0, 7) as first, Wire(vm, 1, 8) as second:
        watches = Watch(vm, first), Watch(vm, second)

        def only_filtered() -> None:
            settle(vm, watches)
            assert state_of(vm).startswith("shut; devices: 2;"), state_of(vm)
            assert all(watch.out == FILTERED == watch.inside for watch in watches), [(w.out, w.inside) for w in watches]

        # Rules at the same hooks, and none.
        rules = "table netdev t { chain c { type filter hook ingress device eth0 priority 0; policy accept; }; }"
        for inside in ((), other):
            assert vm.run(*inside, "nft", "add table inet gone").ok
        assert vm.run("nft", rules).ok
        for inside in ((), other):
            assert vm.run(*inside, "nft", "flush ruleset").ok
            assert not vm.run(*inside, "nft", "list ruleset").out.strip()
        only_filtered()
        # Who armed or opened it is killed.
        for operation, state in ((ARM, "shut"), (OPEN, "open")):
            vm.spawn("setter", "setter", operation)
            vm.wait_output("setter", "^ready$", limit=LIMIT)
            vm.kill("setter", 9)
            vm.wait("setter")
            assert state_of(vm).startswith(f"{state}; devices: 2;"), state_of(vm)
        wait_for_both_ways(vm, (first, second))
        except_for(vm, f"bytecode {EXCEPTION}")
        gate(vm, "shut")
        # Traffic inside passes, and not on from there.
        vm.kill("wire1", 9)
        vm.wait("wire1")
        assert vm.run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1").ok
        veth_mac = vm.read("/sys/class/net/veth1/address").strip()
        assert vm.run("ip", "link", "set", "veth1", "netns", other[-1]).ok
        assert vm.run("ifconfig", "veth0", "192.168.8.1", "up").ok
        assert vm.run(*other, "ifconfig", "veth1", "192.168.8.2", "up").ok
        assert vm.run(*other, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward").ok
        assert vm.run("ip", "route", "add", host_address(1), "dev", "veth0").ok
        assert vm.run("ping", "-c", "1", "-W", "9", "192.168.8.2").ok
        assert state_of(vm).startswith("shut; devices: 2;"), state_of(vm)
        watch = Watch(vm, second)
        vm.spawn("inner", "wire", "veth0", host_address(1), veth_mac)
        vm.wait_output("inner", "^ready$", limit=LIMIT)
        wait_until(lambda: "open" in watch.out, LIMIT, "the exception from inside")
        settle(vm, (watch,))
        assert watch.out == {"open"}, watch.out
        gate(vm, "open")
        wait_until(lambda: watch.out >= {"udp", "raw", "marked", "open"}, LIMIT, "packets from inside")
