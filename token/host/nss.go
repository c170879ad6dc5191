package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"p11bridge/token"
)

// ErrNoNSSDatabase means that a directory holds no NSS database in the present format (cert9.db and key4.db).
var ErrNoNSSDatabase = errors.New("no NSS database")

// The causes for which an NSS database that is there cannot be opened.
var (
	// ErrNSSOldFormat means that the directory holds a database in the format of before 2018 alone (cert8.db, key3.db), which
	// softokn no longer reads.
	ErrNSSOldFormat = errors.New("the NSS database has the old format")
	// ErrNSSUnreadable means that this user may not read the database.
	ErrNSSUnreadable = errors.New("the NSS database cannot be read")
	// ErrNSSDamaged means that a file of the database is no SQLite file, or was cut off.
	ErrNSSDamaged = errors.New("the NSS database is damaged")
)

// ErrManyNSSDatabases means that there are more databases below a folder than one library opens, or more folders than are searched.
var ErrManyNSSDatabases = errors.New("too many NSS databases below the folder")

// ErrNoSoftokn means that NSS's PKCS#11 library is in none of the usual places.
var ErrNoSoftokn = errors.New("libsoftokn3.so not found")

// NSSFileError names the file or directory of a certificate database that cannot be used. It wraps the cause, ErrNoNSSDatabase and the
// like, and the system's answer where there was one.
type NSSFileError struct {
	Path  string
	Cause error
	Err   error // may be nil
}

// Error names the cause and the file.
func (e *NSSFileError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%v: %v", e.Cause, e.Err)
	}
	return fmt.Sprintf("%v: %s", e.Cause, e.Path)
}

// Unwrap gives the cause and the system's answer.
func (e *NSSFileError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.Err}
}

// NSSDatabase names softokn with an NSS certificate database, as Firefox, Thunderbird and Chromium keep it, opened for
// reading only unless access is ReadWrite. The directory is the database's own or one above it: then every profile below is
// a token. The token of a profile in a usual place has the profile's label, that of any other database the one that NSS
// gives. No database is ever made. What stands below the folder and cannot be opened is told beside it. The error wraps ErrNoNSSDatabase, ErrNSSOldFormat, ErrNSSUnreadable, ErrNSSDamaged, ErrManyNSSDatabases or
// ErrNoSoftokn.
func NSSDatabase(directory string, access token.Access) (token.Library, []UnsoundProfile, error) {
	directory, err := filepath.Abs(strings.TrimPrefix(directory, "sql:"))
	if err != nil {
		return token.Library{}, nil, fmt.Errorf("%w: %w", ErrNoNSSDatabase, err)
	}
	err = checkNSSDatabase(directory)
	parameters := nssParameters(directory, access)
	var unsound []UnsoundProfile
	if errors.Is(err, ErrNoNSSDatabase) {
		below, complete := profilesBelow(directory)
		if !complete {
			return token.Library{}, nil, &NSSFileError{Path: directory, Cause: ErrManyNSSDatabases}
		}
		if below, unsound, err = soundProfiles(below, err); err == nil {
			parameters = nssTokens(below, knownLabels(below), access)
		}
	} else if label := knownLabels([]Profile{{Directory: directory}})[0]; label != "" {
		parameters = nssTokens([]Profile{{Directory: directory}}, []string{label}, access)
	}
	if err != nil {
		return token.Library{}, nil, err
	}
	path, err := findSoftokn()
	return token.Library{Path: path, InitString: parameters, Name: "nss"}, unsound, err
}

// UnsoundProfile is a profile below a folder whose database cannot be opened, beside others that can.
type UnsoundProfile struct {
	Label     string
	Directory string
	Fault     error
}

// soundProfiles keeps the profiles whose databases can be opened. Where none can, the error says why not: none is the error
// where there are no profiles.
func soundProfiles(among []Profile, none error) (sound []Profile, unsound []UnsoundProfile, err error) {
	for i, label := range knownLabels(among) {
		if err := checkNSSDatabase(among[i].Directory); err != nil {
			unsound, none = append(unsound, UnsoundProfile{label, among[i].Directory, err}), err
			continue
		}
		sound = append(sound, among[i])
	}
	if len(sound) > 0 {
		return sound, unsound, nil
	}
	return nil, nil, none
}

// ProfileLibraries names softokn once for each profile in a usual place, for reading only: its one token has the profile's
// label. It is empty without softokn.
func ProfileLibraries() []ProfileLibrary {
	path, err := findSoftokn()
	if err != nil {
		return nil
	}
	profiles := FindProfiles()
	var libraries []ProfileLibrary
	for i, label := range labels(profiles) {
		library := token.Library{Path: path, InitString: nssTokens(profiles[i:i+1], []string{label}, token.ReadOnly), Name: ProfilesName, NamedBy: profiles[i].Directory}
		libraries = append(libraries, ProfileLibrary{library, profiles[i], label, checkNSSDatabase(profiles[i].Directory)})
	}
	return libraries
}

// ProfileLibrary is softokn with one profile.
type ProfileLibrary struct {
	token.Library
	Profile Profile
	Label   string
	Fault   error // what keeps its database from being opened, as far as its files show
}

// ProfilesName is the Name of libraries whose tokens are profiles that were found and not named.
const ProfilesName = "profiles"

// Together is one library for all the profiles, since a process can start softokn once only. It is false for none.
func Together(libraries []ProfileLibrary) (token.Library, bool) {
	if len(libraries) == 0 {
		return token.Library{}, false
	}
	var profiles []Profile
	var names []string
	for _, one := range libraries {
		profiles, names = append(profiles, one.Profile), append(names, one.Label)
	}
	return token.Library{Path: libraries[0].Path, InitString: nssTokens(profiles, names, token.ReadOnly), Name: ProfilesName}, true
}

func findSoftokn() (string, error) {
	for _, place := range softoknPlaces {
		for _, path := range inRoots(place) {
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
		}
	}
	return "", ErrNoSoftokn
}

// checkNSSDatabase looks at both files of a database.
func checkNSSDatabase(directory string) error {
	for _, name := range []string{certificates9, keys4} {
		if err := checkNSSFile(directory, name); err != nil {
			return err
		}
	}
	return nil
}

// An SQLite file begins with a header (SQLite's file format, section 1.3).
const (
	sqliteMagic        = "SQLite format 3\x00"
	sqliteHeaderLength = 100
)

// checkNSSFile looks at a file of the database before softokn does, whose return values do not tell the causes apart. An
// empty file is a new database.
func checkNSSFile(directory, name string) error {
	path := filepath.Join(directory, name)
	file, err := openRegular(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &NSSFileError{path, ErrNSSUnreadable, err}
	case errors.Is(err, fs.ErrNotExist):
		if _, old := os.Stat(filepath.Join(directory, "key3.db")); old == nil {
			return &NSSFileError{directory, ErrNSSOldFormat, nil}
		}
		return &NSSFileError{directory, ErrNoNSSDatabase, err}
	case errors.Is(err, errNotRegular):
		return &NSSFileError{path, ErrNSSDamaged, err}
	case err != nil:
		return &NSSFileError{directory, ErrNoNSSDatabase, err}
	}
	defer file.Close()
	start := make([]byte, sqliteHeaderLength)
	n, err := io.ReadFull(file, start)
	info, statErr := file.Stat()
	if err == io.EOF && n == 0 || err == nil && statErr == nil && wholeSQLite(start, info.Size()) {
		return nil
	}
	return &NSSFileError{path, ErrNSSDamaged, nil}
}

// wholeSQLite reports whether a file begins as an SQLite file and is as long as its header says (SQLite's file format, section 1.3:
// page size at 16, pages at 28, which count where the two change counters at 24 and 92 are the same).
func wholeSQLite(header []byte, size int64) bool {
	if string(header[:len(sqliteMagic)]) != sqliteMagic {
		return false
	}
	pageSize := int64(binary.BigEndian.Uint16(header[16:]))
	if pageSize == 1 { // stands for 65536, which 16 bits do not hold
		pageSize = 1 << 16
	}
	pages := int64(binary.BigEndian.Uint32(header[28:]))
	counts := binary.BigEndian.Uint32(header[24:]) == binary.BigEndian.Uint32(header[92:])
	return !counts || size >= pages*pageSize
}

// nssParameters is the string that softokn reads from CK_C_INITIALIZE_ARGS.pReserved for one database, under NSS's own label.
func nssParameters(directory string, access token.Access) string {
	return nssDirectory(directory) + " certPrefix='' keyPrefix='' secmod='secmod.db' flags=" + nssFlags(access)
}

// nssTokens is the string for any number of databases, each a token with a label. NSS gives the slots of further databases
// numbers from 4 on (softkver.h and pkcs11i.h, SFTK_MIN_USER_SLOT_ID).
func nssTokens(profiles []Profile, labels []string, access token.Access) string {
	const firstSlot = 4
	var tokens strings.Builder
	for i, profile := range profiles {
		parameters := nssDirectory(profile.Directory) + " tokenDescription='" + escaped(labels[i], "'") + "' slotDescription='" + escaped(labels[i], "'") + "' flags=" + nssFlags(access)
		fmt.Fprintf(&tokens, "0x%x=[%s] ", firstSlot+i, escaped(parameters, "]"))
	}
	return "tokens=<" + escaped(tokens.String(), ">") + "> secmod='secmod.db' flags="
}

func nssDirectory(directory string) string { return "configdir='sql:" + escaped(directory, "'") + "'" }

func nssFlags(access token.Access) string {
	if access == token.ReadWrite {
		return ""
	}
	return "readOnly"
}

// escaped is a text that stands between quotes or brackets of NSS: with a backslash before each that would end it, so that
// the name of a directory or a profile cannot add parameters.
func escaped(text, end string) string {
	return strings.NewReplacer(`\`, `\\`, end, `\`+end).Replace(text)
}
