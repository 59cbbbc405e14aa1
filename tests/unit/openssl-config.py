#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""openssl-config with the libcrypto of this machine: what is tried, how it is tried, and what becomes of the file.

usage: openssl-config.py OPENSSL-CONFIG INCLUDED MODULE PROGRAM

INCLUDED is the file that OPENSSL-CONFIG was built to have included; it is made here. PROGRAM sets default properties, draws,
and prints its generator.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

tool, included, module, program = map(os.path.abspath, sys.argv[1:])
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print(f"FAILED: {what}")


def run(*arguments, env=None, stdout=subprocess.PIPE):
    done = subprocess.run([tool, *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})},
                          timeout=120, check=False)
    return done.returncode, (done.stdout or "") + done.stderr


def write_included(path):
    text = Path(included + ".in").read_text("ascii")
    Path(included).write_text(text.replace("@MODULE@", str(path)), "ascii")


work = Path(tempfile.mkdtemp(prefix="sysgenid-openssl-", dir=Path(included).parent))
config = work / "openssl.cnf"
plain = b"openssl_conf = openssl_init\n# no text: \0\n[openssl_init]\n# no line end"


def fresh():
    config.write_bytes(plain)


def enabling_adds_one_line_and_disabling_takes_it_out():
    fresh()
    os.chmod(config, 0o640)
    status, said = run("enable", "--config", str(config))
    check(status == 0, f"enable: {status} {said}")
    check(config.read_bytes() == f".include {included}\n".encode() + plain, "one line at the head")
    check(config.stat().st_mode & 0o7777 == 0o640, "mode is kept")
    status, said = run("status", "--config", str(config))
    check(status == 0 and ": enabled" in said and "SYSGENID-DRBG" in said, f"status: {status} {said}")
    check(run("verify", "--config", str(config))[0] == 0, "verify")
    status, said = run("disable", "--config", str(config))
    check(status == 0 and config.read_bytes() == plain, f"disable: {status} {said}")


def the_callers_environment_makes_no_difference():
    """What is found by the caller's OPENSSL_MODULES or LD_LIBRARY_PATH is not found by others."""
    fresh()
    write_included("sysgenid.so")
    modules = work / "modules"
    modules.mkdir()
    shutil.copy(module, modules / "sysgenid.so")
    library = Path(module).parents[2] / "lib"
    env = {"OPENSSL_MODULES": str(modules), "LD_LIBRARY_PATH": str(library)}
    status, said = run("enable", "--config", str(config), env=env)
    check(status == 1 and "draws nothing" in said, f"with OPENSSL_MODULES: {status} {said}")
    check(config.read_bytes() == plain, "left as it was")
    # And what stands in the caller's way alone.
    write_included(module)
    status, said = run("enable", "--config", str(config), env={"OPENSSL_MODULES": "/nonexistent", "OPENSSL_CONF": "/nonexistent"})
    check(status == 0, f"with a foreign OPENSSL_MODULES: {status} {said}")
    # A program that has such an environment draws, too: the module is named by its path.
    check(draws(env={"OPENSSL_MODULES": "/nonexistent"}) == "SYSGENID-DRBG", "a program with OPENSSL_MODULES")


def draws(properties="", env=None):
    done = subprocess.run([program, properties], env={"OPENSSL_CONF": str(config), **(env or {})}, capture_output=True, text=True,
                          timeout=60, check=False)
    return done.stdout.strip() if done.returncode == 0 else f"nothing: {done.stderr}"


def default_properties_do_not_hide_the_generator():
    fresh()
    run("enable", "--config", str(config))
    for properties in ("", "provider=default", "provider=legacy", "fips=yes", "?fips=yes,provider=default"):
        found = draws(properties)
        check(found == "SYSGENID-DRBG", f"default properties {properties!r}: {found}")


def without_the_included_file_the_stock_generator_draws():
    """A chroot or a container that shares /etc/ssl alone, and a package that was removed."""
    fresh()
    run("enable", "--config", str(config))
    os.unlink(included)
    check(draws() == "CTR-DRBG", "stock generator")
    status, said = run("enable", "--config", str(work / "openssl.cnf"))
    check(status == 0, f"enabled already: {status} {said}")
    fresh()
    status, said = run("enable", "--config", str(config))
    check(status == 1 and config.read_bytes() == plain, f"enabled without the file: {status} {said}")
    write_included(module)


def verify_says_and_edits_nothing():
    fresh()
    run("enable", "--config", str(config))
    before = config.read_bytes()
    write_included("/nonexistent/sysgenid.so")
    status, said = run("verify", "--config", str(config))
    check(status == 1 and "sysgenidctl openssl disable" in said, f"verify: {status} {said}")
    check(config.read_bytes() == before, "verify has edited")
    status, said = run("disable", "--config", str(config))
    check(status == 0 and config.read_bytes() == plain, f"disable: {status} {said}")
    write_included(module)


def attributes_of_the_file_are_kept():
    fresh()
    try:
        os.setxattr(config, "user.note", b"kept")
    except OSError as e:
        print(f"not run: extended attributes: {e}")
        return
    run("enable", "--config", str(config))
    check(os.getxattr(config, "user.note") == b"kept", "after enable")
    run("disable", "--config", str(config))
    check(os.getxattr(config, "user.note") == b"kept", "after disable")
    # user::rw- user:65534:r-- group::r-- mask::r-- other::---
    acl = b"\2\0\0\0" + b"".join(tag.to_bytes(2, "little") + mode.to_bytes(2, "little") + who.to_bytes(4, "little") for tag, mode, who in
                                 ((1, 6, 2**32 - 1), (2, 4, 65534), (4, 4, 2**32 - 1), (16, 4, 2**32 - 1), (32, 0, 2**32 - 1)))
    try:
        os.setxattr(config, "system.posix_acl_access", acl)
    except OSError as e:
        print(f"not run: ACLs: {e}")
        return
    run("enable", "--config", str(config))
    check(os.getxattr(config, "system.posix_acl_access") == acl, "the ACL after enable")


def output_that_cannot_be_written_is_a_failure():
    fresh()
    for command in ("status", "enable", "disable"):
        with open("/dev/full", "w", encoding="ascii") as full:
            status, said = run(command, "--config", str(config), stdout=full)
        check(status == 1 and "cannot be written" in said, f"{command} >/dev/full: {status} {said}")


def wrong_options_are_named_by_the_tool():
    status, said = run("status", "--nonsense")
    check(status == 2 and re.match("sysgenidctl: openssl: .*nonsense", said), f"{status} {said}")
    status, said = run("nonsense", "--config", str(config))
    check(status == 2 and said.startswith("sysgenidctl: openssl: "), f"{status} {said}")


write_included(module)
try:
    for test in (enabling_adds_one_line_and_disabling_takes_it_out, the_callers_environment_makes_no_difference,
                 default_properties_do_not_hide_the_generator, without_the_included_file_the_stock_generator_draws,
                 verify_says_and_edits_nothing, attributes_of_the_file_are_kept, output_that_cannot_be_written_is_a_failure,
                 wrong_options_are_named_by_the_tool):
        print(test.__name__, flush=True)
        test()
finally:
    shutil.rmtree(work)
sys.exit(1 if failures else 0)
