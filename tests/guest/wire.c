// SPDX-License-Identifier: MIT
/*
 * wire INTERFACE PEER MAC sends a packet each millisecond to the other end of a wire,
 * of one kind after the other. For each packet that arrives it prints "KIND TAG".
 *
 * Each packet carries the first half of the hardware id, read right before the packet
 * was sent. So a packet from before a snapshot differs from one after it. The TAG of
 * what arrives is in the same place.
 *
 * A "udp" is a datagram. A "raw" is of another protocol of IP. A "packet" is a frame
 * that goes past IP. A "tcp" is the first segment of a connection, with 12 bits of
 * the tag in its port. An "open" is a datagram that a gate may let through, as are
 * a "marked", by its mark, and an "open6". That and "udp6" are datagrams of IPv6, for
 * which the kernel has to find the neighbour.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <sysgenid.h>

/* Local experimental, and for experiments: nobody else's. */
#define ETHER_TYPE 0x88b5
#define PROTOCOL   253
#define TCP_PORT   5002
#define TCP_FROM   20000

#define MARK 0x51

enum { UDP, RAW, PACKET, TCP, OPEN, MARKED, UDP6, OPEN6, KINDS };

static const char *const names[KINDS] = { "udp",  "raw",    "packet", "tcp",
					  "open", "marked", "udp6",   "open6" };
static const uint16_t ports[KINDS] = { [UDP] = 5001,
				       [OPEN] = 7001,
				       [MARKED] = 8001,
				       [UDP6] = 5001,
				       [OPEN6] = 7001 };
static const char *interface;
static struct in_addr peer;
static unsigned char mac[ETH_ALEN];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in address(struct in_addr to, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = to,
		.sin_port = htons(port),
	};
}

static int ip_socket(int type, int protocol, uint16_t from)
{
	struct sockaddr_in any = address((struct in_addr){ 0 }, from);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, protocol), yes = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("socket");
	return fd;
}

static int marked_socket(void)
{
	int fd = ip_socket(SOCK_DGRAM, 0, ports[MARKED]), mark = MARK;

	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		die("SO_MARK");
	return fd;
}

/* fd09:0:0:N::2 is the peer, where that of IPv4 is x.x.N.x. */
static struct sockaddr_in6 address6(uint16_t port)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port) };
	unsigned char *bytes = to.sin6_addr.s6_addr;

	bytes[0] = 0xfd;
	bytes[1] = 0x09;
	bytes[7] = ((unsigned char *)&peer)[2];
	bytes[15] = 2;
	return to;
}

static int ip6_socket(uint16_t from)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6,
				    .sin6_port = htons(from) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0), yes = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("socket of IPv6");
	return fd;
}

static int packet_socket(void)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHER_TYPE),
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK,
			htons(ETHER_TYPE));

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die(interface);
	return fd;
}

/* While the gate is shut nobody answers who asks for an address. */
static void know_peer(void)
{
	struct arpreq entry = { .arp_flags = ATF_COM | ATF_PERM };
	struct sockaddr_in *to = (struct sockaddr_in *)&entry.arp_pa;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*to = address(peer, 0);
	entry.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(entry.arp_ha.sa_data, mac, sizeof(mac));
	strncpy(entry.arp_dev, interface, sizeof(entry.arp_dev) - 1);
	if (ioctl(fd, SIOCSARP, &entry))
		die("SIOCSARP");
	close(fd);
}

/* Nothing is sent again after it. */
static void knock(uint64_t id)
{
	const struct sockaddr_in to = address(peer, TCP_PORT);
	const struct linger never = { .l_onoff = 1 };
	int fd = ip_socket(SOCK_STREAM, 0, (uint16_t)(TCP_FROM + (id & 0xfff)));

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &never, sizeof(never));
	/* In progress, or dropped. */
	(void)!connect(fd, (const struct sockaddr *)&to, sizeof(to));
	close(fd);
}

/* A gate answers with errors: that is its business. */
static void send_one(const int fds[KINDS], int kind, uint64_t id)
{
	const struct sockaddr_in6 to6 = address6(ports[kind]);
	const struct sockaddr_in to = address(peer, ports[kind]);
	struct sockaddr_ll link = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHER_TYPE),
		.sll_ifindex = (int)if_nametoindex(interface),
		.sll_halen = ETH_ALEN,
	};
	uint64_t bytes[6] = { id };

	memcpy(link.sll_addr, mac, sizeof(mac));
	if (kind == PACKET)
		sendto(fds[kind], bytes, sizeof(bytes), 0,
		       (struct sockaddr *)&link, sizeof(link));
	else if (kind == UDP6 || kind == OPEN6)
		sendto(fds[kind], bytes, sizeof(bytes), 0,
		       (const struct sockaddr *)&to6, sizeof(to6));
	else
		sendto(fds[kind], bytes, sizeof(bytes), 0,
		       (const struct sockaddr *)&to, sizeof(to));
}

static void send_all(const int fds[KINDS], const struct sysgenid_view *view)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	for (int kind = 0;; kind = (kind + 1) % KINDS) {
		const uint64_t id =
			__atomic_load_n(view->hardware_id, __ATOMIC_RELAXED);

		if (kind == TCP)
			knock(id);
		else
			send_one(fds, kind, id);
		nanosleep(&ms, NULL);
	}
}

static void receive(int fd, int kind)
{
	unsigned char bytes[2048];
	const struct iphdr *ip = (void *)bytes;
	const struct tcphdr *tcp;
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0), at = 0;
	uint64_t tag;

	if (n < 0)
		return;
	if (kind == RAW || kind == TCP)
		at = 4 * ip->ihl;
	if (kind == TCP) {
		tcp = (void *)(bytes + at);
		if (!tcp->syn || tcp->ack)
			return;
		tag = (uint64_t)(ntohs(tcp->source) - TCP_FROM);
	} else {
		memcpy(&tag, bytes + at, sizeof(tag));
	}
	printf("%s %" PRIu64 "\n", names[kind], tag);
}

int main(int argc, char **argv)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	struct pollfd polled[KINDS];
	struct sysgenid *g;
	int fds[KINDS];

	if (argc != 4 || inet_pton(AF_INET, argv[2], &peer) != 1 ||
	    sscanf(argv[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1],
		   &mac[2], &mac[3], &mac[4], &mac[5]) != ETH_ALEN) {
		fputs("usage: wire INTERFACE PEER MAC\n", stderr);
		return 2;
	}
	interface = argv[1];
	if (sysgenid_open(&g, 0) || !sysgenid_is_exact(g)) {
		fputs("wire: the hardware id cannot be mapped\n", stderr);
		return 1;
	}
	know_peer();
	fds[UDP] = ip_socket(SOCK_DGRAM, 0, ports[UDP]);
	fds[RAW] = ip_socket(SOCK_RAW, PROTOCOL, 0);
	fds[PACKET] = packet_socket();
	fds[TCP] = ip_socket(SOCK_RAW, IPPROTO_TCP, 0);
	fds[OPEN] = ip_socket(SOCK_DGRAM, 0, ports[OPEN]);
	fds[MARKED] = marked_socket();
	fds[UDP6] = ip6_socket(ports[UDP6]);
	fds[OPEN6] = ip6_socket(ports[OPEN6]);
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		send_all(fds, sysgenid_get_view(g));
	}
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	puts("ready");
	for (int i = 0; i < KINDS; i++)
		polled[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	while (poll(polled, KINDS, -1) > 0) {
		for (int i = 0; i < KINDS; i++) {
			if (polled[i].revents)
				receive(fds[i], i);
		}
		nanosleep(&ms, NULL);
	}
}
