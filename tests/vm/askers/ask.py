# SPDX-License-Identifier: MIT
"""Each line of input is a request, each draw a line of the answer."""

import sys
import tempfile
import uuid

pool = [uuid.uuid4() for _ in range(16)]

for request in sys.stdin:
    print("a pool of ids", pool.pop())
    print("names of tempfile", tempfile.mktemp(), flush=True)
