// Preloaded into pkcsslotd. Newer releases have a user pkcsslotd for it, which a user namespace with one user has not: there that
// name stands for root, and the daemon, which would not stay root, is told that both are somebody else.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pwd.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uid_t somebody = 1;

struct passwd *getpwnam(const char *name) {
	struct passwd *(*real)(const char *) = (struct passwd *(*)(const char *))dlsym(RTLD_NEXT, "getpwnam");
	struct passwd *user = real(name);
	if (user != NULL && strcmp(name, "pkcsslotd") == 0)
		user->pw_uid = somebody;
	return user;
}

uid_t geteuid(void) { return getpwnam("pkcsslotd") != NULL ? somebody : (uid_t)syscall(SYS_geteuid); }

int chown(const char *path, uid_t owner, gid_t group) {
	(void)path, (void)owner, (void)group;
	return 0;
}
