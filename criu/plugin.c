// SPDX-License-Identifier: MIT
/*
 * The plugin of criu(8): what it calls, and when. sysgenid-criu(7) says what users see.
 *
 * A dump marks the image as begun, notes clients as it meets them, and at its end the
 * generation. A restore makes a new generation, or reseeds, before any process is made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <criu/criu-plugin.h>
#include <criu/version.h>
#include <sysgenid/abi.h>

#include "image.h"
#include "nodes.h"
#include "renew.h"
#include "report.h"
#include "settings.h"
#include "tracees.h"
#include "vdso.h"
#include "running.h"

/* What a program may have asked for at open(2), or set with fcntl(2). */
#define KEPT_FLAGS (O_ACCMODE | O_APPEND | O_NONBLOCK | O_LARGEFILE)

static bool dumps, has_clients;

/* Of criu 4.1 and later: a restore without the plugins of that list fails. */
__attribute__((weak)) extern int add_inventory_plugin(const char *name);

static int note_client(void)
{
	if (dumps && !has_clients && add_inventory_plugin &&
	    add_inventory_plugin("sysgenid"))
		return -ENOMEM;
	has_clients = true;
	return 0;
}

static int check_version(void)
{
	unsigned int major, minor;
	int r = running_version(&major, &minor);

	if (r) {
		report(REPORT_ERROR, "which criu runs cannot be found out: %s",
		       strerror(-r));
		return -1;
	}
	if (major == CRIU_VERSION_MAJOR && minor == CRIU_VERSION_MINOR)
		return 0;
	report(REPORT_ERROR,
	       "this plugin is for criu %d.%d, and not for %u.%u: install the sysgenid-criu of this criu",
	       CRIU_VERSION_MAJOR, CRIU_VERSION_MINOR, major, minor);
	return -1;
}

/* No file: a generation cannot have been seen, as the module is not loaded. */
static int read_generation(uint32_t *generation)
{
	struct sysgenid_get_args get = { .size = sizeof(get) };
	int fd = open(SYSGENID_DEVICE, O_RDONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, SYSGENID_GET, &get))
		r = -errno;
	close(fd);
	*generation = get.generation;
	return r;
}

static int begin_dump(void)
{
	const struct image_tree begun = { .complete = false };
	int r = image_write_tree(criu_get_image_dir(), &begun);

	if (r)
		report(REPORT_ERROR, "sysgenid.img: %s", strerror(-r));
	dumps = true;
	return r ? -1 : 0;
}

/* All programs of the tree still stand. Without a complete image no restore succeeds. */
static void end_dump(void)
{
	struct image_tree tree = { .complete = true, .clients = has_clients };
	int r;

	if (!tree.clients) {
		r = tracees_have_attribute();
		if (r < 0) {
			report(REPORT_WARNING,
			       "who has attributes open cannot be found out (%s): taken for clients",
			       strerror(-r));
			r = access("/sys/class/misc/sysgenid", F_OK) == 0;
		}
		tree.clients = r;
	}
	r = tree.clients ? read_generation(&tree.generation) : 0;
	if (!r)
		r = image_write_tree(criu_get_image_dir(), &tree);
	if (r)
		report(REPORT_ERROR,
		       "sysgenid.img: %s; this image will not be restored",
		       strerror(-r));
}

static int renew(const struct image_tree *tree, char *why, size_t size)
{
	uint32_t generation;
	int r;

	if (!tree->complete) {
		snprintf(why, size, "the dump of this image did not end");
		return -EBADMSG;
	}
	if (!tree->clients)
		return renew_generator(why, size);
	r = renew_generation(tree->generation, &generation, why, size);
	if (!r)
		report(REPORT_INFO,
		       "generation %" PRIu32 ", and %" PRIu32 " in the image",
		       generation, tree->generation);
	return r;
}

/* An image without our file was made without this plugin, and has no client. */
static int begin_restore(void)
{
	struct image_tree tree = { .complete = true };
	char why[512] = "";
	struct settings s;
	int r;

	if (!settings_read(&s, SETTINGS_PATH, why, sizeof(why))) {
		report(REPORT_ERROR, "%s", why);
		return -1;
	}
	r = image_read_tree(criu_get_image_dir(), &tree);
	if (r && r != -ENOENT)
		snprintf(why, sizeof(why), "sysgenid.img: %s", strerror(-r));
	else
		r = renew(&tree, why, sizeof(why));
	if (!r)
		return 0;
	report(s.go_on ? REPORT_WARNING : REPORT_ERROR,
	       "%s; programs of this image could draw the same random bytes again",
	       why);
	if (!s.go_on)
		report(REPORT_ERROR, "without-trigger = go-on in " SETTINGS_PATH
				     " restores all the same");
	return s.go_on ? 0 : -1;
}

static int plugin_init(int stage)
{
	int r;

	if (check_version())
		return -1;
	r = nodes_find();
	if (r) {
		report(REPORT_ERROR, "/sys/class/misc: %s", strerror(-r));
		return -1;
	}
	dumps = has_clients = false;
	if (stage == CR_PLUGIN_STAGE__DUMP)
		return begin_dump();
	return stage == CR_PLUGIN_STAGE__RESTORE ? begin_restore() : 0;
}

static void plugin_exit(int stage, int ret)
{
	if (stage == CR_PLUGIN_STAGE__DUMP && dumps && !ret)
		end_dump();
}

static int dump_file(int fd, int id)
{
	struct sysgenid_get_args get = { .size = sizeof(get) };
	struct image_file file = { .tracked = false };
	char link[64];
	struct stat st;
	enum node node;
	ssize_t len;
	int r;

	if (fstat(fd, &st))
		return -errno;
	node = node_of(&st);
	if (node == NODE_NONE)
		return -ENOTSUP;
	if (note_client())
		return -ENOMEM;
	if (node == NODE_COUNTER) {
		if (ioctl(fd, SYSGENID_GET, &get))
			return -errno;
		file.tracked = get.flags & SYSGENID_GET_TRACKED;
	}
	r = fcntl(fd, F_GETFL);
	if (r < 0)
		return -errno;
	file.flags = (unsigned int)r & KEPT_FLAGS;
	/* As the program sees it: the root of its mounts is where the path begins. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, file.path, sizeof(file.path) - 1);
	if (len < 0)
		return -errno;
	file.path[len] = 0;
	r = image_write_file(criu_get_image_dir(), id, &file);
	if (r)
		report(REPORT_ERROR, "sysgenid-%d.img: %s", id, strerror(-r));
	/* -ENOTSUP would mean that the file is not ours. */
	return r == -ENOTSUP ? -EIO : r;
}
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__DUMP_EXT_FILE, dump_file)

/* In the program that is restored, in its mount namespace. */
static int open_again(const struct image_file *file)
{
	struct sysgenid_declare_args declare = {
		.size = sizeof(declare),
		.flags = SYSGENID_DECLARE_UNKNOWN,
	};
	struct stat st;
	enum node node;
	int fd, r = 0;

	fd = open(file->path, (int)(file->flags & KEPT_FLAGS) | O_NOCTTY);
	if (fd < 0)
		return -errno;
	node = fstat(fd, &st) ? NODE_NONE : node_of(&st);
	if (node == NODE_NONE)
		r = -ENODEV;
	else if (node == NODE_COUNTER &&
		 (ioctl(fd, SYSGENID_DECLARE, &declare) ||
		  (file->tracked &&
		   ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 1))))
		r = -errno;
	if (!r)
		return fd;
	close(fd);
	return r;
}

static int restore_id(int id)
{
	struct image_file file = { .path = "" };
	int r = image_read_file(criu_get_image_dir(), id, &file);

	/* Of another plugin. */
	if (r == -ENOENT)
		return -ENOTSUP;
	if (!r)
		r = open_again(&file);
	if (r < 0)
		report(REPORT_ERROR, "sysgenid-%d.img: %s: %s", id, file.path,
		       strerror(-r));
	return r == -ENOTSUP ? -EIO : r;
}

#ifdef CRIU_RETRIES
static int restore_file(int id, bool *retry_needed)
{
	*retry_needed = false;
	return restore_id(id);
}
#else
static int restore_file(int id)
{
	return restore_id(id);
}
#endif
static CR_PLUGIN_HOOK__RESTORE_EXT_FILE_t restore_file;
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__RESTORE_EXT_FILE, restore_file)

/* Mapped by path again. The pages are the machine's: nothing of them is saved. */
static int dump_mapping(int fd, const struct stat *st)
{
	(void)fd;
	if (node_of(st) == NODE_NONE)
		return -ENOTSUP;
	return note_client();
}
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__HANDLE_DEVICE_VMA, dump_mapping)

/*
 * Each process is whole, and has not run. criu(8) does not look at a failure. So a
 * process that must not run is killed, and the restore fails with that. -ENOTSUP has
 * criu ask other plugins, too.
 */
static int before_resume(int pid)
{
	int r = vdso_drop(pid);

	if (r) {
		report(REPORT_ERROR,
		       "process %d: the state of its getrandom(3) cannot be cleared (%s): killed",
		       pid, strerror(-r));
		kill(pid, SIGKILL);
	}
	return -ENOTSUP;
}
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__RESUME_DEVICES_LATE, before_resume)

CR_PLUGIN_REGISTER("sysgenid", plugin_init, plugin_exit)
