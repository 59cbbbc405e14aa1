// SPDX-License-Identifier: MIT
/* A line of a host, parsed; or the bytes of a structure, from a parser that somebody else controls. */
#include <string.h>

#include "../../containers/json.h"
#include "../../overseer/request-parse.h"
#include "fuzz.h"

/* Nothing of what was refused is left, and nothing of the entropy in the line. */
static void parse(char *line)
{
	static struct request r, zeros;
	const size_t len = strlen(line);
	struct secret secret;
	struct json_object *o;
	char why[256] = "";

	secret_take(&secret, line, len);
	MUST(strlen(line) == len && secret.len <= SECRET_MAX + 1);
	o = json_parse(line, len, why, sizeof(why));
	if (o && request_parse(&r, o, &secret, why, sizeof(why))) {
		MUST(request_is_valid(&r, why, sizeof(why)));
		MUST(!r.entropy_len || secret.present);
		request_wipe_entropy(&r);
		MUST(request_is_valid(&r, why, sizeof(why)));
	} else if (o) {
		MUST(why[0] && memchr(why, 0, sizeof(why)));
		MUST(!memcmp(&r, &zeros, sizeof(r)));
	}
	json_object_put(o);
}

static void check_bytes(void)
{
	static struct request r;
	char why[256];
	const char *text;
	size_t at = 0;

	memset(&r, 0, sizeof(r));
	input_bytes(&r, sizeof(r));
	if (!request_is_valid(&r, why, sizeof(why)))
		return;
	/* What is valid is read to its end, and no further. */
	while ((text = request_variable(&r, &at)))
		MUST(strchr(text, '=') && at <= sizeof(r.environment));
	MUST(memchr(r.hostname, 0, sizeof(r.hostname)) &&
	     memchr(r.machine_id, 0, sizeof(r.machine_id)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line;

	input_begin(data, size);
	if (input_byte() == 's') {
		check_bytes();
		return 0;
	}
	input_begin(data, size);
	line = input_text();
	parse(line);
	free(line);
	return 0;
}
