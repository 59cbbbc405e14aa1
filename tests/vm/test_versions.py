# SPDX-License-Identifier: MIT
"""New versions beside an older one: the library, sysgenidctl and the overseer on the other module, and an upgrade."""

import json
from pathlib import Path

from vmlib import VM, Context, build_module, old, repo, systems, vmtest, wait_until
from vmlib.debs import debs
from vmlib.dkms import built
from vmlib.extras import with_files
from vmlib.guests import compile_program

from test_overseer import rules_close

KERNEL = "bookworm-cloud"
OLD_MODULE = "old.ko"
POLL = "7"
NEWER = "99.0.0"
OURS = ("sysgenid-common", "sysgenid-dkms", "sysgenid-overseer", "sysgenid-tools", "libsysgenid0")
HOOK = "/etc/sysgenid/adjust.d/10-fails"
ENABLE = """
systemctl enable sysgenid-overseer
mkdir -p /etc/sysgenid/adjust.d
printf '[overseer]\\ngate = nftables\\n' >/etc/sysgenid/overseer.conf
"""


def booted(t: Context) -> VM:
    """No module is loaded. Both tests share the boot."""
    top = old.tree() or t.skip(old.ABSENT)
    files = {
        OLD_MODULE: build_module(t.kernel, top=top),
        "bin/old-library": compile_program(top / repo.GUEST.relative_to(repo.TOP) / "library.c", top=top),
        "bin/old-sysgenidctl": compile_program(top / "tools", top=top),
    }
    return t.boot(extra=with_files(t.initrd(), files))


def spawned(vm: VM, name: str, *command: str) -> None:
    """It waits for a generation."""
    pid = vm.spawn(name, *command)
    wait_until(lambda: vm.read(f"/proc/{pid}/syscall").split()[0] == POLL, 60, f"{name} to wait in poll(2)")


def gets_along(t: Context, vm: VM, library: str, sysgenidctl: str) -> None:
    """The test of the library succeeds, and what the tool has to do it does, also in clones."""
    result = vm.run(library, limit=60)
    assert result.ok and "100%" in result.out, result.out
    before = int(vm.run(sysgenidctl, "get").out)
    told = json.loads(vm.run(sysgenidctl, "get", "--json").out)
    assert told["generation"] == before and told["exact"] and not told["old_driver"], told
    assert vm.run(sysgenidctl, "wait", "--timeout", "0.3").code == 5
    spawned(vm, "watch", sysgenidctl, "watch")
    spawned(vm, "wait", sysgenidctl, "wait")
    state = vm.snapshot()
    with t.cloned(state) as clone, t.cloned(state, "same") as again:
        clone.wait_output("watch", f"^{before + 1}$", limit=20)
        assert clone.wait("wait", limit=20).out == f"{before + 1}\n"
        assert clone.run(sysgenidctl, "trigger").out.endswith(f"\n{before + 2}\n")
        clone.wait_output("watch", f"^{before + 2}$", limit=20)
        assert again.run(sysgenidctl, "get").out == f"{before}\n" and not again.out("watch").out


@vmtest(KERNEL)
def new_library_and_tool_work_on_an_old_module(t: Context) -> None:
    vm = booted(t)
    assert vm.insmod(file=f"/{OLD_MODULE}") == 0
    gets_along(t, vm, "library", "sysgenidctl")


@vmtest(KERNEL)
def old_library_and_tool_work_on_a_new_module(t: Context) -> None:
    vm = booted(t)
    assert vm.insmod() == 0
    gets_along(t, vm, "old-library", "old-sysgenidctl")


def packages(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.deb") if path.name.partition("_")[0] in OURS]


def overseen(t: Context) -> VM:
    """A stock system with the old packages, and the new ones in /opt; the overseer is ready. Both tests share the boot."""
    top = old.tree() or t.skip(old.ABSENT)
    root = systems.stock(t.kernel).installed(packages(debs(t.kernel.suite, top=top)), ["nftables"]).changed(ENABLE)
    newer = packages(debs(t.kernel.suite, NEWER))
    files = {**built(t.kernel, newer, NEWER), **{f"opt/{path.name}": path for path in newer}, "opt/new.ko": build_module(t.kernel)}
    vm = t.boot_system(root, files=files)
    assert status(vm) == ("ready", 0)
    return vm


def done(vm: VM, script: str) -> str:
    result = vm.run("sh", "-c", script, limit=600)
    assert result.ok, (script, result)
    return result.out


def status(vm: VM) -> tuple[str, int]:
    told = json.loads(done(vm, "sysgenidctl status --json"))
    return told["state"], told["generation"]


def is_open(vm: VM) -> bool:
    return not rules_close(done(vm, "nft list ruleset"))


def closed(vm: VM, state: str) -> tuple[str, int]:
    """Bring it from ready to this state."""
    if state == "quiesced":
        done(vm, "sysgenidctl quiesce")
        return "quiesced", 0
    done(vm, f"ln -s /bin/false {HOOK} && sysgenidctl trigger")
    wait_until(lambda: status(vm) == ("held", 1), 240, "the machine to be held")
    return "held", 1


@vmtest(KERNEL, full_only=True, timeout=3600)
def old_overseer_works_on_a_new_module(t: Context) -> None:
    vm = overseen(t)
    done(vm, "systemctl stop sysgenid-overseer && rmmod sysgenid && insmod /opt/new.ko && systemctl start sysgenid-overseer")
    assert closed(vm, "quiesced") == status(vm) and not is_open(vm)
    state = vm.snapshot()
    with t.cloned(state) as clone, t.cloned(state, "same") as again:
        wait_until(lambda: status(clone) == ("ready", 1), 240, "the clone to be ready")
        assert is_open(clone) and status(again) == ("quiesced", 0) and not is_open(again)


@vmtest(KERNEL, full_only=True, timeout=3600)
def upgrade_keeps_a_closed_machine_closed_until_it_has_adjusted(t: Context) -> None:
    """The new overseer finds the state of the old one, and runs on the old module until the next boot."""
    vm = overseen(t)
    # The old one has read its configuration, and has no limit.
    done(vm, "echo 'quiesce-limit = none' >>/etc/sysgenid/overseer.conf")
    module = vm.read("/sys/module/sysgenid/version")
    ready = vm.snapshot()
    for name in ("quiesced", "held"):
        with t.cloned(ready, "same") as machine:
            before = closed(machine, name)
            done(machine, "apt-get install -q -y -o Dpkg::Options::=--force-confold /opt/*.deb")
            assert NEWER in done(machine, "sysgenidctl --version") and machine.read("/sys/module/sysgenid/version") == module
            assert f"found {name} at generation {before[1]}" in done(machine, "journalctl --sync; journalctl -b -o cat -u sysgenid-overseer")
            assert status(machine) == before and not is_open(machine)
            assert not machine.run("systemctl", "is-active", "sysgenid-ready.target").ok
            done(machine, f"rm -f {HOOK}")
            state = machine.snapshot()
            with t.cloned(state) as clone:
                wait_until(lambda: status(clone) == ("ready", before[1] + 1), 240, "the clone to be ready")  # noqa: B023
                assert is_open(clone)
            machine.resume()
            done(machine, "sysgenidctl resume")
            assert status(machine) == ("ready", before[1]) and is_open(machine)
