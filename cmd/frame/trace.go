package frame

import (
	"os"
	"path/filepath"
	"strings"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/token/foreign"
)

// checkTrace refuses a trace that would be written to a file that the command line names once more: whatever the command
// reads or writes there would be the trace. It looks at the words of the command line and not at the commands' options, so
// that no command can be forgotten.
func (a *App) checkTrace(words []string) error {
	if a.Trace == "" {
		return nil
	}
	for i, word := range words {
		if strings.HasPrefix(word, "--trace=") || i > 0 && words[i-1] == "--trace" {
			continue
		}
		for _, path := range pathsIn(word) {
			if sameFile(path, a.Trace) {
				return &supervise.TraceError{Path: a.Trace, Fault: supervise.TraceIsNamed}
			}
		}
	}
	return nil
}

// pathsIn lists what in a word of the command line can be a path: all of it, a flag's value, and what a source names.
func pathsIn(word string) []string {
	paths := []string{word}
	if _, value, ok := strings.Cut(word, "="); ok && strings.HasPrefix(word, "-") {
		paths = append(paths, value)
	} else if strings.HasPrefix(word, "-") && !strings.HasPrefix(word, "--") && len(word) > 2 {
		paths = append(paths, word[2:])
	}
	for _, path := range paths {
		if _, rest, ok := strings.Cut(path, ":"); ok {
			paths = append(paths, rest)
		}
	}
	return paths
}

// sameFile tells whether two paths are one file, through links and by any of its names. Where no file is there, it goes by
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

func describeTrace(_ *App, e *supervise.TraceError) Failure {
	f := Failure{ID: "error.trace." + string(e.Fault), Args: messages.Args{"Path": foreign.Text(e.Path), "Problem": messages.Own(SystemWords(e.Err))}, Code: ExitFailed}
	if e.Fault == supervise.TraceIsNamed {
		f.Code = exitUsage
	}
	return f
}
