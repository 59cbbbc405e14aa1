// SPDX-License-Identifier: MIT
/* The parts of the CRIU plugin that need neither criu(8) nor the module. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image.h"
#include "running.h"
#include "settings.h"
#include "suite.h"
#include "vdso.h"

static int open_directory(char name[32])
{
	int dir;

	strcpy(name, "/tmp/criu-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(name));
	dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir, 0);
	return dir;
}

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
}

START_TEST(tree_comes_back)
{
	struct image_tree tree = { true, true, 4294967295U }, got = { 0 };
	char name[32];
	int dir = open_directory(name);

	ck_assert_int_eq(image_read_tree(dir, &got), -ENOENT);
	ck_assert_int_eq(image_write_tree(dir, &tree), 0);
	ck_assert_int_eq(image_read_tree(dir, &got), 0);
	ck_assert(got.complete && got.clients);
	ck_assert_uint_eq(got.generation, 4294967295U);
	/* A shorter text leaves nothing of the longer one. */
	tree = (struct image_tree){ .generation = 1 };
	ck_assert_int_eq(image_write_tree(dir, &tree), 0);
	ck_assert_int_eq(image_read_tree(dir, &got), 0);
	ck_assert(!got.complete && !got.clients);
	ck_assert_int_eq(unlinkat(dir, "sysgenid.img", 0), 0);
	ck_assert_int_eq(rmdir(name), 0);
	close(dir);
}
END_TEST

START_TEST(bad_tree_is_refused)
{
	static const char *const bad[] = {
		"",
		"sysgenid tree 2\ncomplete 1\nclients 1\ngeneration 5\n",
		"sysgenid tree 1\ncomplete 1\nclients 1\ngeneration 5",
		"sysgenid tree 1\ncomplete 1\nclients 1\ngeneration 5\n\n",
		"sysgenid tree 1\ncomplete 2\nclients 1\ngeneration 5\n",
		"sysgenid tree 1\ncomplete 1\nclients 1\ngeneration -1\n",
		"sysgenid tree 1\ncomplete 1\nclients 1\ngeneration 4294967301\n",
		"sysgenid tree 1\ncomplete 1\nclients 1\ngeneration 05\n",
		"sysgenid tree 1\ncomplete 1\nclients 1\n",
	};
	struct image_tree tree;

	ck_assert(image_parse_tree(
		"sysgenid tree 1\ncomplete 1\nclients 1\ngeneration 5\n",
		&tree));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!image_parse_tree(bad[i], &tree), "%zu", i);
}
END_TEST

START_TEST(file_comes_back)
{
	struct image_file file = { 2048, true, "/dev/a b" }, got;
	char name[32], *text;
	int dir = open_directory(name);

	ck_assert_int_eq(image_write_file(dir, 77, &file), 0);
	ck_assert_int_eq(image_read_file(dir, 78, &got), -ENOENT);
	ck_assert_int_eq(image_read_file(dir, 77, &got), 0);
	ck_assert_uint_eq(got.flags, 2048);
	ck_assert(got.tracked);
	ck_assert_str_eq(got.path, "/dev/a b");

	/* Of a path that is not whole, nothing is opened. */
	memset(file.path, '/', sizeof(file.path) - 1);
	ck_assert_int_eq(image_write_file(dir, 77, &file), 0);
	ck_assert_int_eq(image_read_file(dir, 77, &got), 0);
	ck_assert_str_eq(got.path, file.path);
	text = calloc(1, 3 * IMAGE_TEXT);
	memset(text, 'x', 3 * IMAGE_TEXT - 1);
	put(dir, "sysgenid-77.img", text);
	ck_assert_int_eq(image_read_file(dir, 77, &got), -EBADMSG);
	free(text);
	put(dir, "sysgenid-77.img", "sysgenid file 1\nflags 2\ntracked 1\n");
	ck_assert_int_eq(image_read_file(dir, 77, &got), -EBADMSG);
	unlinkat(dir, "sysgenid-77.img", 0);
	rmdir(name);
	close(dir);
}
END_TEST

START_TEST(bad_file_is_refused)
{
	static const char *const bad[] = {
		"sysgenid file 1\nflags 2\ntracked 1\npath \n",
		"sysgenid file 1\nflags 2\ntracked 1\npath dev\n",
		"sysgenid file 1\nflags 2\ntracked 1\npath /dev",
		"sysgenid file 1\nflags 2\ntracked 1\npath /dev\nx\n",
		"sysgenid file 1\nflags 2\ntracked 2\npath /dev\n",
		"sysgenid file 1\nflags -2\ntracked 1\npath /dev\n",
	};
	struct image_file file;

	ck_assert(image_parse_file(
		"sysgenid file 1\nflags 2\ntracked 1\npath /dev\n", &file));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!image_parse_file(bad[i], &file), "%zu", i);
}
END_TEST

START_TEST(settings)
{
	char name[32], path[64], why[256] = "";
	int dir = open_directory(name);
	struct settings s;

	snprintf(path, sizeof(path), "%s/criu.conf", name);
	ck_assert(settings_read(&s, path, why, sizeof(why)) && !s.go_on);
	put(dir, "criu.conf", "[criu]\n# no key\n");
	ck_assert(settings_read(&s, path, why, sizeof(why)) && !s.go_on);
	put(dir, "criu.conf", "[criu]\nwithout-trigger = go-on\n");
	ck_assert(settings_read(&s, path, why, sizeof(why)) && s.go_on);
	put(dir, "criu.conf", "[criu]\nwithout-trigger = fail\n");
	ck_assert(settings_read(&s, path, why, sizeof(why)) && !s.go_on);
	put(dir, "criu.conf", "[criu]\n\nwithout-trigger = maybe\n");
	ck_assert(!settings_read(&s, path, why, sizeof(why)));
	ck_assert_ptr_nonnull(strstr(why, "criu.conf, line 3: only"));
	put(dir, "criu.conf", "[other]\nwithout-trigger = fail\n");
	ck_assert(!settings_read(&s, path, why, sizeof(why)));
	unlinkat(dir, "criu.conf", 0);
	/* What cannot be read is no empty file. */
	ck_assert(!settings_read(&s, name, why, sizeof(why)));
	rmdir(name);
	close(dir);
}
END_TEST

START_TEST(version_of_criu)
{
	unsigned int major = 0, minor = 0;

	ck_assert(running_parse("Version: 3.17.1\n", &major, &minor));
	ck_assert_uint_eq(major, 3);
	ck_assert_uint_eq(minor, 17);
	ck_assert(running_parse("Version: 4.3\nGitID: v4.3\n", &major, &minor));
	ck_assert_uint_eq(major, 4);
	ck_assert_uint_eq(minor, 3);
	ck_assert(!running_parse("criu 4.3", &major, &minor));
	ck_assert(!running_parse("", &major, &minor));
	/* The program that runs is this one: see main(). Under valgrind it is not. */
	if (is_instrumented())
		return;
	ck_assert_int_eq(running_version(&major, &minor), 0);
	ck_assert_uint_eq(major, 98);
	ck_assert_uint_eq(minor, 7);
}
END_TEST

#define MAPPING(range, kind, inode, name, flags)                 \
	range " " kind " 00000000 00:00 " inode "    " name "\n" \
	      "Size:                  4 kB\n"                    \
	      "THPeligible:           0\n"                       \
	      "VmFlags: " flags " \n"

static uint64_t first_state(const char *text, bool overcommits_never)
{
	struct vdso_range range = { 0, 0 };
	FILE *smaps = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	bool found = vdso_next_state(smaps, overcommits_never, &range);

	fclose(smaps);
	return found ? range.start : 0;
}

START_TEST(state_of_the_vdso)
{
	static const char restored[] = MAPPING("1000-2000", "rw-p", "0", "",
					       "rd wr mr mw me nr wf dd ac sd");

	/* As the kernel shows it, and restored by CRIU before 4.2. */
	ck_assert_uint_eq(first_state(MAPPING("1000-2000", "rw-p", "0", "",
					      "rd wr mr mw me nr wf dd dp"),
				      false),
			  0x1000);
	ck_assert_uint_eq(first_state(restored, false), 0x1000);
	ck_assert_uint_eq(first_state(MAPPING("1000-2000", "rw-p", "0",
					      "[anon: glibc: getrandom]",
					      "rd wr mr mw me nr wf dd"),
				      false),
			  0x1000);
	/* vm.overcommit_memory = 2 */
	ck_assert_uint_eq(first_state(MAPPING("1000-2000", "rw-p", "0", "",
					      "rd wr mr mw me wf dd"),
				      true),
			  0x1000);
}
END_TEST

START_TEST(no_state_of_the_vdso)
{
	static const char *const others[] = {
		"",
		/* The page by which the library finds a child. */
		MAPPING("1000-2000", "rw-p", "0", "", "rd wr mr mw me wf ac"),
		/* Secrets that core dumps leave out. */
		MAPPING("1000-2000", "rw-p", "0", "", "rd wr mr mw me lo dd"),
		MAPPING("1000-2000", "rw-p", "0", "", "rd wr mr mw me wf dd"),
		MAPPING("1000-2000", "rw-p", "77", "/x",
			"rd wr mr mw me nr wf dd"),
		MAPPING("1000-2000", "r--p", "0", "", "rd mr mw me nr wf dd"),
		MAPPING("1000-2000", "rw-s", "0", "", "rd wr mr nr wf dd"),
		/* A cache. */
		MAPPING("1000000-3000000", "rw-p", "0", "",
			"rd wr mr mw me nr wf dd dp"),
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		ck_assert_msg(!first_state(others[i], false), "%zu", i);
}
END_TEST

static char *map_state(int advice, int other)
{
	char *state = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(state, MAP_FAILED);
	ck_assert_int_eq(madvise(state, 8192, advice), 0);
	ck_assert_int_eq(madvise(state, 8192, other), 0);
	memset(state, 'x', 8192);
	return state;
}

/* Of this process itself. */
START_TEST(drops_states_alone)
{
	char *state, *other;

	if (is_instrumented())
		return;
	state = map_state(MADV_WIPEONFORK, MADV_DONTDUMP);
	other = map_state(MADV_WIPEONFORK, MADV_DODUMP);

	ck_assert_int_eq(vdso_drop(getpid()), 0);
	ck_assert_int_eq(state[0], 0);
	ck_assert_int_eq(state[8191], 0);
	ck_assert_int_eq(other[0], 'x');
	ck_assert_int_eq(other[8191], 'x');
	ck_assert_int_eq(vdso_drop(0x7fffffff), -ENOENT);
}
END_TEST

int main(int argc, char **argv)
{
	const TTest *tests[] = {
		tree_comes_back,    bad_tree_is_refused,
		file_comes_back,    bad_file_is_refused,
		settings,	    version_of_criu,
		state_of_the_vdso,  no_state_of_the_vdso,
		drops_states_alone,
	};

	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("Version: 98.7.6");
		return 0;
	}
	return RUN_TESTS("criu", tests, NULL);
}
