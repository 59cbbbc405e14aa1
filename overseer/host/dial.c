// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
/* Its version of Linux 6.1 needs the line above. */
#include <linux/vm_sockets.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "dial.h"

/* Source ports that only root gets: the guest lets in nobody else. */
#define PRIVILEGED_LOW	512
#define PRIVILEGED_HIGH 1023

long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int wait_for(int fd, short events, long long end)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do {
		const long long left = end - now_ms();

		if (left <= 0)
			return 0;
		n = poll(&p, 1, left > 1000 ? 1000 : (int)left);
	} while (!n || (n < 0 && errno == EINTR));
	return n > 0;
}

static bool is_vsock(const char *where)
{
	return !strncmp(where, "vsock:", 6);
}

static int read_vsock(const char *where, struct sockaddr_vm *address)
{
	char rest;

	*address = (struct sockaddr_vm){ .svm_family = AF_VSOCK };
	return sscanf(where, "vsock:%u:%u%c", &address->svm_cid,
		      &address->svm_port, &rest) == 2 ?
		       0 :
		       -EINVAL;
}

int place_check(const struct place *p)
{
	struct sockaddr_vm address;

	if (is_vsock(p->where))
		return p->port ? -EINVAL : read_vsock(p->where, &address);
	return strlen(p->where) < sizeof(((struct sockaddr_un *)0)->sun_path) ?
		       0 :
		       -ENAMETOOLONG;
}

static int finish_connecting(int fd, long long end)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (errno != EINPROGRESS)
		return -errno;
	if (!wait_for(fd, POLLOUT, end))
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
		return -errno;
	return -error;
}

static int connect_to(int fd, const void *address, socklen_t size,
		      long long end)
{
	int r = 0;

	if (connect(fd, address, size))
		r = finish_connecting(fd, end);
	if (!r)
		return fd;
	close(fd);
	return r;
}

static int new_socket(int family)
{
	const int fd =
		socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

/* Without the right to such a port the guest decides. */
static void take_privileged_port(int fd)
{
	struct sockaddr_vm own = { .svm_family = AF_VSOCK,
				   .svm_cid = VMADDR_CID_ANY };

	for (own.svm_port = PRIVILEGED_HIGH; own.svm_port >= PRIVILEGED_LOW;
	     own.svm_port--) {
		if (!bind(fd, (struct sockaddr *)&own, sizeof(own)) ||
		    errno != EADDRINUSE)
			return;
	}
}

static int dial_vsock(const char *where, long long end)
{
	struct sockaddr_vm address;
	int fd = read_vsock(where, &address);

	if (!fd)
		fd = new_socket(AF_VSOCK);
	if (fd < 0)
		return fd;
	take_privileged_port(fd);
	return connect_to(fd, &address, sizeof(address), end);
}

static int dial_unix(const char *path, long long end)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = new_socket(AF_UNIX);

	if (fd < 0)
		return fd;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return connect_to(fd, &address, sizeof(address), end);
}

/* Byte by byte: what follows the line is the guest's. */
static int read_reply(int fd, char *line, size_t size, long long end)
{
	size_t n = 0;

	while (n + 1 < size) {
		ssize_t got;

		if (!wait_for(fd, POLLIN, end))
			return -ETIMEDOUT;
		got = read(fd, line + n, 1);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return got ? -errno : -ECONNREFUSED;
		if (line[n] == '\n')
			break;
		n++;
	}
	line[n] = 0;
	return 0;
}

/* Firecracker and Cloud Hypervisor close it where nobody listens in the guest. */
static int shake_hands(int fd, unsigned int port, long long end)
{
	char line[64];
	const int len = snprintf(line, sizeof(line), "CONNECT %u\n", port);
	int r;

	if (send(fd, line, (size_t)len, MSG_NOSIGNAL) != len)
		return -ECONNREFUSED;
	r = read_reply(fd, line, sizeof(line), end);
	if (r)
		return r;
	return strncmp(line, "OK ", 3) ? -EPROTO : 0;
}

int dial(const struct place *p, long long end)
{
	int fd = is_vsock(p->where) ? dial_vsock(p->where, end) :
				      dial_unix(p->where, end);
	int r;

	if (fd < 0 || !p->port)
		return fd;
	r = shake_hands(fd, p->port, end);
	if (!r)
		return fd;
	close(fd);
	return r;
}
