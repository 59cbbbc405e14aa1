# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What the hooks of this directory share. sysgenid-hooks(7) describes each of them.
set -eu
# The overseer's is tight; who wants less says so.
umask 022
hook=${0##*/}

say()
{
	echo "$hook: $*" >&2
}

fail()
{
	say "$*"
	exit 1
}

# shellcheck source=/dev/null
[ ! -e /etc/sysgenid/hooks.conf ] || . /etc/sysgenid/hooks.conf

# renew FILE: put standard input, if there is any, in its place at once, with its owner and mode; below a mount, into it.
renew()
{
	aside=$1.sysgenid
	(umask 077 && cat >"$aside") && [ -s "$aside" ] && chown --reference="$1" "$aside" && chmod --reference="$1" "$aside" ||
		return 1
	if mountpoint -q "$1"; then
		cat "$aside" >"$1" && rm "$aside"
	else
		mv "$aside" "$1"
	fi
}

# reload UNIT...: those that run read what has changed.
reload()
{
	for unit; do
		! systemctl --quiet is-active "$unit" || systemctl reload-or-restart "$unit" ||
			fail "$unit does not take what is new: see \"systemctl status $unit\""
	done
}
