package bridge

import (
	"context"
	"errors"
	"testing"
	"time"

	"p11bridge/bridge/pfx"
)

// manyKeys are keys with as many certificates, without names that would tie the ones to the others. Every second certificate is of a key that is
// not there.
func manyKeys(t *testing.T, n int) *pfx.Contents {
	t.Helper()
	contents := &pfx.Contents{}
	for i := range n {
		one := newSigner(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		contents.Keys = append(contents.Keys, pfx.Key{PKCS8: one.pkcs8})
		if i%2 == 1 {
			one = newSigner(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		}
		contents.Certificates = append(contents.Certificates, pfx.Certificate{DER: one.certificate})
	}
	return contents
}

// TestManyKeysCostWhatEachCosts: twice as many keys cost twice as much, whether they have certificates or not. Compared one with the other they
// would cost four times as much.
func TestManyKeysCostWhatEachCosts(t *testing.T) {
	const few = 64
	allocations := func(n int) float64 {
		contents := manyKeys(t, n)
		return testing.AllocsPerRun(2, func() {
			keys, err := fileKeys(t.Context(), contents, newFileCertificates(t.Context(), contents.Certificates), time.Now())
			if err != nil || len(keys) != n {
				t.Fatalf("%d keys: %v", len(keys), err)
			}
			for i, key := range keys {
				if (key.Certificate != nil) != (i%2 == 0) {
					t.Fatalf("key %d: certificate %v", i, key.Certificate)
				}
			}
		})
	}
	one, four := allocations(few), allocations(4*few)
	if four > 6*one {
		t.Errorf("%d keys: %.0f allocations, %d keys: %.0f", few, one, 4*few, four)
	}
}

// TestJudgingEndsWithItsContext: what comes behind the derivations takes long as well where there are many keys.
func TestJudgingEndsWithItsContext(t *testing.T) {
	contents := manyKeys(t, 2)
	why := errors.New("a person ended it")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	certificates := newFileCertificates(t.Context(), contents.Certificates)
	if _, err := certificates.compare(ctx)(contents.Keys[0].PKCS8); !errors.Is(err, why) {
		t.Errorf("a key is compared: %v", err)
	}
	if keys, err := fileKeys(ctx, contents, certificates, time.Now()); !errors.Is(err, why) {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if parsed := newFileCertificates(ctx, contents.Certificates); len(parsed.same) != 0 {
		t.Errorf("%d certificates are parsed", len(parsed.same))
	}
	x := &examination{VerifyResult: &VerifyResult{}, contents: contents}
	if err := x.judgeContents(ctx, time.Now(), false); !errors.Is(err, why) {
		t.Errorf("judged: %v", err)
	}
}
