package pfx

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"unicode/utf16"
)

// windowsText is what PowerShell makes of a text: UTF-16 with a byte order mark.
func windowsText(text []byte, little bool) []byte {
	out := []byte{0xfe, 0xff}
	if little {
		out = []byte{0xff, 0xfe}
	}
	for _, unit := range utf16.Encode([]rune(string(text))) {
		if little {
			out = append(out, byte(unit), byte(unit>>8))
		} else {
			out = append(out, byte(unit>>8), byte(unit))
		}
	}
	return out
}

func TestRemoveArmour(t *testing.T) {
	file := encode(t, newIdentity(t, "P-256").contents("name"), "test", Modern)
	block := func(label string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}) }
	plain := []byte(base64.StdEncoding.EncodeToString(file))
	lines := bytes.TrimPrefix(block("X", file), []byte("-----BEGIN X-----\n"))
	lines = bytes.TrimSuffix(lines, []byte("-----END X-----\n"))
	certificate := block("CERTIFICATE", newIdentity(t, "P-256").leaf)
	cut := block("PKCS12", file)
	cut = cut[:len(cut)/2]
	for _, test := range []struct {
		name string
		text []byte
		want []byte
		as   Armour
	}{
		{"binary", file, file, NoArmour},
		{"binary, with an end of line", append(bytes.Clone(file), '\n'), append(bytes.Clone(file), '\n'), NoArmour},
		{"PEM of certtool", block("PKCS12", file), file, ArmourPEM},
		{"PEM of Windows' certutil", bytes.ReplaceAll(block("CERTIFICATE", file), []byte("\n"), []byte("\r\n")), file, ArmourPEM},
		{"PEM behind a text", append([]byte("Here it is:\n\n"), block("PFX", file)...), file, ArmourPEM},
		{"PEM behind a certificate", append(bytes.Clone(certificate), block("PKCS12", file)...), file, ArmourPEM},
		{"PEM in UTF-16", windowsText(block("PKCS12", file), true), file, ArmourPEM},
		{"PEM behind a byte order mark", append([]byte("\xef\xbb\xbf"), block("PKCS12", file)...), file, ArmourPEM},
		{"Base64 in one line", plain, file, ArmourBase64},
		{"Base64 in lines", lines, file, ArmourBase64},
		{"Base64 without padding", []byte(strings.TrimRight(string(plain), "=")), file, ArmourBase64},
		{"Base64 for URLs", []byte(base64.RawURLEncoding.EncodeToString(file)), file, ArmourBase64},
		{"Base64 of PowerShell", windowsText(plain, true), file, ArmourBase64},
		{"Base64 in UTF-16, big-endian", windowsText(plain, false), file, ArmourBase64},
		{"Base64 twice", []byte(base64.StdEncoding.EncodeToString(plain)), file, ArmourBase64},
		{"Base64 of PEM", []byte(base64.StdEncoding.EncodeToString(block("PKCS12", file))), file, ArmourBase64},
		{"PEM that is indented", bytes.ReplaceAll(block("PKCS12", file), []byte("\n"), []byte("\n    ")), file, ArmourText},
		{"PEM in YAML", append([]byte("store: |\n  "), append(bytes.ReplaceAll(block("PKCS12", file), []byte("\n"), []byte("\n  ")), "\nother: 1\n"...)...), file, ArmourText},
		{"PEM that is cited", bytes.ReplaceAll(block("PKCS12", file), []byte("\n"), []byte("\n> ")), file, ArmourText},
		{"PEM in JSON", append([]byte(`{"p12":"`), append(bytes.ReplaceAll(block("PKCS12", file), []byte("\n"), []byte(`\n`)), `"}`...)...), file, ArmourText},
		{"PEM in one line", bytes.ReplaceAll(block("PKCS12", file), []byte("\n"), nil), file, ArmourText},
		{"PEM of old Macs", bytes.ReplaceAll(block("PKCS12", file), []byte("\n"), []byte("\r")), file, ArmourText},
		{"PEM with another end", bytes.Replace(block("PKCS12", file), []byte("END PKCS12"), []byte("END PFX"), 1), file, ArmourText},
		{"PEM in UTF-16 without a mark", windowsText(block("PKCS12", file), true)[2:], file, ArmourText},
		{"Base64 in quotes", []byte(`"` + string(plain) + `"`), file, ArmourText},
		{"Base64 behind a name", []byte("PFX=" + string(plain) + "\nOTHER=1\n"), file, ArmourText},
		{"Base64 in a URL", []byte("data:application/x-pkcs12;base64," + string(plain)), file, ArmourText},
		{"Base64 in a letter", append([]byte("Content-Transfer-Encoding: base64\r\n\r\n"), lines...), file, ArmourText},
		{"Base64 with blanks of another kind", bytes.ReplaceAll(lines, []byte("\n"), []byte("\u00a0\n")), file, ArmourText},
		{"Base64 behind a certificate", []byte(base64.StdEncoding.EncodeToString(newIdentity(t, "P-256").leaf) + " " + string(plain)), file, ArmourText},
		{"half of it in quotes", []byte(`"` + string(plain[:len(plain)/2]) + `"`), []byte(`"` + string(plain[:len(plain)/2]) + `"`), NoArmour},
		{"a certificate", certificate, certificate, NoArmour},
		{"text", []byte("Lorem ipsum dolor sit amet"), []byte("Lorem ipsum dolor sit amet"), NoArmour},
		{"nothing", nil, nil, NoArmour},
	} {
		if got, as := RemoveArmour(test.text); !bytes.Equal(got, test.want) || as != test.as {
			t.Errorf("%s: %d bytes as %q, not %d as %q", test.name, len(got), as, len(test.want), test.as)
		}
	}
	got, as := RemoveArmour(cut)
	if as != ArmourPEM || len(got) < 100 || !bytes.HasPrefix(file, got) {
		t.Errorf("cut off: %d bytes as %q", len(got), as)
	}
}

func FuzzRemoveArmour(f *testing.F) {
	addSeeds(f, func(file []byte, _ string) {
		f.Add(file)
		f.Add(pem.EncodeToMemory(&pem.Block{Type: "PKCS12", Bytes: file}))
		f.Add(windowsText([]byte(base64.StdEncoding.EncodeToString(file)), true))
	})
	f.Fuzz(func(t *testing.T, file []byte) {
		inner, armour := RemoveArmour(file)
		switch {
		case armour == NoArmour && !bytes.Equal(inner, file):
			t.Errorf("%x became %x", file, inner)
		case armour != NoArmour && (!LooksLikePFX(inner) || len(inner) > len(file)):
			t.Errorf("%x is no PFX: %x", file, inner)
		}
		// What was found is found again in any armour.
		if LooksLikePFX(inner) {
			again, _ := RemoveArmour([]byte(base64.StdEncoding.EncodeToString(inner)))
			if !bytes.Equal(again, inner) && len(inner) > 12 {
				t.Errorf("%x became %x", inner, again)
			}
		}
	})
}
