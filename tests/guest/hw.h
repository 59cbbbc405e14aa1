/* SPDX-License-Identifier: MIT */
/*
 * The mapped pages, by raw calls: what tells a test, apart from the calls that
 * it tests, whether the machine has been resumed.
 */
#ifndef TESTS_HW_H
#define TESTS_HW_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sysgenid/abi.h>

struct hw {
	const volatile struct sysgenid_page *page;
	const volatile struct sysgenid_record *record;
	const volatile uint64_t *id; /* as the hypervisor has it now */
	uint64_t first[2];	     /* as it was at the start */
	uint32_t generation;	     /* likewise */
};

static void *hw_map(const char *path, off_t offset)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, offset);

	if (page == MAP_FAILED) {
		perror(path);
		exit(2);
	}
	close(fd);
	return page;
}

static inline void hw_open(struct hw *hw)
{
	hw->page = hw_map(SYSGENID_DEVICE, 0);
	hw->record = hw_map(SYSGENID_HW_DEVICE, 4096);
	hw->id = (const volatile uint64_t *)((char *)hw_map(SYSGENID_HW_DEVICE,
							    0) +
					     hw->record->hw_offset);
	hw->first[0] = hw->id[0];
	hw->first[1] = hw->id[1];
	hw->generation = hw->page->generation;
}

/* Has the machine been resumed as another one since hw_open()? */
static inline bool hw_new(const struct hw *hw)
{
	return hw->id[0] != hw->first[0] || hw->id[1] != hw->first[1];
}

#endif /* TESTS_HW_H */
