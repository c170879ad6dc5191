package token

import (
	"fmt"
	"time"

	"github.com/miekg/pkcs11"

	"p11bridge/token/foreign"
)

// Slot is a place for a token: a reader, or a partition of an HSM (PKCS#11 v3.1 §5.5). Its ID changes between runs;
// only a token's label and serial number identify it.
type Slot struct {
	ID           uint
	Description  foreign.Text
	Manufacturer foreign.Text
	Removable    bool
	Token        *Info // nil where no token is present
	Err          error // why the slot or its token could not be read
	Absent       error // C_GetTokenInfo's answer of a token that C_GetSlotInfo shows, and that is not there

	module *Module
}

// Info is what C_GetTokenInfo tells of a token (PKCS#11 v3.1 §5.5.6).
type Info struct {
	Label           foreign.Text `json:"label"`
	Manufacturer    foreign.Text `json:"manufacturer"`
	Model           foreign.Text `json:"model"`
	Serial          foreign.Text `json:"serial"`
	HardwareVersion string       `json:"hardware_version"`
	FirmwareVersion string       `json:"firmware_version"`
	Flags           Flags        `json:"flags"`
	MaxSessions     Count        `json:"max_sessions"`
	MaxRWSessions   Count        `json:"max_rw_sessions"`
	MinPINLen       uint         `json:"min_pin_len"`
	MaxPINLen       uint         `json:"max_pin_len"`
}

// Same reports whether two modules that show tokens like these show one token. A token without a serial number is not known again.
func (i *Info) Same(other *Info) bool {
	return i.Serial != "" && i.Serial == other.Serial && i.Label == other.Label && i.Manufacturer == other.Manufacturer && i.Model == other.Model
}

// Concurrent reports whether several sessions of the module may be used at once: it has agreed to be called by several threads, by CKR_OK
// to C_Initialize with CKF_OS_LOCKING_OK. A module that was initialised by somebody else is not known to have.
func (slot Slot) Concurrent() bool { return slot.module != nil && slot.module.concurrent }

// Count is a number of sessions: zero where the token has no limit, Unknown where it does not say.
type Count int64

// Unknown stands for CK_UNAVAILABLE_INFORMATION.
const Unknown Count = -1

func count(n uint) Count {
	if n == ^uint(0) || n > 1<<40 {
		return Unknown
	}
	return Count(n)
}

// Flags are a token's CKF_* flags (PKCS#11 v3.1 §3.2, CK_TOKEN_INFO).
type Flags uint

// The token flags that decide something here.
const (
	CKFLoginRequired               = Flags(pkcs11.CKF_LOGIN_REQUIRED)
	CKFUserPINInitialized          = Flags(pkcs11.CKF_USER_PIN_INITIALIZED)
	CKFProtectedAuthenticationPath = Flags(pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH)
	CKFTokenInitialized            = Flags(pkcs11.CKF_TOKEN_INITIALIZED)
	CKFUserPINCountLow             = Flags(pkcs11.CKF_USER_PIN_COUNT_LOW)
	CKFUserPINFinalTry             = Flags(pkcs11.CKF_USER_PIN_FINAL_TRY)
	CKFUserPINLocked               = Flags(pkcs11.CKF_USER_PIN_LOCKED)
	CKFUserPINToBeChanged          = Flags(pkcs11.CKF_USER_PIN_TO_BE_CHANGED)
	CKFWriteProtected              = Flags(pkcs11.CKF_WRITE_PROTECTED)
)

var flagNames = []struct {
	flag Flags
	name string
}{
	{Flags(pkcs11.CKF_RNG), "CKF_RNG"},
	{CKFWriteProtected, "CKF_WRITE_PROTECTED"},
	{CKFLoginRequired, "CKF_LOGIN_REQUIRED"},
	{CKFUserPINInitialized, "CKF_USER_PIN_INITIALIZED"},
	{Flags(pkcs11.CKF_RESTORE_KEY_NOT_NEEDED), "CKF_RESTORE_KEY_NOT_NEEDED"},
	{Flags(pkcs11.CKF_CLOCK_ON_TOKEN), "CKF_CLOCK_ON_TOKEN"},
	{CKFProtectedAuthenticationPath, "CKF_PROTECTED_AUTHENTICATION_PATH"},
	{Flags(pkcs11.CKF_DUAL_CRYPTO_OPERATIONS), "CKF_DUAL_CRYPTO_OPERATIONS"},
	{CKFTokenInitialized, "CKF_TOKEN_INITIALIZED"},
	{Flags(pkcs11.CKF_SECONDARY_AUTHENTICATION), "CKF_SECONDARY_AUTHENTICATION"},
	{CKFUserPINCountLow, "CKF_USER_PIN_COUNT_LOW"},
	{CKFUserPINFinalTry, "CKF_USER_PIN_FINAL_TRY"},
	{CKFUserPINLocked, "CKF_USER_PIN_LOCKED"},
	{CKFUserPINToBeChanged, "CKF_USER_PIN_TO_BE_CHANGED"},
	{Flags(pkcs11.CKF_SO_PIN_COUNT_LOW), "CKF_SO_PIN_COUNT_LOW"},
	{Flags(pkcs11.CKF_SO_PIN_FINAL_TRY), "CKF_SO_PIN_FINAL_TRY"},
	{Flags(pkcs11.CKF_SO_PIN_LOCKED), "CKF_SO_PIN_LOCKED"},
	{Flags(pkcs11.CKF_SO_PIN_TO_BE_CHANGED), "CKF_SO_PIN_TO_BE_CHANGED"},
}

// Has reports whether all flags of f are set.
func (flags Flags) Has(f Flags) bool { return flags&f == f }

// Names lists the flags in the specification's order and names; a bit without a name is left out.
func (flags Flags) Names() []string {
	names := []string{}
	for _, row := range flagNames {
		if flags.Has(row.flag) {
			names = append(names, row.name)
		}
	}
	return names
}

// tokenInfoPauses are the waits before C_GetTokenInfo is asked again.
var tokenInfoPauses = []time.Duration{20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond}

// tokenInfo asks again where the token does not say why it failed: SoftHSM answers CKR_GENERAL_ERROR in the moment in which another program's
// login rewrites the token's file. The question changes nothing on the token.
func (m *Module) tokenInfo(slot uint) (*Info, error) {
	var info pkcs11.TokenInfo
	ask := func() error {
		return m.call("C_GetTokenInfo", fmt.Sprintf("slot %d", slot), func() (err error) { info, err = m.functions.GetTokenInfo(slot); return err })
	}
	err := ask()
	for _, pause := range tokenInfoPauses {
		if code, _ := CodeOf(err); code != CKRGeneralError {
			break
		}
		time.Sleep(pause)
		err = ask()
	}
	if err != nil {
		return nil, err
	}
	return &Info{
		Label: foreign.Text(trim(info.Label)), Manufacturer: foreign.Text(trim(info.ManufacturerID)), Model: foreign.Text(trim(info.Model)), Serial: foreign.Text(trim(info.SerialNumber)),
		HardwareVersion: version(info.HardwareVersion), FirmwareVersion: version(info.FirmwareVersion), Flags: Flags(info.Flags),
		MaxSessions: count(info.MaxSessionCount), MaxRWSessions: count(info.MaxRwSessionCount),
		MinPINLen: info.MinPinLen, MaxPINLen: info.MaxPinLen,
	}, nil
}

// Mechanism is one line of a token's mechanism list with its flags (PKCS#11 v3.1 §5.5.8).
type Mechanism struct {
	Type   CKM  `json:"mechanism"`
	Wrap   bool `json:"wrap"`
	Unwrap bool `json:"unwrap"`
	Sign   bool `json:"sign"`
}

// CKM is a mechanism's type (PKCS#11 v3.1, CK_MECHANISM_TYPE).
type CKM uint

// The mechanisms used here.
const (
	CKMAESKeyWrap    = CKM(pkcs11.CKM_AES_KEY_WRAP)
	CKMAESKeyWrapPad = CKM(pkcs11.CKM_AES_KEY_WRAP_PAD)
	CKMAESKeyWrapKWP = CKM(0x210B) // PKCS#11 v3.0; the binding has no name for it
	CKMRSAAESKeyWrap = CKM(pkcs11.CKM_RSA_AES_KEY_WRAP)
	CKMAESCBCPad     = CKM(pkcs11.CKM_AES_CBC_PAD)

	ckmEdDSA = 0x1057 // PKCS#11 v3.0; the binding has no name for it
)

// ckmNames names the mechanisms that take part in carrying a key, and those that sign a challenge.
var ckmNames = map[CKM]string{
	CKMAESKeyWrap: "CKM_AES_KEY_WRAP", CKMAESKeyWrapPad: "CKM_AES_KEY_WRAP_PAD", CKMAESKeyWrapKWP: "CKM_AES_KEY_WRAP_KWP",
	CKMRSAAESKeyWrap: "CKM_RSA_AES_KEY_WRAP", CKMAESCBCPad: "CKM_AES_CBC_PAD",
	CKM(pkcs11.CKM_RSA_PKCS): "CKM_RSA_PKCS", CKM(pkcs11.CKM_RSA_PKCS_OAEP): "CKM_RSA_PKCS_OAEP",
	CKM(pkcs11.CKM_SHA256_RSA_PKCS): "CKM_SHA256_RSA_PKCS", CKM(pkcs11.CKM_SHA256_RSA_PKCS_PSS): "CKM_SHA256_RSA_PKCS_PSS",
	CKM(pkcs11.CKM_RSA_PKCS_PSS): "CKM_RSA_PKCS_PSS", CKM(pkcs11.CKM_RSA_X_509): "CKM_RSA_X_509",
	CKM(pkcs11.CKM_SHA1_RSA_PKCS): "CKM_SHA1_RSA_PKCS", CKM(pkcs11.CKM_SHA384_RSA_PKCS): "CKM_SHA384_RSA_PKCS", CKM(pkcs11.CKM_SHA512_RSA_PKCS): "CKM_SHA512_RSA_PKCS",
	CKM(pkcs11.CKM_SHA1_RSA_PKCS_PSS): "CKM_SHA1_RSA_PKCS_PSS", CKM(pkcs11.CKM_SHA384_RSA_PKCS_PSS): "CKM_SHA384_RSA_PKCS_PSS", CKM(pkcs11.CKM_SHA512_RSA_PKCS_PSS): "CKM_SHA512_RSA_PKCS_PSS",
	CKM(pkcs11.CKM_ECDSA_SHA1): "CKM_ECDSA_SHA1", CKM(pkcs11.CKM_ECDSA_SHA384): "CKM_ECDSA_SHA384", CKM(pkcs11.CKM_ECDSA_SHA512): "CKM_ECDSA_SHA512",
	CKM(pkcs11.CKM_ECDSA): "CKM_ECDSA", CKM(pkcs11.CKM_ECDSA_SHA256): "CKM_ECDSA_SHA256", CKM(pkcs11.CKM_ECDH1_DERIVE): "CKM_ECDH1_DERIVE", ckmEdDSA: "CKM_EDDSA",
	CKM(pkcs11.CKM_AES_CBC): "CKM_AES_CBC", CKM(pkcs11.CKM_AES_ECB): "CKM_AES_ECB", CKM(pkcs11.CKM_DES3_CBC): "CKM_DES3_CBC",
}

// String gives the specification's name where it matters here, else the number.
func (m CKM) String() string {
	if name, ok := ckmNames[m]; ok {
		return name
	}
	return fmt.Sprintf("CKM_0x%08X", uint(m))
}

// UsesEC reports whether the mechanism makes, signs with or derives from CKK_EC keys (PKCS#11 v3.1 §6.3).
func (m CKM) UsesEC() bool { return m >= pkcs11.CKM_EC_KEY_PAIR_GEN && m <= pkcs11.CKM_ECMQV_DERIVE }

// MarshalText writes the name, so that JSON carries names.
func (m CKM) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// mechanisms reads the token's mechanism list, and the flags of those mechanisms that matter here. A mechanism whose
// information cannot be read is listed without uses. That is asked for by so many threads at once.
func (m *Module) mechanisms(slot uint, threads int) ([]Mechanism, error) {
	detail := fmt.Sprintf("slot %d", slot)
	var list []uint
	err := m.call("C_GetMechanismList", detail, func() (err error) { list, err = m.functions.GetMechanismList(slot); return err })
	if err != nil {
		return nil, err
	}
	mechanisms := make([]Mechanism, len(list))
	var matter []*Mechanism
	for i, entry := range list {
		mechanisms[i].Type = CKM(entry)
		if _, named := ckmNames[CKM(entry)]; named {
			matter = append(matter, &mechanisms[i])
		}
	}
	if err := spread(threads, matter, func(mechanism *Mechanism) error { return m.readUses(slot, mechanism) }); err != nil {
		return nil, err
	}
	m.setListed(slot, mechanisms)
	return mechanisms, nil
}

// readUses reads what a mechanism is good for. Only a lost connection is an error.
func (m *Module) readUses(slot uint, mechanism *Mechanism) error {
	var info pkcs11.MechanismInfo
	err := m.call("C_GetMechanismInfo", mechanism.Type.String(), func() (err error) {
		info, err = m.functions.GetMechanismInfo(slot, uint(mechanism.Type))
		return err
	})
	if code, ok := CodeOf(err); ok && connectionLost(code) {
		return err
	}
	if err == nil {
		mechanism.Wrap = info.Flags&pkcs11.CKF_WRAP != 0
		mechanism.Unwrap = info.Flags&pkcs11.CKF_UNWRAP != 0
		mechanism.Sign = info.Flags&pkcs11.CKF_SIGN != 0
	}
	return nil
}

func (m *Module) setListed(slot uint, mechanisms []Mechanism) {
	m.listing.Lock()
	defer m.listing.Unlock()
	if m.listed == nil {
		m.listed = map[uint][]Mechanism{}
	}
	m.listed[slot] = mechanisms
}

// listedFor is the mechanism list of a token as it was read last, empty where it was not.
func (m *Module) listedFor(slot uint) []Mechanism {
	m.listing.Lock()
	defer m.listing.Unlock()
	return m.listed[slot]
}

// Mechanisms lists what the slot's token can do. The errors are those of C_GetMechanismList and C_GetMechanismInfo.
func (slot Slot) Mechanisms() ([]Mechanism, error) { return slot.module.mechanisms(slot.ID, 1) }

// nssCryptoToken is the label of the token that softokn computes on; certificates and keys are on another one.
const nssCryptoToken = "NSS Generic Crypto Services"

// Internal reports whether the slot's token is one that computes for its module and can hold nothing of the user's.
func (slot Slot) Internal() bool {
	return slot.Token != nil && slot.Token.Label == nssCryptoToken
}
