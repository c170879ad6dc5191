// Package host finds what this machine has: the modules that p11-kit and the usual places name, SoftHSM's and NSS's set-up,
// the PC/SC daemon, and what a module shows to everybody. Nothing here logs in.
package host

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"p11bridge/token"
)

// Discover lists the PKCS#11 libraries that p11-kit's configuration, Windows' registry and the usual places name, each once, in that order.
// Modules that hold only trust anchors, and those that p11-kit reaches by a command, are left out. The certificate databases
// of browser profiles come last, in one library, together with those that p11-kit names for the same library. Nothing is loaded.
func Discover() []token.Library {
	var found []token.Library
	seen := map[string]bool{}
	add := func(library token.Library) {
		real, err := filepath.EvalSymlinks(library.Path)
		if err != nil {
			real = library.Path
		}
		if !seen[real] {
			seen[real] = true
			found = append(found, library)
		}
	}
	profiles, there := Together(ProfileLibraries())
	for _, configuration := range Configurations() {
		if configuration.Ignored == "" && !(there && namesSoftokn(configuration.Library)) { // its database is among the profiles
			add(configuration.Library)
		}
	}
	for _, library := range registeredModules() {
		add(library)
	}
	for _, place := range usualPlaces {
		for _, path := range place.installed() {
			add(token.Library{Path: path})
		}
	}
	if there {
		add(profiles)
	}
	return found
}

// Configuration is one of p11-kit's .module files and what came of it.
type Configuration struct {
	File    string
	Library token.Library // empty where Ignored is not
	Ignored Ignored       // why no module is loaded for it; empty where one is
	Err     error         // for ConfigurationUnreadable
}

// Ignored says why a configuration names no module that could hold a person's keys.
type Ignored string

// The causes for which a configuration is ignored.
const (
	ConfigurationUnreadable Ignored = "unreadable"   // the file, or a directory of such files
	NamesNoModule           Ignored = "no-module"    // no line "module:"
	ReachedByCommand        Ignored = "remote"       // p11-kit reaches the module by a command that it runs
	TrustPolicy             Ignored = "trust-policy" // the module holds trust anchors
)

// Configurations reads p11-kit's .module files (pkcs11.conf(5)). A file of the same name in a later directory replaces the
// earlier one.
func Configurations() []Configuration {
	files := map[string]string{}
	var unreadable []Configuration
	for _, directory := range moduleConfigurations {
		if rest, ok := strings.CutPrefix(directory, "~"); ok {
			home, err := os.UserHomeDir()
			if err != nil {
				continue
			}
			directory = home + rest
		}
		entries, err := os.ReadDir(directory)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			unreadable = append(unreadable, Configuration{File: directory, Ignored: ConfigurationUnreadable, Err: err})
		}
		for _, entry := range entries {
			if strings.HasSuffix(entry.Name(), ".module") {
				files[entry.Name()] = filepath.Join(directory, entry.Name())
			}
		}
	}
	configurations := make([]Configuration, 0, len(files)+len(unreadable))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		configurations = append(configurations, readConfiguration(files[name]))
	}
	return append(configurations, unreadable...)
}

func readConfiguration(file string) Configuration {
	c := Configuration{File: file}
	settings, err := readModuleFile(file)
	switch {
	case err != nil:
		c.Ignored, c.Err = ConfigurationUnreadable, err
	case settings["trust-policy"] == "yes":
		c.Ignored = TrustPolicy
	case settings["remote"] != "":
		c.Ignored = ReachedByCommand
	case settings["module"] == "":
		c.Ignored = NamesNoModule
	default:
		name := strings.TrimSuffix(filepath.Base(file), ".module")
		c.Library = token.Library{Path: modulePath(settings["module"]), InitString: settings["x-init-reserved"], Name: name, NamedBy: file}
	}
	return c
}

// readModuleFile reads "key: value" lines; a line that begins with # is a comment.
func readModuleFile(path string) (map[string]string, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, fmt.Errorf("module configuration: %w", err)
	}
	defer file.Close()
	settings := map[string]string{}
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		line := strings.TrimSpace(scanner.Text())
		if key, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
			settings[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return settings, scanner.Err()
}

// errNotRegular means that a FIFO, a directory or a device stands where a file should.
var errNotRegular = errors.New("it is not a regular file")

// openRegular opens a file for reading, and nothing else: to read a FIFO may take for ever.
func openRegular(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errNotRegular}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// modulePath resolves a module's name against p11-kit's module directory.
func modulePath(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	for _, path := range inRoots(filepath.Join("pkcs11", name)) {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return name
}
