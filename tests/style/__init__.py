# SPDX-License-Identifier: MIT
"""The rules of docs/style.md that scripts/check-style checks."""
