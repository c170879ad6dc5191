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
		c.Fault = faultOf(err, SoftHSMFileMissing, SoftHSMFileUnreadable)
		return c
	}
	c.TokenDirectory, c.At = directory, directory
	entries, err := os.ReadDir(directory)
	if err != nil {
		c.Fault = faultOf(err, SoftHSMDirectoryMissing, SoftHSMDirectoryUnreadable)
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

func faultOf(err error, missing, unreadable SoftHSMFault) SoftHSMFault {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing
	case errors.Is(err, errNotRegular):
		return SoftHSMFileNoFile
	}
	return unreadable
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
