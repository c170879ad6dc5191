package pfx

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"p11bridge/bridge/pfx/sha2"
)

// The first four are vectors that circulate since PKCS#12 v1.0; the others were made with "openssl kdf PKCS12KDF".
// They ask for more than one block, so that the addition of appendix B.2, step 6C, is seen at work.
func TestDeriveBMPVectors(t *testing.T) {
	tests := []struct {
		digest         string
		purpose        byte
		password, salt string
		iterations     int
		want           string
	}{
		{"SHA-1", purposeKey, "0073006D006500670000", "0A58CF64530D823F", 1, "8AAAE6297B6CB04642AB5B077851284EB7128F1A2A7FBCA3"},
		{"SHA-1", purposeIV, "0073006D006500670000", "0A58CF64530D823F", 1, "79993DFE048D3B76"},
		{"SHA-1", purposeKey, "007100750065006500670000", "05DEC959ACFF72F7", 1000, "ED2034E36328830FF09DF1E1A07DD357185DAC0D4F9EB3D4"},
		{"SHA-1", purposeMAC, "007100750065006500670000", "263216FCC2FAB31C", 1000, "5EC4C7A80DF652294C3925B6489A7AB857C83476"},
		{"SHA-224", purposeMAC, "0000", strings.Repeat("ff", 66), 2, "40D3691A86EFB133F03BA196E00650E9497689A29235C88D257D17F05C7DBA259A78955E5BAF07D72E5CEEF9EAA1806A0A4974C7D8146AA1A670244A4B2B496B"},
		{"SHA-256", purposeMAC, "0000", strings.Repeat("ff", 66), 2, "CF6CF215DACD336993140032B017890D845242597744801B4F661CE5EA627361FE7445ED1AD8CC50C3CA717667A5311FED6CC2EA6542C3A44241BA2767AD1869"},
		{"SHA-256", purposeMAC, "", "01", 3, "DC98221EFA6614C76BB0A4E3552FC971EFF91661F75C684E5C2EE1A95332620D32031F274C38BCB3EA21C5D631683C4EB6302655BFDA4D70125155E133C05032"},
		{"SHA-384", purposeMAC, "0000", strings.Repeat("ff", 66), 2, "42E160D4E76E6CDF04F2906E9858A49C27661E71658FF0226476584279F0E166CCD25750A41CBD216146337B06A2DB4A4DE63FDCDDEEE0A88119F836768A49F4"},
		{"SHA-512", purposeKey, "00740065007300740000", "0102030405060708", 5000, "1F9BCF8137AEEBDAD2FB0D7D761CB6148C89C7686A3B04199EE2CD817E623981FF0DAB1519B3B77931AD757E9D8287549DA4A48F4C843868B32B98505ED5A1EAF901B7D722F2A33494CF480C07ABB7F9BF70D65C719F179B1063C95EDB28FFF964418A1BA4798E7CD1A88A0095BDB8E2F352A602D0875C6CB835F65CC4ADB4B74A0582DFD2998726133304537320CA6F27821BC75451"},
	}
	for _, test := range tests {
		want := unhex(t, test.want)
		repeaters := []repeater{repeatHash}
		if test.digest == "SHA-256" && sha2.Available() {
			repeaters = append(repeaters, repeatOwn)
		}
		for i, repeat := range repeaters {
			got, err := deriveBMP(context.Background(), repeat, digestNamed(test.digest), test.purpose,
				unhex(t, test.password), unhex(t, test.salt), test.iterations, len(want))
			must(t, err)
			if !bytes.Equal(got, want) {
				t.Errorf("%s, purpose %d, password %s, repeater %d: %X", test.digest, test.purpose, test.password, i, got)
			}
		}
	}
}

func TestDeriveBMPEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := deriveBMP(ctx, repeatHash, digestNamed("SHA-1"), purposeKey, nil, nil, 1<<40, 24) // a day's work
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
}

func TestDeriveBMPAllocatesNothingPerIteration(t *testing.T) {
	allocations := func(iterations int) float64 {
		return testing.AllocsPerRun(10, func() {
			_, err := deriveBMP(context.Background(), repeatHash, digestNamed("SHA-256"), purposeMAC, []byte{0, 0}, []byte{1}, iterations, 32)
			must(t, err)
		})
	}
	if few, many := allocations(1), allocations(10_000); few != many {
		t.Errorf("%v allocations for one iteration, %v for 10,000", few, many)
	}
}

// What cannot be interrupted is not waited for, and is wiped when it ends after all. What is queued never begins.
func TestDerivationsAreNotWaitedFor(t *testing.T) {
	p, err := newPassword([]byte("test"))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	d := newDerivations(ctx, p)
	running, release := make(chan struct{}), make(chan struct{})
	var begun, queued []*derivation
	var results [][]byte
	for i := range runtime.GOMAXPROCS(0) {
		results = append(results, []byte("secret"))
		begun = append(begun, d.start(func(context.Context, []byte) ([]byte, error) {
			running <- struct{}{}
			<-release
			return results[i], nil
		}, p.standard(familyOctets)))
	}
	for range begun {
		<-running
	}
	for range 3 {
		queued = append(queued, d.start(func(context.Context, []byte) ([]byte, error) {
			t.Error("begun although the context is over")
			return nil, nil
		}, p.standard(familyOctets)))
	}
	cancel()
	for _, one := range append(begun, queued...) {
		if _, err := d.wait(one); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	}
	d.close()
	if string(p.standard(familyOctets).secret) != "test" {
		t.Error("the password was wiped under a derivation's feet")
	}
	close(release)
	for _, one := range append(begun, queued...) {
		<-one.done
	}
	awaitWiped(t, d, append(results, p.standard(familyOctets).secret)...)
}

// awaitWiped waits for the last worker, which may be about to end.
func awaitWiped(t *testing.T, d *derivations, secrets ...[]byte) {
	t.Helper()
	for {
		d.mu.Lock()
		workers := d.workers
		d.mu.Unlock()
		if workers == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for _, secret := range secrets {
		if len(bytes.Trim(secret, "\x00")) > 0 {
			t.Errorf("%q was not wiped", secret)
		}
	}
}

func TestDerivationsAreWiped(t *testing.T) {
	p, err := newPassword([]byte("test"))
	must(t, err)
	d := newDerivations(context.Background(), p)
	one := d.start(pbkdf2KDF(digestNamed("SHA-1"), nil, 1, 20), p.standard(familyOctets))
	result, err := d.wait(one)
	must(t, err)
	if len(bytes.Trim(result, "\x00")) == 0 {
		t.Fatal("nothing was derived")
	}
	d.close()
	awaitWiped(t, d, result, p.standard(familyOctets).secret)
}

// TestOwnDerivationWritesAndNeverReads: what is written is derived by bridge/pfx/sha2 where the processor can, two keys at once, and
// what is read is derived by the standard library.
func TestOwnDerivationWritesAndNeverReads(t *testing.T) {
	modern := newPBES2(bytes.Repeat([]byte{7}, saltSize), make([]byte, ivSize), 1000)
	k, pair := writing(modern.source, modern.keySize())
	if own := pair != nil && k == nil; own != sha2.Available() {
		t.Errorf("written with our own derivation: %v, and the processor can: %v", own, sha2.Available())
	}
	secret, err := newPassword([]byte("password"))
	must(t, err)
	d := newDerivations(t.Context(), secret)
	defer d.close()
	d.hold()
	from := secret.standard(familyOctets)
	ours, other := d.startWriting(modern.source, 32, from), d.startWriting(modern.source, 16, from)
	read := d.startReading(modern.source, 32, from)
	if read.pair != nil {
		t.Error("what is read is derived as what is written")
	}
	if next := d.next(); pair != nil && (len(next) != 2 || next[0] != ours || next[1] != other) {
		t.Errorf("%d derivations are made at once", len(next))
	} else {
		d.queue = append(next, d.queue...)
	}
	d.release()
	want, err := d.wait(read)
	must(t, err)
	for i, one := range []*derivation{ours, other} {
		got, err := d.wait(one)
		must(t, err)
		if !bytes.Equal(got, want[:len(got)]) || len(got) != 32>>i {
			t.Errorf("%x and not %x", got, want)
		}
	}
}

// shortSalt finds a salt from which gpgsm of GnuPG 2.2 derives another key, by numbers as large as they like.
func shortSalt(t *testing.T, encoded []byte) []byte {
	t.Helper()
	salt := make([]byte, saltSize)
	for n := range 10_000 {
		binary.BigEndian.PutUint64(salt, uint64(n))
		sum := firstSum(t, encoded, salt)
		addend := new(big.Int).SetBytes(slices.Concat(sum, sum, sum, sum[:4]))
		addend.Add(addend, big.NewInt(1))
		for _, number := range [][]byte{stretch(salt, 64), stretch(encoded, 64)} {
			size := new(big.Int).Lsh(big.NewInt(1), 512)
			if total := new(big.Int).Add(new(big.Int).SetBytes(number), addend); total.Mod(total, size).BitLen() <= 504 {
				return salt
			}
		}
	}
	t.Fatal("there is none")
	return nil
}

func firstSum(t *testing.T, encoded, salt []byte) []byte {
	t.Helper()
	sum, err := deriveBMP(t.Context(), repeatHash, digestNamed("SHA-1"), purposeKey, encoded, salt, testIterations, 20)
	must(t, err)
	return sum
}

// TestLegacySaltsSuitGPGSM gives Encode salts from which gpgsm derives another key: they are passed over, both for the certificates and for the key.
func TestLegacySaltsSuitGPGSM(t *testing.T) {
	encoded := append(encodeBMP("test"), 0, 0)
	bad := shortSalt(t, encoded)
	good := [2][]byte{bytes.Repeat([]byte{1}, saltSize), bytes.Repeat([]byte{2}, saltSize)}
	for _, salt := range good {
		if short, err := hasShortNumber(t.Context(), encoded, salt, testIterations); short || err != nil {
			t.Fatal(short, err)
		}
	}
	random := bytes.NewReader(slices.Concat(bad, good[0], bad, bad, good[1], bytes.Repeat([]byte{3}, saltSize)))
	file, err := Encode(t.Context(), random, newIdentity(t, "P-256").contents("name"), []byte("test"), Options{Profile: Legacy, Iterations: testIterations})
	must(t, err)
	if bytes.Contains(file, bad) || !bytes.Contains(file, good[0]) || !bytes.Contains(file, good[1]) {
		t.Error("the salts are others")
	}
	decode(t, file, "test")
	if _, err := Encode(t.Context(), repeatedReader(bad), newIdentity(t, "P-256").contents("name"), []byte("test"), Options{Profile: Legacy, Iterations: testIterations}); err != nil {
		t.Error(err) // where there is no other, the file is made all the same
	}
}

// repeatedReader gives the same bytes again and again.
type repeatedReader []byte

func (r repeatedReader) Read(to []byte) (int, error) { return copy(to, r), nil }
