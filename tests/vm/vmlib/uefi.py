# SPDX-License-Identifier: MIT
"""Machines that boot through UEFI with Secure Boot enforced.

Two ways lead to a kernel that the firmware trusts. The variables of the first hold
our own key, and start the signed image themselves. Those of the second hold
Microsoft's, as real machines' do, and start Debian's shim, which starts what a
machine owner's key (MOK) signed. Keys are made here, but for the one whose certificate is in the
snakeoil variables that come with the firmware.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import cache
from .apt import Apt
from .kernels import Kernel, image, version
from .limits import ToolError, run_tool
from .roots import run_in_root

FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd")
OWN_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd")
MICROSOFT_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd")
SNAKEOIL_KEY = Path("/usr/share/ovmf/PkKek-1-snakeoil.key")
SNAKEOIL_CERTIFICATE = Path("/usr/share/ovmf/PkKek-1-snakeoil.pem")
STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
# The owner of the variables that shim keeps.
SHIM_GUID = "605dab50-e046-4300-abb6-3dd810dd8b23"
SUITE = "trixie"
SIGN_LIMIT = 120.0


@dataclass(frozen=True)
class Uefi:
    """What a machine boots through UEFI: the variables it starts with, and its EFI system partition."""

    variables: Path
    partition: Path

    def options(self, folder: Path) -> list[str]:
        """QEMU's options; the machine's own variables are in its directory. Only its firmware may write them: SMM."""
        own = folder / "variables"
        shutil.copyfile(self.variables, own)
        return [
            *("-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"),
            *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}"),
            *("-drive", f"if=pflash,unit=1,format=raw,file={own}"),
            *("-drive", f"if=none,id=esp,format=raw,readonly=on,file=fat:{self.partition}"),
            *("-device", "virtio-blk-pci,drive=esp"),
        ]


@dataclass(frozen=True)
class Key:
    """A signing key: the private one and its certificate, the latter in both formats."""

    private: Path
    pem: Path
    der: Path


def _openssl(*arguments: str | Path) -> None:
    run_tool(["openssl", *arguments], SIGN_LIMIT, f"openssl {arguments[0]!s}")


def new_key(name: str) -> Key:
    """A key, made in just the way in which dkms makes its own; the same one at each call."""

    def make(to: Path) -> list[str]:
        request = ["-new", "-x509", "-nodes", "-days", "36500", "-subj", f"/CN={name}", "-newkey", "rsa:2048"]
        _openssl("req", *request, "-keyout", to / "mok.key", "-outform", "DER", "-out", to / "mok.pub")
        _openssl("x509", "-inform", "DER", "-in", to / "mok.pub", "-out", to / "mok.pem")
        return ["mok.key", "mok.pub", "mok.pem"]

    path = cache.entry("key", {"name": name, "layout": 1}, make)
    return Key(path / "mok.key", path / "mok.pem", path / "mok.pub")


def snakeoil_key() -> Key:
    """The key that the firmware's snakeoil variables trust."""

    def make(to: Path) -> list[str]:
        _openssl("rsa", "-in", SNAKEOIL_KEY, "-passin", "pass:snakeoil", "-out", to / "key")
        _openssl("x509", "-in", SNAKEOIL_CERTIFICATE, "-out", to / "pem")
        _openssl("x509", "-in", SNAKEOIL_CERTIFICATE, "-outform", "DER", "-out", to / "der")
        return ["key", "pem", "der"]

    path = cache.entry("key", {"snakeoil": cache.file_hash(SNAKEOIL_CERTIFICATE), "layout": 1}, make)
    return Key(path / "key", path / "pem", path / "der")


def sign_module(kernel: Kernel, module: Path, key: Key) -> Path:
    """A signed copy of a module, made as dkms makes it: with the program that comes with the kernel's headers."""
    recipe: cache.Recipe = {
        "module": cache.file_hash(module),
        "certificate": cache.file_hash(key.der),
        "release": version(kernel).release,
        "layout": 1,
    }

    def make(to: Path) -> list[str]:
        for name, path in (("key", key.private), ("certificate", key.der), ("module", module)):
            shutil.copyfile(path, to / name)
        program = f"/lib/modules/{version(kernel).release}/build/scripts/sign-file"
        files = [f"/build/{name}" for name in ("key", "certificate", "module", module.name)]
        run_in_root(kernel, to, [program, "sha256", *files], SIGN_LIMIT, "sign-file")
        return [module.name]

    return cache.entry("signed", recipe, make) / module.name


def _end(program: Path) -> int:
    """The first free address behind the sections of a program."""
    listing = run_tool(["objdump", "-h", program], 30, "objdump")
    sections = re.findall(r"^ +\d+ \S+ +([0-9a-f]+) +([0-9a-f]+)", listing, re.MULTILINE)
    return max(int(size, 16) + int(address, 16) for size, address in sections)


def unified_image(kernel: Kernel, initrd: Path, append: str, key: Key, folder: Path) -> Path:
    """Kernel, initramfs and command line as one signed EFI program: all of it is vouched for."""
    words, unsigned, signed = folder / "cmdline", folder / "unsigned.efi", folder / "signed.efi"
    words.write_text(append, "ascii")
    command: list[str | Path] = ["objcopy"]
    address = _end(STUB)
    for name, path in (("cmdline", words), ("linux", image(kernel).vmlinuz), ("initrd", initrd)):
        address = (address + 0xFFFF) & ~0xFFFF
        command += ["--add-section", f".{name}={path}", "--change-section-vma", f".{name}={address:#x}"]
        address += path.stat().st_size
    run_tool([*command, STUB, unsigned], SIGN_LIMIT, "objcopy")
    sign: list[str | Path] = ["sbsign", "--key", key.private, "--cert", key.pem, "--output", signed, unsigned]
    run_tool(sign, SIGN_LIMIT, "sbsign")
    unsigned.unlink()
    return signed


def _package(name: str, wanted: Sequence[str]) -> Path:
    """The files of a Debian package that match, unpacked; it need not be one of this machine's release."""

    def make(to: Path) -> list[str]:
        apt = Apt(SUITE)
        apt.update()
        deb = apt.download(name, apt.show(name)["Version"], to)
        run_tool(["dpkg-deb", "-x", deb, to / "tree"], 60, f"unpacking {name}")
        deb.unlink()
        found = sorted(p for pattern in wanted for p in (to / "tree").glob(pattern) if p.is_file())
        if not found:
            raise ToolError(f"{name} has no {' '.join(wanted)}")
        return [str(p.relative_to(to)) for p in found]

    return cache.entry("package", {"name": name, "suite": SUITE, "layout": 1}, make) / "tree"


def shim() -> Path:
    """Debian's shim, signed by Microsoft."""
    return _package("shim-signed", ["usr/lib/shim/shimx64.efi.signed"]) / "usr/lib/shim/shimx64.efi.signed"


def variables_with_mok(key: Key, to: Path) -> Path:
    """A machine with Microsoft's keys whose owner has enrolled a key: what "mokutil --import" and MokManager leave."""
    tools = _package("python3-virt-firmware", ["usr/lib/python3/dist-packages/virt/**/*"])
    command = ["env", f"PYTHONPATH={tools / 'usr/lib/python3/dist-packages'}", "/usr/bin/python3"]
    command += ["-m", "virt.firmware.vars", "-i", str(MICROSOFT_VARIABLES), "-o", str(to)]
    run_tool([*command, "--add-mok", SHIM_GUID, key.pem], 60, "virt-fw-vars")
    return to


def partition(folder: Path, *, shim_starts: Path | None = None, starts: Path | None = None) -> Path:
    """An EFI system partition, as a directory: the firmware starts a program, or shim, which starts one."""
    boot = folder / "EFI" / "BOOT"
    boot.mkdir(parents=True)
    if shim_starts:
        (boot / "BOOTX64.EFI").symlink_to(shim())
        # The name that is built into shim.
        (boot / "grubx64.efi").symlink_to(shim_starts)
    elif starts:
        (boot / "BOOTX64.EFI").symlink_to(starts)
    return folder
