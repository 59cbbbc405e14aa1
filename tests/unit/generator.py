#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What sysgenid-overseer-generator takes from the overseer's unit, what systemd makes of that, and what the overseer then refuses.

usage: generator.py GENERATOR OVERSEER UNIT

GENERATOR was built to read overseer.conf, overseer.frozen and overseer.armed in its working directory.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

GENERATOR, OVERSEER, UNIT = map(os.path.abspath, sys.argv[1:4])
NAME = "sysgenid-overseer.service"
NOTHING = "gate = none\nsessions = keep\ndestroy-connections = no\n"
SHARED = "gate,sessions,interfaces,destroy-connections"
ADMIN = "CapabilityBoundingSet=~CAP_SYS_ADMIN"
ADMINS = "sessions/host-name/entropy"
HOST_NAME = ["ProtectHostname=yes", "SystemCallFilter=~sethostname", ADMIN]
ETC, ETCS = "ReadWritePaths=", "host-name/machine-id"
NETWORK = "CapabilityBoundingSet=~CAP_NET_ADMIN"
# A line that turns a step on: what the drop-in does not take then, and what it is called. Some steps share a right.
STEPS = {
    "laggards = kill": (["CapabilityBoundingSet=~CAP_KILL"], ["laggards=kill"]),
    "sessions = reset": ([ADMIN, "RestrictNamespaces=yes", NETWORK], ["sessions=reset", ADMINS, SHARED]),
    "clock = set": (["CapabilityBoundingSet=~CAP_SYS_TIME", "ProtectClock=yes", "SystemCallFilter=~@clock"], ["clock=set"]),
    "host-name = set": ([*HOST_NAME, ETC], ["host-name=set/transient", ADMINS, ETCS]),
    "host-name = transient": (HOST_NAME, ["host-name=set/transient", ADMINS]),
    "machine-id = set": ([ETC], [ETCS]),
    "machine-id = new": ([ETC], [ETCS]),
    "interfaces = set": ([NETWORK], [SHARED]),
    "gate = kernel": (["CapabilityBoundingSet=~CAP_CHECKPOINT_RESTORE", NETWORK], ["gate=kernel/restore", SHARED]),
    "gate = nftables": ([NETWORK], [SHARED]),
    "destroy-connections = yes": ([NETWORK], [SHARED]),
    "freeze = a.service": (["ProtectControlGroups=yes"], ["freeze/kill-container"]),
    "freeze = a\nwipe = a": (["ProtectControlGroups=yes", "SystemCallFilter=~process_vm_writev"], ["freeze/kill-container", "wipe"]),
    "announce = vsock:2:1": (["RestrictAddressFamilies=~AF_VSOCK"], ["announce=vsock/restore-vsock"]),
    "restore-vsock = 1030": (
        ["RestrictAddressFamilies=~AF_VSOCK", "CapabilityBoundingSet=~CAP_CHECKPOINT_RESTORE", ADMIN],
        ["gate=kernel/restore", "announce=vsock/restore-vsock", ADMINS],
    ),
    "restore-serial = /dev/virtio-ports/a": (
        ["CapabilityBoundingSet=~CAP_CHECKPOINT_RESTORE", ADMIN],
        ["gate=kernel/restore", "announce=path/restore-serial", ADMINS],
    ),
    "announce = /dev/ttyS1": ([], ["announce=path/restore-serial"]),
}


class Generator(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="overseer-generator-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.units = self.folder / "units"
        self.units.mkdir()

    def drop_in(self) -> Path:
        return self.units / f"{NAME}.d" / "10-sysgenid-rights.conf"

    def generate(self, keys: str) -> int:
        (self.folder / "overseer.conf").write_text(f"[overseer]\n{keys}", "ascii")
        shutil.rmtree(self.units / f"{NAME}.d", ignore_errors=True)
        return self.run_generator()

    def run_generator(self) -> int:
        done = subprocess.run([GENERATOR, self.units, "/nonexistent", "/nonexistent"], cwd=self.folder, capture_output=True, timeout=20, check=False)
        self.assertTrue(done.stderr or done.returncode == 0, done)
        return done.returncode

    def taken(self, keys: str) -> tuple[list[str], list[str]]:
        """The settings of the drop-in, and the names of the steps that the overseer is told of."""
        self.assertEqual(self.generate(keys), 0)
        settings = [line for line in self.drop_in().read_text("ascii").splitlines() if "=" in line and not line.startswith("#")]
        (told,) = [line for line in settings if line.startswith("Environment=")]
        names = re.fullmatch('Environment="SYSGENID_OVERSEER_WITHOUT=(.*)"', told)
        assert names
        return [line for line in settings if line != told and not line.startswith("DeviceAllow=")], names[1].split()

    def devices(self, keys: str) -> list[str]:
        """Those that the drop-in leaves; nothing: all of the unit."""
        self.assertEqual(self.generate(NOTHING + keys), 0)
        return re.findall(r"^DeviceAllow=(.*)$", self.drop_in().read_text("ascii"), re.MULTILINE)

    def test_devices_are_those_of_the_steps(self) -> None:
        ours, clocks, ports = ["", "/dev/sysgenid rw"], ["char-ptp r", "char-rtc r"], ["char-virtio-portsdev rw", "char-ttyS rw"]
        self.assertEqual(self.devices(""), ours)
        self.assertEqual(self.devices("clock = set\n"), ours + clocks)
        self.assertEqual(self.devices("announce = /dev/ttyS1\n"), ours + ports)
        self.assertEqual(self.devices("clock = set\nannounce = /dev/ttyS1\n"), [])
        unit = Path(UNIT).read_text("ascii")
        for line in ours[1:] + clocks + ports:
            self.assertIn(f"\nDeviceAllow={line}\n", unit)

    def test_a_step_that_is_off_loses_its_rights_and_no_other_does(self) -> None:
        settings, names = self.taken(NOTHING)
        self.assertEqual(sorted(settings), sorted({line for lines, _ in STEPS.values() for line in lines}))
        self.assertEqual(sorted(names), sorted({name for _, names in STEPS.values() for name in names}))
        for key, (lines, its) in STEPS.items():
            others = [line for line in NOTHING.splitlines() if line.split()[0] != key.split()[0]]
            left, told = self.taken("".join(f"{line}\n" for line in (*others, key)))
            self.assertEqual(sorted(left + lines), sorted(settings), key)
            self.assertEqual(sorted(told + its), sorted(names), key)

    def test_the_directory_of_the_metrics_can_be_written(self) -> None:
        for more, before in (("", ["ReadWritePaths="]), ("machine-id = set\n", [])):
            settings, _ = self.taken(f"{NOTHING}metrics = /var/lib/node/x.prom\n{more}")
            paths = [line for line in settings if line.startswith("ReadWritePaths=")]
            self.assertEqual(paths, [*before, "ReadWritePaths=-/var/lib/node"])

    def test_what_writes_to_cgroups_may(self) -> None:
        for key in ("freeze = containers", "laggards = kill-container"):
            settings, names = self.taken(f"{NOTHING}{key}\n")
            self.assertNotIn("ProtectControlGroups=yes", settings)
            self.assertNotIn("freeze/kill-container", names)
            self.assertEqual("CapabilityBoundingSet=~CAP_KILL" in settings, "kill" not in key)

    def test_without_a_file_the_defaults_count(self) -> None:
        self.assertEqual(self.run_generator(), 0)
        text = self.drop_in().read_text("ascii")
        self.assertIn("CAP_KILL", text)
        self.assertNotIn("CAP_SYS_ADMIN", text)

    def test_a_configuration_that_cannot_be_read_takes_nothing(self) -> None:
        self.assertEqual(self.generate("laggards = forgive\n"), 1)
        self.assertFalse(self.drop_in().exists())
        (self.folder / "overseer.conf").unlink()
        (self.folder / "overseer.conf").mkdir()
        self.assertEqual(self.run_generator(), 1)
        self.assertFalse(self.drop_in().exists())

    def test_half_a_drop_in_is_none(self) -> None:
        self.drop_in().parent.mkdir()
        self.drop_in().symlink_to("/dev/full")
        self.assertEqual(self.run_generator(), 1)
        self.assertFalse(self.drop_in().is_symlink())
        self.units.joinpath(f"{NAME}.d").rmdir()
        self.units.rmdir()
        self.assertEqual(self.run_generator(), 1)

    def test_units_that_may_be_frozen_can_be_thawed(self) -> None:
        frozen = self.folder / "overseer.frozen"
        for make in (lambda: frozen.write_text("a.service\n", "ascii"), frozen.mkdir):
            make()
            settings, names = self.taken(NOTHING)
            self.assertNotIn("ProtectControlGroups=yes", settings)
            self.assertNotIn("freeze/kill-container", names)
            if frozen.is_file():
                frozen.unlink()
        frozen.rmdir()
        frozen.write_text("", "ascii")
        self.assertIn("ProtectControlGroups=yes", self.taken(NOTHING)[0])

    def test_a_gate_that_was_armed_can_be_disarmed(self) -> None:
        armed = self.folder / "overseer.armed"
        armed.write_text("", "ascii")
        self.assertNotIn("CapabilityBoundingSet=~CAP_CHECKPOINT_RESTORE", self.taken(NOTHING)[0])
        armed.unlink()
        # What cannot be looked at may be there.
        armed.symlink_to("overseer.armed")
        self.assertNotIn("CapabilityBoundingSet=~CAP_CHECKPOINT_RESTORE", self.taken(NOTHING)[0])

    def test_rules_that_are_left_can_be_removed(self) -> None:
        self.assertIn(NETWORK, self.taken(NOTHING)[0])
        for name in ("overseer.armed", "overseer.armed.nftables"):
            (self.folder / name).write_text("", "ascii")
            self.assertNotIn(NETWORK, self.taken(NOTHING)[0])
            (self.folder / name).unlink()

    def test_the_overseer_refuses_a_step_that_its_unit_has_no_rights_for(self) -> None:
        _, names = self.taken(NOTHING)
        for without in ([], names):
            env = {**os.environ, "SYSGENID_OVERSEER_WITHOUT": " ".join(without)}
            for keys, name in [(NOTHING, ""), *((key if "sessions" in key else f"sessions = keep\n{key}\n", its[0]) for key, (_, its) in STEPS.items()), ("", "sessions=reset")]:
                (self.folder / "overseer.conf").write_text(f"[overseer]\n{keys}", "ascii")
                done = subprocess.run([OVERSEER, "--config", "overseer.conf", "--check"], cwd=self.folder, env=env, capture_output=True, text=True,
                                      timeout=20, check=False)
                self.assertEqual(done.returncode, 1 if name in without else 0, done)
                if name in without:
                    self.assertIn(f"{name}: the unit was started without the rights for that: systemctl daemon-reload", done.stderr)

    def test_without_a_step_that_needs_the_network_it_is_ready_without_the_right(self) -> None:
        unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
        if subprocess.run([*unshare, "true"], capture_output=True, timeout=20, check=False).returncode:
            self.skipTest("no namespaces can be set up here")
        (self.folder / "overseer.conf").write_text(f"[overseer]\n{NOTHING}publisher = trigger\n", "ascii")
        for noted, line in (("", "ready at generation 0"), ("touch /run/sysgenid/overseer.armed.nftables", "cannot be read")):
            script = f"mount -t tmpfs run /run && mkdir /run/sysgenid && {{ {noted or 'true'}; }} && exec setpriv --bounding-set=-net_admin --inh-caps=-all "
            command = [*unshare, "sh", "-c", f'{script} "$@"', "sh", OVERSEER, "--config", "overseer.conf"]
            with subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, text=True) as overseer:
                assert overseer.stderr
                lines = []
                # Its first word about its state.
                while not lines or not re.search("ready at|held at", lines[-1]):
                    lines.append(overseer.stderr.readline())
                    if not lines[-1]:
                        break
                overseer.kill()
            self.assertIn(line, lines[-1], lines)

    def test_systemd_takes_the_rights_away(self) -> None:
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze")

        def exposed(keys: str | None, *drop_ins: str) -> set[str]:
            """What systemd-analyze(1) has found to be allowed."""
            root = self.folder / "root"
            shutil.rmtree(root, ignore_errors=True)
            (root / "usr/lib/systemd/system").mkdir(parents=True)
            shutil.copy(UNIT, root / "usr/lib/systemd/system")
            if keys is not None:
                self.taken(keys)
                shutil.copytree(self.units, root / "etc/systemd/system")
            for name in drop_ins:
                shutil.copy(Path(UNIT).with_name(name), root / "etc/systemd/system" / f"{NAME}.d")
            done = subprocess.run(["systemd-analyze", "security", "--offline=yes", f"--root={root}", "--no-pager", "--json=short", NAME],
                                  capture_output=True, text=True, timeout=60, check=False)
            if "unrecognized option" in done.stderr:
                self.skipTest("an older systemd-analyze")
            self.assertEqual(done.returncode, 0, done)
            return {row["json_field"] for row in json.loads(done.stdout) if row["set"] is False}

        everything = exposed(None)
        self.assertEqual(everything - exposed(NOTHING), {
            "CapabilityBoundingSet_CAP_KILL", "CapabilityBoundingSet_CAP_NET_ADMIN", "CapabilityBoundingSet_CAP_SYS_ADMIN", "RestrictNamespaces_net", "ProtectControlGroups",
            "RestrictAddressFamilies_OTHER", "CapabilityBoundingSet_CAP_SYS_TIME", "ProtectClock", "ProtectHostname", "SystemCallFilter_clock"})
        with_publisher = exposed("publisher = trigger\n" + NOTHING, "publisher.conf")
        self.assertIn("CapabilityBoundingSet_CAP_SYS_ADMIN", with_publisher, "the administrator's drop-in comes later")
        twice = ("announce = /dev/ttyS1", "gate = nftables", "host-name = transient", "machine-id = set")
        on = "".join(f"{key}\n" for key in STEPS if key not in twice)
        self.assertEqual(everything, exposed(on))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
