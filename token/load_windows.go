package token

import (
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// loaderCall is what loads a library, as a trace and the call page name it.
const loaderCall = "LoadLibraryExW"

// openLibrary loads the library with those that it needs from its own folder and from the system's, never from the current
// folder, and finds C_GetFunctionList. The library stays loaded. The error is a *LoadError.
func openLibrary(path string) (unsafe.Pointer, error) {
	if fault := inspectLibrary(path); fault != nil {
		return nil, fault
	}
	named, where := path, uintptr(windows.LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)
	if isPath(path) {
		absolute, err := filepath.Abs(path) // LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR wants one
		if err != nil {
			return nil, &LoadError{Path: path, Fault: FaultNotALibrary, Text: err.Error()}
		}
		named, where = absolute, where|windows.LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR
	}
	handle, err := windows.LoadLibraryEx(named, 0, where)
	if err != nil {
		return nil, loaderError(path, err)
	}
	get, err := windows.GetProcAddress(handle, "C_GetFunctionList")
	if err != nil {
		_ = windows.FreeLibrary(handle) // that it stays does no harm
		return nil, &LoadError{Path: path, Fault: FaultNotPKCS11, Text: systemText(err)}
	}
	return *(*unsafe.Pointer)(unsafe.Pointer(&get)), nil // the address of a function: no memory of Go's
}

// loaderError tells what LoadLibraryExW's error means. Windows says "the module could not be found" of the library and of those that
// it needs alike; this one is there, so that it is another.
func loaderError(path string, err error) error {
	fault, text := FaultNotALibrary, systemText(err)
	switch {
	case errors.Is(err, windows.ERROR_MOD_NOT_FOUND) && !isPath(path):
		fault = FaultMissing
	case errors.Is(err, windows.ERROR_MOD_NOT_FOUND):
		fault = FaultDependency
		if missing := missingLibraries(path); len(missing) > 0 {
			text += " (" + strings.Join(missing, ", ") + ")"
		}
	case errors.Is(err, windows.ERROR_PROC_NOT_FOUND):
		fault = FaultDependency
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		fault = FaultNotReadable
	case errors.Is(err, windows.ERROR_DLL_INIT_FAILED), errors.Is(err, windows.ERROR_NOACCESS): // DllMain refused, or crashed
		fault = FaultFunctionList
	case errors.Is(err, windows.ERROR_BAD_EXE_FORMAT):
		fault = FaultWrongArchitecture
	}
	return &LoadError{Path: path, Fault: fault, Text: text}
}

// systemText is what the system says of an error, without the full stop that FormatMessage ends it with.
func systemText(err error) string { return strings.TrimRight(err.Error(), ".") }

// missingLibraries names those that the library needs and that the loader does not find. Those are not run to find it out.
func missingLibraries(path string) []string {
	file, err := pe.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	needed, err := file.ImportedLibraries()
	if err != nil || len(needed) == 0 {
		needed = importedFrom(file)
	}
	var missing []string
	for _, name := range needed {
		beside := filepath.Join(filepath.Dir(path), name)
		if !slices.ContainsFunc([]string{beside, name}, loads) {
			missing = append(missing, name)
		}
	}
	return missing
}

// importedFrom are the libraries that symbols are wanted from: debug/pe's ImportedLibraries gives none.
func importedFrom(file *pe.File) []string {
	symbols, err := file.ImportedSymbols() // "function:library"
	if err != nil {
		return nil
	}
	var names []string
	for _, symbol := range symbols {
		if _, library, ok := strings.Cut(symbol, ":"); ok && !slices.Contains(names, library) {
			names = append(names, library)
		}
	}
	return names
}

// loads reports whether the loader finds a library. It is brought in as data: none of its code runs.
func loads(path string) bool {
	where := uintptr(windows.LOAD_LIBRARY_AS_DATAFILE)
	if !isPath(path) {
		where |= windows.LOAD_LIBRARY_SEARCH_DEFAULT_DIRS
	}
	handle, err := windows.LoadLibraryEx(path, 0, where)
	if err != nil {
		return false
	}
	_ = windows.FreeLibrary(handle)
	return true
}

// isPath reports whether a name is a path, and not a file's name alone.
func isPath(name string) bool { return strings.ContainsAny(name, `\/`) }

// peMachines are the processors for which Windows libraries are built.
var peMachines = map[uint16]string{pe.IMAGE_FILE_MACHINE_I386: "x86, 32-bit", pe.IMAGE_FILE_MACHINE_AMD64: "x64, 64-bit", pe.IMAGE_FILE_MACHINE_ARM64: "ARM64, 64-bit", pe.IMAGE_FILE_MACHINE_ARMNT: "ARM, 32-bit"}

// inspectFormat says what is wrong with a file that is to be a library, empty where it is one for this processor.
func inspectFormat(file io.ReaderAt) (LoadFault, string) {
	library, err := pe.NewFile(file)
	if err != nil {
		return FaultNotALibrary, "not a DLL, or a damaged one"
	}
	wanted := map[string]uint16{"amd64": pe.IMAGE_FILE_MACHINE_AMD64, "arm64": pe.IMAGE_FILE_MACHINE_ARM64, "386": pe.IMAGE_FILE_MACHINE_I386}[runtime.GOARCH]
	if library.Machine != wanted {
		return FaultWrongArchitecture, fmt.Sprintf("%s ≠ %s", machineName(library.Machine), machineName(wanted))
	}
	if library.Characteristics&pe.IMAGE_FILE_DLL == 0 {
		return FaultNotALibrary, "a program, not a DLL"
	}
	return "", ""
}

func machineName(machine uint16) string {
	if name, known := peMachines[machine]; known {
		return name
	}
	return fmt.Sprintf("machine %#04x", machine)
}
