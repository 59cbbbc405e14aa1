// SPDX-License-Identifier: GPL-2.0-only
/* The instance id: see SYSGENID_INSTANCE_SIZE. */
#include <linux/string.h>

#include "compat.h"
#include "sysgenid.h"

/*
 * sysgenid_instance_make - a new instance id
 *
 * After a reseed. The hardware ids are hashed too: siblings differ by them even where
 * their RNG does not. A hash of it alone could be compared with guesses.
 *
 * Does not sleep. Caller holds sysgenid.lock.
 */
void sysgenid_instance_make(u8 instance[SYSGENID_INSTANCE_SIZE], const struct sysgenid_ids *ids,
			    u32 generation)
{
	struct sysgenid_blake2s hash;
	u8 fresh[32];

	sysgenid_reseed_draw(fresh, sizeof(fresh));
	blake2s_init(&hash, SYSGENID_INSTANCE_SIZE);
	blake2s_update(&hash, fresh, sizeof(fresh));
	blake2s_update(&hash, (const u8 *)ids, sizeof(*ids));
	blake2s_update(&hash, (const u8 *)&generation, sizeof(generation));
	blake2s_final(&hash, instance);
	memzero_explicit(fresh, sizeof(fresh));
}
