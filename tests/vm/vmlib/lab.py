# SPDX-License-Identifier: MIT
"""A place for the VMs of one test: makes them, keeps their files, ends them all.

Usable without the test runner:

    with Lab("bookworm-cloud") as lab:
        vm = lab.boot()
        vm.insmod()
        state = vm.snapshot()
        a, b = lab.clone(state), lab.clone(state)
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

from . import accel, initramfs, kernels, module, repo, systems
from .booted import BootedStates
from .console import complaints, last_words, text
from .control import GuestError
from .devicetree import VMGENID
from .limits import Timeout
from .qemu import BOOT_LIMIT, VM, Guid, Machine, State, new_guid
from .qmp import QmpError
from .uefi import Uefi

T = TypeVar("T")

# A whole distribution boots in seconds, many more of them if the machine is busy.
SYSTEM_LIMIT = 900.0
# Also of a clone, whose console does not begin with the load of the module.
HAS_MODULE = re.compile(r"sysgenid|Tainted: [A-Z ]*O")
LOST_BREAKPOINT = re.compile(r"\bint3: 0000 \[#1\]")


def parallel(jobs: Sequence[Callable[[], T]], workers: int | None = None) -> list[T]:
    """Run jobs side by side, as many as there are processors; results in order. The first failure is raised, after
    the running ones have ended; those not yet started are dropped."""
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        return [future.result() for future in futures]


class Lab:
    """The VMs of one kernel, in one temporary directory."""

    def __init__(self, kernel: str, folder: Path | None = None, booted: BootedStates | None = None) -> None:
        self.kernel = kernels.get_kernel(kernel)
        self._booted = booted
        self._own = None if folder else tempfile.TemporaryDirectory(prefix="sysgenid-")
        self.folder = folder or Path(self._own.name if self._own else "")
        self._vms: list[VM] = []
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind:
            self.save_dmesg()
            if self._own:
                logs = repo.LOGS / "lab"
                save_logs(self.folder, logs)
                print(f"logs of the virtual machines: {logs}", file=sys.stderr)
        self.close()

    @property
    def image(self) -> kernels.Image:
        return kernels.image(self.kernel)

    @property
    def builtin(self) -> bool:
        """Whether the kernel has the module built in."""
        return self.image.has("SYSGENID")

    def boot(
        self,
        guid: Guid | None = "auto",
        *,
        module: bool = True,
        patch: str | Path | None = None,
        insmod: str | None = None,
        credit: bool = True,
        smp: int = 1,
        memory: int = 256,
        cpu: str = "",
        append: str = "",
        extra: Sequence[str] = (),
        devicetree: Sequence[str] = (),
        ram_file: bool = False,
        uefi: Uefi | None = None,
        fresh: bool = False,
        limit: float = BOOT_LIMIT,
    ) -> VM:
        """A VM that has booted the kernel to init: a clone of one that was booted for another test, unless fresh.

        * guid: "auto" is a random one, None a machine without vmgenid.
        * module: put sysgenid.ko into the initramfs; patch: the one of tests/mutants by this name.
        * uefi: boot what is signed there, not the kernel and initramfs as they are.
        * insmod: load it with these parameters ("" for none); any failure raises OSError. Where it is built in, these go
          to the kernel's command line.
        * credit: make the guest's RNG ready.

        On architectures with a devicetree, devicetree names files of tests/vm/devicetree that change it.
        """
        if self.builtin:
            module, fresh = False, True
            append = " ".join([append, *(f"sysgenid.{word}" for word in (insmod or "").split())])
        initrd = self.initrd(module, patch)
        machine = Machine(
            kernel=self.image.vmlinuz,
            initrd=initrd,
            accel=accel.accelerator(self.image.vmlinuz, initrd, self.kernel.architecture),
            smp=smp,
            memory=memory,
            architecture=self.kernel.architecture,
            cpu=cpu,
            append=append,
            vmgenid=guid is not None,
            devicetree=(*([VMGENID] if guid is not None else []), *devicetree),
            ram_file=ram_file,
            uefi=uefi,
            extra=tuple(extra),
        )
        guid = new_guid() if guid == "auto" else guid

        def really_boot(machine: Machine) -> VM:
            vm = self._boot(machine, guid, "boot", limit)
            vm.find_guid()
            return vm

        def start() -> VM:
            if fresh or uefi or not self._booted:
                return really_boot(machine)
            vm = self._load(self._booted.get(machine, really_boot), guid, ram_file, "vm")
            vm.resume()
            return vm

        vm = start()
        if credit:
            vm.credit()
        error = vm.insmod(insmod) if insmod is not None and not self.builtin else 0
        if error:
            raise OSError(error, f"insmod: {os.strerror(error)}: {vm.dmesg().splitlines()[-1:]}")
        return vm

    def boot_system(
        self,
        root: systems.Root | None = None,
        guid: Guid | None = "auto",
        *,
        packages: Sequence[str] = (),
        debs: Sequence[Path] = (),
        files: Mapping[str, Path] | None = None,
        release: str | None = None,
        disk: Path | None = None,
        network: bool | Literal["host"] = False,
        memory: int = 512,
        append: str = "",
        extra: Sequence[str] = (),
        fresh: bool = False,
        limit: float = SYSTEM_LIMIT,
    ) -> VM:
        """A VM that has booted a whole distribution, all units started: a clone (with its GUID) of one that was booted
        for another test, unless fresh.

        * root: the file system; without, the stock one of the kernel's suite.
        * packages, debs: also installed. files: also there, by their path in the guest.
        * release: which of the root's kernels; the first if it is not named.
        * disk: continue with the disk of a VM that has ended, of the same root.
        * network: a network card, with nothing but the VM behind it, or "host". extra: further options of QEMU.
        """
        network_options = systems.HOST_NETWORK if network == "host" else systems.NETWORK if network else ()
        root = root or systems.stock(self.kernel)
        if packages or debs:
            root = root.installed(debs, packages)
        vmlinuz, initrd = root.boot_files(release or root.releases()[0])
        machine = Machine(
            kernel=vmlinuz,
            initrd=initrd,
            accel=accel.accelerator(self.image.vmlinuz, self.initrd()),
            memory=memory,
            append=f"root=LABEL=root rw net.ifnames=0 {append}".strip(),
            vmgenid=guid is not None,
            disk=disk or root.image(self._booted.folder if self._booted else self.folder, files),
            extra=(*network_options, *extra),
        )
        chosen = new_guid() if guid == "auto" else guid

        def really_boot(machine: Machine) -> VM:
            vm = self._boot(machine, chosen, "system", limit)
            vm.run("systemctl", "is-system-running", "--wait", limit=limit)
            vm.find_guid()
            return vm

        if fresh or disk or not self._booted:
            return really_boot(machine)
        state = self._booted.get(machine, really_boot)
        return self.clone(state, "same" if guid == "auto" else guid)

    def initrd(self, with_module: bool = True, patch: str | Path | None = None) -> Path:
        """The initramfs, with the module (a mutant, if patch names one)."""
        ko = module.build_module(self.kernel, repo.MUTANTS / patch if patch else None) if with_module else None
        return initramfs.build(ko, self.kernel.architecture)

    def clone(
        self, state: State, guid: Guid | None = "auto", *, paused: bool = False, ram_file: bool | None = None
    ) -> VM:
        """A new VM from a snapshot. guid: "auto" is a new one, "same" that of the source."""
        if not state.machine.vmgenid or guid == "same":
            guid = state.guid
        elif guid == "auto":
            guid = new_guid()
        vm = self._load(state, guid, state.machine.ram_file if ram_file is None else ram_file, "clone")
        if not paused:
            vm.resume()
        return vm

    @contextlib.contextmanager
    def cloned(
        self, state: State, guid: Guid | None = "auto", *, paused: bool = False, ram_file: bool | None = None
    ) -> Iterator[VM]:
        """As clone, for many: the VM is ended, and its files removed unless it failed, at the end of the block."""
        vm = self.clone(state, guid, paused=paused, ram_file=ram_file)
        yield vm
        vm.close()
        if not complaints(vm.console):
            with self._lock:
                self._vms.remove(vm)
            shutil.rmtree(vm.folder)

    def parallel(self, jobs: Sequence[Callable[[], T]], workers: int | None = None) -> list[T]:
        return parallel(jobs, workers)

    def _load(self, state: State, guid: Guid | None, ram_file: bool, kind: str) -> VM:
        vm = self._make(replace(state.machine, ram_file=ram_file), guid, state, kind)
        vm.load()
        return vm

    def _boot(self, machine: Machine, guid: Guid | None, kind: str, limit: float) -> VM:
        vm = self._make(machine, guid, None, kind)
        vm.boot(limit)
        return vm

    def _make(self, machine: Machine, guid: Guid | None, state: State | None, kind: str) -> VM:
        with self._lock:
            self._count += 1
            name = f"{kind}{self._count}"
        vm = VM(machine, self.folder / name, name, guid, state)
        with self._lock:
            self._vms.append(vm)
        return vm

    def complaints(self) -> list[str]:
        """What the kernels of all VMs complained about."""
        return [f"{vm.name}: {line}" for vm in self._vms for line in complaints(vm.console)]

    def last_words(self) -> list[str]:
        """The consoles of VMs that ended by themselves, and what the other kernels complained about."""
        found = []
        for vm in self._vms:
            lines = last_words(vm.console) if vm.is_gone else complaints(vm.console)
            found += [f"{vm.name}: {line}" for line in lines]
        return found

    def is_to_blame(self) -> bool:
        """Whether the module may be the cause of what a kernel complained about: it was there, or is built in.

        One complaint is QEMU's: a breakpoint that nobody has set. The kernel patches its code while other processors
        run it, and puts a breakpoint there meanwhile. With a thread for each processor QEMU's translator at times keeps
        what it made of that breakpoint."""

        def blames(vm: VM) -> bool:
            said = text(vm.console)
            lost = vm.machine.smp > 1 and LOST_BREAKPOINT.search(said)
            return bool(complaints(vm.console)) and HAS_MODULE.search(said) is not None and not lost

        return self.builtin or any(map(blames, self._vms))

    def save_dmesg(self) -> None:
        """Keep the kernel logs of the VMs that still answer."""
        for vm in self._vms:
            if vm.alive:
                with contextlib.suppress(QmpError, GuestError, Timeout, OSError):
                    vm.control.sync(2)
                    (vm.folder / "dmesg").write_text(vm.dmesg(2), "utf-8")

    def close(self) -> None:
        for vm in self._vms:
            vm.close()
        if self._own:
            self._own.cleanup()


def save_logs(folder: Path, to: Path) -> None:
    """Copy consoles, control channels and kernel logs of a lab, without its big files."""
    shutil.rmtree(to, ignore_errors=True)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and re.fullmatch(r"console|control|dmesg|qemu\.log", path.name):
            target = to / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
