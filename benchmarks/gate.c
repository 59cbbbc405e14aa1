// SPDX-License-Identifier: MIT
/*
 * gate out PEER MAC INTERFACE ROUNDS: how far the time stamp counter goes in a send(2)
 * of one datagram to PEER, the median. With qemu -icount shift=0 these are instructions.
 *
 * gate in ROUNDS: likewise in a write(2) to a tun device, which receives a datagram by
 * it. The device says that it is one of SLIP: to the gate it leads out.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

enum { WARM = 100 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int rounds;
static uint64_t *took;

static void print_median(void)
{
	qsort(took + WARM, (size_t)(rounds - WARM), sizeof(*took), compare);
	printf("%llu\n", (unsigned long long)took[WARM + (rounds - WARM) / 2]);
}

static int measure_out(char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct arpreq entry = { .arp_flags = ATF_COM | ATF_PERM };
	unsigned char *mac = (unsigned char *)entry.arp_ha.sa_data;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint64_t before;

	if (inet_pton(AF_INET, argv[0], &to.sin_addr) != 1 ||
	    sscanf(argv[1], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1],
		   &mac[2], &mac[3], &mac[4], &mac[5]) != 6)
		return 2;
	memcpy(&entry.arp_pa, &to, sizeof(to));
	entry.arp_ha.sa_family = ARPHRD_ETHER;
	strncpy(entry.arp_dev, argv[2], sizeof(entry.arp_dev) - 1);
	if (ioctl(fd, SIOCSARP, &entry) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die(argv[0]);
	for (int i = 0; i < rounds; i++) {
		before = __rdtsc();
		if (send(fd, &before, sizeof(before), 0) != sizeof(before))
			die("send");
		took[i] = __rdtsc() - before;
		usleep(1000);
	}
	print_median();
	return 0;
}

/* The device has this address, and is there as long as this is open. */
static int open_tun(int any, const char *address)
{
	struct ifreq device = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	struct sockaddr_in *own = (struct sockaddr_in *)&device.ifr_addr;
	int tun = open("/dev/net/tun", O_RDWR);

	if (tun < 0 || ioctl(tun, TUNSETIFF, &device) ||
	    ioctl(tun, TUNSETLINK, ARPHRD_SLIP))
		die("/dev/net/tun");
	*own = (struct sockaddr_in){ .sin_family = AF_INET };
	inet_pton(AF_INET, address, &own->sin_addr);
	if (ioctl(any, SIOCSIFADDR, &device))
		die("SIOCSIFADDR");
	device.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(any, SIOCSIFFLAGS, &device))
		die("SIOCSIFFLAGS");
	return tun;
}

static uint16_t checksum(const uint16_t *words, int count)
{
	uint32_t sum = 0;

	while (count--)
		sum += *words++;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static int measure_in(void)
{
	static const char own[] = "10.99.0.1", peer[] = "10.99.0.2";
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(9) };
	/* IP, UDP without a checksum, and 8 bytes. */
	uint16_t packet[18] = { htons(0x4500), htons(36), 0, 0, htons(0x4011) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), tun;
	uint64_t before;

	inet_pton(AF_INET, peer, &packet[6]);
	inet_pton(AF_INET, own, &packet[8]);
	packet[5] = checksum(packet, 10);
	packet[10] = packet[11] = htons(9);
	packet[12] = htons(16);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die("bind");
	tun = open_tun(fd, own);
	for (int i = 0; i < rounds; i++) {
		before = __rdtsc();
		if (write(tun, packet, sizeof(packet)) != sizeof(packet))
			die("write");
		took[i] = __rdtsc() - before;
		/* A shut gate lets nothing arrive. */
		(void)!recv(fd, &before, sizeof(before), 0);
		usleep(1000);
	}
	print_median();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	rounds = WARM + atoi(argv[argc - 1]);
	took = calloc((size_t)rounds, sizeof(*took));
	if (!took)
		die("calloc");
	if (argc == 6 && !strcmp(argv[1], "out"))
		return measure_out(argv + 2);
	if (argc == 3 && !strcmp(argv[1], "in"))
		return measure_in();
	return 2;
}
