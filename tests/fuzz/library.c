// SPDX-License-Identifier: MIT
/* Every call of the library, in any order, on a kernel that returns malformed answers. */
#include <errno.h>
#include <string.h>

#include "../../lib/internal.h"
#include "../unit/fake.h"
#include "fuzz.h"

enum { ENTRIES = 8 };

static void list(struct sysgenid *g)
{
	struct sysgenid_watcher *entries = calloc(ENTRIES, sizeof(*entries));
	unsigned int count = input_byte() % (ENTRIES + 1), asked = count;
	uint64_t cursor = input_byte();
	uint32_t generation;
	int r = sysgenid_list_watchers(g, input_byte() & 1, &cursor, entries,
				       sizeof(*entries), &count, &generation);

	MUST(r <= 0 && r > -4096);
	/* Else a program walks past its entries. */
	MUST(count <= asked);
	for (unsigned int i = 0; !r && i < count; i++)
		MUST(strnlen(entries[i].comm, sizeof(entries[i].comm)) <
		     sizeof(entries[i].comm));
	free(entries);
}

static void info(struct sysgenid *g)
{
	struct sysgenid_info info;
	size_t size = input_byte() % (sizeof(info) + 1);

	sysgenid_get_info(g, &info, size);
}

static void call(struct sysgenid *g, uint8_t which)
{
	static const int timeouts[] = { 0, 1, 1000, -1 };
	const struct sysgenid_view *view = sysgenid_get_view(g);
	uint32_t generation = fake.page->generation,
		 word = input_byte() & 1 ? generation : input_word();
	struct sysgenid_gate_args gate = { .flags = word & 7 };
	uint8_t entropy[32] = { 0 };
	int r = 0;

	switch (which % 14) {
	case 0:
		r = sysgenid_read(g, &generation);
		break;
	case 1:
		r = sysgenid_wait(g, word, timeouts[input_byte() % 4],
				  &generation);
		break;
	case 2:
		r = sysgenid_confirm(g, word);
		break;
	case 3:
		r = sysgenid_track(g, word & 1);
		break;
	case 4:
		r = sysgenid_declare(g, word, word >> 8 & 3);
		break;
	case 5:
		r = sysgenid_trigger(g, word, entropy,
				     input_bytes(entropy, sizeof(entropy)),
				     &generation);
		break;
	case 6:
		r = sysgenid_wait_watchers(g, word, 0, &generation, &word);
		break;
	case 7:
		list(g);
		break;
	case 8:
		info(g);
		break;
	case 9:
		/* Reads both ids wherever the record says they are. */
		sysgenid_changed(view, word);
		break;
	case 10:
		MUST(sysgenid_is_exact(g) ==
		     (view->hardware_id != view->recorded_id));
		break;
	case 12:
		r = sysgenid_trigger_least(
			g, generation, word, entropy,
			input_bytes(entropy, sizeof(entropy)), &generation);
		break;
	case 11:
		gate.operation = word % 6;
		gate.generation = word;
		r = sysgenid_gate(g, &gate);
		break;
	default:
		r = sysgenid_get_fd(g);
		MUST(r >= 0 || r == -EOPNOTSUPP);
		r = 0;
	}
	MUST(r <= 0 && r > -4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sysgenid *g;
	int r;

	input_begin(data, size);
	kernel_begin();
	r = sysgenid_open_paths(&g, FAKE_PATH, FAKE_HW_PATH, FAKE_FOLDER, 0);
	MUST(r ? r < 0 && r > -4096 && !g : g != NULL);
	while (!r && !input_is_over())
		call(g, input_byte());
	sysgenid_close(g);
	kernel_end();
	return 0;
}
