// SPDX-License-Identifier: MIT
#define _GNU_SOURCE

#include "answering.h"
#include "machine-inside.h"
#include "phases.h"
#include "publishing.h"
#include "restore.h"
#include "waiters.h"
#include "watchers.h"

const char *reseed_failure(const struct machine *m, bool *outdated)
{
	struct sysgenid_info info;

	*outdated = true;
	if (m->publishing)
		return publishing_error(m->publishing);
	if (sysgenid_get_info(m->g, &info, sizeof(info)))
		return "it is not known whether the kernel's random generator was reseeded";
	*outdated = info.outdated || info.generation != m->now.generation;
	return info.flags & SYSGENID_GET_RESEED_FAILED ?
		       "the kernel's random generator could not be reseeded" :
		       NULL;
}

struct request *request_of(struct machine *m)
{
	return restore_is_of(&m->restore, m->now.generation) ?
		       &m->restore.request :
		       NULL;
}

/* What is true of the machine now. @info: also of it. */
static struct restored facts_of(const struct machine *m,
				struct sysgenid_info *info)
{
	struct restored facts = { .state = m->now.state,
				  .generation = m->now.generation };
	bool unused;

	if (!m->g || sysgenid_get_info(m->g, info, sizeof(*info)))
		return facts;
	if (info->flags & SYSGENID_GET_INSTANCE)
		facts.id = info->instance_id;
	facts.reseeded = !reseed_failure(m, &unused);
	return facts;
}

void answer_host(struct machine *m, const char *error)
{
	struct sysgenid_info info;
	struct restored facts = facts_of(m, &info);

	facts.phases = &m->phases;
	facts.error = error;
	facts.why = m->about;
	if (m->laggards)
		facts.laggards = laggards_list(m->g);
	restore_answer(&m->restore, &facts);
}

void refuse(const struct machine *m, const struct request *r, const char *error,
	    const char *why, answer_fn *answer, void *user)
{
	struct sysgenid_info info;
	struct restored facts = facts_of(m, &info);

	facts.error = error;
	facts.why = why;
	restore_refuse(r, &facts, answer, user);
}
