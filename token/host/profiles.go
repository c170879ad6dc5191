package host

import (
	"bufio"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Profile is a folder in which a browser or a mail program keeps a certificate database of NSS for one person.
type Profile struct {
	Program   string // "Firefox", "Firefox (snap)"
	Name      string // as the program shows it; empty where the program knows one database only
	Directory string
}

// The bounds of what is read of a person's folders. A file that goes on after them is read as far as they go.
const (
	maxProfilesFile    = 64 << 10 // bytes of a profiles.ini
	maxProfiles        = 90       // each is a token, for which softokn has 97 slots (pkcs11i.h, SFTK_MIN_USER_SLOT_ID to SFTK_MAX_USER_SLOT_ID)
	maxFolderEntries   = 500      // looked at in one folder
	profilesFile       = "profiles.ini"
	certificates9      = "cert9.db"
	keys4              = "key4.db"
	deepestBelowFolder = 2 // ~/.mozilla/firefox/PROFILE
)

// FindProfiles lists the profiles of browsers and mail programs in their usual places, and after them the databases that p11-kit names
// for softokn where they share it (configuredDatabases), each once. It names only folders in which both files of a database stand, and
// opens neither.
func FindProfiles() []Profile {
	browsers := browserProfiles()
	return distinctProfiles(append(browsers, configuredDatabases(len(browsers) > 0)...))
}

// browserProfiles are those of browsers and mail programs.
func browserProfiles() []Profile {
	home, err := profileHome()
	if err != nil {
		return nil
	}
	var found []Profile
	for _, place := range profilePlaces {
		folder := filepath.Join(home, place.path)
		if place.single {
			found = append(found, Profile{Program: place.program, Directory: folder})
			continue
		}
		found = append(found, readProfiles(folder, place.program)...)
	}
	return distinctProfiles(found)
}

// ProfileOf finds the profile in a usual place whose token has the label.
func ProfileOf(label string) (Profile, bool) {
	profiles := FindProfiles()
	if i := slices.Index(labels(profiles), label); i >= 0 {
		return profiles[i], true
	}
	return Profile{}, false
}

// distinctProfiles keeps those that hold a database, each once, however many names lead to it.
func distinctProfiles(among []Profile) []Profile {
	return firstDistinct(among, maxProfiles)
}

func firstDistinct(among []Profile, most int) []Profile {
	var found []Profile
	seen := map[string]bool{}
	for _, profile := range among {
		real, err := filepath.EvalSymlinks(profile.Directory)
		if err != nil { // Windows cannot follow every path that it opens
			real = profile.Directory
		}
		if seen[real] || len(found) == most || !holdsDatabase(real) {
			continue
		}
		seen[real] = true
		found = append(found, profile)
	}
	return found
}

// holdsDatabase reports whether both files of a database are in the folder.
func holdsDatabase(folder string) bool {
	for _, name := range []string{certificates9, keys4} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}

// readProfiles lists the profiles that the folder's profiles.ini names. None is no error.
func readProfiles(folder, program string) []Profile {
	file, err := openRegular(filepath.Join(folder, profilesFile))
	if err != nil {
		return nil
	}
	defer file.Close()
	return parseProfiles(file, folder, program)
}

// parseProfiles reads a profiles.ini: its sections [Profile…] with Name, Path and IsRelative. A path that is called relative
// and leads out of the folder is passed over.
func parseProfiles(text io.Reader, folder, program string) []Profile {
	var found []Profile
	var section map[string]string
	end := func() {
		if directory := profileDirectory(section, folder); directory != "" && len(found) < maxProfiles {
			found = append(found, Profile{Program: program, Name: plainName(section["Name"]), Directory: directory})
		}
	}
	scanner := bufio.NewScanner(io.LimitReader(text, maxProfilesFile))
	scanner.Buffer(nil, maxProfilesFile)
	for scanner.Scan() {
		line := strings.TrimSpace(strings.TrimPrefix(scanner.Text(), "\ufeff"))
		if strings.HasPrefix(line, "[") {
			end()
			section = nil
			if strings.HasPrefix(line, "[Profile") {
				section = map[string]string{}
			}
			continue
		}
		if key, value, is := strings.Cut(line, "="); is && section != nil {
			section[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	end()
	return found
}

// profileDirectory is where a section's profile is, empty where it says so in no way that can be used.
func profileDirectory(section map[string]string, folder string) string {
	path := section["Path"]
	switch {
	case path == "" || strings.ContainsRune(path, 0):
	case section["IsRelative"] == "0":
		if filepath.IsAbs(path) {
			return filepath.Clean(path)
		}
	case filepath.IsLocal(path):
		return filepath.Join(folder, path)
	}
	return ""
}

// plainName drops from a name what would not show.
func plainName(name string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name))
}

// unknownProgram stands for the program of a profile that is in no usual place.
const unknownProgram = "NSS"

// profilesBelow lists the profiles in a folder that holds none itself: those that its profiles.ini names, else those that
// stand in it or one folder deeper. It is false where there are more than one library opens, or more entries than are looked at: nobody is to
// take some of the databases for all.
func profilesBelow(folder string) ([]Profile, bool) {
	found, complete := searchProfiles(folder, deepestBelowFolder)
	found = firstDistinct(found, maxProfiles+1)
	return found, complete && len(found) <= maxProfiles
}

func searchProfiles(folder string, deepest int) (found []Profile, complete bool) {
	if named := readProfiles(folder, unknownProgram); len(named) > 0 {
		return named, true
	}
	directory, err := os.Open(folder)
	if err != nil {
		return nil, true
	}
	defer directory.Close()
	entries, err := directory.ReadDir(maxFolderEntries + 1)
	if err != nil {
		return nil, true
	}
	complete = len(entries) <= maxFolderEntries
	for _, entry := range entries {
		if entry.Type()&fs.ModeSymlink == 0 && !entry.IsDir() {
			continue
		}
		path := filepath.Join(folder, entry.Name())
		if holdsDatabase(path) {
			found = append(found, Profile{Program: unknownProgram, Name: plainName(entry.Name()), Directory: path})
		} else if deepest > 1 && entry.IsDir() {
			below, all := searchProfiles(path, deepest-1)
			found, complete = append(found, below...), complete && all
		}
	}
	return found, complete
}

// sameFolder reports whether two names lead to one folder, or to one file.
func sameFolder(one, other string) bool {
	first, err := os.Stat(one)
	if err != nil {
		return false
	}
	second, err := os.Stat(other)
	return err == nil && os.SameFile(first, second)
}

// maxLabel is the room for a token's label, in bytes (CK_TOKEN_INFO.label, PKCS#11 v3.1 §3.2).
const maxLabel = 32

// labels gives each profile a label for its token, all different: "Firefox, profile default-release" where that has room.
func labels(profiles []Profile) []string {
	taken := map[string]bool{}
	result := make([]string, len(profiles))
	for i, profile := range profiles {
		label := profile.label()
		for n := 2; taken[label]; n++ {
			label = numbered(profile.label(), n)
		}
		taken[label] = true
		result[i] = label
	}
	return result
}

// knownLabels is labels, where profiles in usual places keep the label that they have when nobody names a folder.
func knownLabels(profiles []Profile) []string {
	result, known := labels(profiles), FindProfiles()
	names := labels(known)
	for i, profile := range profiles {
		if at := slices.IndexFunc(known, func(k Profile) bool { return sameFolder(k.Directory, profile.Directory) }); at >= 0 {
			result[i] = names[at]
		}
	}
	return result
}

func (p Profile) label() string {
	if p.Name == "" {
		return cutLabel(p.Program, maxLabel)
	}
	if label := p.Program + profileMark + p.Name; len(label) <= maxLabel {
		return label
	}
	return cutLabel(p.Program+", "+p.Name, maxLabel)
}

// profileMark stands between the program and the profile in a label.
const profileMark = ", profile "

// SplitLabel gives the program and the profile that the label of a profile's token names. It is false for every other label.
func SplitLabel(label string) (program, name string, ok bool) {
	if program, name, ok = strings.Cut(label, profileMark); !ok || name == "" {
		return "", "", false
	}
	known := program == unknownProgram
	for _, place := range profilePlaces {
		known = known || place.program == program
	}
	return program, name, known
}

func numbered(label string, n int) string {
	suffix := " " + string(rune('0'+n/10)) + string(rune('0'+n%10))
	return cutLabel(label, maxLabel-len(suffix)) + suffix
}

// cutLabel shortens a text at a character's end.
func cutLabel(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return strings.TrimSpace(text[:most])
}
