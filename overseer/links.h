/* SPDX-License-Identifier: MIT */
#ifndef LINKS_H
#define LINKS_H

#include <net/if.h>
#include <stddef.h>

/* The interfaces of some kind in this network namespace. */
struct links {
	struct link {
		unsigned int index;
		char name[IF_NAMESIZE];
	} * link;
	size_t count;
};

/* Of the kind that "ip link add type" takes; 0 or -errno. To be freed in either case. */
int links_find(const char *kind, struct links *found);
void links_free(struct links *found);

#endif /* LINKS_H */
