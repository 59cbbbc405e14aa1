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
[ "$(head -n 1 $cnf)" = '.include /usr/share/sysgenid/openssl.cnf' ]
tail -n +2 $cnf | cmp - /tmp/before
# Another provider's directory is no reason to draw nothing.
said 'SYSGENID-DRBG' env OPENSSL_MODULES=/nonexistent openssl list -random-generators
[ "$(OPENSSL_MODULES=/nonexistent openssl rand -hex 16 | wc -c)" = 33 ]
[ "$(openssl rand -hex 16 | wc -c)" = 33 ]
sysgenidctl openssl enable
sysgenidctl openssl verify
said ': enabled' sysgenidctl openssl status
sysgenidctl openssl disable
as_before

# A last line without an end, and a link, stay what they are.
mkdir /tmp/etc
printf 'openssl_conf = openssl_init\n[openssl_init]' >/tmp/etc/real.cnf
cp /tmp/etc/real.cnf /tmp/real
ln -s etc/real.cnf /tmp/link.cnf
sysgenidctl openssl enable --config /tmp/link.cnf
said 'SYSGENID-DRBG' env OPENSSL_CONF=/tmp/link.cnf openssl list -random-generators
sysgenidctl openssl disable --config /tmp/link.cnf
cmp /tmp/etc/real.cnf /tmp/real
[ -L /tmp/link.cnf ]

printf 'openssl_conf = openssl_init\n[provider_sect]\nfips = fips_section\nbase = base_section\n' >/tmp/etc/fips.cnf
refused fips /tmp/etc/fips.cnf

# No room for another file.
mkdir /tmp/full
mount -t tmpfs -o size=16k full /tmp/full
cp $cnf /tmp/full/openssl.cnf
head -c 100k /dev/zero >/tmp/full/filler 2>/dev/null || :
refused 'No space' /tmp/full/openssl.cnf
umount /tmp/full

# The caller's environment is not everybody's.
sed 's#^module = .*#module = sysgenid.so#' /usr/share/sysgenid/openssl.cnf >/tmp/included
cp -p /usr/share/sysgenid/openssl.cnf /tmp/shipped
cp /tmp/included /usr/share/sysgenid/openssl.cnf
mkdir /tmp/modules
cp /usr/lib/x86_64-linux-gnu/ossl-modules/sysgenid.so /tmp/modules/
mv /usr/lib/x86_64-linux-gnu/ossl-modules /usr/lib/x86_64-linux-gnu/ossl-modules.away
export OPENSSL_MODULES=/tmp/modules
refused 'draws nothing'
unset OPENSSL_MODULES
mv /usr/lib/x86_64-linux-gnu/ossl-modules.away /usr/lib/x86_64-linux-gnu/ossl-modules
cp -p /tmp/shipped /usr/share/sysgenid/openssl.cnf

# A libcrypto that reads the same file, and does not load providers any more.
LC_ALL=C sed 's#OSSL_provider_init#OSSL_provider_inix#g' /usr/lib/x86_64-linux-gnu/libcrypto.so.3 >/tmp/libcrypto.so.3
cp /tmp/libcrypto.so.3 /usr/local/lib/
refused '/usr/local/lib/libcrypto.so.3 draws nothing'
rm /usr/local/lib/libcrypto.so.3

# The same, come later: whatever installs a library pulls this trigger.
sysgenidctl openssl enable
cp /tmp/libcrypto.so.3 /usr/local/lib/
said 'problem  openssl: .*1 libcrypto draws nothing' sysgenidctl doctor
dpkg-trigger --by-package=libc-bin --no-await ldconfig
cp $cnf /tmp/enabled
said 'sysgenidctl openssl disable' dpkg --triggers-only -a
cmp $cnf /tmp/enabled
sysgenidctl openssl disable
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
	said 'of an architecture that' dpkg --triggers-only -a
	sysgenidctl openssl disable
	as_before
	refused '/usr/local/lib/libcrypto.so.3.*of an architecture that'
	rm /usr/local/lib/libcrypto.so.3
	ldconfig
fi

# What an early version left goes on to work, is renewed, and is not left behind.
sysgenidctl openssl disable
{
	cat /tmp/before
	echo '# sysgenid: begin. "sysgenidctl openssl disable" takes this out.'
	printf '[ openssl_init ]\nproviders = sysgenid_providers\nrandom = sysgenid_random\n[ sysgenid_providers ]\ndefault = sysgenid_default\n'
	printf 'sysgenid = sysgenid_provider\n[ sysgenid_default ]\nactivate = 1\n[ sysgenid_provider ]\nactivate = 1\n'
	printf '[ sysgenid_random ]\nrandom = SYSGENID-DRBG\n# sysgenid: end\n'
} >$cnf
said 'SYSGENID-DRBG' sysgenidctl openssl status
dpkg-trigger --by-package=libc-bin --no-await ldconfig
said 'sysgenidctl openssl enable' dpkg --triggers-only -a
said 'first: sysgenidctl openssl disable' dpkg --remove $provider
said 'install ok installed' dpkg-query -W -f "\${Status}" $provider
sysgenidctl openssl enable
tail -n +2 $cnf | cmp - /tmp/before

# The line stays when the package goes, and nobody draws nothing.
dpkg --remove $provider
tail -n +2 $cnf | cmp - /tmp/before
[ ! -e /usr/share/sysgenid/openssl.cnf ]
[ "$(openssl rand -hex 16 | wc -c)" = 33 ]
echo 'all is well'
