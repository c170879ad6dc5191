package terminal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"golang.org/x/term"
)

// Pager shows a text that is longer than the screen page by page, as git does it: by the program that PAGER names, else by less.
type Pager struct {
	Out    *os.File
	Getenv func(string) string
	Off    bool
	held   []byte
}

// Hold keeps a text to be shown by Show, and reports whether it did: where the text goes to a terminal whose screen it does not fit on.
func (p *Pager) Hold(text []byte) bool {
	if p.Off || p.command() == "" || p.Getenv("TERM") == "dumb" || !term.IsTerminal(int(p.Out.Fd())) {
		return false
	}
	_, rows, err := term.GetSize(int(p.Out.Fd()))
	if err != nil || rows <= 0 || bytes.Count(text, []byte("\n")) < rows {
		return false
	}
	p.held = append(p.held, text...)
	return true
}

// command is the pager; empty where PAGER is, which wants none.
func (p *Pager) command() string {
	command, set := os.LookupEnv("PAGER")
	if !set {
		command = usualPager
	}
	if strings.TrimSpace(command) == "cat" {
		return ""
	}
	return command
}

// Show shows what was held. While it does, an interruption is the pager's. A pager that cannot be started shows nothing: the text is
// then written as it is.
func (p *Pager) Show() error {
	if len(p.held) == 0 {
		return nil
	}
	signal.Ignore(pagerSignals...)
	defer signal.Reset(pagerSignals...)
	arguments := pagerCommand(p.command())
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Env = os.Environ()
	for _, setting := range []string{"LESS=FRX", "LV=-c"} { // as git sets them
		if name, _, _ := strings.Cut(setting, "="); p.Getenv(name) == "" {
			command.Env = append(command.Env, setting)
		}
	}
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(p.held), p.Out, os.Stderr
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() != notFound {
		return nil // left before its end, for example
	}
	if err != nil {
		_, err = p.Out.Write(p.held)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	return nil
}

// ErrWrite means that what a command tells could not be written: the disk is full, or the reader went away.
var ErrWrite = errors.New("write the result")

// notFound is the shell's exit code where there is no such program.
const notFound = 127
