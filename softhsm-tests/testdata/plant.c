/*
 * plant: puts objects on a token as they are described: plant MODULE LABEL PIN [RESERVED] < objects
 *
 * A line is one object, its attributes as TYPE=VALUE with spaces between them, both in hexadecimal; a value "uN" is a CK_ULONG.
 * For each line C_CreateObject's answer is written in hexadecimal. RESERVED is CK_C_INITIALIZE_ARGS.pReserved.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long word;
typedef struct { word type; void *value; word length; } attribute;
typedef struct { unsigned char version[2]; void *functions[68]; } list;

enum { Initialize, Finalize, GetSlotList = 4, GetTokenInfo = 6, OpenSession = 12, Login = 18, CreateObject = 20 };

static void need(const char *what, word answer)
{
	if (answer != 0 && answer != 0x100 /* CKR_USER_ALREADY_LOGGED_IN */) {
		fprintf(stderr, "%s: 0x%lx\n", what, answer);
		exit(1);
	}
}

static word parse(char *line, attribute *template)
{
	static unsigned char bytes[1 << 16];
	size_t used = 0;
	word count = 0;
	for (char *field = strtok(line, " \n"); field != NULL; field = strtok(NULL, " \n")) {
		char *value = strchr(field, '=') + 1;
		attribute *a = &template[count++];
		a->type = strtoul(field, NULL, 16);
		a->value = &bytes[used];
		if (*value == 'u') {
			word number = strtoul(value + 1, NULL, 10);
			memcpy(a->value, &number, a->length = sizeof number);
		} else {
			for (a->length = 0; sscanf(value, "%2hhx", &bytes[used + a->length]) == 1; value += 2)
				a->length++;
		}
		used += (a->length + 7) & ~(size_t)7;
	}
	return count;
}

int main(int argc, char **argv)
{
	void *library = argc < 4 ? NULL : dlopen(argv[1], RTLD_NOW);
	word (*get)(list **) = library == NULL ? NULL : (word (*)(list **))dlsym(library, "C_GetFunctionList");
	list *module;
	if (get == NULL || get(&module) != 0)
		return 1;
	struct { void *mutex[4]; word flags; void *reserved; } args = {{0}, 2 /* CKF_OS_LOCKING_OK */, argc > 4 ? argv[4] : NULL};
	need("C_Initialize", ((word (*)(void *))module->functions[Initialize])(&args));
	word slots[64], count = 64, session = 0;
	need("C_GetSlotList", ((word (*)(unsigned char, word *, word *))module->functions[GetSlotList])(1, slots, &count));
	for (word i = 0; i < count && session == 0; i++) {
		unsigned char info[512];
		if (((word (*)(word, void *))module->functions[GetTokenInfo])(slots[i], info) != 0 || strncmp((char *)info, argv[2], strlen(argv[2])) != 0)
			continue;
		need("C_OpenSession", ((word (*)(word, word, void *, void *, word *))module->functions[OpenSession])(slots[i], 6, NULL, NULL, &session));
	}
	need("C_Login", ((word (*)(word, word, void *, word))module->functions[Login])(session, 1, argv[3], strlen(argv[3])));
	static char line[1 << 16];
	while (fgets(line, sizeof line, stdin) != NULL) {
		attribute template[64];
		word object, length = parse(line, template);
		printf("%lx\n", ((word (*)(word, attribute *, word, word *))module->functions[CreateObject])(session, template, length, &object));
	}
	need("C_Finalize", ((word (*)(void *))module->functions[Finalize])(NULL));
	return 0;
}
