package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"p11bridge/token"
)

// ErrNoNSSDatabase means that a directory holds no NSS database in the present format (cert9.db and key4.db).
var ErrNoNSSDatabase = errors.New("no NSS database")

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
		if _, err := os.Stat(filepath.Join(directory, name)); err != nil {
			return token.Library{}, fmt.Errorf("%w: %w", ErrNoNSSDatabase, err)
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
