# SPDX-License-Identifier: MIT
"""Checkpoints by CRIU that are restored more than once: podman's containers, with and without the plugin, and plain processes."""

import json
import re

from vmlib import VM, Context, Result, criu, vmtest, wait_until

from test_overseer import sh

LIMIT = 300.0
NAMES = {"bookworm": "runc", "trixie": "crun"}
AWAY = "/srv/plugin.so"
GENERATION = "/sys/class/misc/sysgenid/generation"
DEVICES = "--device /dev/sysgenid --device /dev/sysgenid-hw --env OPENSSL_CONF=/etc/provider.cnf"
# These draw from a state in memory, and look at nothing: no restore by whatever means changes that.
BLIND = {"python", "openssl"}
ROUNDS = 3

# What was drawn, by generator.
Draws = dict[str, list[str]]


def booted(t: Context) -> VM:
    vm = t.boot_system(criu.root(t.kernel), memory=1024)
    sh(vm, f"podman import {criu.IMAGE} localhost/trial")
    return vm


def generation(vm: VM) -> int:
    return int(vm.read(GENERATION))


def drawn(vm: VM, path: str, since: float = 0.0) -> Draws:
    """In rounds that began after a time of the guest."""
    text = vm.read(path) if vm.exists(path) else ""
    found: Draws = {}
    for line in text[: text.rfind("\n") + 1].splitlines():
        values = json.loads(line)
        values.pop("woke")
        if values.pop("time") > since:
            for name, value in values.items():
                found.setdefault(name, []).append(value)
    return found


def draws_on(vm: VM, path: str, since: float = 0.0) -> Draws:
    """The first rounds."""

    def all_did() -> bool:
        found = drawn(vm, path, since)
        return bool(found) and all(len(values) >= ROUNDS for values in found.values())

    wait_until(all_did, LIMIT, f"draws in {path}")
    return {name: values[:ROUNDS] for name, values in drawn(vm, path, since).items()}


def repeated(one: Draws, other: Draws) -> set[str]:
    """The generators that drew something in both."""
    return {name for name, values in one.items() if set(values) & set(other[name])}


class Podman:
    """Containers with a runtime that can checkpoint."""

    def __init__(self, t: Context, vm: VM) -> None:
        self.vm, self.command = vm, f"podman --runtime {NAMES[t.kernel.suite]}"

    def run(self, name: str, kind: str) -> None:
        more = DEVICES if kind == "clients" else ""
        sh(self.vm, f"{self.command} run -d --name {name} --network none {more} localhost/trial python3 /draws.py {kind} /out/draws")
        draws_on(self.vm, self.path(name))

    def path(self, name: str) -> str:
        pid = sh(self.vm, f"podman inspect --format '{{{{.State.Pid}}}}' {name}").strip()
        return f"/proc/{pid}/root/out/draws"

    def checkpoint(self, name: str) -> Result:
        command = f"exec {self.command} container checkpoint --compress none --export /srv/{name}.tar {name} 2>&1"
        return self.vm.run("sh", "-c", command, limit=LIMIT)

    def pair(self, name: str) -> set[str]:
        """Restores an export twice; what both drew."""
        since = float(sh(self.vm, "date +%s.%N"))
        found = []
        for copy in ("one", "two"):
            sh(self.vm, f"{self.command} container restore --import /srv/{name}.tar --name {copy}")
        for copy in ("one", "two"):
            found.append(draws_on(self.vm, self.path(copy), since))
        return repeated(*found)

    def end(self, *names: str) -> None:
        sh(self.vm, f"podman rm -f -t 0 {' '.join(names)}")


def pairs(t: Context, vm: VM) -> None:
    """Each pair of one export; with the plugin, and before that without."""
    podman = Podman(t, vm)
    sh(vm, f"mv {criu.PLUGIN} {AWAY}")
    podman.run("blind", "plain")
    assert podman.checkpoint("blind").ok
    without = podman.pair("blind")
    assert without >= BLIND, without
    podman.end("blind", "one", "two")
    podman.run("clients", "clients")
    refused = podman.checkpoint("clients")
    assert not refused.ok, refused
    podman.end("clients")

    sh(vm, f"mv {AWAY} {criu.PLUGIN}")
    # The next test has plain processes in each run.
    for name, kind, count in (("blind", "plain", t.count(0, full=20)), ("clients", "clients", t.count(1, full=20))):
        if not count:
            continue
        podman.run(name, kind)
        done = podman.checkpoint(name)
        assert done.ok, (done, sh(vm, "tail -n 40 /var/lib/containers/storage/overlay-containers/*/userdata/dump.log; true"))
        for i in range(count):
            before = generation(vm)
            same = podman.pair(name)
            t.log(f"{name} {i}: {sorted(same)} drawn twice")
            assert same == (BLIND if kind == "plain" else set()), same
            # Who has no client of ours disturbs nobody.
            assert generation(vm) == before + (0 if kind == "plain" else 2)
            if kind == "clients":
                listed = json.loads(sh(vm, "sysgenidctl watchers --json"))
                assert [w["comm"] for w in listed["watchers"]] == ["python3"] * 2, listed
            podman.end("one", "two")
        podman.end(name)


@vmtest("bookworm-cloud", timeout=1800, full_timeout=7200)
def restored_containers_draw_nothing_twice(t: Context) -> None:
    """runc. Clients are restored, draw anew and are listed by their names; the controls without the plugin draw the same."""
    pairs(t, booted(t))


@vmtest("trixie-cloud", full_only=True, full_timeout=7200)
def restored_containers_draw_nothing_twice_by_the_vdso(t: Context) -> None:
    """crun, and a libc that takes getrandom(3) from the vDSO."""
    pairs(t, booted(t))


IMAGES = "/srv/images"
PROGRAM = "/run/draws"


def start(vm: VM, kind: str) -> str:
    """A process of its own session, with nothing of ours open; its pid."""
    sh(vm, f"rm -f {PROGRAM}; setsid python3 /srv/draws.py {kind} {PROGRAM} </dev/null >/dev/null 2>&1 & echo $! >/run/pid")
    draws_on(vm, PROGRAM)
    return vm.read("/run/pid").strip()


def woke(vm: VM) -> int:
    """How often the thread did."""
    return int(json.loads(vm.read(PROGRAM).splitlines()[-2])["woke"])


def dump(vm: VM, pid: str, words: str = "") -> None:
    sh(vm, f"rm -rf {IMAGES}; mkdir {IMAGES}; criu dump -t {pid} -D {IMAGES} -o log -v4 {words} || {{ tail -n 60 {IMAGES}/log; false; }}")
    sh(vm, f"stat -c %s {PROGRAM} >{IMAGES}/size")


def restore(vm: VM) -> Result:
    """criu(8) wants the files as they were; an earlier restore of the same image has written on."""
    sh(vm, f"truncate -s $(cat {IMAGES}/size) {PROGRAM}")
    return vm.run("sh", "-c", f"cd {IMAGES} && criu restore -d -D {IMAGES} -o log -v4 </dev/null >/dev/null 2>&1 || {{ cat log; false; }}", limit=LIMIT)


def restored(vm: VM) -> Draws:
    """The next draws."""
    since = float(sh(vm, "date +%s.%N"))
    done = restore(vm)
    assert done.ok, done.out[-6000:]
    return draws_on(vm, PROGRAM, since)


def tree(vm: VM) -> dict[str, int]:
    """What the plugin wrote about the whole."""
    return {name: int(value) for name, value in re.findall(r"^(\w+) (\d+)$", vm.read(f"{IMAGES}/sysgenid.img"), re.M)}


def changed(vm: VM, **values: int) -> None:
    for name, value in values.items():
        sh(vm, f"sed -i 's/^{name} .*/{name} {value}/' {IMAGES}/sysgenid.img")


def refused(vm: VM, text: str) -> None:
    before = generation(vm)
    done = restore(vm)
    assert not done.ok and text in done.out, done.out[-6000:]
    assert generation(vm) == before


@vmtest("bookworm-cloud", full_kernels=["bookworm-cloud", "trixie-cloud"], timeout=1800)
def numbers_of_images_do_not_meet_again(t: Context) -> None:
    """Images of a later generation, of nonsense and of half a dump; chains; who counts as a client; go-on."""
    vm = t.boot_system(criu.root(t.kernel), memory=1024)
    pid = start(vm, "clients")
    dump(vm, pid)
    assert tree(vm) == {"complete": 1, "clients": 1, "generation": 0}, tree(vm)
    # Of a machine that was ahead.
    changed(vm, generation=1000)
    first = restored(vm)
    assert generation(vm) == 1001
    wait_until(lambda: woke(vm) == 1, LIMIT, "the thread that slept in read(2) to wake")
    # A chain: dumped again, and restored from that.
    dump(vm, pid)
    assert tree(vm)["generation"] == 1001
    second = restored(vm)
    assert generation(vm) == 1002 and not repeated(first, second), (first, second)
    listed = json.loads(sh(vm, "sysgenidctl watchers --json"))
    assert [w["comm"] for w in listed["watchers"]] == ["python3"], listed
    # A machine with a restored program is cloned.
    snapshot = vm.snapshot()
    with t.cloned(snapshot) as clone, t.cloned(snapshot) as other:
        found = [draws_on(one, PROGRAM, float(sh(one, "cat /sys/class/misc/sysgenid/generation >/dev/null; date +%s.%N"))) for one in (clone, other)]
        # Without the provider here.
        assert repeated(*found) <= {"openssl"}, found
    vm.resume()
    dump(vm, pid)
    changed(vm, generation=4294967295)
    refused(vm, "not to be trusted")
    changed(vm, generation=1002 + 2**31)
    refused(vm, "2147483648 or more ahead")
    changed(vm, generation=1002, complete=0)
    refused(vm, "did not end")
    sh(vm, f"echo nonsense >{IMAGES}/sysgenid.img")
    refused(vm, "sysgenid.img: ")
    sh(vm, "mkdir -p /etc/sysgenid")
    vm.write("/etc/sysgenid/criu.conf", "[criu]\nwithout-trigger = perhaps\n")
    refused(vm, "/etc/sysgenid/criu.conf, line 2: ")
    vm.write("/etc/sysgenid/criu.conf", "[criu]\nwithout-trigger = go-on\n")
    restored(vm)
    assert generation(vm) == 1002
    sh(vm, f"kill -9 {pid}; rm /etc/sysgenid/criu.conf")

    # The control: who publishes nothing has clients draw the same.
    pid = start(vm, "clients")
    dump(vm, pid)
    sh(vm, f"mv {criu.PLUGIN} {AWAY}; cp {criu.MUTANT_PLUGIN} {criu.PLUGIN}")
    one = restored(vm)
    sh(vm, f"kill -9 {pid}; sleep 1")
    two = restored(vm)
    assert repeated(one, two) >= {"page", "four bytes", "exact"}, (one, two)
    sh(vm, f"kill -9 {pid}; sleep 1; mv {AWAY} {criu.PLUGIN}")

    # A dump in two steps; an attribute; neither.
    for kind, clients in (("attribute", 1), ("plain", 0)):
        pid = start(vm, kind)
        sh(vm, f"rm -rf /srv/before; mkdir /srv/before; criu pre-dump -t {pid} -D /srv/before -o log -v4 || {{ tail -n 60 /srv/before/log; false; }}")
        dump(vm, pid, "--prev-images-dir ../before --track-mem")
        assert tree(vm)["clients"] == clients, tree(vm)
        before = generation(vm)
        one = restored(vm)
        assert generation(vm) == before + clients
        sh(vm, f"kill -9 {pid}; sleep 1")
        assert repeated(one, restored(vm)) == BLIND
        sh(vm, f"kill -9 {pid}; sleep 1")
