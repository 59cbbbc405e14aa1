// SPDX-License-Identifier: MIT
/*
 * A process that may only read, write and exit (seccomp). The process was given
 * the pages before, and so can check. What the process has to be told after a
 * resume, its parent tells it. Prints an id for each SIGUSR1.
 */
#include <inttypes.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sysgenid.h>

#include "generator.h"
#include "requests.h"

/* To the sandbox: go on, perhaps with a new seed. From it: an id, if it is good. */
struct message {
	bool good;
	uint32_t seen; /* the generation that the seed was drawn in */
	struct generator seed;
	uint64_t id;
};

static int draw_seed(struct sysgenid *sysgenid, struct message *m)
{
	int ret = sysgenid_read(sysgenid, &m->seen);

	if (!ret)
		generator_seed(&m->seed);
	m->good = true;
	return ret;
}

static void sandbox(int fd, const struct sysgenid_view *view)
{
	struct generator generator = { 0 };
	struct message m;
	uint32_t seen = 0;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(1);
	while (read(fd, &m, sizeof(m)) == sizeof(m)) {
		if (m.good) {
			seen = m.seen;
			generator = m.seed;
		}
		m.id = generator_next(&generator);
		/* If not, it may have been given in another clone, too. */
		m.good = !sysgenid_changed(view, seen);
		if (write(fd, &m, sizeof(m)) != sizeof(m))
			break;
	}
	syscall(SYS_exit, 0);
}

int main(void)
{
	struct message m = { .good = false };
	struct sysgenid *sysgenid;
	int fds[2], ret = sysgenid_open(&sysgenid, 0);

	if (!ret)
		ret = draw_seed(sysgenid, &m);
	if (ret)
		return failed(ret);
	requests_start();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds))
		return 1;
	switch (fork()) {
	case -1:
		return 1;
	case 0:
		close(fds[0]);
		sandbox(fds[1], sysgenid_get_view(sysgenid));
	}
	close(fds[1]);
	while (!ret && request_next()) {
		while (!ret) {
			if (write(fds[0], &m, sizeof(m)) != sizeof(m) ||
			    read(fds[0], &m, sizeof(m)) != sizeof(m))
				return 1;
			if (m.good)
				break;
			ret = draw_seed(sysgenid, &m);
		}
		m.good = false; /* the next request brings no seed */
		if (!ret)
			printf("id %016" PRIx64 "\n", m.id);
	}
	return failed(ret);
}
