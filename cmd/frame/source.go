package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
	"p11bridge/token/secret"
)

// source is where a PIN or a password comes from: prompt, env:NAME, file:PATH, fd:N, credential:NAME, and for passwords generate, dir:DIR
// and sealed[:FILE].
type source struct {
	kind  string
	value string
}

// dirKind is the source of passwords of which each PFX file has one of its own: "dir:DIR" has that of NAME.pfx in DIR/NAME.pfx.password.
const dirKind = "dir"

// maxSecret bounds what is read as a PIN or password, in bytes.
const maxSecret = 4096

func parseSource(flag, text string, kinds ...string) (source, error) {
	kind, value, _ := strings.Cut(text, ":")
	for _, known := range kinds {
		if kind != known {
			continue
		}
		needsValue := kind == "env" || kind == "file" || kind == "fd" || kind == "credential" || kind == dirKind
		if needsValue == (value != "") || kind == sealedKind {
			_, err := strconv.ParseUint(value, 10, 16)
			if kind == "fd" && err != nil || kind == "env" && strings.Trim(value, "0123456789") == "" { // a PIN, and the name of no variable
				break
			}
			return source{kind, value}, nil
		}
	}
	// The text is left out of the error: it may be the secret itself. The name of a file that is there is none.
	var meant []string
	if form := meantSource(text, kinds); form != "" {
		meant = []string{flag + " " + form}
	}
	return source{}, UsageMeant("error.source", messages.Args{"Flag": messages.Own(flag), "Kinds": messages.Own(sourceForms(kinds))}, meant...)
}

// otherSources are what other programs call a source.
var otherSources = map[string]string{"-": "fd:0", "stdin": "fd:0", "/dev/stdin": "fd:0", "ask": "prompt", "tty": "prompt", "terminal": "prompt", "interactive": "prompt", "random": "generate", "auto": "generate"}

// meantSource is the source that can be meant by a word that is none: the name of a file that is there, whatever stands before it, or
// what other programs call one. It is empty for none.
func meantSource(text string, kinds []string) string {
	path := text
	if at := strings.IndexAny(text, ":="); at > 0 && strings.EqualFold(text[:at], "file") {
		path = text[at+1:]
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return "file:" + terminal.ShellWord(path)
	}
	meant := otherSources[strings.ToLower(text)]
	if kind, _, _ := strings.Cut(meant, ":"); slices.Contains(kinds, kind) {
		return meant
	}
	return ""
}

func sourceForms(kinds []string) string {
	forms := map[string]string{"env": "env:NAME", "file": "file:PATH", "fd": "fd:N", "credential": "credential:NAME", dirKind: "dir:DIR", sealedKind: "sealed[:FILE]"}
	list := make([]string, len(kinds))
	for i, kind := range kinds {
		list[i] = kind
		if form, ok := forms[kind]; ok {
			list[i] = form
		}
	}
	return strings.Join(list, ", ")
}

// variablesNamed lists the environment variables that the sources name.
func variablesNamed(sources []string) []string {
	var names []string
	for _, text := range sources {
		if name, ok := strings.CutPrefix(text, "env:"); ok {
			names = append(names, name)
		}
	}
	return names
}

// descriptorsNamed lists the file descriptors that the sources name and that this process was started with.
func (a *App) descriptorsNamed(sources []string) []int {
	var fds []int
	for _, text := range sources {
		if number, ok := strings.CutPrefix(text, "fd:"); ok {
			if fd, err := strconv.Atoi(number); err == nil && a.given.Has(fd) {
				fds = append(fds, fd)
			}
		}
	}
	return fds
}

// The causes for which a source gives no secret, besides the system's own.
var (
	errEmptySecret    = errors.New("it is empty")
	errNotSet         = errors.New("the variable is not set")
	errNoCredentials  = errors.New("CREDENTIALS_DIRECTORY is not set")
	errNotACredential = errors.New("it is no name of a credential")
	errTooLong        = fmt.Errorf("it is longer than %d bytes", maxSecret)
)

// sourceError says which source could not be read, or gives what cannot be a secret.
type sourceError struct {
	Flag   string
	Source string // "file:PATH", "env:NAME", "fd:N", "prompt"
	Err    error
}

// Error names the source, never what it holds.
func (e *sourceError) Error() string { return fmt.Sprintf("%s %s: %v", e.Flag, e.Source, e.Err) }

// Unwrap gives the cause.
func (e *sourceError) Unwrap() error { return e.Err }

// String is the source as it was given, safe to print.
func (s source) String() string {
	if s.value == "" {
		return s.kind
	}
	return s.kind + ":" + terminal.Printable(s.value)
}

// forFile is the source for one PFX file: in a directory of passwords, the file of that name.
func (s source) forFile(file string) source {
	if s.kind != dirKind {
		return s
	}
	return source{"file", filepath.Join(s.value, filepath.Base(file)+archive.PasswordExtension)}
}

// EachHasOwn reports whether a source gives each PFX file a password of its own.
func EachHasOwn(source string) bool {
	kind, path, _ := strings.Cut(source, ":")
	return kind == dirKind || kind == sealedKind && path == ""
}

// CheckDirectory refuses a directory of passwords that cannot be read, which is no fault of one PFX file alone.
func CheckDirectory(text string) error {
	directory, is := strings.CutPrefix(text, dirKind+":")
	if !is {
		return nil
	}
	if _, err := os.ReadDir(directory); err != nil {
		return &sourceError{Flag: passwordFlag, Source: source{dirKind, directory}.String(), Err: withoutPath(err)}
	}
	return nil
}

// read takes the secret from a source that is not a question. One line end at its end is not part of it.
func (a *App) read(flag string, s source) (*secret.Text, error) {
	var text []byte
	var err error
	switch s.kind {
	case "env":
		text, err = a.readVariable(s.value)
	case "file":
		text, err = a.readSecretFile(s.value)
	case "fd":
		text, err = a.readDescriptor(s.value)
	case "credential":
		text, err = a.readCredential(s.value)
	}
	if err == nil && len(text) > maxSecret {
		err = errTooLong
	}
	if err != nil {
		secret.Wipe(text)
		return nil, &sourceError{Flag: flag, Source: s.String(), Err: err}
	}
	return secret.New(trimLineEnd(text)), nil
}

// checked refuses a secret that nobody can have meant, before a PIN is sent or a file is made.
func checked(flag string, s source, text *secret.Text, err error) (*secret.Text, error) {
	if err != nil {
		return nil, err
	}
	if err := secret.Check(text.Bytes()); err != nil {
		text.Wipe()
		return nil, &sourceError{Flag: flag, Source: s.String(), Err: err}
	}
	return text, nil
}

func trimLineEnd(text []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
}

// readVariable takes the variable out of the environment, where the parent has not done so: no library that is loaded later
// shall read it.
func (a *App) readVariable(name string) ([]byte, error) {
	if a.child != nil {
		if value, found := a.child.Page.TakeVariable(name); found {
			return value, nil
		}
	}
	value, set := os.LookupEnv(name)
	if !set {
		return nil, errNotSet
	}
	return []byte(value), os.Unsetenv(name)
}

func (a *App) readSecretFile(path string) ([]byte, error) {
	text, info, err := readFile(path, maxSecret+1, a.Timeout)
	if err != nil {
		return nil, withoutPath(err)
	}
	if info.Mode().IsRegular() && readableByAll(info) {
		a.Notice("notice.world-readable", messages.Args{"Path": foreign.Text(path)})
	}
	return text, nil
}

// credentialsVariable names the directory in which systemd puts a service's credentials (systemd.exec(5), Credentials).
const credentialsVariable = "CREDENTIALS_DIRECTORY"

// readCredential reads one of systemd's credentials. Its name leads to no other directory.
func (a *App) readCredential(name string) ([]byte, error) {
	directory := a.Getenv(credentialsVariable)
	if directory == "" {
		return nil, errNoCredentials
	}
	if name != filepath.Base(name) || name == "." || name == ".." {
		return nil, errNotACredential
	}
	text, _, err := readFile(filepath.Join(directory, name), maxSecret+1, a.Timeout)
	return text, withoutPath(err)
}

func (a *App) readDescriptor(number string) ([]byte, error) {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, err
	}
	file, err := a.given.Take(fd)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxSecret+2))
}

// withoutPath drops the operation and path of a system error, which the caller names already.
func withoutPath(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// The kinds of source for each secret.
var (
	pinSources         = []string{"prompt", "env", "file", "fd", "credential"}
	PasswordSources    = append(slices.Clone(pinSources), dirKind, sealedKind)
	NewPasswordSources = append(slices.Clone(pinSources), "generate")
)

// CheckSource refuses a source that cannot be understood, before anything else is done.
func CheckSource(flag, text string, kinds []string) error {
	if text == "" {
		return nil
	}
	_, err := parseSource(flag, text, kinds...)
	return err
}
