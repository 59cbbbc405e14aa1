# SPDX-License-Identifier: MIT
"""Unmodified programs that use OpenSSL, on stock distributions: what their clones say, with the provider and without."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from test_install import OFTEN, installed
from vmlib import VM, Context, State, repo, vmtest, wait_until

PROGRAMS = repo.VM / "openssl"
PACKAGES = ("nginx-light", "python3", "strace")
CERTIFICATE = """
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10000 -subj /CN=guest \
	-keyout /etc/ssl/guest.key -out /etc/ssl/guest.crt
cat /etc/ssl/guest.key /etc/ssl/guest.crt >/etc/ssl/guest.pem
chmod 644 /etc/ssl/guest.pem
"""
CONFIG = "/etc/ssl/openssl.cnf"
WWW_DATA = 33
# This server may open the device, and may not map the hardware page.
S_SERVER_WWW = "s_server-www"
PORTS = {"nginx": 4430, "python": 4440, "s_server": 4450, S_SERVER_WWW: 4451}
NGINX_WORKERS, PYTHON_THREADS = 2, 4
DRAWS = ("plain", "thread", "forked", "closed", "jailed", "blind", "hidden", "unseen")
SERVERS = NGINX_WORKERS + PYTHON_THREADS + 2
# A truthful look at the generation: ioctl(2) with the command SYSGENID_GET.
GET = r"^\d+ +ioctl\(\d+, .*0xe4, 0x10\b"

# By the name of a worker, a thread or a program: ServerHello.random and key share, or bytes.
Said = dict[str, tuple[str, ...]]


def machine(t: Context) -> VM:
    """The packages, nginx, and nothing enabled."""
    root = installed(t).installed(packages=PACKAGES).changed(CERTIFICATE)
    files: Mapping[str, Path] = {f"opt/{path.name}": path for path in PROGRAMS.glob("*.py")}
    return t.boot_system(root, files={**files, "etc/nginx/nginx.conf": PROGRAMS / "nginx.conf"})


def enable(vm: VM) -> None:
    for command in ("openssl enable", "openssl status", "doctor"):
        done = vm.run("sysgenidctl", *command.split(), limit=120)
        assert done.ok, done
    assert re.search(r"^ok +openssl: the provider is enabled, and drawn from by every libcrypto \(1\)$", done.out, re.M), done
    assert vm.run("systemctl", "restart", "nginx", limit=120).ok


def start(vm: VM) -> Said:
    """Servers and programs, each of which has been used once then; what they said."""
    s_server = ["openssl", "s_server", "-4", "-quiet", "-www", "-cert", "/etc/ssl/guest.pem", "-accept"]
    assert vm.run("mkfifo", "/run/hands", "/run/draw").ok
    vm.spawn("s_server", *s_server, str(PORTS["s_server"]))
    vm.spawn(S_SERVER_WWW, *s_server, str(PORTS[S_SERVER_WWW]), uid=WWW_DATA, gid=WWW_DATA)
    vm.spawn("python", "python3", "/opt/tls-server.py", "/etc/ssl/guest.pem", str(PORTS["python"]))
    vm.spawn("client", "python3", "/opt/tls-client.py", "/run/hands")
    vm.spawn("draws", "python3", "/opt/draws.py", "/run/draw")
    for name in ("python", "client", "draws"):
        vm.wait_output(name, "^ready$", limit=120)
    for name in ("s_server", S_SERVER_WWW):
        listens = f"until grep -q ':{PORTS[name]:04X} 00000000:0000 0A' /proc/net/tcp; do sleep 0.1; done"
        assert vm.run("sh", "-c", listens, limit=120).ok, name
    return ask(vm)


def ask(vm: VM) -> Said:
    """A handshake with each worker and thread of each server, and a draw of each program."""
    hands = [f"{name} {PORTS[name]}" for name in ("s_server", S_SERVER_WWW)]
    hands += [f"python-{i} {PORTS['python'] + i}" for i in range(PYTHON_THREADS)]
    hands += [f"nginx {PORTS['nginx']} {NGINX_WORKERS}"]
    old = {name: len(vm.out(name).out) for name in ("client", "draws")}
    vm.write("/run/hands", "".join(f"{line}\n" for line in hands))
    vm.write("/run/draw", "go\n")
    said: Said = {}
    for program, count in ("client", SERVERS), ("draws", len(DRAWS)):
        vm.wait_output(program, rf"\A(?s:.{{{old[program]}}})(?:.+\n){{{count}}}", limit=120)
        lines = [line.split() for line in vm.out(program).out[old[program] :].splitlines()]
        said |= {name: tuple(words) for name, *words in lines}
    assert len(said) == SERVERS + len(DRAWS), said
    return said


def asked(t: Context, state: State, count: int) -> list[Said]:
    """What so many clones say."""
    found = []
    for done in range(count):
        t.progress(done, count)
        with t.cloned(state) as clone:
            found.append(ask(clone))
    return found


def repeats(t: Context) -> None:
    """The control: with OpenSSL as it is, each clone says what the other does. And no device, no difference."""
    vm = machine(t)
    start(vm)
    state = vm.snapshot()
    a, b = asked(t, state, 2)
    for name in a:
        assert a[name] == b[name], (name, a[name], b[name])
    t.log(f"equal: {sorted(a)}")
    vm.resume()
    passes_through(vm)


def passes_through(vm: VM) -> None:
    assert "not enabled" in vm.run("sysgenidctl", "doctor").out
    assert vm.rmmod() == 0
    assert vm.run("sysgenidctl", "openssl", "enable", limit=120).ok
    assert "SYSGENID-DRBG" in vm.run("sysgenidctl", "openssl", "status", limit=120).out
    found = re.findall("openssl: .*passes through", vm.run("sysgenidctl", "doctor").out)
    assert len(found) == 1, found
    assert len(vm.run("openssl", "rand", "-hex", "16").out.strip()) == 32


def differ(t: Context, pairs: int) -> None:
    """With the provider no clone says what another does."""
    vm = machine(t)
    enable(vm)
    before = start(vm)
    workers = vm.run("pgrep", "-u", "www-data", "nginx").out.split()
    assert [maps(vm, pid) for pid in workers] == [{"/dev/sysgenid", "/dev/sysgenid-hw"}] * NGINX_WORKERS
    state = vm.snapshot()
    found = asked(t, state, 2 * pairs)
    t.log(f"{len(found)} clones, {len(found[0])} workers, threads and programs in each")
    said = Counter(word for words in (before, *found) for name in words for word in words[name])
    again = [word for word, times in said.items() if times > 1]
    assert not again, again
    with t.cloned(state) as a, t.cloned(state) as b:
        tickets(t, a, b)
        second_question(t, a)


def tickets(t: Context, a: VM, b: VM) -> None:
    """What was drawn before the snapshot is the same in both: a's tickets are good for b, until it has made new keys."""
    connect = f"openssl s_client -connect 127.0.0.1:{PORTS['nginx']} -tls1_2 -no_ign_eof </dev/null 2>&1"
    given = a.run("sh", "-c", f"{connect} -sess_out /run/ticket", limit=120)
    assert "New, TLSv1.2" in given.out, given
    b.write("/run/ticket", a.read_bytes("/run/ticket"))

    def answer() -> str:
        return re.findall("^(New|Reused), TLSv1.2", b.run("sh", "-c", f"{connect} -sess_in /run/ticket", limit=120).out, re.M)[0]

    assert answer() == "Reused"
    assert b.run("systemctl", "reload", "nginx", limit=120).ok
    # Old workers answer until they have been told.
    wait_until(lambda: answer() == "New", 120, "nginx to refuse a ticket of before")


def maps(vm: VM, pid: str) -> set[str]:
    return set(re.findall(r"/dev/sysgenid\S*", vm.read(f"/proc/{pid}/maps")))


def looks(vm: VM, pids: Sequence[str]) -> int:
    """How often these ask the kernel for the generation while everybody is asked once."""
    vm.spawn("strace", "strace", "-f", "-e", "trace=ioctl", "-o", "/run/strace", *(f"-p{pid}" for pid in pids))
    for pid in pids:
        vm.wait_output("strace", rf"Process {pid} attached", limit=120)
    ask(vm)
    vm.kill("strace", 2)
    vm.wait("strace")
    return len(re.findall(GET, vm.read("/run/strace"), re.MULTILINE))


def second_question(t: Context, vm: VM) -> None:
    """Who may not map the hardware page makes a system call; who may, or comes of one who might, loads a few words."""
    # The first draw of a generation is preceded by a system call in any case.
    ask(vm)
    exact, asking = (vm.run("pgrep", "-f", f"accept {PORTS[name]}").out.split() for name in ("s_server", S_SERVER_WWW))
    assert maps(vm, exact[0]) == {"/dev/sysgenid", "/dev/sysgenid-hw"} and maps(vm, asking[0]) == {"/dev/sysgenid"}
    counts = looks(vm, exact), looks(vm, asking)
    t.log(f"system calls of a handshake: {counts[0]} exact, {counts[1]} asking")
    assert counts[0] == 0 and counts[1] >= 2, counts
    workers = vm.run("pgrep", "-u", "www-data", "nginx").out.split()
    assert len(workers) == NGINX_WORKERS
    # The workers had the page from their master, root, until the first draw in this clone, when they opened the device again.
    assert looks(vm, workers) >= 2


@vmtest("bookworm-cloud", timeout=1200)
@vmtest("trixie-cloud", full_only=True, timeout=2400)
def clones_repeat_without_the_provider(t: Context) -> None:
    repeats(t)


@vmtest("bookworm-cloud", full_kernels=OFTEN, timeout=1200, full_timeout=3600)
def clones_differ_with_the_provider(t: Context) -> None:
    differ(t, t.count(5, full=50))


@vmtest(OFTEN, timeout=2400)
def openssl_cnf(t: Context) -> None:
    """Enabled, refused, verified, removed: what becomes of the file."""
    installed(t).changed("/mnt/life.sh", files={"life.sh": PROGRAMS / "life.sh"})


@vmtest("bookworm-cloud", full_only=True, timeout=2400)
def another_architecture(t: Context) -> None:
    installed(t).changed("/mnt/life.sh i386", files={"life.sh": PROGRAMS / "life.sh"})
