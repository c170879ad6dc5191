package frame

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// checkTrace refuses a trace that would be written to a file that the command line names once more: whatever the command
// reads or writes there would be the trace. It asks every flag that was given and does not ask the commands, so that no command
// can be forgotten. What is known to name no file is not compared: a token or a key may be called as the trace is.
func (a *App) checkTrace(c *cobra.Command, args []string) error {
	if a.Trace == "" {
		return nil
	}
	var named []string
	c.Flags().Visit(func(f *pflag.Flag) {
		if f.Name != "trace" && !slices.Contains(notFiles, placeholders[f.Name]) {
			named = append(named, valuesOf(f)...)
		}
	})
	for _, arg := range args {
		if uri, err := token.ParseURI(arg); err == nil {
			named = append(named, uri.Query["pin-source"], uri.Query["module-path"])
		} else if !takesNoFile(c) {
			named = append(named, arg)
		}
	}
	for _, name := range named {
		for _, path := range pathsIn(name) {
			if sameFile(path, a.Trace) {
				return &supervise.TraceError{Path: a.Trace, Fault: supervise.TraceIsNamed}
			}
		}
	}
	return nil
}

// notFiles are the placeholders of what is no file.
var notFiles = []string{"LABEL", "LANG", "DURATION", "NAME", "N", "OBJECT"}

// takesNoFile reports whether a command's arguments are the names of objects or codes.
func takesNoFile(c *cobra.Command) bool {
	return strings.Contains(c.Use, "OBJECT") || strings.Contains(c.Use, "[CODE]")
}

// valuesOf are the values of a flag that was given, each of those of one that may be repeated.
func valuesOf(f *pflag.Flag) []string {
	value := f.Value
	if named, is := value.(namedValue); is {
		value = named.Value
	}
	if list, is := value.(pflag.SliceValue); is {
		return list.GetSlice()
	}
	return []string{value.String()}
}

// pathsIn lists what can be a path in what names a file: all of it, and what a source names behind its kind.
func pathsIn(name string) []string {
	paths := []string{name}
	if _, rest, ok := strings.Cut(name, ":"); ok {
		paths = append(paths, rest)
	}
	return paths
}

// sameFile reports whether two paths are one file, through links and by any of its names. Where no file is there, it goes by
// name and directory.
func sameFile(one, other string) bool {
	first, err := os.Stat(one)
	second, otherErr := os.Stat(other)
	if err == nil && otherErr == nil {
		return os.SameFile(first, second)
	}
	if err == nil || otherErr == nil || filepath.Base(one) != filepath.Base(other) {
		return false
	}
	first, err = os.Stat(filepath.Dir(one))
	second, otherErr = os.Stat(filepath.Dir(other))
	return err == nil && otherErr == nil && os.SameFile(first, second)
}

func describeTrace(a *App, e *supervise.TraceError) Failure {
	f := Failure{ID: "error.trace." + string(e.Fault), Args: messages.Args{"Path": foreign.Text(e.Path), "Problem": messages.Own(a.Problem(e.Err))}, Code: ExitFailed}
	if e.Fault == supervise.TraceIsNamed {
		f.Code = exitUsage
	}
	if other := otherPath(e.Path); other != "" && errors.Is(e.Err, fs.ErrNotExist) {
		f.Instead = a.Text(other, nil)
	}
	return f
}
