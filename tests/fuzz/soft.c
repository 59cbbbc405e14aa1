// SPDX-License-Identifier: MIT
/* A page file of any size, owner, mode and contents, and what is read from it. */
#include <errno.h>
#include <sys/stat.h>

#include "../../lib/internal.h"
#include "../unit/fake.h"
#include "fuzz.h"

static bool is_safe(void)
{
	return !fake.folder.uid && !fake.file.uid &&
	       !(fake.folder.mode & 022) && !(fake.file.mode & 022) &&
	       S_ISREG(fake.file.mode) && fake.file_size >= 64 &&
	       fake.page->magic == SYSGENID_PAGE_MAGIC && !fake.no_publisher;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sysgenid_info info;
	uint32_t generation = 0;
	struct sysgenid *g;
	uint8_t odd;
	bool safe;
	int r;

	input_begin(data, size);
	fake_start();
	fake.open_errno = ENOENT;
	fake.folder.open_errno = 0;
	odd = input_byte();
	if (odd & 1)
		fake.folder.mode = input_word();
	if (odd & 2)
		fake.folder.uid = input_word();
	if (odd & 4)
		fake.file.mode = input_word();
	if (odd & 8)
		fake.file.uid = input_word();
	if (odd & 16)
		fake.file_size = (int32_t)input_word();
	if (odd & 32)
		fake.no_publisher = true;
	if (odd & 64)
		fake.file_system = input_byte();
	input_bytes(fake.page, sizeof(*fake.page));
	safe = is_safe();
	r = sysgenid_open_paths(&g, FAKE_PATH, FAKE_HW_PATH, FAKE_FOLDER,
				SYSGENID_OPEN_SOFT);
	MUST(!g == !!r);
	MUST(!r || r == -ENODEV);
	/* Nothing that others could have made is trusted. */
	MUST(r || (safe && !(odd & 64)));
	if (!r) {
		MUST(!sysgenid_get_info(g, &info, sizeof(info)));
		MUST(info.generation == fake.page->generation);
		/* A publisher that stopped half way leaves them out. */
		MUST(fake.page->seq % 2 ? !info.source && !info.time :
					  info.source == fake.page->source &&
						  info.time == fake.page->time);
		MUST(!sysgenid_read(g, &generation) &&
		     generation == info.generation);
		MUST(!sysgenid_changed(sysgenid_get_view(g), generation));
		MUST(sysgenid_wait(g, generation + 1, -1, &generation) == 0);
		fake.no_publisher = true;
		MUST(sysgenid_read(g, &generation) == -EOWNERDEAD);
	}
	sysgenid_close(g);
	kernel_end();
	return 0;
}
