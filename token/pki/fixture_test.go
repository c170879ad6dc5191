package pki

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// file reads one file of testdata; testdata/make.sh makes them.
func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func certificate(t testing.TB, name string) *Certificate {
	t.Helper()
	c, err := ParseCertificate(file(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

// fixtures lists testdata/*.ext, and fails if there are suspiciously few.
func fixtures(t testing.TB, ext string, atLeast int) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("testdata", "*."+ext))
	if err != nil || len(found) < atLeast {
		t.Fatalf("only %d files of testdata/*.%s: %v", len(found), ext, err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

// openssl runs OpenSSL. Without it a test is skipped, but not in CI, where a skip would hide that nothing was tested.
func openssl(t testing.TB, input []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	command := exec.CommandContext(t.Context(), path, args...)
	command.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("openssl %q: %v\n%s", args, err, stderr.Bytes())
	}
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// build runs a builder that cannot fail.
func build(t testing.TB, f func(*cryptobyte.Builder)) []byte {
	t.Helper()
	var b cryptobyte.Builder
	f(&b)
	der, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func octetString(t testing.TB, content []byte) []byte {
	return build(t, func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
}

func oidDER(t testing.TB, dotted string) []byte {
	return build(t, func(b *cryptobyte.Builder) { addOID(b, dotted) })
}

func tagged(t testing.TB, tag cbasn1.Tag, content []byte) []byte {
	return build(t, func(b *cryptobyte.Builder) {
		b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(content) })
	})
}

// odd describes a certificate that no tool would make. It bears no valid signature.
type odd struct {
	serial            []byte // content octets
	notBefore         []byte // whole elements
	notAfter          []byte
	subject           []byte
	spki              []byte
	extensions        []byte // the content of the SEQUENCE OF Extension
	hasExtensionsList bool
}

func (o odd) der(t testing.TB) []byte {
	t.Helper()
	utc := func(s string) []byte { return tagged(t, cbasn1.UTCTime, []byte(s)) }
	or := func(given, otherwise []byte) []byte {
		if given == nil {
			return otherwise
		}
		return given
	}
	algorithm := func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addOID(b, "1.2.840.10045.4.3.2") })
	}
	return build(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(tagged(t, cbasn1.INTEGER, or(o.serial, []byte{1})))
				algorithm(b)
				b.AddBytes([]byte{0x30, 0})
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddBytes(or(o.notBefore, utc("240101000000Z")))
					b.AddBytes(or(o.notAfter, utc("340101000000Z")))
				})
				b.AddBytes(or(o.subject, []byte{0x30, 0}))
				b.AddBytes(or(o.spki, certificate(t, "p256.crt").PublicKey.SPKI))
				if o.extensions != nil || o.hasExtensionsList {
					b.AddASN1(cbasn1.Tag(3).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
						b.AddBytes(tagged(t, cbasn1.SEQUENCE, o.extensions))
					})
				}
			})
			algorithm(b)
			b.AddASN1BitString([]byte{0})
		})
	})
}

func (o odd) parse(t testing.TB) *Certificate {
	t.Helper()
	c, err := ParseCertificate(o.der(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// oneAttribute is a Name of one attribute.
func oneAttribute(t testing.TB, oid string, value []byte) []byte {
	return tagged(t, cbasn1.SEQUENCE, tagged(t, cbasn1.SET, tagged(t, cbasn1.SEQUENCE, append(oidDER(t, oid), value...))))
}

func date(year, month, day, hour, minute, second int) time.Time {
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
