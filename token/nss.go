package token

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoNSSDatabase means that a directory holds no NSS database in the present format (cert9.db and key4.db).
var ErrNoNSSDatabase = errors.New("no NSS database")

// ErrNoSoftokn means that NSS's PKCS#11 library is in none of the usual places.
var ErrNoSoftokn = errors.New("libsoftokn3.so not found")

// nssCryptoToken is softokn's first token: it computes, and holds no object.
const nssCryptoToken = "NSS Generic Crypto Services"

// NSSDatabase names softokn with an NSS certificate database, as Firefox, Thunderbird and Chromium keep it, opened for
// reading only unless access is ReadWrite. The error wraps ErrNoNSSDatabase or ErrNoSoftokn.
func NSSDatabase(directory string, access Access) (Library, error) {
	directory, err := filepath.Abs(strings.TrimPrefix(directory, "sql:"))
	if err != nil {
		return Library{}, fmt.Errorf("%w: %w", ErrNoNSSDatabase, err)
	}
	for _, name := range []string{"cert9.db", "key4.db"} {
		if _, err := os.Stat(filepath.Join(directory, name)); err != nil {
			return Library{}, fmt.Errorf("%w: %w", ErrNoNSSDatabase, err)
		}
	}
	for _, place := range []string{"libsoftokn3.so", "nss/libsoftokn3.so"} {
		for _, path := range inRoots(place) {
			if _, err := os.Stat(path); err == nil {
				return Library{Path: path, InitString: nssParameters(directory, access), Name: "nss"}, nil
			}
		}
	}
	return Library{}, ErrNoSoftokn
}

// nssParameters is the string that softokn reads from CK_C_INITIALIZE_ARGS.pReserved. Quotes and backslashes in the path
// are escaped, so that a directory's name cannot add parameters.
func nssParameters(directory string, access Access) string {
	escaped := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(directory)
	flags := "readOnly"
	if access == ReadWrite {
		flags = ""
	}
	return "configdir='sql:" + escaped + "' certPrefix='' keyPrefix='' secmod='secmod.db' flags=" + flags
}

// Internal tells whether the slot's token is one that computes for its module and can hold nothing of the user's.
func (slot Slot) Internal() bool {
	return slot.Token != nil && slot.Token.Label == nssCryptoToken
}
