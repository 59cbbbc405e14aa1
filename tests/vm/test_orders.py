# SPDX-License-Identifier: MIT
"""examples/orders against a PostgreSQL server outside of the machine, which is cloned in the middle of its work."""

import os
import random
import re
import signal
import time
from collections.abc import Sequence

from vmlib import VM, Context, State, consumers, repo, vmtest
from vmlib.postgres import Postgres

SCHEMA = (repo.EXAMPLES / "orders" / "schema.sql").read_text("utf-8")
KERNEL = "bookworm-cloud"
# How many orders a clone places before it is asked to end.
ORDERS = 3
LONGEST = 0.5
LIMIT = 120.0
ACCEPTED = re.compile(r"^order (\d+)$", re.MULTILINE)

Orders = list[str]


def machine(t: Context) -> State:
    """A machine that has not begun to work."""
    vm = consumers.boot(t)
    assert vm.run("mkfifo", "/tmp/go").ok
    return vm.snapshot()


def started(t: Context, server: Postgres, shop: str, program: str, ready: State) -> VM:
    # With an id of its own, as all machines of the shop have.
    vm = t.clone(ready)
    vm.spawn("orders", "env", *server.environment(shop), program)
    return vm


def ended(t: Context, server: Postgres, shop: str, vm: VM) -> State:
    """A snapshot of the machine, which ends there. What it had sent arrives."""
    state = vm.snapshot()
    vm.close()
    server.wait_for_clients(shop)
    return state


def work(t: Context, state: State, held: bool) -> Orders:
    """What a clone takes for valid orders, its source's included; a program that was held goes on first."""
    with t.cloned(state) as clone:
        if held:
            # However often it comes there.
            clone.write("/tmp/go", "x" * 5000)
        done = len(ACCEPTED.findall(clone.out("orders").out))
        clone.wait_output("orders", ACCEPTED.pattern, LIMIT, count=done + ORDERS)
        clone.kill("orders", signal.SIGTERM)
        result = clone.wait("orders", LIMIT)
        assert result.ok, result
        return ACCEPTED.findall(result.out)


def both(t: Context, state: State, held: bool = False) -> list[Orders]:
    found = t.parallel([lambda: work(t, state, held)] * 2)
    state.discard()
    return found


def twice(server: Postgres, shop: str) -> Orders:
    """The numbers of which there is more than one valid order."""
    return server.ask(shop, "SELECT number FROM valid_orders GROUP BY number HAVING count(*) > 1")


def is_sound(server: Postgres, shop: str, placed: Sequence[Orders]) -> None:
    """Each order that a machine takes for valid is there once, and no other."""
    assert not twice(server, shop), twice(server, shop)
    valid = set(server.ask(shop, "SELECT number FROM valid_orders"))
    known = {number for numbers in placed for number in numbers}
    assert known == valid, f"lost: {known - valid}; unexpected: {valid - known}"


def pairs(t: Context, count: int) -> None:
    """So many pairs of clones, snapshotted at random moments."""
    seed = int(os.environ.get("SYSGENID_SEED", time.time_ns() % 10**6))
    t.log(f"SYSGENID_SEED={seed}")
    moments = random.Random(seed)
    ready = machine(t)
    placed: list[Orders] = []
    with Postgres(t.folder) as server:
        server.create("shop", SCHEMA)
        for number in range(count):
            vm = started(t, server, "shop", "orders", ready)
            vm.wait_output("orders", r"^order \d+$", LIMIT)
            time.sleep(moments.uniform(0, LONGEST))
            a, b = both(t, ended(t, server, "shop", vm))
            placed += [a, b]
            is_sound(server, "shop", placed)
            # What both know is what the source placed; the last one of it may not have been told before the snapshot.
            common = set(a) & set(b)
            assert a[: len(common)] == b[: len(common)], (a, b)
            t.progress(number + 1, count)
        void = server.ask("shop", "SELECT number FROM voided")
        orders = server.ask("shop", "SELECT number FROM orders")
        t.log(f"{count} pairs, {len(orders)} orders, {len(void)} of them void")


@vmtest(KERNEL, cpus=2, timeout=2400, full_timeout=3600)
def orders_of_clones_are_neither_lost_nor_double(t: Context) -> None:
    pairs(t, t.count(3, full=50))


@vmtest(KERNEL, cpus=2, timeout=2400)
def orders_are_void_if_a_snapshot_came_before_they_left(t: Context) -> None:
    """Clones wake with a number in their hands: both submit it and undo that. Who does not look again places it twice,
    and who never looks the rest of the batch, too."""
    ready = machine(t)
    with Postgres(t.folder) as server:
        found = {}
        for variant in consumers.VARIANTS:
            server.create(variant, SCHEMA)
            vm = started(t, server, variant, f"orders-{variant}", ready)
            vm.wait_output("orders", "^between$", LIMIT)
            placed = both(t, ended(t, server, variant, vm), held=True)
            found[variant] = len(twice(server, variant))
            if variant == "between":
                is_sound(server, variant, placed)
                submitted = server.ask(variant, "SELECT number FROM orders GROUP BY number HAVING count(*) > 1")
                assert submitted == server.ask(variant, "SELECT number FROM voided") and len(submitted) == 1, submitted
        t.log(f"numbers that were placed twice: {found}")
        assert found["between"] == 0 and found["unchecked"] == 1 and found["plain"] >= ORDERS, found
