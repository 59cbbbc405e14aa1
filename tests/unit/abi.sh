#!/bin/sh
# SPDX-License-Identifier: MIT
# The shared library still is what lib/libsysgenid.abi says: programs that were
# linked before go on to work. So do those that were linked with an earlier
# version, lib/libsysgenid-VERSION.abi. What was added must be recorded, too:
#
#	tests/unit/abi.sh record build/lib/libsysgenid.so .
#
# usage: abi.sh check|record LIBRARY SOURCE_ROOT
set -eu
library=$2 root=$3
record=$root/lib/libsysgenid.abi private=$root/lib/libsysgenid.suppr

fail()
{
	echo "$1"
	exit 1
}

# Without these, nothing would be compared, and nothing found.
command -v abidw >/dev/null || fail 'no abidw; install abigail-tools'
command -v abidiff >/dev/null || fail 'no abidiff; install abigail-tools'
readelf -S "$library" | grep -qw '\.debug_info' || fail "$library has no debug information; build with -g"

functions()
{
	sed -n 's/^\t\(sysgenid_[a-z_]*\);$/\1/p' "$root/lib/libsysgenid.map"
}

case $1 in
record)
	abidw --suppressions "$private" --no-comp-dir-path --no-corpus-path --no-show-locs \
		--type-id-style hash "$library" |
		sed '1a<!-- SPDX-License-Identifier: MIT -->' >"$record.new"
	mv "$record.new" "$record"
	;;
check)
	[ -s "$record" ] || fail "there is no $record"
	# Added symbols alone do no harm; anything else is a change.
	status=0
	for known in "$record" "$root"/lib/libsysgenid-*.abi; do
		abidiff --no-added-syms --suppressions "$private" "$known" "$library" || status=$?
		[ "$status" = 0 ] || fail "the ABI is not that of $known (abidiff: $status)"
	done
	;;
*)
	fail 'check or record?'
	;;
esac

n=0
for function in $(functions); do
	grep -q "<function-decl name='$function' .*elf-symbol-id='$function@@LIBSYSGENID" "$record" ||
		fail "$function is not recorded with its signature; see the head of abi.sh"
	n=$((n + 1))
done
[ "$n" -ge 17 ] || fail "only $n functions in the version script"
echo "$n functions"
