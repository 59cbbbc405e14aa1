// SPDX-License-Identifier: MIT
/* Sessions are reset, and links listed, of a kernel that is played here: it fails as it is told to. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>
#include <linux/xfrm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipsec.h"
#include "links.h"
#include "netlink.h"
#include "wireguard.h"

#define FAMILY 0x20
#define INDEX  7

static const uint8_t a_key[WG_KEY_LEN] = "a private key";
static const uint8_t no_key[WG_KEY_LEN];

/* An IPsec state; @answers: to EXPIRE, and to DELSA. */
struct state {
	uint32_t spi;
	bool key, mark;
	int answers[2];
	int asked[2];
};

static struct {
	uint8_t key[WG_KEY_LEN];
	bool has_key;
	/* Of the requests to set a key, in their order. */
	int errors[8];
	unsigned int sets, sends, changes;
	/* Of a list: at its beginning, and at its end; interrupted so often. */
	int refused, broken_off, interrupted;
	struct state states[8];
	unsigned int count;
	int open;
} kernel;

/* libmnl's; the kernel's answers wait in it. */
struct mnl_socket {
	struct {
		_Alignas(struct nlmsghdr) char bytes[1024];
		size_t len;
	} answers[16];
	unsigned int asked, answered;
	/* The same numbers mean other things there. */
	int bus;
};

static void start(void)
{
	memset(&kernel, 0, sizeof(kernel));
	memcpy(kernel.key, a_key, sizeof(a_key));
	kernel.has_key = true;
}

static struct nlmsghdr *add_answer(struct mnl_socket *to, uint16_t type)
{
	void *bytes = to->answers[to->asked].bytes;
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);

	h->nlmsg_type = type;
	return h;
}

static void end_answer(struct mnl_socket *to, const struct nlmsghdr *h)
{
	to->answers[to->asked++].len = h->nlmsg_len;
}

static void add_number(struct mnl_socket *to, uint16_t type, int number)
{
	struct nlmsghdr *h = add_answer(to, type);
	struct nlmsgerr *error = mnl_nlmsg_put_extra_header(
		h, type == NLMSG_ERROR ? sizeof(*error) : sizeof(int));

	error->error = number;
	end_answer(to, h);
}

static void add_device(struct mnl_socket *to)
{
	struct nlmsghdr *h = add_answer(to, FAMILY);

	mnl_nlmsg_put_extra_header(h, sizeof(struct genlmsghdr));
	mnl_attr_put_u32(h, WGDEVICE_A_IFINDEX, INDEX);
	if (kernel.has_key)
		mnl_attr_put(h, WGDEVICE_A_PRIVATE_KEY, WG_KEY_LEN, kernel.key);
	end_answer(to, h);
}

static void add_link(struct mnl_socket *to, const char *name, const char *kind)
{
	struct nlmsghdr *h = add_answer(to, RTM_NEWLINK);
	struct ifinfomsg *body = mnl_nlmsg_put_extra_header(h, sizeof(*body));
	struct nlattr *info;

	/* The last one. */
	if (!strcmp(name, "wg1") && kernel.interrupted > 0) {
		h->nlmsg_flags |= NLM_F_DUMP_INTR;
		kernel.interrupted--;
	}
	body->ifi_index = INDEX;
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(h, info);
	end_answer(to, h);
}

static void add_family(struct mnl_socket *to, const char *name, uint16_t id)
{
	struct nlmsghdr *h = add_answer(to, GENL_ID_CTRL);

	mnl_nlmsg_put_extra_header(h, sizeof(struct genlmsghdr));
	mnl_attr_put_strz(h, CTRL_ATTR_FAMILY_NAME, name);
	mnl_attr_put_u16(h, CTRL_ATTR_FAMILY_ID, id);
	end_answer(to, h);
}

static void add_state(struct mnl_socket *to, const struct state *s)
{
	const struct xfrm_mark mark = { s->spi, 0xff };
	struct nlmsghdr *h = add_answer(to, XFRM_MSG_NEWSA);
	struct xfrm_usersa_info *body =
		mnl_nlmsg_put_extra_header(h, sizeof(*body));

	body->id.spi = s->spi;
	if (s->key)
		mnl_attr_put(h, XFRMA_ALG_AEAD, 4, "key");
	if (s->mark)
		mnl_attr_put(h, XFRMA_MARK, sizeof(mark), &mark);
	end_answer(to, h);
}

static void set_key(struct mnl_socket *to, const struct nlmsghdr *h)
{
	const int error = kernel.errors[kernel.sets++];
	const struct nlattr *attr;

	ck_assert_uint_eq(h->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	netlink_each(attr, h, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == WGDEVICE_A_IFINDEX)
			ck_assert_uint_eq(mnl_attr_get_u32(attr), INDEX);
		if (mnl_attr_get_type(attr) != WGDEVICE_A_PRIVATE_KEY || error)
			continue;
		/* An unchanged one changes nothing. */
		kernel.changes += memcmp(kernel.key, mnl_attr_get_payload(attr),
					 WG_KEY_LEN) != 0;
		memcpy(kernel.key, mnl_attr_get_payload(attr), WG_KEY_LEN);
		kernel.has_key = memcmp(kernel.key, no_key, WG_KEY_LEN) != 0;
	}
	add_number(to, NLMSG_ERROR, error);
}

static bool has_mark(const struct nlmsghdr *h, size_t offset, uint32_t value)
{
	const struct nlattr *attr;

	netlink_each(attr, h, offset)
	{
		const struct xfrm_mark *mark = mnl_attr_get_payload(attr);

		if (mnl_attr_get_type(attr) == XFRMA_MARK)
			return mark->v == value && mark->m == 0xff;
	}
	return false;
}

static void end_state(struct mnl_socket *to, const struct nlmsghdr *h,
		      bool expire, uint32_t spi, size_t offset)
{
	for (unsigned int i = 0; i < kernel.count; i++) {
		struct state *s = &kernel.states[i];

		if (s->spi != spi)
			continue;
		ck_assert_int_eq(has_mark(h, offset, spi), s->mark);
		s->asked[!expire]++;
		add_number(to, NLMSG_ERROR, s->answers[!expire]);
	}
}

static void list(struct mnl_socket *to, uint16_t type)
{
	if (kernel.refused) {
		add_number(to, NLMSG_ERROR, kernel.refused);
		return;
	}
	if (type == FAMILY) {
		ck_assert_int_eq(to->bus, NETLINK_GENERIC);
		add_device(to);
	} else if (type == GENL_ID_CTRL) {
		add_family(to, "nlctrl", GENL_ID_CTRL);
		add_family(to, "wireguard", FAMILY);
		add_family(to, "wireguard2", FAMILY + 1);
	} else if (to->bus == NETLINK_ROUTE) {
		add_link(to, "eth0", "virtio");
		add_link(to, "wg0", "wireguard");
		add_link(to, "wg1", "wireguard");
	}
	for (unsigned int i = 0; to->bus == NETLINK_XFRM && i < kernel.count;
	     i++)
		add_state(to, &kernel.states[i]);
	add_number(to, NLMSG_DONE, kernel.broken_off);
}

static void take(struct mnl_socket *to, const struct nlmsghdr *h)
{
	const struct xfrm_user_expire *expire = mnl_nlmsg_get_payload(h);
	const struct xfrm_usersa_id *id = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type == FAMILY && !(h->nlmsg_flags & NLM_F_DUMP)) {
		set_key(to, h);
	} else if (h->nlmsg_type == XFRM_MSG_EXPIRE) {
		ck_assert_uint_eq(expire->hard, 1);
		end_state(to, h, true, expire->state.id.spi, sizeof(*expire));
	} else if (h->nlmsg_type == XFRM_MSG_DELSA) {
		end_state(to, h, false, id->spi, sizeof(*id));
	} else {
		ck_assert_uint_eq(h->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
		list(to, h->nlmsg_type);
	}
}

/* ---- libmnl's sockets; the rest of it is real ---- */

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	struct mnl_socket *s = calloc(1, sizeof(*s));

	(void)flags;
	ck_assert_ptr_nonnull(s);
	s->bus = bus;
	kernel.open++;
	return s;
}

int mnl_socket_bind(struct mnl_socket *s, unsigned int groups, pid_t pid)
{
	(void)s;
	(void)groups;
	(void)pid;
	return 0;
}

int mnl_socket_close(struct mnl_socket *s)
{
	kernel.open--;
	free(s);
	return 0;
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *s)
{
	(void)s;
	return 0;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *s, const void *buf,
			  size_t len)
{
	const struct nlmsghdr *h = buf;
	int left = (int)len;

	kernel.sends++;
	while (mnl_nlmsg_ok(h, left)) {
		take((struct mnl_socket *)(uintptr_t)s, h);
		h = mnl_nlmsg_next(h, &left);
	}
	ck_assert_int_eq(left, 0);
	return (ssize_t)len;
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *s, void *buf, size_t size)
{
	struct mnl_socket *from = (struct mnl_socket *)(uintptr_t)s;
	const unsigned int i = from->answered++;

	ck_assert_uint_lt(i, from->asked);
	ck_assert_uint_ge(size, from->answers[i].len);
	memcpy(buf, from->answers[i].bytes, from->answers[i].len);
	return (ssize_t)from->answers[i].len;
}

/* ---- */

static void ends_with_its_key(void)
{
	ck_assert(!memcmp(kernel.key, a_key, sizeof(a_key)));
	ck_assert_int_eq(kernel.open, 0);
}

START_TEST(key_is_removed_and_set_in_one_call)
{
	start();
	ck_assert_int_eq(wireguard_reset(FAMILY, INDEX), 0);
	ck_assert_uint_eq(kernel.sets, 2);
	ck_assert_uint_eq(kernel.changes, 2);
	/* The key is asked for, exchanged, and asked for. */
	ck_assert_uint_eq(kernel.sends, 3);
	ends_with_its_key();
}
END_TEST

START_TEST(key_that_is_not_set_is_set_again)
{
	start();
	kernel.errors[1] = kernel.errors[2] = -ENOMEM;
	ck_assert_int_eq(wireguard_reset(FAMILY, INDEX), 0);
	ck_assert_uint_eq(kernel.sets, 4);
	ends_with_its_key();
}
END_TEST

START_TEST(lost_key_is_an_error)
{
	start();
	for (int i = 1; i < 8; i++)
		kernel.errors[i] = -ENOMEM;
	ck_assert_int_eq(wireguard_reset(FAMILY, INDEX), -ENOKEY);
	ck_assert(!kernel.has_key);
}
END_TEST

START_TEST(key_that_is_not_removed_is_an_error)
{
	start();
	kernel.errors[0] = -EPERM;
	ck_assert_int_eq(wireguard_reset(FAMILY, INDEX), -EPERM);
	ends_with_its_key();
}
END_TEST

START_TEST(interface_that_went_is_no_error)
{
	start();
	kernel.refused = -ENODEV;
	ck_assert_int_eq(wireguard_reset(FAMILY, INDEX), 0);
	start();
	kernel.errors[0] = kernel.errors[1] = -ENODEV;
	ck_assert_int_eq(wireguard_reset(FAMILY, INDEX), 0);
	ck_assert_uint_eq(kernel.sets, 2);
}
END_TEST

START_TEST(interface_without_a_key_has_no_sessions)
{
	start();
	kernel.has_key = false;
	ck_assert_int_eq(wireguard_reset(FAMILY, INDEX), 0);
	ck_assert_uint_eq(kernel.sets, 0);
}
END_TEST

START_TEST(key_that_cannot_be_read_is_an_error)
{
	start();
	kernel.refused = -EPERM;
	ck_assert_int_eq(wireguard_reset(FAMILY, INDEX), -EPERM);
	ck_assert_uint_eq(kernel.sets, 0);
}
END_TEST

START_TEST(links_of_one_kind)
{
	struct links found;

	start();
	ck_assert_int_eq(links_find("wireguard", &found), 0);
	ck_assert_uint_eq(found.count, 2);
	ck_assert_str_eq(found.link[1].name, "wg1");
	ck_assert_uint_eq(found.link[1].index, INDEX);
	links_free(&found);
	ck_assert_int_eq(links_find("macsec", &found), 0);
	ck_assert_uint_eq(found.count, 0);
	links_free(&found);
}
END_TEST

START_TEST(interrupted_list_is_read_again)
{
	struct links found;

	start();
	kernel.interrupted = 2;
	ck_assert_int_eq(links_find("wireguard", &found), 0);
	ck_assert_uint_eq(found.count, 2);
	links_free(&found);
	kernel.interrupted = 1000;
	ck_assert_int_eq(links_find("wireguard", &found), -EINTR);
	links_free(&found);
}
END_TEST

START_TEST(list_that_ends_early_is_an_error)
{
	struct links found;

	start();
	kernel.broken_off = -ENOBUFS;
	ck_assert_int_eq(links_find("wireguard", &found), -ENOBUFS);
	links_free(&found);
	ck_assert_int_eq(netlink_family("wireguard"), -ENOBUFS);
	ck_assert_int_eq(ipsec_reset(), -ENOBUFS);
}
END_TEST

START_TEST(list_that_is_refused_is_an_error)
{
	struct links found;

	start();
	kernel.refused = -EPERM;
	ck_assert_int_eq(links_find("wireguard", &found), -EPERM);
	links_free(&found);
	ck_assert_int_eq(netlink_family("wireguard"), -EPERM);
	ck_assert_int_eq(ipsec_reset(), -EPERM);
}
END_TEST

START_TEST(family_by_its_whole_name)
{
	start();
	ck_assert_int_eq(netlink_family("wireguard"), FAMILY);
	ck_assert_int_eq(netlink_family("macsec"), 0);
}
END_TEST

static void add(struct state s)
{
	kernel.states[kernel.count++] = s;
}

START_TEST(states_with_keys_expire)
{
	start();
	add((struct state){ .spi = 1, .key = true });
	add((struct state){ .spi = 2, .key = true, .mark = true });
	/* A number that was reserved. */
	add((struct state){ .spi = 3 });
	/* Not in use: deleted. */
	add((struct state){ .spi = 4, .key = true, .answers = { -EINVAL } });
	add((struct state){ .spi = 5, .key = true, .answers = { -ENOENT } });
	add((struct state){
		.spi = 6, .key = true, .answers = { -EINVAL, -ESRCH } });
	ck_assert_int_eq(ipsec_reset(), 3);
	ck_assert_int_eq(kernel.states[0].asked[0], 1);
	ck_assert_int_eq(kernel.states[1].asked[0], 1);
	ck_assert_int_eq(kernel.states[2].asked[0], 0);
	ck_assert_int_eq(kernel.states[3].asked[1], 1);
	ck_assert_int_eq(kernel.states[5].asked[1], 1);
}
END_TEST

START_TEST(states_with_keys_are_counted_and_stay)
{
	start();
	add((struct state){ .spi = 1, .key = true });
	add((struct state){ .spi = 2, .key = true, .mark = true });
	add((struct state){ .spi = 3 });
	ck_assert_int_eq(ipsec_count(), 2);
	for (unsigned int i = 0; i < kernel.count; i++)
		ck_assert(!kernel.states[i].asked[0] &&
			  !kernel.states[i].asked[1]);
	ck_assert_int_eq(kernel.open, 0);
	kernel.broken_off = -ENOBUFS;
	ck_assert_int_eq(ipsec_count(), -ENOBUFS);
	start();
	kernel.refused = -EPERM;
	ck_assert_int_eq(ipsec_count(), -EPERM);
}
END_TEST

START_TEST(state_that_stays_is_an_error)
{
	start();
	add((struct state){ .spi = 1, .key = true, .answers = { -EPERM } });
	ck_assert_int_eq(ipsec_reset(), -EPERM);
	start();
	add((struct state){
		.spi = 1, .key = true, .answers = { -EINVAL, -EPERM } });
	ck_assert_int_eq(ipsec_reset(), -EPERM);
	ck_assert_int_eq(kernel.open, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("netlink");
	TCase *tcase = tcase_create("a kernel that fails");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, key_is_removed_and_set_in_one_call);
	tcase_add_test(tcase, key_that_is_not_set_is_set_again);
	tcase_add_test(tcase, lost_key_is_an_error);
	tcase_add_test(tcase, key_that_is_not_removed_is_an_error);
	tcase_add_test(tcase, interface_that_went_is_no_error);
	tcase_add_test(tcase, interface_without_a_key_has_no_sessions);
	tcase_add_test(tcase, key_that_cannot_be_read_is_an_error);
	tcase_add_test(tcase, links_of_one_kind);
	tcase_add_test(tcase, interrupted_list_is_read_again);
	tcase_add_test(tcase, list_that_ends_early_is_an_error);
	tcase_add_test(tcase, list_that_is_refused_is_an_error);
	tcase_add_test(tcase, family_by_its_whole_name);
	tcase_add_test(tcase, states_with_keys_expire);
	tcase_add_test(tcase, states_with_keys_are_counted_and_stay);
	tcase_add_test(tcase, state_that_stays_is_an_error);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
