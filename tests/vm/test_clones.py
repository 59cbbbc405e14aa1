# SPDX-License-Identifier: MIT
"""Clones: exactly one new generation each, with different random bytes after it, and every kind of client learns."""

import errno
import re
from collections.abc import Callable
from dataclasses import replace

from vmlib import VM, Context, State, new_guid, vmtest, wait_until

from test_smoke import generation

# "exact" looks for itself, and calls when it finds something: then all the others learn, too.
WAITING = ("reader", "tracked", "epoll-level", "epoll-edge", "poll", "select", "mapped", "forked")
KINDS = (*WAITING, "exact")


def drawn(vm: VM) -> list[str]:
    """What the two threads of rng drew, each at the moment it saw generation 1."""
    return [vm.wait_output("rng", rf"^{how} 1 ([0-9a-f]{{64}})$", limit=60)[1] for how in ("read", "mapped")]


def draws(t: Context, clones: int) -> list[str]:
    """All that clones of one snapshot draw when they learn; each of them is exactly one generation further."""
    vm = t.boot(insmod="")
    vm.spawn("rng", "rng")
    vm.wait_output("rng", "^ready$", limit=60)
    state = vm.snapshot()

    def one() -> list[str]:
        with t.cloned(state) as clone:
            found = drawn(clone)
            clone.run("sleep", "0.3")
            assert generation(clone) == 1, "a second generation of one restore"
            return found

    return [text for found in t.parallel([one] * clones) for text in found]


@vmtest(quick=True, cpus=2, timeout=600)
def random_bytes_differ(t: Context) -> None:
    count = t.count(16, quick=8, full=40)
    found = draws(t, count)
    assert len(set(found)) == 2 * count, "clones drew the same bytes after they learned of the new generation"


@vmtest("bookworm-cloud", cpus=2, timeout=600)
def random_bytes_differ_needs_the_order(t: Context) -> None:
    """The control: a module that reseeds 50 ms after it publishes, by a clock that counts instructions. Nobody else
    reseeds: the id changes without a notification."""
    found = alike(t, None, silent=True)
    assert len(set(found)) == len(found), found
    found = alike(t, "reseed-late.patch", silent=True)
    assert len(set(found[1::2])) == 1, f"the mutant was not caught: {found}"


# Instructions are the clock then: clones that get no input run alike, to the bit. Else the kernel mixes the time of a
# reseed into the key, and clones may differ although nothing that differs was mixed.
DETERMINISTIC = ("-icount", "shift=0,sleep=off")


def alone(clone: VM) -> list[str]:
    """What a paused clone draws if nobody talks to it."""
    clone.resume(sync=False)
    wait_until(lambda: clone.console.read_bytes().count(b"drew") == 2, 100, "both threads to draw", interval=0.05)
    clone.control.sync(20)
    found = drawn(clone)
    clone.close()
    return found


@vmtest(core=True, timeout=600)
def random_bytes_differ_by_the_id_alone(t: Context) -> None:
    found = alike(t, None)
    assert len(set(found)) == len(found), found


@vmtest("bookworm-cloud", timeout=600)
def random_bytes_differ_needs_the_mix(t: Context) -> None:
    """The control: a module that reseeds, but does not mix the id."""
    found = alike(t, "no-mix.patch")
    assert len(set(found)) == 2, f"the mutant was not caught: {found}"


INSTANCE = "/sys/class/misc/sysgenid/id"


def instance(vm: VM) -> str:
    text = vm.read(INSTANCE)
    assert re.fullmatch("[0-9a-f]{32}", text) and len(set(text)) > 1, text
    return text


def instance_error(vm: VM) -> int:
    try:
        vm.read(INSTANCE)
    except OSError as e:
        return e.errno or 0
    return 0


@vmtest(quick=True, core=True)
def instance_id_differs_in_siblings_and_is_kept_by_a_restore(t: Context) -> None:
    vm = t.boot(insmod="")
    before = instance(vm)
    state = vm.snapshot()
    found = []
    for _ in range(2):
        with t.cloned(state) as clone:
            found.append(instance(clone))
            assert generation(clone) == 1 and instance(clone) == found[-1]
    assert len({before, *found}) == 3, (before, found)
    with t.cloned(state, "same") as clone:
        assert instance(clone) == before
        assert clone.run("sysgenidctl", "trigger").ok
        assert instance_error(clone) == errno.ENODATA
        # Same hardware id, same generation: what can be compared with guesses would be the same again.
        clone.rmmod()
        assert clone.insmod("") == 0
        assert instance(clone) not in (before, *found)


def instances_alike(t: Context, patch: str) -> tuple[list[str], list[str]]:
    """What clones draw whose generators are alike, and their instance ids."""
    vm = t.boot(insmod="guard=0", patch=patch, extra=DETERMINISTIC)
    vm.spawn("rng", "rng")
    vm.wait_output("rng", "^ready$", limit=60)
    state = vm.snapshot()
    draws, ids = [], []
    for _ in range(t.count(2, full=4)):
        clone = t.clone(state, paused=True)
        clone.resume(sync=False)
        wait_until(lambda clone=clone: clone.console.read_bytes().count(b"drew") == 2, 100, "both threads to draw", interval=0.05)
        clone.control.sync(20)
        draws += drawn(clone)[1:]
        ids.append(instance(clone))
        clone.close()
    return draws, ids


@vmtest("bookworm-cloud", timeout=600)
def instance_id_differs_where_the_generator_does_not(t: Context) -> None:
    """By the hardware id. And the control, a module that does not hash it."""
    draws, ids = instances_alike(t, "no-reseed.patch")
    assert len(set(draws)) == 1, f"the generators differ: {draws}"
    assert len(set(ids)) == len(ids), ids
    draws, ids = instances_alike(t, "instance-of-rng.patch")
    assert len(set(draws)) == 1 and len(set(ids)) == 1, f"the mutant was not caught: {draws} {ids}"


@vmtest("bookworm-cloud")
def instance_id_needs_fresh_bytes(t: Context) -> None:
    """The control: a module that makes it of the hardware id and the generation alone."""
    vm = t.boot(insmod="", patch="instance-of-id.patch")
    first = instance(vm)
    vm.rmmod()
    assert vm.insmod("") == 0
    assert instance(vm) == first, "the mutant was not caught"


def silently_changed(t: Context, state: State) -> VM:
    """A paused clone whose id has changed, and nothing will tell it: what QEMU notifies of a restore is over."""
    clone = t.clone(state, "same", ram_file=True)
    clone.run("sleep", "0.1")
    clone.pause()
    clone.write_guid(new_guid().bytes_le)
    return clone


def alike(t: Context, patch: str | None, silent: bool = False) -> list[str]:
    """What four clones draw in which only the id differs. silent: nothing tells the guest of it. Only a module as it
    is, in a guest that is told, has its guard: that would publish before the programs look."""
    vm = t.boot(insmod="guard=0" if patch or silent else "", patch=patch, extra=DETERMINISTIC)
    vm.spawn("rng", "rng")
    vm.wait_output("rng", "^ready$", limit=60)
    state = vm.snapshot()
    found = []
    for _ in range(4):
        found += alone(silently_changed(t, state) if silent else t.clone(state, paused=True))
    return found


@vmtest(quick=True, core=True, cpus=2, timeout=600)
def every_client_learns(t: Context) -> None:
    vm = t.boot(insmod="", smp=2)
    vm.spawn("clients", "clients")
    vm.wait_output("clients", "^ready", limit=60)
    state = vm.snapshot()

    def other() -> None:
        with t.cloned(state) as clone:
            for kind in KINDS:
                clone.wait_output("clients", rf"^{kind} 1$", limit=60)
            clone.run("sleep", "0.3")
            said = clone.out("clients").out.split("\n")
            for kind in KINDS:
                count = sum(line.startswith(kind + " ") for line in said)
                assert count == 1, f"{kind} spoke {count} times"

    def same() -> None:
        with t.cloned(state, "same") as clone:
            clone.run("sleep", "0.5")
            said = clone.out("clients").out
            assert not re.search(r" 1$", said, re.M), said
            assert generation(clone) == 0

    for _ in range(t.count(3, quick=1, full=5)):
        t.parallel([other, other, same])


@vmtest(timeout=600)
def chain_of_clones(t: Context) -> None:
    """A clone of a clone of a clone: one generation each."""
    vm = t.boot(insmod="")
    for expected in range(1, 21):
        state = vm.snapshot()
        vm.close()
        vm = t.clone(state)
        state.discard()
        assert generation(vm) == expected


@vmtest()
def silent_change(t: Context) -> None:
    """A hypervisor that changes the id and notifies nobody, as Xen does: without the guard sleepers learn by the slow
    compare."""
    vm = t.boot(insmod="guard=0 compare_interval_ms=300", ram_file=True)
    vm.spawn("clients", "clients", *WAITING)
    vm.wait_output("clients", "^ready", limit=60)
    vm.write_guid(bytes(range(16)))
    for kind in WAITING:
        vm.wait_output("clients", rf"^{kind} 1$", limit=60)
    assert generation(vm) == 1


@vmtest()
def silent_change_without_the_slow_compare(t: Context) -> None:
    """With an interval of 0 and no guard only a call notices; that is what the interval is for."""
    vm = t.boot(insmod="guard=0 compare_interval_ms=0", ram_file=True)
    vm.spawn("clients", "clients", *WAITING)
    vm.wait_output("clients", "^ready", limit=60)
    vm.write_guid(bytes(range(16)))
    vm.run("sleep", "1")
    assert "reader 1" not in vm.out("clients").out
    assert generation(vm) == 1
    vm.wait_output("clients", "^reader 1$", limit=60)


def torn(t: Context, patch: str) -> int:
    """Half of the id is written, then, while a call is between two looks at it, the other half. The guard, which would
    be the first to look, has tests of its own."""
    vm = t.boot(insmod="guard=0 compare_interval_ms=0", patch=patch, ram_file=True)
    vm.write_guid(bytes(range(8)))
    vm.spawn("look", "cat", "/sys/class/misc/sysgenid/generation")
    wait_until(lambda: b"between two reads" in vm.console.read_bytes(), 20, "the call to be between two reads")
    vm.write_guid(bytes(range(8)), offset=8)
    assert vm.wait("look").ok
    return generation(vm)


@vmtest("bookworm-cloud")
def torn_id_is_one_generation(t: Context) -> None:
    assert torn(t, "read-slowly.patch") == 1


@vmtest("bookworm-cloud")
def torn_id_needs_the_second_read(t: Context) -> None:
    """The control: a module that takes the first read of the id."""
    assert torn(t, "read-once.patch") == 2


@vmtest()
def only_half_of_the_id_changes(t: Context) -> None:
    vm = t.boot(insmod="compare_interval_ms=0", ram_file=True)
    for number, offset in enumerate((0, 8), 1):
        vm.write_guid(bytes([number] * 8), offset=offset)
        assert generation(vm) == number


@vmtest(quick=True)
def software_only(t: Context) -> None:
    """software=1 without a device: triggers make generations, and nothing is claimed of the hardware."""
    vm = t.boot(guid=None, insmod="software=1")
    assert vm.read("/sys/class/misc/sysgenid/sources").split()[-1] == "software"
    assert generation(vm) == 0
    assert instance_error(vm) == errno.ENODATA
    assert vm.run("conformance", "abi: trigger").ok
    assert generation(vm) > 0
    assert int(vm.read("/sys/class/misc/sysgenid/hw_page_error")) != 0


def entropy(text: str) -> tuple[str, ...]:
    """What the hypervisor tells the agent in this clone."""
    return "-fw_cfg", f"name=opt/sysgenid/entropy,string={text:*<64}"


def diverge_by_entropy_alone(
    t: Context, source: Callable[..., State], alone: Callable[[VM], list[str]]
) -> None:
    """Nothing differs between clones of source() but what the hypervisor tells an agent in each; an agent that is
    told "without" does not pass it on, and they draw the same."""

    def told(state: State, text: str) -> list[str]:
        machine = replace(state.machine, extra=DETERMINISTIC + entropy(text))
        return alone(t.clone(replace(state, machine=machine), paused=True))

    def comes_again(state: State, drawn: list[str], text: str) -> bool:
        """QEMU's threads may take turns in another way on a busy machine. Chance draws no bytes twice: once is enough."""
        return any(told(state, text) == drawn for _ in range(4))

    state = source()
    one, two = told(state, "clone A"), told(state, "clone B")
    assert not set(one) & set(two), (one, two)
    assert comes_again(state, one, "clone A"), "something else than the entropy differs"
    state = source("without")
    assert comes_again(state, told(state, "clone A"), "clone B")


@vmtest("amd64", timeout=600)
def trigger_with_entropy_diverges(t: Context) -> None:
    """An agent on a hypervisor without vmgenid."""

    def source(*options: str) -> State:
        vm = t.boot(guid=None, insmod="software=1", extra=DETERMINISTIC + entropy("source"))
        vm.spawn("rng", "rng")
        vm.wait_output("rng", "^ready$", limit=60)
        vm.spawn("agent", "agent", *options)
        vm.wait_output("agent", "^ready$", limit=60)
        return vm.snapshot()

    diverge_by_entropy_alone(t, source, alone)


@vmtest(quick=True)
def trigger_without_entropy_warns(t: Context) -> None:
    vm = t.boot(insmod="")
    assert vm.run("sysgenidctl", "trigger").ok
    wait_until(lambda: "without entropy" in vm.dmesg(), 30, "the warning")
    vm.write("/tmp/entropy", b"of the host")
    assert vm.run("sysgenidctl", "trigger", "--entropy", "/tmp/entropy").ok
    wait_until(lambda: "sysgenid: generation 2 (software)" in vm.dmesg(), 30, "the line of generation 2")
    assert vm.dmesg().count("without entropy") == 1
    assert generation(vm) == 2
