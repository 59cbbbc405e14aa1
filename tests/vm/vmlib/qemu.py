# SPDX-License-Identifier: MIT
"""A virtual machine: start, ask, snapshot, clone.

A VM has two serial ports: the kernel's console goes to a file, the control
channel (see init.c) to the runner. QEMU gets its sockets as open descriptors:
there is nothing to wait for, and no path to be too long. QEMU is told to die with
the runner, however that ends.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import mmap
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from . import devicetree
from .architectures import AMD64, Architecture
from .control import Control, GuestError, Reply
from .limits import NotBooted, Timeout, patient, run_tool, wait_until
from .qmp import Qmp, QmpError
from .uefi import Uefi

P = ParamSpec("P")
T = TypeVar("T")

BOOT_LIMIT = 90.0
CLONE_LIMIT = 30.0
SNAPSHOT_LIMIT = 60.0
REQUEST_LIMIT = 30.0
STATE_LIMIT = 30.0
RUN_LIMIT = 60.0

# While QEMU is in one of these states it refuses commands that start, stop or save the guest, or puts them off.
MOVING = ("finish-migrate", "inmigrate", "restore-vm", "save-vm")

# A child gets its parent's-death signal when the thread that started it ends. So one thread that lives as long as the
# process starts them all.
_starter = concurrent.futures.ThreadPoolExecutor(1, "qemu-starter")

Guid = uuid.UUID | str


def command_line(append: str, architecture: Architecture = AMD64) -> str:
    """The kernel's."""
    return f"{architecture.kernel_options} {append}".strip()


def new_guid() -> uuid.UUID:
    return uuid.UUID(bytes=secrets.token_bytes(16))


# Stands for the VM's directory in Machine.extra.
FOLDER = "{folder}"


@dataclass(frozen=True)
class Machine:
    """What source and clones must have in common."""

    kernel: Path
    initrd: Path
    accel: str = "tcg"
    smp: int = 1
    memory: int = 256
    architecture: Architecture = AMD64
    # That of the architecture if it is empty.
    cpu: str = ""
    append: str = ""
    vmgenid: bool = True
    # Files of tests/vm/devicetree, on architectures that have one.
    devicetree: tuple[str, ...] = ()
    ram_file: bool = False
    # Then the kernel, the initramfs and the command line come out of a signed image.
    uefi: Uefi | None = None
    disk: Path | None = None
    extra: tuple[str, ...] = ()

    @property
    def memory_is_a_file(self) -> bool:
        """Asked for, or because the harness has to write the GUID."""
        return self.ram_file or self.vmgenid and self.architecture.devicetree


@dataclass(frozen=True)
class Result:
    """How a program ended: status is "exit" (code: its exit status), "signal" (its number), "timeout" or "running"."""

    status: str
    code: int
    out: str

    @property
    def ok(self) -> bool:
        return self.status == "exit" and self.code == 0


@dataclass(frozen=True)
class State:
    """A snapshot on disk."""

    path: Path
    machine: Machine
    guid: uuid.UUID | None
    guid_address: int | None
    disk: Path | None = None

    def discard(self) -> None:
        """Remove the file (a hundred megabytes) before the test ends; clones that have loaded it do not need it."""
        self.path.unlink()


class VM:
    """One QEMU. Lab (lab.py) makes them, and ends them."""

    def __init__(
        self, machine: Machine, folder: Path, name: str, guid: Guid | None, state: State | None = None
    ) -> None:
        self.machine = machine
        self.folder = folder
        self.name = name
        self.guid = uuid.UUID(str(guid)) if guid is not None else None
        self.console = folder / "console"
        self._guid_address = state.guid_address if state else None
        self._cloned = state is not None
        self._memory: mmap.mmap | None = None
        self.started = time.monotonic()
        folder.mkdir(parents=True)
        base = state.disk if state else machine.disk
        self.disk = self._new_disk(base) if base else None
        mine, theirs = zip(socket.socketpair(), socket.socketpair(), strict=True)
        with (folder / "qemu.log").open("wb") as log, contextlib.ExitStack() as files:
            inherited = [s.fileno() for s in theirs]
            argv = self._command(*inherited)
            if state:
                inherited.append(files.enter_context(state.path.open("rb")).fileno())
                argv += ["-incoming", f"fd:{inherited[-1]}"]
            log.write(shlex.join(argv).encode() + b"\n")
            log.flush()
            start = functools.partial(
                subprocess.Popen[bytes],
                ["setpriv", "--pdeathsig", "KILL", "--", *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=inherited,
            )
            self._process = _starter.submit(start).result()
        for s in theirs:
            s.close()
        self.qmp = Qmp(mine[0])
        self.control = Control(mine[1], folder / "control", name)

    def _command(self, qmp: int, control: int) -> list[str]:
        m = self.machine
        a = m.architecture
        cpu = m.cpu or a.cpu
        argv = [a.qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-S"]
        argv += ["-accel", "tcg,thread=multi" if m.accel == "tcg" and m.smp > 1 else m.accel]
        argv += ["-cpu", cpu, "-m", str(m.memory), "-smp", str(m.smp)]
        if m.uefi:
            argv += m.uefi.options(self.folder)
        elif m.memory_is_a_file:
            # The id is the one QEMU gives ordinary memory, so that state files fit both.
            ram = f"memory-backend-file,id={a.ram},size={m.memory}M,mem-path={self.folder}/ram,share=on"
            argv += ["-object", ram, "-machine", f"{a.machine},memory-backend={a.ram}"]
        else:
            argv += ["-machine", a.machine]
        if a.devicetree:
            argv += ["-dtb", str(devicetree.build(a, cpu, m.memory, m.smp, m.devicetree))]
        if not m.uefi:
            argv += ["-kernel", str(m.kernel), "-initrd", str(m.initrd), "-append", command_line(m.append, a)]
        argv += ["-chardev", f"socket,id=qmp,fd={qmp}", "-mon", "chardev=qmp,mode=control"]
        argv += ["-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console"]
        argv += ["-chardev", f"socket,id=control,fd={control}", *a.control]
        if m.vmgenid and not a.devicetree:
            argv += ["-device", f"vmgenid,guid={self.guid}"]
        if self.disk:
            # Nothing of it needs to survive the host.
            argv += ["-drive", f"if=none,id=disk,file={self.disk},format=qcow2,cache=unsafe"]
            argv += ["-device", "virtio-blk-pci,drive=disk"]
        # Sockets of this VM alone have paths that begin with its directory.
        return argv + [word.replace(FOLDER, str(self.folder)) for word in m.extra]

    def _new_disk(self, base: Path) -> Path:
        """A file of this VM's own for what it writes; the base, which others share, is only read."""
        disk = self.folder / f"disk-{time.monotonic_ns()}.qcow2"
        kind = "qcow2" if base.suffix == ".qcow2" else "raw"
        run_tool(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", kind, disk], 30, "a disk for a guest")
        return disk

    def _freeze_disk(self) -> Path | None:
        """Let the VM go on with a new file; the one that it wrote to until now does not change any more."""
        frozen = self.disk
        if frozen:
            self.disk = self._new_disk(frozen)
            change = {"device": "disk", "snapshot-file": str(self.disk), "format": "qcow2", "mode": "existing"}
            self._change("blockdev-snapshot-sync", change)
        return frozen

    def __repr__(self) -> str:
        return self.name

    # Life.

    def boot(self, limit: float = BOOT_LIMIT) -> float:
        """Let a new VM boot to init; returns the seconds it took."""
        self._guarded(self.qmp.start)
        self._write_own_guid()
        self._change("cont")
        try:
            self._guarded(self.control.greeting, limit)
        except Timeout as e:
            # QEMU at times loses the timer of a guest that starts, for ever.
            raise NotBooted(str(e)) from e
        return time.monotonic() - self.started

    def load(self, limit: float = CLONE_LIMIT) -> None:
        """Let a clone load its state; it stays paused."""
        self._guarded(self.qmp.start)
        self._wait_state(lambda state: state not in MOVING, limit, "load its state")
        if self._write_own_guid():
            self.notify()

    def _write_own_guid(self) -> bool:
        """What a vmgenid device does, where QEMU has none: before the machine runs, and after a state, in which the page
        is as the source had it, was loaded. Returns whether this machine is such a one."""
        if self.guid is None or not self.machine.architecture.devicetree:
            return False
        self._guid_address = devicetree.GUID_ADDRESS
        self.write_guid(self.guid.bytes_le)
        return True

    def notify(self) -> None:
        """Raise the interrupt of the devicetree's VM generation id, also of a paused guest, which takes it later.

        The line stays up for 100 ms of the guest. A clone of a snapshot in that time is not told."""
        self._guarded(self.qmp.execute, "system_powerdown")

    def resume(self, sync: bool = True, limit: float = CLONE_LIMIT) -> float:
        """Let it run; returns the monotonic time just before. A clone's control channel is synchronised unless
        sync is False: then the caller does it, with vm.control.sync, before the first request."""
        self._wait_state(lambda state: state not in MOVING, STATE_LIMIT, "be ready to go on")
        moment = time.monotonic()
        self._guarded(self.qmp.execute, "cont")
        if self._cloned and sync:
            self._guarded(self.control.sync, limit)
            self._cloned = False
        return moment

    def pause(self) -> None:
        self._change("stop")

    def wait_state(self, state: str, limit: float = STATE_LIMIT) -> None:
        """Wait until QEMU says that the machine is "running", "suspended", ..."""
        self._wait_state(lambda now: now == state, limit, f"be {state}")

    def wake(self) -> None:
        """Wake the guest when it is asleep (suspended to RAM)."""
        self.wait_state("suspended")
        self._guarded(self.qmp.execute, "system_wakeup")

    def _wait_state(self, fits: Callable[[str], bool], limit: float, what: str) -> None:
        def look() -> bool:
            return fits(self._guarded(self.qmp.execute, "query-status")["status"])

        wait_until(look, limit, f"{self.name} to {what}", interval=0.002)

    def _change(self, command: str, arguments: dict[str, Any] | None = None) -> None:
        """A command that starts, stops or saves the guest: QEMU must be done with the one before."""
        self._wait_state(lambda state: state not in MOVING, STATE_LIMIT, f"be ready for {command}")
        self._guarded(self.qmp.execute, command, arguments)

    def snapshot(self, path: Path | None = None, live: bool = False, limit: float = SNAPSHOT_LIMIT) -> State:
        """Save the VM to a file; it is paused afterwards and can be resumed.

        A live snapshot stops the vCPUs only at its very end, wherever they are then; not with a disk."""
        if live and self.disk:
            raise ValueError("a live snapshot of a VM with a disk would not have the disk of its last moment")
        path = path or self.folder.parent / f"{self.name}-{time.monotonic_ns()}.state"
        address = self._guid_address
        if not live:
            self.pause()
        disk = self._freeze_disk()
        self._guarded(self.qmp.execute, "migrate-set-parameters", {"max-bandwidth": 10**10, "downtime-limit": 1000})
        with path.open("wb") as file:
            self._guarded(self.qmp.send_file, "state", file.fileno())
        self._change("migrate", {"uri": "fd:state"})

        def saved() -> bool:
            status = self._guarded(self.qmp.execute, "query-migrate").get("status")
            if status in ("failed", "cancelled"):
                raise QmpError(f"{self.name}: the snapshot {status}")
            return bool(status == "completed")

        wait_until(saved, limit, f"the snapshot of {self.name}", interval=0.002)
        # The file is complete some time before QEMU is done. A debugger would not wait for that, nor QEMU for it.
        self.wait_state("postmigrate")
        return State(path, self.machine, self.guid, address, disk)

    def close(self) -> None:
        """End it at once; harmless when it has ended."""
        self._process.kill()
        self._process.wait()
        if self._memory:
            self._memory.close()
            self._memory = None
        self.qmp.close()
        self.control.close()
        (self.folder / "ram").unlink(missing_ok=True)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def is_gone(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() not in (None, -signal.SIGKILL)

    def ended(self, limit: float) -> None:
        """Wait until QEMU has ended by itself (the guest powered off, or panicked)."""
        try:
            self._process.wait(patient(limit))
        except subprocess.TimeoutExpired as e:
            raise Timeout(f"waited {limit:g} s for {self.name} to end") from e

    def _guarded(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Errors name the VM, and what QEMU said last."""
        try:
            return call(*args, **kwargs)
        except (QmpError, GuestError) as e:
            try:
                self._process.wait(1)
                said = (self.folder / "qemu.log").read_text("utf-8", "replace").splitlines()[1:]
                how = f"{self.name}: QEMU ended with {self._process.returncode}"
                raise type(e)("; ".join([str(e), how, *said[-3:]])) from e
            except subprocess.TimeoutExpired:
                raise e from None

    # Requests; init.c says what each does.

    def ask(self, *words: str | bytes, limit: float = REQUEST_LIMIT) -> Reply:
        """One request; the reply as it is."""
        return self._guarded(self.control.request, *words, limit=limit)

    def ask_ok(self, *words: str | bytes, limit: float = REQUEST_LIMIT) -> Reply:
        """One request that must succeed; else OSError."""
        reply = self.ask(*words, limit=limit)
        if reply.status == "errno":
            raise OSError(reply.code, os.strerror(reply.code), f"{self.name}: {words[0]!s} {words[1:2]}")
        return reply

    def ping(self, limit: float = REQUEST_LIMIT) -> int:
        """The guest's CLOCK_BOOTTIME in nanoseconds."""
        return int(self.ask_ok("ping", limit=limit).body)

    def run(
        self, *command: str, limit: float = RUN_LIMIT, uid: int | None = None, gid: int | None = None
    ) -> Result:
        """Run a program to its end, or kill it at the limit."""
        words = ["run", str(int(patient(limit) * 1000)), *_ids(uid, gid), *command]
        return _result(self.ask_ok(*words, limit=limit + REQUEST_LIMIT))

    def spawn(self, name: str, *command: str, uid: int | None = None, gid: int | None = None) -> int:
        """Start a program in the background; returns its pid."""
        return self.ask_ok("spawn", name, *_ids(uid, gid), *command).code

    def wait(self, name: str, limit: float = RUN_LIMIT) -> Result:
        """Wait for a background program; status "timeout" when it is still running at the limit."""
        return _result(self.ask_ok("wait", name, str(int(patient(limit) * 1000)), limit=limit + REQUEST_LIMIT))

    def out(self, name: str) -> Result:
        """What a background program has written so far."""
        return _result(self.ask_ok("out", name))

    def wait_output(self, name: str, pattern: str, limit: float = RUN_LIMIT, count: int = 1) -> re.Match[str]:
        """Wait until the output of a background program has so many matches, and return the last of these; fails early
        when the program has ended without."""

        def look() -> re.Match[str] | None:
            result = self.out(name)
            matches = re.finditer(pattern, result.out, re.MULTILINE)
            found = next(itertools.islice(matches, count - 1, None), None)
            if not found and result.status != "running":
                raise AssertionError(f"{self.name}: {name} ended ({result.status} {result.code}): {result.out}")
            return found

        times = f" {count} times" if count > 1 else ""
        return wait_until(look, limit, f"{pattern!r}{times} in the output of {name} in {self.name}", interval=0.01)

    def kill(self, name: str, signal: int) -> None:
        """Send a signal to a background program."""
        self.ask_ok("kill", name, str(signal))

    def insmod(self, parameters: str = "", file: str = "/sysgenid.ko") -> int:
        """Load a module; returns 0 or the errno."""
        reply = self.ask("insmod", file, parameters)
        return reply.code if reply.status == "errno" else 0

    def rmmod(self, name: str = "sysgenid") -> int:
        """Unload a module; returns 0 or the errno."""
        reply = self.ask("rmmod", name)
        return reply.code if reply.status == "errno" else 0

    def credit(self, seed: bytes | None = None) -> None:
        """Give the guest's RNG 256 bits; afterwards getrandom(2) does not block."""
        self.ask_ok("credit", (seed or secrets.token_bytes(32)).hex())

    def random(self, count: int = 16) -> bytes:
        """Bytes of the guest's getrandom(2); OSError EAGAIN when its RNG is not ready."""
        return self.ask_ok("random", str(count)).body

    def read_bytes(self, path: str) -> bytes:
        return self.ask_ok("read", path).body

    def read(self, path: str) -> str:
        """A file of the guest, without the newline at its end."""
        return self.ask_ok("read", path).text.removesuffix("\n")

    def write(self, path: str, data: str | bytes) -> None:
        """Write a file of the guest: one write(2), more for what is long."""
        raw = data.encode() if isinstance(data, str) else data
        self.ask_ok("write", path, raw[:8192])
        for start in range(8192, len(raw), 8192):
            self.ask_ok("append", path, raw[start : start + 8192])

    def exists(self, path: str) -> bool:
        return self.ask("stat", path).status == "ok"

    def stat(self, path: str) -> tuple[int, int, int, int, int, int]:
        """Mode, uid, gid, major, minor, size."""
        mode, *rest = self.ask_ok("stat", path).text.split()
        uid, gid, major, minor, size = map(int, rest)
        return int(mode, 8), uid, gid, major, minor, size

    def list(self, folder: str) -> list[str]:
        return sorted(self.ask_ok("list", folder).text.splitlines())

    def dmesg(self, limit: float = REQUEST_LIMIT) -> str:
        """The guest's kernel log."""
        return self.ask_ok("dmesg", limit=limit).text

    def poweroff(self) -> None:
        self.ask_ok("poweroff")
        self.ended(REQUEST_LIMIT)

    # The hardware id.

    def find_guid(self) -> int | None:
        """Where the GUID is in guest physical memory.

        QEMU's firmware patches the address of the GUID's page into the name VGIA of an ACPI table. The GUID is 40 bytes
        into the page. The guest's sysfs shows the tables."""
        if self.machine.vmgenid and self._guid_address is None and not self.machine.architecture.devicetree:
            folder = "/sys/firmware/acpi/tables"
            for name in self.list(folder):
                if name.startswith("SSDT"):
                    at = re.search(rb"\x08VGIA\x0c(....)", self.read_bytes(f"{folder}/{name}"), re.DOTALL)
                    if at:
                        self._guid_address = int.from_bytes(at[1], "little") + 40
        return self._guid_address

    @property
    def guid_address(self) -> int:
        """The address that find_guid found, here or in the VM this one is a clone of."""
        if self._guid_address is None:
            raise QmpError(f"{self.name}: the GUID's address is not known (no vmgenid, or find_guid was not called)")
        return self._guid_address

    def guid_in_memory(self) -> uuid.UUID:
        """The GUID as the guest sees it; works on a paused clone, too."""
        return uuid.UUID(bytes_le=self.physical(self.guid_address, 16))

    def guid_of_device(self) -> uuid.UUID:
        """The GUID as QEMU's device tells it."""
        return uuid.UUID(self._guarded(self.qmp.execute, "query-vm-generation-id")["guid"])

    # Guest memory.

    def physical(self, address: int, size: int) -> bytes:
        """Read guest physical memory, through QEMU."""
        file = self.folder / "pmemsave"
        self._guarded(self.qmp.execute, "pmemsave", {"val": address, "size": size, "filename": str(file)})
        data = file.read_bytes()
        file.unlink()
        return data

    @property
    def memory(self) -> mmap.mmap:
        """Guest physical memory, shared with the guest as it runs; needs ram_file. At most 3 GiB, from the address at
        which the machine's memory begins."""
        if not self._memory:
            if not self.machine.memory_is_a_file:
                raise QmpError(f"{self.name} was started without ram_file")
            with (self.folder / "ram").open("r+b") as f:
                self._memory = mmap.mmap(f.fileno(), 0)
        return self._memory

    def write_guid(self, data: bytes, offset: int = 0) -> None:
        """Change the GUID (or a part: offset) in memory behind the guest's back; no event is raised."""
        self.poke(self.guid_address + offset, data)

    def poke(self, address: int, data: bytes) -> None:
        """Write guest physical memory, also while the guest runs; needs ram_file."""
        at = address - self.machine.architecture.ram_base
        self.memory[at : at + len(data)] = data


def _ids(uid: int | None, gid: int | None) -> Sequence[str]:
    return ["-" if i is None else str(i) for i in (uid, gid)]


def _result(reply: Reply) -> Result:
    return Result(reply.status, reply.code, reply.text)
