package pki

import (
	"bytes"
	"slices"
)

// Chain finds the issuers of leaf among pool, nearest first and without leaf itself. A certificate counts as an issuer if its
// name and key identifier fit and the signature holds; one that cannot be checked, for its algorithm is not known here, counts too.
//
// complete reports whether the chain ends in a self-issued certificate that may have signed itself; a self-issued leaf is complete with an
// empty chain. Of several complete chains the shortest is taken, and among equals the one whose certificates are
// valid longest. Without one, the longest there is. Duplicates, loops and hostile pools cost no more than one look at each pair.
//
// It does not decide whether to trust the chain: it looks at no date, constraint or usage.
func Chain(leaf *Certificate, pool []*Certificate) (chain []*Certificate, complete bool) {
	return NewPool(pool).Chain(leaf)
}

// Pool is certificates among which chains are found, indexed by their names: for many leaves it is sorted once. It may be used by
// several goroutines.
type Pool struct{ bySubject map[string][]*Certificate }

// NewPool makes a pool. Nil and repetitions among the certificates do not count.
func NewPool(certificates []*Certificate) *Pool {
	p := &Pool{bySubject: map[string][]*Certificate{}}
	for _, c := range distinct(certificates) {
		subject := nameKey(c.RawSubject)
		p.bySubject[subject] = append(p.bySubject[subject], c)
	}
	return p
}

// Chain is the function Chain on this pool.
func (p *Pool) Chain(leaf *Certificate) (chain []*Certificate, complete bool) {
	used := map[string]bool{leaf.SHA256(): true}
	type step struct {
		certificate *Certificate
		child       int // index into steps
	}
	steps := []step{{leaf, -1}}
	last := 0
	for i := 0; i < len(steps); i++ { // breadth first: the steps grow while they are walked
		current := steps[i].certificate
		last = i
		if endsChain(current) {
			complete = true
			break
		}
		for _, c := range p.bySubject[nameKey(current.RawIssuer)] {
			if used[c.SHA256()] || !c.MayHaveIssued(current) || refuted(c, current) {
				continue
			}
			used[c.SHA256()] = true
			steps = append(steps, step{c, i})
		}
	}
	for i := last; i > 0; i = steps[i].child {
		chain = append(chain, steps[i].certificate)
	}
	slices.Reverse(chain)
	return chain, complete
}

// distinct is the pool without nil and without repetitions, those that expire last in front.
func distinct(pool []*Certificate) []*Certificate {
	seen := map[string]bool{}
	var out []*Certificate
	for _, c := range pool {
		if c == nil || seen[c.SHA256()] {
			continue
		}
		seen[c.SHA256()] = true
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b *Certificate) int {
		if order := b.NotAfter.Compare(a.NotAfter); order != 0 {
			return order
		}
		return bytes.Compare(a.Raw, b.Raw)
	})
	return out
}

// Altered reports whether a certificate is not as its issuer signed it, as far as the pool and the certificate itself show: there is one with the issuer's
// name and key identifier, and none of those made the signature. A CA that changed its key and writes no key identifiers looks the same.
func Altered(c *Certificate, pool []*Certificate) bool {
	refutedOnce := false
	for _, issuer := range append([]*Certificate{c}, pool...) {
		if issuer == nil || !issuer.MayHaveIssued(c) {
			continue
		}
		if !refuted(issuer, c) {
			return false
		}
		refutedOnce = true
	}
	return refutedOnce
}

// endsChain is true for a self-signed certificate. A CA's new key signed with its old one is self-issued too, and
// does not end the chain.
func endsChain(c *Certificate) bool {
	return c.SelfIssued() && c.MayHaveIssued(c) && !refuted(c, c)
}
