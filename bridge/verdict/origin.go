package verdict

import (
	"slices"
	"strings"

	"p11bridge/token"
)

// invention is a module or a token that sets attributes of a key's origin without knowing where the key comes from. A pattern is the
// beginning of the text; an empty one fits everything.
type invention struct {
	libraryManufacturer, library string // of the module
	manufacturer, model          string // of the token
	invents                      []token.Attribute
	source                       string
}

var (
	wholeOrigin    = []token.Attribute{token.CKALocal, token.CKANeverExtractable, token.CKAAlwaysSensitive}
	formerSecrecy  = []token.Attribute{token.CKANeverExtractable, token.CKAAlwaysSensitive}
	asExtractable  = []token.Attribute{token.CKANeverExtractable}
	inventionTable = []invention{
		{libraryManufacturer: "OpenSC", model: "PKCS#15 emulated", invents: wholeOrigin,
			source: "OpenSC, pkcs15-syn.c: sc_pkcs15emu_add_rsa_prkey and its kin for EC, EdDSA and XEdDSA set all three where a driver gives no access flags, and that of PIV (pkcs15-piv.c) and of CAC give none; measured: keys imported into a CAC card"},
		{model: "PKCS#15 emulated", invents: wholeOrigin, source: "as above, where a proxy hides the module"},
		{libraryManufacturer: "OpenSC", model: "ChipDocLite", invents: wholeOrigin,
			source: "OpenSC, card-eoi.c: the one emulated card that gives a model of its own (SC_CARDCTL_GET_MODEL)"},
		{libraryManufacturer: "CardContact", invents: wholeOrigin,
			source: "sc-hsm-embedded, privatekeyobject.c: all three are CK_TRUE in the template of every private key"},
		{manufacturer: "CardContact", invents: wholeOrigin, source: "as above, where a proxy hides the module"},
		{libraryManufacturer: "IBM", invents: formerSecrecy,
			source: "measured on openCryptoki 3.8.1: true for keys that came by C_CreateObject; key.c: CKA_LOCAL is set by key generation alone"},
		{library: "openCryptoki", invents: formerSecrecy, source: "as above, where a proxy names the module"},
		{manufacturer: "IBM", model: "Soft", invents: formerSecrecy, source: "as above, where a proxy hides the module; soft_specific.c: manufacturer and model"},
		{libraryManufacturer: "Yubico", library: "PKCS#11 PIV", invents: asExtractable,
			source: "ykcs11, objects.c: CKA_NEVER_EXTRACTABLE of a private key is \"always true\"; CKA_LOCAL is what the key's metadata says of its origin"},
		{manufacturer: "Yubico", model: "YubiKey", invents: asExtractable, source: "as above, where a proxy hides the module"},
		{libraryManufacturer: "Yubico", library: "YubiHSM", invents: asExtractable,
			source: "yubihsm-shell, util_pkcs11.c: CKA_NEVER_EXTRACTABLE is that the key has no exportable-under-wrap; CKA_LOCAL is the object's origin"},
		{library: "TPM2.0 Cryptoki", invents: asExtractable,
			source: "tpm2-pkcs11, tpm.c and objects.py: CKA_NEVER_EXTRACTABLE is the negation of CKA_EXTRACTABLE; CKA_LOCAL is sensitiveDataOrigin"},
	}
)

// invented lists the attributes of a key's origin that the token tells without knowing.
func invented(inventory *token.Inventory) []token.Attribute {
	i := slices.IndexFunc(inventionTable, func(row invention) bool {
		return strings.HasPrefix(string(inventory.Module.Manufacturer), row.libraryManufacturer) && strings.HasPrefix(string(inventory.Module.Description), row.library) &&
			strings.HasPrefix(string(inventory.Token.Manufacturer), row.manufacturer) && strings.HasPrefix(string(inventory.Token.Model), row.model)
	})
	if i < 0 {
		return nil
	}
	return inventionTable[i].invents
}

// judgeOrigin tells apart keys that were generated on the token and keys whose original may still be somewhere. CKA_LOCAL=false
// alone proves nothing: NSS says so of every key. What a module is known to invent says nothing either, and all flags false at
// once is no answer: OpenSC 0.23 says so of keys that it generated.
func judgeOrigin(v *Verdict, inventory *token.Inventory, key *token.Object) {
	local, never := attributeFact(key, token.CKALocal), attributeFact(key, token.CKANeverExtractable)
	inventions := invented(inventory)
	silent := !slices.ContainsFunc(originFlags, func(a token.Attribute) bool { return key.Attributes.Bool(a) != token.False })
	guessed := slices.ContainsFunc(inventions, func(a token.Attribute) bool { return key.Attributes.Bool(a) != token.NotGiven })
	switch {
	case silent:
		v.add(OriginUnknown, local, never)
	case says(key, token.CKANeverExtractable, token.False, inventions):
		v.add(OriginalMayExist, never, local)
	case says(key, token.CKALocal, token.True, inventions):
		v.add(KeyGeneratedOnToken, local, never)
	case guessed:
		v.add(OriginUnknown, local, never)
	}
	v.addFamily(inventory)
}

// says reports whether the token gives the attribute this value, and knows.
func says(key *token.Object, a token.Attribute, value token.Bool, inventions []token.Attribute) bool {
	return key.Attributes.Bool(a) == value && !slices.Contains(inventions, a)
}

// MayHaveOriginal reports whether a file from which the key was put on its token may exist, as far as the token tells: whoever says that there is no backup
// of such a key has to say that as well.
func MayHaveOriginal(inventory *token.Inventory, key *token.Object) bool {
	inventions := invented(inventory)
	once := key.Attributes.Bool(token.CKAExtractable) == token.False && says(key, token.CKANeverExtractable, token.False, inventions) // it may have left before
	return once || !says(key, token.CKALocal, token.True, inventions)
}

// originFlags are the attributes that tell where a key comes from. A token that knows sets one of them, at the least
// CKA_SENSITIVE: a key that it does not let go is one that it keeps.
var originFlags = []token.Attribute{token.CKASensitive, token.CKAExtractable, token.CKAAlwaysSensitive, token.CKANeverExtractable, token.CKALocal}
