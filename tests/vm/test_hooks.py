# SPDX-License-Identifier: MIT
"""sysgenid-overseer as its package installs it: the hooks, qemu-guest-agent, an upgrade."""

import json
import time

from vmlib import VM, Context, repo, systems, vmtest, wait_until
from vmlib.debs import debs
from vmlib.qga import PORT, GuestAgent, GuestAgentError

from test_overseer import publishes, rules_close

KERNEL = "bookworm-cloud"
PACKAGES = ("nftables", "nginx-light", "openssh-server", "qemu-guest-agent")
OURS = ("sysgenid-common", "sysgenid-dkms", "sysgenid-overseer", "sysgenid-tools", "libsysgenid0")
RNG = ("-device", "virtio-rng-pci")
HOUR = 3600
# Hooks make keys, with an emulated processor.
ADJUST_LIMIT = 600.0
CONFIG = "/etc/sysgenid/overseer.conf"
GATE = "/sys/class/misc/sysgenid/gate"
# Each first word that the attribute has, a hundred times a second; no process is started for it.
LOOKS = f"""
    mkfifo /run/nothing
    exec 9<>/run/nothing
    last=
    while :; do
        word=unreadable
        read -r word rest <{GATE}
        [ "$word" = "$last" ] || echo "$word"
        last=$word
        read -rt 0.01 <&9
    done
"""


def guest(t: Context) -> VM:
    """Debian with our packages, everything enabled; the overseer is ready."""
    packages = [path for path in debs(t.kernel.suite).glob("*.deb") if path.name.partition("_")[0] in OURS]
    root = systems.stock(t.kernel).installed(packages, PACKAGES).changed((repo.VM / "hooked-guest.sh").read_text("utf-8"))
    vm = t.boot_system(root, network=True, extra=(*PORT, *RNG))
    assert state(vm) == ("ready", 0)
    return vm


def ctl(vm: VM, *words: str) -> None:
    done = vm.run("sysgenidctl", *words, limit=ADJUST_LIMIT)
    assert done.ok, (words, done, vm.run("journalctl", "-b", "-u", "sysgenid-overseer").out)


def state(vm: VM) -> tuple[str, int]:
    status = json.loads(vm.run("sysgenidctl", "status", "--json").out)
    return status["state"], status["generation"]


def shown(vm: VM, *command: str) -> str:
    done = vm.run(*command)
    assert done.ok, done
    return done.out.strip()


def identity(vm: VM) -> dict[str, str]:
    """What two machines must not share."""
    return {
        "machine id": vm.read("/etc/machine-id"),
        "SSH host keys": shown(vm, "sh", "-c", "cat /etc/ssh/ssh_host_*.pub"),
        "what sshd shows": shown(vm, "sh", "-c", "ssh-keyscan -t ed25519 127.0.0.1 2>&1 | grep ssh-ed25519"),
        "ticket keys": shown(vm, "sha256sum", "/etc/nginx/ticket.key"),
        "seed of the next boot": shown(vm, "sha256sum", "/var/lib/systemd/random-seed"),
    }


def dhcp_client(vm: VM) -> str:
    """What the DHCP server takes it for."""
    return shown(vm, "sh", "-c", "grep -h CLIENTID= /run/systemd/netif/leases/* || :")


@vmtest(KERNEL, timeout=2400)
def clones_are_machines_of_their_own(t: Context) -> None:
    """All hooks, in two clones: what was the same differs, and did before the machine was ready."""
    vm = guest(t)
    before, lease = identity(vm), wait_until(lambda: dhcp_client(vm), 120, "a lease")
    # A clone that wakes an hour later.
    shown(vm, "date", "-s", f"@{int(time.time()) - HOUR}")
    ctl(vm, "quiesce")
    snapshot = vm.snapshot()
    found = [before]
    for _ in range(2):
        with t.cloned(snapshot) as clone:
            ctl(clone, "resume")
            assert state(clone) == ("ready", 1)
            t.log(shown(clone, "journalctl", "-b", "-u", "sysgenid-overseer", "-o", "cat"))
            found.append(identity(clone))
            sums = "cat /etc/machine-id /etc/ssh/ssh_host_*.pub /etc/nginx/ticket.key | sha256sum"
            assert json.loads(clone.read("/run/looked/status"))["state"] == "adjusting"
            assert clone.read("/run/looked/sum") == shown(clone, "sh", "-c", sums), "not done when it was ready"
            behind = time.time() - int(clone.read("/run/looked/date"))
            assert 0 <= behind + 60 < HOUR / 2, f"the clock was {behind:.0f} s behind"
            note = shown(clone, "journalctl", "-o", "cat", "SYSLOG_IDENTIFIER=sysgenid", "SYSGENID_GENERATION=1")
            assert "goes on as a clone" in note, note
            assert shown(clone, "systemctl", "is-active", "nginx", "ssh") == "active\nactive"
            wait_until(lambda clone=clone: dhcp_client(clone) not in ("", lease), 120, "a lease as another client")  # type: ignore[misc]
    for what in before:
        values = [one[what] for one in found]
        assert len(set(values)) == len(values), f"{what}: {values}"


@vmtest(KERNEL, timeout=2400)
def frozen_by_the_hypervisor(t: Context) -> None:
    """guest-fsfreeze-freeze quiesces, and fails where that fails; clones wake frozen, and adjust when they are thawed."""
    vm = guest(t)
    # One that writes to the disk is enough here.
    shown(vm, "sh", "-c", "cd /etc/sysgenid/adjust.d && rm 10* 20* 40* 50* 60* 70*")
    agent = GuestAgent(vm)
    refusal = "/etc/sysgenid/quiesce.d/10-no"
    vm.write(refusal, "#!/bin/sh\necho 'not now' >&2\nexit 1\n")
    shown(vm, "chmod", "755", refusal)
    try:
        agent.execute("guest-fsfreeze-freeze")
        raise AssertionError("frozen, though it could not be quiesced")
    except GuestAgentError as e:
        t.log(str(e))
    assert agent.execute("guest-fsfreeze-status") == "thawed"
    wait_until(lambda: state(vm) == ("ready", 0), 120, "the machine to be ready again")
    shown(vm, "rm", refusal)

    assert agent.execute("guest-fsfreeze-freeze") >= 1
    assert state(vm) == ("quiesced", 0)
    snapshot = vm.snapshot()
    for _ in range(2):
        with t.cloned(snapshot) as clone:
            wait_until(lambda clone=clone: shown(clone, "sysgenidctl", "get") == "1", 60, "the new generation")  # type: ignore[misc]
            again = GuestAgent(clone)
            assert again.execute("guest-fsfreeze-status") == "frozen"
            assert state(clone) == ("quiesced", 0), "nothing adjusts while file systems are frozen"
            assert again.execute("guest-fsfreeze-thaw", limit=ADJUST_LIMIT) >= 1
            assert state(clone) == ("ready", 1)
            assert clone.read("/etc/machine-id") != systems.MACHINE_ID
    vm.resume()
    agent.execute("guest-fsfreeze-thaw", limit=ADJUST_LIMIT)
    assert state(vm) == ("ready", 0), "the machine itself goes on as it was"
    assert vm.read("/etc/machine-id") == systems.MACHINE_ID


@vmtest(KERNEL, timeout=2400)
def package_keeps_the_gate(t: Context) -> None:
    """An upgrade leaves a closed gate closed, quiesced or (--full) held or with the gate in the kernel, and the machine
    can go on; a removal opens it, and says so."""
    vm = guest(t)
    (package,) = debs(t.kernel.suite).glob("sysgenid-overseer_*.deb")
    vm.write("/opt/overseer.deb", package.read_bytes())
    rules = ("nft", "list", "ruleset")
    pid = ("systemctl", "show", "--value", "-p", "MainPID", "sysgenid-overseer")

    def upgraded(to: tuple[str, int]) -> None:
        first = shown(vm, *pid)
        done = vm.run("dpkg", "--install", "/opt/overseer.deb", limit=ADJUST_LIMIT)
        assert done.ok, done
        assert shown(vm, *pid) not in (first, "0"), "not restarted"
        assert state(vm) == to
        assert not vm.run("systemctl", "is-active", "sysgenid-ready.target").ok

    def configured(*lines: str) -> None:
        first = shown(vm, *pid)
        vm.write(CONFIG, "".join(f"{line}\n" for line in ("[overseer]", *lines, "hook-timeout = 600", "quiesce-limit = none")))
        shown(vm, "systemctl", "daemon-reload")
        shown(vm, "systemctl", "restart", "sysgenid-overseer")
        assert shown(vm, *pid) not in (first, "0"), "not restarted"
        assert state(vm) == ("quiesced", 0)

    def upgraded_while_armed() -> None:
        configured("gate = kernel", "except-filter = udp port 68")
        assert not rules_close(shown(vm, *rules))
        vm.spawn("looks", "bash", "-c", LOOKS)
        vm.wait_output("looks", "^shut;$", limit=60)
        upgraded(("quiesced", 0))
        vm.kill("looks", 15)
        assert vm.wait("looks").out == "shut;\n"
        configured("gate = nftables", "except-ports = 68/udp")
        assert vm.read(GATE).startswith("disarmed;")
        assert rules_close(shown(vm, *rules))

    def upgraded_while_held() -> None:
        # One that fails is enough here.
        shown(vm, "sh", "-c", "cd /etc/sysgenid && mv adjust.d /run && mkdir adjust.d && ln -s /bin/false adjust.d/10-fails")
        ctl(vm, "trigger")
        wait_until(lambda: state(vm) == ("held", 1), ADJUST_LIMIT, "the machine to be held")
        upgraded(("held", 1))
        assert rules_close(shown(vm, *rules))
        shown(vm, "rm", "/etc/sysgenid/adjust.d/10-fails")
        ctl(vm, "resume")
        assert state(vm) == ("ready", 1) and not rules_close(shown(vm, *rules))
        shown(vm, "sh", "-c", "mv /run/adjust.d/* /etc/sysgenid/adjust.d")
        ctl(vm, "quiesce")

    ctl(vm, "quiesce")
    upgraded(("quiesced", 0))
    assert rules_close(shown(vm, *rules))
    if t.count(0, full=1):
        upgraded_while_armed()
        upgraded_while_held()
    # For good: who is killed would come back.
    vm.run("mkdir", "-p", "/run/systemd/system/sysgenid-overseer.service.d")
    vm.write("/run/systemd/system/sysgenid-overseer.service.d/once.conf", "[Service]\nRestart=no\n")
    shown(vm, "systemctl", "daemon-reload")
    shown(vm, "systemctl", "kill", "--signal=KILL", "sysgenid-overseer")
    wait_until(lambda: shown(vm, *pid) == "0", 60, "the overseer to be gone")
    assert rules_close(shown(vm, *rules))
    done = vm.run("apt-get", "purge", "-q", "-y", "sysgenid-overseer", limit=300)
    assert done.ok, done
    assert "sysgenid" not in shown(vm, *rules)
    assert "gate is opened" in shown(vm, "journalctl", "-b", "-o", "cat", "SYSLOG_IDENTIFIER=sysgenid-overseer")
    left = shown(vm, "sh", "-c", "find /etc/sysgenid -type l; ls /etc/systemd/system/*/ | grep overseer || :")
    assert not left, left


@vmtest(KERNEL, full_only=True, timeout=2400)
def overseer_publishes_with_the_rights_of_its_drop_in(t: Context) -> None:
    """As overseer.overseer_publishes, in its unit. The generator takes CAP_SYS_ADMIN from it, and publisher.conf gives it again."""
    vm = guest(t)
    drop_in = "/etc/systemd/system/sysgenid-overseer.service.d/publisher.conf"
    shown(vm, "sh", "-c", "systemctl stop sysgenid-overseer && modprobe -r sysgenid && rm /etc/sysgenid/adjust.d/*")
    shown(vm, "sh", "-c", "printf 'publisher = trigger\\nsessions = keep\\n' >>/etc/sysgenid/overseer.conf")
    shown(vm, "install", "-D", "-m", "644", "/usr/share/sysgenid/publisher.conf", drop_in)
    shown(vm, "systemctl", "daemon-reload")
    shown(vm, "systemctl", "start", "sysgenid-overseer")
    publishes(
        t,
        vm,
        lambda: shown(vm, "systemctl", "restart", "sysgenid-overseer"),
        lambda one: shown(one, "sh", "-c", "journalctl --sync; journalctl -b -o cat -u sysgenid-overseer"),
    )
