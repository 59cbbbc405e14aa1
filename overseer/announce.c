// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "announce.h"
#include "log.h"

static int open_vsock(unsigned int cid, unsigned int port)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = cid,
		.svm_port = port,
	};
	/* The host answers at once or is not there. */
	const struct timeval limit = { .tv_sec = 1 };
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &limit,
		   sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

void announce(const char *where, struct json_object *line)
{
	const char *text =
		json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN);
	struct iovec parts[] = {
		{ (void *)(uintptr_t)text, strlen(text) },
		{ (void *)(uintptr_t) "\n", 1 },
	};
	unsigned int cid, port;
	int fd;

	if (sscanf(where, "vsock:%u:%u", &cid, &port) == 2)
		fd = open_vsock(cid, port);
	else
		fd = open(where, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		log_warning("announce = %s: %s", where, strerror(errno));
		return;
	}
	if (writev(fd, parts, 2) != (ssize_t)(parts[0].iov_len + 1))
		log_warning("announce = %s: the line was not taken", where);
	close(fd);
}
