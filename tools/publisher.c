// SPDX-License-Identifier: MIT
/*
 * In place of the module: bytes that differ in each clone are mixed into the
 * kernel's random generator, and the generator is reseeded. Then a new generation
 * is published. Programs that drew bytes because of an earlier one would draw the
 * same in each clone.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sysgenid.h>

#include "publisher.h"
#include "rng.h"

static const char *about_page(int error)
{
	switch (error) {
	case -EBUSY:
		return "another publisher keeps the page file (EBUSY)";
	case -EPERM:
		return SYSGENID_SOFT_FOLDER
			" is not root's alone; try \"chown root: " SYSGENID_SOFT_FOLDER
			"; chmod 0755 " SYSGENID_SOFT_FOLDER "\"";
	case -EMEDIUMTYPE:
		return SYSGENID_SOFT_FOLDER
			" is not on a tmpfs, where a restart would clear it";
	default:
		return NULL;
	}
}

int publisher_open(struct publisher *p, const char **why)
{
	int r;

	*p = (struct publisher){ .rng = rng_open(),
				 .external = rng_external() };
	r = p->rng < 0 ? p->rng : rng_reseed(p->rng);
	if (r) {
		*why = r == -EPERM ?
			       "not permitted to reseed the kernel's random generator; it takes CAP_SYS_ADMIN in the initial user namespace" :
			       "/dev/urandom cannot be used";
		r = r == -EPERM ? -EACCES : r;
	} else {
		r = page_create(&p->file, SYSGENID_SOFT_FOLDER);
		if (!r)
			return 0;
		*why = about_page(r);
	}
	if (p->rng >= 0)
		close(p->rng);
	return r;
}

void publisher_mix(struct publisher *p, const void *bytes, size_t len)
{
	int r = len ? rng_mix(p->rng, bytes, len) : 0;

	if (len)
		p->mixed = true;
	if (r)
		p->error = r;
}

/* Clones that go on unnoticed are worse than a generator that was not reseeded. */
uint32_t publisher_publish(struct publisher *p, const char **warning,
			   bool *failed)
{
	int r = rng_reseed(p->rng);

	*failed = p->error || r || p->external;
	*warning = NULL;
	if (p->external)
		*warning =
			"programs get random bytes from a generator that cannot be reseeded (FIPS mode): clones may draw equal ones";
	else if (*failed)
		*warning =
			"the kernel's random generator could not be reseeded: clones may draw equal random bytes";
	else if (!p->mixed)
		*warning =
			"no bytes that differ in each clone: clones of one snapshot may go on to draw equal random bytes";
	p->mixed = false;
	p->error = 0;
	return page_publish(&p->file);
}

/*
 * A periodic reseed of the kernel that was under way in the snapshot ends after
 * the forced one and undoes it. So reseed once more when the other must be over.
 */
int publisher_settle(const struct publisher *p)
{
	return rng_reseed(p->rng);
}

void publisher_close(struct publisher *p)
{
	page_remove(&p->file);
	close(p->rng);
}
