# SPDX-License-Identifier: MIT
"""A TLS server as Python programs are: two forked workers, each with two threads, each of these with a port.

usage: tls-server.py CERTIFICATE FIRST_PORT
"""

import os
import socket
import ssl
import sys
import threading


def serve(context: ssl.SSLContext, listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection, context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1000)
            tls.sendall(b"HTTP/1.0 200 OK\r\n\r\nok\n")


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    # Seeded already when it forks.
    ssl.RAND_bytes(16)
    listeners = [socket.create_server(("127.0.0.1", int(sys.argv[2]) + i)) for i in range(4)]
    for mine in listeners[:2], listeners[2:]:
        if os.fork() == 0:
            threads = [threading.Thread(target=serve, args=(context, listener)) for listener in mine]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    print("ready", flush=True)
    os.wait()


main()
