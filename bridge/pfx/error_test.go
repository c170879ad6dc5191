package pfx

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

func TestErrorTexts(t *testing.T) {
	cause := errors.New("cause")
	for want, err := range map[string]error{
		"pfx: damaged PFX: cause":                      &DamagedError{"PFX", cause},
		"pfx: damaged PFX":                             damaged("PFX"),
		"pfx: iterations 11 is above the limit 10":     &LimitError{LimitIterations, 11, 10},
		"pfx: mac key length 19 is below the limit 20": &LimitError{LimitMACKey, 19, 20},
		"pfx: unsupported pbeWithMD2AndDES-CBC":        &UnsupportedError{algorithmName("1.2.840.113549.1.5.1")},
		"pfx: unsupported 1.2.3":                       &UnsupportedError{algorithmName("1.2.3")},
		"pfx: password is not valid utf-8":             ErrPasswordNotUTF8,
		"pfx: password wrong or content altered":       ErrPassword,
	} {
		if err.Error() != want {
			t.Errorf("%q, not %q", err, want)
		}
	}
	if !errors.Is(&DamagedError{"PFX", cause}, cause) {
		t.Error("the cause is lost")
	}
}

// The arcs of an object identifier are turned into decimal, which takes more than linear time.
func TestObjectIdentifiersAreBounded(t *testing.T) {
	for length, allowed := range map[int]bool{maxOID: true, maxOID + 1: false} {
		var b cryptobyte.Builder
		b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) {
			b.AddBytes([]byte(strings.Repeat("\x81", length-1) + "\x01"))
		})
		der := cryptobyte.String(b.BytesOrPanic())
		if _, ok := readOID(&der); ok != allowed {
			t.Errorf("%d bytes: %v", length, ok)
		}
	}
}
