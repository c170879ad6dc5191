package frame

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
	"p11bridge/token/secret"
)

// Again is a command of this program that runs in a process of its own, as if it had been typed: with its own flags, its own
// supervisor and its own questions on the terminal.
type Again struct {
	Arguments   []string
	Environment []string      // more of it
	Secrets     []GivenSecret // what the command need not ask for
	Out         io.Writer     // where its results go, nil for where ours go
	Joined      bool          // its notices and errors go there, too
}

// GivenSecret is handed over through a pipe that the flag names. It is in no argument and in no environment.
type GivenSecret struct {
	Flag string // --password-source
	Text *secret.Text
}

// RunAgain runs the command and gives its exit code. A signal to this process alone is handed on; the error is then the
// cause of ctx. What the terminal sends, it sends to the command as well; at Ctrl-Z the command stops first. Nothing that is typed shows from then on
// until the next question of this process, since the command may ask for a PIN.
func (a *App) RunAgain(ctx context.Context, r Again) (int, error) {
	command := supervise.Again(r.Arguments...)
	command.Env = append(os.Environ(), r.Environment...)
	if a.guided {
		command.Env = append(command.Env, guidedVariable+"=1")
	}
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, directly(a.out, r.Out), directly(a.Err, nil)
	if r.Joined {
		command.Stderr = command.Stdout
	}
	for _, given := range r.Secrets {
		reader, err := pipeOf(given.Text)
		if err != nil {
			return ExitFailed, err
		}
		defer reader.Close()
		number, err := supervise.HandOver(command, reader)
		if err != nil {
			return ExitFailed, err
		}
		command.Args = append(command.Args, given.Flag+"=fd:"+strconv.Itoa(number))
	}
	stops := make(chan os.Signal, 1)
	defer terminal.NotifyStops(stops)()
	terminal.Quieten()
	runtime.LockOSThread() // Pdeathsig belongs to the thread that starts the command
	defer runtime.UnlockOSThread()
	if err := command.Start(); err != nil {
		return ExitFailed, &supervise.StartError{Err: err}
	}
	ended := make(chan struct{})
	go handOn(ctx, command.Process, stops, ended)
	err := command.Wait()
	close(ended)
	var exit *exec.ExitError
	failed := errors.As(err, &exit)
	if failed {
		awaitSignal(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return command.ProcessState.ExitCode(), context.Cause(ctx)
	case failed:
		return exit.ExitCode(), nil
	case err != nil:
		return ExitFailed, fmt.Errorf("run a command: %w", err)
	}
	return ExitDone, nil
}

// awaitSignal gives a signal that the terminal sent to the command and to this process alike the time to arrive here: the command may end of it
// before this process has noticed it.
func awaitSignal(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
}

// directly is where a command writes: to an open file without a copy on the way.
func directly(ours terminal.Output, wanted io.Writer) io.Writer {
	if wanted != nil {
		return wanted
	}
	if file, is := ours.(terminal.File); is {
		return file.File
	}
	return ours
}

// pipeOf holds a secret for whoever reads it, once. A pipe takes more bytes at once than any secret has.
func pipeOf(text *secret.Text) (*os.File, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("hand over a secret: %w", err)
	}
	_, err = writer.Write(text.Bytes())
	if err = errors.Join(err, writer.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("hand over a secret: %w", err), reader.Close())
	}
	return reader, nil
}

// handOn passes a signal on that the command does not get from the terminal, and stops after the command.
func handOn(ctx context.Context, process *os.Process, stops <-chan os.Signal, ended <-chan struct{}) {
	for done := false; !done; {
		select {
		case <-ended:
			return
		case <-stops:
			supervise.StopAfter(process)
		case <-ctx.Done():
			done = true
		}
	}
	var interruption *supervise.Interruption
	if errors.As(context.Cause(ctx), &interruption) && interruption.Signal != os.Interrupt {
		// Where it has ended meanwhile, there is nobody to tell.
		_ = process.Signal(interruption.Signal)
	}
}

// GivenFlags are the flags of every command that were given, as they would be typed again. --json is none of them: who reads
// the results decides on it.
func (a *App) GivenFlags() []string {
	var given []string
	a.flags.VisitAll(func(f *pflag.Flag) { // a subcommand parses them into a set of its own, which Visit would not see
		switch {
		case !f.Changed || f.Name == "json":
		case f.NoOptDefVal == f.Value.String(): // a switch
			given = append(given, "--"+f.Name)
		default:
			given = append(given, "--"+f.Name+"="+f.Value.String())
		}
	})
	return given
}
