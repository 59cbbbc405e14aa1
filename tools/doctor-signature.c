// SPDX-License-Identifier: MIT
/*
 * Who signed the module, and whether this kernel trusts him.
 *
 * The signature at the end of a module names its signer by the issuer and the
 * serial number of his certificate. /proc/keys shows the kernel's keys by
 * their subject and key identifier. A certificate has all of these, so those
 * that the usual tools keep on a disk connect the two.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define EFIVARS	    "/sys/firmware/efi/efivars/"
#define SECURE_BOOT EFIVARS "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define ENROLMENT   EFIVARS "MokNew-605dab50-e046-4300-abb6-3dd810dd8b23"
#define MODULE_MAX  (64u << 20)

/* Where dkms, Ubuntu and akmods keep the certificate of the key that they sign with. */
static const char *const certificates[] = {
	"/var/lib/dkms/mok.pub",
	"/var/lib/shim-signed/mok/MOK.der",
	"/etc/pki/akmods/certs/public_key.der",
};

#define N_CERTIFICATES (sizeof(certificates) / sizeof(certificates[0]))

/* Tags of DER. */
enum {
	INTEGER = 0x02,
	OID = 0x06,
	SEQUENCE = 0x30,
	SET = 0x31,
	KEY_ID = 0x80,
	FIRST = 0xa0,
	SECOND = 0xa1,
};

struct bytes {
	const unsigned char *at;
	size_t len;
};

/*
 * Takes an element from the front of @in. @content: what is in it; @whole: the
 * same with tag and length. Both may be NULL.
 */
static bool take(struct bytes *in, unsigned char tag, struct bytes *content,
		 struct bytes *whole)
{
	size_t head = 2, len, n;

	if (in->len < 2 || in->at[0] != tag)
		return false;
	len = in->at[1];
	if (len & 0x80) {
		n = len & 0x7f;
		if (n < 1 || n > 3 || in->len < 2 + n)
			return false;
		for (len = 0; head < 2 + n; head++)
			len = len << 8 | in->at[head];
	}
	if (in->len - head < len)
		return false;
	if (content)
		*content = (struct bytes){ in->at + head, len };
	if (whole)
		*whole = (struct bytes){ in->at, head + len };
	in->at += head + len;
	in->len -= head + len;
	return true;
}

static bool skip(struct bytes *in, unsigned char tag)
{
	return take(in, tag, NULL, NULL);
}

static bool enter(struct bytes *in, unsigned char tag)
{
	struct bytes content;

	if (!take(in, tag, &content, NULL))
		return false;
	*in = content;
	return true;
}

static void hex(char *to, size_t size, const unsigned char *from, size_t len)
{
	*to = 0;
	for (size_t i = 0; i < len && 2 * i + 2 < size; i++)
		sprintf(to + 2 * i, "%02x", from[i]);
}

/* The last part of a distinguished name that is of this kind. */
static void part_of_name(char *to, size_t size, struct bytes name,
			 unsigned char kind)
{
	const unsigned char oid[] = { OID, 3, 0x55, 4, kind };
	const unsigned char *at;
	size_t len;

	while ((at = memmem(name.at, name.len, oid, sizeof(oid)))) {
		at += sizeof(oid);
		len = (size_t)(name.at + name.len - at);
		if (len >= 2 && at[1] < 0x80 && len >= at[1] + 2u)
			snprintf(to, size, "%.*s", at[1], (const char *)at + 2);
		name = (struct bytes){ at, len };
	}
	/* The text is for a terminal. */
	for (; *to; to++)
		if ((unsigned char)*to < ' ' || *to == 0x7f)
			*to = '?';
}

static bool set_id(struct key_id *id, struct bytes issuer, struct bytes serial)
{
	enum { COMMON_NAME = 3, ORGANIZATION = 10 };

	if (issuer.len + serial.len > sizeof(id->id))
		return false;
	memcpy(id->id, issuer.at, issuer.len);
	memcpy(id->id + issuer.len, serial.at, serial.len);
	id->len = issuer.len + serial.len;
	/* The kernel, too, names who has no name by his organization. */
	part_of_name(id->name, sizeof(id->name), issuer, ORGANIZATION);
	part_of_name(id->name, sizeof(id->name), issuer, COMMON_NAME);
	return true;
}

/* PKCS #7, as sign-file of the kernel makes it. */
static bool parse_signature(struct bytes in, struct key_id *id)
{
	struct bytes issuer, serial, key;

	if (!enter(&in, SEQUENCE) || !skip(&in, OID) || !enter(&in, FIRST) ||
	    !enter(&in, SEQUENCE) || !skip(&in, INTEGER) || !skip(&in, SET) ||
	    !skip(&in, SEQUENCE))
		return false;
	skip(&in, FIRST);
	skip(&in, SECOND);
	if (!enter(&in, SET) || !enter(&in, SEQUENCE) || !skip(&in, INTEGER))
		return false;
	if (take(&in, KEY_ID, &key, NULL)) {
		hex(id->key, sizeof(id->key), key.at, key.len);
		return true;
	}
	return enter(&in, SEQUENCE) && take(&in, SEQUENCE, NULL, &issuer) &&
	       take(&in, INTEGER, NULL, &serial) && set_id(id, issuer, serial);
}

static bool parse_certificate(struct bytes in, struct key_id *id)
{
	/* The extension with the subject's key identifier, of the usual length. */
	static const unsigned char extension[] = {
		OID, 3, 0x55, 0x1d, 0x0e, 4, 22, 4, 20,
	};
	struct bytes all = in, issuer, serial, number;
	const unsigned char *key;

	if (!enter(&in, SEQUENCE) || !enter(&in, SEQUENCE))
		return false;
	skip(&in, FIRST);
	number = in;
	if (!take(&in, INTEGER, NULL, &serial) || !skip(&in, SEQUENCE) ||
	    !take(&in, SEQUENCE, NULL, &issuer) || !set_id(id, issuer, serial))
		return false;
	key = memmem(all.at, all.len, extension, sizeof(extension));
	if (key && (size_t)(all.at + all.len - key) >= sizeof(extension) + 20)
		hex(id->key, sizeof(id->key), key + sizeof(extension), 20);
	else if (enter(&number, INTEGER))
		/* Then the kernel shows the serial number. */
		hex(id->key, sizeof(id->key), number.at, number.len);
	return true;
}

/* To be freed; NULL if it is empty, or too long for what it should be. */
static unsigned char *read_all(FILE *f, size_t *len)
{
	size_t room = 1 << 16, n;
	unsigned char *data = malloc(room), *more;

	for (*len = 0; data; *len += n) {
		if (*len == room) {
			room *= 2;
			more = room <= MODULE_MAX ? realloc(data, room) : NULL;
			if (!more)
				break;
			data = more;
		}
		n = fread(data + *len, 1, room - *len, f);
		if (!n && *len)
			return data;
		if (!n)
			break;
	}
	free(data);
	*len = 0;
	return NULL;
}

static enum signed_by parse_module(const unsigned char *module, size_t len,
				   struct key_id *id)
{
	static const char mark[] = "~Module signature appended~\n";
	const size_t mark_len = sizeof(mark) - 1, info_len = 12;
	const unsigned char *end;
	size_t signature;

	if (len < mark_len + info_len || memcmp(module, "\177ELF", 4))
		return UNKNOWN;
	len -= mark_len;
	end = module + len;
	if (memcmp(end, mark, mark_len))
		return NOBODY;
	/* The last member of struct module_signature is the length, big endian. */
	signature = (size_t)end[-4] << 24 | (size_t)end[-3] << 16 |
		    (size_t)end[-2] << 8 | end[-1];
	len -= info_len;
	if (signature > len ||
	    !parse_signature(
		    (struct bytes){ module + len - signature, signature }, id))
		return UNKNOWN;
	return SOMEBODY;
}

enum signed_by read_signature(FILE *module, struct key_id *id)
{
	enum signed_by result = UNKNOWN;
	unsigned char *data;
	size_t len;

	memset(id, 0, sizeof(*id));
	data = read_all(module, &len);
	if (data)
		result = parse_module(data, len, id);
	free(data);
	return result;
}

bool read_certificate(FILE *certificate, struct key_id *id)
{
	unsigned char *data;
	size_t len;
	bool ok;

	memset(id, 0, sizeof(*id));
	data = read_all(certificate, &len);
	ok = data && parse_certificate((struct bytes){ data, len }, id);
	free(data);
	return ok;
}

bool is_certificate_of(const struct key_id *certificate,
		       const struct key_id *signer)
{
	if (!signer->len)
		return signer->key[0] && !strcmp(signer->key, certificate->key);
	return signer->len == certificate->len &&
	       !memcmp(signer->id, certificate->id, signer->len);
}

bool kernel_has_key(FILE *keys, const struct key_id *id)
{
	char line[1024], wanted[sizeof(id->name) + sizeof(id->key)];
	const char *type, *text;
	bool has = false;

	/* "asymmetri NAME: KEY: X509.rsa ..." */
	if (id->key[0])
		snprintf(wanted, sizeof(wanted), ": %s: ", id->key);
	else if (!id->name[0])
		return false;
	else
		snprintf(wanted, sizeof(wanted), " %s: ", id->name);
	while (!has && fgets(line, sizeof(line), keys)) {
		type = strstr(line, " asymmetri ");
		text = type ? type + strlen(" asymmetri") : NULL;
		has = text && strstr(text, wanted);
	}
	return has;
}

/* What is compressed is unpacked by the program for it. */
static enum signed_by signer_of(const char *path, struct key_id *id)
{
	static const struct {
		const char *end, *program;
	} packed[] = {
		{ ".ko.xz", "xz" },
		{ ".ko.zst", "zstd" },
		{ ".ko.gz", "gzip" },
	};
	enum signed_by result = UNKNOWN;
	char command[4200];
	FILE *f;

	memset(id, 0, sizeof(*id));
	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
		if (!ends_with(path, packed[i].end) || strchr(path, '\''))
			continue;
		snprintf(command, sizeof(command), "%s -dc '%s' 2>/dev/null",
			 packed[i].program, path);
		f = popen(command, "re");
		if (f) {
			result = read_signature(f, id);
			pclose(f);
		}
		return result;
	}
	f = fopen(path, "re");
	if (f) {
		result = read_signature(f, id);
		fclose(f);
	}
	return result;
}

/* The certificate that the module's signer has here, or NULL. */
static const char *certificate_of(struct key_id *signer)
{
	struct key_id found;
	bool is;

	for (size_t i = 0; i < N_CERTIFICATES; i++) {
		FILE *f = fopen(certificates[i], "re");

		if (!f)
			continue;
		is = read_certificate(f, &found) &&
		     is_certificate_of(&found, signer);
		fclose(f);
		if (is) {
			*signer = found;
			return certificates[i];
		}
	}
	return NULL;
}

static bool is_trusted(const struct key_id *signer)
{
	FILE *f = fopen("/proc/keys", "re");
	bool is = f && kernel_has_key(f, signer);

	if (f)
		fclose(f);
	return is;
}

static bool secure_boot(void)
{
	unsigned char value[5];
	FILE *f = fopen(SECURE_BOOT, "re");
	bool on;

	if (!f)
		return false;
	/* Four bytes of attributes, and the value. */
	on = fread(value, 1, sizeof(value), f) == sizeof(value) &&
	     value[4] == 1;
	fclose(f);
	return on;
}

/* Why an unsigned module is refused here, or NULL. */
static const char *signature_wanted(void)
{
	char line[128];

	if (secure_boot())
		return "Secure Boot is on";
	if (first_line("/sys/kernel/security/lockdown", line, sizeof(line)) &&
	    !strstr(line, "[none]"))
		return "the kernel is locked down, as under Secure Boot";
	if (first_line("/sys/module/module/parameters/sig_enforce", line,
		       sizeof(line)) &&
	    line[0] == 'Y')
		return "module.sig_enforce is on";
	return NULL;
}

/* How the owner of the machine makes a key trusted. */
static void enrol(char *fix, size_t size, const char *certificate)
{
	for (size_t i = 0; i < N_CERTIFICATES && !certificate; i++)
		if (!access(certificates[i], F_OK))
			certificate = certificates[i];
	if (!certificate)
		certificate = certificates[0];
	snprintf(
		fix, size,
		"mokutil --import %s, then restart and choose \"Enroll MOK\" on the console",
		certificate);
}

/* How dkms, which signs what it builds, comes to sign a module that it has not signed. */
static void sign_and_enrol(char *fix, size_t size)
{
	DIR *d = opendir("/var/lib/dkms/sysgenid");
	char version[64] = "VERSION", then[512];
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
			snprintf(version, sizeof(version), "%.63s", e->d_name);
	if (d)
		closedir(d);
	enrol(then, sizeof(then), NULL);
	snprintf(
		fix, size,
		"dkms build --force sysgenid/%s -k %s && dkms install --force sysgenid/%s -k %s (dkms 3 or newer signs what it builds, if openssl is installed); %s",
		version, kernel_release(), version, kernel_release(), then);
}

static void examine_signer(struct doctor *d, const char *why, const char *path,
			   struct key_id *signer)
{
	const char *certificate = certificate_of(signer);
	char fix[512];

	if (is_trusted(signer)) {
		finding(d, GOOD, "signature", NULL,
			"%s; %s is signed with the key \"%s\", which this kernel trusts",
			why, path, signer->name);
		return;
	}
	enrol(fix, sizeof(fix), certificate);
	if (geteuid() != 0)
		finding(d, NOTE, "signature", fix,
			"%s, and %s is signed with the key \"%s\": only root sees whether this kernel trusts it",
			why, path, signer->name);
	else if (!access(ENROLMENT, F_OK))
		finding(d, PROBLEM, "signature",
			"restart and choose \"Enroll MOK\" on the console",
			"%s, and the key \"%s\" that signed %s is not enrolled yet: it will be refused",
			why, signer->name, path);
	else
		finding(d, PROBLEM, "signature", fix,
			"%s, and %s is signed with the key \"%s\", which this kernel does not trust: it will be refused",
			why, path, signer->name);
}

void examine_signature(struct doctor *d, bool loaded, const char *path)
{
	const char *why = signature_wanted();
	enum signed_by by = UNKNOWN;
	struct key_id signer;
	char fix[1024];

	if (!why) {
		finding(d, GOOD, "signature", NULL,
			"unsigned modules are accepted (no Secure Boot, no lockdown)");
		return;
	}
	if (loaded) {
		finding(d, GOOD, "signature", NULL,
			"%s; the module was accepted", why);
		return;
	}
	if (path)
		by = signer_of(path, &signer);
	switch (by) {
	case NOBODY:
		sign_and_enrol(fix, sizeof(fix));
		finding(d, PROBLEM, "signature", fix,
			"%s, and %s is not signed: it will be refused", why,
			path);
		break;
	case SOMEBODY:
		examine_signer(d, why, path, &signer);
		break;
	case UNKNOWN:
		enrol(fix, sizeof(fix), NULL);
		finding(d, NOTE, "signature", fix,
			"%s: a module is refused unless its signer's key is enrolled",
			why);
		break;
	}
}
