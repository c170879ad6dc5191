package token

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#ifdef M_ARENA_MAX
// glibc's heap of a thread grows by a page a call, and a module is called by any thread: they all share one, which has to be said before
// there is a second thread, since a thread keeps the heap that it began with.
__attribute__((constructor)) static void p11b_one_heap(void) { mallopt(M_ARENA_MAX, 1); }
#endif

// p11b_open loads the library and finds C_GetFunctionList. It gives 0, or 1 where the loader refused and 2 where there is
// no such function; text says why. The library stays loaded.
static int p11b_open(const char *path, void **get, const char **text) {
	void *handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (handle == NULL) {
		*text = dlerror();
		return 1;
	}
	*get = dlsym(handle, "C_GetFunctionList");
	if (*get == NULL) {
		*text = strdup(dlerror()); // dlclose frees the loader's own
		dlclose(handle);
		return 2;
	}
	return 0;
}
*/
import "C"

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"
)

// loaderCall is what loads a library, as a trace and the call page name it.
const loaderCall = "dlopen"

func openLibrary(path string) (unsafe.Pointer, error) {
	if fault := inspectLibrary(path); fault != nil {
		return nil, fault
	}
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	runtime.LockOSThread() // dlerror is per thread
	defer runtime.UnlockOSThread()
	var get unsafe.Pointer
	var text *C.char
	switch C.p11b_open(cpath, &get, &text) {
	case 0:
		return get, nil
	case 2:
		return nil, &LoadError{Path: path, Fault: FaultNotPKCS11, Text: C.GoString(text)}
	}
	fault, said := FaultNotALibrary, C.GoString(text)
	if !isPath(path) && strings.HasPrefix(said, path+": cannot open shared object file") {
		fault = FaultMissing
	} else if strings.Contains(said, "cannot open shared object file") || strings.Contains(said, "undefined symbol") || strings.Contains(said, "version `") {
		fault = FaultDependency
	}
	return nil, &LoadError{Path: path, Fault: fault, Text: said}
}

// inspectFormat says what is wrong with a file that is to be a library, empty where it is one for this processor.
func inspectFormat(file io.ReaderAt) (LoadFault, string) {
	if foreign := foreignELF(file); foreign != "" {
		return FaultWrongArchitecture, foreign
	}
	if _, err := elf.NewFile(file); err != nil {
		return FaultNotALibrary, "not an ELF file, or a damaged one"
	}
	return "", ""
}

// foreignELF says for what processor an ELF file was built, if it was for another. The beginning of the header is alike in
// all of them; the rest is to be read as 32-bit or 64-bit files have it.
func foreignELF(file io.ReaderAt) string {
	var header [20]byte
	if _, err := file.ReadAt(header[:], 0); err != nil || string(header[:4]) != elf.ELFMAG {
		return ""
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if elf.Data(header[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	class, wantClass := elf.Class(header[elf.EI_CLASS]), elf.ELFCLASS64
	if unsafe.Sizeof(uintptr(0)) == 4 {
		wantClass = elf.ELFCLASS32
	}
	machine := elf.Machine(order.Uint16(header[18:]))
	want, known := elfMachine()
	switch {
	case known && machine != want:
		return fmt.Sprintf("%s ≠ %s", machine, want)
	case class != wantClass && (class == elf.ELFCLASS32 || class == elf.ELFCLASS64):
		return fmt.Sprintf("%s %s ≠ %s", machine, class, wantClass)
	}
	return ""
}

func elfMachine() (elf.Machine, bool) {
	machine, known := map[string]elf.Machine{
		"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "386": elf.EM_386, "arm": elf.EM_ARM,
		"riscv64": elf.EM_RISCV, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390, "loong64": elf.EM_LOONGARCH,
	}[runtime.GOARCH]
	return machine, known
}

// isPath reports whether a name is a path, and not a file's name alone.
func isPath(name string) bool { return strings.ContainsRune(name, filepath.Separator) }
