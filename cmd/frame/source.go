package frame

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"p11bridge/bridge"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/secret"
)

// source is where a PIN or a password comes from: prompt, env:NAME, file:PATH, fd:N, and for passwords generate.
type source struct {
	kind  string
	value string
}

// maxSecret bounds what is read as a PIN or password, in bytes.
const maxSecret = 4096

func parseSource(flag, text string, kinds ...string) (source, error) {
	kind, value, _ := strings.Cut(text, ":")
	for _, known := range kinds {
		if kind != known {
			continue
		}
		needsValue := kind == "env" || kind == "file" || kind == "fd"
		if needsValue == (value != "") {
			if _, err := strconv.ParseUint(value, 10, 16); kind == "fd" && err != nil {
				break
			}
			return source{kind, value}, nil
		}
	}
	// The text is left out of the error: it may be the secret itself.
	return source{}, Usage("error.source", messages.Args{"Flag": flag, "Kinds": sourceForms(kinds)})
}

func sourceForms(kinds []string) string {
	forms := map[string]string{"env": "env:NAME", "file": "file:PATH", "fd": "fd:N"}
	list := make([]string, len(kinds))
	for i, kind := range kinds {
		list[i] = kind
		if form, ok := forms[kind]; ok {
			list[i] = form
		}
	}
	return strings.Join(list, ", ")
}

// descriptorsNamed lists the file descriptors that the sources name.
func descriptorsNamed(sources []string) []int {
	var fds []int
	for _, text := range sources {
		if number, ok := strings.CutPrefix(text, "fd:"); ok {
			if fd, err := strconv.ParseUint(number, 10, 10); err == nil {
				fds = append(fds, int(fd))
			}
		}
	}
	return fds
}

// errEmptySecret means that the source gave nothing.
var errEmptySecret = errors.New("it is empty")

// sourceError says which source could not be read.
type sourceError struct {
	Flag   string
	Source string // "file:PATH", "env:NAME", "fd:N"
	Err    error
}

// Error names the source, never what it holds.
func (e *sourceError) Error() string { return fmt.Sprintf("%s %s: %v", e.Flag, e.Source, e.Err) }

// Unwrap gives the cause.
func (e *sourceError) Unwrap() error { return e.Err }

// read takes the secret from a source that is not a question. One line end at its end is not part of it.
func (a *App) read(flag string, s source) (*secret.Text, error) {
	var text []byte
	var err error
	switch s.kind {
	case "env":
		value, set := os.LookupEnv(s.value)
		if !set {
			err = errors.New("the variable is not set")
		} else if err = os.Unsetenv(s.value); err == nil { // no library loaded later shall read it
			text = []byte(value)
		}
	case "file":
		text, err = a.readSecretFile(s.value)
	case "fd":
		text, err = readDescriptor(s.value)
	}
	if err == nil && len(text) > maxSecret {
		err = fmt.Errorf("it is longer than %d bytes", maxSecret)
	}
	if err == nil {
		text = trimLineEnd(text)
	}
	if err != nil {
		return nil, &sourceError{Flag: flag, Source: s.kind + ":" + terminal.Printable(s.value), Err: err}
	}
	return secret.New(text), nil
}

func trimLineEnd(text []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
}

func (a *App) readSecretFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, withoutPath(err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0 {
		a.Notice("notice.world-readable", messages.Args{"Path": terminal.Printable(path)})
	}
	return io.ReadAll(io.LimitReader(file, maxSecret+2))
}

func readDescriptor(number string) ([]byte, error) {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "fd:"+number)
	if file == nil {
		return nil, errors.New("no such file descriptor")
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
	pinSources         = []string{"prompt", "env", "file", "fd"}
	PasswordSources    = []string{"prompt", "env", "file", "fd"}
	NewPasswordSources = append(slices.Clone(PasswordSources), "generate")
)

// CheckSource tells a source that cannot be understood before anything else is done.
func CheckSource(flag, text string, kinds []string) error {
	if text == "" {
		return nil
	}
	_, err := parseSource(flag, text, kinds...)
	return err
}

// PasswordToSet gets a password that can protect a file, and says whom it shuts out.
func (a *App) PasswordToSet(ctx context.Context, source string, allowEmpty bool) (*secret.Text, error) {
	password, err := a.newPassword(ctx, source)
	if err != nil {
		return nil, err
	}
	if err := bridge.CheckPassword(password, allowEmpty); err != nil {
		password.Wipe()
		return nil, err
	}
	noticePassword(a, password)
	return password, nil
}

// newPassword asks for a password that is about to be set, or makes one.
func (a *App) newPassword(ctx context.Context, text string) (*secret.Text, error) {
	const flag = "--password-source"
	s, err := a.passwordSource(text, NewPasswordSources...)
	if err != nil {
		return nil, err
	}
	switch s.kind {
	case "prompt":
		return a.askTwice(ctx)
	case "generate":
		return a.generate()
	}
	return a.read(flag, s)
}

// KnownPassword asks for the password that a file has.
func (a *App) KnownPassword(ctx context.Context, text, file string) (*secret.Text, error) {
	s, err := a.passwordSource(text, PasswordSources...)
	if err != nil {
		return nil, err
	}
	if s.kind == "prompt" {
		return terminal.Ask(ctx, a.Text("prompt.password", messages.Args{"File": terminal.Printable(file)})+" ", true)
	}
	return a.read("--password-source", s)
}

func (a *App) passwordSource(text string, kinds ...string) (source, error) {
	if text == "" {
		if !terminal.Present() {
			return source{}, &passwordMissingError{}
		}
		text = "prompt"
	}
	return parseSource("--password-source", text, kinds...)
}

// passwordMissingError means that a password is needed and there is neither a source nor a terminal.
type passwordMissingError struct{}

// Error names what is missing.
func (*passwordMissingError) Error() string { return "a password is needed" }

// errPasswordsDiffer means that the password was typed differently the second time.
var errPasswordsDiffer = errors.New("the two passwords differ")

func (a *App) askTwice(ctx context.Context) (*secret.Text, error) {
	first, err := terminal.Ask(ctx, a.Text("prompt.new-password.warning", nil)+"\n"+a.Text("prompt.new-password", nil)+" ", true)
	if err != nil {
		return nil, err
	}
	second, err := terminal.Ask(ctx, a.Text("prompt.new-password.again", nil)+" ", true)
	if err != nil {
		first.Wipe()
		return nil, err
	}
	defer second.Wipe()
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		first.Wipe()
		return nil, errPasswordsDiffer
	}
	return first, nil
}
