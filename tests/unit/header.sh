#!/bin/sh
# SPDX-License-Identifier: MIT
# The public header, alone, as one language standard.
# usage: header.sh COMPILER LANGUAGE STANDARD SOURCE_ROOT
set -eu
cd "$4"
for flags in -O0 -O2; do
	printf '#include <sysgenid.h>\n#include <sysgenid.h>\n%s\n' \
		'bool f(const struct sysgenid_view *v); bool f(const struct sysgenid_view *v) { return sysgenid_changed(v, 1); }' |
		"$1" -x "$2" "-std=$3" $flags -Wall -Wextra -Wpedantic -Wconversion \
			-Werror -Iinclude -Imodule/uapi -S -o /dev/null -
done
# And as itself, without the leniency towards what is included.
"$1" -x "$2" "-std=$3" -Wall -Wextra -Wpedantic -Wno-unused-function -Werror \
	-Iinclude -Imodule/uapi -fsyntax-only include/sysgenid.h
