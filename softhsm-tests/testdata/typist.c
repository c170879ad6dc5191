/*
 * typist: runs a program on a terminal of its own, which it carries to the one that this process was started on, and types there what
 * comes from here.
 *
 *     typist PROGRAM ARGS…
 *
 * What a test types is there before the program has begun. wine's console takes it only where the terminal has left it as it is, and
 * takes Enter, which a test writes as a line feed, for Ctrl-J. Ends with the program's exit code.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int put(int fd, const char *text, ssize_t size) {
	for (ssize_t n; size > 0; text += n, size -= n)
		if ((n = write(fd, text, size)) <= 0)
			return 0;
	return 1;
}

int main(int argc, char **argv) {
	struct termios raw;
	struct winsize size = {.ws_row = 25, .ws_col = 80};
	int outer = open("/dev/tty", O_RDWR), inner, status;
	if (argc < 2 || outer < 0 || tcgetattr(outer, &raw))
		return 125;
	ioctl(outer, TIOCGWINSZ, &size);
	if (size.ws_col == 0)
		size = (struct winsize){.ws_row = 25, .ws_col = 80};
	cfmakeraw(&raw);
	if (tcsetattr(outer, TCSANOW, &raw))
		return 125;
	pid_t child = forkpty(&inner, NULL, &raw, &size);
	if (child == 0) {
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	struct pollfd both[] = {{inner, POLLIN, 0}, {outer, POLLIN, 0}};
	for (char text[4096]; poll(both, 2, -1) >= 0;) {
		ssize_t n = 0;
		if (both[0].revents && ((n = read(inner, text, sizeof text)) <= 0 || !put(outer, text, n)))
			break; /* the program and all that it started have ended */
		if (!both[1].revents)
			continue;
		if ((n = read(outer, text, sizeof text)) <= 0) {
			both[1].fd = -1; /* nobody types any more */
			continue;
		}
		for (ssize_t i = 0; i < n; i++)
			if (text[i] == '\n')
				text[i] = '\r';
		put(inner, text, n);
	}
	if (waitpid(child, &status, 0) != child)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
