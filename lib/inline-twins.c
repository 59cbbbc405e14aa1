// SPDX-License-Identifier: MIT
/* A real symbol of every inline function, for languages that cannot inline C. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define SYSGENID_INLINE __attribute__((visibility("default")))
#include <sysgenid.h>
