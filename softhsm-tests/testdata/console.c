/*
 * console: starts a program of Windows on the console that this one has, with its output in files.
 *
 *     console OUT ERR PROGRAM ARGS…
 *
 * OUT or ERR may be CONOUT$. wine gives a program a console where its standard streams are a terminal, and a script wants those
 * apart from the terminal. Ends with the program's exit code.
 */
#include <windows.h>

/* skip gives what follows a word of the command line; none of those that are skipped has a quotation mark in it. */
static wchar_t *skip(wchar_t *at) {
	wchar_t end = *at == L'"' ? L'"' : L' ';
	for (at++; *at && *at != end; at++)
		;
	for (at += *at != 0; *at == L' '; at++)
		;
	return at;
}

/* word ends the word and gives what follows it. */
static wchar_t *word(wchar_t **text, wchar_t *at) {
	wchar_t *next = skip(at), *end = next;
	*text = at;
	while (end > at && (end[-1] == L' ' || end[-1] == L'"'))
		end--;
	*text += **text == L'"';
	*end = 0;
	return next;
}

int main(void) {
	SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
	STARTUPINFOW start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES, .hStdInput = GetStdHandle(STD_INPUT_HANDLE)};
	PROCESS_INFORMATION process;
	HANDLE *streams[] = {&start.hStdOutput, &start.hStdError};
	wchar_t *rest = skip(GetCommandLineW()), *name;
	DWORD code = 99;
	for (int i = 0; i < 2; i++) {
		rest = word(&name, rest);
		*streams[i] = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, OPEN_EXISTING, 0, NULL);
		if (*streams[i] == INVALID_HANDLE_VALUE)
			return 98;
	}
	SetConsoleCtrlHandler(NULL, TRUE); /* Ctrl-C is for the program */
	if (!CreateProcessW(NULL, rest, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process))
		return 97;
	WaitForSingleObject(process.hProcess, INFINITE);
	GetExitCodeProcess(process.hProcess, &code);
	return code;
}
