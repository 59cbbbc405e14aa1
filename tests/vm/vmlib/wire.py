# SPDX-License-Identifier: MIT
"""The other end of a guest's network card: sends it a packet each millisecond, and notes what comes.

Frames travel as datagrams of unix sockets in the VM's directory. tests/guest/wire.c is the end in the guest; its comment
names the kinds of packets.
"""

from __future__ import annotations

import collections
import contextlib
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

from .limits import Timeout
from .qemu import FOLDER, VM

KINDS = ("udp", "raw", "packet", "tcp", "open", "marked", "udp6", "open6")
PERIOD = 0.001
MTU = 65535
ETHER_TYPE, IP, ARP, IP6 = 0x88B5, 0x0800, 0x0806, 0x86DD
PORTS = {5001: "udp", 7001: "open", 8001: "marked"}
PORTS6 = {5001: "udp6", 7001: "open6"}
SOLICITATION, ADVERTISEMENT = 135, 136
TCP_FROM = 20000


def options(number: int) -> tuple[str, ...]:
    """Of QEMU, for a card with a wire of this number."""
    ends = "".join(f",{side}.type=unix,{side}.path={FOLDER}/{number}.{end}" for side, end in (("local", "in"), ("remote", "out")))
    return ("-netdev", f"dgram,id=wire{number}{ends}", "-device", f"virtio-net-pci,netdev=wire{number},mac={guest_mac(number)}")


def guest_mac(number: int) -> str:
    return f"02:00:00:00:{number:02x}:01"


def host_mac(number: int) -> str:
    return f"02:00:00:00:{number:02x}:02"


def guest_address(number: int) -> str:
    return f"10.9.{number}.1"


def host_address(number: int) -> str:
    return f"10.9.{number}.2"


def guest_address6(number: int) -> str:
    return f"fd09:0:0:{number}::1"


def host_address6(number: int) -> str:
    return f"fd09:0:0:{number}::2"


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _datagram(port: int, data: bytes, checksum: int = 0) -> bytes:
    return struct.pack("!HHHH", port - 1, port, 8 + len(data), checksum) + data


def _packet6(source: bytes, to: bytes, protocol: int, data: bytes) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(data), protocol, 255) + source + to + data


def _checksum6(source: bytes, to: bytes, protocol: int, data: bytes) -> int:
    """Of what IPv6 carries."""
    return _checksum(source + to + struct.pack("!II", len(data), protocol) + data + b"\0" * (len(data) % 2)) or 0xFFFF


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Wire:
    """From the moment it is made packets are sent, with this tag, and received. Make it before the VM runs. Silent: none is
    sent. Neighbours that ask for the host's address of IPv6 are answered.

    others: frames that came of the guest's kernel itself: "arp", "icmp6 TYPE", "icmp TYPE"."""

    def __init__(self, vm: VM, number: int, tag: int, silent: bool = False) -> None:
        self.number, self.tag = number, tag
        self._to = str(vm.folder / f"{number}.in")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = vm.folder / f"{number}.out"
        path.unlink(missing_ok=True)
        self._socket.bind(str(path))
        self._socket.settimeout(0.2)
        self._lock = threading.Lock()
        self._came: list[tuple[str, int]] = []
        self.others: collections.Counter[str] = collections.Counter()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._receive, *([] if silent else [self._send]))]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    @property
    def came(self) -> list[tuple[str, int]]:
        """Kind and tag of each packet so far. Of "tcp" the tag has 12 bits."""
        with self._lock:
            return list(self._came)

    def wait_for_all(self, limit: float, tag: int | None = None) -> None:
        """Until there was a packet of each kind, from now on; with this tag."""
        start = len(self.came)
        end = time.monotonic() + limit
        while True:
            kinds = {kind for kind, t in self.came[start:] if tag is None or t in (tag, tag & 0xFFF)}
            if kinds.issuperset(KINDS):
                return
            if time.monotonic() > end:
                raise Timeout(f"no packet of {sorted(set(KINDS) - kinds)} came out of wire {self.number} in {limit} s")
            time.sleep(0.02)

    def _frame(self, kind: str) -> bytes:
        data = struct.pack("<Q40x", self.tag)
        macs = _mac(guest_mac(self.number)) + _mac(host_mac(self.number))
        if kind == "packet":
            return macs + struct.pack("!H", ETHER_TYPE) + data
        if kind in PORTS6.values():
            port = next(number for number, name in PORTS6.items() if name == kind)
            source, to = (socket.inet_pton(socket.AF_INET6, f(self.number)) for f in (host_address6, guest_address6))
            checksum = _checksum6(source, to, socket.IPPROTO_UDP, _datagram(port, data))
            return macs + struct.pack("!H", IP6) + _packet6(source, to, socket.IPPROTO_UDP, _datagram(port, data, checksum))
        if kind == "tcp":
            protocol = socket.IPPROTO_TCP
            segment = struct.pack("!HHIIBBHHH", TCP_FROM + (self.tag & 0xFFF), 5002, 1, 0, 0x50, 2, 1024, 0, 0)
        elif kind == "raw":
            protocol, segment = 253, data
        else:
            protocol = socket.IPPROTO_UDP
            segment = _datagram(next(number for number, name in PORTS.items() if name == kind), data)
        addresses = socket.inet_aton(host_address(self.number)) + socket.inet_aton(guest_address(self.number))
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, protocol, 0) + addresses
        head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
        return macs + struct.pack("!H", IP) + head + segment

    def _send(self) -> None:
        frames = collections.deque(self._frame(kind) for kind in KINDS)
        while not self._stop.wait(PERIOD):
            # A VM that does not run, or runs slowly, loses packets.
            with contextlib.suppress(OSError):
                self._socket.sendto(frames[0], socket.MSG_DONTWAIT, self._to)
            frames.rotate(-1)

    def _receive(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                frame = self._socket.recv(MTU)
                found = self._parse(frame)
                if not found:
                    self._answer(frame)
                else:
                    with self._lock:
                        self._came.append(found)

    def _answer(self, frame: bytes) -> None:
        """What the guest's kernel has to say."""
        (ether_type,) = struct.unpack_from("!H", frame, 12)
        if ether_type == ARP:
            self.others["arp"] += 1
        elif ether_type == IP and frame[23] == socket.IPPROTO_ICMP:
            self.others[f"icmp {frame[14 + 4 * (frame[14] & 15)]}"] += 1
        elif ether_type == IP6 and frame[20] == socket.IPPROTO_ICMPV6:
            self.others[f"icmp6 {frame[54]}"] += 1
            ours = socket.inet_pton(socket.AF_INET6, host_address6(self.number))
            asker = frame[22:38]
            if frame[54] == SOLICITATION and frame[62:78] == ours and any(asker):
                with contextlib.suppress(OSError):
                    self._socket.sendto(self._advertisement(ours, asker), socket.MSG_DONTWAIT, self._to)

    def _advertisement(self, ours: bytes, asker: bytes) -> bytes:
        def message(checksum: int) -> bytes:
            # Solicited, and to be believed; the option is our address.
            return struct.pack("!BBHI", ADVERTISEMENT, 0, checksum, 0x60000000) + ours + b"\2\1" + _mac(host_mac(self.number))

        data = message(_checksum6(ours, asker, socket.IPPROTO_ICMPV6, message(0)))
        macs = _mac(guest_mac(self.number)) + _mac(host_mac(self.number))
        return macs + struct.pack("!H", IP6) + _packet6(ours, asker, socket.IPPROTO_ICMPV6, data)

    @staticmethod
    def _parse(frame: bytes) -> tuple[str, int] | None:
        """None: what the guest's kernel has to say."""
        (ether_type,) = struct.unpack_from("!H", frame, 12)
        if ether_type == ETHER_TYPE:
            return "packet", struct.unpack_from("<Q", frame, 14)[0]
        if ether_type == IP6:
            port = struct.unpack_from("!H", frame, 56)[0] if frame[20] == socket.IPPROTO_UDP else 0
            return (PORTS6[port], struct.unpack_from("<Q", frame, 62)[0]) if port in PORTS6 else None
        if ether_type != IP:
            return None
        at = 14 + 4 * (frame[14] & 15)
        protocol = frame[23]
        if protocol == 253:
            return "raw", struct.unpack_from("<Q", frame, at)[0]
        source, port = struct.unpack_from("!HH", frame, at)
        if protocol == socket.IPPROTO_TCP and port == 5002:
            return "tcp", source - TCP_FROM
        if protocol == socket.IPPROTO_UDP and port in PORTS:
            return PORTS[port], struct.unpack_from("<Q", frame, at + 8)[0]
        return None
