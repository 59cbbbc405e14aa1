# SPDX-License-Identifier: MIT
"""The host restores clones with one request each, over virtio-serial, and over vsock by loopback inside the guest.

There is no vhost-vsock where these tests run."""

import base64
import json
import os
import secrets
import socket
import statistics
import subprocess
import tempfile
import time
from typing import Any

from test_overseer import KEEPERS, LIMIT, ORDINARY, PREPARE, TOLD, booted, clock_at_resume, hook, oversee, read_after, read_generation, sh, status, until
from vmlib import VM, Context, overseer, vmtest
from vmlib.extras import with_files

# The machine's second port, with nobody at the host's end until somebody connects.
PORT = ("-chardev", "null,id=restore", "-device", "virtserialport,chardev=restore,name=restore")
NUMBER = 1030
STEPS = ("gate = kernel", "clock = set", "host-name = set", "machine-id = set", "interfaces = set", "environment = pass")
SERIAL = (*STEPS, "restore-serial = /dev/virtio-ports/restore")
HOOK = "#!/bin/sh\nenv | grep ^SYSGENID_HOST_ >/run/hosts\n"
WIRE = "/bin/ip link add w0 address 02:00:00:00:00:01 type veth peer name w1; /bin/ip link set w0 up; /bin/ip link set w1 up"

Answer = dict[str, Any]


class Host:
    """One who is connected to the port."""

    def __init__(self, clone: VM) -> None:
        self.socket, theirs = socket.socketpair()
        self.rest = b""
        with theirs:
            clone.qmp.send_file("restore", theirs.fileno())
        backend = {"type": "socket", "data": {"addr": {"type": "fd", "data": {"str": "restore"}}, "server": False}}
        clone.qmp.execute("chardev-change", {"id": "restore", "backend": backend})
        self.socket.settimeout(LIMIT)

    def say(self, text: bytes) -> None:
        self.socket.sendall(text)

    def hear(self) -> Answer:
        while b"\n" not in self.rest:
            data = self.socket.recv(65536)
            assert data, "the port is closed"
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        found: Answer = json.loads(line)
        return found

    def hear_of(self, nonce: str) -> Answer:
        """Other lines are answers to somebody else."""
        while True:
            answer = self.hear()
            if answer.get("nonce") == nonce:
                return answer

    def ask(self, request: Answer) -> Answer:
        self.say(b"\n" + json.dumps(request).encode() + b"\n")
        return self.hear_of(request["nonce"])

    def close(self) -> None:
        self.socket.close()


def b64(count: int) -> str:
    return base64.b64encode(secrets.token_bytes(count)).decode()


def request(number: int, nonce: str = "") -> Answer:
    """What a clone with this number is to become."""
    return {
        "version": 1,
        "request": "restore",
        "nonce": nonce or b64(16),
        "entropy": b64(64),
        "realtime_ns": time.time_ns(),
        "hostname": f"clone-{number}",
        "machine_id": f"{number:032x}",
        "interfaces": [
            {
                "name": "w0",
                "mac": f"02:00:00:00:01:{number:02x}",
                "addresses": [f"10.9.1.{number}/24"],
                "routes": [{"to": "10.8.0.0/16", "via": "10.9.1.254"}],
            }
        ],
        "environment": {"NUMBER": str(number)},
    }


def check_ready(clone: VM, answer: Answer, number: int, generation: int) -> None:
    """The answer, and that all of it is so."""
    told = (answer["ok"], answer["state"], answer["generation"], answer["reseeded"], answer["error"], answer["laggards"])
    assert told == (True, "ready", generation, True, None, []), answer
    assert len(answer["id"]) == 32 and answer["phases"]["interfaces"] >= 0, answer
    assert status(clone)["generation"] == generation
    assert sh(clone, "hostname").strip() == f"clone-{number}"
    assert clone.read("/etc/machine-id").strip() == f"{number:032x}"
    address = sh(clone, "/bin/ip -o address show w0; /bin/ip -o link show w0; /bin/ip route show dev w0")
    for word in (f"10.9.1.{number}/24", f"02:00:00:00:01:{number:02x}", "10.8.0.0/16 via 10.9.1.254"):
        assert word in address, address
    assert abs(int(sh(clone, "date +%s")) - time.time()) < 30


def fails(answer: Answer, error: str) -> None:
    assert (answer["ok"], answer["error"]) == (False, error), answer


@vmtest("bookworm-cloud", timeout=1800, full_timeout=7200)
def clones_become_what_the_host_says(t: Context) -> None:
    """Each has an identity of its own; and both clones of a snapshot after an answer do the work for the same nonce."""
    vm = booted(t, *PORT)
    sh(vm, WIRE)
    hook(vm, "adjust", HOOK)
    oversee(vm, *SERIAL)
    until(vm, "ready", 0)
    host = Host(vm)
    fails(host.ask(request(1)), "not-restored")
    fails(host.ask({**request(1), "hostname": "a b"}), "bad-request")
    host.close()
    state = vm.snapshot()
    vm.close()

    first = request(1)
    with t.cloned(state) as clone:
        host = Host(clone)
        answer = host.ask(first)
        check_ready(clone, answer, 1, 1)
        assert clone.read("/run/hosts") == "SYSGENID_HOST_NUMBER=1"
        # The answer was lost, or somebody else wants the same machine.
        assert host.ask(first) == answer
        fails(host.ask(request(2)), "not-restored")
        assert first["entropy"] not in clone.read("/run/log")
        host.close()
        answered = clone.snapshot()

    ids = [answer["id"]]
    for pair in range(t.count(1, full=50)):
        for number in (2 * pair + 2, 2 * pair + 3):
            with t.cloned(answered) as clone:
                host = Host(clone)
                answer = host.ask(request(number, first["nonce"]))
                check_ready(clone, answer, number, 2)
                ids.append(answer["id"])
                host.close()
    assert len(set(ids)) == len(ids), ids


@vmtest("bookworm-cloud", timeout=1800)
def hosts_that_misbehave_leave_the_machine_as_it_is(t: Context) -> None:
    """They die, stall, flood and send a megabyte; the next one is answered. A restore comes while quiesced and held."""
    vm = booted(t, *PORT)
    sh(vm, WIRE)
    oversee(vm, *SERIAL)
    until(vm, "ready", 0)
    host = Host(vm)
    # In the middle of a line, which the clone has, too.
    host.say(b'{"version": 1, "request": "resto')
    host.close()
    sh(vm, "sysgenidctl quiesce")
    state = vm.snapshot()
    vm.close()
    with t.cloned(state) as clone:
        host = Host(clone)
        check_ready(clone, host.ask(request(1)), 1, 1)
        host.say(b"x" * (1 << 20))
        host.close()
        host = Host(clone)
        for _ in range(2000):
            host.say(b"[" * 100 + b"\n")
        host.close()
        host = Host(clone)
        first = request(2)
        fails(host.ask(first), "not-restored")
        # A request that stops in its middle, and one that nobody reads the answer of.
        host.say(json.dumps(first).encode()[:40])
        host.close()
        Host(clone).say(b"\n" + json.dumps(first).encode() + b"\n")
        host = Host(clone)
        fails(host.ask(first), "not-restored")
        assert status(clone)["state"] == "ready"
        host.close()
    with t.cloned(state) as clone:
        host = Host(clone)
        answer = host.ask({**request(1), "interfaces": [{"name": "w9", "mac": "02:00:00:00:00:09"}]})
        fails(answer, "held")
        assert "w9" in answer["message"] and answer["state"] == "held", answer
        check_ready(clone, host.ask(request(2)), 2, 1)
        host.close()


@vmtest("bookworm-cloud", timeout=1800)
def host_is_answered_as_soon_as_a_bare_read(t: Context) -> None:
    """Entropy, clock, host name, machine id and an interface, from the request to the answer, in a clone that has just woken."""
    vm = booted(t, *PORT)
    sh(vm, WIRE)
    sh(vm, f"rmmod {' '.join(KEEPERS)}")
    oversee(vm, *SERIAL)
    until(vm, "ready", 0)
    sh(vm, "sysgenidctl quiesce")
    read_generation(vm)
    state = vm.snapshot()
    vm.close()
    ratios = []
    for number in range(1, 1 + t.count(3, full=20)):
        with t.cloned(state, paused=True) as clone:
            start = clock_at_resume(clone)
            host = Host(clone)
            asked = time.monotonic()
            answer = host.ask(request(number))
            took = (time.monotonic() - asked) * 1000
            check_ready(clone, answer, number, 1)
            bare = read_after(clone, start)
            ratios.append(took / bare)
            t.log(f"{took:.1f} ms, {bare:.1f} ms for read(2): {answer['phases']}")
            host.close()
    t.log(", ".join(f"{ratio:.2f}" for ratio in ratios))
    assert statistics.median(ratios) <= 1.5, ratios


@vmtest("bookworm-cloud", timeout=1800)
def vsock_lets_in_the_host_and_root_alone(t: Context) -> None:
    """By loopback, which a key for tests allows; each clone listens anew. The client is sysgenid-host."""
    place = f"vsock:1:{NUMBER}"
    keys = (*STEPS, f"restore-vsock = {NUMBER}")
    vm = booted(t, *PORT)
    sh(vm, WIRE)
    oversee(vm, *keys)
    until(vm, "ready", 0)
    refused = vm.run("sysgenid-host", "status", place, "--timeout", "2", limit=LIMIT)
    assert not refused.ok, refused
    oversee(vm, *keys, "peer-cid = loopback")
    until(vm, "ready", 0)
    assert sh(vm, f"sysgenid-host status {place}").startswith("ready at generation 0")
    refused = vm.run("sysgenid-host", "status", place, "--timeout", "2", uid=ORDINARY, limit=LIMIT)
    assert not refused.ok, refused
    state = vm.snapshot()
    vm.close()
    for number in (1, 2):
        with t.cloned(state) as clone:
            member = f"--interface w0,mac=02:00:00:00:01:0{number},address=10.9.1.{number}/24,route=10.8.0.0/16@10.9.1.254"
            more = f"--hostname clone-{number} --machine-id {number:032x}"
            answer = sh(clone, f"sysgenid-host restore {place} --json --entropy --time {more} {member}")
            check_ready(clone, json.loads(answer), number, 1)


@vmtest("bookworm-cloud", timeout=1800)
def client_of_the_host_restores_by_the_socket_of_qemu(t: Context) -> None:
    """The real sysgenid-host, outside of the guest; without a hardware id it has to send entropy."""
    program = overseer.files(t.kernel)["bin/sysgenid-host"]
    extra = [*TOLD, *PORT, *with_files(t.initrd(), overseer.files(t.kernel))]
    vm = t.boot(guid=None, insmod="software=1", extra=extra)
    sh(vm, PREPARE)
    oversee(vm, "gate = none", "restore-serial = /dev/virtio-ports/restore", "host-name = transient")
    until(vm, "ready", 0)
    state = vm.snapshot()
    vm.close()
    with t.cloned(state) as clone, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        where = {"type": "unix", "data": {"path": path}}
        backend = {"type": "socket", "data": {"addr": where, "server": True, "wait": False}}
        clone.qmp.execute("chardev-change", {"id": "restore", "backend": backend})

        def run(*words: str) -> "subprocess.CompletedProcess[str]":
            return subprocess.run([program, words[0], path, *words[1:]], capture_output=True, text=True, timeout=LIMIT, check=False)

        assert run("status").returncode == 0
        held = run("restore", "--hostname", "one")
        assert held.returncode == 3 and "entropy" in held.stdout, held
        assert status(clone)["state"] == "held"
        done = run("restore", "--hostname", "one", "--entropy")
        assert (done.returncode, done.stdout) == (0, "ready at generation 1\n"), done
        assert sh(clone, "hostname").strip() == "one"
