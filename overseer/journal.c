// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#ifdef WITH_SYSTEMD
/* Where in this file is of no use to anybody. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#endif

#include "journal.h"
#include "log.h"

#ifdef WITH_SYSTEMD
/* A message, its number, an id, state, generation, the time of all, and of each phase. */
#define FIELDS (6 + PHASES)

struct fields {
	struct iovec field[FIELDS];
	int count;
};

static void __attribute__((format(printf, 2, 3)))
add(struct fields *f, const char *format, ...)
{
	char *text;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len >= 0)
		f->field[f->count++] = (struct iovec){ text, (size_t)len };
}

/* As a field of the journal is written: SYSGENID_US_HOST_NAME. */
static void add_phase(struct fields *f, enum phase phase, uint64_t ns)
{
	char name[32];
	size_t i;

	snprintf(name, sizeof(name), "%s", phase_name(phase));
	for (i = 0; name[i]; i++)
		name[i] = (char)(name[i] == '-' ?
					 '_' :
					 toupper((unsigned char)name[i]));
	add(f, "SYSGENID_US_%s=%" PRIu64, name, ns / 1000);
}

static int send_line(int priority, const char *id, const struct situation *now,
		     const struct phases *p, const char *text)
{
	struct fields f = { .count = 0 };
	int r;

	add(&f, "MESSAGE=%s", text);
	add(&f, "PRIORITY=%d", priority);
	add(&f, "MESSAGE_ID=%s", id);
	add(&f, "SYSGENID_STATE=%s", state_name(now->state));
	add(&f, "SYSGENID_GENERATION=%" PRIu32, now->generation);
	if (p && p->began) {
		add(&f, "SYSGENID_US=%" PRIu64, phases_total(p) / 1000);
		for (int i = 0; i < PHASES; i++) {
			if (p->took[i])
				add_phase(&f, (enum phase)i, p->took[i]);
		}
	}
	r = sd_journal_sendv(f.field, f.count);
	for (int i = 0; i < f.count; i++)
		free(f.field[i].iov_base);
	return r;
}
#endif

void journal_line(int priority, const char *id, const struct situation *now,
		  const struct phases *p, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
#ifdef WITH_SYSTEMD
	/* systemd sets it where the other end of stderr is the journal. */
	if (getenv("JOURNAL_STREAM") && !send_line(priority, id, now, p, text))
		return;
#else
	(void)id;
	(void)now;
	(void)p;
#endif
	log_line(priority, "%s", text);
}
