// SPDX-License-Identifier: MIT
/*
 * Each operation: is the machine settled, may it be done, have the runtime do
 * it, and ask again. What was made while the machine became a clone is undone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups.h"
#include "children.h"
#include "errors.h"
#include "json.h"
#include "operations.h"
#include "policy.h"
#include "ready.h"
#include "records.h"
#include "signals.h"
#include "slot.h"
#include "spec.h"

#define DEVICE	  "/dev/sysgenid"
#define HW_DEVICE "/dev/sysgenid-hw"

struct operation {
	const struct settings *s;
	struct arguments *a;
	const char *root;
	struct record record;
	bool has_record;
	/* NULL where none is required. */
	struct policy *policy;
	/* The container gets /dev/null for stdin, stdout and stderr. */
	bool silent;
	/* Our copy of process.json, in the directory of the record. */
	char process[32];
	char process_path[PATH_MAX + 40];
	/* Where the engine names none. */
	char pid_file[PATH_MAX + 8];
	char why[512];
};

static int no_memory(void)
{
	return fail(ERROR_FAILED, "no memory");
}

/* The runtime does it, and its exit status is ours. */
static int hand_over(struct operation *op)
{
	char **argv = arguments_build(op->a, op->s->runtime);

	if (!argv)
		return no_memory();
	return fail(ERROR_FAILED, "%s: %s", argv[0],
		    strerror(-children_replace(argv)));
}

static int tell_runtime(struct operation *op, bool quiet, const char *command,
			const char *option, const char *word)
{
	const char *words[] = { command, option ? option : op->a->id,
				option ? op->a->id : word, option ? word : NULL,
				NULL };
	char **argv = arguments_other(op->a, op->s->runtime, words);
	int status = argv ? child_run(argv, quiet) : 127;

	free(argv);
	return status;
}

static bool runtime_knows(struct operation *op)
{
	return !tell_runtime(op, true, "state", NULL, NULL);
}

/* False after a complaint. A container without a record is none of ours. */
static bool find_record(struct operation *op)
{
	int error = record_find(&op->record, op->root, op->a->id);

	op->has_record = !error;
	if (!error || error == -ENOENT)
		return true;
	fail(ERROR_FAILED, "the record of \"%s\" cannot be read: %s", op->a->id,
	     strerror(-error));
	return false;
}

static bool is_ready(struct operation *op, uint32_t *generation)
{
	if (ready_now(op->s->overseer, generation, op->why, sizeof(op->why)))
		return true;
	fail(ERROR_NOT_READY, "%s refused, try again: %s", op->a->name,
	     op->why);
	return false;
}

static bool becomes_ready(struct operation *op, uint32_t *generation)
{
	if (ready_soon(op->s->overseer, op->s->wait, generation, op->why,
		       sizeof(op->why)))
		return true;
	fail(ERROR_NOT_READY, "%s refused, try again: %s", op->a->name,
	     op->why);
	return false;
}

static bool stays_ready(struct operation *op, uint32_t generation)
{
	return ready_at(op->s->overseer, generation, op->why, sizeof(op->why));
}

static int deny(struct operation *op, const char *why)
{
	return fail(ERROR_DENIED, "%s: %s", op->a->name, why);
}

/* False after a complaint. Nobody is told whether there is a container before. */
static bool find_policy(struct operation *op, uint32_t generation)
{
	if (!op->s->policy)
		return true;
	op->policy = slot_read(generation, op->why, sizeof(op->why));
	if (!op->policy)
		deny(op, op->why);
	return op->policy;
}

/* In a held machine, too, which need not be ready. */
static bool find_present_policy(struct operation *op)
{
	uint32_t generation;

	if (!op->s->policy)
		return true;
	if (!ready_generation(&generation, op->why, sizeof(op->why))) {
		deny(op, op->why);
		return false;
	}
	return find_policy(op, generation);
}

/* NULL: a container without a record. What no rule allows is denied all the same. */
static const char *rule_of(const struct operation *op)
{
	return op->has_record ? op->record.rule : NULL;
}

/*
 * What the rule of the container has to allow. False after a complaint. An id
 * that is not known is told from a denial only by those who might.
 */
static bool is_allowed(struct operation *op, bool allowed, const char *what)
{
	if (!op->policy)
		return true;
	if (!allowed) {
		snprintf(op->why, sizeof(op->why),
			 "the policy does not allow \"%s\"", what);
		deny(op, op->why);
		return false;
	}
	if (!op->has_record)
		fail(ERROR_NOT_FOUND, "there is no container \"%s\"",
		     op->a->id);
	return op->has_record;
}

static bool allows(struct operation *op, const char *what)
{
	return is_allowed(
		op, !op->policy || policy_allows(op->policy, rule_of(op), what),
		what);
}

/* Options of the command line that would reach past what the policy sees. */
static bool has_only(struct operation *op, const char *const refused[])
{
	for (; op->policy && *refused; refused++) {
		if (arguments_has(op->a, *refused)) {
			snprintf(op->why, sizeof(op->why),
				 "--%s is not possible under a policy",
				 *refused);
			deny(op, op->why);
			return false;
		}
	}
	return true;
}

/*
 * Without cgroups there is no device cgroup, and with other labels the engine's are
 * not what counts. --criu names a program.
 */
static bool has_no_detour(struct operation *op)
{
	static const char *const refused[] = { "criu", "lsm-mount-context",
					       "lsm-profile", "rootless",
					       NULL };
	const char *manager = arguments_value(op->a, "cgroup-manager");

	if (!op->policy || !manager || strcmp(manager, "disabled"))
		return has_only(op, refused);
	deny(op, "containers have cgroups under a policy");
	return false;
}

/* Half-made, by one of us that was killed: as if it had never been. */
static bool clear_abandoned(struct operation *op)
{
	if (!find_record(op))
		return false;
	if (!op->has_record)
		return true;
	if (!record_is_abandoned(&op->record)) {
		record_close(&op->record);
		fail(ERROR_EXISTS, "there is a container \"%s\" already",
		     op->a->id);
		return false;
	}
	tell_runtime(op, true, "delete", "--force", NULL);
	if (!runtime_knows(op) && !record_remove(&op->record))
		return true;
	fail(ERROR_FAILED, "what is left of \"%s\" cannot be removed",
	     op->a->id);
	return false;
}

/* One that others made, without us. Both runtimes have this place for it. */
static bool runtime_has(const struct operation *op)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", op->root, op->a->id);
	return !access(path, F_OK);
}

static bool add_record(struct operation *op, uint32_t generation)
{
	struct record fresh = op->record;
	int error;

	if (!clear_abandoned(op))
		return false;
	op->record = fresh;
	op->record.generation = generation;
	error = runtime_has(op) ? -EEXIST :
				  record_add(&op->record, op->root, op->a->id);
	op->has_record = !error;
	if (error == -EEXIST)
		fail(ERROR_EXISTS, "there is a container \"%s\" already",
		     op->a->id);
	else if (error)
		fail(ERROR_FAILED, "a record of \"%s\" cannot be made: %s",
		     op->a->id, strerror(-error));
	return !error;
}

static bool find_bundle(struct operation *op)
{
	const char *bundle = arguments_value(op->a, "bundle");

	if (!bundle)
		bundle = ".";
	if (realpath(bundle, op->record.bundle))
		return true;
	fail(ERROR_BAD_REQUEST, "--bundle %s: %s", bundle, strerror(errno));
	return false;
}

static struct json_object *read_spec(struct operation *op)
{
	const char *name = arguments_value(op->a, "config");
	struct json_object *spec = NULL;
	int dir = open(op->record.bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!name)
		name = RECORD_CONFIG;
	if (dir >= 0)
		spec = json_read_at(dir, name, op->why, sizeof(op->why));
	else
		snprintf(op->why, sizeof(op->why), "%s", strerror(errno));
	if (dir >= 0)
		close(dir);
	if (!spec)
		fail(ERROR_BAD_REQUEST, "%s/%s: %s", op->record.bundle, name,
		     op->why);
	return spec;
}

/* Filters @spec. False after a complaint. */
static bool match_spec(struct operation *op, struct json_object *spec)
{
	static const char *const refused[] = { "preserve-fds", "no-pivot",
					       "no-new-keyring", NULL };
	const char *rule;

	if (!op->policy)
		return true;
	if (!has_only(op, refused) || !has_no_detour(op))
		return false;
	rule = policy_match_container(op->policy, spec, op->why,
				      sizeof(op->why));
	if (!rule) {
		deny(op, op->why);
		return false;
	}
	snprintf(op->record.rule, sizeof(op->record.rule), "%s", rule);
	snprintf(op->record.policy, sizeof(op->record.policy), "%s",
		 policy_digest(op->policy));
	op->silent = !policy_allows(op->policy, rule, "stdio");
	if (op->a->command != COMMAND_RESTORE ||
	    policy_allows(op->policy, rule, "restore"))
		return true;
	deny(op, "the policy does not allow \"restore\"");
	return false;
}

static bool change_spec(struct operation *op, struct json_object *spec)
{
	return spec_make_absolute(spec, op->record.bundle, op->why,
				  sizeof(op->why)) &&
	       (!op->policy ||
		spec_bind_hooks(spec, op->why, sizeof(op->why))) &&
	       (!op->s->device ||
		spec_add_device(spec, DEVICE, op->why, sizeof(op->why))) &&
	       (!op->s->hw_device ||
		spec_add_device(spec, HW_DEVICE, op->why, sizeof(op->why)));
}

/* Our copy of config.json, which nobody else writes to, becomes the bundle. */
static bool write_spec(struct operation *op, struct json_object *spec)
{
	int error;

	/* Under a policy it was filtered already, and is of no use for a draft. */
	error = op->policy ? 0 :
			     json_write_at(op->record.dir, RECORD_ENGINE, spec);
	if (!change_spec(op, spec)) {
		fail(ERROR_BAD_REQUEST, "%s", op->why);
		return false;
	}
	if (!error)
		error = json_write_at(op->record.dir, RECORD_CONFIG, spec);
	if (error) {
		fail(ERROR_FAILED, "%s: %s", op->record.path, strerror(-error));
		return false;
	}
	arguments_set(op->a, "config", NULL);
	if (arguments_set(op->a, "bundle", op->record.path))
		return true;
	fail(ERROR_BAD_REQUEST, "too many options");
	return false;
}

/* Whether nothing of it is left. */
static bool undo_make(struct operation *op)
{
	if (tell_runtime(op, true, "delete", "--force", NULL) &&
	    runtime_knows(op))
		return false;
	return !record_remove(&op->record);
}

/* Whether we have to look at a file to see that it was made: it is not detached. */
static bool is_attached(const struct operation *op)
{
	return op->a->command != COMMAND_CREATE &&
	       !arguments_has(op->a, "detach");
}

/* False after a complaint. */
static bool start_runtime(struct operation *op, struct child *c)
{
	char **argv = arguments_build(op->a, op->s->runtime);
	int error = argv ? child_start(c, argv, -1, op->silent) : -ENOMEM;

	free(argv);
	if (error)
		fail(ERROR_FAILED, "%s: %s", op->s->runtime, strerror(-error));
	return !error;
}

static int finish_make(struct operation *op, struct child *c)
{
	int error, status;

	op->record.progress = op->a->command == COMMAND_CREATE ?
				      PROGRESS_CREATED :
				      PROGRESS_STARTED;
	cgroups_find(read_pid(arguments_value(op->a, "pid-file")),
		     op->record.cgroup, sizeof(op->record.cgroup));
	error = record_write(&op->record);
	if (error) {
		undo_make(op);
		child_wait(c);
		return fail(ERROR_FAILED, "%s: %s", op->record.path,
			    strerror(-error));
	}
	status = child_wait(c);
	/* The runtime removed it at its end. */
	if (is_attached(op) && !runtime_knows(op))
		record_remove(&op->record);
	return status;
}

static bool has_failed(const struct child *c)
{
	return c->ended && c->status;
}

static bool start_make(struct operation *op, struct child *c)
{
	const char *pid_file = arguments_value(op->a, "pid-file");

	if (!pid_file) {
		snprintf(op->pid_file, sizeof(op->pid_file), "%s/pid",
			 op->record.path);
		pid_file = op->pid_file;
		if (!arguments_set(op->a, "pid-file", pid_file)) {
			fail(ERROR_BAD_REQUEST, "too many options");
			return false;
		}
	}
	/* One that is there already would be taken for the new one. */
	unlink(pid_file);
	return start_runtime(op, c);
}

static int end_make(struct operation *op, struct child *c, uint32_t generation)
{
	const char *pid_file = arguments_value(op->a, "pid-file");

	if (is_attached(op))
		child_until(c, pid_file);
	else
		child_wait(c);
	if (has_failed(c) && !(is_attached(op) && read_pid(pid_file))) {
		/* The runtime has said why. */
		undo_make(op);
		return child_wait(c);
	}
	if (stays_ready(op, generation))
		return finish_make(op, c);
	if (!undo_make(op))
		fail(ERROR_FAILED, "\"%s\" cannot be undone: delete it",
		     op->a->id);
	child_wait(c);
	return fail(ERROR_NOT_READY, "%s undone, try again: %s", op->a->name,
		    op->why);
}

/* create, run, restore */
static int make(struct operation *op)
{
	struct json_object *spec = NULL;
	uint32_t generation;
	struct child c;
	bool started = false;

	if (becomes_ready(op, &generation) && find_policy(op, generation) &&
	    find_bundle(op))
		spec = read_spec(op);
	if (!spec)
		return 1;
	if (match_spec(op, spec) && add_record(op, generation)) {
		started = write_spec(op, spec) && start_make(op, &c);
		/* The runtime knows nothing of it yet. */
		if (!started)
			record_remove(&op->record);
	}
	json_object_put(spec);
	return started ? end_make(op, &c, generation) : 1;
}

static bool may_start(struct operation *op, uint32_t generation)
{
	if (!op->has_record)
		fail(ERROR_NOT_FOUND,
		     "there is no container \"%s\" of sysgenid-runtime",
		     op->a->id);
	else if (op->record.progress != PROGRESS_CREATED)
		fail(ERROR_BAD_STATE, "\"%s\" is %s, and not created",
		     op->a->id,
		     op->record.progress == PROGRESS_CREATING ?
			     "being created" :
			     "started");
	else if (op->record.generation != generation)
		fail(ERROR_STALE,
		     "\"%s\" was created in generation %" PRIu32
		     ", and this is generation %" PRIu32
		     ": delete it, and create it anew",
		     op->a->id, op->record.generation, generation);
	else if (op->policy && !*op->record.rule)
		deny(op, "the container was created without a policy");
	else if (op->policy &&
		 strcmp(op->record.policy, policy_digest(op->policy)))
		deny(op, "the container was created under another policy");
	else
		return true;
	return false;
}

static int start(struct operation *op)
{
	uint32_t generation;
	int status, error;

	if (!becomes_ready(op, &generation) || !find_policy(op, generation) ||
	    !find_record(op) || !may_start(op, generation))
		return 1;
	status = tell_runtime(op, false, "start", NULL, NULL);
	if (status)
		return status;
	op->record.progress = PROGRESS_STARTED;
	error = record_write(&op->record);
	if (!error && stays_ready(op, generation))
		return 0;
	tell_runtime(op, true, "kill", NULL, "KILL");
	if (error)
		return fail(ERROR_FAILED, "start undone: %s: %s",
			    op->record.path, strerror(-error));
	return fail(ERROR_NOT_READY,
		    "start undone, delete \"%s\" and create it anew: %s",
		    op->a->id, op->why);
}

/* By a descriptor: the number may be another process's by then. */
static void kill_process(pid_t pid)
{
	int fd = pid ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd < 0)
		return;
	syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	close(fd);
}

static int run_exec(struct operation *op, uint32_t generation,
		    const char *pid_file)
{
	struct child c;

	unlink(pid_file);
	if (!start_runtime(op, &c))
		return 1;
	if (is_attached(op))
		child_until(&c, pid_file);
	else
		child_wait(&c);
	if (has_failed(&c) || stays_ready(op, generation))
		return child_wait(&c);
	kill_process(read_pid(pid_file));
	child_wait(&c);
	return fail(ERROR_NOT_READY, "exec undone, try again: %s", op->why);
}

/* What the policy does not see is refused; crun gets a copy of what it has seen. */
static bool match_exec(struct operation *op)
{
	static const char *const refused[] = {
		"additional-gids", "apparmor",	   "cap",
		"cgroup",	   "cwd",	   "env",
		"ignore-paused",   "no-new-privs", "preserve-fds",
		"process-label",   "user",	   NULL
	};
	const char *path = arguments_value(op->a, "process");
	struct json_object *process;
	bool stdio = false, fits;
	int error = 0;

	if (!op->policy)
		return true;
	if (!path || op->a->words_count) {
		deny(op, "under a policy only exec --process FILE is possible");
		return false;
	}
	if (!has_only(op, refused) || !has_no_detour(op))
		return false;
	process = json_read_at(AT_FDCWD, path, op->why, sizeof(op->why));
	if (!process) {
		fail(ERROR_BAD_REQUEST, "%s: %s", path, op->why);
		return false;
	}
	fits = policy_match_exec(op->policy, rule_of(op), process, &stdio,
				 op->why, sizeof(op->why));
	if (!fits) {
		deny(op, op->why);
	} else if (arguments_has(op->a, "tty") &&
		   !json_object_get_boolean(json_member(process, "terminal",
							json_type_boolean))) {
		deny(op, "--tty, and the process has no terminal");
		fits = false;
	}
	op->silent = !stdio;
	fits = fits && is_allowed(op, true, "exec");
	if (fits) {
		snprintf(op->process, sizeof(op->process), RECORD_PROCESS "%d",
			 (int)getpid());
		error = json_write_at(op->record.dir, op->process, process);
		if (error)
			fail(ERROR_FAILED, "%s: %s", op->record.path,
			     strerror(-error));
	}
	json_object_put(process);
	if (!fits || error)
		return false;
	snprintf(op->process_path, sizeof(op->process_path), "%s/%s",
		 op->record.path, op->process);
	return arguments_set(op->a, "process", op->process_path);
}

static int execute(struct operation *op)
{
	const char *pid_file = arguments_value(op->a, "pid-file"), *directory;
	uint32_t generation;
	int status;

	if (!is_ready(op, &generation) || !find_policy(op, generation) ||
	    !find_record(op) || !match_exec(op))
		return 1;
	directory = op->has_record ? op->record.path : "/run/sysgenid";
	/* Of those that were killed. */
	records_clean(directory);
	if (op->has_record && op->record.progress != PROGRESS_STARTED) {
		status = fail(ERROR_BAD_STATE, "\"%s\" is not started",
			      op->a->id);
	} else if (pid_file) {
		status = run_exec(op, generation, pid_file);
	} else {
		snprintf(op->pid_file, sizeof(op->pid_file),
			 "%s/" RECORD_PID "%d", directory, (int)getpid());
		status = arguments_set(op->a, "pid-file", op->pid_file) ?
				 run_exec(op, generation, op->pid_file) :
				 fail(ERROR_BAD_REQUEST, "too many options");
		unlink(op->pid_file);
	}
	if (*op->process)
		unlinkat(op->record.dir, op->process, 0);
	return status;
}

static int send_signal(struct operation *op)
{
	const char *name = op->a->words_count ? op->a->words[0] : "TERM";
	int number = signal_number(name);
	char digits[8], *words[] = { digits, NULL };
	uint32_t generation;
	bool ends;

	if (!number)
		return fail(ERROR_BAD_REQUEST, "\"%s\" is not a signal", name);
	/* What ends a container serves nobody: that is possible at all times. */
	ends = signal_ends(number);
	if (!ends && !is_ready(op, &generation))
		return 1;
	if (!find_present_policy(op) || !find_record(op))
		return 1;
	if ((ends || arguments_has(op->a, "all")) && !allows(op, "shutdown"))
		return 1;
	if (!ends &&
	    !is_allowed(op,
			!op->policy || policy_allows_signal(
					       op->policy, rule_of(op), number),
			"signals"))
		return 1;
	/* As we have read it, and no runtime otherwise. */
	snprintf(digits, sizeof(digits), "%d", number);
	op->a->words = words;
	op->a->words_count = 1;
	return hand_over(op);
}

/* NULL after a complaint, of the runtime or of ours; *@status is the exit status. */
static struct json_object *read_state(struct operation *op, bool quiet,
				      int *status)
{
	const char *words[] = { "state", op->a->id, NULL };
	char **argv = arguments_other(op->a, op->s->runtime, words);
	char text[16384];
	struct json_object *o;
	size_t len = 0;
	struct child c;
	int ends[2];
	ssize_t n;

	*status = 1;
	if (!argv || pipe2(ends, O_CLOEXEC) ||
	    child_start(&c, argv, ends[1], quiet)) {
		fail(ERROR_FAILED, "state: %m");
		return NULL;
	}
	free(argv);
	close(ends[1]);
	while (len < sizeof(text) &&
	       (n = read(ends[0], text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	close(ends[0]);
	*status = child_wait(&c);
	if (*status)
		return NULL;
	*status = 1;
	while (len && text[len - 1] == '\n')
		len--;
	if (len == sizeof(text)) {
		fail(ERROR_FAILED, "%s: state: 16 KiB or more", op->s->runtime);
		return NULL;
	}
	text[len] = 0;
	o = json_parse(text, len, op->why, sizeof(op->why));
	if (!o)
		fail(ERROR_FAILED, "%s: state: %s", op->s->runtime, op->why);
	return o;
}

/* With the bundle that the engine knows, in place of ours. */
static int state_of_ours(struct operation *op)
{
	int status;
	struct json_object *o = read_state(op, false, &status);

	if (!o)
		return status;
	json_object_object_add(o, "bundle",
			       json_object_new_string(op->record.bundle));
	puts(json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return fflush(stdout) ? fail(ERROR_FAILED, "stdout: %m") : 0;
}

/* What cannot be looked at has not ended. */
static bool has_stopped(struct operation *op)
{
	int status;
	struct json_object *o = read_state(op, true, &status);
	const char *now = json_text(o, "status");
	bool stopped = now && !strcmp(now, "stopped");

	json_object_put(o);
	return stopped;
}

static int delete_container(struct operation *op)
{
	char **argv;
	int status;

	if (!find_record(op))
		return 1;
	/* Engines say --force to what has ended, too. */
	if (op->s->policy && arguments_has(op->a, "force") &&
	    !has_stopped(op) &&
	    (!find_present_policy(op) || !allows(op, "shutdown")))
		return 1;
	argv = arguments_build(op->a, op->s->runtime);
	if (!argv)
		return no_memory();
	status = child_run(argv, false);
	free(argv);
	/* Its maker may still be at work: then the record is its business. */
	if (op->has_record && (!status || !runtime_knows(op)) &&
	    (op->record.progress != PROGRESS_CREATING ||
	     record_is_abandoned(&op->record)))
		record_remove(&op->record);
	return status;
}

static int state(struct operation *op)
{
	if (!find_record(op))
		return 1;
	if (!op->has_record)
		return hand_over(op);
	if (op->record.progress == PROGRESS_CREATING)
		return fail(ERROR_NOT_FOUND, "there is no container \"%s\" yet",
			    op->a->id);
	return state_of_ours(op);
}

static int checkpoint(struct operation *op)
{
	uint32_t generation;
	char **argv;
	int status;

	if (!is_ready(op, &generation) || !find_policy(op, generation) ||
	    !has_no_detour(op) || !find_record(op) || !allows(op, "checkpoint"))
		return 1;
	argv = arguments_build(op->a, op->s->runtime);
	if (!argv)
		return no_memory();
	status = child_run(argv, false);
	free(argv);
	/* Without --leave-running the container is gone, and its id free. */
	if (!status && op->has_record && !runtime_knows(op))
		record_remove(&op->record);
	return status;
}

/* pause, resume, update */
static int change(struct operation *op)
{
	uint32_t generation;

	if (!is_ready(op, &generation) || !find_policy(op, generation) ||
	    !has_no_detour(op) || !find_record(op) ||
	    !allows(op, op->a->command == COMMAND_UPDATE ? "update" : "pause"))
		return 1;
	return hand_over(op);
}

/* ps, events */
static int query(struct operation *op)
{
	uint32_t generation;

	if (!is_ready(op, &generation) || !find_policy(op, generation) ||
	    !find_record(op) ||
	    !is_allowed(op,
			!op->policy ||
				policy_allows_query(op->policy, op->a->name),
			op->a->name))
		return 1;
	return hand_over(op);
}

/* By LISTEN_FDS the runtime hands descriptors to a container, and by NOTIFY_SOCKET a socket. */
static bool clean_environment(void)
{
	return !clearenv() &&
	       !setenv("PATH",
		       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		       1);
}

int operate(const struct settings *s, struct arguments *a)
{
	struct operation op = { .s = s, .a = a, .record.dir = -1 };

	op.root = arguments_value(a, "root");
	if (!op.root)
		op.root = settings_root(s);
	/* Said, not left to the runtime: crun's depends on the environment. */
	if (a->command != COMMAND_NONE && !arguments_set(a, "root", op.root))
		return fail(ERROR_BAD_REQUEST, "too many options");
	if (s->policy && !clean_environment())
		return no_memory();
	children_begin();
	switch (a->command) {
	case COMMAND_CREATE:
	case COMMAND_RUN:
	case COMMAND_RESTORE:
		return make(&op);
	case COMMAND_START:
		return start(&op);
	case COMMAND_EXEC:
		return execute(&op);
	case COMMAND_KILL:
		return send_signal(&op);
	case COMMAND_DELETE:
		return delete_container(&op);
	case COMMAND_STATE:
		return state(&op);
	case COMMAND_CHECKPOINT:
		return checkpoint(&op);
	case COMMAND_PAUSE:
	case COMMAND_RESUME:
	case COMMAND_UPDATE:
		return change(&op);
	case COMMAND_PS:
	case COMMAND_EVENTS:
		return query(&op);
	case COMMAND_LIST:
	case COMMAND_FEATURES:
	case COMMAND_SPEC:
	case COMMAND_NONE:
		break;
	}
	return hand_over(&op);
}
