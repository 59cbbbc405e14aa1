#!/bin/sh
# SPDX-License-Identifier: MIT
# The README's first program links and runs by the README's commands, with what an installation has.
# usage: readme.sh BUILD_DIRECTORY SOURCE_ROOT
set -eu
build=$1 readme=$2/README.md
[ -e "$readme" ] || exit 77
if [ -e /dev/sysgenid ] || ! unshare --user true 2>/dev/null; then
	echo 'no simulation here'
	exit 77
fi
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT
DESTDIR=$dest meson install -C "$build" --no-rebuild >"$dest/log" 2>&1 || { cat "$dest/log"; exit 1; }

PKG_CONFIG_LIBDIR=$(dirname "$(find "$dest" -name libsysgenid.pc)")
PKG_CONFIG_SYSROOT_DIR=$dest
LD_LIBRARY_PATH=$(dirname "$(find "$dest" -name libsysgenid.so)")
PATH=$(dirname "$(find "$dest" -name sysgenidctl -path '*/bin/*')"):$PATH
export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR LD_LIBRARY_PATH PATH

cd "$dest"
sed -n '/^## A first program$/,/^## /p' "$readme" >section
# shellcheck disable=SC2016 # the fence of a block, no command
sed -n '/^```c$/,/^```$/{/^```/d;p}' section >ids.c
# The first two commands after the program; what follows is for a machine with a device.
sed '1,/^```$/d' section | sed -n 's/^    //p' | head -n 2 >commands
[ "$(wc -l <commands)" = 2 ] || { echo 'the README has no commands'; exit 1; }
timeout 60 sh -e commands >said || { cat said; exit 1; }
cat said
grep -qx 'seeded in generation 0' said
grep -qx 'seeded in generation 1' said
ids=$(grep -cE '^[0-9a-f]{16}$' said)
[ "$ids" = 4 ] && [ "$(grep -E '^[0-9a-f]{16}$' said | sort -u | wc -l)" = 4 ]
