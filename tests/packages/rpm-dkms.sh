#!/bin/bash
# SPDX-License-Identifier: MIT
# The life of the package sysgenid-dkms: installed, replaced by other releases and versions, and erased, by rpm and dkms.
# In a root with rpm, dkms and the headers of one kernel; /mnt has the packages. A line per check.
# usage: rpm-dkms.sh VERSION NEXT_VERSION SPOILT_VERSION
set -u
version=$1 next=$2 spoilt=$3
kernel=$(ls /lib/modules)
ko=/lib/modules/$kernel/updates/dkms/sysgenid.ko

check() {
	local what=$1
	shift
	if "$@" >/tmp/check 2>&1; then
		echo "ok   $what"
	else
		echo "FAIL $what"
		sed 's/^/    | /' /tmp/check
	fi
}

# rpm fails if a scriptlet does.
do_rpm() {
	local status=0
	rpm --nodeps "$@" >/tmp/rpm.log 2>&1 || status=$?
	cat /tmp/rpm.log
	! grep -E 'scriptlet failed|warning: %' /tmp/rpm.log && return $status
}

installed() {
	modinfo -F version "$ko" && [ "$(modinfo -F version "$ko")" = "$1" ] &&
		[ "$(modinfo -F vermagic "$ko" | cut -d ' ' -f 1)" = "$kernel" ]
}
signed() { [ "$(modinfo -F signer "$ko")" = 'DKMS module signing key' ]; }
alone() { [ "$(dkms status sysgenid | sed 's/,.*//')" = "sysgenid/$1" ]; }
of_release() { [ "$(modinfo -F release "$ko")" = "$1" ]; }
says() { grep -- "$1" /tmp/rpm.log; }
nothing() {
	local left
	left=$(find / -xdev -name '*sysgenid*' ! -path '/tmp/*' ! -path '/mnt/*' ! -path '/proc/*')
	echo "$left"
	[ -z "$left" ] && ! rpm -qa | grep sysgenid
}

check 'nothing is there before' nothing
check 'install' do_rpm -i "/mnt/sysgenid-dkms-$version-1.noarch.rpm"
check 'built and installed for the kernel' installed "$version"
check 'signed with the key of dkms' signed
check 'another release of the same version' do_rpm -U "/mnt/sysgenid-dkms-$version-2.noarch.rpm"
check 'it was built anew' of_release 2
check 'and survives the removal of the old release' installed "$version"
check 'upgrade' do_rpm -U "/mnt/sysgenid-dkms-$next-1.noarch.rpm"
check 'the new version is installed' installed "$next"
check 'the old one is gone' alone "$next"
check 'an upgrade that does not build' do_rpm -U "/mnt/sysgenid-dkms-$spoilt-1.noarch.rpm"
check 'says so, and what to do' says "no module for kernel $kernel.*dkms autoinstall -k $kernel"
check 'erase' do_rpm -e sysgenid-dkms
check 'nothing is left' nothing
check 'install where it does not build' do_rpm -i "/mnt/sysgenid-dkms-$spoilt-1.noarch.rpm"
check 'erase that' do_rpm -e sysgenid-dkms
mv /usr/sbin/dkms /usr/sbin/no-dkms
check 'install without dkms' do_rpm -i "/mnt/sysgenid-dkms-$version-1.noarch.rpm"
check 'erase without dkms' do_rpm -e sysgenid-dkms
check 'nothing is left of all that' nothing
