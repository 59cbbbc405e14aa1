# SPDX-License-Identifier: MIT
"""sysgenid-runtime in clones, in front of Debian's crun and runc: nothing of an older generation is started, and nothing
half-made is left. What needs no clone is in tests/unit/runtime.py."""

import random
import re
import time
from dataclasses import dataclass

from vmlib import VM, Context, Lab, State, containers, gdb, vmtest, wait_until
from vmlib.extras import with_files
from vmlib.wire import Wire, guest_address, guest_address6, host_address, host_mac, options

from test_overseer import LIMIT, PREPARE, WAITING_HOOK, configure, hook, journal, oversee, sh, status, until, watchers

KERNEL = "bookworm-cloud"
RUNTIMES = ("crun", "runc")
TOOL = f"{containers.TOOL} --root /run/trial"
# Of a container: when it began, and in which generation.
PROGRAM = """
echo "$(cut -d ' ' -f 1 /proc/uptime) $(cat /sys/class/misc/sysgenid/generation)" >>/ran
exec sleep 100000
"""
ROOTFS = """
mkdir -p /bundle/rootfs/bin /bundle/rootfs/proc /bundle/rootfs/sys /bundle/rootfs/dev
cp /bin/busybox /bundle/rootfs/bin
for word in cat cut sh sleep touch true; do ln -s busybox /bundle/rootfs/bin/$word; done
mkdir -p /run/stop /etc/sysgenid
"""
# Between sysgenid-runtime and the runtime that the id names. /run/stop/ID says at which command of that container it stands
# still, "before" or "after", until there is /run/go.
BETWEEN = """#!/bin/sh
for word; do
	case $word in create|start|exec) [ -n "$verb" ] || verb=$word;; crun*|runc*) id=$word;; esac
done
stand() {
	[ "$(cat /run/stop/$id 2>/dev/null)" = "$verb $1" ] || return
	rm /run/stop/$id
	touch /run/stands-$id
	until [ -e /run/go ]; do sleep 0.05; done
}
stand before
/bin/env PATH=/usr/bin:/usr/sbin ${id%%-*} "$@"
r=$?
stand after
exit $r
"""


def booted(t: Lab, *more: str, smp: int = 1, insmod: str = "", append: str = "") -> VM:
    """A machine that is ready, and a bundle. more: of QEMU."""
    vm = t.boot(insmod=insmod, smp=smp, append=append, memory=512, extra=[*more, *with_files(t.initrd(), containers.files(t.kernel))])
    sh(vm, PREPARE)
    sh(vm, ROOTFS)
    vm.write("/bundle/rootfs/program", PROGRAM)
    vm.write("/bundle/config.json", containers.config(["/bin/sh", "/program"]))
    vm.write("/run/between", BETWEEN)
    sh(vm, "chmod 755 /run/between")
    vm.write("/etc/sysgenid/runtime.conf", "[runtime]\nruntime = /run/between\nwait = 120\nhw-device = yes\n")
    return vm


# The root of an initramfs cannot be changed by pivot_root(2).
CREATE = f"{TOOL} create --no-pivot --bundle /bundle"


def create(vm: VM, name: str) -> None:
    sh(vm, f"{CREATE} {name} </dev/null >/dev/null 2>/run/err || {{ cat /run/err; false; }}")


def begin(vm: VM, name: str, command: str, stop: str) -> None:
    """In the background, and it stands there."""
    vm.write(f"/run/stop/{name}", stop)
    vm.spawn(name, "sh", "-c", f"exec {command} </dev/null >/dev/null 2>/run/err-{name}")
    wait_until(lambda: vm.exists(f"/run/stands-{name}"), LIMIT, f"{name} to stand {stop}")


def state(vm: VM, name: str) -> str:
    """Of the runtime itself; "" if it knows of none."""
    done = vm.run("/bin/env", "PATH=/usr/bin:/usr/sbin", name.partition("-")[0], "--root", "/run/trial", "state", name, limit=LIMIT)
    found = re.search(r'"status": "(\w+)"', done.out)
    return found[1] if found else ""


def record(vm: VM, name: str) -> dict[str, str]:
    """Nothing if there is none."""
    path = f"/run/sysgenid/containers/%2frun%2ftrial/{name}/record"
    return dict(re.findall(r'"(progress|generation)": ?"?(\w+)', vm.read(path))) if vm.exists(path) else {}


def records(vm: VM) -> list[str]:
    """All, half-made ones too."""
    return sh(vm, "ls -A /run/sysgenid/containers/%2frun%2ftrial").split()


def programs(vm: VM) -> int:
    """How many of containers run."""
    return len(re.findall("sleep 10000[01]", sh(vm, "ps -o args")))


def refused(vm: VM, command: str, text: str) -> None:
    done = vm.run("sh", "-c", f"exec {command} </dev/null 2>&1", limit=LIMIT)
    assert done.code == 1 and text in done.out, (command, done)


STOPS = ("before", "after")
EXEC = "sh -c 'echo exec >>/ran; exec sleep 100001'"


def in_the_middle(vm: VM, runtime: str) -> None:
    """A container in each stage, and each command stopped on both sides of what the runtime does."""
    for stage in ("created", "running", "exec-before", "exec-after", "start-before", "start-after"):
        create(vm, f"{runtime}-{stage}")
    for stage in ("running", "exec-before", "exec-after"):
        sh(vm, f"{TOOL} start {runtime}-{stage}")
    for stop in STOPS:
        begin(vm, f"{runtime}-create-{stop}", f"{CREATE} {runtime}-create-{stop}", f"create {stop}")
        begin(vm, f"{runtime}-start-{stop}", f"{TOOL} start {runtime}-start-{stop}", f"start {stop}")
        begin(vm, f"{runtime}-exec-{stop}", f"{TOOL} exec --detach {runtime}-exec-{stop} {EXEC}", f"exec {stop}")


def all_is_done(vm: VM, runtime: str) -> None:
    """The same machine went on."""
    for stop in STOPS:
        for command in ("create", "start", "exec"):
            name = f"{runtime}-{command}-{stop}"
            done = vm.wait(name, limit=LIMIT)
            assert done.ok, (name, done, vm.read(f"/run/err-{name}"))
        assert state(vm, f"{runtime}-create-{stop}") == "created"
        assert state(vm, f"{runtime}-start-{stop}") == "running"
    sh(vm, f"{TOOL} start {runtime}-created")


def all_is_undone(vm: VM, runtime: str) -> None:
    """A clone."""
    for stop in STOPS:
        for command in ("create", "start", "exec"):
            name = f"{runtime}-{command}-{stop}"
            done, said = vm.wait(name, limit=LIMIT), vm.read(f"/run/err-{name}")
            assert done.code == 1 and f"not-ready: {command} undone" in said or f"not-ready: {command}" in said, (name, done, said)
            assert f"{command} undone" in said, (name, said)
        assert state(vm, f"{runtime}-create-{stop}") == "" and record(vm, f"{runtime}-create-{stop}") == {}
        assert state(vm, f"{runtime}-start-{stop}") == "stopped"
        sh(vm, f"{TOOL} delete {runtime}-start-{stop}")
    refused(vm, f"{TOOL} start {runtime}-created", "stale: ")
    assert state(vm, f"{runtime}-created") == "created"
    sh(vm, f"{TOOL} delete --force {runtime}-created")
    # What ran goes on, and is entered again.
    assert state(vm, f"{runtime}-running") == "running"
    sh(vm, f"{TOOL} exec {runtime}-running true")
    create(vm, f"{runtime}-created")
    sh(vm, f"{TOOL} start {runtime}-created")


@vmtest(KERNEL, timeout=1800)
def operations_that_a_clone_finds_half_done_are_undone(t: Context) -> None:
    """create, start and exec, before and after the runtime's part; created and not started: stale. In the same machine all
    of it succeeds."""
    vm = booted(t)
    oversee(vm)
    for runtime in RUNTIMES:
        in_the_middle(vm, runtime)
    snapshot = vm.snapshot()
    vm.close()
    with t.cloned(snapshot, "same") as clone:
        clone.write("/run/go", "")
        for runtime in RUNTIMES:
            all_is_done(clone, runtime)
    with t.cloned(snapshot) as clone:
        until(clone, "ready", 1)
        clone.write("/run/go", "")
        for runtime in RUNTIMES:
            all_is_undone(clone, runtime)
        # Of each runtime: one that ran, two that were entered, and the new one.
        wait_until(lambda: programs(clone) == 4 * len(RUNTIMES), LIMIT, "nothing more to run")
        assert sorted(records(clone)) == sorted(f"{r}-{s}" for r in RUNTIMES for s in ("created", "running", "exec-before", "exec-after"))


# Until there is /run/end: writes what it did, with the generation before it.
LOOP = """
generation() { cat /sys/class/misc/sysgenid/generation; }
n=0
while [ ! -e /run/end ]; do
	for runtime in crun runc; do
		n=$((n + 1))
		id=$runtime-$n
		before=$(generation)
		CREATE $id </dev/null >/dev/null 2>/run/loop.err
		echo "create $id $before $? $(tail -n 1 /run/loop.err)"
		before=$(generation)
		TOOL start $id 2>/run/loop.err
		echo "start $id $before $? $(tail -n 1 /run/loop.err)"
		[ ! -e /run/end ] || break
		TOOL delete --force $id 2>/run/loop.err
		echo "delete $id $before $? $(tail -n 1 /run/loop.err)"
	done
done
echo end
""".replace("CREATE", CREATE).replace("TOOL", TOOL)


@dataclass
class Did:
    """A line of the loop."""

    verb: str
    id: str
    generation: int
    status: int
    said: str


def did(vm: VM) -> list[Did]:
    lines = re.findall(r"^(create|start|delete) (\S+) (\d+) (\d+) (.*)$", vm.out("loop").out, re.M)
    return [Did(verb, id_, int(generation), int(code), said) for verb, id_, generation, code, said in lines]


def lasts(t: Context, vm: VM) -> str:
    """In a clone: the loop goes on, ends, and what is left was made in this generation. Returns what the resume undid."""
    until(vm, "ready", 1)
    wait_until(lambda: [d for d in did(vm) if d.verb == "delete" and d.generation == 1 and not d.status], LIMIT, "a whole life in the clone")
    vm.write("/run/end", "")
    assert vm.wait("loop", limit=LIMIT).ok
    lines = did(vm)
    created = {d.id: d.generation for d in lines if d.verb == "create" and not d.status}
    for d in lines:
        if d.verb == "start" and not d.status and d.generation == 1:
            # One whose creation was under way is undone, if it was in vain.
            assert d.id in created, d
        assert not d.status or "not-ready: " in d.said or "stale: " in d.said or "not-found: " in d.said or "does not exist" in d.said, d
    (last,) = {d.id for d in lines[-1:]}
    assert records(vm) == [last], (records(vm), lines[-3:])
    assert record(vm, last) == {"progress": "started", "generation": "1"} and state(vm, last) == "running", record(vm, last)
    assert len(sh(vm, "ls /run/trial").split()) == 1
    wait_until(lambda: programs(vm) == 1, LIMIT, "one program to be left")
    failed = [f"{d.verb}: {d.said}" for d in lines if d.status]
    return "; ".join(failed) or "nothing"


@vmtest(KERNEL, timeout=1800, full_timeout=14400)
def loop_of_lives_goes_on_in_clones(t: Context) -> None:
    """create, start, delete without pause, and snapshots at any time."""
    vm = booted(t)
    oversee(vm)
    vm.spawn("loop", "sh", "-c", LOOP)
    chance = random.Random()
    for i in range(t.count(4, quick=1, full=50)):
        lives = len(did(vm))
        wait_until(lambda n=lives: len(did(vm)) >= n + 3, LIMIT, "a life")
        time.sleep(chance.random())
        snapshot = vm.snapshot()
        with t.cloned(snapshot) as clone:
            t.log(f"clone {i}: {lasts(t, clone)}")
        snapshot.discard()
        vm.resume()


# Seconds of a real-time task on the processor that is told of a resume.
HOG = 30


def entered(vm: VM) -> bool:
    return vm.exists("/bundle/rootfs/entered")


def enter_it(tool: str) -> str:
    return f"{tool} --root /run/trial exec crun-a /bin/touch /entered"


@vmtest(KERNEL, cpus=2, timeout=1800)
def exec_after_a_resume_is_refused_while_the_kernel_is_not_told(t: Context) -> None:
    """A real-time task keeps whoever tells of a resume from running, and nobody has published. The calls compare."""
    vm = booted(t, smp=2, insmod="guard=0 compare_interval_ms=0", append="rcupdate.rcu_cpu_stall_suppress=1")
    oversee(vm)
    create(vm, "crun-a")
    sh(vm, f"{TOOL} start crun-a")
    pid = vm.spawn("hog", "taskset", "1", "hog", "60", str(HOG))
    wait_until(lambda: vm.read(f"/proc/{pid}/stat").split()[40] == "1", LIMIT, "the task to be a real-time task")
    snapshot = vm.snapshot()
    vm.close()
    with t.cloned(snapshot) as clone:
        refused(clone, enter_it(containers.TOOL), "not-ready: ")
        assert not entered(clone) and "hog" in sh(clone, "ps")
        until(clone, "ready", 1)
        sh(clone, enter_it(containers.TOOL))
        assert entered(clone)
    with t.cloned(snapshot, "same") as clone:
        sh(clone, enter_it(containers.TOOL))
        assert entered(clone)


def answered_before(t: Context, vm: VM, tool: str) -> State:
    """A snapshot when the overseer has answered, and exec hangs up."""
    where = gdb.address(vm, "unix_release")
    vm.spawn("exec", "sh", "-c", f"sleep 1; exec {enter_it(tool)} 2>/run/err")
    debugger = gdb.Debugger(vm)
    debugger.run_to(where)
    return gdb.snapshot(vm)


@vmtest(KERNEL, timeout=1800)
def answer_from_before_the_resume_does_not_count(t: Context) -> None:
    """The device is asked last. Who asks the overseer alone enters a container in a clone that has not adjusted."""
    vm = booted(t)
    oversee(vm)
    create(vm, "crun-a")
    sh(vm, f"{TOOL} start crun-a")
    base = vm.snapshot()
    vm.close()
    for tool, wrong in ((containers.TOOL, False), (containers.MUTANT_TOOL, True)):
        with t.cloned(base, "same") as source:
            snapshot = answered_before(t, source, tool)
        with t.cloned(snapshot) as clone:
            done, said = clone.wait("exec", limit=LIMIT), clone.read("/run/err")
            # Undone is what had been entered.
            assert done.code == 1 and f"not-ready: exec {'undone' if wrong else 'refused'}" in said, (tool, done, said)
            assert wrong or not entered(clone)
            until(clone, "ready", 1)
        if not wrong:
            with t.cloned(snapshot, "same") as clone:
                assert clone.wait("exec", limit=LIMIT).ok and entered(clone)


# Writes all the time, and sends when it has a card.
SENDER = f"""
while :; do cut -d ' ' -f 1 /proc/uptime >>/written; sleep 0.02; done &
until [ -e /go ]; do sleep 0.1; done
exec wire eth0 {host_address(0)} {host_mac(0)} >/heard 2>/err
"""
WRITTEN = "/bundle/rootfs/written"


def pid_of(vm: VM, name: str) -> str:
    return sh(vm, f"{TOOL} state {name} | sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p'").strip()


def run_sender(vm: VM) -> None:
    """A container with the card of the machine in a network of its own."""
    vm.write("/bundle/rootfs/program", SENDER)
    vm.write("/bundle/config.json", containers.config(["/bin/sh", "/program"], network=True))
    sh(vm, "cp /bin/wire /bundle/rootfs/bin")
    create(vm, "crun-sender")
    sh(vm, f"{TOOL} start crun-sender")
    pid = pid_of(vm, "crun-sender")
    sh(vm, f"ip link set eth0 netns {pid}")
    inside = f"nsenter -n -t {pid} ifconfig eth0"
    sh(vm, f"{inside} {guest_address(0)} up && {inside} add {guest_address6(0)}/64 && touch /bundle/rootfs/go")


def writes(vm: VM) -> None:
    was = vm.read(WRITTEN)
    wait_until(lambda: vm.read(WRITTEN) != was, LIMIT, "the container to write")


@vmtest(KERNEL, timeout=1800)
def frozen_containers_send_and_write_nothing_before_ready(t: Context) -> None:
    """freeze = containers, with cgroups that the runtime made itself. A container that its user paused stays paused."""
    vm = booted(t, *options(0))
    hook(vm, "adjust", WAITING_HOOK)
    oversee(vm, "gate = kernel", "freeze = containers")
    create(vm, "runc-paused")
    sh(vm, f"{TOOL} start runc-paused && {TOOL} pause runc-paused")
    run_sender(vm)
    with Wire(vm, 0, 7) as wire:
        wire.wait_for_all(LIMIT)
        sh(vm, "sysgenidctl quiesce")
    was = vm.read(WRITTEN)
    snapshot = vm.snapshot()
    with t.cloned(snapshot, paused=True) as clone, Wire(clone, 0, 8) as wire:
        clone.resume()
        until(clone, "adjusting", 1)
        start = clone.ping()
        wait_until(lambda: clone.ping() > start + 3e9, LIMIT, "three seconds of adjusting")
        assert clone.read(WRITTEN) == was and not wire.came, wire.came
        clone.write("/run/go", "")
        until(clone, "ready", 1)
        wire.wait_for_all(LIMIT)
        writes(clone)
        assert state(clone, "runc-paused") == "paused"
    # The control: what is not frozen writes.
    vm.resume()
    vm.write("/run/go", "")
    sh(vm, "sysgenidctl resume")
    oversee(vm, "gate = kernel")
    sh(vm, "sysgenidctl quiesce")
    writes(vm)
    # Nor is the overseer's own.
    sh(vm, "sysgenidctl resume")
    oversee(vm, "gate = kernel", "freeze = containers")
    sh(vm, "sed -i 's,\"cgroup\":\"[^\"]*\",\"cgroup\":\"0::/overseer\",' /run/sysgenid/containers/%2frun%2ftrial/crun-sender/record")
    done = vm.run("sh", "-c", "sysgenidctl quiesce 2>&1", limit=LIMIT)
    assert not done.ok and 'the overseer runs in container "crun-sender"' in done.out, done
    writes(vm)


DEAF = """
sleep 100000 &
trap "" TERM
exec sysgenidctl watch --exec "sleep 100001"
"""


@vmtest(KERNEL, timeout=1800)
def container_of_a_laggard_is_killed_as_a_whole(t: Context) -> None:
    """laggards = kill-container; others go on. The machine is held where the cgroup of a container is not known."""
    vm = booted(t)
    oversee(vm, "watcher-timeout = 1", "kill-timeout = 1", "laggards = kill-container")
    create(vm, "runc-other")
    sh(vm, f"{TOOL} start runc-other")
    wait_until(lambda: programs(vm) == 1, LIMIT, "a bystander")
    sh(vm, "cp /bin/sysgenidctl /bundle/rootfs/bin")
    vm.write("/bundle/rootfs/program", DEAF)
    for generation, name in ((1, "crun-deaf"), (2, "runc-deaf")):
        create(vm, name)
        sh(vm, f"{TOOL} start {name}")
        watchers(vm, 1)
        sh(vm, "sysgenidctl trigger")
        until(vm, "ready", generation)
        assert state(vm, name) == "stopped" and programs(vm) == 1, sh(vm, "ps")
        assert f'killed container "{name}"' in journal(vm), journal(vm)
        sh(vm, f"{TOOL} delete {name}")
    create(vm, "crun-deaf")
    sh(vm, f"{TOOL} start crun-deaf")
    watchers(vm, 1)
    sh(vm, "sed -i 's/\"cgroup\":\"[^\"]*\"/\"cgroup\":\"\"/' /run/sysgenid/containers/%2frun%2ftrial/crun-deaf/record")
    sh(vm, "sysgenidctl trigger")
    held = until(vm, "held", 3)
    assert "the cgroup of a container is not known" in held["about"], held
    assert state(vm, "crun-deaf") == "running" and state(vm, "runc-other") == "running"
    sh(vm, f"{TOOL} delete --force crun-deaf")
    until(vm, "ready", 3)


ENGINES = ("containerd", "podman")
PODMAN = "podman --runtime /usr/bin/sysgenid-runtime"
# The root file system comes last.
PODMAN_OPTIONS = "--network none --rootfs /bundle/rootfs sh -c 'while :; do cut -d . -f 1 /proc/uptime >/now; sleep 0.1; done'"
CTR_RUN = "ctr run -d --null-io --env PATH=/bin --runc-binary /usr/bin/sysgenid-runtime --rootfs /bundle/rootfs"


def goes_on(vm: VM) -> None:
    was = vm.read("/bundle/rootfs/now")
    wait_until(lambda: vm.read("/bundle/rootfs/now") != was, LIMIT, "the container to go on")


def lives_with_podman(vm: VM) -> None:
    """In a settled machine: what was created anew runs, is entered, and ends."""
    sh(vm, f"{PODMAN} run -d --name new {PODMAN_OPTIONS}")
    sh(vm, f"{PODMAN} exec new true")
    sh(vm, f"{PODMAN} exec ran true && {PODMAN} stop -t 1 ran && {PODMAN} rm -f ran new")
    assert not sh(vm, "find /run/sysgenid/containers -name record")


@vmtest(KERNEL, full_only=True, timeout=3600)
def podman_and_containerd_in_front_of_it(t: Context) -> None:
    """Debian's engines, with systemd's cgroups: created before a snapshot, stale after; frozen while quiesced; and nothing
    is entered in a machine that is held."""
    vm = t.boot_system(containers.root(t.kernel, ENGINES), memory=1024)
    sh(vm, "mkdir -p /etc/sysgenid; " + ROOTFS)
    vm.write("/etc/sysgenid/runtime.conf", "[runtime]\nwait = 120\n")
    configure(vm, "gate = kernel", "freeze = containers", "sessions = keep")
    sh(vm, "systemctl daemon-reload; systemctl start sysgenid-overseer")
    until(vm, "ready", 0)
    sh(vm, f"{PODMAN} run -d --name ran {PODMAN_OPTIONS}")
    sh(vm, f"{CTR_RUN} ctr /bin/sh -c 'while :; do sleep 0.1; done'")
    sh(vm, "ctr task exec --exec-id one ctr /bin/true")
    sh(vm, f"{PODMAN} create --name made {PODMAN_OPTIONS} && {PODMAN} init made")
    goes_on(vm)
    sh(vm, "sysgenidctl quiesce")
    was = vm.read("/bundle/rootfs/now")
    snapshot = vm.snapshot()
    with t.cloned(snapshot) as clone:
        assert clone.read("/bundle/rootfs/now") == was
        until(clone, "ready", 1)
        goes_on(clone)
        assert not clone.run("sh", "-c", f"{PODMAN} start made", limit=LIMIT).ok
        sh(clone, f"{PODMAN} rm -f made")
        sh(clone, "ctr task exec --exec-id two ctr /bin/true; ctr task kill -s KILL ctr")
        wait_until(lambda: "STOPPED" in sh(clone, "ctr task ls"), LIMIT, "the task to stop")
        sh(clone, f"ctr task rm ctr && ctr container rm ctr && {CTR_RUN} ctr2 /bin/sleep 1000 && ctr task exec --exec-id one ctr2 /bin/true")
        sh(clone, "ctr task rm -f ctr2 && ctr container rm ctr2")
        lives_with_podman(clone)
    with t.cloned(snapshot, "same") as clone:
        sh(clone, "sysgenidctl resume")
        sh(clone, f"{PODMAN} start made")
        # Held: nothing is entered, and all can be ended.
        hook(clone, "adjust", "#!/bin/sh\nexit 1\n")
        sh(clone, "sysgenidctl trigger")
        until(clone, "held", 1)
        assert not clone.run("sh", "-c", f"{PODMAN} exec made true", limit=LIMIT).ok
        assert not clone.run("sh", "-c", "ctr task exec --exec-id three ctr /bin/true", limit=LIMIT).ok
        sh(clone, f"{PODMAN} stop -t 1 made && ctr task kill -s KILL ctr")
