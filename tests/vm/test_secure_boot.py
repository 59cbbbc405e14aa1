# SPDX-License-Identifier: MIT
"""Secure Boot: firmware, kernel and module in one chain of signatures; whom the kernel refuses, doctor explains."""

import errno
import lzma
from collections.abc import Mapping
from pathlib import Path

from test_doctor import about, doctor, sick, well
from vmlib import VM, Context, build_module, guests, initramfs, uefi, vmtest
from vmlib.qemu import command_line

# The firmware checks and copies all that it starts, byte for byte, without any help of the processor.
BOOT_LIMIT = 600.0
# Where dkms and Ubuntu keep their certificates.
DKMS = "/var/lib/dkms/mok.pub"
UBUNTU = "/var/lib/shim-signed/mok/MOK.der"

EFIVARS = "/sys/firmware/efi/efivars"


def guest_with(t: Context, key: uefi.Key, files: Mapping[str, Path]) -> Path:
    """A small guest as one signed image."""
    initrd = t.folder / "initrd"
    initramfs.write(initrd, {"bin/sysgenidctl": guests.programs()["sysgenidctl"], **files})
    # On a starved host the kernel gives up on testing its algorithms after a minute, and then takes no certificate.
    return uefi.unified_image(t.kernel, initrd, command_line("cryptomgr.notests"), key, t.folder)


def is_enforced(vm: VM) -> None:
    log = vm.dmesg()
    assert "Secure boot enabled" in log and "locked down" in log, log
    assert vm.run("mount", "-t", "securityfs", "securityfs", "/sys/kernel/security").ok
    assert "[integrity]" in vm.read("/sys/kernel/security/lockdown")


def refused(vm: VM, file: str) -> None:
    # Debian's kernels enforce signatures as soon as the firmware does; with lockdown alone it is EPERM.
    assert vm.insmod(file=file) in (errno.EKEYREJECTED, errno.EPERM), file
    assert not vm.exists("/sys/module/sysgenid")


def install(vm: VM, file: str, name: str = "sysgenid.ko") -> str:
    """Put the module where modprobe finds it; returns its path."""
    folder = f"/lib/modules/{vm.run('uname', '-r').out.strip()}"
    vm.run("mkdir", "-p", folder)
    vm.write(f"{folder}/modules.dep", f"{name}:\n")
    assert vm.run("cp", file, f"{folder}/{name}").ok
    return f"{folder}/{name}"


def keep(vm: VM, certificate: Path, path: str) -> None:
    vm.run("mkdir", "-p", str(Path(path).parent))
    vm.write(path, certificate.read_bytes())


@vmtest(kernels=["bookworm-cloud", "trixie-cloud"], timeout=900)
def machine_owners_key(t: Context) -> None:
    """The chain of a real machine: Microsoft's key, shim, and the key that dkms signs with, enrolled by the owner."""
    mok, foreign = uefi.new_key("DKMS module signing key"), uefi.new_key("Somebody else")
    ko = build_module(t.kernel)
    signed = uefi.sign_module(t.kernel, ko, mok)
    packed = t.folder / "sysgenid.ko.xz"
    # The kernel's own decompressor wants this check.
    packed.write_bytes(lzma.compress(signed.read_bytes(), check=lzma.CHECK_CRC32))
    files = {
        "unsigned.ko": ko,
        "signed.ko": signed,
        "signed.ko.xz": packed,
        "foreign.ko": uefi.sign_module(t.kernel, ko, foreign),
    }
    image = guest_with(t, mok, files)
    variables = uefi.variables_with_mok(mok, t.folder / "variables")
    vm = t.boot(uefi=uefi.Uefi(variables, uefi.partition(t.folder / "esp", shim_starts=image)), limit=BOOT_LIMIT)
    is_enforced(vm)

    refused(vm, "/unsigned.ko")
    path = install(vm, "/unsigned.ko")
    finding = about(doctor(vm)[1], "signature")
    assert finding["level"] == "problem" and f"{path} is not signed: it will be refused" in finding["text"], finding
    assert "Secure Boot" in finding["text"] and "mokutil --import" in finding["fix"], finding
    assert "dkms build" in finding["fix"], finding

    refused(vm, "/foreign.ko")
    install(vm, "/foreign.ko")
    for certificate in (UBUNTU, DKMS):
        keep(vm, foreign.der, certificate)
        finding = about(doctor(vm)[1], "signature")
        assert finding["level"] == "problem", finding
        assert '"Somebody else", which this kernel does not trust: it will be refused' in finding["text"], finding
        assert f"mokutil --import {certificate}" in finding["fix"], finding
    finding = about(doctor(vm, uid=1000)[1], "signature")
    assert finding["level"] == "note" and "only root" in finding["text"], finding
    # What "mokutil --import" leaves for the next boot; these kernels have no efivarfs, so a look-alike.
    assert vm.run("mount", "-t", "tmpfs", "tmpfs", EFIVARS).ok
    vm.write(f"{EFIVARS}/MokNew-{uefi.SHIM_GUID}", "a list of keys")
    finding = about(doctor(vm)[1], "signature")
    assert finding["level"] == "problem" and "is not enrolled yet" in finding["text"], finding
    assert finding["fix"].startswith("restart and choose"), finding
    assert vm.run("umount", EFIVARS).ok

    # The one certificate is not that of the module's signer, the other is.
    keep(vm, mok.der, UBUNTU)
    for file in ("/signed.ko", "/signed.ko.xz"):
        path = install(vm, file, file.replace("/signed", "sysgenid"))
        sick(vm, "module", "not loaded, but there", "modprobe sysgenid")
        finding = about(doctor(vm)[1], "signature")
        assert finding["level"] == "ok" and f"{path} is signed" in finding["text"], finding
        assert '"DKMS module signing key", which this kernel trusts' in finding["text"], finding
    assert vm.insmod(file="/signed.ko") == 0
    assert "accepted" in about(well(vm), "signature")["text"]


@vmtest(kernels="bookworm-cloud", timeout=900)
def firmwares_own_key(t: Context) -> None:
    """A machine image whose owner has put a key of his own into the firmware: no shim, nothing to enrol."""
    key = uefi.snakeoil_key()
    ko = build_module(t.kernel)
    files = {"unsigned.ko": ko, "signed.ko": uefi.sign_module(t.kernel, ko, key)}
    image = guest_with(t, key, files)
    vm = t.boot(uefi=uefi.Uefi(uefi.OWN_VARIABLES, uefi.partition(t.folder / "esp", starts=image)), limit=BOOT_LIMIT)
    is_enforced(vm)
    refused(vm, "/unsigned.ko")
    install(vm, "/signed.ko")
    # Without a certificate at hand it is the signer's name that is looked for.
    assert "which this kernel trusts" in about(doctor(vm)[1], "signature")["text"]
    assert vm.insmod(file="/signed.ko") == 0
    well(vm)
