/*
 * failing: runs a program one of whose system calls on files below a directory fails.
 *
 *   failing LOG DIRECTORY CALL[@N] ERRNO PROGRAM ARGUMENTS…
 *
 * DIRECTORY is absolute; what is below DIRECTORY/token does not count, since that is SoftHSM's own, but where DIRECTORY is that itself. CALL is the name of a system
 * call; @N its Nth one only. "-" fails none. ERRNO is a number; "after" before it carries the call out and fails it all the same,
 * which renaming, linking and removing can do. "do:COMMAND" fails nothing: sh runs COMMAND, with the call's path as $1 and the
 * caller's process as $2, before the call is made. LOG has a line "CALL PATH" for each call that counts, "CALL PATH struck" where it failed.
 *
 * A seccomp filter hands the calls of the program and of all that it starts to this process (seccomp_unotify(2), Linux 5.5),
 * which counts them all together: it matters not which thread makes a call. Exit code: the program's; 125 where this failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

enum kind { BY_FD, BY_PATH };

/* at: the argument that is a descriptor, or the directory of a path; the path is the next argument, or the first where at is -1. */
static struct call { const char *name; int number; enum kind kind; int at; } calls[] = {
	{ "openat", SYS_openat, BY_PATH, 0 }, { "read", SYS_read, BY_FD, 0 }, { "pread64", SYS_pread64, BY_FD, 0 },
	{ "write", SYS_write, BY_FD, 0 }, { "pwrite64", SYS_pwrite64, BY_FD, 0 }, { "fsync", SYS_fsync, BY_FD, 0 },
	{ "fdatasync", SYS_fdatasync, BY_FD, 0 }, { "close", SYS_close, BY_FD, 0 }, { "ftruncate", SYS_ftruncate, BY_FD, 0 },
	{ "fchmod", SYS_fchmod, BY_FD, 0 }, { "fstat", SYS_fstat, BY_FD, 0 }, { "newfstatat", SYS_newfstatat, BY_PATH, 0 },
	{ "statx", SYS_statx, BY_PATH, 0 }, { "lseek", SYS_lseek, BY_FD, 0 }, { "flock", SYS_flock, BY_FD, 0 }, { "fstatfs", SYS_fstatfs, BY_FD, 0 },
	{ "getdents64", SYS_getdents64, BY_FD, 0 }, { "fadvise64", SYS_fadvise64, BY_FD, 0 }, { "mkdirat", SYS_mkdirat, BY_PATH, 0 },
	{ "renameat", SYS_renameat, BY_PATH, 0 }, { "renameat2", SYS_renameat2, BY_PATH, 0 }, { "linkat", SYS_linkat, BY_PATH, 2 },
	{ "unlinkat", SYS_unlinkat, BY_PATH, 0 }, { "fchmodat", SYS_fchmodat, BY_PATH, 0 },
#ifdef SYS_rename
	{ "rename", SYS_rename, BY_PATH, -1 }, { "link", SYS_link, BY_PATH, -1 }, { "unlink", SYS_unlink, BY_PATH, -1 },
	{ "mkdir", SYS_mkdir, BY_PATH, -1 }, { "rmdir", SYS_rmdir, BY_PATH, -1 }, { "chmod", SYS_chmod, BY_PATH, -1 },
#endif
};
enum { CALLS = sizeof calls / sizeof *calls };

static const char *directory, *wanted;
static unsigned long nth, seen;
static int error, carried_out;
static const char *deed;
static FILE *log_file;

static void fail(const char *what)
{
	perror(what);
	_exit(125);
}

static int install_filter(void)
{
	struct sock_filter code[2 * CALLS + 2];
	struct sock_fprog program = { .filter = code };
	unsigned short n = 0;
	int listener;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int i = 0; i < CALLS; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fail("PR_SET_NO_NEW_PRIVS");
	/* Without the second flag a signal makes the program ask again, and the call counts twice (before Linux 5.19). */
	listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
	if (listener < 0)
		listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (listener < 0)
		fail("seccomp");
	return listener;
}

/* The listener goes from the child, whose filter it is, to the parent. Neither send nor receive is among the calls above. */
union space { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr aligned; };

static void send_descriptor(int socket, int fd)
{
	char byte = 0;
	union space space = { { 0 } };
	struct iovec io = { &byte, 1 };
	struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof space.bytes };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(head), &fd, sizeof fd);
	if (sendmsg(socket, &message, 0) != 1)
		fail("sendmsg");
}

static int receive_descriptor(int socket)
{
	char byte;
	int fd;
	union space space;
	struct iovec io = { &byte, 1 };
	struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof space.bytes };
	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || CMSG_FIRSTHDR(&message) == NULL)
		fail("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
	return fd;
}

/* link_of reads where a link of /proc points. */
static int link_of(unsigned pid, const char *name, long fd, char *path)
{
	char link[64];
	ssize_t n;
	snprintf(link, sizeof link, fd < 0 ? "/proc/%u/%s" : "/proc/%u/%s/%ld", pid, name, fd);
	n = readlink(link, path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static int string_of(unsigned pid, unsigned long address, char *text)
{
	char memory[32];
	int fd;
	ssize_t n;
	snprintf(memory, sizeof memory, "/proc/%u/mem", pid);
	fd = open(memory, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = pread(fd, text, PATH_MAX - 1, (off_t)address);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 && memchr(text, '\0', (size_t)n) != NULL;
}

static int path_at(unsigned pid, long at, unsigned long address, char *path)
{
	char name[PATH_MAX], base[PATH_MAX];
	if (!string_of(pid, address, name))
		return 0;
	if (*name == '/')
		return snprintf(path, 2 * PATH_MAX, "%s", name) > 0;
	if ((int)at == AT_FDCWD ? !link_of(pid, "cwd", -1, base) : !link_of(pid, "fd", (int)at, base))
		return 0;
	return snprintf(path, 2 * PATH_MAX, "%s/%s", base, name) > 0;
}

/* counts tells whether a call is on a file that is looked at. */
static int counts(const struct call *call, const struct seccomp_notif *asked, char *path)
{
	const __u64 *a = asked->data.args;
	size_t length = strlen(directory);
	int known;
	if (call->kind == BY_FD)
		known = link_of(asked->pid, "fd", (int)a[call->at], path);
	else if (call->at < 0)
		known = path_at(asked->pid, AT_FDCWD, a[0], path);
	else
		known = path_at(asked->pid, (int)a[call->at], a[call->at + 1], path);
	return known && strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0') &&
	       strncmp(path + length, "/token/", 7) != 0;
}

/* carry_out makes a call in the program's place. */
static int carry_out(const struct call *call, const struct seccomp_notif *asked, const char *path)
{
	const __u64 *a = asked->data.args;
	char to[2 * PATH_MAX];
	if (strncmp(call->name, "unlink", 6) == 0)
		return call->at < 0 ? unlink(path) : unlinkat(AT_FDCWD, path, (int)a[2]);
	if (strcmp(call->name, "rename") == 0)
		return path_at(asked->pid, AT_FDCWD, a[1], to) ? rename(path, to) : -1;
	if (strncmp(call->name, "renameat", 8) == 0)
		return path_at(asked->pid, (int)a[2], a[3], to) ? (int)syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, to, call->number == SYS_renameat2 ? a[4] : 0) : -1;
	return -1;
}

/* do_deed has sh run the command before the call is made. */
static void do_deed(const char *path, unsigned pid)
{
	int status;
	char caller[16];
	pid_t child;
	snprintf(caller, sizeof caller, "%u", pid);
	child = fork();
	if (child == 0) {
		execlp("sh", "sh", "-c", deed, "sh", path, caller, (char *)NULL);
		fail("sh");
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		fail(deed);
}

static void answer(int listener, const struct seccomp_notif *asked, struct seccomp_notif_resp *response)
{
	char path[2 * PATH_MAX];
	*response = (struct seccomp_notif_resp){ .id = asked->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	for (int i = 0; i < CALLS; i++) {
		const struct call *call = &calls[i];
		int strikes;
		if (call->number != asked->data.nr || !counts(call, asked, path) || ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &asked->id) != 0)
			continue;
		strikes = strcmp(call->name, wanted) == 0 && (++seen == nth || nth == 0);
		if (strikes && deed != NULL) {
			do_deed(path, asked->pid);
		} else if (strikes && (!carried_out || carry_out(call, asked, path) == 0)) {
			response->flags = 0;
			response->error = -error;
		} else {
			strikes = 0;
		}
		fprintf(log_file, "%s %s%s\n", call->name, path + strlen(directory), strikes ? " struck" : "");
	}
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, response) != 0 && errno != ENOENT) /* the program may have been killed */
		fail("SECCOMP_IOCTL_NOTIF_SEND");
}

/* serve answers until nobody is left who could ask. */
static void serve(int listener)
{
	struct pollfd ready = { .fd = listener, .events = POLLIN };
	struct seccomp_notif_sizes sizes;
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0)
		fail("SECCOMP_GET_NOTIF_SIZES");
	struct seccomp_notif *asked = malloc(sizes.seccomp_notif > sizeof *asked ? sizes.seccomp_notif : sizeof *asked);
	struct seccomp_notif_resp *response = malloc(sizes.seccomp_notif_resp > sizeof *response ? sizes.seccomp_notif_resp : sizeof *response);
	while (poll(&ready, 1, -1) >= 0 || errno == EINTR) {
		if ((ready.revents & POLLIN) == 0) {
			if (ready.revents != 0)
				return;
			continue;
		}
		memset(asked, 0, sizes.seccomp_notif);
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, asked) == 0)
			answer(listener, asked, response);
		else if (errno != ENOENT && errno != EINTR)
			fail("SECCOMP_IOCTL_NOTIF_RECV");
	}
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || close(fd) != 0)
		fail(path);
}

/* become_root makes a user namespace, without which nobody but root may read the memory of a process that forbids it. */
static void become_root(void)
{
	char map[32];
	unsigned user = geteuid(), group = getegid();
	if (user == 0)
		return;
	if (unshare(CLONE_NEWUSER) != 0)
		fail("unshare");
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof map, "0 %u 1", user);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof map, "0 %u 1", group);
	write_file("/proc/self/gid_map", map);
}

int main(int argc, char **argv)
{
	int pair[2], status;
	pid_t child;
	char *at;
	if (argc < 6) {
		fprintf(stderr, "usage: failing LOG DIRECTORY CALL[@N] [after]ERRNO|do:COMMAND PROGRAM ARGUMENTS...\n");
		return 125;
	}
	directory = argv[2];
	wanted = argv[3];
	if ((at = strchr(argv[3], '@')) != NULL) {
		*at = '\0';
		nth = strtoul(at + 1, NULL, 10);
	}
	carried_out = strncmp(argv[4], "after", 5) == 0;
	if (strncmp(argv[4], "do:", 3) == 0)
		deed = argv[4] + 3;
	error = atoi(argv[4] + (carried_out ? 5 : 0));
	become_root();
	log_file = fopen(argv[1], "we");
	if (log_file == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		fail(argv[1]);
	child = fork();
	if (child == 0) {
		int listener = install_filter();
		send_descriptor(pair[1], listener);
		execvp(argv[5], argv + 5);
		fail(argv[5]);
	}
	if (child < 0)
		fail("fork");
	serve(receive_descriptor(pair[0]));
	if (waitpid(child, &status, 0) != child || fclose(log_file) != 0)
		fail("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
