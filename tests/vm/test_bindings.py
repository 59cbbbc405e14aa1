# SPDX-License-Identifier: MIT
"""The bindings, on a real module and in clones."""

import re
from collections.abc import Iterable
from pathlib import Path

from vmlib import VM, Context, consumers, vmtest
from vmlib.extras import with_files
from vmlib.limits import run_tool
from vmlib.qemu import Guid
from vmlib.repo import TOP

INCLUDES = [f"-I{TOP / name}" for name in ("include", "module/uapi")]
SOURCES = sorted((TOP / "lib").glob("*.c"))
MAP = TOP / "lib" / "libsysgenid.map"
BINDINGS = TOP / "tests" / "bindings"
PYTHON_BINDING = TOP / "bindings" / "python"
RUST_BINDING = TOP / "bindings" / "rust"
NODE_BINDING = TOP / "bindings" / "node"
JAVA_BINDING = TOP / "bindings" / "java"
PYTHON = Path("/usr/bin/python3")
INSTALL = """
set -e
cp -R /mnt/node /usr/local/lib/sysgenid-node
javac --release 17 -d /usr/local/lib/sysgenid-java /mnt/java/*.java
"""
RESEED = {
    "node": "node /usr/local/lib/sysgenid-node/examples/reseed.js",
    "java": "java -Xshare:auto -XX:TieredStopAtLevel=1 -cp /usr/local/lib/sysgenid-java Reseed",
}
ID = r"^[0-9a-f]{16}$"
SLOW = 300.0


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


def rustc(*options: str | Path) -> None:
    run_tool(["rustc", "--edition", "2021", "-O", "-D", "warnings", *options], 120, f"compiling {options[-1]}")


def rust(source: Path, library: Path, folder: Path) -> Path:
    """The static program, with both crates; nothing but rustc makes it."""
    crates = RUST_BINDING / "sysgenid-sys", RUST_BINDING / "sysgenid"
    out = ["-L", folder, "--out-dir", folder]
    for crate in crates:
        name = crate.name.replace("-", "_")
        rustc(*out, "--crate-type", "rlib", "--crate-name", name, crate / "src" / "lib.rs")
        out += ["--extern", name]
    link = ["-L", f"native={library.parent}", "-l", "static=sysgenid"]
    rustc(*out, "-C", "target-feature=+crt-static", "-C", "strip=symbols", *link, source)
    return folder / source.stem


def go(example: str, folder: Path) -> Path:
    """The static program."""
    program = folder / f"{example}-go"
    environment = ["CGO_ENABLED=0", "GO111MODULE=on", "GOPROXY=off"]
    module = TOP / "bindings" / "go"
    run_tool(["env", "-C", module, *environment, "go", "build", "-o", program, f"./examples/{example}"], 300, "go build")
    return program


def libraries(files: Iterable[Path]) -> set[Path]:
    """What the dynamic linker loads for them."""
    return {Path(name) for file in files for name in re.findall(r"(/\S+) \(0x", run_tool(["ldd", file], 30, "ldd"))}


def python() -> dict[str, Path]:
    """Python and what the binding imports, by their paths in the guest."""
    imports = f"import sys; sys.path.append({str(PYTHON_BINDING)!r}); import sysgenid"
    show = "print(*{m.__file__ for m in [*sys.modules.values()] if getattr(m, '__file__', None)})"
    modules = run_tool([PYTHON, "-I", "-S", "-B", "-c", f"{imports}\n{show}"], 60, "python3").split()
    needed = {PYTHON.resolve(), *map(Path, modules)}
    needed |= libraries(path for path in needed if path.suffix != ".py")
    ours = {f"bin/{path.relative_to(PYTHON_BINDING)}": path for path in needed if path.is_relative_to(PYTHON_BINDING)}
    return {str(path)[1:]: path for path in needed if not path.is_relative_to(PYTHON_BINDING)} | ours


@vmtest("amd64", quick=True, timeout=240)
def bindings_watch_a_clone(t: Context) -> None:
    program = rust(RUST_BINDING / "sysgenid" / "examples" / "watch.rs", static_library(t.folder), t.folder)
    script = PYTHON_BINDING / "examples" / "watch.py"
    files = {"bin/watch-rs": program, "bin/watch.py": script, "lib/libsysgenid.so.0": shared_library(t.folder)}
    files["bin/watch-go"] = go("watch", t.folder)
    programs = {
        "go": ["watch-go"],
        "rust": ["watch-rs"],
        "python": [f"/{PYTHON.resolve().relative_to('/')}", "-B", "-S", "/bin/watch.py"],
    }
    vm = t.boot(insmod="", extra=with_files(t.initrd(), files | python()))
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


def drawn(vm: VM, name: str, count: int) -> list[str]:
    """The first ids of an example."""
    vm.wait_output(name, ID, SLOW, count=count)
    return re.findall(ID, vm.out(name).out, re.MULTILINE)


@vmtest("bookworm-cloud", cpus=2, timeout=3600, full_only=True)
def node_and_java_reseed_in_a_clone(t: Context) -> None:
    files = {f"node/{path.relative_to(NODE_BINDING)}": path for path in NODE_BINDING.rglob("*") if path.is_file()}
    files |= {f"java/{path.name}": path for folder in ("src", "examples") for path in (JAVA_BINDING / folder).rglob("*.java")}
    root = consumers.root(t).installed(packages=["--no-install-recommends", "openjdk-17-jdk-headless"])
    vm = consumers.boot(t, root.changed(INSTALL, files=files))
    for name, command in RESEED.items():
        assert vm.run("mkfifo", f"/tmp/{name}").ok
        vm.spawn(name, "sh", "-c", f"exec {command} <>/tmp/{name}")
        vm.write(f"/tmp/{name}", "\n")
    first = {name: drawn(vm, name, 1) for name in RESEED}
    state = vm.snapshot()
    vm.close()

    def ask(guid: Guid) -> dict[str, list[str]]:
        with t.cloned(state, guid) as clone:
            for name in RESEED:
                clone.write(f"/tmp/{name}", "\n" * 3)
            return {name: drawn(clone, name, 4) for name in RESEED}

    a, b, same, again = (ask(guid) for guid in ("auto", "auto", "same", "same"))
    for name in RESEED:
        assert a[name][:1] == b[name][:1] == same[name][:1] == first[name], name
        assert not set(a[name][1:]) & set(b[name][1:]), f"{name}: two clones drew {a[name]} and {b[name]}"
        # The control: without a new generation the generator goes on.
        assert same[name] == again[name], f"{name}: {same[name]} and {again[name]}"


@vmtest("bookworm-cloud", quick=True)
def rust_declares_what_the_header_does(t: Context) -> None:
    """Sizes, offsets, constants; and every function that the library exports."""
    c = t.folder / "layout-c"
    run_tool(["gcc", "-Wall", "-Werror", *INCLUDES, "-o", c, BINDINGS / "layout.c"], 60, "compiling layout.c")
    theirs = run_tool([c], 30, "layout.c").splitlines()
    ours = run_tool([rust(BINDINGS / "layout.rs", static_library(t.folder), t.folder)], 30, "layout.rs").splitlines()
    assert ours == theirs, f"Rust: {[*{*ours} - {*theirs}]}, C: {[*{*theirs} - {*ours}]}"
    declared = re.findall(r"pub fn (\w+)\(", (RUST_BINDING / "sysgenid-sys" / "src" / "lib.rs").read_text("utf-8"))
    exported = re.findall(r"^\t(sysgenid_\w+);$", MAP.read_text("ascii"), re.MULTILINE)
    assert sorted(declared) == sorted(exported), {*declared} ^ {*exported}
