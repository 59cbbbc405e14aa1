# SPDX-License-Identifier: MIT
"""Sessions that the kernel keeps: clones go on with the same keys and counters, unless somebody gives them new ones.

The overseer does. Where the kernel has a driver for the vmgenid device, the kernel itself does so for WireGuard alone."""

import re
from base64 import b64decode
from dataclasses import dataclass

from vmlib import VM, Context, Lab, vmtest, wait_until

import test_overseer
from test_overseer import LIMIT, journal, main_pid, oversee, restart, sh, status, until

DATA = 4
# An initiation, or the answer to one: both ends ask for a new session, and either may be first.
HANDSHAKE = (1, 2)
# The peer's ports.
PORTS = {"wg0": 51821, "wgn": 51831}
# Of a message of WireGuard: type, receiver, counter; then an inner packet of IPv4 and UDP.
BODY = 16 + 28
# Of a packet of ESP: SPI, sequence number, IV.
ESP_BODY = 16 + 8
SIZE = 32

# Two ends of a wire, and three machines: this one, a peer, and a tenant of this one, in a namespace that has no name.
# The tenant's interface wgn was made here, so that its packets go by the wire of this machine.
SETUP = """
set -e
cd /run
umask 077
/bin/ip netns add peer
/bin/ip link add w0 type veth peer name w1 netns peer
/bin/ip address add 10.9.0.1/24 dev w0
/bin/ip link set w0 up
/bin/ip netns exec peer /bin/ip address add 10.9.0.2/24 dev w1
/bin/ip netns exec peer /bin/ip link set w1 up
/bin/ip netns exec peer /bin/ip link set lo up
for name in wg0 wgn p0 pn idle; do wg genkey >$name.key; wg pubkey <$name.key >$name.pub; done
wg genpsk >psk
/bin/ip link add wg0 type wireguard
wg set wg0 listen-port 51820 private-key wg0.key fwmark 0x77 \\
	peer $(cat p0.pub) preshared-key psk endpoint 10.9.0.2:51821 allowed-ips 10.8.0.2/32,fd00::2/128 \\
	peer $(cat idle.pub) allowed-ips 10.7.0.0/16
/bin/ip address add 10.8.0.1/24 dev wg0
/bin/ip link set wg0 up
/bin/ip route add 10.7.0.0/16 dev wg0
/bin/ip link add wgn type wireguard
wg set wgn listen-port 51830 private-key wgn.key \\
	peer $(cat pn.pub) endpoint 10.9.0.2:51831 persistent-keepalive 600 allowed-ips 10.6.0.2/32
unshare --net sh -c 'echo $$ >/run/tenant; exec sleep infinity' &
until [ -s tenant ]; do sleep 0.1; done
/bin/ip link set wgn netns $(cat tenant)
nsenter --net=/proc/$(cat tenant)/ns/net sh -ec '
	/bin/ip address add 10.6.0.1/24 dev wgn
	/bin/ip link set wgn up'
/bin/ip netns exec peer sh -ec '
	/bin/ip link add p0 type wireguard
	wg set p0 listen-port 51821 private-key p0.key \\
		peer $(cat wg0.pub) preshared-key psk allowed-ips 10.8.0.1/32
	/bin/ip address add 10.8.0.2/24 dev p0
	/bin/ip link set p0 up
	/bin/ip link add pn type wireguard
	wg set pn listen-port 51831 private-key pn.key peer $(cat wgn.pub) allowed-ips 10.6.0.1/32
	/bin/ip address add 10.6.0.2/24 dev pn
	/bin/ip link set pn up'
"""
# By hand, with the key of everybody who reads this.
IPSEC = """
set -e
key=0x$(printf %072d 1)
for in in "" "/bin/ip netns exec peer"; do
	$in /bin/ip xfrm state add src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x1000 mode transport \\
		aead 'rfc4106(gcm(aes))' $key 128
	$in /bin/ip xfrm state add src 10.9.0.2 dst 10.9.0.1 proto esp spi 0x2000 mode transport \\
		aead 'rfc4106(gcm(aes))' $key 128 mark 0x5 mask 0xff
done
/bin/ip xfrm policy add src 10.9.0.1 dst 10.9.0.2 proto 17 dport 9 dir out tmpl proto esp mode transport
"""
# Whether a process has one of the keys in its memory.
SCAN = r"""
undef $/;
my ($pid, @keys) = @ARGV;
$_ = pack("H*", $_) for @keys;
open(MAPS, "/proc/$pid/maps") or die; open(MEM, "/proc/$pid/mem") or die;
for (split /\n/, <MAPS>) {
	my ($from, $to) = /^(\w+)-(\w+) rw/ or next;
	my $bytes = "";
	sysseek(MEM, hex($from), 0); sysread(MEM, $bytes, hex($to) - hex($from));
	for my $key (@keys) { print "found\n" if index($bytes, $key) >= 0 }
}
"""
KEYS = [f"/run/{name}" for name in ("wg0.key", "wgn.key", "psk")]
# Takes what is said: an answer by ICMP would have the tunnels say more.
SINK = """use IO::Socket::INET; my $s = IO::Socket::INET->new(Proto => "udp", LocalPort => 9) or die; $| = 1; print "ready"; sleep"""
SAY = """IO::Socket::INET->new(Proto => "udp", PeerAddr => $ARGV[1])->send($ARGV[0]) or die $!"""
RESEEDED = "crng reseeded due to virtual machine fork"
TENANT = "nsenter --net=/proc/$(cat /run/tenant)/ns/net"


def booted(t: Lab) -> VM:
    vm = test_overseer.booted(t)
    sh(vm, SETUP)
    vm.spawn("sink", "/bin/ip", "netns", "exec", "peer", "perl", "-e", SINK)
    vm.wait_output("sink", "ready", limit=LIMIT)
    sh(vm, "/bin/ip netns exec peer capture w1 >/run/wire & until grep -q ready /run/wire; do sleep 0.1; done")
    return vm


def say(vm: VM, text: str, to: str, inside: str = "") -> None:
    """A datagram through a tunnel."""
    assert len(text) == SIZE
    sh(vm, f"{inside} perl -MIO::Socket::INET -e '{SAY}' '{text}' {to}:9")


def wire(vm: VM, kind: str, since: int) -> list[bytes]:
    """What has arrived from the machine, as of that line."""
    lines = vm.read("/run/wire").splitlines()[since:]
    return [bytes.fromhex(line.split()[-1]) for line in lines if re.match(rf"{kind} [0-9a-f]+$", line)]


def lines(vm: VM) -> int:
    return len(vm.read("/run/wire").splitlines())


def first(vm: VM, kind: str, since: int) -> bytes:
    return wait_until(lambda: wire(vm, kind, since), LIMIT, f"a packet: {kind}")[0]


def tunnels(vm: VM, text: str) -> None:
    say(vm, text, "10.8.0.2")
    say(vm, text, "10.6.0.2", TENANT)


def settings(vm: VM) -> str:
    """All that the administrator has said, and what was learnt of endpoints."""
    found = ""
    for inside, name in (("", "wg0"), (TENANT, "wgn"), ("/bin/ip netns exec peer", "p0"), ("/bin/ip netns exec peer", "pn")):
        found += sh(vm, f"{inside} wg showconf {name}; {inside} /bin/ip route show dev {name}")
    return found


def handshakes(vm: VM) -> str:
    return sh(vm, f"wg show all latest-handshakes; {TENANT} wg show all latest-handshakes")


@dataclass
class Said:
    """What a clone sent first: how it looked, and what it was."""

    sent: bytes
    meant: bytes

    def keystream(self, body: int) -> bytes:
        return bytes(a ^ b for a, b in zip(self.sent[body : body + SIZE], self.meant, strict=True))


def data(vm: VM, port: int, since: int) -> list[bytes]:
    return [packet for packet in wire(vm, f"udp {port}", since) if packet[0] == DATA and len(packet) >= BODY + SIZE]


def first_of_tunnels(vm: VM, text: str, since: int) -> dict[str, tuple[bytes, Said]]:
    """The first packet to each peer as of that line, and the first one with data."""
    tunnels(vm, text)
    found = {}
    for of, port in PORTS.items():
        sent = wait_until(lambda port=port: data(vm, port, since), LIMIT, "data in a tunnel")[0]  # type: ignore[misc]
        found[of] = (first(vm, f"udp {port}", since), Said(sent, text.encode()))
    return found


def without_overseer(vm: VM, text: str, since: int) -> dict[str, tuple[bytes, Said]]:
    """The first packet of each session, and the first one with data."""
    found = first_of_tunnels(vm, text, since)
    say(vm, text, "10.9.0.2")
    sent = first(vm, "esp", since)
    return found | {"esp": (sent, Said(sent, text.encode()))}


def keeps_no_secret(vm: VM) -> None:
    """Neither the log nor the memory of the overseer has a key."""
    told = journal(vm)
    keys = [vm.read(key).strip() for key in KEYS]
    assert not any(key in told for key in keys)
    raw = [b64decode(key).hex() for key in keys]
    assert vm.run("perl", "-e", SCAN, main_pid(vm), *raw, limit=LIMIT).out == ""
    assert "found" in sh(vm, f"exec perl -e '{SCAN}' $$ {raw[0]}"), "the control: who has the key is found"


def is_held_if_it_cannot_look(vm: VM) -> None:
    """It may not enter namespaces; then it may, and asks again."""
    vm.write("/run/with", "/bin/setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin")
    restart(vm)
    sh(vm, "sysgenidctl trigger")
    about = until(vm, "held", 1)["about"]
    assert re.fullmatch(r"sessions cannot be reset: net:\[\d+\]: Operation not permitted", about), about
    sh(vm, "rm /run/with")
    restart(vm)
    until(vm, "ready", 1)


def with_overseer(vm: VM, text: str) -> dict[str, tuple[bytes, Said]]:
    """The first packet of each session once the machine is ready, and the first one with data."""
    before, since = settings(vm), lines(vm)
    old = handshakes(vm)
    sh(vm, f"kill -CONT {main_pid(vm)}")
    until(vm, "ready", 2)
    assert settings(vm) == before
    found = first_of_tunnels(vm, text, since)
    assert settings(vm) == before
    assert handshakes(vm) != old
    assert sh(vm, "/bin/ip xfrm state count") == sh(vm, "/bin/ip netns exec peer ip xfrm state count")
    assert "SAD count 0" in sh(vm, "/bin/ip xfrm state count")
    told = journal(vm)
    assert "new sessions for 4 WireGuard interfaces; expired 4 IPsec states" in told, told
    keeps_no_secret(vm)
    return found


def repeats(a: Said, b: Said, body: int) -> bool:
    return a.keystream(body) == b.keystream(body)


def after_trigger(vm: VM, generation: int) -> None:
    sh(vm, "sysgenidctl trigger")
    until(vm, "ready", generation)


@vmtest(["bookworm-cloud", "bookworm-amd64", "trixie-cloud"], full_only=True, timeout=1800)
def sessions_end_with_reset_and_go_on_with_keep(t: Context) -> None:
    """In one machine, for the WireGuard of each kernel: a trigger does not reach it by itself."""
    vm = booted(t)
    oversee(vm, "gate = none", "sessions = keep")
    made = first_of_tunnels(vm, "a packet that makes the sessions", 0)
    before, since = settings(vm), lines(vm)
    after_trigger(vm, 1)
    assert settings(vm) == before
    for of, (start, said) in first_of_tunnels(vm, "a packet that takes the sessions", since).items():
        t.log(f"{of}, keep: {start[:16].hex()}")
        assert start == said.sent, "nothing before the data"
        assert said.sent[4:8] == made[of][1].sent[4:8], "the same receiver"
        assert said.sent[8:16] > made[of][1].sent[8:16], "and the next counter"
    oversee(vm, "gate = none", "sessions = reset")
    for generation in (2, 3):
        since = lines(vm)
        after_trigger(vm, generation)
        assert settings(vm) == before
        old, made = made, first_of_tunnels(vm, "a packet that needs new sessions", since)
        for of, (start, said) in made.items():
            t.log(f"{of}, reset: {start[:8].hex()}, then {said.sent[:16].hex()}")
            assert start[0] in HANDSHAKE
            assert said.sent[4:8] != old[of][1].sent[4:8], "another receiver"


# One with 3000 addresses, and 2000 with preshared keys: the kernel lists them in many parts.
MANY = r"""
sub key {
	my $key = pack("u", join("", map chr(rand 256), 1 .. 32));
	$key =~ s/^.//; chomp $key; $key =~ tr#` -_#AA-Za-z0-9+/#; $key =~ s/.$/=/;
	return $key;
}
print "[Interface]\nPrivateKey = ", key(), "\nListenPort = 51900\n";
for my $i (1 .. 2000) {
	print "[Peer]\nPublicKey = ", key(), "\nPresharedKey = ", key(), "\nEndpoint = 10.9.0.2:", 20000 + $i,
		"\nAllowedIPs = 10.", 64 + int($i / 250), ".", $i % 250, ".0/24, fd01:${i}::/64\n";
}
print "[Peer]\nPublicKey = ", key(), "\nAllowedIPs = ", join(", ", map "172." . (20 + int($_ / 250)) . "." . ($_ % 250) . ".0/24", 1 .. 3000), "\n";
"""
SET_MANY = f"umask 077; perl -e '{MANY}' >/run/many; /bin/ip link add many type wireguard && wg setconf many /run/many && /bin/ip link set many up"
# Somebody else, at the same time: all that is not a private key must stay.
MEANWHILE = "for i in $(seq 100); do wg set wg0 fwmark $i peer $(cat /run/p0.pub) persistent-keepalive $i; done; echo done"


@vmtest("bookworm-cloud", full_only=True, cpus=2, timeout=1800)
def thousands_of_peers_keep_their_settings(t: Context) -> None:
    vm = booted(t)
    oversee(vm, "gate = none")
    sh(vm, SET_MANY)
    before = sh(vm, "wg showconf many | sort | sha256sum; wg show many peers | wc -l")
    assert before.endswith("2001\n")
    after_trigger(vm, 1)
    assert sh(vm, "wg showconf many | sort | sha256sum; wg show many peers | wc -l") == before
    took = re.findall(r"sessions ([\d.]+),", journal(vm))[-1]
    t.log(f"2001 peers, and four more interfaces: {took} ms")

    key = sh(vm, "wg show wg0 private-key")
    vm.spawn("meanwhile", "sh", "-c", MEANWHILE)
    generation = 1
    while vm.wait("meanwhile", limit=0.1).status == "timeout":
        generation += 1
        after_trigger(vm, generation)
    t.log(f"{generation} generations meanwhile")
    assert generation > 2, "none of them met the other"
    assert "done" in vm.out("meanwhile").out
    assert sh(vm, "wg show wg0 private-key") == key
    assert sh(vm, "wg show wg0 fwmark") == "0x64\n"
    assert "100" in sh(vm, "wg show wg0 persistent-keepalive")


# Three connections to a machine in another namespace. The kernel encrypts at this end of the first one, and at the other end
# of the last one. TCP_ULP is 31, SOL_TLS is 282; TLS 1.2 with AES-128-GCM has the numbers 0x303 and 51. All keys are zero.
ENCRYPT = r"""
sub encrypt {
	setsockopt($_[0], 6, 31, "tls") or die "tls: $!";
	setsockopt($_[0], 282, $_, pack("S S x36", 0x303, 51)) or die "keys: $!" for 1, 2;
}
"""
LISTEN = r"""
use IO::Socket::INET; $| = 1;
my $listener = IO::Socket::INET->new(Listen => 3, LocalAddr => "10.9.0.2", LocalPort => 7000) or die;
print "listening";
my @ends = map { scalar $listener->accept } 1 .. 3;
encrypt($ends[2]);
print ", encrypting";
sleep;
"""
CONNECT = r"""
use IO::Socket::INET; $| = 1;
my @ends = map { IO::Socket::INET->new(PeerAddr => "10.9.0.2", PeerPort => 7000) or die } 1 .. 3;
encrypt($ends[0]);
print "connected";
sysread($ends[0], my $byte, 1);
print "; tls: $!";
sleep;
"""


def connections(vm: VM) -> int:
    """Those to port 7000 that are established."""
    return sh(vm, "cat /proc/net/tcp").count(f":{7000:04X} 01 ")


@vmtest(["bookworm-cloud", "bookworm-amd64"], full_only=True, timeout=1800)
def ktls_is_destroyed_and_macsec_is_listed(t: Context) -> None:
    vm = booted(t)
    oversee(vm, "gate = none", "destroy-connections = no", "sessions = keep")
    vm.spawn("listen", "/bin/ip", "netns", "exec", "peer", "perl", "-e", ENCRYPT + LISTEN)
    vm.wait_output("listen", "listening", limit=LIMIT)
    vm.spawn("connect", "perl", "-e", ENCRYPT + CONNECT)
    vm.wait_output("connect", "connected", limit=LIMIT)
    vm.wait_output("listen", "encrypting", limit=LIMIT)
    sh(vm, "/bin/ip link add link w0 name secure type macsec")
    after_trigger(vm, 1)
    assert connections(vm) == 3, "the control: they go on with keep"
    assert "not-reset" not in status(vm)
    oversee(vm, "gate = none", "destroy-connections = no", "sessions = reset")
    after_trigger(vm, 2)
    assert connections(vm) == 1, "neither end of the one that stays is encrypted"
    vm.wait_output("connect", "tls: Software caused connection abort", limit=LIMIT)
    told = journal(vm)
    assert "destroyed 2 kTLS connections" in told, told
    listed = status(vm)["not-reset"]
    assert re.fullmatch(r"secure \(MACsec in net:\[\d+\]\)", listed), listed
    assert f"not reset: {listed}" in told, told
    assert sh(vm, "sysgenidctl status").endswith(f"; not reset: {listed}\n")


@vmtest("bookworm-cloud", full_kernels=["bookworm-cloud", "bookworm-amd64"], cpus=2, timeout=1800)
def clones_have_new_sessions(t: Context) -> None:
    """The control is the same pair, before its overseer goes on: what it sends then repeats.

    With a driver of the kernel, the control repeats ESP alone: WireGuard has been told."""
    vm = booted(t)
    driver = vm.exists("/sys/bus/acpi/drivers/vmgenid")
    assert driver == (t.kernel.name != "bookworm-cloud")
    oversee(vm, "gate = none")
    is_held_if_it_cannot_look(vm)
    sh(vm, IPSEC)
    first_of_tunnels(vm, "before the snapshot, both clones", 0)
    sh(vm, f"kill -STOP {main_pid(vm)}")
    since = lines(vm)
    state = vm.snapshot()
    vm.close()

    def run(letter: str) -> tuple[dict[str, tuple[bytes, Said]], dict[str, tuple[bytes, Said]]]:
        with t.cloned(state) as clone:
            if driver:
                wait_until(lambda: RESEEDED in clone.dmesg(), LIMIT, "the driver of the kernel")
            return without_overseer(clone, letter * SIZE, since), with_overseer(clone, letter.upper() * SIZE)

    (old_a, new_a), (old_b, new_b) = t.parallel([lambda: run("a"), lambda: run("b")])
    for of in PORTS:
        (start_a, said_a), (start_b, said_b) = old_a[of], old_b[of]
        t.log(f"{of}, control: {start_a[:16].hex()} and {start_b[:16].hex()}, then {said_a.sent[:16].hex()} and {said_b.sent[:16].hex()}")
        if driver:
            assert start_a[0] in HANDSHAKE and start_b[0] in HANDSHAKE, "the control: the kernel asks for new sessions"
            assert start_a != start_b
            assert not repeats(said_a, said_b, BODY)
        else:
            assert start_a[0] == DATA and start_a[:16] == start_b[:16], "the control: the same receiver and counter"
            assert repeats(said_a, said_b, BODY), "the control: the same keystream"
        used = {said.sent[4:8] for said in (said_a, said_b)}
        (start_a, said_a), (start_b, said_b) = new_a[of], new_b[of]
        t.log(f"{of}: {start_a[:8].hex()} and {start_b[:8].hex()}, then {said_a.sent[:16].hex()} and {said_b.sent[:16].hex()}")
        assert start_a[0] in HANDSHAKE and start_b[0] in HANDSHAKE, (start_a[:4], start_b[:4])
        assert start_a != start_b
        assert not repeats(said_a, said_b, BODY)
        receivers = {said.sent[4:8] for said in (said_a, said_b)}
        assert len(receivers) == 2 and not receivers & used, "new receivers"
    (a, said_a), (b, said_b) = old_a["esp"], old_b["esp"]
    t.log(f"ESP, control: {a[:16].hex()} and {b[:16].hex()}")
    assert a[:16] == b[:16] and repeats(said_a, said_b, ESP_BODY), "the control: the same keystream of ESP"
