// SPDX-License-Identifier: MIT
/*
 * Submits orders to a PostgreSQL server, each over a new connection and with a
 * number out of a batch that was drawn in advance. Check, act, check again. Here
 * the act has left the machine before the second check. So the undoing takes a
 * second transaction, which makes the order void.
 *
 * An order whose fate is not known, because the connection broke, is undone in
 * the same way. A connection from before a snapshot is always broken in a clone.
 * So both clones undo the order that the machine was busy with. The machine
 * itself is taken to have ended at the snapshot, as a template does.
 *
 * Where and who the server is comes from the environment (PGHOST, PGPORT ...).
 * Prints the number of each order that is valid; ends at SIGTERM.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <libpq-fe.h>
#include <sysgenid.h>

/* getrandom(2) is not interrupted up to 256 bytes. */
#define BATCH 32

/* Nobody answers on a connection that was cloned: who only waits must ask. */
#define CONNECTION                                   \
	"connect_timeout=30 tcp_user_timeout=30000 " \
	"keepalives_idle=1 keepalives_interval=5 keepalives_count=6"

#define SUBMIT "INSERT INTO orders (number) VALUES ($1)"
#define VOID   "INSERT INTO voided (number) VALUES ($1) ON CONFLICT DO NOTHING"

struct numbers {
	struct sysgenid *sysgenid;
	const struct sysgenid_view *view;
	uint32_t seen; /* the generation that the batch was drawn in */
	unsigned int left;
	int64_t batch[BATCH];
};

static volatile sig_atomic_t stop;

static void on_term(int signal)
{
	(void)signal;
	stop = 1;
}

/* The numbers may be in another clone's hands, too. */
static bool outdated(const struct numbers *n)
{
	return sysgenid_changed(n->view, n->seen);
}

static int numbers_draw(struct numbers *n)
{
	uint32_t seen;
	int ret = sysgenid_read(n->sysgenid, &seen);

	if (ret)
		return ret;
	if (getrandom(n->batch, sizeof(n->batch), 0) != sizeof(n->batch))
		return -EAGAIN;
	n->left = BATCH;
	n->seen = seen;
	return 0;
}

static int numbers_next(struct numbers *n, int64_t *number)
{
	int ret = 0;

	if (!n->left || outdated(n))
		ret = numbers_draw(n);
	if (!ret)
		*number = n->batch[--n->left] & INT64_MAX;
	return ret;
}

/* Whether the server says that it is done. */
static bool transaction(const char *sql, int64_t number)
{
	char text[24];
	const char *const values[] = { text };
	PGconn *connection = PQconnectdb(CONNECTION);
	PGresult *result = NULL;
	bool done = false;

	snprintf(text, sizeof(text), "%" PRId64, number);
	if (PQstatus(connection) == CONNECTION_OK)
		result = PQexecParams(connection, sql, 1, NULL, values, NULL,
				      NULL, 0);
	if (PQresultStatus(result) == PGRES_COMMAND_OK)
		done = true;
	else
		fprintf(stderr, "%" PRId64 ": %s", number,
			PQerrorMessage(connection));
	PQclear(result);
	PQfinish(connection);
	return done;
}

static void undo(int64_t number)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };

	while (!transaction(VOID, number))
		nanosleep(&pause, NULL);
	fprintf(stderr, "%" PRId64 ": void\n", number);
}

static int order(struct numbers *n, int64_t *number)
{
	bool submitted;
	int ret;

	for (;;) {
		ret = numbers_next(n, number);
		if (ret)
			return ret;
		submitted = transaction(SUBMIT, *number);
		if (submitted && !outdated(n))
			return 0;
		undo(*number);
	}
}

int main(void)
{
	const struct sigaction action = { .sa_handler = on_term };
	struct numbers n = { .left = 0 };
	int64_t number;
	int ret = sysgenid_open(&n.sysgenid, 0);

	sigaction(SIGTERM, &action, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!ret)
		n.view = sysgenid_get_view(n.sysgenid);
	while (!ret && !stop) {
		ret = order(&n, &number);
		if (!ret)
			printf("order %" PRId64 "\n", number);
	}
	if (ret)
		fprintf(stderr, "sysgenid: %s\n", strerror(-ret));
	return !!ret;
}
