# SPDX-License-Identifier: MIT
"""Rust and Python, by way of the exported twins, on a real module and in clones."""

import re
from collections.abc import Iterable
from pathlib import Path

from vmlib import Context, vmtest
from vmlib.extras import with_files
from vmlib.limits import run_tool
from vmlib.repo import EXAMPLES, TOP

INCLUDES = [f"-I{TOP / name}" for name in ("include", "module/uapi")]
SOURCES = sorted((TOP / "lib").glob("*.c"))
MAP = TOP / "lib" / "libsysgenid.map"
BINDINGS = TOP / "tests" / "bindings"
PYTHON = Path("/usr/bin/python3")


def static_library(folder: Path) -> Path:
    for source in SOURCES:
        compile = ["gcc", "-O2", *INCLUDES, "-c", source, "-o", folder / f"{source.stem}.o"]
        run_tool(compile, 60, f"compiling {source.name}")
    library = folder / "libsysgenid.a"
    run_tool(["ar", "rcs", library, *sorted(folder.glob("*.o"))], 60, "ar")
    return library


def shared_library(folder: Path) -> Path:
    library = folder / "libsysgenid.so.0"
    names = [f"-Wl,-soname,{library.name}", f"-Wl,--version-script={MAP}", "-fvisibility=hidden"]
    run_tool(["gcc", "-O2", *INCLUDES, "-fPIC", "-shared", *names, "-o", library, *SOURCES], 60, "linking the library")
    return library


def rust(source: Path, library: Path, folder: Path) -> Path:
    """The static program; nothing but rustc makes it."""
    program = folder / source.stem
    options = ["--edition", "2021", "-O", "-D", "warnings", "-C", "target-feature=+crt-static", "-C", "strip=symbols"]
    link = ["-L", f"native={library.parent}", "-l", "static=sysgenid"]
    run_tool(["rustc", *options, *link, "-o", program, source], 120, f"compiling {source.name}")
    return program


def libraries(files: Iterable[Path]) -> set[Path]:
    """What the dynamic linker loads for them."""
    return {Path(name) for file in files for name in re.findall(r"(/\S+) \(0x", run_tool(["ldd", file], 30, "ldd"))}


def python(script: Path) -> dict[str, Path]:
    """Python and what the script imports, by their paths in the guest."""
    imports = "\n".join(re.findall("^import .*", script.read_text("utf-8"), re.MULTILINE))
    show = "print(*{m.__file__ for m in [*sys.modules.values()] if getattr(m, '__file__', None)})"
    modules = run_tool([PYTHON, "-I", "-S", "-c", f"{imports}\n{show}"], 60, "python3").split()
    needed = {PYTHON.resolve(), *map(Path, modules)}
    needed |= libraries(path for path in needed if path.suffix != ".py")
    return {str(path)[1:]: path for path in needed}


@vmtest(quick=True, timeout=120)
def bindings_watch_a_clone(t: Context) -> None:
    program = rust(EXAMPLES / "rust" / "watch.rs", static_library(t.folder), t.folder)
    script = EXAMPLES / "python" / "watch.py"
    files = {"bin/watch-rs": program, "bin/watch.py": script, "lib/libsysgenid.so.0": shared_library(t.folder)}
    programs = {
        "rust": ["watch-rs"],
        "python": [f"/{PYTHON.resolve().relative_to('/')}", "-I", "-S", "/bin/watch.py"],
    }
    vm = t.boot(insmod="", extra=with_files(t.initrd(), files | python(script)))
    for name, command in programs.items():
        vm.spawn(name, *command)
        vm.wait_output(name, r"\Ageneration 0, current\n\Z", limit=60)
    state = vm.snapshot()
    vm.close()
    with t.cloned(state) as clone:
        for name in programs:
            told = r"\Ageneration 0, current\ngeneration 0, changed\ngeneration 1, current\n\Z"
            clone.wait_output(name, told, limit=60)
    with t.cloned(state, "same") as same:
        assert same.run("sysgenidctl", "wait", "--timeout", "0.5").code == 5
        for name in programs:
            assert same.out(name).out == "generation 0, current\n", "there was nothing to be told"


@vmtest("bookworm-cloud", quick=True)
def rust_declares_what_the_header_does(t: Context) -> None:
    """Sizes, offsets, constants; and every function that the library exports."""
    c = t.folder / "layout-c"
    run_tool(["gcc", "-Wall", "-Werror", *INCLUDES, "-o", c, BINDINGS / "layout.c"], 60, "compiling layout.c")
    theirs = run_tool([c], 30, "layout.c").splitlines()
    ours = run_tool([rust(BINDINGS / "layout.rs", static_library(t.folder), t.folder)], 30, "layout.rs").splitlines()
    assert ours == theirs, f"Rust: {[*{*ours} - {*theirs}]}, C: {[*{*theirs} - {*ours}]}"
    declared = re.findall(r"pub fn (\w+)\(", (EXAMPLES / "rust" / "sysgenid_sys.rs").read_text("utf-8"))
    exported = re.findall(r"^\t(sysgenid_\w+);$", MAP.read_text("ascii"), re.MULTILINE)
    assert sorted(declared) == sorted(exported), {*declared} ^ {*exported}
