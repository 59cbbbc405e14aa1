// SPDX-License-Identifier: MIT
/* What programs see that cannot open the node: sysfs and uevents. And the instance id. */
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "conformance.h"

#define SYSFS "/sys/class/misc/sysgenid/"

enum { PATIENCE_MS = 20000, MANY = 40 };

static uint32_t trigger_with(const char *entropy)
{
	struct sysgenid_trigger_args arg = {
		.size = sizeof(arg),
		.expected = current_generation(),
		.entropy = (uintptr_t)entropy,
		.entropy_len = (uint32_t)strlen(entropy),
	};
	int fd = open_ro();

	EXPECT_EQ(0, ioctl(fd, SYSGENID_TRIGGER, &arg));
	EXPECT_EQ(1, arg.published);
	close(fd);
	return arg.generation;
}

/* Bytes of the attribute, or -1. */
static ssize_t attribute(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int error;

	EXPECT(fd >= 0);
	n = read(fd, text, size - 1);
	error = errno;
	close(fd);
	text[n < 0 ? 0 : n] = 0;
	errno = error;
	return n;
}

/* The instance id as every place has it; an all-zero one is none. */
static void instance_id_everywhere(uint8_t id[SYSGENID_INSTANCE_SIZE])
{
	static const uint8_t none[SYSGENID_INSTANCE_SIZE];
	const volatile struct sysgenid_page *page =
		(const volatile void *)map_counter();
	struct sysgenid_get_args answer;
	char text[64], want[64];
	bool there;
	int i;

	EXPECT_EQ(0, get(open_ro(), &answer));
	there = answer.flags & SYSGENID_GET_INSTANCE;
	EXPECT_EQ(there, page->flags & SYSGENID_PAGE_INSTANCE);
	for (i = 0; i < SYSGENID_INSTANCE_SIZE; i++) {
		EXPECT_EQ(answer.instance_id[i], page->instance_id[i]);
		sprintf(want + 2 * i, "%02x", answer.instance_id[i]);
	}
	memcpy(id, answer.instance_id, sizeof(none));
	EXPECT_EQ(there, !!memcmp(id, none, sizeof(none)));
	if (there) {
		EXPECT_EQ(33, attribute(SYSFS "id", text, sizeof(text)));
		EXPECT(!strncmp(text, want, 32) && text[32] == '\n');
	} else {
		EXPECT_ERR(ENODATA, attribute(SYSFS "id", text, sizeof(text)));
	}
}

void instance_id(void)
{
	static const uint8_t none[SYSGENID_INSTANCE_SIZE];
	uint8_t first[SYSGENID_INSTANCE_SIZE], second[SYSGENID_INSTANCE_SIZE];
	struct sysgenid_get_args answer;
	struct {
		uint32_t size;
		char rest[44];
		uint64_t behind;
	} old = { .size = 48, .behind = 7 };

	EXPECT_EQ(0, get(open_ro(), &answer));
	if (answer.flags & SYSGENID_GET_RESEED_FAILED)
		skip("the kernel's random generator cannot be reseeded");
	trigger_with("one");
	instance_id_everywhere(first);
	EXPECT(memcmp(first, none, sizeof(none)));
	instance_id_everywhere(second);
	EXPECT(!memcmp(first, second, sizeof(none)));
	trigger_with("one");
	instance_id_everywhere(second);
	EXPECT(memcmp(first, second, sizeof(none)));
	EXPECT(memcmp(second, none, sizeof(none)));

	/* A program of the first version gets no byte more. */
	EXPECT_EQ(0, ioctl(open_ro(), SYSGENID_GET, &old));
	EXPECT_EQ(48, old.size);
	EXPECT_EQ(7, old.behind);

	/* Siblings that trigger without entropy may be alike in all. */
	trigger_with("");
	instance_id_everywhere(first);
	EXPECT(!memcmp(first, none, sizeof(none)));
	trigger_with("two");
	trigger();
	instance_id_everywhere(first);
	EXPECT(!memcmp(first, none, sizeof(none)));
}

void attribute_is_polled(void)
{
	struct pollfd p = { .fd = open(SYSFS "generation", O_RDONLY),
			    .events = POLLPRI };
	char text[16];
	uint32_t now;

	EXPECT(p.fd >= 0);
	now = current_generation();
	EXPECT(pread(p.fd, text, sizeof(text), 0) > 0);
	EXPECT_EQ(now, atol(text));
	/* What earlier cases published may still be on its way. */
	while (poll(&p, 1, 1000))
		EXPECT(pread(p.fd, text, sizeof(text), 0) > 0);
	trigger();
	EXPECT_EQ(1, poll(&p, 1, PATIENCE_MS));
	EXPECT(p.revents & POLLPRI);
	EXPECT(pread(p.fd, text, sizeof(text), 0) > 0);
	EXPECT_EQ(now + 1, atol(text));
}

/* The next uevent of ours within a time: its generation; or -1. Checks the rest. */
static int64_t next_uevent(int fd, int timeout_ms)
{
	double end = seconds() + timeout_ms / 1000.0;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char text[4096];

	while (seconds() < end) {
		int64_t generation = -1;
		bool source = false;
		ssize_t n;

		if (poll(&p, 1, timeout_ms) <= 0)
			break;
		n = recv(fd, text, sizeof(text) - 1, 0);
		EXPECT(n > 0);
		text[n] = 0;
		if (strcmp(text, "change@/devices/virtual/misc/sysgenid"))
			continue;
		for (char *s = text; s < text + n; s += strlen(s) + 1) {
			if (!strncmp(s, "SYSGENID_GENERATION=", 20))
				generation = atoll(s + 20);
			source |= !strcmp(s, "SYSGENID_SOURCE=software");
		}
		EXPECT(source);
		EXPECT(generation >= 0);
		return generation;
	}
	return -1;
}

void uevents(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK,
				       .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
			NETLINK_KOBJECT_UEVENT);
	int64_t got, last = -1;
	int i, count = 0;

	EXPECT(fd >= 0);
	EXPECT_EQ(0, bind(fd, (struct sockaddr *)&address, sizeof(address)));
	/* Nothing of earlier cases is left to be sent. */
	while (next_uevent(fd, 7000) >= 0)
		;
	trigger();
	EXPECT_EQ(current_generation(), next_uevent(fd, PATIENCE_MS));
	trigger();
	EXPECT_EQ(current_generation(), next_uevent(fd, PATIENCE_MS));

	for (i = 0; i < MANY; i++)
		trigger();
	while (last != current_generation()) {
		got = next_uevent(fd, PATIENCE_MS);
		EXPECT(got > last);
		last = got;
		count++;
	}
	EXPECT(count < MANY / 2);
	EXPECT_EQ(-1, next_uevent(fd, 2000));
}
