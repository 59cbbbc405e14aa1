# SPDX-License-Identifier: MIT
"""The overseer where systemd runs: units, jobs, the target. Whatever needs none of these is in test_overseer.py."""

import re

from vmlib import VM, Context, Lab, overseer, vmtest, wait_until

from test_hooks import guest
from test_overseer import CONFIG, LIMIT, WIRE, configure, enter, hook, is_closed, sh, status, until

KERNEL = "bookworm-cloud"
TARGET = "sysgenid-ready.target"


def oversee(vm: VM, *lines: str) -> None:
    """Start the overseer with this configuration."""
    sh(vm, "mkdir -p /etc/sysgenid")
    configure(vm, *lines)
    sh(vm, "systemctl daemon-reload; systemctl restart sysgenid-overseer")


def booted(t: Lab) -> VM:
    return t.boot_system(overseer.root(t.kernel))


def is_active(vm: VM, unit: str) -> bool:
    return vm.run("systemctl", "is-active", unit).ok


def journal(vm: VM) -> str:
    return sh(vm, "journalctl --sync; journalctl -o cat -u sysgenid-overseer")


def main_pid(vm: VM) -> str:
    return sh(vm, "systemctl show --value -p MainPID sysgenid-overseer").strip()


def restarted(vm: VM, pid: str) -> str:
    """The next overseer."""
    wait_until(lambda: main_pid(vm) not in ("0", pid), LIMIT, f"an overseer after {pid}")
    return main_pid(vm)


def drop_in(vm: VM, text: str) -> None:
    sh(vm, "mkdir -p /run/systemd/system/sysgenid-overseer.service.d")
    vm.write("/run/systemd/system/sysgenid-overseer.service.d/test.conf", f"[Service]\n{text}\n")
    sh(vm, "systemctl daemon-reload")


# A unit in a slice of its own, that does nothing.
AWAY = "systemd-run --unit=away --slice=away.slice sleep 100000"
# The overseer freezes the cgroup; systemd itself has frozen nothing.
STATE = "grep -o 'frozen [01]' /sys/fs/cgroup/away.slice/cgroup.events"


def reloads(vm: VM) -> None:
    """"systemctl reload" takes a configuration as a whole or fails."""
    pid = main_pid(vm)
    configure(vm, "except-ports = 7007/udp", "sessions = keep", "laggards = forgive")
    assert not vm.run("systemctl", "reload", "sysgenid-overseer", limit=LIMIT).ok
    configure(vm, "except-ports = 7007/udp", "sessions = keep")
    sh(vm, "systemctl reload sysgenid-overseer")
    wait_until(lambda: "7007" in sh(vm, "nft list ruleset"), LIMIT, "the new exception")
    assert is_closed(vm) and main_pid(vm) == pid


CAP_KILL, CAP_SYS_ADMIN = 1 << 5, 1 << 21


def capabilities(vm: VM) -> int:
    return int(re.findall(r"CapBnd:\s*(\w+)", vm.read(f"/proc/{main_pid(vm)}/status"))[0], 16)


def refuses_a_step_without_rights(vm: VM) -> None:
    """The boot's configuration freezes nothing, so that the unit has no rights for it. tests/unit/generator.py has each step."""
    assert not capabilities(vm) & CAP_KILL and capabilities(vm) & CAP_SYS_ADMIN
    configure(vm, "freeze = away.slice")
    assert not vm.run("systemctl", "reload", "sysgenid-overseer", limit=LIMIT).ok
    assert "freeze/kill-container: the unit was started without the rights for that" in journal(vm), journal(vm)
    assert status(vm)["state"] == "ready"


# A service that notes the state in which it starts, and fails while there is a file.
NOTES = """#!/bin/sh
state=$(sysgenidctl status --json | grep -o '"state": *"[a-z]*')
echo "$1 ${state##*\\"}" >>/run/starts
[ ! -e "/run/fails-$1" ] || exit 1
systemd-notify --ready
exec sleep 100000
"""


def unit(vm: VM, name: str) -> None:
    vm.write("/run/notes", NOTES)
    # More often than systemd lets a unit be started.
    lines = ("[Unit]", "StartLimitIntervalSec=0", "[Service]", "Type=notify", "NotifyAccess=all", f"ExecStart=sh /run/notes {name}")
    vm.write(f"/run/systemd/system/{name}.service", "".join(f"{line}\n" for line in lines))
    sh(vm, f"systemctl daemon-reload; systemctl start {name}")


@vmtest(KERNEL, timeout=1800)
def units_are_started_anew_around_the_opening(t: Context) -> None:
    """One that does not come up holds the machine, by its name. One that did not run stays so."""
    vm = booted(t)
    for name in ("before", "after"):
        unit(vm, name)
    oversee(vm, "restart = before idle", "restart-after = after", "restart-timeout = 60", "sessions = keep")
    vm.write("/run/systemd/system/idle.service", "[Service]\nExecStart=sleep 100000\n")
    sh(vm, "systemctl daemon-reload")
    until(vm, "ready")
    generation = status(vm)["generation"]
    sh(vm, "rm /run/starts; sysgenidctl trigger")
    until(vm, "ready", generation + 1)
    wait_until(lambda: "after" in sh(vm, "cat /run/starts"), LIMIT, "the unit after the opening")
    assert vm.read("/run/starts") == "before adjusting\nafter ready", vm.read("/run/starts")
    assert not is_active(vm, "idle")
    for number, name in enumerate(("before", "after"), 2):
        vm.write(f"/run/fails-{name}", "")
        sh(vm, "sysgenidctl trigger")
        held = until(vm, "held", generation + number)
        assert f"{name}.service does not come up" in held["about"] and is_closed(vm), held
        sh(vm, f"rm /run/fails-{name}; systemctl start {name}; sysgenidctl resume")
        until(vm, "ready", generation + number)


@vmtest(KERNEL, timeout=1800)
def units_the_target_and_jobs_follow_the_machine(t: Context) -> None:
    """A slice is frozen; the target is up while the machine is ready; "stop" alone opens, and no other SIGTERM does."""
    vm = guest(t)
    sh(vm, f"rm /etc/sysgenid/adjust.d/*; {AWAY}")
    hook(vm, "adjust")
    refuses_a_step_without_rights(vm)
    oversee(vm, "freeze = away.slice", "laggards = kill", "sessions = keep")
    assert capabilities(vm) & CAP_KILL and not capabilities(vm) & CAP_SYS_ADMIN
    wait_until(lambda: is_active(vm, TARGET), LIMIT, "the target to start")
    assert not is_closed(vm)
    sh(vm, "sysgenidctl quiesce")
    assert is_closed(vm) and sh(vm, STATE) == "frozen 1\n"
    wait_until(lambda: not is_active(vm, TARGET), LIMIT, "the target to stop")
    sh(vm, "systemctl restart sysgenid-overseer")
    assert is_closed(vm) and status(vm)["state"] == "quiesced"
    reloads(vm)

    sh(vm, "systemctl stop sysgenid-overseer")
    assert not is_closed(vm) and "stopped while quiesced: the gate is opened" in journal(vm), journal(vm)
    assert "sysgenid" not in sh(vm, "nft list ruleset")
    # Another configuration thawed what the first one froze.
    assert sh(vm, STATE) == "frozen 0\n"

    sh(vm, "systemctl start sysgenid-overseer")
    enter(vm, "held")
    pid = main_pid(vm)
    sh(vm, f"kill -TERM {pid}")
    restarted(vm, pid)
    assert is_closed(vm) and "SIGTERM, and systemd has no stop job for this unit" in journal(vm), journal(vm)
    until(vm, "held")
    sh(vm, "systemd-run --unit=cause sleep 100000")
    drop_in(vm, "WatchdogSec=1h\n[Unit]\nBindsTo=cause.service")
    sh(vm, "systemctl stop cause")
    wait_until(lambda: not is_active(vm, "sysgenid-overseer"), LIMIT, "the overseer to be stopped with the other unit")
    assert is_closed(vm) and "it is stopped because of cause.service" in journal(vm), journal(vm)


# What goes on until the last SIGTERM of a shutdown, and tells of each packet on the console.
TO_THE_END = "systemd-run -p DefaultDependencies=no -p IgnoreOnIsolate=yes"
# The harness' own service, and nothing else of multi-user.target.
ALONE = "[Unit]\nAllowIsolate=yes\nRequires=sysinit.target agent.service\n"


def shut_down(vm: VM) -> list[str]:
    """The kinds of the packets that left while the machine shut down."""
    # By the kernel's log, as the end of a getty hangs the terminal up. The log takes 50 lines a second.
    tell = """awk "\\$2 != \\"open\\" || n++ % 20 == 0 { print \\"<2>packet\\", \\$2; fflush() }" """
    sh(vm, "sysctl -q -w kernel.printk_devkmsg=on")
    sh(vm, f"{TO_THE_END} sh -c 'ip netns exec peer packets watch w1 | {tell} >/dev/kmsg'")
    sh(vm, f"{TO_THE_END} packets send w0 10.9.0.2")
    told = re.compile(r"packet (udp|raw|open)\s*$", re.MULTILINE)
    wait_until(lambda: "open" in told.findall(vm.console.read_text("utf-8", "replace")), LIMIT, "packets on the console")
    # A shutdown that lasts: an overseer that opened would have the time for it.
    sh(vm, "systemd-run -p 'ExecStop=sleep 10' sleep 100000")
    before = len(told.findall(vm.console.read_text("utf-8", "replace")))
    vm.run("systemctl", "poweroff", "--no-block")
    vm.ended(LIMIT)
    return told.findall(vm.console.read_text("utf-8", "replace"))[before:]


@vmtest(KERNEL, full_only=True, timeout=2400)
def only_a_stop_opens(t: Context) -> None:
    """No signal, restart, hang, isolation, shutdown or stop of another unit; the target goes down with the overseer."""
    vm = booted(t)
    hook(vm, "adjust")
    sh(vm, WIRE)
    # A watchdog that a busy host does not wake.
    drop_in(vm, "WatchdogSec=1h\nRestartSec=3")
    oversee(vm, "except-ports = 7000/udp 7001/udp")
    until(vm, "ready")
    wait_until(lambda: is_active(vm, "sysgenid-ready.target"), LIMIT, "the target to start")
    pid = main_pid(vm)
    # The target is down until there is another overseer.
    sh(vm, f"kill -9 {pid}; timeout 60 sh -c 'while systemctl -q is-active sysgenid-ready.target; do :; done'")
    pid = restarted(vm, pid)
    wait_until(lambda: is_active(vm, "sysgenid-ready.target"), LIMIT, "the target to be back")

    ready = vm.snapshot()
    vm.resume()
    # A generation while it restarts: systemd does not bring the target back.
    entered = "journalctl --sync; journalctl -o cat -u sysgenid-ready.target | grep -c ^Reached"
    before = sh(vm, entered)
    vm.write("/run/fail", "")
    drop_in(vm, "WatchdogSec=1h\nExecStartPre=+sysgenidctl trigger")
    sh(vm, "systemctl restart sysgenid-overseer")
    until(vm, "held", 1)
    assert sh(vm, entered) == before and not is_active(vm, "sysgenid-ready.target")

    drop_in(vm, "WatchdogSec=1h\nRestartSec=100ms")
    sh(vm, "systemctl restart sysgenid-overseer")
    until(vm, "held")
    pid = main_pid(vm)
    for number in ("TERM", "INT", "USR2", "ALRM"):
        sh(vm, f"kill -{number} {pid}")
        pid = restarted(vm, pid)
        assert is_closed(vm), number
        until(vm, "held")
    assert "SIGTERM, and systemd has no stop job for this unit" in journal(vm), journal(vm)

    drop_in(vm, "WatchdogSec=10")
    sh(vm, "systemctl restart sysgenid-overseer")
    pid = main_pid(vm)
    sh(vm, "systemctl kill --kill-whom=main -s STOP sysgenid-overseer")
    pid = restarted(vm, pid)
    assert is_closed(vm) and "Watchdog timeout" in journal(vm), journal(vm)
    until(vm, "held")
    drop_in(vm, "WatchdogSec=1h")
    sh(vm, "systemctl restart sysgenid-overseer")
    assert is_closed(vm)
    until(vm, "held")

    sh(vm, "systemd-run --unit=cause sleep 100000")
    drop_in(vm, "WatchdogSec=1h\n[Unit]\nBindsTo=cause.service")
    sh(vm, "systemctl stop cause")
    wait_until(lambda: not is_active(vm, "sysgenid-overseer"), LIMIT, "the overseer to be stopped with the other unit")
    assert is_closed(vm) and "it is stopped because of cause.service" in journal(vm), journal(vm)
    drop_in(vm, "WatchdogSec=1h")
    sh(vm, "systemctl start sysgenid-overseer")
    until(vm, "held")

    pid = main_pid(vm)
    vm.write("/run/systemd/system/alone.target", ALONE)
    sh(vm, "systemctl daemon-reload; systemctl isolate alone.target")
    assert main_pid(vm) == pid and is_closed(vm)
    assert not is_active(vm, "multi-user.target")
    sh(vm, "systemctl start dbus.socket dbus.service")
    kinds = shut_down(vm)
    t.log(f"held, while it shut down: {len(kinds)} packets, {kinds.count('open')} of the exception")
    assert kinds.count("open") > 5 and set(kinds) == {"open"}, f"{len(kinds)} packets left: {kinds[:9]}"
    # The control: of one that is ready the others leave, too.
    with t.cloned(ready, "same") as clone:
        assert set(shut_down(clone)) == {"udp", "raw", "open"}


IN_AWAY = "systemd-run --quiet --wait --pipe --slice=away.slice sysgenidctl quiesce"


@vmtest(KERNEL, full_only=True, timeout=1800)
def units_that_are_needed_to_thaw_are_not_frozen(t: Context) -> None:
    """Under no name, and not where the overseer was moved to one."""
    vm = booted(t)
    sh(vm, f"{AWAY}; ln -s /usr/lib/systemd/system/sysgenid-overseer.service /run/systemd/system/other.service")
    sh(vm, "systemctl daemon-reload")
    oversee(vm, "freeze = away.slice")
    until(vm, "ready", 0)
    pid = main_pid(vm)

    def reloaded(freeze: str) -> str:
        """What status says of the configuration."""
        vm.write(CONFIG, f"[overseer]\ngate = nftables\nfreeze = {freeze}\n")
        before = journal(vm).count("\n")
        sh(vm, f"kill -HUP {pid}")
        wait_until(lambda: journal(vm).count("\n") > before, LIMIT, "a word about the configuration")
        return str(status(vm).get("configuration", ""))

    for unit, why in {
        "other": "other.service cannot be frozen: the overseer runs in it",
        "agent.service system.slice": "line 3: freeze: the overseer needs that unit",
        "away.slice": "",
    }.items():
        assert why in (said := reloaded(unit)) and bool(why) == bool(said), (unit, said)
    asked = vm.run("sh", "-c", IN_AWAY, limit=LIMIT)
    assert not asked.ok and "would never see the answer" in asked.out, asked
    sh(vm, f"echo {pid} >/sys/fs/cgroup/away.slice/away.service/cgroup.procs")
    moved = vm.run("sysgenidctl", "quiesce", limit=LIMIT)
    assert not moved.ok and "away.slice cannot be frozen: the overseer runs in it" in moved.out, moved
    sh(vm, f"echo {pid} >/sys/fs/cgroup/system.slice/sysgenid-overseer.service/cgroup.procs")
    assert status(vm)["state"] == "ready"
    sh(vm, f"sysgenidctl quiesce; {STATE} | grep -q 1")
    # Another configuration thaws what this one froze.
    oversee(vm)
    sh(vm, f"sysgenidctl resume; {STATE} | grep -q 0")


# Of cgroups with processes of their own, but the root, which has none but the kernel's.
AWAKE = """
for procs in $(find /sys/fs/cgroup -mindepth 2 -name cgroup.procs); do
    [ "$(cat $procs)" ] && grep -q 'frozen 0' ${procs%/*}/cgroup.events && echo ${procs%/*}
done | sed 's|.*/||'
"""
NEEDED = {"init.scope", "dbus.service", "systemd-journald.service", "sysgenid-overseer.service", "agent.service"}


@vmtest(KERNEL, full_only=True, timeout=1800)
def every_program_is_frozen_but_what_the_thaw_needs(t: Context) -> None:
    vm = booted(t)
    hook(vm, "adjust")
    sh(vm, AWAY)
    oversee(vm, "freeze = all", "sessions = keep")
    until(vm, "ready", 0)
    asked = vm.run("sysgenidctl", "quiesce", limit=LIMIT)
    assert not asked.ok and "would be frozen, and never see the answer" in asked.out, asked
    oversee(vm, "freeze = all", "freeze-except = agent", "sessions = keep")
    awake = set(sh(vm, AWAKE).split())
    assert awake > NEEDED | {"away.service"} and awake & {"systemd-udevd.service", "udev"}, awake
    sh(vm, "sysgenidctl quiesce")
    assert set(sh(vm, AWAKE).split()) == NEEDED
    sh(vm, "systemctl restart sysgenid-overseer")
    assert set(sh(vm, AWAKE).split()) == NEEDED and status(vm)["state"] == "quiesced"
    vm.write("/run/stay", "")
    state = vm.snapshot()
    vm.close()
    with t.cloned(state) as clone:
        until(clone, "adjusting", 1)
        wait_until(lambda: clone.exists("/run/hooked"), LIMIT, "the hook")
        now = {unit for unit in sh(clone, AWAKE).split() if not unit.startswith("sysgenid-hook-")}
        assert now == NEEDED, now
        sh(clone, "rm /run/stay")
        until(clone, "ready", 1)
        assert set(sh(clone, AWAKE).split()) >= awake - {"sysgenid-overseer.service"}
        assert "sysgenid-frozen" not in sh(clone, "find /sys/fs/cgroup -type d")
