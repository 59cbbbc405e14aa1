# SPDX-License-Identifier: MIT
"""Limits of the units on a busy machine: what takes long fails nothing."""

from vmlib import Context, overseer, repo, systems, vmtest

SLOW_MODPROBE = repo.UNITS / "slow-modprobe"


@vmtest("bookworm-cloud", timeout=2400)
def slow_modprobe_delays_services_and_fails_no_unit(t: Context) -> None:
    files = {f"{systems.UNITS}/ordinary.service": repo.UNITS / "ordinary.service", "usr/local/sbin/modprobe": SLOW_MODPROBE}
    vm = t.boot_system(overseer.root(t.kernel), files=files)
    limit = vm.read("/run/slow-modprobe").strip()
    failed = vm.run("systemctl", "list-units", "--state=failed", "--plain", "--no-legend")
    assert failed.ok and not failed.out, f"failed units: {failed.out}; the limit of the start is {limit}"
    found = vm.read("/run/ordinary")
    assert found == "/dev/sysgenid 664 root sysgenid\n/dev/sysgenid-hw 440 root sysgenid", found
