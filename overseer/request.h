/* SPDX-License-Identifier: MIT */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A restore request of the host, as the process that parses gives it to the one that
 * acts. The structure has a fixed size and no pointer, and what is absent is zeros.
 */
#define REQUEST_NONCE_MIN   16
#define REQUEST_NONCE_MAX   64
#define REQUEST_ENTROPY_MIN 16
#define REQUEST_ENTROPY_MAX 512
/* With the zero byte. */
#define REQUEST_HOSTNAME   65
#define REQUEST_MACHINE_ID 33
#define REQUEST_NAME	   16
#define REQUEST_INTERFACES 8
#define REQUEST_ADDRESSES  8
#define REQUEST_ROUTES	   8
/* Bytes of all NAME=value, each with its zero byte. */
#define REQUEST_ENVIRONMENT 4096
/* Bytes of a NAME, without a zero byte. */
#define REQUEST_VARIABLE 64

/* Nanoseconds since 1970: the year 2000, and what clock_settime(2) takes at most. */
#define REQUEST_REALTIME_MIN 946684800000000000ll
#define REQUEST_REALTIME_MAX 8277292036000000000ll

/* @family: AF_INET or AF_INET6, or 0: absent. @bytes: in network order; IPv4 has 4. */
struct request_address {
	uint8_t family, prefix;
	unsigned char bytes[16];
};

/* @to: the prefix 0 is the default route. @via: absent on the link. @metric: 0: the kernel's. */
struct request_route {
	struct request_address to, via;
	uint32_t metric;
};

/* An absent list leaves what the interface has; an empty one removes what it has. */
struct request_interface {
	char name[REQUEST_NAME];
	uint8_t has_mac, has_addresses, has_routes;
	uint8_t addresses, routes;
	unsigned char mac[6];
	struct request_address address[REQUEST_ADDRESSES];
	struct request_route route[REQUEST_ROUTES];
};

/*
 * @realtime_ns: 0: absent. @hostname, @machine_id: "": absent.
 * @environment: NAME=value, each with its zero byte, one behind the other. The hooks get
 *	them as SYSGENID_HOST_NAME=value.
 */
struct request {
	int64_t realtime_ns;
	uint16_t nonce_len, entropy_len, environment_len;
	uint8_t interfaces;
	unsigned char nonce[REQUEST_NONCE_MAX];
	unsigned char entropy[REQUEST_ENTROPY_MAX];
	char hostname[REQUEST_HOSTNAME];
	char machine_id[REQUEST_MACHINE_ID];
	struct request_interface interface[REQUEST_INTERFACES];
	char environment[REQUEST_ENVIRONMENT];
};

/*
 * All that a value has to be, whoever wrote the structure. False: @why names the
 * member, and has no byte of the entropy.
 */
bool request_is_valid(const struct request *r, char *why, size_t size);
bool request_has_nonce(const struct request *r, const unsigned char *nonce,
		       size_t len);
/* The variable that begins at *@at, and *@at behind it; NULL: there are no more. */
const char *request_variable(const struct request *r, size_t *at);
/* Once the entropy is in the generator. */
void request_wipe_entropy(struct request *r);
void request_wipe(struct request *r);

#endif /* REQUEST_H */
