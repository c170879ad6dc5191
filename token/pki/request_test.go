package pki_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"p11bridge/token/pki"
)

// requestKey is a signer with our form of its public key and the scheme that it signs by.
type requestKey struct {
	crypto.Signer
	public pki.PublicKey
	scheme pki.Scheme
	hash   crypto.Hash
}

func requestKeys(t *testing.T) map[string]requestKey {
	t.Helper()
	keys := map[string]requestKey{}
	add := func(name string, key crypto.Signer, err error, scheme pki.Scheme, hash crypto.Hash) {
		if err != nil {
			t.Fatal(err)
		}
		spki, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		public, err := pki.ParsePublicKey(spki)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = requestKey{key, public, scheme, hash}
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	add("RSA", rsaKey, err, pki.RSAPKCS1SHA256, crypto.SHA256)
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		ecKey, err := ecdsa.GenerateKey(curve, rand.Reader)
		add(curve.Params().Name, ecKey, err, pki.ECDSASHA256, crypto.SHA256)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	add("Ed25519", edKey, err, pki.Ed25519, 0)
	return keys
}

func TestRequestToCryptoX509(t *testing.T) {
	subject, err := pki.ParseNameText("CN=Alice,O=Example,C=ES")
	if err != nil {
		t.Fatal(err)
	}
	names, err := pki.GeneralNames([]string{"dns:host.example", "ip:192.0.2.1", "email:a@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	san, err := pki.SubjectAltNameExtension(names, false)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range requestKeys(t) {
		t.Run(name, func(t *testing.T) {
			info, err := pki.RequestInfo(subject, key.public, [][]byte{san})
			if err != nil {
				t.Fatal(err)
			}
			signature, err := crypto.SignMessage(key, rand.Reader, info, key.hash)
			if err != nil {
				t.Fatal(err)
			}
			der, err := pki.AssembleRequest(info, key.scheme, signature)
			if err != nil {
				t.Fatal(err)
			}
			standard, err := x509.ParseCertificateRequest(der)
			if err != nil {
				t.Fatal(err)
			}
			if err := standard.CheckSignature(); err != nil {
				t.Error(err)
			}
			if got := standard.Subject.String(); got != "CN=Alice,O=Example,C=ES" {
				t.Errorf("subject %s", got)
			}
			if len(standard.DNSNames) != 1 || len(standard.IPAddresses) != 1 || !standard.IPAddresses[0].Equal(net.IPv4(192, 0, 2, 1)) || len(standard.EmailAddresses) != 1 {
				t.Errorf("names %v %v %v", standard.DNSNames, standard.IPAddresses, standard.EmailAddresses)
			}
			request, err := pki.ParseRequest(der)
			if err != nil {
				t.Fatal(err)
			}
			if !request.PublicKey.Equal(key.public) || !bytes.Equal(request.RawSubject, subject) || len(request.Extensions) != 1 || !bytes.Equal(request.Extensions[0], san) {
				t.Error("what was read is not what was written")
			}
			if err := request.SignedBy(key.public); err != nil {
				t.Error(err)
			}
			checkAlteredRequests(t, der, info, key.public)
		})
	}
}

// checkAlteredRequests turns one bit of each byte of what is signed, and of the signature: nothing that still reads is signed
// by the key. The algorithm between the two is not signed.
func checkAlteredRequests(t *testing.T, der, info []byte, public pki.PublicKey) {
	t.Helper()
	passed := 0
	from := bytes.Index(der, info)
	for i := range der {
		if i >= from+len(info) && i < from+len(info)+17 {
			continue
		}
		altered := bytes.Clone(der)
		altered[i] ^= 1
		request, err := pki.ParseRequest(altered)
		if err != nil || !request.PublicKey.Equal(public) {
			continue
		}
		if err := request.SignedBy(public); err == nil {
			t.Errorf("byte %d altered, and the signature holds", i)
		}
		passed++
	}
	if passed < 32 {
		t.Errorf("only %d altered requests could be read", passed)
	}
}

func TestRequestOfAnotherKey(t *testing.T) {
	keys := requestKeys(t)
	other := requestKeys(t)
	subject, err := pki.ParseNameText("CN=x")
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range keys {
		info, err := pki.RequestInfo(subject, key.public, nil)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := crypto.SignMessage(other[name], rand.Reader, info, key.hash)
		if err != nil {
			t.Fatal(err)
		}
		der, err := pki.AssembleRequest(info, key.scheme, signature)
		if err != nil {
			t.Fatal(err)
		}
		request, err := pki.ParseRequest(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := request.SignedBy(key.public); !errors.Is(err, pki.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := pki.ParseRequest(append(der, 0)); err == nil {
			t.Errorf("%s: a byte behind the request is taken", name)
		}
	}
}

func TestECDSASignature(t *testing.T) {
	for _, row := range []struct {
		raw  []byte
		r, s int64
	}{
		{[]byte{0, 1, 0, 0x80}, 1, 0x80}, {[]byte{0xFF, 0xFF, 0, 0}, 0xFFFF, 0}, {[]byte{5, 6}, 5, 6},
	} {
		der, err := pki.ECDSASignature(row.raw)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ R, S *big.Int }
		if rest, err := asn1.Unmarshal(der, &got); err != nil || len(rest) > 0 || got.R.Int64() != row.r || got.S.Int64() != row.s {
			t.Errorf("%x: %x: %v", row.raw, der, err)
		}
	}
	for _, raw := range [][]byte{nil, {1}, {1, 2, 3}} {
		if _, err := pki.ECDSASignature(raw); !errors.Is(err, pki.ErrSignature) {
			t.Errorf("%x: %v", raw, err)
		}
	}
}

func TestRequestExtensions(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, DNSNames: []string{"host.example"},
		BasicConstraintsValid: true, SubjectKeyId: []byte{1, 2, 3}, CRLDistributionPoints: []string{"http://example.org/crl"},
	}
	for _, row := range []struct {
		ca   bool
		want []string
	}{
		{false, []string{"2.5.29.17", "2.5.29.15", "2.5.29.37"}},
		{true, []string{"2.5.29.17", "2.5.29.15", "2.5.29.37", "2.5.29.19"}},
	} {
		template.IsCA = row.ca
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := pki.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		extensions := certificate.RequestExtensions()
		if len(extensions) != len(row.want) {
			t.Fatalf("%d extensions", len(extensions))
		}
		for i, extension := range extensions {
			var got pkix.Extension
			if _, err := asn1.Unmarshal(extension, &got); err != nil || got.Id.String() != row.want[i] || !bytes.Contains(der, extension) {
				t.Errorf("%x: %v", extension, err)
			}
			if pki.IsSubjectAltName(extension) != (i == 0) {
				t.Errorf("%x is, or is not, a subjectAltName", extension)
			}
		}
		if digest := sha256.Sum256(certificate.Raw); len(certificate.PublicKey.KeyID()) != 20 || digest == [32]byte{} {
			t.Error("no key id")
		}
	}
}

func TestParseNameText(t *testing.T) {
	for text, want := range map[string]string{
		"CN=Alice": "CN=Alice", "cn=Alice , o = Example": "CN=Alice,O=Example", `CN=a\,b\+c\\d\"e`: `CN=a\,b\+c\\d\"e`,
		`CN=\C3\89tat`: "CN=État", "CN=a+UID=7,C=ES": "UID=7+CN=a,C=ES", "1.2.3.4=x,CN=y": "1.2.3.4=x,CN=y", `CN=a\ `: `CN=a\ `,
		`CN="a, b+c \" d" , C=ES`: `CN=a\, b\+c \" d,C=ES`, `CN=" a "`: `CN=\ a\ `, `CN=a "b`: `CN=a \"b`,
	} {
		der, err := pki.ParseNameText(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := pki.NameText(der)
		if got != want && text != "CN=a+UID=7,C=ES" {
			t.Errorf("%s: %s", text, got)
		}
		again, err := pki.ParseNameText(got)
		if err != nil || !bytes.Equal(again, der) {
			t.Errorf("%s: %s reads back as something else: %v", text, got, err)
		}
	}
	for _, text := range []string{"", " ", "Alice", "CN", "CN=", "CN=a,", "CN=a,,C=ES", "XX=a", `CN=\zz`, `CN=a\`, "CN=\xff", "=a", `CN="a`, `CN="a"b`, `CN=""`, "1.2.x=a", "99=a", "9.9.9=a"} {
		if der, err := pki.ParseNameText(text); err == nil {
			t.Errorf("%q is taken: %x", text, der)
		}
	}
}

func TestParseNameTextChecksStringTypes(t *testing.T) {
	for text, want := range map[string]pki.NameFault{
		"CN=x,C=Spain": pki.NameNotACountry, "CN=x,C=E": pki.NameNotACountry, "CN=x,C=ñ": pki.NameNotACountry, "CN=x,C=E@": pki.NameNotACountry,
		"CN=x,serialNumber=Nº5": pki.NameNotPrintable, "CN=x,serialNumber=a*b": pki.NameNotPrintable, "CN=x,dnQualifier=a_b": pki.NameNotPrintable,
		"CN=x,emailAddress=ñ@example.org": pki.NameNotASCII, "CN=x,DC=é": pki.NameNotASCII,
		"CN=ñ_*,O=É@,C=ES,serialNumber=IDCES-00000000T,emailAddress=a_b*c@example.org,DC=example_1": "",
	} {
		der, err := pki.ParseNameText(text)
		var fault *pki.NameError
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (!errors.As(err, &fault) || fault.Fault != want):
			t.Errorf("%s: %v, want %s; got %x", text, err, want, der)
		}
	}
}

func TestGeneralNames(t *testing.T) {
	for _, text := range []string{"dns:", "host", "ip:x", "email:x", "uri:/a", "dns:a b", "dns:é", "x:y", ""} {
		if der, err := pki.GeneralNames([]string{"dns:a", text}); err == nil {
			t.Errorf("%q is taken: %x", text, der)
		}
	}
}
