// SPDX-License-Identifier: MIT
/*
 * packets: both ends of a wire.
 *
 *   packets send INTERFACE ADDRESS   each millisecond a packet, of one kind after
 *                                    the other
 *   packets watch INTERFACE          says of each that arrives: "TIME KIND", with
 *                                    CLOCK_BOOTTIME in nanoseconds
 *
 * KIND "raw" is a frame that goes past IP, as a DHCP client's do. Datagrams are of
 * the kinds "udp" and, between ports that a gate may leave open, "open".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Local experimental; nobody else's. */
#define ETHER_TYPE 0x88b5

enum { UDP, RAW, OPEN, KINDS };

static const char *const names[KINDS] = { "udp", "raw", "open" };
/* Whence, and one more whither. */
static const uint16_t ports[KINDS] = { [UDP] = 5000, [OPEN] = 7000 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t ns(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * 1000000000 + (uint64_t)ts->tv_nsec;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ns(&ts);
}

static int raw_socket(const char *interface)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHER_TYPE),
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETHER_TYPE));

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die(interface);
	return fd;
}

/* To send, if @to is not NULL, or to receive. */
static int udp_socket(uint16_t port, const char *to)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)(to ? port : port + 1)),
	};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0)
		die("socket");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die("bind");
	if (!to)
		return fd;
	address.sin_port = htons((uint16_t)(port + 1));
	if (inet_pton(AF_INET, to, &address.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)))
		die(to);
	return fd;
}

static void open_all(int fds[KINDS], const char *interface, const char *to)
{
	fds[UDP] = udp_socket(ports[UDP], to);
	fds[RAW] = raw_socket(interface);
	fds[OPEN] = udp_socket(ports[OPEN], to);
	puts("ready");
	fflush(stdout);
}

/* A gate answers with errors; that is its business. */
static void send_all(const char *interface, const char *to)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	unsigned char frame[60] = { 0 };
	int fds[KINDS];

	memset(frame, 0xff, ETH_ALEN);
	frame[ETH_ALEN] = 2;
	frame[2 * ETH_ALEN] = ETHER_TYPE >> 8;
	frame[2 * ETH_ALEN + 1] = ETHER_TYPE & 0xff;
	open_all(fds, interface, to);
	for (unsigned int i = 0;; i = (i + 1) % KINDS) {
		send(fds[i], frame, sizeof(frame), MSG_DONTWAIT);
		nanosleep(&ms, NULL);
	}
}

/* When it arrived, though it may have waited to be read; 0: there is none, or it is our own. */
static uint64_t arrived(int fd)
{
	unsigned char unused[2048], control[256];
	struct sockaddr_storage from;
	struct iovec part = { unused, sizeof(unused) };
	struct msghdr m = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct timespec then = { 0 };

	if (recvmsg(fd, &m, MSG_DONTWAIT) < 0)
		return 0;
	if (from.ss_family == AF_PACKET &&
	    ((struct sockaddr_ll *)&from)->sll_pkttype == PACKET_OUTGOING)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SO_TIMESTAMPNS)
			memcpy(&then, CMSG_DATA(c), sizeof(then));
	}
	return now_ns(CLOCK_BOOTTIME) - now_ns(CLOCK_REALTIME) + ns(&then);
}

static void watch_all(const char *interface)
{
	struct pollfd polled[KINDS];
	const int yes = 1;
	int fds[KINDS];

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	open_all(fds, interface, NULL);
	for (int i = 0; i < KINDS; i++) {
		polled[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
		if (setsockopt(fds[i], SOL_SOCKET, SO_TIMESTAMPNS, &yes,
			       sizeof(yes)))
			die("SO_TIMESTAMPNS");
	}
	while (poll(polled, KINDS, -1) > 0) {
		for (int i = 0; i < KINDS; i++) {
			uint64_t when = polled[i].revents ? arrived(fds[i]) : 0;

			if (when)
				printf("%" PRIu64 " %s\n", when, names[i]);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "send"))
		send_all(argv[2], argv[3]);
	else if (argc == 3 && !strcmp(argv[1], "watch"))
		watch_all(argv[2]);
	fputs("packets send INTERFACE ADDRESS, or packets watch INTERFACE\n",
	      stderr);
	return 2;
}
