// SPDX-License-Identifier: MIT
/*
 * fuzz [OPTION...] [FILE...]: runs programs made from a seed and from the files
 * until time or operations are over. The programs run in turn as several users,
 * alone and in races.
 *
 *   --seed N       the same programs again; else one that is printed
 *   --seconds N    how long, or
 *   --ops N        how many operations, in whole batches
 *   --first N      begin with this program
 *   --programs N   only so many of them
 *   --exact        no races, and no guidance: the same calls in the same order
 *   --replay       the files themselves, and nothing made from them
 *   --trace        write each program to the kernel's log before it runs
 *   --save DIRECTORY  keep the programs that reached new code
 *
 * The last line has numbers. After an error, the output ends with what is wrong,
 * the seed, and the program that brought it about, in the form of a FILE.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

/* A batch is a process: so many programs, of one user. */
enum { BATCH = 50, RACES = 10, RACERS = 3, UID = 1000, HANG_S = 60 };

struct shared *shared;

static struct {
	uint64_t seed, seconds, ops, first, programs;
	bool exact, replay, trace;
	const char *save;
} options = { .programs = UINT64_MAX };

static bool guided;
static int kernel_log = -1;
static struct world worlds[RACERS];

static const char *const persona_names[] = {
	[ROOT] = "root",
	[USER] = "a user",
	[USER_NAMESPACE] = "root of a user's namespace",
	[ROOT_NAMESPACE] = "root of a namespace that root made",
};

static void print_where(void)
{
	printf("seed %llu program %llu operation %u of\n",
	       (unsigned long long)options.seed,
	       (unsigned long long)shared->number, shared->at_op + 1);
	print_program(stdout, &shared->program);
	fflush(stdout);
}

void wrong(const struct world *w, const char *format, ...)
{
	va_list args;

	interrupt_often(false);
	printf("wrong: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	if (w)
		printf(" (%s%s%s)", persona_names[w->persona],
		       w->open_to_all ? ", mode 0666" : "",
		       w->blind ? ", in a race" : "");
	puts("");
	if (w && !w->blind)
		print_where();
	else
		printf("seed %llu program %llu\n",
		       (unsigned long long)options.seed,
		       (unsigned long long)shared->number);
	fflush(stdout);
	_exit(1);
}

static unsigned long taint(void)
{
	char text[32];

	return strtoul(text_of("/proc/sys/kernel/tainted", text, sizeof(text)),
		       NULL, 10);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		wrong(NULL, "%s: %s", path, strerror(errno));
	close(fd);
}

static void become(enum persona persona)
{
	char map[32];

	if ((persona == USER || persona == USER_NAMESPACE) &&
	    (setgroups(0, NULL) || setresgid(UID, UID, UID) ||
	     setresuid(UID, UID, UID)))
		wrong(NULL, "cannot become a user: %s", strerror(errno));
	/* Else /proc/self would be root's. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (persona == ROOT || persona == USER)
		return;
	snprintf(map, sizeof(map), "0 %d 1",
		 persona == ROOT_NAMESPACE ? 0 : UID);
	if (unshare(CLONE_NEWUSER))
		wrong(NULL, "no user namespace: %s", strerror(errno));
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", map);
	write_text("/proc/self/gid_map", map);
}

static void trace(void)
{
	char text[4096] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");
	char *line, *rest = text;

	fprintf(out, "program %llu\n", (unsigned long long)shared->number);
	print_program(out, &shared->program);
	fclose(out);
	while ((line = strsep(&rest, "\n")))
		if (*line)
			dprintf(kernel_log, "<4>fuzz: %s", line);
}

/* By root, whoever found them. */
static void save(void)
{
	static unsigned int saved;
	char path[256];
	FILE *out;

	if (saved < shared->corpus_given)
		saved = shared->corpus_given;
	for (; options.save && saved < shared->corpus_size; saved++) {
		snprintf(path, sizeof(path), "%s/%llu-%u", options.save,
			 (unsigned long long)options.seed, saved);
		out = fopen(path, "we");
		if (!out)
			wrong(NULL, "%s: %s", path, strerror(errno));
		print_program(out, &shared->corpus[saved]);
		fclose(out);
	}
}

static void run_program(struct world *w, const struct program *p)
{
	shared->program = *p;
	shared->at_op = 0;
	w->digest = mixed(w->digest, p->n);
	if (options.trace)
		trace();
	kcov_begin();
	for (unsigned int i = 0; i < p->n; i++) {
		const struct op *op = &p->ops[i];

		shared->at_op = i;
		w->where = op->where;
		kinds[op->code].run(w, op);
		w->where = SELF;
		check_pages(w);
		shared->operations++;
	}
	check_counts(w);
	world_close(w);
	if (kcov_end() && !options.exact && !options.replay)
		add_to_corpus(p);
	check_nothing_is_left(w);
	shared->programs++;
}

static void make(struct program *p, uint64_t number)
{
	struct random r = { mixed(options.seed, number) };

	if (options.replay)
		*p = shared->corpus[number];
	else
		make_program(&r, p);
}

static void on_alarm(int number)
{
	(void)number;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	signal(SIGIO, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

/* Publishes when it is asked to, until the other end is closed. */
static int start_publisher(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		wrong(NULL, "cannot make sockets: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		wrong(NULL, "fork: %s", strerror(errno));
	if (pid) {
		close(ends[1]);
		return ends[0];
	}
	close(ends[0]);
	while (read(ends[1], &byte, 1) == 1) {
		int fd = open(SYSGENID_DEVICE, O_RDONLY | O_CLOEXEC);

		if (ioctl(fd, SYSGENID_TRIGGER_GEN_UPDATE, 0))
			wrong(NULL, "cannot publish: %s", strerror(errno));
		close(fd);
		if (write(ends[1], &byte, 1) != 1)
			break;
	}
	_exit(0);
}

/* Programs that follow each other. Who runs them, and how, depends on @batch alone. */
static void run_batch(uint64_t batch, uint64_t first, uint64_t end)
{
	bool races = !options.exact && !options.replay &&
		     batch / PERSONAS % 6 == 5;
	unsigned long tainted = taint();
	struct program p;

	worlds[0].helper = start_publisher();
	catch_signals();
	for (unsigned int i = 0; i < (races ? RACERS : 1); i++) {
		struct world *w = &worlds[i];

		w->blind = races;
		w->persona = batch % PERSONAS;
		w->open_to_all = batch / PERSONAS % 2;
		w->limit = batch / PERSONAS % 3 ? 2 : 1024;
		world_learn(w);
	}
	for (unsigned int i = 0; i < (races ? RACERS : 1); i++)
		world_open(&worlds[i]);
	worlds[0].digest = shared->digest;
	worlds[0].ring = uring_open();
	become(worlds[0].persona);
	worlds[0].pid = getpid();
	for (shared->number = first; shared->number < end; shared->number++) {
		if (races && shared->number % BATCH < RACES) {
			race(worlds, RACERS,
			     mixed(options.seed, shared->number));
		} else if (!races) {
			make(&p, shared->number);
			run_program(&worlds[0], &p);
		}
		if (taint() != tainted)
			wrong(&worlds[0], "the kernel complains: see its log");
	}
	shared->digest = worlds[0].digest;
	uring_close(worlds[0].ring);
	_exit(0);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Which programs these are depends on the number alone. */
static void set_stage(uint64_t batch)
{
	mode_t all = batch / PERSONAS % 2 ? 0666 : 0;

	if (chmod(SYSGENID_DEVICE, all ?: 0644) ||
	    chmod(SYSGENID_HW_DEVICE, all ?: 0440))
		wrong(NULL, "%s: %s", SYSGENID_DEVICE, strerror(errno));
	write_text("/sys/module/sysgenid/parameters/max_watchers_per_user",
		   batch / PERSONAS % 3 ? "2" : "1024");
}

static void leave_stage(void)
{
	set_stage(0);
}

static void supervise(uint64_t batch, uint64_t first, uint64_t end)
{
	uint64_t seen = shared->operations;
	double since = now();
	int status;
	pid_t pid;

	set_stage(batch);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		wrong(NULL, "fork: %s", strerror(errno));
	if (!pid)
		run_batch(batch, first, end);
	while (!waitpid(pid, &status, WNOHANG)) {
		usleep(2000);
		if (shared->operations != seen) {
			seen = shared->operations;
			since = now();
		} else if (now() - since > HANG_S) {
			printf("wrong: nothing happens for %d seconds\n",
			       HANG_S);
			print_where();
			kill(pid, SIGKILL);
			exit(1);
		}
	}
	save();
	if (WIFSIGNALED(status)) {
		printf("wrong: killed by signal %d\n", WTERMSIG(status));
		print_where();
	}
	if (status)
		exit(1);
}

static void usage(void)
{
	puts("usage: fuzz [--seed N] [--seconds N | --ops N] [--first N] [--programs N] [--exact] [--replay] [--trace] [--save DIRECTORY] [FILE...]");
	exit(2);
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "ops", required_argument, NULL, 'o' },
		{ "first", required_argument, NULL, 'f' },
		{ "programs", required_argument, NULL, 'p' },
		{ "exact", no_argument, NULL, 'e' },
		{ "replay", no_argument, NULL, 'r' },
		{ "trace", no_argument, NULL, 'v' },
		{ "save", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	struct program p;
	int c;

	options.seed = (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		uint64_t n = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 's':
			options.seed = n;
			break;
		case 't':
			options.seconds = n;
			break;
		case 'o':
			options.ops = n;
			break;
		case 'f':
			options.first = n;
			break;
		case 'p':
			options.programs = n;
			break;
		case 'e':
			options.exact = true;
			break;
		case 'r':
			options.replay = true;
			break;
		case 'v':
			options.trace = true;
			break;
		case 'd':
			options.save = optarg;
			break;
		default:
			usage();
		}
	}
	for (; optind < argc; optind++) {
		if (!read_program(argv[optind], &p)) {
			printf("%s is no program\n", argv[optind]);
			exit(2);
		}
		add_to_corpus(&p);
	}
	shared->corpus_given = shared->corpus_size;
	if (options.replay && !shared->corpus_given)
		usage();
}

static bool is_over(uint64_t number, double start)
{
	return number - options.first >= options.programs ||
	       (options.ops && shared->operations >= options.ops) ||
	       (options.seconds && now() - start >= (double)options.seconds);
}

/* Each of the files, as everybody, with each of the settings. */
static void replay(void)
{
	for (uint64_t batch = 0; batch < PERSONAS * 6; batch++)
		supervise(batch, 0, shared->corpus_given);
}

static void run_from_seed(double start)
{
	uint64_t number, end;

	for (number = options.first; !is_over(number, start); number = end) {
		end = number - number % BATCH + BATCH;
		if (end - options.first > options.programs)
			end = options.first + options.programs;
		supervise(number / BATCH, number, end);
	}
}

int main(int argc, char **argv)
{
	double start = now();

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	parse(argc, argv);
	printf("seed %llu\n", (unsigned long long)options.seed);
	guided = kcov_open();
	if (options.trace)
		kernel_log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	atexit(leave_stage);
	if (options.replay)
		replay();
	else
		run_from_seed(start);
	printf("operations %llu programs %llu seconds %.1f digest %016llx",
	       (unsigned long long)shared->operations,
	       (unsigned long long)shared->programs, now() - start,
	       (unsigned long long)shared->digest);
	if (guided)
		printf(" edges %u corpus %u", shared->edges,
		       shared->corpus_size);
	puts("");
	return 0;
}
