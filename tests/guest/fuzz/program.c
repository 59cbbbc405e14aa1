// SPDX-License-Identifier: MIT
/*
 * Programs: made at random, made from others, written down. A line is an
 * operation: its name, "@child" or "@thread" if somebody else is to make the
 * call, and numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

const struct kind_of_op kinds[] = {
	{ "open", op_open, 14, true },
	{ "reopen", op_reopen, 2, true },
	{ "duplicate", op_duplicate, 4, true },
	{ "close", op_close, 5, true },
	{ "read", op_read, 10, false },
	{ "write", op_write, 10, false },
	{ "poll", op_poll, 6, false },
	{ "get", op_get, 10, false },
	{ "wait", op_wait, 7, false },
	{ "list", op_list, 10, false },
	{ "trigger", op_trigger, 6, false },
	{ "declare", op_declare, 6, false },
	{ "confirm", op_confirm, 8, false },
	{ "track", op_track, 14, false },
	{ "wait-watchers", op_wait_watchers, 4, false },
	{ "trigger-min", op_trigger_min, 2, false },
	{ "ioctl", op_any_ioctl, 4, false },
	{ "map", op_map, 8, true },
	{ "unmap", op_unmap, 3, true },
	{ "protect", op_protect, 3, true },
	{ "remap", op_remap, 3, true },
	{ "advise", op_advise, 3, true },
	{ "poke", op_poke, 2, true },
	{ "publish", op_publish, 5, true },
	{ "fcntl", op_fcntl, 5, false },
	{ "transfer", op_transfer, 4, false },
	{ "misc", op_misc, 4, false },
	{ "sysfs", op_sysfs, 4, true },
	{ "epoll", op_epoll, 6, true },
	{ "send", op_send, 3, true },
	{ "receive", op_receive, 3, true },
	{ "uring", op_uring, 3, true },
	{ "gate", op_gate, 5, false },
};
const unsigned int kind_count = sizeof(kinds) / sizeof(kinds[0]);

static const char *const
	where_names[] = { [SELF] = "", [CHILD] = "@child", [THREAD] = "@thread" };

/* splitmix64 */
uint64_t mixed(uint64_t a, uint64_t b)
{
	uint64_t z = a + 0x9e3779b97f4a7c15 * (b + 1);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t draw(struct random *r)
{
	r->state += 0x9e3779b97f4a7c15;
	return (uint32_t)(mixed(r->state, 0) >> 32);
}

uint32_t below(struct random *r, uint32_t n)
{
	return (uint32_t)((uint64_t)draw(r) * n >> 32);
}

static uint32_t argument(struct random *r)
{
	return below(r, 2) ? below(r, 64) : draw(r);
}

static struct op make_op(struct random *r)
{
	unsigned int all = 0, chosen;
	struct op op = { .where = SELF };

	for (unsigned int i = 0; i < kind_count; i++)
		all += kinds[i].weight;
	chosen = below(r, all);
	while (chosen >= kinds[op.code].weight)
		chosen -= kinds[op.code++].weight;
	for (int i = 0; i < ARGUMENTS; i++)
		op.a[i] = argument(r);
	/* Few files, so that operations meet. */
	op.a[0] = below(r, below(r, 3) ? 4 : SLOTS);
	if (!kinds[op.code].local && !below(r, 40))
		op.where = (uint8_t)below(r, WHERES);
	return op;
}

static void insert(struct program *p, unsigned int at, struct op op)
{
	if (p->n == MAX_OPS)
		return;
	memmove(&p->ops[at + 1], &p->ops[at], (p->n - at) * sizeof(op));
	p->ops[at] = op;
	p->n++;
}

static void mutate(struct random *r, struct program *p)
{
	const struct program *with =
		&shared->corpus[below(r, shared->corpus_size)];
	unsigned int at = below(r, p->n), from;

	switch (below(r, 8)) {
	case 0:
		if (p->n > 1) {
			p->n--;
			memmove(&p->ops[at], &p->ops[at + 1],
				(p->n - at) * sizeof(struct op));
		}
		break;
	case 1:
		insert(p, below(r, p->n + 1), p->ops[at]);
		break;
	case 2:
		/* Goes on as another one does. */
		from = below(r, with->n);
		for (p->n = at + 1; p->n < MAX_OPS && from < with->n; from++)
			p->ops[p->n++] = with->ops[from];
		break;
	case 3:
		p->ops[at].a[below(r, ARGUMENTS)] ^= 1u << below(r, 32);
		break;
	case 4:
	case 5:
		p->ops[at].a[below(r, ARGUMENTS)] = argument(r);
		break;
	default:
		insert(p, below(r, p->n + 1), make_op(r));
	}
}

void make_program(struct random *r, struct program *p)
{
	unsigned int n;

	if (shared->corpus_size && below(r, 3)) {
		*p = shared->corpus[below(r, shared->corpus_size)];
		for (n = 1 + below(r, 5); n; n--)
			mutate(r, p);
		return;
	}
	p->n = 0;
	for (n = 6 + below(r, MAX_OPS - 8); n; n--)
		insert(p, p->n, make_op(r));
	/* Mostly there is something to fuzz. */
	for (n = 0; n < 2; n++) {
		p->ops[n].code = 0;
		p->ops[n].where = SELF;
		p->ops[n].a[0] = n;
		p->ops[n].a[1] = below(r, 8);
		p->ops[n].a[2] = below(r, 4);
		p->ops[n].a[3] = below(r, 4);
	}
}

void add_to_corpus(const struct program *p)
{
	if (shared->corpus_size < MAX_PROGRAMS && p->n)
		shared->corpus[shared->corpus_size++] = *p;
}

void print_program(FILE *out, const struct program *p)
{
	for (unsigned int i = 0; i < p->n; i++) {
		const struct op *op = &p->ops[i];
		int last = ARGUMENTS;

		fprintf(out, "%s%s", kinds[op->code].name,
			where_names[op->where]);
		while (last && !op->a[last - 1])
			last--;
		for (int k = 0; k < last; k++)
			fprintf(out, " %u", op->a[k]);
		fputc('\n', out);
	}
}

static bool read_op(char *line, struct op *op)
{
	char *word = strtok(line, " \n"), *who, *end;
	unsigned int i;

	*op = (struct op){ .where = SELF };
	who = strchr(word, '@');
	if (who) {
		for (i = CHILD; i < WHERES && strcmp(who, where_names[i]); i++)
			;
		if (i == WHERES)
			return false;
		op->where = (uint8_t)i;
		*who = 0;
	}
	for (i = 0; i < kind_count && strcmp(word, kinds[i].name); i++)
		;
	if (i == kind_count || (op->where == CHILD && kinds[i].local))
		return false;
	op->code = (uint8_t)i;
	for (i = 0; i < ARGUMENTS && (word = strtok(NULL, " \n")); i++) {
		op->a[i] = (uint32_t)strtoul(word, &end, 0);
		if (*end)
			return false;
	}
	return true;
}

/* Empty lines and lines that begin with # say nothing. */
bool read_program(const char *path, struct program *p)
{
	FILE *f = fopen(path, "re");
	char line[256];
	bool ok = f;

	p->n = 0;
	while (ok && fgets(line, sizeof(line), f)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		ok = p->n < MAX_OPS && read_op(line, &p->ops[p->n]);
		p->n++;
	}
	if (f)
		fclose(f);
	return ok && p->n;
}
