package verdict

import (
	"slices"
	"strings"
	"testing"

	"p11bridge/token"
	"p11bridge/token/foreign"
)

// TestFamilyOf has for every row of the table a token that it is about, as that token or its module calls itself.
func TestFamilyOf(t *testing.T) {
	for _, row := range []struct {
		manufacturer, model, firmware string
		library, libraryManufacturer  string
		want                          string
		backup                        bool
	}{
		{"SoftHSM project", "SoftHSM v2", "2.6", "Implementation of PKCS11", "SoftHSM", "softhsm", true},
		{"SoftHSM project", "SoftHSM v2", "2.7", "", "", "softhsm", true},
		{"SoftHSM project", "SoftHSM", "1.3", "", "", "softhsm", true},
		{"Mozilla Foundation", "NSS 3", "0.0", "NSS Internal Crypto Services", "Mozilla Foundation", "nss", true},
		{"IBM", "SW   TPM", "", "TPM2.0 Cryptoki", "tpm2-software.github.io", "tpm", false},
		{"www.CardContact.de", "PKCS#15 emulated", "", "OpenSC smartcard framework", "OpenSC Project", "smartcard-hsm", true},
		{"CardContact (www.cardcontact.de)", "SmartCard-HSM", "", "SmartCard-HSM with PC/SC", "CardContact (www.cardcontact.de)", "smartcard-hsm", true},
		{"Yubico (www.yubico.com)", "YubiHSM", "2.3", "YubiHSM PKCS#11 Library", "Yubico (www.yubico.com)", "yubihsm2", true},
		{"", "", "", "YubiHSM PKCS#11 Library", "Yubico (www.yubico.com)", "yubihsm2", true},
		{"Yubico (www.yubico.com)", "YubiKey YK5", "5.4", "PKCS#11 PIV Library (SP-800-73)", "Yubico (www.yubico.com)", "yubikey", false},
		{"piv_II", "PKCS#15 emulated", "", "OpenSC smartcard framework", "OpenSC Project", "piv", false},
		{"OpenPGP project", "PKCS#15 emulated", "", "OpenSC smartcard framework", "OpenSC Project", "openpgp", false},
		{"ZeitControl", "PKCS#15 emulated", "", "OpenSC smartcard framework", "OpenSC Project", "openpgp", false},
		{"SafeNet", "LunaSA", "", "Chrystoki", "SafeNet", "luna", true},
		{"SafeNet", "Luna K7", "", "", "", "luna", true},
		{"nCipher Corp. Ltd", "", "", "", "", "nshield", true},
		{"", "", "", "nCipher Security PKCS#11", "nCipher Corp. Ltd", "nshield", true},
		{"", "", "", "Cavium PKCS#11 Interface", "Cavium Networks", "cloudhsm", true},
		{"", "", "", "CloudHSM PKCS#11", "Amazon Web Services", "cloudhsm", true},
		{"IBM", "Soft", "", "openCryptoki", "IBM", "opencryptoki", true},
		{"", "", "", "Meta PKCS11 LIBRARY", "IBM", "opencryptoki", true},

		{"softhsm project", "SoftHSM v2", "2.6", "", "", "", false},
		{"Another SoftHSM project", "", "", "", "", "", false},
		{"Yubico (www.yubico.com)", "", "", "", "", "", false},
		{"SafeNet", "eToken", "", "", "", "", false},
		{"OpenSC Project", "", "", "OpenSC smartcard framework", "OpenSC Project", "", false},
		{"", "", "", "", "", "", false},
	} {
		inventory := &token.Inventory{
			Token:  token.Info{Manufacturer: foreign.Text(row.manufacturer), Model: foreign.Text(row.model), FirmwareVersion: row.firmware},
			Module: token.ModuleInfo{Description: foreign.Text(row.library), Manufacturer: foreign.Text(row.libraryManufacturer)},
		}
		family, known := FamilyOf(inventory)
		if family.Name != row.want || known != (row.want != "") || family.Backup != row.backup {
			t.Errorf("%q %q %q %q %q: %q, known %v, backup %v; not %q", row.manufacturer, row.model, row.firmware, row.library, row.libraryManufacturer,
				family.Name, known, family.Backup, row.want)
		}
	}
}

// TestFamilyRows holds the table itself: no row fits everything, each says where its facts come from, a family always says
// the same, and the families that support is asked about are all there.
func TestFamilyRows(t *testing.T) {
	backup := map[string]bool{}
	for i, row := range families {
		name := row.family.Name
		if row.manufacturer+row.library+row.libraryManufacturer == "" {
			t.Errorf("row %d (%s) fits every token", i, name)
		}
		if row.source == "" || strings.HasPrefix(row.source, "as above") && (i == 0 || families[i-1].family.Name != name) {
			t.Errorf("row %d (%s) has the source %q", i, name, row.source)
		}
		if previous, known := backup[name]; known && previous != row.family.Backup {
			t.Errorf("%s has a backup route in one row and none in another", name)
		}
		backup[name] = row.family.Backup
	}
	for _, name := range []string{"smartcard-hsm", "yubihsm2", "yubikey", "piv", "luna", "nshield", "cloudhsm", "tpm", "openpgp", "nss", "softhsm", "opencryptoki"} {
		if _, known := backup[name]; !known {
			t.Errorf("the family %s is missing", name)
		}
	}
}

// TestEveryFamilyRowIsReached puts a token before the table for each row, as the row's own patterns describe it: a row that
// an earlier one hides would never be used.
func TestEveryFamilyRowIsReached(t *testing.T) {
	for i, row := range families {
		inventory := &token.Inventory{
			Token:  token.Info{Manufacturer: foreign.Text(row.manufacturer), Model: foreign.Text(row.model), FirmwareVersion: row.firmware},
			Module: token.ModuleInfo{Description: foreign.Text(row.library), Manufacturer: foreign.Text(row.libraryManufacturer)},
		}
		got, known := FamilyOf(inventory)
		if !known || got.Name != row.family.Name || !slices.Equal(got.RefusesToWrap, row.family.RefusesToWrap) {
			t.Errorf("row %d (%s) is hidden by one for %s", i, row.family.Name, got.Name)
		}
	}
}

// TestInventions holds the table itself: no row fits everything, each invents something, and says where that is known from.
func TestInventions(t *testing.T) {
	for i, row := range inventionTable {
		if row.libraryManufacturer+row.library+row.manufacturer+row.model == "" || len(row.invents) == 0 {
			t.Errorf("row %d fits every token, or invents nothing", i)
		}
		if row.source == "" || i == 0 && strings.HasPrefix(row.source, "as above") {
			t.Errorf("row %d has the source %q", i, row.source)
		}
	}
}
