package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// authority is a certificate with its key, for tests to issue more with.
type authority struct {
	*Certificate
	std *x509.Certificate
	key *ecdsa.PrivateKey
}

// issue makes a CA certificate for name, signed by issuer or by itself. With keyOf it is for that authority's key.
func issue(t testing.TB, name string, issuer, keyOf *authority, notAfter time.Time) *authority {
	t.Helper()
	a := &authority{}
	if keyOf != nil {
		a.key = keyOf.key
	} else {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		a.key = key
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: date(2020, 1, 1, 0, 0, 0), NotAfter: notAfter,
		SubjectKeyId: []byte{1}, // all alike, so that nothing but the signature tells them apart
	}
	parent, signer := template, a.key
	if issuer != nil {
		parent, signer = issuer.std, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &a.key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	if a.std, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if a.Certificate, err = ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

var (
	soon  = date(2030, 1, 1, 0, 0, 0)
	later = date(2040, 1, 1, 0, 0, 0)
)

func wantChain(t *testing.T, leaf *Certificate, pool []*Certificate, complete bool, want ...*Certificate) {
	t.Helper()
	chain, gotComplete := Chain(leaf, pool)
	same := slices.EqualFunc(chain, want, func(a, b *Certificate) bool { return a.SHA256() == b.SHA256() })
	if !same || gotComplete != complete {
		t.Errorf("chain of %d, complete %t; want %d, %t", len(chain), gotComplete, len(want), complete)
		for _, c := range chain {
			t.Logf("%s, issued by %s, until %v", c.Subject, c.Issuer, c.NotAfter)
		}
	}
}

func TestChain(t *testing.T) {
	root := issue(t, "root", nil, nil, soon)
	middle := issue(t, "middle", root, nil, soon)
	leaf := issue(t, "leaf", middle, nil, soon)
	pool := []*Certificate{nil, leaf.Certificate, root.Certificate, middle.Certificate, root.Certificate, certificate(t, "rsa.crt"), nil}
	wantChain(t, leaf.Certificate, pool, true, middle.Certificate, root.Certificate)
	wantChain(t, middle.Certificate, pool, true, root.Certificate)
	wantChain(t, root.Certificate, pool, true)
	wantChain(t, leaf.Certificate, []*Certificate{middle.Certificate}, false, middle.Certificate)
	wantChain(t, leaf.Certificate, []*Certificate{root.Certificate}, false)
	wantChain(t, leaf.Certificate, nil, false)
}

// TestChainTwins: several CAs of one name and one key identifier; only the signature tells which of them issued the leaf.
func TestChainTwins(t *testing.T) {
	twins := []*authority{issue(t, "CA", nil, nil, later), issue(t, "CA", nil, nil, soon), issue(t, "CA", nil, nil, later)}
	for _, twin := range twins {
		leaf := issue(t, "leaf", twin, nil, soon)
		wantChain(t, leaf.Certificate, []*Certificate{twins[0].Certificate, twins[1].Certificate, twins[2].Certificate}, true, twin.Certificate)
	}
	// The same where crypto/x509 cannot read either CA: on a brainpool curve, made by OpenSSL.
	one, two, leaf := certificate(t, "twin-one.crt"), certificate(t, "twin-two.crt"), certificate(t, "leaf.crt")
	if !one.MayHaveIssued(leaf) || !two.MayHaveIssued(leaf) {
		t.Fatal("the names do not match")
	}
	wantChain(t, leaf, []*Certificate{two, one}, true, one)
	wantChain(t, leaf, []*Certificate{two}, false)
}

// TestChainRenewal: a CA renewed with the same key has two certificates that both fit; the one that is valid longer is taken.
func TestChainRenewal(t *testing.T) {
	old := issue(t, "CA", nil, nil, soon)
	renewed := issue(t, "CA", nil, old, later)
	leaf := issue(t, "leaf", old, nil, soon)
	wantChain(t, leaf.Certificate, []*Certificate{old.Certificate, renewed.Certificate}, true, renewed.Certificate)
	wantChain(t, leaf.Certificate, []*Certificate{renewed.Certificate, old.Certificate}, true, renewed.Certificate)
}

// TestChainRollover: a CA's new key certified by its old one is self-issued and does not end the chain.
func TestChainRollover(t *testing.T) {
	old := issue(t, "CA", nil, nil, soon)
	rollover := issue(t, "CA", old, nil, later)
	leaf := issue(t, "leaf", rollover, nil, soon)
	if !rollover.SelfIssued() {
		t.Fatal("not self-issued")
	}
	wantChain(t, leaf.Certificate, []*Certificate{rollover.Certificate, old.Certificate}, true, rollover.Certificate, old.Certificate)
	wantChain(t, leaf.Certificate, []*Certificate{rollover.Certificate}, false, rollover.Certificate)
}

// TestChainOtherName: a certificate of the right key under another name is not the issuer.
func TestChainOtherName(t *testing.T) {
	root := issue(t, "A", nil, nil, soon)
	other := issue(t, "Z", nil, root, later)
	leaf := issue(t, "leaf", root, nil, soon)
	wantChain(t, leaf.Certificate, []*Certificate{other.Certificate}, false)
	wantChain(t, leaf.Certificate, []*Certificate{other.Certificate, root.Certificate}, true, root.Certificate)
}

// TestChainCross: of a way to a root over a cross certificate and a shorter one the shorter is taken; without a root, the longest way.
func TestChainCross(t *testing.T) {
	rootA, rootB := issue(t, "A", nil, nil, soon), issue(t, "B", nil, nil, later)
	crossB := issue(t, "A", rootB, rootA, later)
	leaf := issue(t, "leaf", rootA, nil, soon)
	all := []*Certificate{rootB.Certificate, crossB.Certificate, rootA.Certificate}
	wantChain(t, leaf.Certificate, all, true, rootA.Certificate)
	wantChain(t, leaf.Certificate, all[:2], true, crossB.Certificate, rootB.Certificate)
	wantChain(t, leaf.Certificate, all[1:2], false, crossB.Certificate)
}

// TestChainLoop: two CAs that certified each other, and no root.
func TestChainLoop(t *testing.T) {
	rootA, rootB := issue(t, "A", nil, nil, soon), issue(t, "B", nil, nil, soon)
	aByB, bByA := issue(t, "A", rootB, rootA, soon), issue(t, "B", rootA, rootB, soon)
	leaf := issue(t, "leaf", rootA, nil, soon)
	wantChain(t, leaf.Certificate, []*Certificate{bByA.Certificate, aByB.Certificate}, false, aByB.Certificate, bByA.Certificate)
	wantChain(t, aByB.Certificate, []*Certificate{bByA.Certificate, aByB.Certificate}, false, bByA.Certificate)
}

// TestSelfSignatures checks every fixture's own signature, whatever its algorithm, and that a changed one is refuted.
func TestSelfSignatures(t *testing.T) {
	checked := map[string]bool{}
	for _, name := range fixtures(t, "crt", 10) {
		c := certificate(t, name)
		if !c.SelfIssued() {
			continue
		}
		err := c.signedBy(c.PublicKey)
		switch c.PublicKey.Algorithm {
		case "Ed448", "DSA":
			if !isUnsupported(err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if c.PublicKey.Curve == "1.3.132.0.17" {
			if !isUnsupported(err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		checked[c.PublicKey.Algorithm+c.PublicKey.Curve] = true
		c.Raw[len(c.Raw)-1] ^= 1
		if !refuted(c, c) {
			t.Errorf("%s: a changed signature is not refuted", name)
		}
		other := certificate(t, "rsa.crt").PublicKey
		if c.PublicKey.Algorithm == "RSA" {
			other = certificate(t, "p256.crt").PublicKey
		}
		if err := c.signedBy(other); err != ErrSignature && c.PublicKey.Algorithm != "Ed25519" {
			t.Errorf("%s: a key of another algorithm: %v", name, err)
		}
	}
	for _, want := range []string{"RSA", "RSA-PSS", "ECP-256", "ECbrainpoolP256r1", "ECsecp256k1", "Ed25519"} {
		if !checked[want] {
			t.Errorf("no self-signed certificate with %s was checked", want)
		}
	}
}

// TestChainShapes builds any pool of CAs that issued each other and holds what a chain always is.
func TestChainShapes(t *testing.T) {
	names := []string{"A", "B", "C"}
	var roots []*authority
	for _, name := range append(names, names...) { // two of each name
		roots = append(roots, issue(t, name, nil, nil, soon))
	}
	var all []*Certificate
	var leaves []*authority
	for _, issuer := range roots {
		all = append(all, issuer.Certificate)
		leaves = append(leaves, issue(t, "leaf", issuer, nil, soon))
		for _, subject := range roots {
			all = append(all, issue(t, subject.std.Subject.CommonName, issuer, subject, soon).Certificate)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		pool := rapid.SliceOfN(rapid.SampledFrom(all), 0, 30).Draw(t, "pool")
		leaf := rapid.SampledFrom(leaves).Draw(t, "leaf").Certificate
		original := slices.Clone(pool)
		chain, complete := Chain(leaf, pool)
		if !slices.Equal(pool, original) {
			t.Fatal("the pool was changed")
		}
		child, seen := leaf, map[string]bool{leaf.SHA256(): true}
		for _, c := range chain {
			if !slices.Contains(pool, c) || seen[c.SHA256()] || child.signedBy(c.PublicKey) != nil || c.Subject != child.Issuer {
				t.Fatalf("%s does not belong behind %s", c.Subject, child.Subject)
			}
			seen[c.SHA256()], child = true, c
		}
		if complete != endsChain(child) {
			t.Fatalf("complete is %t", complete)
		}
		again, _ := Chain(leaf, rapid.Permutation(pool).Draw(t, "order"))
		if !slices.EqualFunc(chain, again, func(a, b *Certificate) bool { return a.SHA256() == b.SHA256() }) {
			t.Fatal("the order of the pool matters")
		}
	})
}
