// SPDX-License-Identifier: MIT
/* Which programs have a generator that no generation reaches, in a machine made of files. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../tools/doctor.h"
#include "../../tools/generators.h"
#include "../../tools/hooks.h"
#include "doctor-root.h"
#include "suite.h"

#define UNIT(name) "0::/system.slice/" name ".service\n"
#define CODE	   "1000-2000 r-xp 00000000 fe:01 "
#define DATA	   "2000-3000 r--p 00000000 fe:01 "
#define GNUTLS	   CODE "10 /usr/lib/libgnutls.so.30\n"
#define NODE	   "3000-4000 r--s 00000000 00:05 8 /dev/sysgenid\n"
#define PROVIDER   CODE "11 /usr/lib/ossl-modules/sysgenid.so\n"
#define OPENSSL	   CODE "12 /usr/lib/libcrypto.so.3\n"
#define GCRYPT	   CODE "13 /usr/lib/libgcrypt.so.20\n"
#define SYSTEMD	   CODE "14 /usr/lib/libsystemd.so.0\n"

/* ---- files ---- */

struct part {
	const char *name;
	const void *bytes;
	size_t len;
};

/* A program of these sections; its size, and @at is where each of them begins. */
static size_t write_program(const char *path, const struct part *parts,
			    size_t n, size_t pad)
{
	char *file = calloc(1, 8192 + pad), *at = file + sizeof(Elf64_Ehdr);
	Elf64_Ehdr *h = (Elf64_Ehdr *)(void *)file;
	Elf64_Shdr s[8] = { { 0 } };
	char names[256] = "";
	size_t names_len = 1, len;

	ck_assert_ptr_nonnull(file);
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_shnum = (Elf64_Half)(n + 2);
	h->e_shstrndx = (Elf64_Half)(n + 1);
	for (size_t i = 0; i < n; i++) {
		s[i + 1].sh_name = (Elf64_Word)names_len;
		s[i + 1].sh_offset = (Elf64_Off)(at - file);
		s[i + 1].sh_size = parts[i].len + (i ? 0 : pad);
		strcpy(names + names_len, parts[i].name);
		names_len += strlen(parts[i].name) + 1;
		/* The mark is at the end. */
		memcpy(at + (i ? 0 : pad), parts[i].bytes, parts[i].len);
		at += s[i + 1].sh_size;
	}
	s[n + 1].sh_offset = (Elf64_Off)(at - file);
	s[n + 1].sh_size = names_len;
	memcpy(at, names, names_len);
	at += names_len;
	h->e_shoff = (Elf64_Off)(at - file);
	memcpy(at, s, (n + 2) * sizeof(s[0]));
	at += (n + 2) * sizeof(s[0]);
	len = (size_t)(at - file);
	root_bytes(path, file, len, 0755);
	free(file);
	return len;
}

static int in_file(const char *path)
{
	char name[4096];
	int fd, r;

	snprintf(name, sizeof(name), "%s%s", root, path);
	fd = open(name, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	r = generators_in_file(fd);
	close(fd);
	return r;
}

static int in_data(const char *mark, size_t pad)
{
	const struct part part = { ".rodata", mark, strlen(mark) };

	write_program("/usr/bin/program", &part, 1, pad);
	return in_file("/usr/bin/program");
}

static unsigned long long inode_of(const char *path)
{
	char name[4096];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", root, path);
	ck_assert_int_eq(stat(name, &st), 0);
	return st.st_ino;
}

#define LARGE (2 << 20)
#define CHUNK (1 << 20)

START_TEST(marks_are_found_where_they_must_be)
{
	const struct part go = { ".go.buildinfo", "x", 1 };
	const struct part text = { ".text", "crypto/fipsmodule/", 18 };
	const struct part dynstr = { ".dynstr", "\0libgcrypt.so.20", 16 };

	write_program("/go", &go, 1, 0);
	ck_assert_int_eq(in_file("/go"), 1 << GENERATOR_GO);
	write_program("/gcrypt", &dynstr, 1, 0);
	ck_assert_int_eq(in_file("/gcrypt"), 1 << GENERATOR_LIBGCRYPT);
	ck_assert_int_eq(in_data("crypto/fipsmodule/rand/rand.c", LARGE),
			 1 << GENERATOR_BORINGSSL);
	ck_assert_int_eq(in_data("providers/implementations/rands/drbg.c",
				 LARGE),
			 1 << GENERATOR_OWN_OPENSSL);
	ck_assert_int_eq(in_data("crypto/rand/drbg_lib.c", LARGE),
			 1 << GENERATOR_OWN_OPENSSL);
	ck_assert_int_eq(in_data("something else", LARGE), 0);
	/* A small file, and another section. */
	ck_assert_int_eq(in_data("crypto/fipsmodule/rand/rand.c", 1000), 0);
	write_program("/text", &text, 1, LARGE);
	ck_assert_int_eq(in_file("/text"), 0);
	root_file("/script", "#!/bin/sh\n");
	ck_assert_int_eq(in_file("/script"), 0);
}
END_TEST

START_TEST(mark_across_two_reads_is_found)
{
	for (size_t back = 0; back <= 20; back += 4)
		ck_assert_int_eq(in_data("crypto/fipsmodule/", CHUNK - back),
				 1 << GENERATOR_BORINGSSL);
}
END_TEST

START_TEST(file_that_is_cut_off_is_not_one_without_a_mark)
{
	const struct part part = { ".rodata", "crypto/fipsmodule/", 18 };
	size_t len = write_program("/usr/bin/program", &part, 1, LARGE);
	static const size_t short_by[] = { 1, 64, 256, 400, LARGE };
	char name[4096];

	snprintf(name, sizeof(name), "%s/usr/bin/program", root);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_int_eq(truncate(name, (off_t)(len - short_by[i])), 0);
		ck_assert_int_lt(in_file("/usr/bin/program"), 0);
	}
	/* Without a table of sections. */
	root_bytes("/bare",
		   "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0"
		   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
		   64, 0755);
	ck_assert_int_eq(in_file("/bare"), -ENODATA);
}
END_TEST

/* ---- processes ---- */

static struct doctor doctor;

START_TEST(each_library_is_named)
{
	static const struct {
		const char *file, *name;
	} cases[] = {
		{ "libgnutls.so.30", "1 with GnuTLS" },
		{ "libgcrypt.so.20", "1 with libgcrypt" },
		{ "libfreeblpriv3.so", "1 with NSS" },
		{ "libmbedcrypto.so.7", "1 with mbed TLS" },
		{ "libwolfssl.so.35", "1 with wolfSSL" },
		{ "libbsd.so.0", "1 with libbsd" },
		{ "libjvm.so", "1 with a Java machine" },
		{ "libcrypto.so.3", "1 with OpenSSL" },
		{ "node", "1 with Node.js" },
		{ "python3.11", "1 with Python" },
		{ "beam.smp", "1 with Erlang" },
		{ "libnss_files.so.2", "no program has one" },
		{ "libnodejs-tools.so", "no program has one" },
		{ "perltidy", "no program has one" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char maps[256], path[64];
		unsigned long long inode;

		snprintf(path, sizeof(path), "/usr/lib/%s", cases[i].file);
		root_file(path, "no program");
		inode = inode_of(path);
		snprintf(maps, sizeof(maps), DATA "%llu %s\n" CODE "%llu %s\n",
			 inode, path, inode, path);
		root_process("12", "x\n", UNIT("x"), "");
		root_file("/proc/12/maps", maps);
		said(examine_generators, &doctor, cases[i].name);
	}
}
END_TEST

START_TEST(who_watches_is_not_named)
{
	root_process("12", "exim4\n", UNIT("exim4"), GNUTLS);
	said(examine_generators, &doctor, "exim4[12]");
	root_file("/proc/12/maps", GNUTLS NODE);
	said(examine_generators, &doctor, "1 look at the generation");
	/* The provider looks, and its program does not. */
	root_file("/proc/12/maps", GNUTLS OPENSSL PROVIDER NODE);
	said(examine_generators, &doctor, "1 with GnuTLS");
	not_said(examine_generators, &doctor, "with OpenSSL");
	root_file("/proc/12/maps", GNUTLS);
	root_link("/proc/12/fd/7", "/dev/sysgenid");
	said(examine_generators, &doctor, "1 look at the generation");
}
END_TEST

START_TEST(openssl_without_the_provider_is_named)
{
	root_process("12", "nginx\n", UNIT("nginx"), OPENSSL);
	said(examine_generators, &doctor, "1 with OpenSSL");
	said(examine_generators, &doctor,
	     "sysgenidctl openssl enable && systemctl restart nginx.service");
	root_file("/proc/12/maps", OPENSSL PROVIDER NODE);
	said(examine_generators, &doctor, "no program has one");
}
END_TEST

START_TEST(libgcrypt_of_systemd_alone_is_not_named)
{
	const struct part dynstr = { ".dynstr", "\0libgcrypt.so.20", 16 };
	char maps[512];

	root_process("12", "dbus-daemon\n", UNIT("dbus"), GCRYPT SYSTEMD);
	said(examine_generators, &doctor, "no program has one");
	/* The program itself is linked with it. */
	write_program("/usr/bin/x", &dynstr, 1, 0);
	snprintf(maps, sizeof(maps), GCRYPT SYSTEMD CODE "%llu /usr/bin/x\n",
		 inode_of("/usr/bin/x"));
	root_file("/proc/12/maps", maps);
	said(examine_generators, &doctor, "1 with libgcrypt");
}
END_TEST

START_TEST(overseer_that_restarts_a_unit_covers_it)
{
	root_file("/run/systemd/system/x", "");
	root_process("12", "exim4\n", UNIT("exim4"), GNUTLS);
	said(examine_generators, &doctor,
	     "'restart_units=\"${restart_units-} exim4.service\"' >>/etc/sysgenid/hooks.conf && systemctl enable --now sysgenid-overseer");
	root_bytes("/etc/sysgenid/adjust.d/70-restart", "", 0, 0755);
	root_file("/run/sysgenid/overseer.sock", "");
	root_file("/etc/sysgenid/hooks.conf", "# restart_units=\"exim4\"\n"
					      "restart_units=\"exim4-other\"\n"
					      "seed=exim4\n");
	root_file("/proc/net/unix",
		  "0: 2 0 10000 1 1 5 /run/sysgenid/overseer.sock\n");
	said(examine_generators, &doctor, "1 with GnuTLS");
	root_file("/etc/sysgenid/hooks.conf", "restart_units=\"cron exim4\"\n");
	said(examine_generators, &doctor, "1 are restarted");
	/* No overseer, and no hook that runs. */
	root_file("/proc/net/unix", "0: 2 0 10000 1 1 5 /run/other.sock\n");
	said(examine_generators, &doctor, "1 with GnuTLS");
	root_file("/proc/net/unix",
		  "0: 2 0 10000 1 1 5 /run/sysgenid/overseer.sock\n");
	root_bytes("/etc/sysgenid/adjust.d/70-restart", "", 0, 0644);
	said(examine_generators, &doctor, "1 with GnuTLS");
	/* A hook of the administrator. */
	root_bytes("/etc/sysgenid/adjust.d/55-own", "systemctl reload exim4\n",
		   23, 0755);
	said(examine_generators, &doctor, "1 with GnuTLS");
	root_bytes("/etc/sysgenid/adjust.d/55-own",
		   "# systemctl restart exim4\n", 26, 0755);
	said(examine_generators, &doctor, "1 with GnuTLS");
	root_bytes("/etc/sysgenid/adjust.d/55-own", "systemctl restart exim4\n",
		   24, 0755);
	said(examine_generators, &doctor, "1 are restarted");
}
END_TEST

START_TEST(what_cannot_be_read_is_said)
{
	root_process("12", "x\n", UNIT("x"),
		     CODE "77 /usr/bin/gone (deleted)\n");
	said(examine_generators, &doctor, "1 files of programs may have");
	not_said(examine_generators, &doctor, "no program has one");
	doctor.prepare = true;
	said(examine_generators, &doctor, "unknown");
	ck_assert_uint_eq(doctor.unknown, 1);
	doctor.prepare = false;
	/* An ordinary user, and a process of somebody else. */
	root_process("12", "x\n", UNIT("x"), "");
	root_link("/proc/12/maps", "maps");
	said(examine_generators, &doctor, "1 more programs may have");
	not_said(examine_generators, &doctor, "no program has one");
}
END_TEST

START_TEST(no_proc_is_said)
{
	said(examine_generators, &doctor, "/proc: No such file");
	not_said(examine_generators, &doctor, "no program has one");
}
END_TEST

static void set_up(void)
{
	root_make();
	atexit(root_remove);
	doctor = (struct doctor){ .root = root };
}

int main(void)
{
	const TTest *tests[] = {
		marks_are_found_where_they_must_be,
		mark_across_two_reads_is_found,
		file_that_is_cut_off_is_not_one_without_a_mark,
		each_library_is_named,
		who_watches_is_not_named,
		openssl_without_the_provider_is_named,
		libgcrypt_of_systemd_alone_is_not_named,
		overseer_that_restarts_a_unit_covers_it,
		what_cannot_be_read_is_said,
		no_proc_is_said,
	};

	return RUN_TESTS("generators", tests, set_up);
}
