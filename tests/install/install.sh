#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs into an empty directory. Builds programs in C and C++ there with
# pkg-config alone, against the shared and the static library.
# usage: install.sh BUILD_FOLDER THIS_FOLDER
set -eu
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT
DESTDIR=$dest meson install -C "$1" --no-rebuild >"$dest/log" 2>&1 || { cat "$dest/log"; exit 1; }

pc=$(find "$dest" -name libsysgenid.pc)
lib=$(dirname "$(find "$dest" -name libsysgenid.so)")
[ -f "$lib/libsysgenid.so.0" ] && [ -f "$lib/libsysgenid.a" ]
[ -f "$(find "$dest" -name abi.h -path '*/sysgenid/*')" ]

# The places in the .pc file are those after the move from DESTDIR.
PKG_CONFIG_LIBDIR=$(dirname "$pc")
PKG_CONFIG_SYSROOT_DIR=$dest
export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR

grep -q '^Cflags:.*-D' "$pc" && { echo "the .pc file defines macros"; exit 1; }

build()
{
	compiler=$1 language=$2 standard=$3 link=$4
	command -v "$compiler" >/dev/null || return 0
	what="$compiler -std=$standard $link"
	static=
	[ "$link" = static ] && static=-static
	# shellcheck disable=SC2046,SC2086
	"$compiler" -x "$language" "-std=$standard" -Wall -Wextra -Wpedantic -Werror $static \
		$(pkg-config --cflags libsysgenid) "$2.src" -x none \
		$(pkg-config ${static:+--static} --libs libsysgenid) -o program
	if [ "$link" = shared ]; then
		readelf -d program | grep -q 'NEEDED.*\[libsysgenid\.so\.0\]' || { echo "$what: soname"; exit 1; }
		readelf -V program | grep -q 'LIBSYSGENID_0\.1' || { echo "$what: no symbol version"; exit 1; }
	else
		! readelf -d program | grep -q NEEDED || { echo "$what: not static"; exit 1; }
	fi
	LD_LIBRARY_PATH=$lib ./program | grep -qx works || { echo "$what: does not work"; exit 1; }
	echo "$what: works"
}

cd "$dest"
cp "$2/program.c" c.src
cp "$2/program.c" c++.src
for link in shared static; do
	for compiler in gcc clang; do
		build "$compiler" c c99 "$link"
		build "$compiler" c c11 "$link"
	done
	for compiler in g++ clang++; do
		build "$compiler" c++ c++98 "$link"
		build "$compiler" c++ c++20 "$link"
	done
done

# Each name that a page has leads to a page.
lost=$(find "$dest" -path '*/man/*' -xtype l)
[ -z "$lost" ] || { echo "leads nowhere: $lost"; exit 1; }
