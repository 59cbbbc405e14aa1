// SPDX-License-Identifier: MIT
/* The nodes, what the device says about itself, and the page file. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"
#include "sysgenidctl.h"

#define SYSFS "/sys/class/misc/sysgenid/"
/* As long may watchers take to confirm a generation. */
#define PATIENCE_NS INT64_C(10000000000)

/* From the file alone: a static program has no other services. */
static void group_name(gid_t gid, char *name, size_t size)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *g = NULL;

	while (f && (g = fgetgrent(f)) && g->gr_gid != gid)
		;
	if (g)
		snprintf(name, size, "%s", g->gr_name);
	else
		snprintf(name, size, "%u", (unsigned int)gid);
	if (f)
		fclose(f);
}

/* A node left over from another boot, or made by hand, may be of another device. */
static bool is_of(const struct stat *st, const char *name)
{
	char path[128], line[32];
	unsigned int major, minor;

	snprintf(path, sizeof(path), "/sys/class/misc/%s/dev", name);
	if (!first_line(path, line, sizeof(line)) ||
	    sscanf(line, "%u:%u", &major, &minor) != 2)
		return true;
	return st->st_rdev == makedev(major, minor);
}

static void examine_mode(struct doctor *d, const struct stat *st)
{
	unsigned int mode = st->st_mode & 07777;
	char group[64];

	group_name(st->st_gid, group, sizeof(group));
	if (st->st_uid != 0)
		finding(d, PROBLEM, "node", "chown root " SYSGENID_DEVICE,
			SYSGENID_DEVICE " belongs to user %u, not to root",
			(unsigned int)st->st_uid);
	else if ((mode & 0444) != 0444)
		finding(d, PROBLEM, "node", "chmod 0644 " SYSGENID_DEVICE,
			SYSGENID_DEVICE
			" has mode %04o: programs that may not read it go on unprotected, or slowly",
			mode);
	else if (mode & S_IWOTH)
		finding(d, NOTE, "node", "chmod 0664 " SYSGENID_DEVICE,
			SYSGENID_DEVICE
			" has mode %04o: everybody may have others wait for him",
			mode);
	else
		finding(d, GOOD, "node", NULL,
			SYSGENID_DEVICE " has mode %04o, group %s", mode,
			group);
}

static void examine_hw_mode(struct doctor *d)
{
	struct stat st;

	if (stat(SYSGENID_HW_DEVICE, &st))
		return;
	if (st.st_mode & (S_IROTH | S_IWOTH))
		finding(d, NOTE, "hardware node",
			"chmod 0440 " SYSGENID_HW_DEVICE,
			SYSGENID_HW_DEVICE
			" has mode %04o: everybody may read the id that feeds the kernel's random generator",
			st.st_mode & 07777);
}

/* Then examine_device() names the profile. */
static bool is_confined(const struct doctor *d)
{
	char profile[128];

	confined_by(d->root, "self", profile, sizeof(profile));
	return profile[0];
}

void examine_nodes(struct doctor *d)
{
	bool loaded = !access(SYSFS, F_OK);
	struct stat st;

	if (stat(SYSGENID_DEVICE, &st)) {
		if (errno == EACCES && is_confined(d))
			return;
		if (errno != ENOENT)
			finding(d, PROBLEM, "node", "ls -ld /dev",
				SYSGENID_DEVICE ": %s", strerror(errno));
		else if (loaded)
			finding(d, PROBLEM, "node",
				"udevadm trigger --action=add " SYSFS
				" (in a container: have it pass the device in)",
				"there is no " SYSGENID_DEVICE
				", though the module is loaded");
		return;
	}
	if (!S_ISCHR(st.st_mode) || !is_of(&st, "sysgenid")) {
		finding(d, PROBLEM, "node",
			"rm " SYSGENID_DEVICE
			" && udevadm trigger --action=add " SYSFS,
			SYSGENID_DEVICE " is something else");
		return;
	}
	examine_mode(d, &st);
	examine_hw_mode(d);
}

const char *words_for_hw_page_error(int error)
{
	switch (error) {
	case ENODEV:
		return "there is no page with a hardware id, or hw_page=off was given to the module";
	case EBUSY:
		return "other data is in the page of the hardware id (hw_page=force offers it all the same)";
	case EOPNOTSUPP:
		return "the memory of this guest is encrypted";
	default:
		return strerror(error);
	}
}

static void examine_exact(struct doctor *d, const struct sysgenid_info *i)
{
	char line[32];
	int error = 0;

	if (first_line(SYSFS "hw_page_error", line, sizeof(line)))
		error = atoi(line);
	if (i->handle & SYSGENID_HANDLE_VMCLOCK)
		finding(d, GOOD, "check", NULL,
			"exact, by vmclock: programs like this one see at once each resume that raises its generation counter");
	else if (i->handle & SYSGENID_HANDLE_EXACT)
		finding(d, GOOD, "check", NULL,
			"exact: programs like this one see a resume at once");
	else if (error)
		finding(d, NOTE, "check", NULL,
			"late by some milliseconds after a resume: %s",
			words_for_hw_page_error(error));
	else if (!access(SYSGENID_HW_DEVICE, R_OK))
		finding(d, NOTE, "check", NULL,
			"late by some milliseconds after a resume: %s cannot be mapped",
			SYSGENID_HW_DEVICE);
	else
		finding(d, NOTE, "check",
			getgrnam("sysgenid") ?
				"for an account that needs it: usermod -aG sysgenid ACCOUNT" :
				"for an account that needs it: systemd-sysusers && udevadm trigger /dev/sysgenid-hw && usermod -aG sysgenid ACCOUNT",
			"late by some milliseconds after a resume, for you: %s is for root and the group sysgenid",
			SYSGENID_HW_DEVICE);
}

static void examine_sources(struct doctor *d, const struct sysgenid_info *i)
{
	bool software = i->sources & 1u << SYSGENID_SOURCE_SOFTWARE;

	if (i->sources & 1u << SYSGENID_SOURCE_VMGENID)
		finding(d, GOOD, "sources", NULL,
			"generation %" PRIu32
			"; the VM generation id is compared%s",
			i->generation, software ? "; an agent may tell" : "");
	else if (i->sources & 1u << SYSGENID_SOURCE_VMCLOCK)
		finding(d, NOTE, "sources",
			"in each clone: sysgenidctl trigger --entropy FILE",
			"generation %" PRIu32
			"; only the counter of vmclock is compared, which is the same in all clones: it brings no entropy",
			i->generation);
	else if (i->sources & 1u << SYSGENID_SOURCE_VMFORK)
		finding(d, NOTE, "sources", NULL,
			"generation %" PRIu32
			"; it changes when the kernel tells of a resume%s",
			i->generation,
			software ? ", or an agent triggers it" : "");
	else
		finding(d, NOTE, "sources", NULL,
			"generation %" PRIu32
			"; it changes only when an agent triggers it",
			i->generation);
}

static void examine_reseed(struct doctor *d, const struct sysgenid_info *i)
{
	char line[32];
	int error = 0;

	if (first_line(SYSFS "reseed_error", line, sizeof(line)))
		error = atoi(line);
	if (!error && !(i->flags & SYSGENID_GET_RESEED_FAILED))
		finding(d, GOOD, "reseed", NULL,
			"the kernel's random generator can be reseeded");
	else if (error == EOPNOTSUPP)
		finding(d, PROBLEM, "reseed",
			"boot without fips=1, or never clone this machine; see sysgenid(7), FIPS MODE",
			"programs get their random bytes from a generator of FIPS mode that cannot be reseeded: clones may draw equal random bytes");
	else
		finding(d, PROBLEM, "reseed",
			"ls -lL /dev/urandom (character device 1, 9?), then: sysgenidctl trigger --entropy FILE",
			"the kernel's random generator could not be reseeded (%s): clones may draw equal random bytes",
			strerror(error));
}

/*
 * A part of the line in the attribute guard: "NAME: on", or "NAME: off (REASON)".
 * @without: what is left of the promise where it is off.
 */
static void examine_guard_part(struct doctor *d, const char *line,
			       const char *name, const char *on,
			       const char *without)
{
	const char *part = strstr(line, name), *reason;
	char about[32];
	size_t len;

	snprintf(about, sizeof(about), "guard, %s", name);
	part = part ? part + strlen(name) : "";
	if (!strncmp(part, ": on", 4)) {
		finding(d, GOOD, about, NULL, "%s", on);
	} else if (!strncmp(part, ": off (", 7)) {
		reason = part + 7;
		len = strcspn(reason, ")");
		finding(d, NOTE, about,
			strncmp(reason, "guard=0", len) ?
				NULL :
				"load the module without guard=0 (/etc/modprobe.d, the kernel's command line)",
			"off (%.*s): %s", (int)len, reason, without);
	} else {
		finding(d, NOTE, about, NULL,
			SYSFS "guard does not tell whether it is on: %s",
			*line ? line : "it cannot be read");
	}
}

static void examine_guard(struct doctor *d)
{
	char line[256];

	first_line(SYSFS "guard", line, sizeof(line));
	examine_guard_part(
		d, line, "interrupts",
		"each interrupt compares the hardware id: a mapped counter is new after the first one",
		"a mapped counter is late by some milliseconds after a resume");
	examine_guard_part(
		d, line, "generator",
		"the kernel's random generator compares the hardware id before it draws",
		"the first random bytes after a resume can be those of another clone");
	examine_guard_part(
		d, line, "reseeds",
		"a reseed that the resume interrupted is repeated at once",
		"a reseed that the resume interrupted is repeated some time later");
}

/* The attribute gate; not there with an older module, and not armed nothing to tell. */
static void examine_gate(struct doctor *d, const struct sysgenid_info *i)
{
	char line[256];

	if (!(i->features & SYSGENID_FEATURE_GATE))
		return;
	if (!first_line(SYSFS "gate", line, sizeof(line))) {
		finding(d, UNSEEN, "gate", NULL,
			SYSFS "gate cannot be read: the gate may be shut");
		return;
	}
	if (!strncmp(line, "shut;", 5))
		finding(d, NOTE, "gate", "sysgenidctl gate open",
			"the gate in the kernel is shut, and drops packets (%s)",
			line);
	else if (!strncmp(line, "open;", 5))
		finding(d, GOOD, "gate", NULL,
			"the gate in the kernel is armed, and open");
	if (strstr(line, "IP only") && strncmp(line, "disarmed;", 9))
		finding(d, NOTE, "gate", NULL,
			"packet sockets and ARP send while the gate is shut: this kernel has no CONFIG_NETFILTER_EGRESS");
}

static void examine_watchers(struct doctor *d, const struct sysgenid_info *i)
{
	struct timespec ts;
	int64_t age;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	age = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec - (int64_t)i->time;
	if (!i->outdated)
		finding(d, GOOD, "watchers", NULL,
			"%" PRIu32 " are tracked, and none is outdated",
			i->watchers);
	else
		finding(d, age > PATIENCE_NS ? PROBLEM : NOTE, "watchers",
			"sysgenidctl watchers --outdated, and restart those",
			"%" PRIu32 " of %" PRIu32
			" have not confirmed generation %" PRIu32 ", %" PRId64
			" s after it came",
			i->outdated, i->watchers, i->generation,
			age / 1000000000);
}

/* The mode of the node lets everybody read it, or a profile hides the mode, too. */
static bool denied_by_profile(struct doctor *d)
{
	char profile[128], fix[1024];
	struct stat st;

	confined_by(d->root, "self", profile, sizeof(profile));
	if (!profile[0])
		return false;
	if (stat(SYSGENID_DEVICE, &st) ? errno != EACCES :
					 (st.st_mode & 0444) != 0444)
		return false;
	allow_in_profile(d->root, profile, fix, sizeof(fix));
	finding(d, PROBLEM, "device", fix,
		"the AppArmor profile %s keeps " SYSGENID_DEVICE " from you",
		profile);
	return true;
}

static void explain_open(struct doctor *d, int error)
{
	switch (error) {
	case -ENOENT:
		/* Said already: no module, no node. */
		break;
	case -ENODEV:
		finding(d, PROBLEM, "device",
			"ls -l " SYSGENID_DEVICE
			" && modprobe -r sysgenid && modprobe sysgenid",
			SYSGENID_DEVICE " is not a sysgenid device");
		break;
	case -EPERM:
		finding(d, PROBLEM, "device",
			"in a systemd unit: DeviceAllow=" SYSGENID_DEVICE
			" rw; in a container: pass the device in",
			"a sandbox or container keeps " SYSGENID_DEVICE
			" from you");
		break;
	case -EACCES:
		if (denied_by_profile(d))
			break;
		/* fallthrough */
	default:
		finding(d, PROBLEM, "device", "ls -l " SYSGENID_DEVICE,
			SYSGENID_DEVICE ": %s", strerror(-error));
	}
}

void examine_device(struct doctor *d)
{
	struct sysgenid_info i;
	struct sysgenid *g;
	int r = sysgenid_open(&g, 0);

	if (r) {
		explain_open(d, r);
		return;
	}
	r = sysgenid_get_info(g, &i, sizeof(i));
	sysgenid_close(g);
	if (r) {
		explain_open(d, r);
	} else if (i.handle & SYSGENID_HANDLE_OLD_DRIVER) {
		finding(d, NOTE, "device",
			"modprobe -r the older module, and modprobe sysgenid",
			"an older driver (SysGenID v6 to v8): answers can be late, and it tells no more");
	} else {
		examine_sources(d, &i);
		examine_exact(d, &i);
		examine_reseed(d, &i);
		examine_guard(d);
		examine_gate(d, &i);
		examine_watchers(d, &i);
	}
}

void examine_page_file(struct doctor *d)
{
	if (d->soft)
		finding(d, NOTE, "page file", NULL,
			"a publisher keeps " SYSGENID_SOFT_FOLDER
			"/" SYSGENID_SOFT_PAGE
			"; only programs that open with SYSGENID_OPEN_SOFT use it");
	else if (access(SYSGENID_SOFT_FOLDER "/" SYSGENID_SOFT_PAGE, F_OK))
		return;
	else if (!access(SYSGENID_DEVICE, F_OK))
		finding(d, NOTE, "page file", NULL,
			SYSGENID_SOFT_FOLDER
			"/" SYSGENID_SOFT_PAGE
			" is not used, as there is a device");
	else
		finding(d, PROBLEM, "page file",
			"start the publisher again: sysgenidctl publish",
			SYSGENID_SOFT_FOLDER
			"/" SYSGENID_SOFT_PAGE
			" has no living publisher, or is not root's alone");
}
