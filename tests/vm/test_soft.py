# SPDX-License-Identifier: MIT
"""A guest that cannot load the module: a publisher keeps a page file, and programs use that."""

import errno
import json
import signal
import struct

from vmlib import VM, Context, State, vmtest

from test_clones import DETERMINISTIC, alone, diverge_by_entropy_alone, entropy

PAGE = "/run/sysgenid/page"


def publish(vm: VM, source: str = "/tmp/trigger") -> None:
    """A publisher that takes lines from a FIFO (or from a command: "| ...")."""
    if source.startswith("/"):
        vm.run("mkfifo", source)
        vm.spawn("publish", "sh", "-c", f"exec sysgenidctl publish <>{source}")
    else:
        vm.spawn("publish", "sh", "-c", f"{source} | exec sysgenidctl publish")
    vm.wait_output("publish", "^0$", limit=20)


def follow(vm: VM, name: str = "rng", uid: int | None = None) -> None:
    vm.spawn(name, "soft", uid=uid, gid=uid)
    vm.wait_output(name, "^ready$", limit=20)


@vmtest("amd64", quick=True)
def clones_of_a_soft_guest_diverge(t: Context) -> None:
    vm = t.boot(guid=None)
    publish(vm)
    follow(vm)
    follow(vm, "user", uid=1000)
    state = vm.snapshot()
    drawn = []
    for text in ("of clone A\n", "of clone B\n"):
        with t.cloned(state) as clone:
            assert clone.run("sysgenidctl", "get", "--soft").out == "0\n", "nobody has told it"
            clone.write("/tmp/trigger", text)
            for name in ("rng", "user"):
                for how in ("read", "mapped"):
                    drawn.append(clone.wait_output(name, rf"^{how} 1 ([0-9a-f]{{64}})$", limit=20)[1])
            # The publisher publishes first, and says so then.
            clone.wait_output("publish", "^1$", limit=20)
            assert clone.out("publish").out == "0\n1\n"
            got = json.loads(clone.run("sysgenidctl", "get", "--soft", "--json", uid=1000, gid=1000).out)
            assert got["generation"] == 1 and got["soft"] and not got["exact"] and got["source"] == "software", got
            clone.write("/tmp/trigger", "again\n")
            clone.wait_output("user", "^mapped 2 ", limit=20)
    assert len(set(drawn)) == 8, drawn


@vmtest("amd64", timeout=120)
def soft_guests_diverge_by_the_line_alone(t: Context) -> None:
    """Nothing differs between these clones but what the publisher reads; with an empty line they draw the same."""

    def source(*options: str) -> State:
        vm = t.boot(guid=None, extra=DETERMINISTIC + entropy("source"))
        publish(vm, " ".join(["told", *options]))
        follow(vm)
        return vm.snapshot()

    diverge_by_entropy_alone(t, source, alone)


@vmtest(quick=True)
def page_file_is_the_counter_page(t: Context) -> None:
    """What a client without the library maps."""
    vm = t.boot(guid=None)
    assert vm.run("soft").out == f"open {errno.ENOENT}\n", "absent unless a publisher runs"
    publish(vm)
    mode, uid, gid, _, _, size = vm.stat(PAGE)
    assert (mode & 0o7777, uid, gid, size) == (0o644, 0, 0, 4096)
    assert vm.stat("/run/sysgenid")[0] & 0o7777 == 0o755
    vm.write("/tmp/trigger", "a\nb\nc\n")
    vm.wait_output("publish", "^3$", limit=20)
    generation, magic, size, seq, features, time, source = struct.unpack_from("=I4sIIQQI", vm.read_bytes(PAGE))
    assert (generation, magic, size, seq, features, source) == (3, b"SGID", 80, 6, 0, 3)
    assert 0 < time <= vm.ping()
    assert not any(vm.read_bytes(PAGE)[36:])
    for command in (["chmod", "0664", PAGE], ["chown", "1000", PAGE], ["chmod", "0777", "/run/sysgenid"]):
        vm.run(*command)
        assert vm.run("soft").out == f"open {errno.ENODEV}\n", command
        vm.run("chmod", "0755", "/run/sysgenid")
        vm.run("chown", "0", PAGE)
        vm.run("chmod", "0644", PAGE)
    follow(vm)


@vmtest(quick=True)
def publisher_that_ends_is_noticed(t: Context) -> None:
    vm = t.boot(guid=None)
    publish(vm)
    follow(vm)
    with t.cloned(vm.snapshot()) as clone:
        clone.kill("publish", signal.SIGTERM)
        clone.wait_output("rng", f"^ended {errno.EOWNERDEAD}$", limit=20)
        clone.wait_output("rng", "^check 1$", limit=20)
        assert clone.wait("publish").ok and not clone.exists(PAGE)
        assert clone.run("soft").out == f"open {errno.ENOENT}\n"
    vm.resume()
    vm.kill("publish", signal.SIGKILL)
    vm.wait_output("rng", f"^ended {errno.EOWNERDEAD}$", limit=20)
    # Nobody could change the page any more: only a call tells: the weaker promise.
    vm.wait_output("rng", "^check 0$", limit=20)
    assert vm.exists(PAGE)
    assert vm.run("soft").out == f"open {errno.ENODEV}\n"
    assert vm.run("sysgenidctl", "get", "--soft").code == 3
    vm.spawn("second", "sh", "-c", "exec sysgenidctl publish <>/tmp/trigger")
    vm.wait_output("second", "^1$", limit=20)
    vm.wait_output("rng", "^mapped 1 ", limit=20)
    assert vm.run("sysgenidctl", "get", "--soft").out == "1\n"
    refused = vm.run("sysgenidctl", "publish")
    assert refused.code == 1 and "EBUSY" in refused.out, refused


@vmtest(quick=True)
def module_comes_before_the_page_file(t: Context) -> None:
    vm = t.boot()
    publish(vm)
    assert vm.run("sysgenidctl", "get").code == 3, "not unless it is asked for"
    assert vm.insmod() == 0
    got = json.loads(vm.run("sysgenidctl", "get", "--soft", "--json").out)
    assert not got["soft"] and "truthful" in got["features"], got
    refused = vm.run("sysgenidctl", "publish")
    assert refused.code == 1 and "promises more" in refused.out, refused
    assert vm.run("sysgenidctl", "publish", uid=1000, gid=1000).code == 1
    assert vm.rmmod() == 0
    assert vm.run("sysgenidctl", "publish", uid=1000, gid=1000).code == 4
