# SPDX-License-Identifier: MIT
"""Boots each kind of machine once per run of the tests, and clones it for each test: much faster.

The snapshot is of a guest at its first ping: nothing was loaded, the RNG not
credited. The clone may have any GUID; whatever the kernel's own driver makes of
it is over when the module comes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from . import cache
from .qemu import VM, Machine, State


class BootedStates:
    """A directory of snapshots that the processes of one run share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def get(self, machine: Machine, boot: Callable[[Machine], VM]) -> State:
        """The snapshot of such a machine; boot makes the first."""
        machine = replace(machine, ram_file=False)
        base = self.folder / cache.key({"machine": repr(machine)})
        path, record = base.with_suffix(".state"), base.with_suffix(".json")
        with cache.locked_file(base.with_suffix(".lock")):
            if not record.exists():
                vm = boot(machine)
                state = vm.snapshot(path)
                vm.close()
                if state.disk:
                    state.disk.rename(base.with_suffix(".qcow2"))
                record.write_text(json.dumps([str(state.guid) if state.guid else None, state.guid_address]), "ascii")
        guid, address = json.loads(record.read_text("ascii"))
        disk = base.with_suffix(".qcow2") if machine.disk else None
        return State(path, machine, uuid.UUID(guid) if guid else None, address, disk)
