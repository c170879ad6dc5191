package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"syscall"
	"time"

	"p11bridge/bridge/pfx"
)

// bagIterations are those of the derivations that are measured alone.
const bagIterations = 600000

// proofAim is what a verification may cost at most, as a share of the derivations that it has to redo.
const proofAim = 1.2

// benchProof sets the CPU time of opening a file against that of its two key derivations alone, for the independent
// reader that proves what was in this process, and for the reading of a shrouded file, whose key bag stays closed.
func benchProof(ctx context.Context) error {
	const rounds = 7
	password := []byte("bench-password")
	contents, err := specimen()
	if err != nil {
		return err
	}
	derived, err := pfx.Derive(ctx, rand.Reader, password, pfx.Options{})
	if err != nil {
		return err
	}
	file, err := pfx.Encode(ctx, rand.Reader, contents, password, pfx.Options{Derived: derived})
	if err != nil {
		return err
	}
	var derive, independent, shrouded []time.Duration
	for range rounds {
		// The reader derives by crypto/pbkdf2: the one key of the file, and for the MAC, which is a chain of hashes, half as much.
		cost, err := cpu(func() error {
			_, err := pbkdf2.Key(sha256.New, string(password), password, bagIterations, sha256.Size)
			return err
		})
		if err != nil {
			return err
		}
		derive = append(derive, cost*3/2)
		if cost, err = cpu(func() error { _, _, err := pfx.ReadEncoded(file, password, derived); return err }); err != nil {
			return err
		}
		independent = append(independent, cost)
		cost, err = cpu(func() error {
			_, err := pfx.Decode(ctx, file, password, pfx.DecodeOptions{KeepShrouded: true})
			return err
		})
		if err != nil {
			return err
		}
		shrouded = append(shrouded, cost)
	}
	fmt.Printf("\nVerification against its derivations by crypto/pbkdf2, CPU time, aim at most %.1f\n", proofAim)
	base := middle(derive)
	for _, row := range []struct {
		name string
		cost time.Duration
	}{{"derivations alone", base}, {"independent reader (wrap, attributes)", middle(independent)}, {"reading a shrouded file", middle(shrouded)}} {
		ratio := row.cost.Seconds() / base.Seconds()
		fmt.Printf("  %-40s %6.3f s  ratio %.2f  %s\n", row.name, row.cost.Seconds(), ratio, met(ratio <= proofAim))
	}
	return nil
}

func specimen() (pfx.Contents, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pfx.Contents{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotAfter: time.Now().AddDate(1, 0, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return pfx.Contents{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pfx.Contents{}, err
	}
	return pfx.Contents{
		Keys:         []pfx.Key{{PKCS8: pkcs8, LocalKeyID: []byte{1}}},
		Certificates: []pfx.Certificate{{DER: certificate, LocalKeyID: []byte{1}}},
	}, nil
}

// cpu is the CPU time, user and system, that work takes in this process.
func cpu(work func() error) (time.Duration, error) {
	var start, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &start); err != nil {
		return 0, err
	}
	if err := work(); err != nil {
		return 0, err
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		return 0, err
	}
	total := func(r syscall.Rusage) time.Duration {
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return total(after) - total(start), nil
}

func middle(costs []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(costs))
	return sorted[len(sorted)/2]
}
