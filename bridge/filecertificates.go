package bridge

import (
	"context"
	"fmt"
	"slices"

	"p11bridge/bridge/pfx"
	"p11bridge/token/pki"
)

// fileCertificates are the certificates of a file. Each is parsed once, and found by its public key: a file may have thousands of keys, and as many
// certificates.
type fileCertificates struct {
	held   []pfx.Certificate
	parsed []parsedCertificate

	certified []pki.PublicKey  // by the certificates' indices; without SPKI where there is none to be found
	same      map[string][]int // the indices of the certificates of one public key
	doubtful  []int            // of those whose public key is not understood, or not found
}

type parsedCertificate struct {
	certificate *pki.Certificate
	err         error
}

// newFileCertificates looks at all of them, unless the context ends it.
func newFileCertificates(ctx context.Context, held []pfx.Certificate) *fileCertificates {
	f := &fileCertificates{held: held, parsed: make([]parsedCertificate, len(held)), certified: make([]pki.PublicKey, len(held)), same: map[string][]int{}}
	for i, c := range held {
		if ctx.Err() != nil {
			break
		}
		f.parsed[i].certificate, f.parsed[i].err = pki.ParseCertificate(c.DER)
		key, err := pki.KeyOfCertificate(c.DER)
		if err != nil {
			f.doubtful = append(f.doubtful, i)
			continue
		}
		f.certified[i] = key
		f.same[key.Same()] = append(f.same[key.Same()], i)
		if !key.Understood() {
			f.doubtful = append(f.doubtful, i)
		}
	}
	return f
}

func (f *fileCertificates) parse(i int) (*pki.Certificate, error) {
	return f.parsed[i].certificate, f.parsed[i].err
}

// readable are those that can be read.
func (f *fileCertificates) readable() []*pki.Certificate {
	var read []*pki.Certificate
	for _, p := range f.parsed {
		if p.certificate != nil && p.err == nil {
			read = append(read, p.certificate)
		}
	}
	return read
}

// compare compares keys, not their encodings. Once the context has ended, it compares nothing.
func (f *fileCertificates) compare(ctx context.Context) pfx.Comparer {
	return func(pkcs8 []byte) (compared pfx.Comparison, err error) {
		if ctx.Err() != nil {
			return compared, context.Cause(ctx)
		}
		key, err := pki.ParsePrivateKey(pkcs8)
		if err != nil {
			return compared, fmt.Errorf("read the private key: %w", err)
		}
		key.Wipe()
		compared.Certified = f.same[key.Public.Same()]
		for _, i := range f.mayBeUnknown(key.Public) {
			if !slices.Contains(compared.Certified, i) && !f.certified[i].Differs(key.Public) {
				compared.Unknown = append(compared.Unknown, i)
			}
		}
		return compared, nil
	}
}

// mayBeUnknown are the indices of the certificates of which it may not be told whether they are a key's: two keys that are understood are
// the same, or they differ.
func (f *fileCertificates) mayBeUnknown(public pki.PublicKey) []int {
	if public.Understood() {
		return f.doubtful
	}
	all := make([]int, len(f.held))
	for i := range all {
		all[i] = i
	}
	return all
}
