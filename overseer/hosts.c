// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
/* Its version of Linux 6.1 needs the line above. */
#include <linux/vm_sockets.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backoff.h"
#include "hosts.h"
#include "log.h"

/* Ports that only root of the host gets. */
#define PRIVILEGED 1024
/* Connections in a row, and microseconds until there are more. */
#define ROW_MAX	  64
#define ROW_PAUSE 100000ull

/* @path: of the port that is open, or is to be. @vsock: the port, 0: none. */
struct hosts {
	struct loop *loop;
	struct loop_source *source, *pause;
	struct backoff *again;
	hosts_fn *connected;
	void *user;
	int listener, port;
	unsigned int vsock, row;
	bool any_port, loopback;
	char *path;
	/* One line for one trouble. */
	bool complained, refused;
};

static bool is_let_in(const struct hosts *h, const struct sockaddr_vm *peer)
{
	return (peer->svm_cid == VMADDR_CID_HOST ||
		(h->loopback && peer->svm_cid == VMADDR_CID_LOCAL)) &&
	       (h->any_port || peer->svm_port < PRIVILEGED);
}

static void refuse(struct hosts *h, const struct sockaddr_vm *peer)
{
	if (!h->refused)
		log_warning(
			"restore-vsock: a peer with CID %u and port %u is refused; see peer-port in sysgenid-overseer.conf(5)",
			peer->svm_cid, peer->svm_port);
	h->refused = true;
}

/* A flood is to leave time for everything else. */
static void on_pause_over(void *user)
{
	struct hosts *h = user;

	h->row = 0;
	if (h->source)
		loop_enable(h->source, true);
}

static void on_connection(void *user, uint32_t events)
{
	struct sockaddr_vm peer = { .svm_family = AF_UNSPEC };
	socklen_t size = sizeof(peer);
	struct hosts *h = user;
	int fd = accept4(h->listener, (struct sockaddr *)&peer, &size,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0 && !is_let_in(h, &peer))
		refuse(h, &peer);
	else if (fd >= 0)
		h->connected(h->user, fd, false);
	if (fd >= 0)
		close(fd);
	/* Without a descriptor left the connection would wake the loop for ever. */
	if (++h->row == 1)
		loop_arm(h->pause, ROW_PAUSE);
	if (h->row >= ROW_MAX || (fd < 0 && errno != EAGAIN))
		loop_enable(h->source, false);
}

static void close_listener(struct hosts *h)
{
	h->source = loop_remove(h->source);
	if (h->listener >= 0)
		close(h->listener);
	h->listener = -1;
}

/* 0 or an error. */
static int open_listener(struct hosts *h)
{
	const struct sockaddr_vm address = { .svm_family = AF_VSOCK,
					     .svm_cid = VMADDR_CID_ANY,
					     .svm_port = h->vsock };

	h->listener =
		socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (h->listener >= 0 &&
	    !bind(h->listener, (const struct sockaddr *)&address,
		  sizeof(address)) &&
	    !listen(h->listener, SOMAXCONN))
		h->source = loop_add_io(h->loop, h->listener, EPOLLIN,
					on_connection, h);
	return h->source ? 0 : errno;
}

/* A terminal would send back what it gets. */
static int open_port(struct hosts *h)
{
	struct stat st;

	h->port = open(h->path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (h->port < 0 || fstat(h->port, &st))
		return errno;
	return S_ISCHR(st.st_mode) && !isatty(h->port) ? 0 : ENOTTY;
}

static void close_port(struct hosts *h)
{
	if (h->port >= 0)
		close(h->port);
	h->port = -1;
}

static void complain(struct hosts *h, int error)
{
	if (h->complained)
		return;
	h->complained = true;
	if (error == ENOTTY)
		log_error("restore-serial: %s is not a virtio-serial port",
			  h->path);
	else
		log_error(
			"restore-vsock or restore-serial, which is tried again: %s",
			strerror(error));
}

static void proceed(struct hosts *h)
{
	int error = 0, failed = 0;

	if (h->vsock && !h->source) {
		close_listener(h);
		error = open_listener(h);
	}
	if (error)
		close_listener(h);
	if (h->path && h->port < 0) {
		failed = open_port(h);
		if (failed)
			close_port(h);
		else
			hosts_pass_port(h);
	}
	if (!error && !failed) {
		h->complained = false;
		backoff_reset(h->again);
		return;
	}
	complain(h, failed ? failed : error);
	backoff_arm(h->again);
}

static void on_again(void *user)
{
	proceed(user);
}

void hosts_pass_port(struct hosts *h)
{
	if (h->port >= 0)
		h->connected(h->user, h->port, true);
}

static bool is_same_path(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool is_as_configured(const struct hosts *h, const struct config *c)
{
	return h->vsock == c->restore_vsock &&
	       h->any_port == c->any_peer_port &&
	       h->loopback == c->loopback_peers &&
	       is_same_path(h->path, c->restore_serial);
}

static void set_path(struct hosts *h, const char *path)
{
	close_port(h);
	free(h->path);
	h->path = path ? strdup(path) : NULL;
}

void hosts_renew(struct hosts *h, const struct config *c)
{
	backoff_disarm(h->again);
	close_listener(h);
	loop_disarm(h->pause);
	h->row = 0;
	h->refused = false;
	/* A port that the configuration names again stays open: it outlives a snapshot. */
	if (!is_as_configured(h, c)) {
		h->connected(h->user, -1, true);
		h->vsock = c->restore_vsock;
		h->any_port = c->any_peer_port;
		h->loopback = c->loopback_peers;
		set_path(h, c->restore_serial);
	}
	proceed(h);
}

struct hosts *hosts_new(struct loop *loop, hosts_fn *connected, void *user)
{
	struct hosts *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->loop = loop;
	h->listener = h->port = -1;
	h->connected = connected;
	h->user = user;
	h->again = backoff_new(loop, on_again, h);
	h->pause = loop_add_timer(loop, on_pause_over, h);
	if (h->again && h->pause)
		return h;
	hosts_free(h);
	return NULL;
}

void hosts_free(struct hosts *h)
{
	if (!h)
		return;
	close_listener(h);
	close_port(h);
	backoff_free(h->again);
	loop_remove(h->pause);
	free(h->path);
	free(h);
}
