// SPDX-License-Identifier: MIT
/* Whether programs that use OpenSSL draw anew at a new generation. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "sysgenidctl.h"

#define CONFIG HELPERS "/openssl-config"
#define STATUS CONFIG " status 2>/dev/null"

struct openssl {
	bool enabled;
	unsigned int ours, others, mute;
};

/* What "sysgenidctl openssl status" prints: the file, and then a line for each library. */
static bool read_status(struct openssl *o)
{
	FILE *f = popen(STATUS, "re");
	char line[2048];
	bool any = false;

	memset(o, 0, sizeof(*o));
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!any)
			o->enabled = ends_with(line, ": enabled");
		else if (strstr(line, ": DRAWS NOTHING"))
			o->mute++;
		else if (ends_with(line, " SYSGENID-DRBG"))
			o->ours++;
		else
			o->others++;
		any = true;
	}
	if (f)
		pclose(f);
	return any;
}

/* Without one the provider is the stock generator, and nobody would know. */
static bool has_generation(void)
{
	struct sysgenid *g;
	int r = sysgenid_open(&g, SYSGENID_OPEN_SOFT);

	if (!r)
		sysgenid_close(g);
	return r != -ENOENT && r != -ENODEV;
}

void examine_openssl(struct doctor *d)
{
	struct openssl o;

	/* Who has not installed it has not asked for it. */
	if (access(CONFIG, X_OK))
		return;
	if (!read_status(&o))
		finding(d, PROBLEM, "openssl", "sysgenidctl openssl status",
			"the provider's state cannot be read");
	else if (!o.enabled)
		finding(d, NOTE, "openssl", "sysgenidctl openssl enable",
			"the provider is not enabled: clones go on with the same generators");
	else if (o.mute)
		finding(d, PROBLEM, "openssl", "sysgenidctl openssl verify",
			"the provider is enabled, and %u libcrypto %s nothing",
			o.mute, o.mute == 1 ? "draws" : "draw");
	else if (!o.ours)
		finding(d, PROBLEM, "openssl", "sysgenidctl openssl status",
			"the provider is enabled, and no libcrypto draws from it");
	else if (!has_generation())
		finding(d, NOTE, "openssl", NULL,
			"the provider is enabled and passes through: there is no device, so that it is the stock generator");
	else if (o.others)
		finding(d, NOTE, "openssl", NULL,
			"the provider is enabled; %u libcrypto are too old for it or told otherwise: sysgenidctl openssl status",
			o.others);
	else
		finding(d, GOOD, "openssl", NULL,
			"the provider is enabled, and drawn from by every libcrypto (%u)",
			o.ours);
}
