package host

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// SoftHSMConfiguration is where SoftHSM looks for its tokens, and what keeps it from them.
type SoftHSMConfiguration struct {
	Variable       string // SOFTHSM2_CONF, empty where it is not set
	File           string // the configuration in force
	TokenDirectory string // what it names, empty where the file cannot be read
	Fault          SoftHSMFault
	At             string // what the fault is of: a file or a directory
}

// SoftHSMFault is what keeps SoftHSM from its tokens, empty for nothing.
type SoftHSMFault string

// The faults of SoftHSM's configuration.
const (
	SoftHSMFileMissing         SoftHSMFault = "configuration-missing"
	SoftHSMFileUnreadable      SoftHSMFault = "configuration-unreadable"
	SoftHSMFileNoFile          SoftHSMFault = "configuration-no-file" // a directory, for example
	SoftHSMDirectoryMissing    SoftHSMFault = "token-directory-missing"
	SoftHSMDirectoryUnreadable SoftHSMFault = "token-directory-unreadable"
	SoftHSMNoFolder            SoftHSMFault = "not-a-folder"     // a file stands in the place of the directory, or of a folder above it
	SoftHSMFolderClosed        SoftHSMFault = "folder-closed"    // a folder above the file or the directory may not be entered
	SoftHSMTokenUnreadable     SoftHSMFault = "token-unreadable" // SoftHSM then passes over the token in silence
)

// FindSoftHSMConfiguration looks where SoftHSM looks (softhsm2.conf(5)): SOFTHSM2_CONF, the user's own file, the system's.
func FindSoftHSMConfiguration() SoftHSMConfiguration {
	c := SoftHSMConfiguration{Variable: os.Getenv("SOFTHSM2_CONF"), File: softHSMConfigurationFile}
	if c.Variable != "" {
		c.File = c.Variable
	} else if own := ownSoftHSMConfiguration(); own != "" {
		if _, err := os.Stat(own); err == nil {
			c.File = own
		}
	}
	c.At = c.File
	directory, err := softHSMTokenDirectory(c.File)
	if err != nil {
		c.blame(err, SoftHSMFileMissing, SoftHSMFileUnreadable)
		return c
	}
	c.TokenDirectory, c.At = directory, directory
	entries, err := os.ReadDir(directory)
	if err != nil {
		c.blame(err, SoftHSMDirectoryMissing, SoftHSMDirectoryUnreadable)
		return c
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if _, err := os.ReadDir(filepath.Join(directory, entry.Name())); err != nil {
			c.Fault, c.At = SoftHSMTokenUnreadable, filepath.Join(directory, entry.Name())
			return c
		}
	}
	c.At = ""
	return c
}

// blame notes why what At names cannot be used, and what is at fault: it may be a folder above.
func (c *SoftHSMConfiguration) blame(err error, missing, unreadable SoftHSMFault) {
	folders := foldersAbove(c.At)
	if c.TokenDirectory != "" {
		folders = append(folders, c.At)
	}
	for _, folder := range folders {
		if info, err := os.Stat(folder); err == nil && !info.IsDir() {
			c.Fault, c.At = SoftHSMNoFolder, folder
			return
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Fault = missing
	case errors.Is(err, errNotRegular):
		c.Fault = SoftHSMFileNoFile
	default:
		c.Fault = unreadable
		if closed := closedAbove(c.At); closed != "" {
			c.Fault, c.At = SoftHSMFolderClosed, closed
		}
	}
}

// closedAbove is the first folder above a path that may not be entered; empty for none.
func closedAbove(path string) string {
	above := foldersAbove(path)
	for i, within := range append(above, path)[min(1, len(above)):] {
		if _, err := os.Lstat(within); errors.Is(err, fs.ErrPermission) {
			return above[i]
		}
	}
	return ""
}

// foldersAbove are the folders above a path, from the top.
func foldersAbove(path string) []string {
	var above []string
	for folder := filepath.Dir(path); ; folder = filepath.Dir(folder) {
		above = append([]string{folder}, above...)
		if folder == filepath.Dir(folder) {
			return above
		}
	}
}

// softHSMTokenDirectory reads directories.tokendir.
func softHSMTokenDirectory(file string) (string, error) {
	configuration, err := openRegular(file)
	if err != nil {
		return "", err
	}
	defer configuration.Close()
	return tokenDirectoryIn(configuration)
}

func tokenDirectoryIn(configuration io.Reader) (string, error) {
	directory := softHSMDirectory
	scanner := bufio.NewScanner(configuration)
	for scanner.Scan() {
		line, _, _ := strings.Cut(scanner.Text(), "#")
		if key, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(key) == "directories.tokendir" {
			directory = strings.TrimSpace(value)
		}
	}
	return directory, scanner.Err()
}
