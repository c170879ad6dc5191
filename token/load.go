package token

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

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
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"p11bridge/token/cryptoki"
)

// LoadFault is the kind of reason for which a library could not be used as a PKCS#11 module.
type LoadFault string

// The faults that Open tells apart before C_Initialize.
const (
	FaultMissing           LoadFault = "missing"            // no such file
	FaultNotReadable       LoadFault = "not-readable"       // permission denied
	FaultNotALibrary       LoadFault = "not-a-library"      // a directory, a text file, a damaged library
	FaultWrongArchitecture LoadFault = "wrong-architecture" // built for another processor
	FaultDependency        LoadFault = "dependency"         // a library that the module needs is missing
	FaultNotPKCS11         LoadFault = "not-pkcs11"         // loads, but has no C_GetFunctionList
	FaultFunctionList      LoadFault = "function-list"      // C_GetFunctionList failed
)

// LoadError says why a library could not be loaded as a PKCS#11 module.
type LoadError struct {
	Path  string
	Fault LoadFault
	Text  string // the loader's or the system's own words
}

// Error gives the path and the loader's own words.
func (e *LoadError) Error() string { return fmt.Sprintf("load %s: %s", e.Path, e.Text) }

// load brings the library into the process, leaves it there and asks it for its functions. The file is looked at first,
// because the loader's text does not tell a missing module from a missing dependency.
func (m *Module) load() error {
	err := m.watch("dlopen", m.Library.Path, func() (err error) { m.getFunctionList, err = openLibrary(m.Library.Path); return err })
	if err != nil {
		return err
	}
	m.functions, err = m.askFunctionList()
	return err
}

// askFunctionList calls C_GetFunctionList (PKCS#11 v3.1 §5.4.4).
func (m *Module) askFunctionList() (functions *cryptoki.Functions, err error) {
	err = m.watch("C_GetFunctionList", "", func() (err error) {
		if functions, err = cryptoki.GetFunctionList(m.getFunctionList); err != nil {
			return &LoadError{Path: m.Library.Path, Fault: FaultFunctionList, Text: asError("C_GetFunctionList", err).Error()}
		}
		return nil
	})
	return functions, err
}

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
	if !strings.ContainsRune(path, filepath.Separator) && strings.HasPrefix(said, path+": cannot open shared object file") {
		fault = FaultMissing
	} else if strings.Contains(said, "cannot open shared object file") || strings.Contains(said, "undefined symbol") || strings.Contains(said, "version `") {
		fault = FaultDependency
	}
	return nil, &LoadError{Path: path, Fault: fault, Text: said}
}

// inspectLibrary reads the file's kind and processor without running any of its code. A bare file name is left to the
// loader, which searches for it.
func inspectLibrary(path string) error {
	if !strings.ContainsRune(path, filepath.Separator) {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &LoadError{Path: path, Fault: FaultMissing, Text: "no such file"}
	case errors.Is(err, fs.ErrPermission):
		return &LoadError{Path: path, Fault: FaultNotReadable, Text: "permission denied"}
	case err != nil:
		return &LoadError{Path: path, Fault: FaultMissing, Text: err.Error()}
	case !info.Mode().IsRegular():
		return &LoadError{Path: path, Fault: FaultNotALibrary, Text: "not a regular file"}
	}
	file, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return &LoadError{Path: path, Fault: FaultNotReadable, Text: "permission denied"}
		}
		return &LoadError{Path: path, Fault: FaultNotALibrary, Text: err.Error()}
	}
	defer file.Close()
	if foreign := foreignELF(file); foreign != "" {
		return &LoadError{Path: path, Fault: FaultWrongArchitecture, Text: foreign}
	}
	if _, err := elf.NewFile(file); err != nil {
		return &LoadError{Path: path, Fault: FaultNotALibrary, Text: "not an ELF file, or a damaged one"}
	}
	return nil
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
