package pfx

import (
	"bytes"
	"context"
	"crypto/rand"
	"testing"
)

// TestMACApart reads files of many iterations in two parts, of few in one: what ReadEncoded gives is the same, and no part lets a MAC pass
// that is not the file's.
func TestMACApart(t *testing.T) {
	id := newIdentity(t, "P-256")
	for iterations, apart := range map[int]bool{manyIterations - 1: false, manyIterations: true} {
		for _, profile := range []Profile{Modern, PBMAC1} {
			options := Options{Profile: profile, Iterations: iterations}
			derived, err := Derive(context.Background(), rand.Reader, []byte("tést"), options)
			must(t, err)
			options.Derived = derived
			file, err := Encode(context.Background(), rand.Reader, id.contents("name"), []byte("tést"), options)
			must(t, err)
			if MACApart(file) != apart {
				t.Errorf("%s, %d iterations: apart %t", profile, iterations, !apart)
			}
			for _, known := range []*Derived{nil, derived} {
				pkcs8, chain, err := ReadEncoded(file, []byte("tést"), known)
				must(t, err)
				if !bytes.Equal(pkcs8, id.pkcs8) || len(chain) != 2 || !bytes.Equal(chain[0], id.leaf) || !bytes.Equal(chain[1], id.authority) {
					t.Errorf("%s, %d iterations: other contents", profile, iterations)
				}
			}
			c, err := readContainer(file)
			must(t, err)
			at := bytes.Index(file, c.mac.value)
			damaged := bytes.Clone(file)
			damaged[at] ^= 1
			for name, wrong := range map[string]struct {
				file     []byte
				password string
			}{"another MAC": {damaged, "tést"}, "another password": {file, "test"}, "no password": {file, ""}} {
				if _, _, err := ReadEncoded(wrong.file, []byte(wrong.password), derived); err == nil {
					t.Errorf("%s, %d iterations: %s passes", profile, iterations, name)
				}
				if err := VerifyMAC(wrong.file, []byte(wrong.password)); err == nil {
					t.Errorf("%s, %d iterations: the MAC passes with %s", profile, iterations, name)
				}
			}
		}
	}
}
