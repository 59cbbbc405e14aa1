# SPDX-License-Identifier: MIT
"""Static programs with musl: the libraries that they need, which Debian has for glibc alone, and a build with meson."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import cache, guests, repo
from .apt import Apt, Sources
from .limits import ToolError, run_tool

# Upstream's sources by suite: not every mirror has all of them.
SOURCES = (("json-c", "bookworm"), ("check", "bookworm"), ("libinih", "trixie"))
# Its objects call nothing of glibc but to print messages for people, which the overseer never does.
MNL_SUITE = "trixie"

# Runs in a directory with those sources, each in one of its own. What json-c's own build system would find out about musl:
BUILD = r"""
set -e
to=$1
export CC=musl-gcc CFLAGS=-O1
mkdir -p $to/include/json-c $to/lib/pkgconfig
ln -s /usr/include/linux /usr/include/asm-generic $to/include
ln -s "$(dirname "$(echo '#include <asm/types.h>' | gcc -E - | sed -n 's/^# 1 "\(.*asm\/types.h\)".*/\1/p')")" $to/include/asm

cd json-c
for have in DLFCN_H ENDIAN_H FCNTL_H INTTYPES_H LIMITS_H LOCALE_H STDARG_H STDINT_H STDLIB_H STRINGS_H STRING_H SYSLOG_H \
	SYS_PARAM_H SYS_RANDOM_H SYS_RESOURCE_H SYS_STAT_H SYS_TYPES_H UNISTD_H ATOMIC_BUILTINS DECL_INFINITY DECL_ISINF \
	DECL_ISNAN DECL_NAN OPEN REALLOC SETLOCALE SNPRINTF STRCASECMP STRDUP STRERROR STRNCASECMP USELOCALE VASPRINTF \
	VPRINTF VSNPRINTF VSYSLOG GETRANDOM GETRUSAGE STRTOLL STRTOULL __THREAD; do
	echo "#define HAVE_$have 1"
done >config.h
printf '#define SIZEOF_%s __SIZEOF_%s__\n' INT INT LONG LONG LONG_LONG LONG_LONG SIZE_T SIZE_T SSIZE_T SIZE_T >>config.h
printf '#define SIZEOF_INT64_T 8\n#define SPEC___THREAD __thread\n#define STDC_HEADERS 1\n' >>config.h
echo '#define JSON_C_HAVE_INTTYPES_H 1' | tee json_config.h >>config.h
sed 's/@JSON_H_JSON_POINTER@/#include "json_pointer.h"/' json.h.cmakein >json.h
$CC $CFLAGS -D_GNU_SOURCE -w -c arraylist.c debug.c json_c_version.c json_object.c json_object_iterator.c json_pointer.c \
	json_tokener.c json_util.c json_visit.c linkhash.c printbuf.c random_seed.c strerror_override.c
ar rcs $to/lib/libjson-c.a *.o
mv config.h config.h.used
cp *.h $to/include/json-c

cd ../libinih
$CC $CFLAGS -c ini.c
ar rcs $to/lib/libinih.a ini.o
cp ini.h $to/include

cd ../check
./configure -q --host=x86_64-linux-musl --disable-shared --disable-subunit --disable-timeout-tests --disable-build-docs
make -s -C lib
make -s -C src libcheck.la
cp src/.libs/libcheck.a $to/lib
cp src/check.h check_stdint.h $to/include

cd ../libmnl
for unused in __fprintf_chk __ctype_b_loc; do objcopy --redefine-sym $unused=abort usr/lib/*/libmnl.a; done
cp usr/lib/*/libmnl.a $to/lib
cp -r usr/include/libmnl $to/include

pkgconfig() {
	printf 'Name: %s\nDescription: for musl\nVersion: 1\nLibs: -L%s/lib -l%s\nCflags: -isystem %s/include\n' \
		$1 '${pcfiledir}/../..' ${1#lib} '${pcfiledir}/../..' >$to/lib/pkgconfig/$1.pc
}
for library in json-c inih check libmnl; do pkgconfig $library; done
"""

MACHINE = """
[binaries]
c = 'musl-gcc'
[built-in options]
c_args = ['-isystem', '{prefix}/include']
c_link_args = ['-static']
default_library = 'static'
optimization = '0'
debug = false
pkg_config_path = ''
"""
OPTIONS = ("-Doverseer=enabled", "-Dsystemd=disabled", "-Dnftables=disabled", "-Dopenssl=disabled", "-Dcontainers=disabled", "-Dman=false")
OPTIONS += ("--prefix=/usr", "--libdir=lib")
# The programs of the build, and the directories that they are installed in.
PLACES = {
    "tools/sysgenidctl": "usr/bin",
    "overseer/sysgenid-overseer": "usr/sbin",
    "overseer/overseer-client": "usr/lib/sysgenid",
    "overseer/list-sessions": "usr/lib/sysgenid",
}


def prefix() -> Path:
    """The directory with the static libraries, their headers and those of the kernel."""

    def make(to: Path) -> list[str]:
        work = to / "work"
        for package, suite in SOURCES:
            apt = Sources(suite)
            apt.update()
            (work / package).mkdir(parents=True)
            run_tool(["tar", "-xf", apt.tarball(package, to), "-C", work / package, "--strip-components=1"], 60, f"unpacking {package}")
        apt = Apt(MNL_SUITE)
        apt.update()
        deb = apt.download("libmnl-dev", apt.show("libmnl-dev")["Version"], to)
        run_tool(["dpkg-deb", "-x", deb, work / "libmnl"], 60, "unpacking libmnl-dev")
        run_tool(["bash", "-c", BUILD, "build", to], 600, "building libraries with musl", cwd=work)
        shutil.rmtree(work)
        for path in (deb, *to.glob("*.orig.tar.*")):
            path.unlink()
        return [f"lib/lib{name}.a" for name in ("json-c", "inih", "check", "mnl")]

    musl = run_tool(["dpkg-query", "-W", "-f", "${Version}", "musl-dev"], 30, "the version of musl")
    recipe: cache.Recipe = {"sources": SOURCES, "libmnl": MNL_SUITE, "build": BUILD, "musl": musl}
    return cache.entry("musl", recipe, make)


def setup(build: Path) -> None:
    """Configure this tree in a directory, for static programs with musl, if it is not configured like that."""
    libraries = prefix()
    machine = build.with_name(f"{build.name}.ini")
    text = f"# {' '.join(OPTIONS)}{MACHINE.format(prefix=libraries)}"
    if (build / "build.ninja").exists() and machine.read_text("utf-8") == text:
        return
    shutil.rmtree(build, ignore_errors=True)
    build.parent.mkdir(parents=True, exist_ok=True)
    machine.write_text(text, "utf-8")
    # Not beside the libraries of the host: a native build would fall back on those.
    command = ["env", f"PKG_CONFIG_LIBDIR={libraries}/lib/pkgconfig", "meson", "setup", "--werror", f"--native-file={machine}"]
    run_tool([*command, *OPTIONS, build, repo.TOP], 120, "meson setup with musl-gcc")


def guest_program(source: Path) -> Path:
    """A static program of tests/guest, a directory, as vmlib.guests makes them with the other C library."""
    sources = sorted(source.glob("*.c"))
    recipe: cache.Recipe = {
        "sources": cache.tree_hash(repo.TOP, {*sources, *source.glob("*.h"), *guests.headers(repo.TOP)}),
        "flags": guests.FLAGS,
        "prefix": str(prefix()),
    }

    def make(to: Path) -> list[str]:
        include = [f"-I{repo.TOP / name}" for name in guests.FOLDERS]
        command = ["musl-gcc", "-isystem", prefix() / "include", *guests.FLAGS, *include, "-o", to / "program", *sources]
        run_tool(command, guests.COMPILE_LIMIT, f"compiling {source.name} with musl")
        return ["program"]

    return cache.entry("musl-program", recipe, make) / "program"


def is_static(program: Path) -> bool:
    return "INTERP" not in run_tool(["readelf", "-lW", program], 30, "readelf")


def programs(build: Path) -> dict[str, Path]:
    """Those of this tree, static, by the path that they are installed in; built in this directory."""
    with cache.locked("musl-build"):
        setup(build)
        run_tool(["ninja", "-C", build, *PLACES], 300, "building with musl")
    for name in PLACES:
        if not is_static(build / name):
            raise ToolError(f"{name} is not static")
    return {f"{place}/{Path(name).name}": build / name for name, place in PLACES.items()}
