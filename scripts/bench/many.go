package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"p11bridge/bridge/demo"
	"p11bridge/token"
)

// What a list and a snapshot of a hundred thousand objects may take, in MiB, the module's own part among them.
const (
	listAim     = 250
	snapshotAim = 300
)

// benchMany lists many objects and takes a snapshot of them, from a module that answers them from a file.
func benchMany(ctx context.Context, t tools) error {
	module, objects := filepath.Join(t.scratch, "many.so"), filepath.Join(t.scratch, "objects")
	if out, err := exec.CommandContext(ctx, "gcc", "-shared", "-fPIC", "-o", module, filepath.Join("softhsm-tests", "testdata", "many.c")).CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w: %s", err, out)
	}
	const kinds = 3 // a certificate, a public key and a private key for each identity
	if err := manyObjects(objects, t.objects/kinds); err != nil {
		return err
	}
	fmt.Printf("\nMemory for %d objects\n", t.objects/kinds*kinds)
	for _, row := range []struct {
		name    string
		aim     int
		command []string
	}{
		{"p11bridge list", listAim, []string{t.p11bridge, "list", "--module", module}},
		{"p11bridge snapshot", snapshotAim, []string{t.p11bridge, "snapshot", "--module", module, "--force", "-o", filepath.Join(t.scratch, "many.json")}},
	} {
		c, err := t.measure(ctx, demo.Place{}, []string{"P11MANY=" + objects}, row.command)
		if err != nil {
			return err
		}
		fmt.Printf("  %-28s %7.3f s wall %7.2f s CPU %6.1f MiB", row.name, c.wall.Seconds(), c.cpu.Seconds(), float64(c.memory)/1024)
		if t.objects >= whole.objects {
			fmt.Printf("   aim ≤ %d: %s", row.aim, met(c.memory <= row.aim<<10))
		}
		fmt.Println()
	}
	return nil
}

// manyObjects writes identities in the form that softhsm-tests/testdata/many.c reads. Its private keys sign, and tell no public half.
func manyObjects(path string, identities int) error {
	params, err := token.CurveParams("P-256")
	if err != nil {
		return err
	}
	var out []byte
	template := &x509.Certificate{NotBefore: time.Now().AddDate(0, 0, -1), NotAfter: time.Now().AddDate(1, 0, 0)}
	for i := range identities {
		value := i + 2
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), binary.BigEndian.AppendUint64(make([]byte, 24), uint64(value)))
		if err != nil {
			return fmt.Errorf("make a key: %w", err)
		}
		template.SerialNumber, template.Subject = big.NewInt(int64(value)), pkix.Name{CommonName: fmt.Sprintf("person %d", i)}
		certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			return fmt.Errorf("make a certificate: %w", err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			return fmt.Errorf("make a key: %w", err)
		}
		ec := ulong(uint64(token.CKKEC))
		for class, more := range map[token.Class]map[token.Attribute][]byte{
			token.CKOCertificate: {token.CKACertificateType: ulong(0), token.CKAValue: certificate},
			token.CKOPublicKey:   {token.CKAKeyType: ec, token.CKAECParams: params, token.CKAECPoint: append([]byte{4, byte(len(point))}, point...)},
			token.CKOPrivateKey: {token.CKAKeyType: ec, token.CKAECParams: params, token.CKASensitive: {0}, token.CKAExtractable: {1}, token.CKASign: {1},
				token.CKAValue: binary.BigEndian.AppendUint64(make([]byte, 24), uint64(value))},
		} {
			more[token.CKAClass], more[token.CKALabel], more[token.CKAID] = ulong(uint64(class)), []byte(template.Subject.CommonName), binary.BigEndian.AppendUint32(nil, uint32(value))
			more[token.CKAToken], more[token.CKAPrivate] = []byte{1}, []byte{0}
			out = append(out, ulong(uint64(len(more)))...)
			for a, value := range more {
				out = append(append(append(out, ulong(uint64(a))...), ulong(uint64(len(value)))...), value...)
			}
		}
	}
	return os.WriteFile(path, out, 0o600)
}

func ulong(n uint64) []byte { return binary.NativeEndian.AppendUint64(nil, n) }
