# SPDX-License-Identifier: MIT
"""sysgenidctl doctor on healthy and on sick machines, and that what it tells to do fixes them."""

import errno
import json
import signal
from typing import Any

from vmlib import VM, Context, vmtest

Finding = dict[str, Any]


def doctor(vm: VM, *units: str, uid: int | None = None) -> tuple[int, list[Finding]]:
    """The exit code and the findings; that both ways to print them say the same."""
    result = vm.run("sysgenidctl", "doctor", "--json", *units, uid=uid, gid=uid)
    found: list[Finding] = json.loads(result.out)["findings"]
    problems = [f for f in found if f["level"] == "problem"]
    assert result.code == bool(problems) and json.loads(result.out)["problems"] == len(problems), result
    assert all(f["fix"] for f in problems), problems
    plain = vm.run("sysgenidctl", "doctor", *units, uid=uid, gid=uid)
    levels = [line.split()[0] for line in plain.out.splitlines()]
    assert plain.code == result.code and levels == [f["level"] for f in found], plain
    return result.code, found


def about(found: list[Finding], what: str) -> Finding:
    """The one finding about it."""
    (one,) = [f for f in found if f["about"] == what]
    return one


def sick(vm: VM, what: str, text: str, fix: str) -> Finding:
    """There is one problem, this one."""
    code, found = doctor(vm)
    finding = about(found, what)
    assert code == 1 and [f for f in found if f["level"] == "problem"] == [finding], found
    assert text in finding["text"] and fix in finding["fix"], finding
    return finding


def well(vm: VM) -> list[Finding]:
    code, found = doctor(vm)
    assert code == 0, found
    return found


@vmtest(quick=True)
def healthy_machine(t: Context) -> None:
    vm = t.boot(insmod="")
    found = well(vm)
    assert all(f["level"] == "ok" for f in found), found
    assert vm.run("uname", "-r").out.strip() in about(found, "kernel")["text"]
    driver = "serves the VM generation id" if t.image.has("VMGENID") else "none at work"
    assert driver in about(found, "in-tree driver")["text"], found
    assert "VM generation id (ACPI \\_SB" in about(found, "hypervisor")["text"], found
    assert "exact" in about(found, "check")["text"] and "compared" in about(found, "sources")["text"], found
    assert vm.read("/sys/module/sysgenid/version") in about(found, "module")["text"], found
    assert "none has mapped" in about(found, "programs")["text"], found
    code, found = doctor(vm, uid=1000)
    assert code == 0 and about(found, "check")["level"] == "note", found
    assert "usermod -aG sysgenid" in about(found, "check")["fix"], found


@vmtest(quick=True)
def no_module(t: Context) -> None:
    vm = t.boot()
    release = vm.run("uname", "-r").out.strip()
    sick(vm, "module", "there is none for this kernel", "dkms")
    assert doctor(vm, uid=1000)[0] == 1
    vm.run("mkdir", "-p", f"/lib/modules/{release}/updates/dkms")
    vm.write(f"/lib/modules/{release}/modules.dep", "kernel/fs/fuse/fuse.ko:\nupdates/dkms/sysgenid.ko:\n")
    finding = sick(vm, "module", "updates/dkms/sysgenid.ko", "modprobe sysgenid")
    vm.run("cp", "/sysgenid.ko", f"/lib/modules/{release}/updates/dkms/sysgenid.ko")
    assert vm.run("sh", "-c", finding["fix"]).ok
    well(vm)


@vmtest(quick=True)
def no_hardware_id(t: Context) -> None:
    vm = t.boot(guid=None)
    code, found = doctor(vm)
    hypervisor = about(found, "hypervisor")
    assert code == 1 and "software=1" in hypervisor["fix"] and "before it is snapshotted" in hypervisor["fix"], found
    assert "a clone has the devices that its source had" in hypervisor["text"], found
    assert vm.insmod() == errno.ENODEV
    assert vm.insmod("software=1") == 0
    found = well(vm)
    hypervisor = about(found, "hypervisor")
    assert hypervisor["level"] == "note" and "before it is snapshotted" in hypervisor["fix"], found
    sources = about(found, "sources")
    assert sources["level"] == "note" and "agent triggers it" in sources["text"], found
    assert "there is no page with a hardware id" in about(found, "check")["text"], found


@vmtest(quick=True)
def nodes(t: Context) -> None:
    vm = t.boot(insmod="")
    major_minor = vm.read("/sys/class/misc/sysgenid/dev").replace(":", " ").split()
    for mode in ("0600", "0640", "0004"):
        vm.run("chmod", mode, "/dev/sysgenid")
        finding = sick(vm, "node", f"has mode {mode}", "chmod")
        assert vm.run("sh", "-c", finding["fix"]).ok
        well(vm)
    vm.run("chmod", "0600", "/dev/sysgenid")
    code, found = doctor(vm, uid=1000)
    assert code == 1 and "Permission denied" in about(found, "device")["text"], found
    vm.run("chmod", "0666", "/dev/sysgenid")
    assert about(well(vm), "node")["level"] == "note"
    vm.run("chmod", "0664", "/dev/sysgenid")
    vm.run("chown", "1000", "/dev/sysgenid")
    finding = sick(vm, "node", "belongs to user 1000", "chown root")
    assert vm.run("sh", "-c", finding["fix"]).ok
    vm.run("chown", ":1000", "/dev/sysgenid")
    assert about(well(vm), "node")["text"].endswith("mode 0664, group user")
    vm.run("chmod", "0444", "/dev/sysgenid-hw")
    finding = about(well(vm), "hardware node")
    assert finding["level"] == "note" and vm.run("sh", "-c", finding["fix"]).ok
    assert not [f for f in well(vm) if f["about"] == "hardware node"]
    vm.run("rm", "/dev/sysgenid")
    sick(vm, "node", "there is no /dev/sysgenid", "udevadm")
    vm.run("mknod", "/dev/sysgenid", "c", "1", "3")
    code, found = doctor(vm)
    assert code == 1 and "something else" in about(found, "node")["text"], found
    vm.run("rm", "/dev/sysgenid")
    vm.run("mknod", "-m", "0644", "/dev/sysgenid", "c", *major_minor)
    well(vm)


@vmtest(quick=True)
def reseed_and_hardware_page(t: Context) -> None:
    vm = t.boot()
    vm.run("mv", "/dev/urandom", "/dev/elsewhere")
    assert vm.insmod("hw_page=off") == 0
    assert "hw_page=off" in about(doctor(vm)[1], "check")["text"]
    vm.run("sysgenidctl", "trigger")
    sick(vm, "reseed", "could not be reseeded (No such file", "/dev/urandom")
    vm.run("mv", "/dev/elsewhere", "/dev/urandom")
    vm.run("sysgenidctl", "trigger")
    well(vm)


@vmtest()
def watchers_and_programs(t: Context) -> None:
    vm = t.boot(insmod="")
    pid = vm.spawn("ids", "ids")
    vm.wait_output("ids", "^ready$", limit=20)
    assert about(well(vm), "programs")["text"] == f"1 check exactly: ids[{pid}]"
    vm.spawn("watch", "sysgenidctl", "watch", "--exec", "test -e /tmp/adjusted")
    while "1 are tracked" not in about(well(vm), "watchers")["text"]:
        pass
    vm.run("sysgenidctl", "trigger")
    vm.wait_output("watch", "generation 1 is not confirmed", limit=20)
    # The watcher may be adjusting.
    assert about(well(vm), "watchers")["level"] == "note"
    vm.run("sleep", "10.1")
    sick(vm, "watchers", "1 of 1 have not confirmed generation 1", "watchers --outdated")
    assert '"outdated": 1' in vm.run("sysgenidctl", "get", "--json").out
    vm.write("/tmp/adjusted", "")
    vm.run("sysgenidctl", "trigger")
    vm.wait_output("watch", "^2$", limit=20)
    assert "none is outdated" in about(well(vm), "watchers")["text"]


@vmtest(quick=True)
def page_file(t: Context) -> None:
    vm = t.boot(guid=None)
    vm.run("mkfifo", "/tmp/trigger")
    vm.spawn("publish", "sh", "-c", "exec sysgenidctl publish <>/tmp/trigger")
    vm.wait_output("publish", "^0$", limit=20)
    pid = vm.spawn("soft", "soft")
    vm.wait_output("soft", "^ready$", limit=20)
    found = well(vm)
    assert "stands in" in about(found, "module")["text"], found
    assert about(found, "programs")["text"] == f"1 have mapped the page file: soft[{pid}]", found
    vm.kill("publish", signal.SIGKILL)
    vm.wait_output("soft", "^ended", limit=20)
    code, found = doctor(vm)
    assert code == 1 and "no living publisher" in about(found, "page file")["text"], found
    vm.spawn("second", "sh", "-c", "exec sysgenidctl publish <>/tmp/trigger")
    vm.wait_output("second", "^1$", limit=20)
    sick(vm, "programs", f"a publisher that has ended: soft[{pid}]", "restart")
    vm.kill("soft", signal.SIGKILL)
    vm.wait("soft")
    well(vm)


@vmtest(quick=True)
def unsigned_module(t: Context) -> None:
    """As under Secure Boot, where the kernel is locked down."""
    lockdown = t.image.has("SECURITY_LOCKDOWN_LSM")
    vm = t.boot(append="lockdown=integrity" if lockdown else "module.sig_enforce=1")
    vm.run("mount", "-t", "securityfs", "securityfs", "/sys/kernel/security")
    # A refusal under lockdown is EPERM, under enforcement EKEYREJECTED.
    assert vm.insmod() in (errno.EPERM, errno.EKEYREJECTED)
    release = vm.run("uname", "-r").out.strip()
    code, found = doctor(vm)
    assert about(found, "signature")["level"] == "note" and "mokutil --import" in about(found, "signature")["fix"]
    vm.run("mkdir", "-p", f"/lib/modules/{release}")
    vm.write(f"/lib/modules/{release}/modules.dep", "sysgenid.ko:\n")
    vm.run("cp", "/sysgenid.ko", f"/lib/modules/{release}/sysgenid.ko")
    code, found = doctor(vm)
    finding = about(found, "signature")
    assert code == 1 and finding["level"] == "problem" and "is not signed" in finding["text"], found
    assert ("locked down" if lockdown else "sig_enforce") in finding["text"], finding


SYSTEMCTL = """#!/bin/sh
case "$1" in
show)
	shift $(($# - 1))
	[ "$1" = gone.service ] && exec printf 'Id=gone.service\\nLoadState=not-found\\n'
	for unit in /tmp/units/$1; do
		echo "Id=${unit##*/}"
		echo LoadState=loaded
		cat $unit
		echo
	done
	;;
*)
	echo "$@" >>/tmp/systemctl
	;;
esac
"""


@vmtest(quick=True)
def units(t: Context) -> None:
    """What systemctl shows is made up here; that the names are systemd's is for tests with systemd."""
    vm = t.boot(insmod="")
    assert about(doctor(vm, "a.service")[1], "units")["text"] == "systemd does not run here"
    vm.run("mkdir", "-p", "/run/systemd/system", "/tmp/units")
    assert "does not tell" in about(well(vm), "units")["text"]
    vm.write("/bin/systemctl", SYSTEMCTL)
    vm.run("chmod", "755", "/bin/systemctl")
    cases = {
        "hidden.service": "PrivateDevices=yes\nDevicePolicy=auto\n",
        "denied.service": "PrivateDevices=no\nDevicePolicy=closed\nDeviceAllow=char-rtc r\n",
        "open.service": "PrivateDevices=no\nDevicePolicy=closed\nDeviceAllow=/dev/sysgenid rw\n",
    }
    for name, text in cases.items():
        vm.write(f"/tmp/units/{name}", f"ActiveState=active\nMainPID=1\n{text}")
    assert "1 services can open the node, and 2 cannot" in about(well(vm), "units")["text"]
    for name, why, line in (
        ("hidden.service", "PrivateDevices=yes hides it", "PrivateDevices=no"),
        ("denied.service", "give EPERM", "DeviceAllow=/dev/sysgenid rw"),
    ):
        code, found = doctor(vm, name)
        finding = about(found, "units")
        assert code == 1 and why in finding["text"], finding
        done = vm.run("sh", "-c", finding["fix"])
        assert done.ok, done
        lines = vm.read(f"/etc/systemd/system/{name}.d/sysgenid.conf").splitlines()
        assert lines[0] == "[Service]" and line in lines and "DevicePolicy=closed" in lines, lines
        assert f"restart {name}" in vm.read("/tmp/systemctl")
        # With these lines the unit is well.
        vm.write(f"/tmp/units/{name}", "ActiveState=active\nMainPID=1\nPrivateDevices=no\n" + "\n".join(lines[1:]))
        assert doctor(vm, name)[0] == 0
    assert "can open the node" in about(doctor(vm, "open.service")[1], "units")["text"]
    code, found = doctor(vm, "gone.service")
    assert code == 1 and "there is no gone.service" in about(found, "units")["text"], found
