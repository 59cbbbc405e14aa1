// SPDX-License-Identifier: MIT
/*
 * Spins on the mapped check across a resume:
 *
 *	spin [fifo PRIORITY | at-most CHECKS | generation-first | vmclock CHECKS]
 *
 * vmclock, for an ordinary user: the id is the counter that the library maps.
 *
 * generation-first is a check that loads the generation
 * before the ids, and has the kernel publish in between if the hardware id is
 * new. That check is wrong, and must be seen to be. Says "ready", and ends with
 *
 *	checks N exact-stale N counter-stale N changed N
 *
 * - checks: made after the hardware id was seen to be new, until the counter page
 *   was new too or a bound was reached.
 * - exact-stale, counter-stale: how many of these said "unchanged", by the exact
 *   check and by the counter page alone.
 * - changed: how often a check said "changed" before the hardware id was new.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include <sysgenid.h>

#include "hw.h"
#include "realtime.h"

enum { CHECKS_MOST = 20000000 };

static bool generation_first(const struct sysgenid_view *v, const struct hw *hw,
			     bool new, struct sysgenid *g)
{
	uint32_t generation = __atomic_load_n(v->generation, __ATOMIC_ACQUIRE);
	uint32_t now;

	if (new)
		sysgenid_read(g, &now);
	return generation != hw->generation ||
	       v->recorded_id[0] != v->hardware_id[0] ||
	       v->recorded_id[1] != v->hardware_id[1];
}

static void hw_from_view(struct hw *hw, const struct sysgenid_view *v)
{
	hw->page = (const void *)v->generation;
	hw->record = NULL;
	hw->id = v->hardware_id;
	hw->first[0] = hw->id[0];
	hw->first[1] = hw->id[1];
	hw->generation = hw->page->generation;
}

int main(int argc, char **argv)
{
	unsigned long checks = 0, exact_stale = 0, counter_stale = 0, early = 0;
	unsigned long after_publish = 0;
	const struct sysgenid_view *view;
	bool wrong_order = argc > 1 && !strcmp(argv[1], "generation-first");
	unsigned long after_most = wrong_order ? 2 : 10000;
	bool by_vmclock = argc > 2 && !strcmp(argv[1], "vmclock");
	unsigned long checks_most =
		by_vmclock || (argc > 2 && !strcmp(argv[1], "at-most")) ?
			strtoul(argv[2], NULL, 10) :
			CHECKS_MOST;
	struct sysgenid *g;
	struct hw hw;

	if (!by_vmclock)
		hw_open(&hw);
	if (sysgenid_open(&g, 0) || !sysgenid_is_exact(g)) {
		fputs("no exact check\n", stderr);
		return 2;
	}
	view = sysgenid_get_view(g);
	if (by_vmclock)
		hw_from_view(&hw, view);
	puts("ready");
	fflush(stdout);
	if (argc > 2 && !strcmp(argv[1], "fifo"))
		be_realtime(argv[2]);
	while (checks < checks_most && after_publish < after_most) {
		bool new = hw_new(&hw);
		bool counter_old = hw.page->generation == hw.generation;
		bool changed = wrong_order ?
				       generation_first(view, &hw, new, g) :
				       sysgenid_changed(view, hw.generation);

		if (!new) {
			/* The resume may lie between the two looks. */
			early += changed && !hw_new(&hw);
			continue;
		}
		checks++;
		exact_stale += !changed;
		counter_stale += counter_old;
		after_publish += !counter_old;
	}
	printf("checks %lu exact-stale %lu counter-stale %lu changed %lu\n",
	       checks, exact_stale, counter_stale, early);
	return 0;
}
