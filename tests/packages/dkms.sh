#!/bin/sh
# SPDX-License-Identifier: MIT
# In a root with dkms and the headers of one kernel: what the package, and the source tree, do with this and with
# stranger kernels. /mnt has the packages, and the tree in source/.
set -eu

fail()
{
	echo "FAILED: $*"
	exit 1
}

# fake KERNEL: headers that build nothing.
fake()
{
	mkdir -p "/lib/modules/$1/build/include"
	printf '%%:\n\t@echo this is a strange kernel\n\t@false\n' >"/lib/modules/$1/build/Makefile"
}

# built KERNEL VERSION: the module is there, and is what the device asks for.
built()
{
	version=$(modinfo -k "$1" -F version sysgenid) || fail "no module for $1"
	[ "$version" = "$2" ] || fail "the module for $1 has version $version, not $2"
	for id in VM_GEN_COUNTER VMGENCTR; do
		grep -q "^alias acpi\*:$id:\* sysgenid$" "/lib/modules/$1/modules.alias" || fail "no alias $id for $1"
	done
}

kernel=$(basename /lib/modules/*)
version=$(cat /mnt/source/VERSION)
# Too old, or without ACPI and devicetree: nothing is built. Strange, and in front of the real one, which must get its module all the same.
old=4.19.0-old strange=5.99.0-strange no_acpi=6.99.0-no-acpi
fake "$old"
fake "$strange"
fake "$no_acpi"
echo '# CONFIG_ACPI is not set' >"/lib/modules/$no_acpi/build/.config"

cd /mnt
dpkg -i sysgenid-common_*.deb sysgenid-dkms_*.deb >/tmp/log 2>&1 || fail "dpkg: $(cat /tmp/log)"
cat /tmp/log
for package in sysgenid-common sysgenid-dkms; do
	status=$(dpkg-query -W -f '${Status}' $package)
	[ "$status" = 'install ok installed' ] || fail "$package: $status"
done
getent group sysgenid >/dev/null || fail 'no group sysgenid'
built "$kernel" "$version"
grep -q "^sysgenid-dkms: no module for kernel $strange, .*: dkms autoinstall -k $strange$" /tmp/log ||
	fail "not a word of $strange"
for none in "$old" "$strange" "$no_acpi"; do
	[ ! -e "/lib/modules/$none/updates" ] || fail "there is a module for $none"
done
# A kernel that is left out on purpose is no failure for dkms either.
for out in "$old" "$no_acpi"; do
	status=0
	dkms build "sysgenid/$version" -k "$out" >/tmp/log 2>&1 || status=$?
	[ "$status" = 77 ] || fail "$out: dkms says $status: $(cat /tmp/log)"
done

dpkg -P sysgenid-dkms sysgenid-common >/tmp/log 2>&1 || fail "purge: $(cat /tmp/log)"
left=$(find /lib/modules /var/lib/dkms /usr/src /etc /usr/lib/udev /usr/share \( -name '*sysgenid*' -o -path '*/updates' \))
[ -z "$left" ] || fail "left behind: $left"

cp -r source /opt/sysgenid
cd /opt/sysgenid
dkms add . >/tmp/log 2>&1 || fail "dkms add .: $(cat /tmp/log)"
dkms install "sysgenid/$version" -k "$kernel" >/tmp/log 2>&1 || fail "dkms install: $(cat /tmp/log)"
built "$kernel" "$version"
