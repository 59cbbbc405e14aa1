# SPDX-License-Identifier: MIT
"""Library, sysgenidctl, overseer and tests as static programs of musl, in a guest that has no C library."""

import re

from vmlib import VM, Context, musl, repo, vmtest, wait_until
from vmlib.extras import with_files

CTL = "/usr/bin/sysgenidctl"
LIMIT = 120.0
CONFIG = "[overseer]\ngate = none\nquiesce-limit = none\n"
HOOK = '#!/bin/sh\necho "$SYSGENID_STATE $SYSGENID_GENERATION" >>/run/hooked\n'
SET_UP = """
mkdir -p /etc/sysgenid/adjust.d /run/sysgenid
printf %s "$1" >/etc/sysgenid/overseer.conf
printf %s "$2" >/etc/sysgenid/adjust.d/50-test
chmod 755 /etc/sysgenid/adjust.d/50-test
"""


def is_ready(vm: VM, generation: int) -> None:
    said = f"ready at generation {generation}\n"
    wait_until(lambda: vm.run(CTL, "status").out == said, LIMIT, said, interval=0.1)


@vmtest("bookworm-cloud")
def static_programs_adjust_a_clone(t: Context) -> None:
    """The overseer runs a hook, waits for a program that watches, and says that the clone is ready."""
    vm = t.boot(insmod="", extra=with_files(t.initrd(), musl.programs(repo.TOP / "build" / "musl")))
    assert vm.run("sh", "-c", SET_UP, "sh", CONFIG, HOOK).ok
    assert vm.run(CTL, "get").out == "0\n"
    vm.spawn("overseer", "/usr/sbin/sysgenid-overseer")
    is_ready(vm, 0)
    vm.spawn("watch", CTL, "watch", "--exec", "sleep 1; echo adjusted >/run/watched")
    wait_until(lambda: vm.read("/sys/class/misc/sysgenid/watchers").strip() not in ("", "0"), LIMIT, "the watcher")
    quiesced = vm.run(CTL, "quiesce", limit=LIMIT)
    assert quiesced.out == "quiesced at generation 0\n", quiesced
    state = vm.snapshot()
    with t.cloned(state) as clone:
        is_ready(clone, 1)
        assert clone.read("/run/hooked") == "adjusting 1"
        assert clone.read("/run/watched") == "adjusted", "ready before the watcher had adjusted"
        log = clone.out("overseer").out
        assert "generation 1: adjusting" in log and "0 laggards" in log, log
    vm.resume()
    assert vm.run(CTL, "resume", limit=LIMIT).out == "ready at generation 0\n"
    assert not vm.exists("/run/hooked")


@vmtest("bookworm-cloud")
def programs_of_musl_find_the_device_conforming(t: Context) -> None:
    """What a C library makes of calls, threads and times is part of what a program sees."""
    program = {"bin/conformance-musl": musl.guest_program(repo.GUEST / "conformance")}
    vm = t.boot(insmod="", extra=with_files(t.initrd(), program))
    result = vm.run("conformance-musl", limit=400)
    passed = re.search(r"^(\d+) passed, 0 failed", result.out, re.M)
    assert result.ok and passed and int(passed[1]) >= 81, result.out
