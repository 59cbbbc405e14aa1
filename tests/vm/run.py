#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the VM tests; see README.md beside it."""

import sys

from vmlib.runner import main

sys.exit(main())
