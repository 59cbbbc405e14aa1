// SPDX-License-Identifier: MIT
/*
 * Which programs have a random generator of their own. The names of the files
 * that they have mapped as code tell, and of what is linked into a program, marks
 * in certain sections. Whether a generator was drawn from cannot be seen.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sysgenid.h>

#include "doctor.h"
#include "generators.h"

/* In a file smaller than this there is no cryptographic library. */
#define MARKS_FROM (1 << 20)
/* Of a section no more is read than this. */
#define READ_MAX (64 << 20)
#define CHUNK	 (1 << 20)
/* Longer than any mark. */
#define OVERLAP 64

/* Those that are files of their own. */
#define LIBRARIES ((1u << GENERATOR_JVM) - 1)

static const struct {
	const char *name;
	/* How the name of a file begins, and what may not follow. */
	const char *files[4];
} generators[GENERATORS] = {
	[GENERATOR_OPENSSL] = { "OpenSSL", { "libcrypto.so", "libcrypto-" } },
	[GENERATOR_OWN_OPENSSL] = { "an OpenSSL of their own", { NULL } },
	[GENERATOR_BORINGSSL] = { "BoringSSL or AWS-LC",
				  { "libboringssl", "libaws-lc" } },
	[GENERATOR_GNUTLS] = { "GnuTLS", { "libgnutls.so" } },
	[GENERATOR_LIBGCRYPT] = { "libgcrypt", { "libgcrypt.so" } },
	[GENERATOR_NSS] = { "NSS",
			    { "libfreebl", "libsoftokn3.so", "libnss3.so" } },
	[GENERATOR_MBEDTLS] = { "mbed TLS",
				{ "libmbedcrypto.so", "libtfpsacrypto.so" } },
	[GENERATOR_WOLFSSL] = { "wolfSSL", { "libwolfssl.so" } },
	[GENERATOR_LIBBSD] = { "libbsd", { "libbsd.so" } },
	[GENERATOR_JVM] = { "a Java machine", { "libjvm.so" } },
	[GENERATOR_GO] = { "the Go runtime", { NULL } },
	[GENERATOR_NODE] = { "Node.js", { "node", "libnode.so" } },
	[GENERATOR_PYTHON] = { "Python", { "python3", "libpython3" } },
	[GENERATOR_PERL] = { "Perl", { "perl", "libperl.so" } },
	[GENERATOR_RUBY] = { "Ruby", { "ruby", "libruby" } },
	[GENERATOR_PHP] = { "PHP", { "php", "libphp" } },
	[GENERATOR_ERLANG] = { "Erlang", { "beam.smp" } },
	[GENERATOR_REDIS] = { "Redis",
			      { "redis-server", "redis-check-rdb",
				"valkey-server", "valkey-check-rdb" } },
};

const char *generator_name(enum generator g)
{
	return generators[g].name;
}

/* Not "nodefoo" for "node", but "node18", "node-22" and "libnode.so.109". */
static bool begins(const char *name, const char *with)
{
	size_t len = strlen(with);

	return !strncmp(name, with, len) &&
	       (!isalpha((unsigned char)name[len]) ||
		!strcmp(with, "libfreebl"));
}

static unsigned int by_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	unsigned int has = 0;

	for (int g = 0; slash && g < GENERATORS; g++)
		for (int i = 0; i < 4 && generators[g].files[i]; i++)
			if (begins(slash + 1, generators[g].files[i]))
				has |= 1u << g;
	return has;
}

/* ---- what is in a file ---- */

struct section {
	char name[32];
	uint64_t offset, size;
};

struct elf {
	int fd;
	bool wide;
	uint64_t size;
	uint64_t headers;
	unsigned int count, names;
	size_t entry;
};

/* Of a file that is cut off, or is another one meanwhile: -EIO. */
static int read_at(const struct elf *e, void *to, size_t len, uint64_t offset)
{
	ssize_t n;

	if (offset > (uint64_t)INT64_MAX - len)
		return -EIO;
	n = pread(e->fd, to, len, (off_t)offset);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* 1, 0 if it is no program, or -errno. */
static int open_elf(struct elf *e)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf64_Ehdr wide;
		Elf32_Ehdr narrow;
	} h;
	const uint16_t one = 1;
	int r = read_at(e, &h.ident, sizeof(h.ident), 0);

	if (r || memcmp(h.ident, ELFMAG, SELFMAG))
		return r == -EIO ? 0 : r;
	e->wide = h.ident[EI_CLASS] == ELFCLASS64;
	if (h.ident[EI_DATA] !=
	    (*(const unsigned char *)&one ? ELFDATA2LSB : ELFDATA2MSB))
		return 0;
	r = read_at(e, &h, e->wide ? sizeof(h.wide) : sizeof(h.narrow), 0);
	if (r)
		return r;
	e->headers = e->wide ? h.wide.e_shoff : h.narrow.e_shoff;
	e->count = e->wide ? h.wide.e_shnum : h.narrow.e_shnum;
	e->names = e->wide ? h.wide.e_shstrndx : h.narrow.e_shstrndx;
	e->entry = e->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	return 1;
}

static int read_header(const struct elf *e, unsigned int i, struct section *s,
		       uint32_t *name)
{
	union {
		Elf64_Shdr wide;
		Elf32_Shdr narrow;
	} h;
	int r = read_at(e, &h, e->entry, e->headers + i * e->entry);

	if (r)
		return r;
	*name = e->wide ? h.wide.sh_name : h.narrow.sh_name;
	s->offset = e->wide ? h.wide.sh_offset : h.narrow.sh_offset;
	s->size = e->wide ? h.wide.sh_size : h.narrow.sh_size;
	if ((e->wide ? h.wide.sh_type : h.narrow.sh_type) == SHT_NOBITS)
		s->size = 0;
	return 0;
}

static int read_section(const struct elf *e, unsigned int i,
			const struct section *names, struct section *s)
{
	uint32_t name;
	int r = read_header(e, i, s, &name);

	memset(s->name, 0, sizeof(s->name));
	if (r || name >= names->size)
		return r;
	/* As much as there is: the table may end here. */
	if (pread(e->fd, s->name, sizeof(s->name) - 1,
		  (off_t)(names->offset + name)) < 0)
		return -errno;
	return 0;
}

struct mark {
	const char *text;
	int bit;
};

/* Bits of the marks that are in it; -EFBIG if it is too large and has none. */
static int search(const struct elf *e, const struct section *s,
		  const struct mark *marks, size_t n)
{
	uint64_t end = s->size < READ_MAX ? s->size : READ_MAX;
	char *chunk = malloc(CHUNK + OVERLAP);
	int found = 0, r = chunk ? 0 : -ENOMEM;

	for (uint64_t at = 0; !r && at < end; at += CHUNK) {
		uint64_t rest = end - at;
		size_t len = rest < CHUNK + OVERLAP ? (size_t)rest :
						      CHUNK + OVERLAP;

		r = read_at(e, chunk, len, s->offset + at);
		for (size_t i = 0; !r && i < n; i++)
			if (memmem(chunk, len, marks[i].text,
				   strlen(marks[i].text)))
				found |= 1 << marks[i].bit;
	}
	free(chunk);
	if (r)
		return r;
	return !found && end < s->size ? -EFBIG : found;
}

/* Names of source files, which stand beside each error that the library reports. */
static const struct mark in_data[] = {
	{ "crypto/fipsmodule/", GENERATOR_BORINGSSL },
	{ "implementations/rands/", GENERATOR_OWN_OPENSSL },
	{ "crypto/rand/drbg_lib.c", GENERATOR_OWN_OPENSSL },
};
static const struct mark in_names[] = {
	{ "libgcrypt.so", GENERATOR_LIBGCRYPT },
};

static int in_section(const struct elf *e, const struct section *s)
{
	if (!strcmp(s->name, ".go.buildinfo"))
		return 1 << GENERATOR_GO;
	if (!strcmp(s->name, ".dynstr"))
		return search(e, s, in_names,
			      sizeof(in_names) / sizeof(in_names[0]));
	if (!strcmp(s->name, ".rodata") && e->size >= MARKS_FROM)
		return search(e, s, in_data,
			      sizeof(in_data) / sizeof(in_data[0]));
	return 0;
}

int generators_in_file(int fd)
{
	struct elf e = { .fd = fd };
	struct section names, s;
	int found = 0, r;
	struct stat st;
	uint32_t unused;

	if (fstat(fd, &st))
		return -errno;
	e.size = (uint64_t)st.st_size;
	r = open_elf(&e);
	if (r <= 0)
		return r;
	/* Whoever took the sections away took the marks' places. */
	if (!e.headers || !e.count || e.names >= e.count)
		return -ENODATA;
	r = read_header(&e, e.names, &names, &unused);
	for (unsigned int i = 0; !r && i < e.count; i++) {
		r = read_section(&e, i, &names, &s);
		if (!r)
			r = in_section(&e, &s);
		if (r > 0) {
			found |= r;
			r = 0;
		}
	}
	return r ? r : found;
}

/* ---- what a process has mapped ---- */

struct file {
	char device[16];
	unsigned long long inode;
	/* As of generators_in_file(). */
	int in;
};

struct search_all {
	const char *root;
	struct file *files;
	size_t count;
	struct generators_unseen *unseen;
};

struct mapping {
	char range[40], rights[8], device[16];
	unsigned long long inode;
	char *path;
};

static bool parse_mapping(char *line, struct mapping *m)
{
	int at = 0;

	line[strcspn(line, "\n")] = 0;
	if (sscanf(line, "%39s %7s %*s %15s %llu %n", m->range, m->rights,
		   m->device, &m->inode, &at) != 4 ||
	    !at)
		return false;
	m->path = line + at;
	return true;
}

static int open_mapped(const struct search_all *a, const char *pid,
		       const struct mapping *m)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	char path[4608];
	struct stat st;
	int fd;

	/* The very file, whatever has its name by now; for root. */
	snprintf(path, sizeof(path), "%s/proc/%.16s/map_files/%s", a->root, pid,
		 m->range);
	fd = open(path, flags);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "%s/proc/%.16s/root%s", a->root, pid,
		 m->path);
	fd = open(path, flags);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_ino != m->inode) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

/* Each file is read once, however many have it mapped. */
static int in_mapping(struct search_all *a, const char *pid,
		      const struct mapping *m)
{
	struct file *more, f = { .inode = m->inode };
	int fd;

	for (size_t i = 0; i < a->count; i++)
		if (a->files[i].inode == m->inode &&
		    !strcmp(a->files[i].device, m->device))
			return a->files[i].in;
	snprintf(f.device, sizeof(f.device), "%s", m->device);
	fd = open_mapped(a, pid, m);
	f.in = fd < 0 ? fd : generators_in_file(fd);
	if (fd >= 0)
		close(fd);
	/* One that went with its process is not counted. */
	if (f.in < 0 && no_file(a->root, "/proc/%.16s/maps", pid))
		return 0;
	a->unseen->files += f.in < 0;
	more = reallocarray(a->files, a->count + 1, sizeof(*more));
	if (more) {
		a->files = more;
		a->files[a->count++] = f;
	}
	return f.in;
}

/* The outermost service of the line of systemd's hierarchy. */
static void read_unit(const char *root, const char *pid, char *unit,
		      size_t size)
{
	FILE *f = open_file(root, "/proc/%.16s/cgroup", pid);
	char line[4200], *rest, *part;

	unit[0] = 0;
	while (f && !unit[0] && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "0::", 3) && !strstr(line, ":name=systemd:"))
			continue;
		rest = line;
		while (!unit[0] && (part = strsep(&rest, "/")))
			if (ends_with(part, ".service"))
				snprintf(unit, size, "%s", part);
	}
	if (f)
		fclose(f);
}

static bool has_node_open(const char *root, const char *pid)
{
	char path[4608], target[64];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "%s/proc/%.16s/fd", root, pid);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, target,
				       sizeof(target) - 1);

		target[n > 0 ? n : 0] = 0;
		found = !strcmp(target, SYSGENID_DEVICE) ||
			!strcmp(target, SYSGENID_HW_DEVICE);
	}
	if (d)
		closedir(d);
	return found;
}

/* Of a process: what is linked into its files, but for what libsystemd brings. */
struct found {
	unsigned int named, inside;
	bool systemd, maps_node, provider;
};

static void take_mapping(struct search_all *a, const char *pid,
			 struct mapping *m, struct found *f)
{
	unsigned int named;
	int in;

	if (ends_with(m->path, "/sysgenid/page") ||
	    ends_with(m->path, SYSGENID_DEVICE) ||
	    ends_with(m->path, SYSGENID_HW_DEVICE)) {
		f->maps_node = true;
		return;
	}
	if (m->rights[2] != 'x' || m->path[0] != '/' ||
	    !strncmp(m->path, "/dev/", 5) || !strncmp(m->path, "/memfd:", 7))
		return;
	if (strstr(m->path, "/ossl-modules/sysgenid.so")) {
		f->provider = true;
		return;
	}
	named = by_name(m->path);
	f->named |= named;
	f->systemd |= strstr(m->path, "/libsystemd") != NULL;
	/* A library has no other one within. */
	if (named & LIBRARIES || strstr(m->path, "/libsystemd"))
		return;
	in = in_mapping(a, pid, m);
	f->inside |= in > 0 ? (unsigned int)in : 0;
}

static unsigned int generators_of(const struct found *f)
{
	const unsigned int gcrypt = 1u << GENERATOR_LIBGCRYPT;
	unsigned int has = f->named | (f->inside & ~gcrypt);

	/* libsystemd reads sealed journals with libgcrypt, and draws nothing. */
	if (f->systemd && !(f->inside & gcrypt))
		has &= ~gcrypt;
	return has;
}

static void examine_process(struct search_all *a, const char *pid,
			    generator_fn *fn, void *user)
{
	FILE *maps = open_file(a->root, "/proc/%.16s/maps", pid);
	struct generator_user u = { .watches = false };
	char line[4608], previous[4200] = "";
	struct found f = { .named = 0 };
	struct mapping m;

	if (!maps) {
		a->unseen->processes += errno != ENOENT && errno != ESRCH;
		return;
	}
	errno = 0;
	while (fgets(line, sizeof(line), maps)) {
		/* Most files have several mappings, of which one is code. */
		if (!parse_mapping(line, &m) ||
		    (m.rights[2] == 'x' && !strcmp(m.path, previous)))
			continue;
		if (m.rights[2] == 'x')
			snprintf(previous, sizeof(previous), "%s", m.path);
		take_mapping(a, pid, &m, &f);
	}
	a->unseen->processes += ferror(maps) && errno != ESRCH;
	fclose(maps);
	u.has = generators_of(&f);
	if (!u.has)
		return;
	snprintf(u.pid, sizeof(u.pid), "%.15s", pid);
	read_unit(a->root, pid, u.unit, sizeof(u.unit));
	u.has_provider = f.provider;
	u.watches = !f.provider && (f.maps_node || has_node_open(a->root, pid));
	fn(user, &u);
}

int generators_each(const char *root, generator_fn *fn, void *user,
		    struct generators_unseen *unseen)
{
	struct search_all a = { .root = root, .unseen = unseen };
	char path[4608];
	struct dirent *e;
	int r = 0;
	DIR *d;

	*unseen = (struct generators_unseen){ 0 };
	snprintf(path, sizeof(path), "%s/proc", root);
	d = opendir(path);
	if (!d)
		return -errno;
	for (errno = 0; (e = readdir(d)); errno = 0)
		if (isdigit((unsigned char)e->d_name[0]) &&
		    strtol(e->d_name, NULL, 10) != getpid())
			examine_process(&a, e->d_name, fn, user);
	r = -errno;
	closedir(d);
	free(a.files);
	return r;
}
