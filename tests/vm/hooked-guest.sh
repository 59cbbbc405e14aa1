#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes a root with sysgenid-overseer, sshd, nginx and qemu-guest-agent one with all hooks enabled; test_hooks.py clones it.
set -e
systemctl enable sysgenid-overseer systemd-networkd
ln -s /usr/share/sysgenid/hooks/[0-9]* /etc/sysgenid/adjust.d/
# The longest of all hooks to come is on a machine that emulates its processor. DHCP gets through the gate.
cat >/etc/sysgenid/overseer.conf <<END
[overseer]
gate = nftables
except-ports = 68/udp
hook-timeout = 600
quiesce-limit = none
END
cat >/etc/sysgenid/hooks.conf <<END
ticket_keys="nginx:/etc/nginx/ticket.key"
restart_units="nginx"
END
# What the machine is like when all hooks have run, and what the overseer says then: it is not ready.
cat >/etc/sysgenid/adjust.d/99-look <<'END'
#!/bin/sh
mkdir -p /run/looked
sysgenidctl status --json >/run/looked/status
cat /etc/machine-id /etc/ssh/ssh_host_*.pub /etc/nginx/ticket.key | sha256sum >/run/looked/sum
date +%s >/run/looked/date
END
chmod 755 /etc/sysgenid/adjust.d/99-look
printf '[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n' >/etc/systemd/network/eth0.network
mkdir -p /etc/qemu
printf '[general]\nfsfreeze-hook = /usr/share/sysgenid/fsfreeze-hook\n' >/etc/qemu/qemu-ga.conf
# Long to make, where the processor is emulated; what goes for the others goes for it.
rm /etc/ssh/ssh_host_rsa_key*
cd /etc/nginx
head -c 80 /dev/urandom >ticket.key
chmod 600 ticket.key
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=guest -keyout tls.key -out tls.crt
cat >conf.d/tls.conf <<END
server {
	listen 127.0.0.1:443 ssl;
	ssl_certificate /etc/nginx/tls.crt;
	ssl_certificate_key /etc/nginx/tls.key;
	ssl_session_ticket_key /etc/nginx/ticket.key;
}
END
nginx -t
