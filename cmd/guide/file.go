package guide

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/token/foreign"
)

// newFile asks for the name of a file that is to be written.
func (c *conversation) newFile(ctx context.Context, proposed string, check func(string) error) (string, error) {
	folder, err := filepath.Abs(filepath.Dir(proposed))
	if err != nil {
		folder = "."
	}
	path, err := c.line(ctx, "guide.file.title", "guide.file.description", messages.Args{"Folder": foreign.Text(folder)}, proposed, func(text string) error {
		path := typedPath(text)
		if err := check(path); err != nil {
			return err
		}
		return c.another(path, archive.Target{Path: path}.Check())
	})
	return typedPath(path), err
}

// another offers a name that is free, where the typed one is a file's.
func (c *conversation) another(path string, err error) error {
	var file *archive.FileError
	if !errors.As(err, &file) || file.Fault != archive.FileExists {
		return err
	}
	extension := filepath.Ext(path)
	free := freeName(strings.TrimSuffix(path, extension), extension)
	return problem(c.problemOf(err) + "\n" + c.Text("guide.file.another", messages.Args{"Proposed": foreign.Text(free)}))
}

// backupName is a typed name with the ending of a backup, of no file that is there.
func backupName(path string) string {
	name := archive.BackupNameFor(path)
	return freeName(strings.TrimSuffix(name, archive.BackupExtension), archive.BackupExtension)
}

// typedPath is a path as a command takes it: one that begins with a dash would be a flag.
func typedPath(text string) string {
	path := home(strings.TrimSpace(text))
	if strings.HasPrefix(path, "-") {
		return "./" + path
	}
	return path
}

func certificateFile(text string) error {
	_, err := frame.ReadCertificates(typedPath(text))
	return err
}

// newName is a name of no file: in this folder, or, where nothing can be written in it, in the person's own.
func newName(name, extension string) string {
	here := freeName(name, extension)
	own, err := os.UserHomeDir()
	if err != nil || (archive.Target{Path: here}).Check() == nil {
		return here
	}
	if there := freeName(filepath.Join(own, name), extension); (archive.Target{Path: there}).Check() == nil {
		return there
	}
	return here
}

// freeName is the name with the first number that makes it one of no file.
func freeName(name, extension string) string {
	for n := 1; ; n++ {
		path := name + extension
		if n > 1 {
			path = name + "-" + strconv.Itoa(n) + extension
		}
		if _, err := os.Lstat(filepath.Clean(path)); err != nil {
			return path
		}
	}
}
