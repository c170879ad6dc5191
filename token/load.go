package token

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

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
	err := m.watch(loaderCall, m.Library.Path, func() (err error) { m.getFunctionList, err = openLibrary(m.Library.Path); return err })
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

// inspectLibrary reads the file's kind and processor without running any of its code. A bare file name is left to the
// loader, which searches for it.
func inspectLibrary(path string) error {
	if !isPath(path) {
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
	if fault, text := inspectFormat(file); fault != "" {
		return &LoadError{Path: path, Fault: fault, Text: text}
	}
	return nil
}
