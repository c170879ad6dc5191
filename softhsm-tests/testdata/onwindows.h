/* What the modules of these tests use of POSIX, for mingw, which has no more of it than this; and Windows' own layout of CK_*
 * structures, which begins where this is included: packed to one byte (PKCS#11 v3.1 section 2.1). windows.h is not included,
 * since its names are in the way. */
#ifndef ONWINDOWS_H
#define ONWINDOWS_H
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

__declspec(dllimport) void *LoadLibraryA(const char *name);
__declspec(dllimport) void *GetProcAddress(void *library, const char *name);
__declspec(dllimport) void Sleep(unsigned long milliseconds);
__declspec(dllimport) void *GetCurrentProcess(void);
__declspec(dllimport) int TerminateProcess(void *process, unsigned int code);

#define EXPORTED __declspec(dllexport)
#define RTLD_NOW 0
#define RTLD_LOCAL 0
#define O_CLOEXEC _O_NOINHERIT
#define SIGKILL 9
#define F_GETFD 1
#define dlopen(path, how) LoadLibraryA(path)
#define dlsym(library, name) GetProcAddress(library, name)
#define pause() Sleep(1000000)
#define kill(process, signal) TerminateProcess(GetCurrentProcess(), 1)
#define fcntl(fd, what) (_get_osfhandle(fd) == -1 ? -1 : 0)
#define nanosleep(time, rest) Sleep((unsigned long)((time)->tv_sec * 1000 + (time)->tv_nsec / 1000000))

static inline char *strsep(char **rest, const char *ends)
{
	char *word = *rest, *end = word == NULL ? NULL : strpbrk(word, ends);
	if (end != NULL)
		*end = '\0';
	*rest = end == NULL ? NULL : end + 1;
	return word;
}

static inline int dprintf(int fd, const char *format, ...)
{
	char text[256];
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return n < 0 || n >= (int)sizeof text ? -1 : write(fd, text, n);
}

#pragma pack(push, 1)
#endif
