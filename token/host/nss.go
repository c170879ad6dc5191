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

// An SQLite file begins with a header (SQLite's file format, section 1.3).
const (
	sqliteMagic        = "SQLite format 3\x00"
	sqliteHeaderLength = 100
)

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
	start := make([]byte, sqliteHeaderLength)
	n, err := io.ReadFull(file, start)
	info, statErr := file.Stat()
	if err == io.EOF && n == 0 || err == nil && statErr == nil && wholeSQLite(start, info.Size()) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrNSSDamaged, file.Name())
}

// wholeSQLite tells whether a file begins as an SQLite file and is as long as its header says (SQLite's file format, section 1.3:
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
