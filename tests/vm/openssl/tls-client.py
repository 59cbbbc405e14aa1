# SPDX-License-Identifier: MIT
"""Shakes hands with TLS servers, and prints of each ServerHello what must never come twice: "NAME RANDOM KEY_SHARE".

usage: tls-client.py FIFO
One handshake for each line "NAME PORT" that it reads there. For "NAME PORT N", handshakes until N workers of nginx have
answered, each as NAME-PID.
"""

import re
import socket
import ssl
import sys

KEY_SHARE = 0x33
TRIES = 500


def parse(hello: bytes) -> str:
    """Random and key share of a ServerHello of TLS 1.3."""
    at = 6 + 32
    at += 1 + hello[at] + 3
    end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 2
    while at < end:
        kind, size = (int.from_bytes(hello[at + i : at + i + 2], "big") for i in (0, 2))
        if kind == KEY_SHARE:
            return f"{hello[6:38].hex()} {hello[at + 8 : at + 4 + size].hex()}"
        at += 4 + size
    raise ValueError("no key share")


def shake_hands(port: int) -> tuple[str, str]:
    """What the ServerHello said, and the answer to a request."""
    hellos = []

    def look(connection, direction, version, content_type, message_type, data):  # type: ignore[no-untyped-def]
        if direction == "read" and message_type == 2 and content_type == 22:
            hellos.append(data)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Its answer depends on nothing that the client says.
    context.set_ecdh_curve("prime256v1")
    context._msg_callback = look  # type: ignore[attr-defined]
    with socket.create_connection(("127.0.0.1", port)) as connection, context.wrap_socket(connection) as tls:
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while part := tls.recv(1000):
            answer += part
    (hello,) = hellos
    return parse(hello), answer.decode("utf-8", "replace")


def main() -> None:
    print("ready", flush=True)
    # The file never ends, as there is a writer: this program itself.
    with open(sys.argv[1], "r+b", buffering=0) as fifo:
        for line in iter(fifo.readline, b""):
            name, port, *workers = line.decode().split()
            if not workers:
                print(name, shake_hands(int(port))[0], flush=True)
                continue
            seen: set[str] = set()
            for _ in range(TRIES):
                said, answer = shake_hands(int(port))
                worker = re.findall(r"X-Worker: (\d+)", answer)[0]
                if worker not in seen:
                    seen.add(worker)
                    print(f"{name}-{worker}", said, flush=True)
                if len(seen) == int(workers[0]):
                    break


main()
