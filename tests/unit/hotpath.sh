#!/bin/sh
# SPDX-License-Identifier: MIT
# What the compiler makes of the check: at most 14 instructions, no call, no
# branch, no lock prefix, no fence. On arm64, the acquire loads are there.
# usage: hotpath.sh COMPILER SOURCE_ROOT [aarch64]
set -eu
cd "$2"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/f.c" <<'END'
#include <sysgenid.h>
bool f(const struct sysgenid_view *v, uint32_t seen);
bool f(const struct sysgenid_view *v, uint32_t seen)
{
	return sysgenid_changed(v, seen);
}
END

fail()
{
	echo "$1"
	cat "$dir/code"
	exit 1
}

if [ "${3-}" = aarch64 ]; then
	# Only headers without machine code are needed, so this machine's do.
	if ! "$1" --target=aarch64-linux-gnu -ffreestanding -O2 -Iinclude -Imodule/uapi \
		-idirafter "/usr/include/$(uname -m)-linux-gnu" -S "$dir/f.c" -o "$dir/code" 2>"$dir/why"; then
		cat "$dir/why"
		exit 77
	fi
	n=$(grep -cwE 'ldar|ldapr' "$dir/code" || :)
	[ "$n" = 5 ] || fail "$n acquire loads, not 5"
	! grep -wE 'bl|blr|dmb|dsb|isb|b\.[a-z]+|cbz|cbnz|tbz|tbnz' "$dir/code" || fail "call, branch or fence"
	echo "5 acquire loads"
	exit 0
fi

for flags in '-O2' '-O2 -fPIC' '-O3' '-Os'; do
	# shellcheck disable=SC2086
	"$1" $flags -fcf-protection=none -Iinclude -Imodule/uapi -c "$dir/f.c" -o "$dir/f.o"
	objdump -d --no-show-raw-insn "$dir/f.o" >"$dir/code"
	sed -n 's/^ *[0-9a-f]*:[[:space:]]*//p' "$dir/code" | sed '/^ret/,$d' >"$dir/before"
	sed -n 's/^ *[0-9a-f]*:[[:space:]]*//p' "$dir/code" | grep -q '^ret' || fail "no return"
	! grep -E '^(call|j[a-z]+|loop|lock|xchg|[lms]fence|cpuid|rep)' "$dir/before" || fail "call, branch, lock or fence"
	n=$(wc -l <"$dir/before")
	[ "$n" -ge 8 ] || fail "only $n instructions: not the whole check"
	# Not what was promised, but worth knowing.
	case $flags in
	-Os) ;;
	*) [ "$n" -le 14 ] || fail "$n instructions" ;;
	esac
	echo "$1 $flags: $n instructions before the return"
done
