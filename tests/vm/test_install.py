# SPDX-License-Identifier: MIT
"""The packages on stock distributions: apt installs them, DKMS builds the module, and a boot, not we, loads it."""

import re
import signal
from collections.abc import Mapping
from pathlib import Path, PurePath

from vmlib import VM, Context, repo, systems, vmtest, wait_until
from vmlib.debs import debs
from vmlib.dkms import built
from vmlib.guests import compile_program

OFTEN = ("bookworm-cloud", "trixie-cloud")
RARELY = ("sid-cloud",)
# Its C library and its dkms are too old for the other packages: the module alone, and static programs.
MODULE_ALONE = ("bullseye-cloud",)
NEWER = "99.0.0"
NOBODY = 65534
POLL = "7"
DKMS = f"var/lib/dkms/sysgenid/{repo.version()}"
NODES = {"sysgenid": (0o644, 0o664), "sysgenid-hw": (0o440, 0o440)}
# What purging leaves by Debian's policy, or what is not ours.
STAYS = (
    # Groups stay: files may belong to them, and numbers are not to be used again.
    r"/etc/(group|gshadow)-?",
    # dkms made these for all modules; they go with dkms.
    r"/var/lib/dkms/mok\.(key|pub)",
    # What apt, dpkg and ldconfig remember.
    r"/var/(lib/(apt|dpkg)|cache|log)/.*",
)


# What comes for our sake, and stays with --autoremove: the stock system's apt suggests it.
SUGGESTED = ("ca-certificates",)


def packages(t: Context, version: str | None = None) -> list[Path]:
    """The .debs that the suite can install."""
    return [path for path in debs(t.kernel.suite, version).glob("*.deb") if "-dbgsym_" not in path.name]


def installed(t: Context) -> systems.Root:
    """The stock system after apt-get install ./*.deb."""
    options = ["--no-install-recommends"] if t.kernel.suite in systems.OLD_SUITES else []
    return systems.stock(t.kernel).installed(packages(t), options)


def files(t: Context) -> Mapping[str, Path]:
    """What the guests of these tests have besides."""
    found = {f"{systems.UNITS}/{name}": repo.UNITS / name for name in ("node-log.service", "ordinary.service")}
    if t.kernel.name in MODULE_ALONE:
        found["usr/local/bin/sysgenidctl"] = compile_program(repo.TOP / "tools")
    return found


def put(vm: VM, found: Mapping[str, Path]) -> None:
    """Files, by their path in the guest."""
    for name, path in found.items():
        assert vm.run("mkdir", "-p", f"/{PurePath(name).parent}").ok
        vm.write(f"/{name}", path.read_bytes())


def version(vm: VM) -> str:
    """That of the loaded module."""
    return vm.read("/sys/module/sysgenid/version")


def group(vm: VM) -> int:
    entry = vm.run("getent", "group", "sysgenid")
    assert entry.ok, entry
    return int(entry.out.split(":")[2])


def well(vm: VM) -> str:
    """What doctor says if nothing is wrong; and that no unit has failed."""
    failed = vm.run("systemctl", "list-units", "--state=failed", "--plain", "--no-legend")
    assert failed.ok and not failed.out, failed
    found = vm.run("sysgenidctl", "doctor")
    assert found.ok, found
    return found.out


def learns_of_a_clone(t: Context, vm: VM) -> None:
    """An ordinary user's program sees that it woke up in a clone, and not before. The VM goes on."""
    before = vm.read("/sys/class/misc/sysgenid/generation")
    pid = vm.spawn("watch", "sysgenidctl", "watch", uid=NOBODY, gid=NOBODY)
    wait_until(lambda: vm.read(f"/proc/{pid}/syscall").split()[0] == POLL, 120, "sysgenidctl to wait in poll(2)")
    state = vm.snapshot()
    with t.cloned(state) as clone, t.cloned(state, "same") as again:
        clone.wait_output("watch", f"^{int(before) + 1}$", limit=120)
        assert again.read("/sys/class/misc/sysgenid/generation") == before
        assert not again.out("watch").out
    vm.resume()
    vm.kill("watch", signal.SIGTERM)
    vm.wait("watch")


def has_module(t: Context, root: systems.Root, release: str) -> bool:
    """Whether DKMS built one for this kernel, by dkms and by depmod."""
    index = root.find(f"usr/lib/modules/{release}/modules.dep")
    assert index
    (line,) = re.findall(r"^updates/dkms/sysgenid\.ko\S*:.*", index.read_text("utf-8"), re.MULTILINE) or [""]
    status = root.changed("dkms status sysgenid").log
    return bool(line) and bool(re.search(rf"\b{re.escape(release)}\b.*: installed$", status, re.MULTILINE))


@vmtest(OFTEN, timeout=2400)
@vmtest((*RARELY, *MODULE_ALONE), full_only=True, timeout=3600)
def stock_system(t: Context) -> None:
    """One command of apt, one boot, and everything works."""
    root = installed(t)
    (release,) = root.releases()
    assert has_module(t, root, release)
    source, made = (root.find(f"{DKMS}/{name}") for name in ("source", f"{release}/x86_64/log/make.log"))
    assert source and made
    t.log(f"DKMS took {made.stat().st_mtime - source.lstat().st_mtime:.1f} s for {release}")

    vm = t.boot_system(root, files=files(t))
    t.log(well(vm))
    learns_of_a_clone(t, vm)

    found = vm.read("/run/ordinary")
    assert found == "/dev/sysgenid 664 root sysgenid\n/dev/sysgenid-hw 440 root sysgenid", found
    members = group(vm)
    log = vm.read("/run/node-log")
    t.log(log)
    states = [line.split() for line in log.splitlines()]
    up = int(vm.run("systemctl", "show", "--value", "-p", "ActiveEnterTimestampMonotonic", "multi-user.target").out)
    for name, (first, last) in NODES.items():
        seen = [((int(mode, 8), int(uid), int(gid)), int(at)) for node, mode, uid, gid, at in states if node == name]
        final = (last, 0, members)
        assert {state for state, _ in seen} <= {(first, 0, 0), (first, 0, members), final}, log
        assert seen[-1][0] == final and min(at for state, at in seen if state == final) < up, (log, up)

    exact = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", f"--groups={members}", "--", "sysgenidctl", "doctor"]
    assert "exact" in vm.run(*exact).out and "exact" not in vm.run(*exact[-2:], uid=NOBODY, gid=NOBODY).out


@vmtest("bookworm-cloud", timeout=2400)
@vmtest(("trixie-cloud", *RARELY, *MODULE_ALONE), full_only=True, timeout=3600)
def no_hardware_id(t: Context) -> None:
    """Where the hypervisor has no id there is no node, and nobody is bothered."""
    vm = t.boot_system(installed(t), None, files=files(t))
    assert vm.run("systemctl", "is-system-running").out.strip() == "running"
    assert not [name for name in vm.list("/dev") if name.startswith("sysgenid")]
    assert not vm.exists("/sys/module/sysgenid") and not vm.read("/run/node-log")
    found = vm.run("sysgenidctl", "doctor")
    assert found.code == 1 and "software=1" in found.out, found


@vmtest("bookworm-cloud", timeout=2400)
def autopkgtest(t: Context) -> None:
    """The package's own test, as Debian runs it on the installed packages."""
    root = installed(t).installed(packages=["gcc", "libc6-dev", "pkgconf"])
    ours = repo.TOP / "debian" / "tests"
    vm = t.boot_system(root, files={f"opt/tests/{name}": ours / name for name in ("device", "sees.c")})
    done = vm.run("/opt/tests/device", limit=600)
    t.log(done.out)
    assert done.ok, done


@vmtest("bookworm-cloud", timeout=2400)
@vmtest(("trixie-cloud", *RARELY, *MODULE_ALONE), full_only=True, timeout=3600)
def upgrade(t: Context) -> None:
    """apt-get install of the next version, while a program has mapped the page of the old one. With --full DKMS builds
    the module in the guest; else it finds one there, and installs that."""
    root, newer = installed(t), packages(t, NEWER)
    vm = t.boot_system(root, files=files(t))
    old = version(vm)
    vm.spawn("held", "ids")
    vm.wait_output("held", "^ready$", limit=60)
    if t.size != "full":
        put(vm, built(t.kernel, newer, NEWER))
    put(vm, {f"opt/{path.name}": path for path in newer})
    done = vm.run("sh", "-c", "apt-get install -q -y /opt/*.deb", limit=1800)
    t.log(done.out)
    assert done.ok, done
    assert ("Building initial module" in done.out) == (t.size == "full"), done
    assert version(vm) == old
    assert vm.out("held").status == "running"
    well(vm)
    learns_of_a_clone(t, vm)
    vm.run("systemctl", "poweroff", "--no-block")
    vm.ended(300)
    vm = t.boot_system(root, disk=vm.disk)
    assert version(vm) == NEWER
    assert NEWER in well(vm)
    learns_of_a_clone(t, vm)


@vmtest((*OFTEN, *RARELY), full_only=True, timeout=3600)
def another_kernel(t: Context) -> None:
    """A kernel that is installed later gets its module by itself."""
    root = installed(t)
    (first,) = root.releases()
    root = root.installed(packages=["linux-image-amd64", "linux-headers-amd64"])
    (second,) = set(root.releases()) - {first}
    assert has_module(t, root, first) and has_module(t, root, second)
    vm = t.boot_system(root, files=files(t), release=second)
    assert vm.run("uname", "-r").out.strip() == second
    well(vm)
    learns_of_a_clone(t, vm)


@vmtest("bookworm-cloud", timeout=2400)
@vmtest(("trixie-cloud", *RARELY, *MODULE_ALONE), full_only=True, timeout=3600)
def purge(t: Context) -> None:
    """What apt-get purge leaves behind, when the libraries that came for our sake have gone, too."""
    stock = systems.stock(t.kernel)
    names = sorted(path.name.partition("_")[0] for path in packages(t))
    root = installed(t)
    assert len(root.differences(stock)) > 20
    root = root.changed('apt-get purge -q -y --autoremove "$@"', *names, *SUGGESTED)
    left = root.differences(stock)
    unexpected = [line for line in left if not re.fullmatch(rf"\w+ ({'|'.join(STAYS)})", line)]
    assert not unexpected, unexpected
    before, after = (r.find("etc/group") for r in (stock, root))
    assert before and after
    more = set(after.read_text("utf-8").splitlines()) - set(before.read_text("utf-8").splitlines())
    assert [line.split(":")[0] for line in more] == ["sysgenid"], more
    status = root.changed("dpkg-query -W -f '${Package} ${db:Status-Abbrev}\\n'").log
    assert not [line for line in status.splitlines() if "sysgenid" in line], status


@vmtest("bookworm-cloud", full_only=True, timeout=3600)
def readme(t: Context) -> None:
    """The README's commands, as they are written, on a stock machine; the packages were built outside."""
    text = (repo.TOP / "README.md").read_text("utf-8")
    section = re.search(r"^## Install\n(.*?)^(From source|## )", text, re.MULTILINE | re.DOTALL)
    assert section
    commands = re.findall(r"^    (\S.*)$", section[1], re.MULTILINE)
    assert len(commands) >= 2 and "build-debs" in commands[0], commands
    vm = t.boot_system()
    folder = f"/opt/sysgenid/build/debs/{t.kernel.suite}"
    vm.run("mkdir", "-p", folder, "/opt/sysgenid/scripts")
    vm.run("ln", "-s", "/bin/true", "/opt/sysgenid/scripts/build-debs")
    for path in packages(t):
        vm.write(f"{folder}/{path.name}", path.read_bytes())
    for command in commands:
        # A person says yes.
        done = vm.run("bash", "-c", 'cd /opt/sysgenid && yes | eval "$1"', "bash", command, limit=1800)
        t.log(f"{command}\n{done.out}")
        assert done.ok, done
    vm.run("udevadm", "settle")
    well(vm)
