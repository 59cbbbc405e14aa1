# SPDX-License-Identifier: MIT
"""No call that started after the resume answers with the generation from before; nor does the exact check.

Calls and checks are tried where they may come before anybody else has looked at the id: without the guard, which
test_guard.py has.
"""

from collections.abc import Sequence

from vmlib import VM, Context, Timeout, new_guid, vmtest, wait_until

from test_clones import silently_changed

CALLS = (
    "read write poll select get confirm wait-generation wait-watchers list track open sysfs".split()
)


# Where the kernel may run work that is bound to no processor: a mask.
UNBOUND_QUEUES = "/sys/devices/virtual/workqueue/cpumask"

def calls_in(vm: VM) -> tuple[int, int]:
    """How many calls came late, and how many of these were stale."""
    said = vm.wait_output("truth", r"^calls (\d+) late (\d+) stale (\d+)$", limit=120)
    return int(said[2]), int(said[3])


def truth(t: Context, smp: int, clones: int) -> dict[str, tuple[int, int]]:
    """For each call, made without end across a resume: how many came late, and how many of these were stale, in all
    clones. A handler may be so quick that no call comes before it."""
    found = {}
    for call in CALLS:
        vm = t.boot(insmod="guard=0", smp=smp)
        vm.spawn("truth", "truth", call)
        vm.wait_output("truth", "^ready$", limit=20)
        state = vm.snapshot()
        vm.close()
        late = stale = 0
        for _ in range(clones):
            with t.cloned(state) as clone:
                more_late, more_stale = calls_in(clone)
            late, stale = late + more_late, stale + more_stale
        state.discard()
        found[call] = late, stale
        t.log(f"{call}: late {late}, stale {stale}")
    return found


def first_calls(t: Context, smp: int, patch: str | None = None) -> dict[str, tuple[int, int]]:
    """The same of calls that begin when the id is new, where nothing tells the guest of it."""
    found = {}
    vm = t.boot(insmod="guard=0 compare_interval_ms=0", smp=smp, patch=patch, ram_file=True)
    for call in CALLS:
        vm.spawn("truth", "truth", call, "first")
        vm.wait_output("truth", "^ready$", limit=20)
        vm.pause()
        vm.write_guid(new_guid().bytes_le)
        vm.resume()
        found[call] = calls_in(vm)
        vm.wait("truth")
    t.log(f"first calls: {found}")
    return found


def check_truth(t: Context, smp: int, clones: int) -> None:
    found = truth(t, smp, clones)
    assert not any(stale for _, stale in found.values()), found
    found = first_calls(t, smp)
    assert all(count == (1, 0) for count in found.values()), found


@vmtest(timeout=900)
def calls_are_never_stale(t: Context) -> None:
    check_truth(t, 1, t.count(2, full=4))


@vmtest(cpus=2, timeout=900)
def calls_are_never_stale_on_two_cpus(t: Context) -> None:
    check_truth(t, 2, t.count(2, full=4))


@vmtest("bookworm-cloud", timeout=900)
def calls_are_stale_without_comparing(t: Context) -> None:
    """The control: a module whose calls do not look at the hardware id."""
    found = first_calls(t, 1, "untruthful.patch")
    assert all(stale for _, stale in found.values()), f"the mutant was not caught: {found}"


def wait_until_busy(vm: VM) -> None:
    """Until a real-time task lets nobody else run on the only CPU."""

    def silent() -> bool:
        try:
            vm.ping(limit=1)
        except Timeout:
            return True
        return False

    wait_until(silent, 20, "the real-time task to begin", interval=0.1)


def spin(
    t: Context, smp: int, clones: int, *options: str, patch: str | None = None, apart: bool = False, silent: bool = False
) -> tuple[int, int, int, int]:
    """Checks, exact ones that were stale, counter ones that were stale, false alarms: in all clones together.

    apart: the program has the second processor, the module's queue the first one. silent: the id changes, and nothing
    tells the guest."""
    vm = t.boot(insmod="guard=0 compare_interval_ms=0" if silent else "guard=0", smp=smp, patch=patch)
    under: Sequence[str] = ()
    if apart:
        vm.write(UNBOUND_QUEUES, "1")
        under = ("taskset", "2")
    vm.spawn("spin", *under, "spin", *options)
    vm.wait_output("spin", "^ready$", limit=20)
    if "fifo" in options:
        wait_until_busy(vm)
    state = vm.snapshot()
    vm.close()
    sums = [0, 0, 0, 0]

    def one() -> list[int]:
        clone = silently_changed(t, state) if silent else t.clone(state, paused=True)
        clone.resume(sync=False)
        # A real-time spinner answers nobody before it is done.
        clone.control.sync(60)
        pattern = r"^checks (\d+) exact-stale (\d+) counter-stale (\d+) changed (\d+)$"
        found = [int(n) for n in clone.wait_output("spin", pattern, limit=180).groups()]
        clone.close()
        return found

    for found in t.parallel([one] * clones, workers=max(1, 2 // smp)):
        sums = [a + b for a, b in zip(sums, found, strict=True)]
    t.log("checks {}, exact stale {}, counter page stale {}, false alarms {}".format(*sums))
    return sums[0], sums[1], sums[2], sums[3]


@vmtest("arm64", core=True, cpus=2)
def first_call_after_a_silent_change_is_not_stale(t: Context) -> None:
    """On every kernel of it, as the tests of all calls in clones take long there."""
    found = first_calls(t, 2)
    assert all(count == (1, 0) for count in found.values()), found


def check_exact(t: Context, smp: int, clones: int) -> None:
    checks, exact_stale, _, early = spin(t, smp, clones)
    assert checks > 0
    assert exact_stale == 0, exact_stale
    assert early == 0, early
    # A handler may be so quick that the counter page is never late. Here nobody tells the guest, so it always is.
    checks, exact_stale, counter_stale, early = spin(t, smp, 2, "at-most", "100000", silent=True)
    assert counter_stale == checks > 0
    assert exact_stale == 0, exact_stale
    assert early == 0, early


@vmtest(cpus=2, timeout=900)
def exact_check_is_never_stale(t: Context) -> None:
    check_exact(t, 1, t.count(2, full=20) if t.kernel.architecture.foreign else t.count(8, full=100))


@vmtest(core="arm64", cpus=2, timeout=900)
def exact_check_is_never_stale_on_two_cpus(t: Context) -> None:
    check_exact(t, 2, t.count(2, full=20) if t.kernel.architecture.foreign else t.count(8, full=100))


@vmtest("bookworm-cloud", cpus=2, timeout=600)
def exact_check_needs_the_generation_stored_first(t: Context) -> None:
    """The control: a module that stores the record before the generation. The program must spin on the processor that
    does not publish: it sees neither store on the other one."""
    _, exact_stale, _, _ = spin(t, 2, 4, patch="record-first.patch", apart=True)
    assert exact_stale > 0, "the mutant was not caught"


@vmtest("bookworm-cloud", timeout=600)
def exact_check_needs_the_generation_loaded_last(t: Context) -> None:
    """The control: a check that loads the generation before the ids. Nobody but it has the kernel publish."""
    clones = 2
    _, exact_stale, _, _ = spin(t, 1, clones, "generation-first", silent=True)
    assert exact_stale == clones, "the mutant was not caught"


@vmtest(cpus=2, timeout=900)
def real_time_spinner_is_never_stale(t: Context) -> None:
    """SCHED_FIFO 60 without throttling on the only CPU: the handler does not get to run, so the counter stays old."""
    checks, exact_stale, counter_stale, _ = spin(t, 1, 6, "fifo", "60")
    assert checks > 0
    assert exact_stale == 0, exact_stale
    assert counter_stale > checks // 2, "the handler ran: the spinner was no hindrance, nothing was tested"


@vmtest(timeout=900)
def real_time_callers_are_never_stale(t: Context) -> None:
    """The same with system calls: each publishes by itself."""
    for call in ("read", "poll", "get"):
        vm = t.boot(insmod="guard=0")
        vm.spawn("truth", "truth", call, "fifo", "60")
        vm.wait_output("truth", "^ready$", limit=20)
        wait_until_busy(vm)
        state = vm.snapshot()
        vm.close()
        for _ in range(3):
            clone = t.clone(state, paused=True)
            clone.resume(sync=False)
            clone.control.sync(60)
            said = clone.wait_output("truth", r"^calls (\d+) late (\d+) stale (\d+)$", limit=180)
            assert int(said[3]) == 0, said[0]
            assert int(said[2]) <= 1, f"{said[0]}: the one call that publishes is late, and no other"
            clone.close()
