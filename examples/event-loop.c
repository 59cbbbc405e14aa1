// SPDX-License-Identifier: MIT
/*
 * A service with an event loop: is told of a new generation, adjusts, and then
 * confirms, which whoever resumed the machine waits for. Prints an id for each
 * SIGUSR1.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <sysgenid.h>

#include "generator.h"
#include "requests.h"

static struct sysgenid *sysgenid;
static const struct sysgenid_view *view;
static uint32_t seen; /* the generation that the generator was seeded in */
static struct generator generator;

static int adjust(void)
{
	int ret;

	do {
		ret = sysgenid_read(sysgenid, &seen);
		if (ret)
			return ret;
		generator_seed(&generator);
		/* Last: it says that nothing of the old generation is left. */
		ret = sysgenid_confirm(sysgenid, seen);
	} while (ret == -ESTALE);
	if (!ret)
		printf("adjusted to generation %" PRIu32 "\n", seen);
	return ret;
}

static int serve(void)
{
	uint64_t id;
	int ret = 0;

	/* The request may be reported before the new generation is. */
	if (sysgenid_changed(view, seen))
		ret = adjust();
	while (id = generator_next(&generator),
	       !ret && sysgenid_changed(view, seen))
		ret = adjust();
	if (!ret)
		printf("id %016" PRIx64 "\n", id);
	return ret;
}

int main(void)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct signalfd_siginfo request;
	sigset_t set = requests_set();
	int ret = sysgenid_open(&sysgenid, 0);

	requests_start();
	view = sysgenid_get_view(sysgenid);
	fds[0].fd = signalfd(-1, &set, SFD_CLOEXEC);
	fds[1].fd = sysgenid_get_fd(sysgenid);
	if (!ret)
		ret = sysgenid_track(sysgenid, true);
	if (!ret)
		ret = adjust();
	if (!ret)
		puts("ready");
	while (!ret) {
		if (poll(fds, 2, -1) < 0)
			ret = -errno;
		else if (fds[1].revents)
			ret = adjust();
		else if (read(fds[0].fd, &request, sizeof(request)) ==
			 sizeof(request))
			ret = serve();
	}
	return failed(ret);
}
