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
	/* Could not be looked at. */
	UNSEEN,
};

struct doctor {
	bool json;
	/* A living publisher keeps a page file, which may be all there can be. */
	bool soft;
	/* The device answers; @sources as in struct sysgenid_info. */
	bool answers;
	unsigned long long sources;
	/* "prepare": a problem is what will be equal in clones. */
	bool prepare;
	/* Stands before every path; "", but in tests. */
	const char *root;
	unsigned int findings;
	unsigned int problems;
	unsigned int unknown;
};

/* doctor-report.c. @fix: a command, or NULL. */
void finding(struct doctor *d, enum level level, const char *about,
	     const char *fix, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* Asks the device, and begins to print. */
void begin_findings(struct doctor *d);

/* The first line of a file; false, and an empty one, if it cannot be read. */
bool first_line(const char *path, char *line, size_t size);
bool ends_with(const char *text, const char *end);
const char *kernel_release(void);
/* A path below the root, NULL or -errno as fopen(3) has it in errno. */
FILE *open_file(const char *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* 0, or the errno of access(2) with F_OK. */
int no_file(const char *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Names of some things: how many, and as many of the names as fit. */
struct list {
	unsigned int n;
	char names[512];
};

/* Of a name, only what cannot upset a terminal. */
void list_add(struct list *l, const char *name);
/*
 * Adds the names of the files that match. What is there and cannot be listed is
 * said as UNSEEN.
 */
void list_files(struct doctor *d, const char *about, const char *pattern,
		struct list *found);

/* "NAME[PID]". */
void list_add_process(struct list *l, const char *root, const char *pid);

/* doctor-kernel.c */
void examine_kernel(struct doctor *d);
void examine_hardware_id(struct doctor *d);
void examine_module(struct doctor *d);
/* An option in a kernel's configuration: y, m, n, or 0 if unknown. */
char config_value(FILE *config, const char *option);
/* How to get the headers of a kernel; @documents is /usr/share/doc. */
void headers_of(const char *release, const char *documents, char *text,
		size_t size);

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

/* doctor-generators.c: programs with a generator that no generation reaches. */
void examine_generators(struct doctor *d);

/* doctor-containers.c */
void examine_containers(struct doctor *d);
/* Whether this machine is a container. */
bool in_container(const char *root);
/* "docker", "systemd-nspawn" ..., and which; @cgroup is a line of /proc/PID/cgroup. */
const char *container_name(const char *cgroup, char *name, size_t size);

/* doctor-checkpoints.c */
void examine_checkpoints(struct doctor *d);

/* doctor-apparmor.c */
void examine_apparmor(struct doctor *d);
/* The profile that confines a process, "" if none does. */
void confined_by(const char *root, const char *pid, char *profile, size_t size);
/* The line that lets a profile open the node. */
void allow_in_profile(const char *root, const char *profile, char *fix,
		      size_t size);
/* The profile in a line of the kernel's log that says that the node was denied. */
bool denied_by(const char *line, char *profile, size_t size);

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
