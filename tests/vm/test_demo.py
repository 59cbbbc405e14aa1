# SPDX-License-Identifier: MIT
"""The demonstration shows what the README says."""

import contextlib
import io

from vmlib import Context, vmtest

import demo


@vmtest("bookworm-cloud", quick=True)
def demonstration(t: Context) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = demo.main()
    t.log(said.getvalue())
    assert status == 0, said.getvalue()
