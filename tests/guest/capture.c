// SPDX-License-Identifier: MIT
/*
 * capture INTERFACE: prints each datagram and each packet of ESP that arrives
 * there, as "udp PORT HEX" (the destination port) or "esp HEX".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define UDP_HEADER 8

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void hex(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	puts("");
}

static void tell(const uint8_t *packet, size_t len)
{
	const struct iphdr *ip = (const struct iphdr *)packet;
	const size_t header = len < sizeof(*ip) ? len : ip->ihl * 4u;
	const uint8_t *body = packet + header;
	const size_t total = len < sizeof(*ip) ? 0 : ntohs(ip->tot_len);

	if (ip->version != 4 || total > len || header + UDP_HEADER > total)
		return;
	if (ip->protocol == IPPROTO_ESP) {
		printf("esp ");
		hex(body, total - header);
	} else if (ip->protocol == IPPROTO_UDP) {
		printf("udp %u ", body[2] << 8 | body[3]);
		hex(body + UDP_HEADER, total - header - UDP_HEADER);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = argc == 2 ? (int)if_nametoindex(argv[1]) : 0,
	};
	socklen_t size = sizeof(address);
	_Alignas(struct iphdr) uint8_t packet[65536];
	int fd;

	if (argc != 2) {
		fputs("capture INTERFACE\n", stderr);
		return 2;
	}
	fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die(argv[1]);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	puts("ready");
	for (;;) {
		ssize_t n = recvfrom(fd, packet, sizeof(packet), 0,
				     (struct sockaddr *)&address, &size);

		if (n < 0)
			die("recvfrom");
		if (address.sll_pkttype != PACKET_OUTGOING)
			tell(packet, (size_t)n);
	}
}
