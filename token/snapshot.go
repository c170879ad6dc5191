package token

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/miekg/pkcs11"
)

// WithoutObjects gives a copy of the inventory that has no objects: the head of a snapshot, whose objects come one by one.
func (inventory *Inventory) WithoutObjects() *Inventory {
	opened := *inventory
	opened.linker, opened.Objects = nil, nil
	return &opened
}

// Snapshot gives a copy of the object that may leave the machine. The value of a certificate is left out, since what was read in it
// is there; of a certificate with CKA_PRIVATE only its name and flags stay.
func (o *Object) Snapshot() *Object {
	kept := *o
	kept.ownKey = nil // what is left out must not stay in it
	kept.Attributes.Delete(CKAValue)
	if o.Class == CKOCertificate && o.Attributes.Bool(CKAPrivate) == True {
		kept.Certificate, kept.CertificateProblem = nil, withheld
	}
	return &kept
}

// withheld is the problem of a certificate of which a snapshot has only the name and the flags.
const withheld = "withheld: CKA_PRIVATE"

// Withheld reports whether the object is a certificate that a snapshot left out: nothing is wrong with it, and nobody who has the snapshot
// knows whose it is.
func (o *Object) Withheld() bool {
	return o.Class == CKOCertificate && o.Certificate == nil && o.CertificateProblem == withheld
}

// Withholds reports whether a snapshot left out a certificate, which may be that of any key without one.
func (inventory *Inventory) Withholds() bool {
	if inventory.linker != nil {
		return inventory.linker.withheld
	}
	return slices.ContainsFunc(inventory.Objects, (*Object).Withheld)
}

// ErrSnapshot means that a text is not a snapshot, or not a sound one.
var ErrSnapshot = errors.New("not a sound snapshot")

// maxSnapshotObjects bounds what one snapshot may hold.
const maxSnapshotObjects = 1 << 20

// UnmarshalJSON reads attributes as MarshalJSON writes them. What it does not know is refused, because a verdict would
// rest on it.
func (as *Attributes) UnmarshalJSON(text []byte) error {
	var plain map[string]json.RawMessage
	if err := json.Unmarshal(text, &plain); err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if plain == nil {
		return fmt.Errorf("%w: an object without attributes", ErrSnapshot)
	}
	var answers gathered
	for name, raw := range plain {
		a, known := attributeByName(name)
		if !known {
			return fmt.Errorf("%w: unknown attribute", ErrSnapshot)
		}
		answer, err := parseAnswer(attributeTable[a].kind, raw)
		if err != nil {
			return err
		}
		answers = append(answers, namedAnswer{a, answer})
	}
	*as = answers.attributes()
	return nil
}

func attributeByName(name string) (Attribute, bool) {
	for a, row := range attributeTable {
		if row.name == name {
			return a, true
		}
	}
	return 0, false
}

// parseAnswer reads one attribute: {"ckr": "CKR_…"}, {"hex": "…"}, or the value in the form of its kind.
func parseAnswer(kind attributeKind, raw json.RawMessage) (Answer, error) {
	bad := fmt.Errorf("%w: an attribute's value has another form", ErrSnapshot)
	if string(bytes.TrimSpace(raw)) == "null" {
		return Answer{}, bad
	}
	var special struct{ CKR, Hex *string }
	if json.Unmarshal(raw, &special) == nil {
		switch {
		case special.CKR != nil:
			code, known := codeByName(*special.CKR)
			if !known {
				return Answer{}, bad
			}
			return Answer{Code: code}, nil
		case special.Hex != nil:
			value, err := hex.DecodeString(*special.Hex)
			if err != nil {
				return Answer{}, bad
			}
			return Answer{Value: value}, nil
		}
	}
	var flag bool
	var number uint64
	var value string
	switch {
	case kind == kindBool && json.Unmarshal(raw, &flag) == nil:
		return Answer{Value: pkcs11.NewAttribute(0, flag).Value}, nil
	case kind == kindUlong && json.Unmarshal(raw, &number) == nil:
		return Answer{Value: pkcs11.NewAttribute(0, number).Value}, nil
	case kind == kindText && json.Unmarshal(raw, &value) == nil:
		return Answer{Value: []byte(value)}, nil
	case kind == kindBytes && json.Unmarshal(raw, &value) == nil:
		decoded, err := hex.DecodeString(value)
		if err == nil {
			return Answer{Value: decoded}, nil
		}
	}
	return Answer{}, bad
}

// codeNames are the return values by name, made once: the binding keeps its table to itself.
var codeNames = sync.OnceValue(func() map[string]CKR {
	names := map[string]CKR{}
	for code := range CKR(0x300) {
		names[code.String()] = code
	}
	return names
})

func codeByName(name string) (CKR, bool) {
	if code, known := codeNames()[name]; known {
		return code, true
	}
	digits, ok := strings.CutPrefix(name, "CKR_0x")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	return CKR(n), err == nil
}

// UnmarshalText reads a class as MarshalText writes it.
func (c *Class) UnmarshalText(text []byte) error {
	n, err := parseName(string(text), "CKO_0x", classNames)
	*c = n
	return err
}

// UnmarshalText reads a mechanism as MarshalText writes it.
func (m *CKM) UnmarshalText(text []byte) error {
	n, err := parseName(string(text), "CKM_0x", ckmNames)
	*m = n
	return err
}

func parseName[T ~uint](name, prefix string, names map[T]string) (T, error) {
	for value, known := range names {
		if known == name {
			return value, nil
		}
	}
	if digits, ok := strings.CutPrefix(name, prefix); ok {
		if n, err := strconv.ParseUint(digits, 16, 64); err == nil {
			return T(n), nil
		}
	}
	return 0, fmt.Errorf("%w: unknown name", ErrSnapshot)
}

// exactText reports whether a string attribute is the same after it was written as text.
func exactText(value []byte) bool {
	return utf8.Valid(value) && (len(value) == 0 || value[len(value)-1] != 0)
}

// Sound reports whether an inventory that was read from a file has all its parts.
func (inventory *Inventory) Sound() bool {
	for _, o := range inventory.Objects {
		if o == nil {
			return false
		}
		class, known := o.Attributes.Ulong(CKAClass)
		if !known || Class(class) != o.Class || o.Class == CKOCertificate && o.Certificate == nil && o.CertificateProblem == "" {
			return false
		}
		if c := o.Certificate; c != nil && (len(c.PublicKey.SPKI) == 0 || c.NotAfter.IsZero()) {
			return false
		}
	}
	return len(inventory.Objects) <= maxSnapshotObjects
}
