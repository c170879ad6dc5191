package verdict

import (
	"slices"
	"strings"

	"p11bridge/token"
)

// Family is a make of token, as far as it matters for a backup. Its words are the messages family.NAME.backup, or
// family.NAME.none where there is no route.
type Family struct {
	Name   string
	Backup bool // the family has a backup route of its own

	// RefusesToWrap lists the key types that the family lists wrap mechanisms for and will not wrap.
	RefusesToWrap []token.KeyType
	// RefusesUnlistedEC means that it will not wrap elliptic curve keys where the token lists no mechanism that uses them.
	RefusesUnlistedEC bool
	// Lies lists what the family's modules are known to say wrongly, for those who read evidence.
	Lies []string
}

// familyRow tells a family by what the token and its module say of themselves. A pattern is the beginning of the text;
// an empty one fits everything.
type familyRow struct {
	manufacturer, model, firmware string // of the token
	library, libraryManufacturer  string // of the module: its description and its maker
	family                        Family
	source                        string // where the row's facts come from
}

// families is searched from the top; the first row that fits counts.
var families = []familyRow{
	{manufacturer: "SoftHSM project", model: "SoftHSM v2", firmware: "2.6", family: Family{Name: "softhsm", Backup: true,
		RefusesToWrap: []token.KeyType{token.CKKECEdwards}},
		source: "measured on SoftHSM 2.6.1: CKR_KEY_NOT_WRAPPABLE for CKK_EC_EDWARDS, and no C_UnwrapKey of one; softhsm2.conf(5): directories.tokendir"},
	{manufacturer: "SoftHSM project", family: Family{Name: "softhsm", Backup: true}, source: "softhsm2.conf(5): directories.tokendir"},
	{manufacturer: "Mozilla Foundation", family: Family{Name: "nss", Backup: true, Lies: []string{"CKA_LOCAL=false for keys it generated", "wraps keys with CKA_EXTRACTABLE=false"}},
		source: "measured on NSS softokn 3.87; NSS shared database: cert9.db and key4.db"},
	{library: "TPM2.0 Cryptoki", family: Family{Name: "tpm", Lies: []string{"CKA_EXTRACTABLE=true for imported keys, and no C_WrapKey"}},
		source: "measured on tpm2-pkcs11 1.9 over swtpm"},
	{manufacturer: "www.CardContact.de", family: Family{Name: "smartcard-hsm", Backup: true},
		source: "CardContact, SmartCard-HSM: key backup under a device key encryption key (DKEK); OpenSC, pkcs15-sc-hsm.c: manufacturer \"www.CardContact.de\""},
	{manufacturer: "CardContact", family: Family{Name: "smartcard-hsm", Backup: true},
		source: "as above; sc-hsm-embedded, token-sc-hsm.c: manufacturer \"CardContact (www.cardcontact.de)\""},
	{manufacturer: "Yubico", model: "YubiHSM", family: Family{Name: "yubihsm2", Backup: true},
		source: "Yubico, YubiHSM 2 user guide: backup and restore by export under a wrap key"},
	{libraryManufacturer: "Yubico", library: "YubiHSM", family: Family{Name: "yubihsm2", Backup: true}, source: "as above, told by the module"},
	{manufacturer: "Yubico", model: "YubiKey", family: Family{Name: "yubikey"},
		source: "ykcs11: manufacturer \"Yubico (www.yubico.com)\", model \"YubiKey YK5\"; Yubico PIV: a private key cannot be read"},
	{manufacturer: "piv_II", family: Family{Name: "piv"}, source: "OpenSC, pkcs15-piv.c: manufacturer \"piv_II \" for every PIV card, YubiKeys among them; NIST SP 800-73: no command reads a private key"},
	{manufacturer: "OpenPGP project", family: Family{Name: "openpgp"}, source: "OpenSC, pkcs15-openpgp.c: manufacturer \"OpenPGP project\"; OpenPGP card specification: no command reads a private key"},
	{manufacturer: "ZeitControl", family: Family{Name: "openpgp"}, source: "OpenSC, pkcs15-openpgp: maker of OpenPGP cards"},
	{library: "Chrystoki", family: Family{Name: "luna", Backup: true}, source: "Thales, Luna HSM documentation: partition backup; private key wrapping is a partition policy, off by default"},
	{manufacturer: "SafeNet", model: "Luna", family: Family{Name: "luna", Backup: true}, source: "as above, told by the token"},
	{manufacturer: "nCipher", family: Family{Name: "nshield", Backup: true}, source: "Entrust, nShield documentation: key blobs in the security world's files"},
	{libraryManufacturer: "nCipher", family: Family{Name: "nshield", Backup: true}, source: "as above, told by the module"},
	{libraryManufacturer: "Cavium", family: Family{Name: "cloudhsm", Backup: true}, source: "AWS CloudHSM user guide: cluster backups; client SDK 3 is Cavium's module"},
	{library: "CloudHSM", family: Family{Name: "cloudhsm", Backup: true}, source: "AWS CloudHSM user guide: cluster backups; CKA_WRAP_WITH_TRUSTED cannot be undone"},
	{library: "openCryptoki", family: Family{Name: "opencryptoki", Backup: true, RefusesUnlistedEC: true},
		source: "openCryptoki documentation: token directories; measured on 3.8.1: CKR_KEY_NOT_WRAPPABLE for CKK_EC on a token without CKM_ECDSA, and CKR_TEMPLATE_INCOMPLETE of C_UnwrapKey"},
	{libraryManufacturer: "IBM", family: Family{Name: "opencryptoki", Backup: true, RefusesUnlistedEC: true}, source: "as above, told by the module's maker"},
	{manufacturer: "IBM", model: "Soft", family: Family{Name: "opencryptoki", Backup: true, RefusesUnlistedEC: true}, source: "as above, where a proxy hides the module"},
}

// refuses reports whether tokens of the family that list these mechanisms will not wrap keys of a type.
func (f Family) refuses(keyType token.KeyType, listed []token.Mechanism) bool {
	unlisted := f.RefusesUnlistedEC && keyType == token.CKKEC && !slices.ContainsFunc(listed, func(m token.Mechanism) bool { return m.Type.UsesEC() })
	return unlisted || slices.Contains(f.RefusesToWrap, keyType)
}

// RefusesToUnwrap reports whether a token is of a make that takes no wrapped key of a type, whatever it lists: what it does not let out wrapped, it does
// not let in so either.
func RefusesToUnwrap(inventory *token.Inventory, keyType token.KeyType) bool {
	family, known := FamilyOf(inventory)
	return known && family.refuses(keyType, inventory.Mechanisms)
}

// FamilyOf finds the make of a token.
func FamilyOf(inventory *token.Inventory) (Family, bool) {
	info, module := inventory.Token, inventory.Module
	for _, row := range families {
		if strings.HasPrefix(string(info.Manufacturer), row.manufacturer) && strings.HasPrefix(string(info.Model), row.model) &&
			strings.HasPrefix(info.FirmwareVersion, row.firmware) && strings.HasPrefix(string(module.Description), row.library) &&
			strings.HasPrefix(string(module.Manufacturer), row.libraryManufacturer) {
			return row.family, true
		}
	}
	return Family{}, false
}
