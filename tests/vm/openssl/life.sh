#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in a root with the packages installed: what enabling, disabling, refusing and removing leave of openssl.cnf.
# With "i386", also with the libcrypto of another architecture.
set -eu
cnf=/etc/ssl/openssl.cnf
provider=sysgenid-openssl-provider
cp -p $cnf /tmp/before

fail()
{
	echo "FAIL: $*" >&2
	cat /tmp/said >&2
	exit 1
}

# said PATTERN COMMAND...: the command's output has this.
said()
{
	pattern=$1
	shift
	"$@" >/tmp/said 2>&1 || :
	grep -q -- "$pattern" /tmp/said || fail "$* did not say: $pattern"
}

# refused PATTERN [FILE]: enabling fails, says why, and leaves the file and nothing else behind.
refused()
{
	file=${2:-$cnf}
	cp -p "$file" /tmp/kept
	sysgenidctl openssl enable --config "$file" >/tmp/said 2>&1 && fail "enabled"
	grep -q -- "$1" /tmp/said || fail "not said: $1"
	cmp "$file" /tmp/kept
	[ "$(find "$(dirname "$file")" -name '*.sysgenid-*')" = '' ] || fail 'a file is left behind'
}

as_before()
{
	cmp $cnf /tmp/before
	[ "$(stat -c '%a %u %g' $cnf)" = "$(stat -c '%a %u %g' /tmp/before)" ]
	said ': disabled' sysgenidctl openssl status
}

# Not by its installation.
as_before

sysgenidctl openssl enable
said ': enabled' sysgenidctl openssl status
said 'libcrypto.so.3: draws from SYSGENID-DRBG' sysgenidctl openssl status
said 'SYSGENID-DRBG' openssl list -random-generators
[ "$(openssl rand -hex 16 | wc -c)" = 33 ]
sysgenidctl openssl enable
sysgenidctl openssl verify
said ': enabled' sysgenidctl openssl status
sysgenidctl openssl disable
as_before

# A last line without an end, and a link, stay what they are.
mkdir /tmp/etc
printf 'openssl_conf = init\n[init]' >/tmp/etc/real.cnf
cp /tmp/etc/real.cnf /tmp/real
ln -s etc/real.cnf /tmp/link.cnf
sysgenidctl openssl enable --config /tmp/link.cnf
said 'SYSGENID-DRBG' env OPENSSL_CONF=/tmp/link.cnf openssl list -random-generators
sysgenidctl openssl disable --config /tmp/link.cnf
cmp /tmp/etc/real.cnf /tmp/real
[ -L /tmp/link.cnf ]

printf 'openssl_conf = init\n[init]\nproviders = list\n[list]\nfips = fips_section\nbase = base_section\n' >/tmp/etc/fips.cnf
refused fips /tmp/etc/fips.cnf

# No room for another file.
mkdir /tmp/full
mount -t tmpfs -o size=16k full /tmp/full
cp $cnf /tmp/full/openssl.cnf
head -c 100k /dev/zero >/tmp/full/filler 2>/dev/null || :
refused 'No space' /tmp/full/openssl.cnf
umount /tmp/full

# A libcrypto that reads the same file, and does not look where the provider is.
LC_ALL=C sed 's#/ossl-modules#/ossl-elsewhr#g' /usr/lib/x86_64-linux-gnu/libcrypto.so.3 >/tmp/libcrypto.so.3
cp /tmp/libcrypto.so.3 /usr/local/lib/
refused '/usr/local/lib/libcrypto.so.3 draws nothing'
rm /usr/local/lib/libcrypto.so.3

# The same, come later: whatever installs a library pulls this trigger.
sysgenidctl openssl enable
cp /tmp/libcrypto.so.3 /usr/local/lib/
said 'problem  openssl: .*1 libcrypto draws nothing' sysgenidctl doctor
dpkg-trigger --by-package=libc-bin --no-await ldconfig
said 'DISABLED: /etc/ssl/openssl.cnf' dpkg --triggers-only -a
as_before
rm /usr/local/lib/libcrypto.so.3
ldconfig

if [ "${1:-}" = i386 ]; then
	dpkg --add-architecture i386
	# Mirrors may have the updates of one architecture a day later than those of the other; any version will do, then.
	apt-get update -q || :
	(cd /tmp && apt-get download libssl3:i386 && dpkg-deb --extract libssl3_*_i386.deb i386)
	sysgenidctl openssl enable
	mv /tmp/i386/usr/lib/i386-linux-gnu/libcrypto.so.3 /usr/local/lib/
	dpkg-trigger --by-package=libc-bin --no-await ldconfig
	said 'DISABLED: /etc/ssl/openssl.cnf' dpkg --triggers-only -a
	as_before
	refused '/usr/local/lib/libcrypto.so.3.*of an architecture that'
	rm /usr/local/lib/libcrypto.so.3
	ldconfig
fi

# Without the provider nobody would draw anything: it stays while it is named, and it is not when it goes.
sysgenidctl openssl enable
cp $cnf /tmp/enabled
sed -i '/sysgenid: end/d' $cnf
said 'by hand' dpkg --remove $provider
said 'install ok installed' dpkg-query -W -f "\${Status}" $provider
[ "$(openssl rand -hex 16 | wc -c)" = 33 ]
cp /tmp/enabled $cnf
dpkg --remove $provider
cmp $cnf /tmp/before
[ "$(openssl rand -hex 16 | wc -c)" = 33 ]
echo 'all is well'
