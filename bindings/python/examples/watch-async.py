#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Says in an event loop when this machine has resumed as a clone."""

import asyncio
import sys

import sysgenid


async def main() -> None:
    with sysgenid.Handle(soft="--soft" in sys.argv) as handle:
        print(f"generation {handle.read()}", flush=True)
        async for generation in handle.changes():
            # Renew here what clones must not share. The next round confirms.
            print(f"generation {generation}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
