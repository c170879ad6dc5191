package bridge

import (
	"strings"

	"p11bridge/token"
)

// Family is a make of token, as far as it matters for a backup.
type Family struct {
	Name   string
	Backup bool // the family has a backup route of its own, told by the message family.NAME

	// RefusesToWrap lists the key types that the family lists mechanisms for and will not wrap.
	RefusesToWrap []token.KeyType
}

// familyRow tells a family by the beginnings of what the token and its module say of themselves; an empty pattern fits
// everything.
type familyRow struct {
	manufacturer, model, library, firmware string
	family                                 Family
	source                                 string // where the row's facts come from
}

var families = []familyRow{
	{manufacturer: "SoftHSM project", model: "SoftHSM v2", firmware: "2.6", family: Family{Name: "softhsm", Backup: true,
		RefusesToWrap: []token.KeyType{token.CKKECEdwards}}, source: "measured on SoftHSM 2.6.1: CKR_KEY_NOT_WRAPPABLE for CKK_EC_EDWARDS"},
	{manufacturer: "SoftHSM project", family: Family{Name: "softhsm", Backup: true}, source: "softhsm2.conf(5): directories.tokendir"},
	{manufacturer: "Mozilla Foundation", family: Family{Name: "nss", Backup: true}, source: "NSS shared database: cert9.db, key4.db"},
	{library: "TPM2.0 Cryptoki", family: Family{Name: "tpm"}, source: "tpm2-pkcs11 1.9: no C_WrapKey"},
}

// FamilyOf finds the make of a token.
func FamilyOf(inventory *token.Inventory) (Family, bool) {
	info := inventory.Token
	for _, row := range families {
		if strings.HasPrefix(info.Manufacturer, row.manufacturer) && strings.HasPrefix(info.Model, row.model) &&
			strings.HasPrefix(inventory.Module.Description, row.library) && strings.HasPrefix(info.FirmwareVersion, row.firmware) {
			return row.family, true
		}
	}
	return Family{}, false
}
