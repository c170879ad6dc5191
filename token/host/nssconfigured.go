package host

import (
	"path/filepath"
	"regexp"
	"strings"

	"p11bridge/token"
)

// nssLabel is the label that NSS gives to the token of a database that has no other.
const nssLabel = "NSS Certificate DB"

// configuredDatabases are the databases that p11-kit's .module files name for softokn (x-init-reserved), where more than one of them,
// or a browser's profile, needs that library: a process can start it once only, and each database is then a token of its own, read only.
// A single one is opened as p11-kit would.
func configuredDatabases(shared bool) []Profile {
	var found []Profile
	seen := map[string]bool{}
	for _, configuration := range Configurations() {
		if configuration.Ignored != "" || !namesSoftokn(configuration.Library) {
			continue
		}
		for _, directory := range nssDirectories(configuration.Library.InitString) {
			if !seen[directory] {
				seen[directory] = true
				found = append(found, Profile{Program: unknownProgram, Name: plainName(configuration.Library.Name), Directory: directory})
			}
		}
	}
	switch {
	case len(found) == 1 && !shared:
		return nil
	case len(found) == 1:
		found[0] = Profile{Program: nssLabel, Directory: found[0].Directory} // it keeps its name when a browser is installed
	}
	return found
}

// namesSoftokn reports whether the library is the one that profiles are opened with.
func namesSoftokn(library token.Library) bool {
	softokn, err := findSoftokn()
	return err == nil && sameFolder(softokn, library.Path)
}

var configDirectory = regexp.MustCompile(`\bconfigdir=(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s'"]+))`)

// nssDirectories are the folders that softokn's parameters name as configdir, whether for one token or in tokens=<…>.
func nssDirectories(parameters string) []string {
	var found []string
	for _, match := range configDirectory.FindAllStringSubmatch(parameters, -1) {
		directory := strings.TrimPrefix(match[1]+match[2]+match[3], "sql:")
		if filepath.IsAbs(directory) {
			found = append(found, filepath.Clean(directory))
		}
	}
	return found
}
