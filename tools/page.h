/* SPDX-License-Identifier: MIT */
#ifndef PAGE_H
#define PAGE_H

#include <stdint.h>

struct sysgenid_page;

/*
 * @lock: held by the one publisher there may be.
 * @fd: the page file, locked for its readers to see that somebody keeps it.
 */
struct page_file {
	struct sysgenid_page *page;
	int folder;
	int lock;
	int fd;
};

/*
 * -EBUSY: there is a publisher; -EPERM: others could write to the directory;
 * -EMEDIUMTYPE: the directory is not on a tmpfs.
 */
int page_create(struct page_file *f, const char *folder);
uint32_t page_publish(const struct page_file *f);
/* The page file of a publisher that lives, for who may write to it too. */
int page_attach(struct page_file *f, const char *folder);
void page_detach(struct page_file *f);
/* Takes it away so that who still has it mapped finds out. */
void page_remove(struct page_file *f);

#endif /* PAGE_H */
