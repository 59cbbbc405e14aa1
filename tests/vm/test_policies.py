# SPDX-License-Identifier: MIT
"""Each key of a signed policy in a clone: crun and runc do what the policy names, and what it does not name is denied."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vmlib import VM, Context, containers, vmtest, wait_until
from vmlib.limits import run_tool

from test_overseer import LIMIT, oversee, sh, until
from test_runtime import KERNEL, PROGRAM, RUNTIMES, TOOL, booted, record, refused, state

Json = dict[str, Any]

# Adds what a root file system in an initramfs takes, and what is denied to engines: --no-pivot.
BETWEEN = """#!/bin/sh
for word; do
	shift
	case $word in crun*|runc*) name=${word%%-*};; esac
	set -- "$@" "$word"
	case $word in create|run) set -- "$@" --no-pivot;; esac
done
PATH=/usr/bin:/usr/sbin:/bin
exec $name "$@"
"""
CREATE = f"{TOOL} create --bundle /bundle"
FILTER = {"defaultAction": "SCMP_ACT_ALLOW"}
FILTER_DIGEST = hashlib.sha256(json.dumps(FILTER, separators=(",", ":")).encode()).hexdigest()
FUSE = {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600, "uid": 0, "gid": 0}
HOOK = {"path": "/bin/busybox", "args": ["touch", "/run/hooked"]}
SPEAKS = "echo said\n" + PROGRAM
EXEC_CHANGES: list[tuple[Json, str]] = [
    ({"args": ["/bin/cat", "/program"]}, "args"),
    ({"cwd": "/bin"}, "cwd"),
    ({"user": {"uid": 1, "gid": 0}}, "user"),
    ({"user": {"uid": 0, "gid": 0, "additionalGids": [6]}}, "user.additionalGids"),
    ({"user": {"uid": 0, "gid": 0, "umask": 2}}, "user.umask"),
    ({"noNewPrivileges": False}, "noNewPrivileges"),
    ({"terminal": True}, "terminal"),
    ({"oomScoreAdj": -1000}, "oomScoreAdj"),
]


def spec() -> Json:
    """A container in which each key of a policy has something to name."""
    s: Json = json.loads(containers.config(["/bin/sh", "/program"]))
    s["process"]["user"] = {"uid": 0, "gid": 0, "umask": 0o22, "additionalGids": [5]}
    s["process"]["env"] = ["PATH=/bin", "KEPT=1", "DROPPED=1"]
    s["process"]["rlimits"] = [{"type": "RLIMIT_CORE", "hard": 0, "soft": 0}]
    s["hooks"] = {"createRuntime": [HOOK]}
    s["linux"].update(devices=[FUSE], seccomp=FILTER)
    return s


def rule(busybox: str) -> Json:
    """Of a policy, which names all of that container and all that may be done to it."""
    s = spec()
    return {
        "name": "web", "args": ["/bin/sh", {"re": "/prog.*"}], "cwd": "/", "user": "0:0", "groups": [5], "umask": "0022",
        "no-new-privileges": True, "env": ["PATH=/bin", {"re": "KEPT=.*"}], "caps": ["CAP_KILL"], "seccomp": f"sha256:{FILTER_DIGEST}",
        "mounts": s["mounts"], "devices": [FUSE], "namespaces": ["pid", "mount", "ipc", "uts"],
        "hooks": {"createRuntime": [{**HOOK, "sha256": busybox}]},
        "members": {"hostname": "container", "root": {"readonly": False}, "process": {"rlimits": {"each": s["process"]["rlimits"]}},
                    "linux": {"resources": s["linux"]["resources"]}},
        "stdio": True, "terminal": True, "shutdown": True, "signals": ["USR1"], "pause": True, "update": True, "checkpoint": True,
        "restore": True,
        "exec": [{"args": ["/bin/cat", "/proc/self/status"], "cwd": "/", "user": "0:0", "no-new-privileges": True, "stdio": True}],
    }  # fmt: skip


PROCESS: Json = {"args": ["/bin/cat", "/proc/self/status"], "cwd": "/", "env": ["PATH=/bin"], "noNewPrivileges": True}
CREATION = {
    "args": "process.args", "cwd": "process.cwd", "user": "process.user", "groups": "process.user.additionalGids",
    "umask": "process.user.umask", "no-new-privileges": "process.noNewPrivileges", "seccomp": "linux.seccomp", "mounts": "mounts",
    "devices": "linux.devices", "namespaces": "linux.namespaces", "hooks": "hooks", "members": "process",
}  # fmt: skip
# What is done to a running container, by the key that allows it.
OPERATIONS = {
    "pause": ("pause ID", "resume ID"),
    "update": ("update --pids-limit 99 ID",),
    "signals": ("kill ID USR1", "kill ID 10"),
    "exec": ("exec --process /run/process.json ID",),
    "checkpoint": ("checkpoint --image-path /run/images ID",),
    "shutdown": ("kill ID TERM", "kill ID SIGKILL", "kill ID 2", "kill ID quit", "kill ID STOP", "kill --all ID 9", "delete --force ID"),
}
# What a runtime may be unable to do: crun of Debian 12 has no such commands, and criu is not there.
UNABLE = ("events", "checkpoint", "restore")


class Author:
    """Has the key, outside of the machine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.key, self.public = folder, folder / "policy.key", folder / "policy.pub"
        self.openssl("genpkey", "-algorithm", "ED25519", "-out", self.key)
        self.openssl("pkey", "-in", self.key, "-pubout", "-out", self.public)

    def openssl(self, *words: str | Path) -> None:
        run_tool(["openssl", *words], 60, f"openssl {words[0]}")

    def sign(self, text: bytes) -> bytes:
        message, signature = self.folder / "message", self.folder / "signature"
        message.write_bytes(b"sysgenid-policy-v1\0" + hashlib.sha256(text).digest())
        self.openssl("pkeyutl", "-sign", "-inkey", self.key, "-rawin", "-in", message, "-out", signature)
        return signature.read_bytes()


class Ruled:
    """A machine with policy = required, in which each policy has a generation of its own."""

    def __init__(self, vm: VM, author: Author, generation: int) -> None:
        self.vm, self.author, self.generation = vm, author, generation
        self.rule = rule(sh(vm, "sha256sum /bin/busybox").split()[0])

    def next_generation(self) -> None:
        sh(self.vm, "sysgenidctl trigger")
        self.generation += 1
        until(self.vm, "ready", self.generation)

    def set(self, changed: Json) -> None:
        policy = {"version": 1, "serial": 1, "query": ["ps", "events"], "containers": [changed]}
        text = json.dumps(policy).encode()
        self.vm.write("/run/policy.json", text)
        self.vm.write("/run/policy.sig", self.author.sign(text))
        sh(self.vm, f"{containers.TOOL} policy set /run/policy.json /run/policy.sig")

    def set_without(self, key: str) -> None:
        self.next_generation()
        self.set({k: v for k, v in self.rule.items() if k != key})

    def write(self, s: Json) -> None:
        self.vm.write("/bundle/config.json", json.dumps(s))

    def created(self, name: str) -> None:
        sh(self.vm, f"{CREATE} {name} </dev/null >/run/out-{name} 2>/run/err || {{ cat /run/err; false; }}")

    def started(self, name: str) -> tuple[list[str], str]:
        """The environment and the status of its program, once that runs."""
        sh(self.vm, f"{TOOL} start {name}")
        found = re.search(r'"pid": *(\d+)', sh(self.vm, f"{TOOL} state {name}"))
        assert found
        proc = f"/proc/{found[1]}"
        wait_until(lambda: self.vm.read(f"{proc}/cmdline").startswith("sleep"), LIMIT, "the program of the container")
        return self.vm.read(f"{proc}/environ").split("\0"), self.vm.read(f"{proc}/status")

    def denied(self, command: str, text: str) -> None:
        done = self.vm.run("sh", "-c", f"exec {TOOL} {command} </dev/null 2>&1", limit=LIMIT)
        assert done.code == 1 and "sysgenid-runtime: denied: " in done.out and text in done.out, (command, done)

    def not_created(self, change: Callable[[Json], object], text: str) -> None:
        s = spec()
        change(s)
        self.write(s)
        self.denied("create --bundle /bundle runc-not", f"web: {text}")
        assert record(self.vm, "runc-not") == {} and state(self.vm, "runc-not") == ""
        self.write(spec())


def all_is_allowed(m: Ruled, runtime: str) -> None:
    """By the policy that names everything: a container runs, and each operation reaches it."""
    vm, name = m.vm, f"{runtime}-all"
    sh(vm, "rm -f /run/hooked")
    m.created(name)
    assert vm.exists("/run/hooked")
    environment, inside = m.started(name)
    assert "KEPT=1" in environment and not [word for word in environment if "DROPPED" in word], environment
    assert re.search(r"^CapBnd:\s*0*20$", inside, re.M) and re.search(r"^Umask:\s*0022$", inside, re.M), inside
    assert vm.read(f"/run/out-{name}") == "said"
    for command in ("ps ID", "events --stats ID", *(c for key, row in OPERATIONS.items() if key != "shutdown" for c in row)):
        done = vm.run("sh", "-c", f"exec {TOOL} {command.replace('ID', name)} </dev/null 2>&1", limit=LIMIT)
        assert "sysgenid-runtime: " not in done.out and (done.ok or command.startswith(UNABLE)), (command, done)
        if command.startswith("exec"):
            assert re.search(r"^CapBnd:\s*0*$", done.out, re.M), done
    done = vm.run("sh", "-c", f"exec {TOOL} restore --bundle /bundle --image-path /run/images {runtime}-restored </dev/null 2>&1", limit=LIMIT)
    assert not done.ok and "sysgenid-runtime: " not in done.out, done


def changes_are_denied(m: Ruled) -> None:
    """Of config.json and of process.json, one at a time, under the policy that names the rest."""
    changes: list[tuple[Callable[[Json], object], str]] = [
        (lambda s: s["process"]["args"].append("x"), "process.args"),
        (lambda s: s["linux"].update(sysctl={"kernel.domainname": "x"}), "linux.sysctl"),
        (lambda s: s.update(annotations={"run.oci.handler": "krun"}), "annotations"),
        (lambda s: s["process"]["rlimits"][0].update(hard=1), "process.rlimits"),
        (lambda s: s["linux"].update(maskedPaths=["/proc/kcore"]), "linux.maskedPaths"),
        (lambda s: s["linux"].update(readonlyPaths=["/proc/sys"]), "linux.readonlyPaths"),
        (lambda s: s["linux"].update(seccomp={**FILTER, "listenerPath": "/run/x"}), "linux.seccomp.listenerPath"),
        (lambda s: s["linux"].update(uidMappings=[{"containerID": 0, "hostID": 0, "size": 1}]), "linux.uidMappings"),
        (lambda s: s["linux"].update(personality={"domain": "LINUX32"}), "linux.personality"),
        (lambda s: s["linux"]["resources"].update(devices=[{"allow": True, "access": "rwm"}]), "linux.resources"),
        (lambda s: s["hooks"]["createRuntime"].append({"path": "/bin/true"}), "hooks"),
        (lambda s: s["hooks"].update(startContainer=[HOOK]), "hooks"),
        (lambda s: s["mounts"][0].update(source="/"), "mounts"),
        (lambda s: s["linux"]["namespaces"].pop(), "linux.namespaces"),
        (lambda s: s["root"].update(readonly=True), "root.readonly"),
        (lambda s: s.update(aMemberOfTheFuture=1), "aMemberOfTheFuture"),
    ]
    for change, text in changes:
        m.not_created(change, text)
    for change, text in EXEC_CHANGES:
        m.vm.write("/run/process.json", json.dumps({**PROCESS, **change}))
        m.denied("exec --process /run/process.json crun-all", f"web: {text}")
    m.vm.write("/run/process.json", json.dumps(PROCESS))
    for option in ("--cap CAP_KILL", "--user 0", "--cwd /", "--env A=1"):
        m.denied(f"exec {option} --process /run/process.json crun-all", "under a policy")
    m.denied("exec crun-all /bin/true", "only exec --process")
    m.denied("create --bundle /bundle --preserve-fds 1 crun-not", "--preserve-fds")


def what_is_not_named_is_denied(m: Ruled) -> None:
    """A generation for each key, with the policy that has all keys but this one."""
    for key, text in CREATION.items():
        m.set_without(key)
        m.not_created(lambda s: None, text)
    for key, commands in OPERATIONS.items():
        m.set_without(key)
        for runtime in RUNTIMES:
            for command in commands:
                m.denied(command.replace("ID", f"{runtime}-all"), "the policy ")
            assert state(m.vm, f"{runtime}-all") == "running"


@vmtest(KERNEL, timeout=1800)
def each_key_of_a_policy_decides_on_a_container_in_a_clone(t: Context) -> None:
    """Nothing is allowed in a clone before its policy is set; then the policy decides, key for key."""
    author = Author(t.folder)
    vm = booted(t)
    vm.write("/run/between", BETWEEN)
    vm.write("/bundle/rootfs/program", SPEAKS)
    vm.write("/bundle/config.json", json.dumps(spec()))
    vm.write("/run/process.json", json.dumps(PROCESS))
    vm.write("/etc/sysgenid/runtime.conf", "[runtime]\nruntime = /run/between\npolicy = required\n")
    vm.write("/etc/sysgenid/policy.pub", author.public.read_bytes())
    oversee(vm)
    source = Ruled(vm, author, 0)
    source.set(source.rule)
    snapshot = vm.snapshot()
    vm.close()
    with t.cloned(snapshot) as clone:
        until(clone, "ready", 1)
        m = Ruled(clone, author, 1)
        m.denied("create --bundle /bundle crun-all", "no policy has been set in generation 1")
        m.set(m.rule)
        refused(clone, f"{containers.TOOL} policy set /run/policy.json /run/policy.sig", "exists: ")
        for runtime in RUNTIMES:
            all_is_allowed(m, runtime)
        changes_are_denied(m)
        what_is_not_named_is_denied(m)
        m.next_generation()
        m.set(m.rule)
        for runtime in RUNTIMES:
            sh(clone, f"{TOOL} kill {runtime}-all SIGKILL && {TOOL} delete --force {runtime}-all")
