// SPDX-License-Identifier: MIT
/* The kernel, what the hypervisor offers it, and the module. */
#define _GNU_SOURCE
#include <dirent.h>
#include <ftw.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#include <sysgenid.h>

#include "doctor.h"

/*
 * An option that depends on one that is off is not even mentioned: what a whole
 * configuration does not name is off.
 */
char config_value(FILE *config, const char *option)
{
	size_t len = strlen(option);
	char line[512], value = 0;

	while (fgets(line, sizeof(line), config)) {
		if (!strncmp(line, option, len) && line[len] == '=')
			return line[len + 1];
		if (!strncmp(line, "CONFIG_MODULES=", 15))
			value = 'n';
	}
	return value;
}

static char own_driver(void)
{
	char path[256], value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/boot/config-%s", kernel_release());
	f = fopen(path, "re");
	if (f) {
		value = config_value(f, "CONFIG_VMGENID");
		fclose(f);
	}
	if (value || access("/proc/config.gz", R_OK))
		return value;
	f = popen("gzip -dc /proc/config.gz 2>/dev/null", "re");
	if (f) {
		value = config_value(f, "CONFIG_VMGENID");
		pclose(f);
	}
	return value;
}

/* A driver's directory has a link to each device that it serves. */
static bool is_bound(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	bool bound = false;

	if (!d)
		return false;
	while ((e = readdir(d)))
		bound |= e->d_type == DT_LNK && strcmp(e->d_name, "module");
	closedir(d);
	return bound;
}

static void examine_own_driver(struct doctor *d)
{
	if (is_bound("/sys/bus/acpi/drivers/vmgenid") ||
	    is_bound("/sys/bus/platform/drivers/vmgenid"))
		finding(d, GOOD, "in-tree driver", NULL,
			"the kernel's own driver serves the VM generation id, too, and reseeds its random generator");
	else
		finding(d, GOOD, "in-tree driver", NULL,
			"none at work: it is the sysgenid module that reseeds the kernel's random generator");
}

/* ACPI: where the device is, or false. */
static bool find_by_acpi(const char *root, char *where, size_t size)
{
	char pattern[512], modalias[512], path[512];
	bool found = false;
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%s/sys/bus/acpi/devices/*/modalias",
		 root);
	if (glob(pattern, 0, NULL, &g))
		return false;
	for (size_t i = 0; i < g.gl_pathc && !found; i++) {
		if (!first_line(g.gl_pathv[i], modalias, sizeof(modalias)))
			continue;
		found = strcasestr(modalias, "VM_GEN_COUNTER") ||
			strcasestr(modalias, "VMGENCTR");
		if (!found)
			continue;
		snprintf(path, sizeof(path), "%.*s/path",
			 (int)(strlen(g.gl_pathv[i]) - strlen("/modalias")),
			 g.gl_pathv[i]);
		if (!first_line(path, where, size))
			snprintf(where, size, "%s", "without a path");
	}
	globfree(&g);
	return found;
}

#define DEVICETREE "/sys/firmware/devicetree/base"

/* The property is a list of strings, each with a 0 at its end. */
static bool is_compatible(const char *path, const char *compatible)
{
	char list[1024];
	FILE *f = fopen(path, "re");
	size_t n, len;

	if (!f)
		return false;
	n = fread(list, 1, sizeof(list) - 1, f);
	fclose(f);
	list[n] = 0;
	for (size_t i = 0; i < n; i += len + 1) {
		len = strlen(list + i);
		if (!strcmp(list + i, compatible))
			return true;
	}
	return false;
}

/* Of the walk that is under way: nftw(3) hands nothing to its function. */
static char node[512];

static int look_at_property(const char *path, const struct stat *st, int type,
			    struct FTW *ftw)
{
	(void)st;
	if (type != FTW_F || strcmp(path + ftw->base, "compatible") ||
	    !is_compatible(path, "microsoft,vmgenid"))
		return 0;
	snprintf(node, sizeof(node), "%.*s", ftw->base - 1, path);
	return 1;
}

/* Devicetree: which node it is, or false. */
static bool find_by_devicetree(const char *root, char *where, size_t size)
{
	char top[512];

	snprintf(top, sizeof(top), "%s" DEVICETREE, root);
	if (nftw(top, look_at_property, 8, FTW_PHYS) != 1)
		return false;
	snprintf(where, size, "%s", node + strlen(top));
	return true;
}

/* A clone has the devices of its source, which had none. */
#define SOURCE_WITH_ID                                                         \
	"start the machine with one, before it is snapshotted (QEMU: -device " \
	"vmgenid,guid=auto)"

void examine_hardware_id(struct doctor *d)
{
	char where[256], sources[128];

	first_line("/sys/class/misc/sysgenid/sources", sources,
		   sizeof(sources));
	if (find_by_acpi(d->root, where, sizeof(where)))
		finding(d, GOOD, "hypervisor", NULL,
			"offers a VM generation id (ACPI %s)", where);
	else if (find_by_devicetree(d->root, where, sizeof(where)))
		finding(d, GOOD, "hypervisor", NULL,
			"offers a VM generation id (devicetree %s)", where);
	else if (strstr(sources, "vmgenid") ||
		 d->sources & 1u << SYSGENID_SOURCE_VMGENID)
		finding(d, GOOD, "hypervisor", NULL,
			"offers a VM generation id, as the module says");
	else if (strstr(sources, "vmclock") ||
		 d->sources & 1u << SYSGENID_SOURCE_VMCLOCK)
		finding(d, NOTE, "hypervisor", SOURCE_WITH_ID,
			"offers a generation counter (vmclock), and no VM generation id: clones get no entropy");
	else if (strstr(sources, "software") || d->soft || d->answers)
		finding(d, NOTE, "hypervisor", SOURCE_WITH_ID,
			"offers no VM generation id: an agent has to tell of each resume");
	else
		finding(d, PROBLEM, "hypervisor",
			SOURCE_WITH_ID
			", or have an agent tell: modprobe sysgenid software=1",
			"offers no VM generation id: a clone has the devices that its source had, so that one for the clone alone changes nothing");
}

void examine_kernel(struct doctor *d)
{
	const char *release = kernel_release();
	const char *own;
	int major = 0, minor = 0;

	switch (own_driver()) {
	case 'y':
		own = "built in";
		break;
	case 'm':
		own = "a module";
		break;
	case 'n':
		own = "left out";
		break;
	default:
		own = "unknown";
	}
	sscanf(release, "%d.%d", &major, &minor);
	if (major < 5 || (major == 5 && minor < 10))
		finding(d, PROBLEM, "kernel", "install a newer kernel",
			"%s is older than 5.10", release);
	else
		finding(d, GOOD, "kernel", NULL,
			"%s; its own driver for the VM generation id: %s",
			release, own);
	examine_own_driver(d);
	examine_hardware_id(d);
}

/* The module's file for this kernel, as depmod(8) knows it. */
static bool find_module(char *path, size_t size)
{
	char line[4096], *end;
	bool found = false;
	FILE *f;

	snprintf(path, size, "/lib/modules/%s/modules.dep", kernel_release());
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		end = strchr(line, ':');
		if (!end)
			continue;
		*end = 0;
		found = !strncmp(line, "sysgenid.ko", 11) ||
			strstr(line, "/sysgenid.ko");
		if (found)
			snprintf(path, size, "/lib/modules/%s/%.2048s",
				 kernel_release(), line);
	}
	fclose(f);
	return found;
}

void headers_of(const char *release, const char *documents, char *text,
		size_t size)
{
	char image[512];

	snprintf(image, sizeof(image), "%s/linux-image-%s", documents, release);
	/* Only a kernel that came as a package has a package of headers. */
	if (!access(image, F_OK))
		snprintf(text, size, "apt install linux-headers-%s", release);
	else
		snprintf(
			text, size,
			"install the headers that this kernel was built with, so that /lib/modules/%s/build leads there",
			release);
}

/* What to do where there is no module for this kernel. */
static void build_module(char *fix, size_t size)
{
	const char *release = kernel_release();
	char path[128], headers[256];

	snprintf(path, sizeof(path), "/lib/modules/%s/build", release);
	headers_of(release, "/usr/share/doc", headers, sizeof(headers));
	if (access("/usr/sbin/dkms", X_OK) && access("/usr/bin/dkms", X_OK))
		snprintf(
			fix, size,
			"install dkms; %s; then dkms add and dkms install the sources of sysgenid; where no module can be loaded: sysgenidctl publish",
			headers);
	else if (access(path, F_OK))
		snprintf(
			fix, size,
			"%s; then: dkms autoinstall -k %s && modprobe sysgenid",
			headers, release);
	else if (access("/var/lib/dkms/sysgenid", F_OK))
		snprintf(
			fix, size,
			"dkms add and dkms install the sources of sysgenid, then modprobe sysgenid");
	else
		snprintf(fix, size,
			 "dkms autoinstall -k %s && modprobe sysgenid",
			 release);
}

void examine_module(struct doctor *d)
{
	bool loaded = !access("/sys/module/sysgenid", F_OK);
	char path[4096], version[64], fix[512];
	bool there = find_module(path, sizeof(path));

	first_line("/sys/module/sysgenid/version", version, sizeof(version));
	build_module(fix, sizeof(fix));
	if (loaded)
		finding(d, GOOD, "module", NULL, "sysgenid %s is loaded",
			version[0] ? version : "(of unknown version)");
	else if (d->answers)
		finding(d, GOOD, "module", NULL,
			"the device answers; /sys/module does not show whose module it is%s",
			in_container(d->root) ? ", as this is a container" :
						"");
	else if (d->soft)
		finding(d, NOTE, "module", NULL,
			"not loaded; a publisher stands in for it, which promises less");
	else if (in_container(d->root))
		finding(d, PROBLEM, "module",
			"on the host: modprobe sysgenid; then pass " SYSGENID_DEVICE
			" in (docker, podman: --device " SYSGENID_DEVICE
			"; systemd-nspawn: see sysgenid(7))",
			"not visible in this container, which cannot load one");
	else if (there)
		finding(d, PROBLEM, "module", "modprobe sysgenid",
			"not loaded, but there (%s)", path);
	else
		finding(d, PROBLEM, "module", fix,
			"not loaded, and there is none for this kernel");
	/* Others sign the module of the host. */
	if (!in_container(d->root) && (loaded || !d->answers))
		examine_signature(d, loaded, there ? path : NULL);
}
