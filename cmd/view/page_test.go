package view

import (
	"slices"
	"strings"
	"testing"
)

// TestBreakable cuts where a person would, and loses nothing.
func TestBreakable(t *testing.T) {
	for _, row := range []struct {
		text  string
		parts []string
	}{
		{"pkcs11:token=a;id=%01;type=private", []string{"pkcs11:token=a;", "id=%01;", "type=private"}},
		{"CN=alice,O=A\\, B and C,C=ES", []string{"CN=alice,", "O=A\\, B and C,", "C=ES"}},
		{"2.5.4.97=VATES-1,C=ES", []string{"2.5.4.97=VATES-1,", "C=ES"}},
		{"CN=alice, serial number 1, valid", []string{"CN=alice, ", "serial number 1, ", "valid"}},
		{"until 1 May, 2030", []string{"until 1 May, 2030"}},
		{"CN=ends\\", []string{"CN=ends\\"}},
		{"=a,b", []string{"=a,b"}},
		{"", []string{""}},
	} {
		got := breakable(row.text)
		if !slices.Equal(got, row.parts) || strings.Join(got, "") != row.text {
			t.Errorf("%q: %q", row.text, got)
		}
	}
}
