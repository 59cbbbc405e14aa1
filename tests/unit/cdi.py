#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The CDI file: what the specification asks of version 0.5.0, and the vendor's name.

usage: cdi.py CDI_FILE SOURCE_DIRECTORY
"""
from __future__ import annotations

import json
import re
import sys
import unittest
from pathlib import Path

FILE, TOP = map(Path, sys.argv[1:])
WHOLE = json.loads(FILE.read_text("utf-8"))
NODES = {"sysgenid": ["/dev/sysgenid"], "sysgenid-hw": ["/dev/sysgenid", "/dev/sysgenid-hw"]}
# Every member that version 0.5.0 knows: engines refuse a file with another.
SPEC = {"cdiVersion", "kind", "devices", "containerEdits"}
DEVICE = {"name", "containerEdits"}
EDITS = {"env", "deviceNodes", "hooks", "mounts"}
NODE = {"path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"}


class Cdi(unittest.TestCase):
    def test_file_has_known_members_alone(self):
        self.assertLessEqual(set(WHOLE), SPEC)
        self.assertLessEqual({"cdiVersion", "kind", "devices"}, set(WHOLE))
        for device in WHOLE["devices"]:
            self.assertEqual(set(device), DEVICE)
            self.assertLessEqual(set(device["containerEdits"]), EDITS)
            for node in device["containerEdits"]["deviceNodes"]:
                self.assertLessEqual(set(node), NODE)
                self.assertIn("path", node)

    def test_version_is_one_that_podman_of_debian_12_reads(self):
        self.assertEqual(WHOLE["cdiVersion"], "0.5.0")

    def test_vendor_is_the_host_of_the_home_page(self):
        vendor, _, name = WHOLE["kind"].partition("/")
        self.assertEqual((TOP / "HOMEPAGE").read_text("ascii"), f"https://{vendor}\n")
        self.assertEqual(name, "device")
        self.assertLessEqual(len(vendor), 253)
        for label in vendor.split("."):
            self.assertRegex(label, r"\A[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")

    def test_names_are_unique_and_those_of_the_nodes(self):
        nodes = {d["name"]: [n["path"] for n in d["containerEdits"]["deviceNodes"]] for d in WHOLE["devices"]}
        self.assertEqual(nodes, NODES)
        self.assertEqual(len(nodes), len(WHOLE["devices"]))
        for name in nodes:
            self.assertRegex(name, r"\A[A-Za-z0-9][A-Za-z0-9_.:-]*[A-Za-z0-9]\Z")

    def test_documents_have_the_names_of_the_file(self):
        names = {f"{WHOLE['kind']}={device['name']}" for device in WHOLE["devices"]}
        for path in ("docs/containers.md", "man/sysgenid.7"):
            found = set(re.findall(r"[\w.-]+/device=[\w-]+", (TOP / path).read_text("utf-8")))
            self.assertTrue(found and found <= names, f"{path}: {found}")

    def test_permissions_are_those_of_a_device_cgroup(self):
        for device in WHOLE["devices"]:
            for node in device["containerEdits"]["deviceNodes"]:
                self.assertTrue(re.fullmatch("r?w?", node["permissions"]), node)
                self.assertTrue(node["path"].startswith("/dev/"))


unittest.main(argv=sys.argv[:1])
