# SPDX-License-Identifier: MIT
"""examples/host-keys and examples/machine-identity: what must be unique for each machine is, before the port opens."""

from vmlib import VM, Context, State, consumers, vmtest, wait_until

KERNEL = "bookworm-cloud"
KEYS = ("rsa", "ecdsa", "ed25519")
LIMIT = 240.0
# Its new keys can be held up.
HELD = """[Service]
ExecStart=
ExecStart=sysgenidctl watch --exec 'read go </tmp/go && exec /usr/local/sbin/host-keys'
"""
SCAN = "while sleep 0.5; do ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null || :; done"
WAIT_WATCHERS = "16"  # ioctl(2)
OUTDATED = "/sys/class/misc/sysgenid/outdated"
SEED = "/var/lib/systemd/random-seed"

Identity = dict[str, str]


def identity(vm: VM) -> Identity:
    """What must not be the same on two machines."""
    found = {}
    for name in KEYS:
        printed = vm.run("ssh-keygen", "-l", "-f", f"/etc/ssh/ssh_host_{name}_key.pub")
        assert printed.ok, printed
        found[name] = printed.out.split()[1]
    found["uuid"] = vm.read("/var/lib/machine-identity/uuid")
    found["seed"] = vm.read_bytes(SEED).hex()
    return found


def offered(vm: VM) -> list[str]:
    """The keys that the port of SSH has answered with, each once for each answer."""
    return [line.split()[2] for line in vm.out("scan").out.splitlines() if line.startswith("127.0.0.1 ssh-ed25519 ")]


def public_key(vm: VM) -> str:
    return vm.read("/etc/ssh/ssh_host_ed25519_key.pub").split()[1]


def same(found: list[Identity]) -> set[str]:
    """What two of them share."""
    return {name for name in found[0] if len({identity[name] for identity in found}) < len(found)}


def adjusted(t: Context, state: State) -> Identity:
    """What a clone is, when its port has opened."""
    with t.cloned(state) as clone:
        old = public_key(clone)
        pid = clone.run("systemctl", "show", "--value", "-p", "MainPID", "open-ssh").out.strip()
        # One has confirmed, and one cannot: all wait for that.
        wait_until(lambda: clone.read(OUTDATED) == "1", LIMIT, "the identity to be confirmed")
        wait_until(lambda: clone.read(f"/proc/{pid}/syscall").split()[0] == WAIT_WATCHERS, LIMIT, "open-ssh to wait")
        late = clone.run("sysgenidctl", "watchers", "--outdated")
        assert "sysgenidctl" in late.out, late
        assert clone.run("systemctl", "is-active", "ssh").out.strip() == "inactive"
        clone.write("/tmp/go", "\n")
        wait_until(lambda: offered(clone), LIMIT, "the port of SSH to open", interval=0.2)
        key = public_key(clone)
        assert old != key and set(offered(clone)) == {key}, (old, key, offered(clone))
        assert clone.read(OUTDATED) == "0"
        return identity(clone)


def not_adjusted(t: Context, state: State) -> Identity:
    """What a clone is to whom nobody says so."""
    with t.cloned(state) as clone:
        assert clone.run("systemctl", "start", "ssh").ok
        wait_until(lambda: offered(clone), LIMIT, "the port of SSH to open", interval=0.2)
        assert set(offered(clone)) == {public_key(clone)}
        return identity(clone)


@vmtest(KERNEL, cpus=2, timeout=2400)
def clones_have_host_keys_and_an_identity_of_their_own(t: Context) -> None:
    vm = consumers.boot(t)
    assert vm.run("mkfifo", "/tmp/go").ok
    assert vm.run("mkdir", "/run/systemd/system/host-keys.service.d").ok
    vm.write("/run/systemd/system/host-keys.service.d/held.conf", HELD)
    services = ("host-keys", "machine-identity", "open-ssh")
    assert vm.run("systemctl", "daemon-reload").ok
    assert vm.run("systemctl", "restart", *services).ok
    wait_until(lambda: vm.read("/sys/class/misc/sysgenid/watchers") == "2", LIMIT, "two watchers")
    vm.spawn("scan", "sh", "-c", SCAN)
    before = identity(vm)
    state = vm.snapshot()
    clones = [adjusted(t, state), adjusted(t, state)]
    assert not same([before, *clones]), same([before, *clones])

    vm.resume()
    assert vm.run("systemctl", "stop", *services).ok
    state = vm.snapshot()
    clones = [not_adjusted(t, state), not_adjusted(t, state)]
    assert same(clones) == {*before}, f"differ anyway: {before.keys() - same(clones)}"
