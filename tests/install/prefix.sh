#!/bin/sh
# SPDX-License-Identifier: MIT
# Where things would be installed: with a prefix of one's own all stays below it, so that a user can install there.
# usage: prefix.sh SOURCE_FOLDER
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# places PREFIX OPTION...: the path of each file that "meson install" would write.
places()
{
	prefix=$1
	shift
	rm -rf "$work/build"
	meson setup --prefix="$prefix" "$@" "$work/build" "$source" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
	python3 -c '
import json, subprocess, sys
print(*json.loads(subprocess.check_output(["meson", "introspect", "--installed", sys.argv[1]])).values(), sep="\n")' \
		"$work/build" >"$work/places"
	[ "$(wc -l <"$work/places")" -ge 3 ] || { echo "$prefix: nothing is installed"; exit 1; }
}

source=$1
places "$work/own" -Dtests=false -Doverseer=auto
if grep -v "^$work/own/" "$work/places"; then
	echo 'that is not below the prefix'
	exit 1
fi
grep -q "^$work/own/lib/udev/rules.d/60-sysgenid.rules$" "$work/places"

for prefix in /usr /usr/local; do
	places $prefix -Dtests=false
	grep -qx /usr/lib/udev/rules.d/60-sysgenid.rules "$work/places" || { echo "$prefix: no rule where udev looks"; exit 1; }
done

# The library alone, as the README has it.
places "$work/own" -Dtests=false -Dtools=false -Dman=false -Dopenssl=disabled
if grep -Ev 'libsysgenid|sysgenid\.h|sysgenid/abi\.h' "$work/places"; then
	echo 'that is not of the library'
	exit 1
fi
