package host

import (
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
	// ErrNSSDamaged means that a file of the database is no SQLite file.
	ErrNSSDamaged = errors.New("the NSS database is damaged")
)

// ErrNoSoftokn means that NSS's PKCS#11 library is in none of the usual places.
var ErrNoSoftokn = errors.New("libsoftokn3.so not found")

// NSSDatabase names softokn with an NSS certificate database, as Firefox, Thunderbird and Chromium keep it, opened for
// reading only unless access is ReadWrite. The error wraps ErrNoNSSDatabase or ErrNoSoftokn.
func NSSDatabase(directory string, access token.Access) (token.Library, error) {
	directory, err := filepath.Abs(strings.TrimPrefix(directory, "sql:"))
	if err != nil {
		return token.Library{}, fmt.Errorf("%w: %w", ErrNoNSSDatabase, err)
	}
	for _, name := range []string{"cert9.db", "key4.db"} {
		if err := checkNSSFile(directory, name); err != nil {
			return token.Library{}, err
		}
	}
	for _, place := range []string{"libsoftokn3.so", "nss/libsoftokn3.so"} {
		for _, path := range inRoots(place) {
			if _, err := os.Stat(path); err == nil {
				return token.Library{Path: path, InitString: nssParameters(directory, access), Name: "nss"}, nil
			}
		}
	}
	return token.Library{}, ErrNoSoftokn
}

// sqliteHead is how an SQLite file begins (SQLite's file format, section 1.3).
const sqliteMagic = "SQLite format 3\x00"

// checkNSSFile looks at a file of the database before softokn does, whose return values do not tell the causes apart. An
// empty file is a new database.
func checkNSSFile(directory, name string) error {
	file, err := openRegular(filepath.Join(directory, name))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrNSSUnreadable, err)
	case errors.Is(err, fs.ErrNotExist):
		if _, old := os.Stat(filepath.Join(directory, "key3.db")); old == nil {
			return fmt.Errorf("%w: %s", ErrNSSOldFormat, directory)
		}
		return fmt.Errorf("%w: %w", ErrNoNSSDatabase, err)
	case errors.Is(err, errNotRegular):
		return fmt.Errorf("%w: %w", ErrNSSDamaged, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNoNSSDatabase, err)
	}
	defer file.Close()
	start := make([]byte, len(sqliteMagic))
	n, err := io.ReadFull(file, start)
	if err == io.EOF && n == 0 || err == nil && string(start) == sqliteMagic {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrNSSDamaged, file.Name())
}

// nssParameters is the string that softokn reads from CK_C_INITIALIZE_ARGS.pReserved. Quotes and backslashes in the path
// are escaped, so that a directory's name cannot add parameters.
func nssParameters(directory string, access token.Access) string {
	escaped := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(directory)
	flags := "readOnly"
	if access == token.ReadWrite {
		flags = ""
	}
	return "configdir='sql:" + escaped + "' certPrefix='' keyPrefix='' secmod='secmod.db' flags=" + flags
}
