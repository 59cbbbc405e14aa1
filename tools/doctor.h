/* SPDX-License-Identifier: MIT */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum level {
	GOOD,
	NOTE,
	PROBLEM,
};

/* @soft: a living publisher keeps a page file, which may be all there can be. */
struct doctor {
	bool json;
	bool soft;
	unsigned int findings;
	unsigned int problems;
};

/* @mend: the command that mends it, or NULL. */
void finding(struct doctor *d, enum level level, const char *about,
	     const char *mend, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* The first line of a file; false, and an empty one, if it cannot be read. */
bool first_line(const char *path, char *line, size_t size);
bool ends_with(const char *text, const char *end);

/* doctor-kernel.c */
void examine_kernel(struct doctor *d);
void examine_module(struct doctor *d);
/* An option in a kernel's configuration: y, m, n, or 0 if nobody knows. */
char config_value(FILE *config, const char *option);
const char *kernel_release(void);

/* doctor-signature.c: @path is that of the module's file, or NULL. */
void examine_signature(struct doctor *d, bool loaded, const char *path);

/* What a signature or a certificate tells of a key; empty is what it does not tell. */
struct key_id {
	char name[128];
	/* Issuer and serial number of the certificate. */
	unsigned char id[512];
	size_t len;
	/* As /proc/keys shows it. */
	char key[128];
};

enum signed_by {
	UNKNOWN,
	NOBODY,
	SOMEBODY,
};

enum signed_by read_signature(FILE *module, struct key_id *id);
bool read_certificate(FILE *certificate, struct key_id *id);
bool is_certificate_of(const struct key_id *certificate,
		       const struct key_id *signer);
bool kernel_has_key(FILE *keys, const struct key_id *id);

/* doctor-node.c */
void examine_nodes(struct doctor *d);
void examine_device(struct doctor *d);
void examine_page_file(struct doctor *d);
const char *words_for_hw_page_error(int error);

/* doctor-programs.c */
void examine_programs(struct doctor *d);
bool process_maps(const char *pid, const char *end);

/* doctor-openssl.c */
void examine_openssl(struct doctor *d);

/* doctor-units.c: all services that run, or those that are named. */
void examine_units(struct doctor *d, char *const *names, int n);

#define UNIT_NAME_MAX 256

struct unit {
	char name[UNIT_NAME_MAX];
	char pid[16];
	bool found;
	bool runs;
	bool private_devices;
	bool closed;  /* DevicePolicy= is not auto */
	bool allows;  /* any DeviceAllow= */
	bool allowed; /* one that is for the node */
	bool bound;   /* the node is bound into a private /dev */
};

enum access {
	OPEN,
	HIDDEN, /* ENOENT */
	DENIED, /* EPERM */
};

/* The next one that "systemctl show" printed; false at the end. */
bool next_unit(FILE *shown, struct unit *u);
enum access unit_access(const struct unit *u);

#endif /* DOCTOR_H */
