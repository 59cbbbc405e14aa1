# SPDX-License-Identifier: MIT
"""Frozen programs whose library takes a page of zeros for a fork: an unmodified BoringSSL, that of Debian's android-libboringssl."""

from vmlib import VM, Context, State, guests, overseer, repo, vmtest
from vmlib.extras import with_files

from test_overseer import LIMIT, PREPARE, TOLD, configure, journal, main_pid, oversee, sh, status, until

PACKAGE = "android-libboringssl"
LIBRARY = "usr/lib/x86_64-linux-gnu/android/libcrypto.so.0"
AGENTS = "/sys/fs/cgroup/agents"
ZEROS = "00" * 16


def booted(t: Context) -> VM:
    made = overseer.root(t.kernel, (PACKAGE,))
    files = overseer.files(t.kernel, made, {LIBRARY: "opt"})
    program = guests.compile_program(repo.VM / "boringssl" / "draws.c", shared=True)
    vm = t.boot(insmod="", extra=[*TOLD, *with_files(t.initrd(), {**files, "opt/draws": program})])
    sh(vm, f"{PREPARE}\nmkdir {AGENTS}")
    return vm


def start(vm: VM, mode: str) -> None:
    fifo = f"/run/{mode}"
    sh(vm, f"mkfifo {fifo}")
    vm.spawn(mode, "sh", "-c", f"echo 0 >{AGENTS}/cgroup.procs; exec /opt/draws /opt/libcrypto.so.0 {mode} {fifo}")
    vm.wait_output(mode, "^ready$", limit=LIMIT)


def asked(vm: VM, mode: str) -> str:
    """What the program answers with."""
    said = len(vm.out(mode).out)
    vm.write(f"/run/{mode}", "go\n")
    vm.wait_output(mode, rf"\A(?s:.{{{said}}}){mode} [0-9a-f]{{32}}\n", limit=LIMIT)
    return vm.out(mode).out.split()[-1]


def quiesced(vm: VM, *lines: str) -> State:
    configure(vm, "freeze = /agents", *lines)
    sh(vm, f"kill -HUP {main_pid(vm)}; until sysgenidctl quiesce; do sleep 0.1; done")
    return vm.snapshot()


def in_clones(t: Context, state: State, draws: dict[str, list[str]]) -> list[str]:
    """What the programs draw in two clones; the status of both."""
    left = []
    for _ in range(2):
        with t.cloned(state) as clone:
            until(clone, "ready", 1)
            for mode, found in draws.items():
                found.append(asked(clone, mode))
            left.append(str(status(clone).get("not-wiped", "")))
            t.log(journal(clone))
    return left


@vmtest("bookworm-cloud", timeout=1800)
def wiped_pages_have_boringssl_reseed(t: Context) -> None:
    """Without, clones draw the same; with, they do not. Who is in the middle of a draw is left alone; a key in such a page is gone."""
    vm = booted(t)
    oversee(vm)
    for mode in ("ask", "key"):
        start(vm, mode)
    key = asked(vm, "key")
    assert key != ZEROS and asked(vm, "ask") != asked(vm, "ask")

    state = quiesced(vm)
    without: dict[str, list[str]] = {"ask": [], "key": []}
    assert in_clones(t, state, without) == ["", ""]
    assert len(set(without["ask"])) == 1 and set(without["key"]) == {key}, without

    vm.resume()
    sh(vm, "sysgenidctl resume")
    # On one processor it would keep the others from their answers.
    start(vm, "loop")
    state = quiesced(vm, "wipe = /agents")
    drawn: dict[str, list[str]] = {"ask": [], "key": []}
    left = in_clones(t, state, drawn)
    assert len(set(drawn["ask"])) == 2 and not {*drawn["ask"]} & {*without["ask"]}, drawn
    # What docs/security.md says of such programs.
    assert set(drawn["key"]) == {ZEROS}, drawn
    assert all("draws (" in said and ("not inside a system call" in said or "drawing" in said) for said in left), left
