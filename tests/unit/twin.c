// SPDX-License-Identifier: MIT
/* Declares the twin as a language without the header would. */
#include <stdbool.h>
#include <stdint.h>

struct sysgenid_view;
bool sysgenid_changed(const struct sysgenid_view *v, uint32_t seen);
bool twin_of_changed(const struct sysgenid_view *v, uint32_t seen);

bool twin_of_changed(const struct sysgenid_view *v, uint32_t seen)
{
	return sysgenid_changed(v, seen);
}
