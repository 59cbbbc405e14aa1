#!/bin/sh
# SPDX-License-Identifier: MIT
# One compiler call without a build system makes a static program, as test
# images need it. Also for 32 bits, where the compiler can.
# usage: plain.sh COMPILER SOURCE_ROOT MODE
set -eu
cd "$2"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
m=
if [ "$3" = 32 ]; then
	m=-m32
	printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' >"$dir/try.c"
	if ! "$1" -m32 -static "$dir/try.c" -o "$dir/try" 2>/dev/null || ! "$dir/try"; then
		echo "$1 -m32 does not work here"
		exit 77
	fi
fi
"$1" $m -Iinclude -Imodule/uapi -fsyntax-only tests/unit/layout.c
for flags in -O0 -O2; do
	"$1" $m $flags -static -Iinclude -Imodule/uapi \
		tests/unit/changed.c tests/unit/twin.c lib/*.c -o "$dir/changed"
	"$dir/changed"
done
tools=$(find tools -name "*.c" ! -name filter.c)
# shellcheck disable=SC2086 # a list of files
"$1" $m -static -Iinclude -Imodule/uapi $tools lib/*.c -o "$dir/sysgenidctl"
"$dir/sysgenidctl" --version
