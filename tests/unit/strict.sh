#!/bin/sh
# SPDX-License-Identifier: MIT
# Library and tools compile without a warning, whatever the build's options.
# usage: strict.sh COMPILER SOURCE_ROOT
set -eu
cd "$2"
for source in lib/*.c tools/*.c; do
	for flags in '-O0' '-O2' '-O2 -D_FILE_OFFSET_BITS=64 -D_FORTIFY_SOURCE=2'; do
		# shellcheck disable=SC2086
		"$1" -std=c11 $flags -Wall -Wextra -Wconversion -Wshadow -Wvla \
			-Wmissing-prototypes -Wstrict-prototypes -Werror \
			-Iinclude -Imodule/uapi -c -o /dev/null "$source"
	done
done
