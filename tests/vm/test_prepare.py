# SPDX-License-Identifier: MIT
"""sysgenidctl prepare --check and doctor on a stock system: what they name is so, in real clones and containers."""

import json
from typing import Any

from vmlib import VM, Context, systems, vmtest, wait_until
from vmlib.debs import debs

KERNEL = "bookworm-cloud"
# As in test_hooks.py, whose layers of the root these are.
PACKAGES = ("nftables", "nginx-light", "openssh-server", "qemu-guest-agent")
MORE = ("apparmor", "iproute2", "systemd-container")
OURS = ("sysgenid-common", "sysgenid-dkms", "sysgenid-overseer", "sysgenid-tools", "libsysgenid0")

# A service with GnuTLS; WireGuard in a namespace; an
# open connection to sshd from there.
RUNNING = """
set -e
systemd-run -q --unit=draws --setenv=LD_PRELOAD=libgnutls.so.30 sleep infinity
ip netns add inner
ip -n inner link add wg0 type wireguard
ip link add out type veth peer name in netns inner
ip addr add 10.9.0.1/24 dev out && ip link set out up
ip -n inner addr add 10.9.0.2/24 dev in && ip -n inner link set in up
systemd-run -q --unit=client ip netns exec inner bash -c 'exec 3<>/dev/tcp/10.9.0.1/22; exec sleep infinity'
"""

PROFILE = """
include <tunables/global>
/usr/local/bin/probe {
  include <abstractions/base>
  capability,
  /usr/local/bin/probe mr,
  /proc/** r,
  /sys/** r,
  include if exists <local/probe>
}
"""

Finding = dict[str, Any]


def findings(vm: VM, *words: str, code: int | None = None) -> list[Finding]:
    done = vm.run("sysgenidctl", *words, "--json", limit=120)
    assert code is None or done.code == code, done
    found: list[Finding] = json.loads(done.out)["findings"]
    return found


def named(found: list[Finding], about: str, level: str) -> str:
    return "\n".join(f["text"] for f in found if f["about"] == about and f["level"] == level)


def shown(vm: VM, script: str) -> str:
    done = vm.run("sh", "-c", script, limit=120)
    assert done.ok, done
    return done.out.strip()


def guest(t: Context) -> VM:
    packages = [path for path in debs(t.kernel.suite).glob("*.deb") if path.name.partition("_")[0] in OURS]
    root = systems.stock(t.kernel).installed(packages, PACKAGES).installed(packages=["--no-install-recommends", *MORE])
    return t.boot_system(root)


@vmtest(KERNEL, full_only=True, timeout=2400)
def prepare_names_what_clones_share(t: Context) -> None:
    vm = guest(t)
    shown(vm, RUNNING)
    wait_until(lambda: "10.9.0.2" in shown(vm, "cat /proc/net/tcp >/dev/null; ss -Htn state established"), 60, "the connection")
    found = findings(vm, "prepare", "--check", code=1)
    t.log(json.dumps(found, indent=1))
    assert "GnuTLS" in named(found, "generators", "equal") and "sleep[" in named(found, "generators", "equal"), found
    assert "draws.service" in str([f["fix"] for f in found if f["about"] == "generators"]), found
    assert "WireGuard: wg0 in net:[" in named(found, "sessions", "equal"), found
    assert "port 22 with 10.9.0.2" in named(found, "connections", "equal"), found
    assert not [f for f in found if f["level"] == "unknown"], found
    # Nothing of it has changed, and what is said to be equal is.
    things = {
        "machine id": "cat /etc/machine-id",
        "ssh host keys": "cat /etc/ssh/ssh_host_*.pub",
        "file systems": "ls /dev/disk/by-uuid",
    }
    before = {about: shown(vm, look) for about, look in things.items()}
    state = vm.snapshot()
    with t.cloned(state) as a, t.cloned(state) as b:
        for about, look in things.items():
            assert named(found, about, "equal") or named(found, about, "note"), about
            assert shown(a, look) == shown(b, look) == before[about], about
        # The lines that it prints help.
        for about in ("machine id", "ssh host keys"):
            (fix,) = [f["fix"] for f in found if f["about"] == about]
            assert a.run("sh", "-c", fix, limit=300).ok, fix
        again = findings(a, "prepare", "--check")
        assert named(again, "overseer", "ok") and named(again, "machine id", "ok") and named(again, "ssh host keys", "ok"), again
        assert "the overseer resets it" in named(again, "sessions", "ok"), again


@vmtest(KERNEL, timeout=2400)
def doctor_names_containers_and_profiles(t: Context) -> None:
    vm = guest(t)
    box = "systemd-nspawn -q -D / --volatile=yes --register=no"
    # In a container with the node the device answers, whatever /sys shows.
    inside = vm.run("sh", "-c", f"{box} --bind=/dev/sysgenid /usr/bin/sysgenidctl doctor --json", limit=120)
    found = json.loads(inside.out)["findings"]
    (module,) = [f for f in found if f["about"] == "module"]
    assert module["level"] == "ok" and "modprobe" not in inside.out, inside
    # And without the node what the container cannot do is not recommended.
    inside = vm.run("sh", "-c", f"{box} /usr/bin/sysgenidctl doctor --json", limit=120)
    (node,) = [f for f in json.loads(inside.out)["findings"] if f["about"] == "node"]
    assert node["level"] == "problem" and "in a container: have it pass the device in" in node["fix"], node
    assert "modprobe" not in inside.out, inside
    for name, option in (("blind", ""), ("sees", "--bind=/dev/sysgenid")):
        unit = f"systemd-nspawn@{name}.service"
        command = f"{box} -M {name} --keep-unit {option} sleep infinity"
        shown(vm, f"mkdir -p /run/systemd/system/{unit}.d")
        vm.write(f"/run/systemd/system/{unit}.d/box.conf", f"[Service]\nExecStart=\nExecStart={command}\n")
        shown(vm, f"systemctl daemon-reload && systemctl start {unit}")
    wait_until(lambda: "sees" in named(findings(vm, "doctor"), "containers", "ok"), 60, "both containers")
    found = findings(vm, "doctor")
    assert "systemd-nspawn blind" in named(found, "containers", "note"), found
    assert "systemd-nspawn sees" in named(found, "containers", "ok"), found

    vm.write("/etc/apparmor.d/probe", PROFILE)
    shown(vm, "cp /usr/bin/sysgenidctl /usr/local/bin/probe && mkdir -p /etc/apparmor.d/local && apparmor_parser -r /etc/apparmor.d/probe")
    assert vm.run("/usr/local/bin/probe", "get").code == 4
    assert "the AppArmor profile /usr/local/bin/probe keeps /dev/sysgenid" in vm.run("/usr/local/bin/probe", "doctor").out
    (denied,) = [f for f in findings(vm, "doctor") if f["about"] == "apparmor" and f["level"] == "note"]
    assert "the profile /usr/local/bin/probe has denied" in denied["text"], denied
    shown(vm, denied["fix"])
    assert vm.run("/usr/local/bin/probe", "get", "--verbose").ok
