# SPDX-License-Identifier: MIT
"""The kernel's random generator after a resume."""

import errno
import json
from collections.abc import Sequence

from vmlib import Context, State, repo, vmtest, wait_until
from vmlib.extras import with_files
from vmlib.guests import c_library, compile_program
from vmlib.roots import root

from test_clones import DETERMINISTIC, alone, drawn, silently_changed
from test_doctor import about, doctor
from test_smoke import generation

RESEED_ERROR = "/sys/class/misc/sysgenid/reseed_error"


def vdso_state(t: Context, insmod: str = "", patch: str | None = None, clock: Sequence[str] = ()) -> State:
    """A snapshot with a program like that of test_clones.draws(). Its C library draws in the vDSO, whose state is part
    of the snapshot."""
    files = {"bin/rng-shared": compile_program(repo.GUEST / "rng.c", shared=True), **c_library(root(t.kernel))}
    vm = t.boot(insmod=insmod, patch=patch, extra=[*clock, *with_files(t.initrd(patch=patch), files)])
    vm.spawn("rng", "rng-shared")
    vm.wait_output("rng", "^vdso\nready$", limit=60)
    return vm.snapshot()


@vmtest("trixie-cloud", timeout=600, full_timeout=1800)
def draws_in_the_vdso_differ(t: Context) -> None:
    state = vdso_state(t)
    found = []
    for _ in range(t.count(4, full=40)):
        with t.cloned(state) as clone:
            found += drawn(clone)
    assert len(set(found)) == len(found), f"equal draws in clones: {found}"


def silent_draws(t: Context, patch: str | None) -> list[str]:
    """What two clones draw by a clock that counts instructions. Only the module can reseed: nothing notifies of the id."""
    state = vdso_state(t, "guard=0", patch, DETERMINISTIC)
    return [draw for _ in range(2) for draw in alone(silently_changed(t, state))]


@vmtest("trixie-cloud", timeout=600)
def draws_in_the_vdso_need_the_order(t: Context) -> None:
    """The control: a module that reseeds 50 ms after it publishes, and has no guard that would do it before."""
    found = silent_draws(t, None)
    assert len(set(found)) == len(found), f"equal draws in clones: {found}"
    found = silent_draws(t, "reseed-late.patch")
    assert len(set(found)) < len(found), f"the mutant was not caught: {found}"


@vmtest(quick=True)
def dev_of_the_loader_can_be_unmounted(t: Context) -> None:
    """The module holds a device, and not the mount by which it was found."""
    vm = t.boot()
    script = "mount -t tmpfs none /dev && mknod /dev/urandom c 1 9 && insmod /sysgenid.ko && umount /dev"
    result = vm.run("unshare", "-m", "sh", "-c", script)
    assert result.ok, result.out
    # Before a call of root's could open another one.
    assert vm.read(RESEED_ERROR) == "0" and "cannot open" not in vm.dmesg()
    with t.cloned(vm.snapshot()) as clone:
        assert generation(clone) == 1
        assert clone.read(RESEED_ERROR) == "0"
        assert clone.rmmod() == 0


@vmtest("kasan", timeout=400)
def generator_that_no_reseed_reaches_is_reported(t: Context) -> None:
    """FIPS mode: the patch external-rng.patch serves programs from a key that never changes."""
    vm = t.boot()
    vm.write("/sys/module/random/parameters/external", "1")
    assert vm.insmod() == 0
    assert vm.read(RESEED_ERROR) == str(errno.EOPNOTSUPP)
    assert "a generator that cannot be reseeded" in vm.dmesg()
    _, found = doctor(vm)
    assert "FIPS" in about(found, "reseed")["text"] and "fips=1" in about(found, "reseed")["fix"], found
    state = vm.snapshot()
    drawn = []
    for _ in range(2):
        with t.cloned(state) as clone:
            assert json.loads(clone.run("sysgenidctl", "get", "--json").out)["reseed_failed"]
            assert generation(clone) == 1
            drawn.append(clone.random())
    assert drawn[0] == drawn[1], "the generator was reseeded: nothing was tested"


@vmtest("kasan", timeout=400)
def generator_that_is_registered_later_is_reported(t: Context) -> None:
    vm = t.boot(insmod="")
    vm.write("/sys/module/random/parameters/external", "1")
    assert vm.run("sysgenidctl", "trigger").ok
    wait_until(lambda: vm.read(RESEED_ERROR) == str(errno.EOPNOTSUPP), 30, "the module to look again")
    vm.write("/sys/module/random/parameters/external", "0")
    assert vm.run("sysgenidctl", "trigger").ok
    wait_until(lambda: vm.read(RESEED_ERROR) == "0", 30, "the module to look again")
    assert vm.rmmod() == 0
