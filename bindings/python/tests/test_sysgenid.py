# SPDX-License-Identifier: MIT
"""Run by tests/bindings/python.py, with a libsysgenid whose device is played."""

import asyncio
import ctypes
import errno
import gc
import os
import random
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

import sysgenid
from sysgenid import _library

EXAMPLES = Path(__file__).parents[1] / "examples"

played = ctypes.CDLL("libsysgenid.so.0")


class Handle(unittest.TestCase):
    def setUp(self) -> None:
        self.handle = sysgenid.Handle()
        self.seen = self.handle.read()

    def tearDown(self) -> None:
        played.played_open_errno(0)
        self.handle.close()
        gc.collect()
        self.assertTrue(played.played_is_clean())

    def test_resume_changes_the_generation(self) -> None:
        self.assertFalse(self.handle.changed(self.seen))
        played.played_resume()
        self.assertTrue(self.handle.changed(self.seen))
        self.assertEqual(self.handle.read(), self.seen + 1)
        self.assertFalse(self.handle.changed(self.seen + 1))

    def test_other_hardware_id_is_a_change_before_the_kernel_looks(self) -> None:
        self.assertTrue(self.handle.is_exact())
        played.played_resume_unseen()
        self.addCleanup(played.played_resume)
        self.assertTrue(self.handle.changed(self.seen))

    def test_wait_times_out_without_a_resume(self) -> None:
        start = time.monotonic()
        with self.assertRaises(TimeoutError):
            self.handle.wait(self.seen, 0.05)
        self.assertGreaterEqual(time.monotonic() - start, 0.05)
        with self.assertRaises(TimeoutError):
            self.handle.wait(self.seen, 0)

    def test_wait_returns_at_a_resume_in_another_thread(self) -> None:
        timer = threading.Timer(0.05, played.played_resume)
        timer.start()
        self.assertEqual(self.handle.wait(self.seen, 20), self.seen + 1)
        timer.join()

    def test_asyncio_yields_each_generation_and_confirms_it(self) -> None:
        async def three() -> list[int]:
            found = []
            asyncio.get_running_loop().call_later(0.02, played.played_resume)
            async for generation in self.handle.changes():
                self.assertNotEqual(self.handle.state().confirmed, generation)
                found.append(generation)
                if len(found) == 3:
                    return found
                # One that comes before the last one is confirmed is not lost.
                if len(found) == 1:
                    played.played_resume()
                else:
                    asyncio.get_running_loop().call_later(0.02, played.played_resume)
            raise AssertionError

        found = asyncio.run(asyncio.wait_for(three(), 20))
        self.assertEqual(found, [self.seen + 1, self.seen + 2, self.seen + 3])
        self.assertEqual(self.handle.state().confirmed, self.seen + 2)

    def test_asyncio_without_a_resume_sleeps(self) -> None:
        async def first() -> int:
            return await self.handle.changes().__anext__()

        start = time.process_time()
        with self.assertRaises(asyncio.TimeoutError):
            asyncio.run(asyncio.wait_for(first(), 0.3))
        self.assertLess(time.process_time() - start, 0.15)

    def test_confirm_of_another_generation_is_stale(self) -> None:
        self.handle.confirm(self.seen)
        played.played_resume()
        with self.assertRaises(OSError) as caught:
            self.handle.confirm(self.seen)
        self.assertEqual(caught.exception.errno, errno.ESTALE)

    def test_track_asks_to_be_waited_for(self) -> None:
        fd = self.handle.fileno()
        self.assertFalse(played.played_is_tracked(fd))
        self.handle.track()
        self.assertTrue(played.played_is_tracked(fd))
        self.handle.track(False)
        self.assertFalse(played.played_is_tracked(fd))

    def test_state_is_what_the_kernel_says(self) -> None:
        state = self.handle.state()
        self.assertEqual((state.generation, state.watchers, state.outdated), (self.seen, 3, 2))
        self.assertEqual(state.instance_id, b"\1\2\3\xff" + bytes(12))
        self.assertFalse(self.handle.is_soft())

    def test_no_device_is_file_not_found(self) -> None:
        played.played_open_errno(errno.ENOENT)
        with self.assertRaises(FileNotFoundError) as caught:
            sysgenid.Handle()
        self.assertEqual(caught.exception.filename, "/dev/sysgenid")

    def test_node_by_path(self) -> None:
        with sysgenid.Handle("/fake/sysgenid") as other:
            self.assertEqual(other.read(), self.seen)
        with self.assertRaises(ValueError):
            sysgenid.Handle("/fake/sysgenid", soft=True)

    def test_closed_handle_is_a_value_error(self) -> None:
        self.handle.close()
        self.handle.close()
        for call in (self.handle.read, self.handle.fileno, lambda: self.handle.changed(0), self.handle.__enter__):
            with self.assertRaises(ValueError):
                call()

    def test_child_must_open_its_own(self) -> None:
        child = os.fork()
        if child == 0:
            try:
                self.handle.read()
            except ChildProcessError:
                os._exit(0)
            os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)


class Example(unittest.TestCase):
    def test_reseed_draws_anew_only_after_a_resume(self) -> None:
        sys.path.insert(0, str(EXAMPLES))
        import reseed

        with sysgenid.Handle() as handle:
            seeds = iter(range(10))
            tokens = reseed.Tokens(handle, lambda: random.seed(next(seeds)))
            before = [tokens.draw(), tokens.draw()]
            played.played_resume()
            after = [tokens.draw(), tokens.draw()]
        expected = []
        for seed in (0, 1):
            random.seed(seed)
            # The first draw after the resume is thrown away.
            expected.append([f"{random.getrandbits(64):016x}" for _ in range(2)])
        self.assertEqual([before, after], expected)

    def test_programs_run(self) -> None:
        for name, out in (("watch.py", b"generation 5, current\n"), ("watch-async.py", b"generation 5\n")):
            with subprocess.Popen([sys.executable, EXAMPLES / name], stdout=subprocess.PIPE) as program:
                assert program.stdout
                self.assertEqual(program.stdout.readline(), out, name)
                program.kill()


class Declarations(unittest.TestCase):
    def test_layout_is_that_of_the_header(self) -> None:
        """tests/bindings/python.py passes what a C compiler says."""
        for line in os.environ["LAYOUT"].splitlines():
            name, *numbers = line.split()
            kind, _, member = name.partition(".")
            structure = {"sysgenid_view": _library.View, "sysgenid_info": _library.Info}.get(kind)
            if structure and member:
                field = getattr(structure, member)
                self.assertEqual([field.offset, field.size], [int(n) for n in numbers], name)
            elif structure:
                self.assertEqual([ctypes.sizeof(structure)], [int(n) for n in numbers], name)
        constants = dict(line.split() for line in os.environ["LAYOUT"].splitlines() if line.startswith("SYSGENID"))
        self.assertEqual(int(constants["SYSGENID_OPEN_SOFT"]), _library.OPEN_SOFT)
        self.assertEqual(int(constants["SYSGENID_HANDLE_SOFT"]), _library.HANDLE_SOFT)
        self.assertEqual(int(constants["SYSGENID_GET_INSTANCE"]), _library.INSTANCE)


if __name__ == "__main__":
    unittest.main()
