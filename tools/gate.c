// SPDX-License-Identifier: MIT
/* sysgenidctl gate: the gate in the kernel. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "exceptions-file.h"
#include "sysgenidctl.h"

struct request {
	uint32_t operation;
	uint32_t flags;
	const char *exceptions;
	bool have_generation;
	uint32_t generation;
	bool json;
	bool verbose;
};

static const char *const states[] = {
	[SYSGENID_GATE_DISARMED] = "disarmed",
	[SYSGENID_GATE_IS_SHUT] = "shut",
	[SYSGENID_GATE_IS_OPEN] = "open",
};

static const char *const reasons[] = {
	[SYSGENID_GATE_WHY_NONE] = NULL,
	[SYSGENID_GATE_WHY_ARMED] = "not opened since it was armed",
	[SYSGENID_GATE_WHY_CALL] = "shut by a call",
	[SYSGENID_GATE_WHY_GENERATION] = "opened for another generation",
};

/* What a later driver says has no name yet. */
static const char *name(const char *const *names, size_t n, uint32_t value)
{
	return value < n ? names[value] : "unknown";
}

static const char *state_of(const struct sysgenid_gate_args *now)
{
	return name(states, ARRAY_SIZE(states), now->state);
}

static const char *reason_of(const struct sysgenid_gate_args *now)
{
	return name(reasons, ARRAY_SIZE(reasons), now->reason);
}

static const char *truth(uint32_t flag)
{
	return flag ? "true" : "false";
}

static void print_gate_json(const struct sysgenid_gate_args *now)
{
	const char *reason = reason_of(now);

	printf("{\"state\": \"%s\", \"reason\": ", state_of(now));
	if (reason)
		print_json_string(reason);
	else
		fputs("null", stdout);
	printf(", \"generation\": %" PRIu32 ", \"opened\": %" PRIu32
	       ", \"devices\": %" PRIu32,
	       now->generation, now->opened, now->hooked);
	printf(", \"dropped_in\": %" PRIu64 ", \"dropped_out\": %" PRIu64,
	       (uint64_t)now->dropped_in, (uint64_t)now->dropped_out);
	printf(", \"excepted_devices\": %" PRIu32
	       ", \"excepted_marks\": %" PRIu32
	       ", \"filter_instructions\": %" PRIu32,
	       now->device_count, now->mark_count, now->filter_len);
	printf(", \"without_id\": %s, \"triggers_pass\": %s, \"ip_only\": %s, \"off\": %s}\n",
	       truth(now->flags & SYSGENID_GATE_WITHOUT_ID),
	       truth(now->flags & SYSGENID_GATE_TRIGGERS_PASS),
	       truth(now->flags & SYSGENID_GATE_IP_ONLY),
	       truth(now->flags & SYSGENID_GATE_OFF));
}

static void print_gate(const struct sysgenid_gate_args *now, bool verbose)
{
	const char *reason = reason_of(now);

	if (!verbose) {
		puts(state_of(now));
		return;
	}
	printf("gate        %s%s%s\n", state_of(now), reason ? ": " : "",
	       reason ? reason : "");
	printf("devices     %" PRIu32 "\n", now->hooked);
	printf("dropped     in %" PRIu64 ", out %" PRIu64 "\n",
	       (uint64_t)now->dropped_in, (uint64_t)now->dropped_out);
	printf("exceptions  devices %" PRIu32 ", marks %" PRIu32
	       ", instructions of the filter %" PRIu32 "\n",
	       now->device_count, now->mark_count, now->filter_len);
	if (now->flags & SYSGENID_GATE_IP_ONLY)
		puts("out         IP only: packet sockets and ARP pass on this kernel");
	if (now->flags & SYSGENID_GATE_OFF)
		puts("off         the module parameter gate=off: it cannot be armed");
}

static int complain_gate(struct sysgenid *g, int error)
{
	struct sysgenid_info info = { .features = 0 };
	const char *advice;

	switch (error) {
	case -EACCES:
		fputs("sysgenidctl: gate: not permitted; it takes CAP_NET_ADMIN, and CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE: try it as root\n",
		      stderr);
		return NOT_PERMITTED;
	case -EPERM:
		advice = "switched off by the module parameter gate=off";
		break;
	case -ENOTCONN:
		advice = "not armed; \"sysgenidctl gate arm\" does that";
		break;
	case -ESTALE:
		advice = "another generation is current";
		break;
	case -EINVAL:
		advice = "the driver of " SYSGENID_DEVICE
			 " has no gate, or refuses the exceptions";
		break;
	case -EOPNOTSUPP:
		sysgenid_get_info(g, &info, sizeof(info));
		advice =
			info.features & SYSGENID_FEATURE_GATE ?
				"there is no hardware id to compare; --without-id arms it for calls and triggers" :
				"this kernel has no CONFIG_NETFILTER_INGRESS, or the driver is an older one";
		break;
	default:
		return complain(error, "gate");
	}
	fprintf(stderr, "sysgenidctl: gate: %s\n", advice);
	return FAILED;
}

static int operate(const struct request *request,
		   const struct exceptions *except)
{
	struct sysgenid_gate_args gate = {
		.operation = request->operation,
		.flags = request->flags,
	};
	struct sysgenid *g;
	int r = open_device(&g, false);

	if (r)
		return r;
	if (request->exceptions)
		exceptions_put(except, &gate);
	gate.generation = request->generation;
	if (!request->have_generation)
		r = sysgenid_read(g, &gate.generation);
	if (!r)
		r = sysgenid_gate(g, &gate);
	if (r)
		r = complain_gate(g, r);
	sysgenid_close(g);
	if (r)
		return r;
	if (request->json)
		print_gate_json(&gate);
	else if (request->operation == SYSGENID_GATE_GET)
		print_gate(&gate, request->verbose);
	return flush_output();
}

static bool parse_operation(const char *word, uint32_t *operation)
{
	static const char *const operations[] = {
		[SYSGENID_GATE_GET] = "get",
		[SYSGENID_GATE_ARM] = "arm",
		[SYSGENID_GATE_DISARM] = "disarm",
		[SYSGENID_GATE_SHUT] = "shut",
		[SYSGENID_GATE_OPEN] = "open",
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (strcmp(word, operations[i]))
			continue;
		*operation = i;
		return true;
	}
	complain_usage(
		"gate: \"%s\" is neither \"arm\", \"disarm\", \"shut\", \"open\" nor \"get\"",
		word);
	return false;
}

/* What an option is for: the operation, or two of them. */
static bool fits(const struct request *request)
{
	const bool arm = request->operation == SYSGENID_GATE_ARM;

	if ((request->flags || request->exceptions) && !arm) {
		complain_usage(
			"gate: --exceptions, --open, --without-id and --triggers-pass are of \"arm\"");
		return false;
	}
	if (request->have_generation &&
	    request->operation != SYSGENID_GATE_OPEN &&
	    !(request->flags & SYSGENID_GATE_AT_ONCE)) {
		complain_usage(
			"gate: --generation is of \"open\", and of \"arm --open\"");
		return false;
	}
	return true;
}

int cmd_gate(int argc, char **argv)
{
	static const struct option options[] = {
		{ "exceptions", required_argument, NULL, 'x' },
		{ "generation", required_argument, NULL, 'g' },
		{ "json", no_argument, NULL, 'j' },
		{ "open", no_argument, NULL, 'o' },
		{ "triggers-pass", no_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "without-id", no_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	struct exceptions except = { .filter = NULL };
	struct request request = { .operation = SYSGENID_GATE_GET };
	int c, r;

	while ((c = getopt_long(argc, argv, "x:g:jotvw", options, NULL)) !=
	       -1) {
		if (c == 'x') {
			request.exceptions = optarg;
		} else if (c == 'g') {
			request.have_generation = true;
			if (!parse_generation(optarg, &request.generation))
				return USAGE;
		} else if (c == 'j') {
			request.json = true;
		} else if (c == 'o') {
			request.flags |= SYSGENID_GATE_AT_ONCE;
		} else if (c == 't') {
			request.flags |= SYSGENID_GATE_TRIGGERS_PASS;
		} else if (c == 'v') {
			request.verbose = true;
		} else if (c == 'w') {
			request.flags |= SYSGENID_GATE_WITHOUT_ID;
		} else {
			return USAGE;
		}
	}
	if (optind == argc)
		return complain_usage("gate: no operation");
	if (!parse_operation(argv[optind++], &request.operation) ||
	    !no_operands(argc, argv) || !fits(&request))
		return USAGE;
	if (request.exceptions && !exceptions_read(request.exceptions, &except))
		return FAILED;
	r = operate(&request, &except);
	exceptions_free(&except);
	return r;
}
