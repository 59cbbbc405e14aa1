// SPDX-License-Identifier: MIT
/*
 * A session with a peer: two clones that go on with one of them would use its
 * key and its record numbers twice. So the check is between encrypting and
 * sending, and who was cloned opens a new session. Sends a record for each
 * SIGUSR1; stdout is the wire.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include <sysgenid.h>

#include "generator.h"
#include "requests.h"

struct session {
	uint32_t seen; /* the generation that it was opened in */
	uint64_t id;
	uint64_t key; /* stands for what a handshake agrees on */
	uint64_t records;
};

static struct sysgenid *sysgenid;
static const struct sysgenid_view *view;

static int session_open(struct session *s)
{
	int ret;

	do {
		ret = sysgenid_read(sysgenid, &s->seen);
		if (ret)
			return ret;
		if (getrandom(&s->id, sizeof(s->id), 0) != sizeof(s->id) ||
		    getrandom(&s->key, sizeof(s->key), 0) != sizeof(s->key))
			return -EAGAIN;
	} while (sysgenid_changed(view, s->seen));
	s->records = 0;
	printf("open %016" PRIx64 "\n", s->id);
	return 0;
}

static void session_drop(struct session *s)
{
	explicit_bzero(s, sizeof(*s));
}

/* Stands for a real cipher. */
static uint64_t encrypt(struct session *s, uint64_t text)
{
	struct generator stream = { s->key + s->records++ };

	return text ^ generator_next(&stream);
}

/* -ESTALE: the session is one that a clone may go on with. Open another. */
static int session_send(struct session *s, uint64_t text)
{
	uint64_t number = s->records, record = encrypt(s, text);

	if (sysgenid_changed(view, s->seen))
		return -ESTALE;
	printf("sent %016" PRIx64 " %" PRIu64 " %016" PRIx64 "\n", s->id,
	       number, record);
	return 0;
}

int main(void)
{
	struct session session;
	int ret = sysgenid_open(&sysgenid, 0);

	view = sysgenid_get_view(sysgenid);
	requests_start();
	if (!ret)
		ret = session_open(&session);
	while (!ret && request_next()) {
		while ((ret = session_send(&session, 42)) == -ESTALE) {
			session_drop(&session);
			ret = session_open(&session);
			if (ret)
				break;
		}
	}
	return failed(ret);
}
